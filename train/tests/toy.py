"""A toy corpus and configuration, and a way to call the commands as a shell would."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from calm_train.loop import Loop

CONFIG = """
corpora = "{folder}"
run = "{folder}/run"
[tokenizer]
vocab_size = 300
files = ["stories.txt"]
[data]
mix = {{ stories = 0.7, more = 0.3 }}
held_out = ["stories"]
[data.sources]
stories = ["stories.txt"]
more = ["more.jsonl"]
[training]
compile = false
warmup_steps = 5
minutes = 0.8
rows = 2
row_chunks = 16
log_steps = 20
[autoencoder]
hidden_size = 32
intermediate_size = 64
latent_size = 16
learning_rate = 1e-2
[calm]
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
noise_size = 16
[baseline]
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
[sample]
stories = 2
num_candidates = 10
max_tokens = 8
"""

STORY = "Once upon a time there was a {0} cat who met a {1} dog.\nThey had {0} fun all day."
WORDS = ["big", "small", "red", "old", "kind", "sad"]


def stories() -> list[str]:
    return [STORY.format(a, b) for a in WORDS for b in WORDS]


def call(command: ModuleType, config: Path, *overrides: str) -> None:
    before = sys.argv
    sys.argv = [command.__name__, "--config", str(config), *overrides]
    try:
        command.main()
    finally:
        sys.argv = before


class Killed(BaseException):
    pass


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    own = Loop._step

    def killed(loop: Loop) -> dict[str, torch.Tensor]:
        if loop.step == step:
            raise Killed
        return own(loop)

    monkeypatch.setattr(Loop, "_step", killed)


def state_of(run: Path, name: str = "calm") -> dict:
    return torch.load(run / "training" / name / "state.pt", weights_only=True)
