"""The whole way on a toy corpus: tokenizer, shards, autoencoder, CALM, baseline, golden file, sample."""

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from calm_train import autoencoder, baseline, calm, card, golden, pack, sample, tokenizer
from calm_train.checkpoint import load_autoencoder, load_calm, load_llama
from calm_train.vocabulary import Vocabulary

CONFIG = """
corpora = "{folder}"
run = "{folder}/run"
[tokenizer]
vocab_size = 300
files = ["stories.txt"]
[data]
mix = {{ stories = 1.0 }}
held_out = ["stories"]
[data.sources]
stories = ["stories.txt"]
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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trains everything for a few seconds each."""
    folder = tmp_path_factory.mktemp("toy")
    story = "Once upon a time there was a {0} cat who met a {1} dog.\nThey had {0} fun all day."
    words = ["big", "small", "red", "old", "kind", "sad"]
    texts = [story.format(a, b) for a in words for b in words]
    (folder / "stories.txt").write_text("\n<|endoftext|>\n".join(texts))
    config = folder / "toy.toml"
    config.write_text(CONFIG.format(folder=folder))
    for command in (tokenizer, pack, autoencoder, calm, baseline, golden):
        call(command, config)
    return folder / "run"


def call(command, config: Path, *overrides: str) -> None:
    before = sys.argv
    sys.argv = [command.__name__, "--config", str(config), *overrides]
    try:
        command.main()
    finally:
        sys.argv = before


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
def test_other_heads_train_into_checkpoints_of_their_own(run: Path, tmp_path: Path, head: str, steps: int):
    for part in ("tokenizer", "shards", "autoencoder"):
        (tmp_path / part).symlink_to(run / part)
    settings = f"--run {tmp_path} --head {head} --head-steps {steps} --num-samples 2 --steps 30"
    call(calm, run.parent / "toy.toml", *settings.split())
    config = json.loads((tmp_path / "checkpoint" / "config.json").read_text())
    assert config["architectures"] == [f"{head.capitalize()}Transformer"]
    assert (config["model_type"], config["num_inference_steps"]) == (head, steps)
    call(golden, run.parent / "toy.toml", "--run", str(tmp_path))
    recorded = load_file(tmp_path / "golden.safetensors")
    assert recorded["noise"].shape[2:] == ((16,) if head == "flow" else (21, 16))
    model = load_calm(tmp_path / "checkpoint", tmp_path / "autoencoder")
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
