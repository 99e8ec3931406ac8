"""A run that starts from another one: its weights go on, its costs count, and what does not fit is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy import call

from calm_train import baseline, calm

NO_RATE = ("--learning-rate", "1e-12", "--weight-decay", "0.0")


def facts_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())["training"]


@pytest.mark.parametrize(("command", "name"), [(calm, "checkpoint"), (baseline, "baseline")])
def test_it_begins_with_the_averaged_weights_of_that_run(run: Path, fresh_run: Path, command, name: str):
    call(command, run.parent / "toy.toml", "--run", str(fresh_run), "--start-from", str(run), "--steps", "2", *NO_RATE)
    earlier, later = (load_file(folder / name / "model.safetensors") for folder in (run, fresh_run))
    for tensor in earlier:
        torch.testing.assert_close(later[tensor], earlier[tensor], rtol=0, atol=1e-6)


def test_a_deeper_head_begins_by_changing_nothing(run: Path, fresh_run: Path):
    earlier = load_file(run / "checkpoint" / "model.safetensors")
    blocks = json.loads((run / "checkpoint" / "config.json").read_text())["num_mlp_layers"]
    deeper = ("--num-mlp-layers", str(blocks + 1), "--steps", "2", *NO_RATE)
    call(calm, run.parent / "toy.toml", "--run", str(fresh_run), "--start-from", str(run), *deeper)
    later = load_file(fresh_run / "checkpoint" / "model.safetensors")
    added = {name: later[name] for name in later.keys() - earlier.keys()}
    assert any(f"mlp_blocks.{blocks}.linears" in name for name in added)
    for name, tensor in added.items():
        if "down_proj" in name:
            torch.testing.assert_close(tensor, torch.zeros_like(tensor), rtol=0, atol=1e-6)
    for name in earlier:
        torch.testing.assert_close(later[name], earlier[name], rtol=0, atol=1e-6)


def test_a_run_takes_the_parts_that_it_lacks_from_that_run(run: Path, tmp_path: Path):
    config, own = run.parent / "toy.toml", tmp_path / "own"
    call(baseline, config, "--run", str(own), "--start-from", str(run), "--steps", "2")
    assert not (own / "autoencoder").exists()
    call(calm, config, "--run", str(own), "--start-from", str(run), "--steps", "2")
    for part in ("tokenizer", "shards", "autoencoder"):
        assert (own / part).resolve() == (run / part).resolve()
    assert (own / "checkpoint" / "model.safetensors").exists()


def test_parts_that_a_run_has_are_its_own(run: Path, tmp_path: Path):
    shutil.copytree(run / "tokenizer", tmp_path / "tokenizer")
    call(baseline, run.parent / "toy.toml", "--run", str(tmp_path), "--start-from", str(run), "--steps", "2")
    assert not (tmp_path / "tokenizer").is_symlink()
    assert (tmp_path / "shards").is_symlink()


def test_what_both_runs_spent_counts(run: Path, fresh_run: Path):
    config = run.parent / "toy.toml"
    call(calm, config, "--run", str(fresh_run), "--start-from", str(run), "--steps", "3")
    before, after = facts_of(run / "checkpoint"), facts_of(fresh_run / "checkpoint")
    assert after["steps"] == before["steps"] + 3
    assert after["tokens"] == before["tokens"] + 3 * 2 * 16 * 2
    assert before["flops"] < after["flops"] < 2 * before["flops"]
    assert after["seconds"] >= before["seconds"]


def test_a_killed_run_goes_on_from_its_own_state(run: Path, fresh_run: Path):
    arguments = ("--run", str(fresh_run), "--start-from", str(run), "--steps", "3")
    call(baseline, run.parent / "toy.toml", *arguments)
    weights = fresh_run / "baseline" / "model.safetensors"
    before = weights.read_bytes()
    call(baseline, run.parent / "toy.toml", *arguments)
    assert weights.read_bytes() == before


@pytest.mark.parametrize(
    ("start", "override", "sentence"),
    [
        ("nowhere", (), r"start_from: nowhere/training/calm holds no state.pt; name the folder of a run"),
        ("", ("--hidden-size", "64"), r"start_from: .* was trained with hidden_size = 32, now it is 64"),
        ("", ("--num-mlp-layers", "0"), r"that run trained a model of another shape; give this one its shape"),
        ("", ("--patch-size", "4"), r"was trained with another|packs 2 tokens into a latent"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(run: Path, fresh_run: Path, start: str, override, sentence: str):
    arguments = ("--run", str(fresh_run), "--start-from", start or str(run), "--steps", "2", *override)
    with pytest.raises(SystemExit, match=sentence):
        call(calm, run.parent / "toy.toml", *arguments)


def test_weights_made_for_another_autoencoder_are_refused(run: Path, tmp_path: Path, fresh_run: Path):
    state = torch.load(run / "training" / "calm" / "state.pt", weights_only=True)
    state["identity"]["autoencoder"] = "another"
    folder = tmp_path / "earlier" / "training" / "calm"
    folder.mkdir(parents=True)
    torch.save(state, folder / "state.pt")
    with pytest.raises(SystemExit, match=r"was trained with autoencoder = another, now it is"):
        call(calm, run.parent / "toy.toml", "--run", str(fresh_run), "--start-from", str(tmp_path / "earlier"))
