"""Keys of a configuration that cannot be end with one sentence: section, key, value and what is allowed."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from toy import call

from calm_train import baseline, calm, tokenizer
from calm_train.config import SECTIONS, build_config
from calm_train.limits import CHOICES, PATTERNS, RANGES
from calm_train.models.heads import HeadShape, build_head

PATHS = {"corpora": ".", "run": "."}


@pytest.mark.parametrize(
    ("section", "key", "value", "allowed"),
    [
        ("calm", "num_samples", 1, "2 or more: the energy score compares samples in pairs"),
        ("calm", "rows", 0, "1 or more"),
        ("calm", "rows", 2.5, "a whole number, 1 or more"),
        ("calm", "rows", True, "a whole number, 1 or more"),
        ("calm", "learning_rate", "fast", "a number, above 0"),
        ("calm", "learning_rate", 0, "above 0"),
        ("calm", "learning_rate", math.nan, "above 0"),
        ("calm", "beta", 2.0, "above 0 and below 2"),
        ("calm", "head", "gan", "one of energy, flow, diffusion"),
        ("calm", "decay", "step", "one of linear, cosine"),
        ("calm", "num_key_value_heads", 3, "divide num_attention_heads = 4"),
        ("calm", "hidden_size", 100, "a multiple of twice num_attention_heads = 4"),
        ("training", "minutes", 0, "above 0"),
        ("training", "minutes", -3, "above 0"),
        ("training", "flops", math.inf, "0 or more"),
        ("training", "deadline", "25", '"HH:MM", say "23:30"'),
        ("training", "deadline", "24:00", '"HH:MM"'),
        ("training", "deadline", 25, "text in quotes"),
        ("training", "device", "gpu", '"cpu", "cuda" or "cuda:1"'),
        ("training", "precision", "fp8", "one of auto, bfloat16, float32"),
        ("training", "compile", 1, "true or false"),
        ("training", "log_steps", 0, "1 or more"),
        ("training", "beta2", 1.0, "0 or more and below 1"),
        ("baseline", "dropout", 1, "0 or more and below 1"),
        ("autoencoder", "random_share", 1.1, "0 or more and at most 1"),
        ("tokenizer", "vocab_size", 258, "259 or more"),
        ("tokenizer", "files", "stories.txt", "a list of texts"),
        ("data", "mix", {"a": "much"}, "a table of numbers"),
        ("data", "mix", {"a": 0}, "shares of 0 or more, one of them above 0"),
        ("data", "sources", {"a": "stories.txt"}, "a table of lists of texts"),
        ("sample", "temperature", 2, "above 0 and at most 1"),
        ("evaluate", "documents", 0, "1 or more"),
    ],
)
def test_a_key_that_cannot_be(section: str, key: str, value: Any, allowed: str):
    with pytest.raises(SystemExit) as ended:
        build_config(PATHS | {section: {key: value}})
    sentence, shown = str(ended.value), f'"{value}"' if isinstance(value, str) else str(value)
    # [training] stands for the three trainers' sections: the first of them is named.
    assert sentence.startswith(f"[{'autoencoder' if section == 'training' else section}] {key} = {shown}: it must ")
    assert allowed in sentence


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"patch_size": 0}, "patch_size = 0: it must be 1 or more"),
        ({"patch_size": "2"}, 'patch_size = "2": it must be a whole number'),
        ({"run": 7}, "run = 7: it must be text in quotes"),
        ({"calm": 3}, r"calm = 3: it must be a section: \[calm\]"),
        ({"training": []}, r"training = \[\]: it must be a section"),
        (
            {"patch_size": 3, "evaluate": {"block_tokens": 512}},
            r"\[evaluate\] block_tokens = 512 is no multiple of",
        ),
        ({"patch_size": 3, "training": {"block_tokens": 512}}, "block_tokens = 512 is no multiple of patch_size = 3"),
        (
            {"data": {"sources": {"a": ["a.txt"]}, "mix": {"b": 1}}},
            r"\[data\] mix names b, which sources does not hold",
        ),
        (
            {"data": {"sources": {"a": ["a.txt"]}, "held_out": ["c"]}},
            r"\[data\] held_out names c, which sources does",
        ),
        ({"calm": {"head": "flow", "head_steps": 501}}, "head_steps = 501: for the flow head it must be from 1 to 500"),
        ({"calm": {"head": "diffusion", "head_steps": 1}}, "for the diffusion head it must be from 2 to 1000"),
        ({"calm": {"head_steps": 4}}, "head_steps = 4: for the energy head it must be 0"),
    ],
)
def test_keys_that_cannot_be_together(raw: dict[str, Any], sentence: str):
    with pytest.raises(SystemExit, match=sentence):
        build_config(PATHS | raw)


def test_limits_are_for_what_they_limit():
    """One sample is enough for the heads that compare none, and a block that K divides sets the row."""
    assert build_config(PATHS | {"calm": {"head": "flow", "num_samples": 1}}).calm.num_samples == 1
    config = build_config(PATHS | {"patch_size": 4, "training": {"block_tokens": 512, "deadline": "7:05"}})
    assert (config.calm.row_chunks, config.baseline.row_chunks) == (128, 512)


def test_every_key_has_its_limits():
    for name, section_class in SECTIONS.items():
        for field in dataclasses.fields(section_class):
            if field.type in (int, float):
                assert f"{name}.{field.name}" in RANGES or field.name in RANGES, f"[{name}] {field.name}"
    known = {field.name for section_class in SECTIONS.values() for field in dataclasses.fields(section_class)}
    assert {key.rpartition(".")[2] for key in RANGES} | set(CHOICES) | set(PATTERNS) <= known


def test_a_checkpoint_with_an_unknown_head():
    with pytest.raises(SystemExit, match='head = "gan": it must be one of energy, flow, diffusion'):
        build_head(HeadShape("gan", noise_size=8, num_mlp_layers=1), hidden_size=8, latent_size=8)


def test_what_only_some_commands_need(run: Path, fresh_run: Path):
    config = run.parent / "toy.toml"
    with pytest.raises(SystemExit, match=r"\[tokenizer\] files = \[\]: it must name the text"):
        call(tokenizer, config, "--files", "[]")
    with pytest.raises(SystemExit, match=r"\[data\] held_out = \[\]: it must name a source"):
        call(calm, config, "--run", str(fresh_run), "--data.held-out", "[]")
    with pytest.raises(SystemExit, match=r'device = "cuda:99": PyTorch finds \d+ CUDA devices here'):
        call(baseline, config, "--run", str(fresh_run), "--device", "cuda:99")
    with pytest.raises(SystemExit, match=r"\[calm\] rows = 0: it must be 1 or more"):
        call(calm, config, "--run", str(fresh_run), "--rows", "0")
