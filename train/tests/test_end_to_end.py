"""The whole way on a toy corpus: tokenizer, shards, autoencoder, CALM, baseline, golden file, sample."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy import call

from calm_train import calm, card, golden, sample
from calm_train.checkpoint import load_autoencoder, load_calm, load_llama
from calm_train.vocabulary import Vocabulary


def test_folders_hold_what_a_server_reads(run: Path):
    architectures = {"autoencoder": "Autoencoder", "checkpoint": "EnergyTransformer", "baseline": "LlamaForCausalLM"}
    for folder, architecture in architectures.items():
        config = json.loads((run / folder / "config.json").read_text())
        assert config["architectures"] == [architecture]
        assert config["training_flops"] > 0
        assert Vocabulary.load(run / folder).size == config["vocab_size"] == 300
        assert not list((run / folder).glob("*.tmp"))
    assert json.loads((run / "checkpoint" / "generation_config.json").read_text())["temperature"] == 0.5


def test_checkpoint_carries_the_autoencoder_and_nothing_that_only_training_needs(run: Path):
    tensors = load_file(run / "checkpoint" / "model.safetensors")
    for name, value in load_autoencoder(run / "autoencoder").state_dict().items():
        assert torch.equal(tensors[f"ae_model.{name}"], value)
    assert not any("auxiliary" in name for name in tensors)


def test_golden_file_is_what_the_checkpoint_computes(run: Path):
    recorded = load_file(run / "golden.safetensors")
    model = load_calm(run / "checkpoint", run / "autoencoder")
    chunks = recorded["input_ids"].unflatten(1, (-1, 2))
    with torch.no_grad():
        hidden = model.hidden(chunks)
        latent = model.latents(hidden, recorded["noise"][None])[0]
    torch.testing.assert_close(hidden, recorded["hidden"])
    torch.testing.assert_close(latent, recorded["latent"])
    assert torch.equal(model.tokens(latent), recorded["tokens"])
    assert recorded["rollout_tokens"].shape == (1, 12)


def test_baseline_loads(run: Path):
    model = load_llama(run / "baseline")
    assert model.logits(model.hidden(torch.zeros(1, 3, 1, dtype=torch.long))).shape == (1, 3, 300)


def test_a_finished_run_resumes_into_its_end(run: Path, capsys: pytest.CaptureFixture):
    call(calm, run.parent / "toy.toml")
    assert "resumed at step" in capsys.readouterr().out


@pytest.mark.parametrize(("head", "steps"), [("flow", 10), ("diffusion", 20)])
def test_other_heads_train_into_checkpoints_of_their_own(run: Path, fresh_run: Path, head: str, steps: int):
    settings = f"--run {fresh_run} --head {head} --head-steps {steps} --num-samples 2 --steps 30"
    call(calm, run.parent / "toy.toml", *settings.split())
    config = json.loads((fresh_run / "checkpoint" / "config.json").read_text())
    assert config["architectures"] == [f"{head.capitalize()}Transformer"]
    assert (config["model_type"], config["num_inference_steps"]) == (head, steps)
    call(golden, run.parent / "toy.toml", "--run", str(fresh_run))
    recorded = load_file(fresh_run / "golden.safetensors")
    assert recorded["noise"].shape[2:] == ((16,) if head == "flow" else (21, 16))
    model = load_calm(fresh_run / "checkpoint", fresh_run / "autoencoder")
    with torch.no_grad():
        latent = model.latents(recorded["hidden"], recorded["noise"][None])[0]
    torch.testing.assert_close(latent, recorded["latent"], rtol=1e-3, atol=1e-3)


def test_sample_prints_stories(run: Path, capsys: pytest.CaptureFixture):
    call(sample, run.parent / "toy.toml", "--prompt", "Once upon")
    stories = [part for part in capsys.readouterr().out.split("\n---\n") if part.strip()]
    # A toy model may well write the prompt again inside a story.
    assert [story.strip().startswith("Once upon") for story in stories] == [True, True]


def test_card_tells_both_models_scores(run: Path):
    call(card, run.parent / "toy.toml")
    written = json.loads((run / "card.json").read_text())
    assert written["baseline"]["brier"]["documents"] == written["brier"]["documents"] == 36
    text = (run / "card.md").read_text()
    assert "BrierLM of the token baseline" in text
    assert text.count("\n> ") >= 2


def test_a_baseline_alone_has_a_card_and_a_golden_file_of_its_own(run: Path, fresh_run: Path):
    shutil.copytree(run / "baseline", fresh_run / "baseline")
    call(card, run.parent / "toy.toml", "--run", str(fresh_run))
    text = (fresh_run / "card.md").read_text()
    assert re.search(r"of a (bfloat16|float32) matrix product", text)
    assert "Autoencoder" not in text and "- BrierLM: " in text
    call(golden, run.parent / "toy.toml", "--run", str(fresh_run))
    recorded = load_file(fresh_run / "golden.safetensors")
    model = load_llama(fresh_run / "baseline")
    with torch.no_grad():
        logits = model.logits(model.hidden(recorded["input_ids"][..., None]))
    torch.testing.assert_close(logits, recorded["logits"])
