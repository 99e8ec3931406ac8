"""A killed run goes on as if nothing had happened; a full disk, a NaN and too little memory end with a sentence."""

import errno
import json
from pathlib import Path

import pytest
import torch
from toy import call

from calm_train import baseline, calm, checkpoint
from calm_train.data import Mixture
from calm_train.loop import Loop

STEPS = ("--steps", "30", "--dropout", "0.1", "--log-steps", "1")
EACH_STEP = ("--checkpoint-minutes", "0")


class Killed(BaseException):
    pass


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    own = Loop._step

    def killed(loop: Loop):
        if loop.step == step:
            raise Killed
        return own(loop)

    monkeypatch.setattr(Loop, "_step", killed)


def state_of(run: Path, name: str = "calm") -> dict:
    return torch.load(run / "training" / name / "state.pt", weights_only=True)


@pytest.mark.parametrize("kill", [7, 23])
def test_a_killed_run_ends_with_the_same_weights(run: Path, tmp_path: Path, monkeypatch, kill: int):
    config = run.parent / "toy.toml"
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        for part in ("tokenizer", "shards", "autoencoder"):
            (tmp_path / name / part).symlink_to(run / part)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    call(calm, config, "--run", str(whole), *STEPS)
    with monkeypatch.context() as patch:
        kill_at(patch, kill)
        with pytest.raises(Killed):
            # The first part also evaluates more often: that must not matter.
            call(calm, config, "--run", str(killed), *STEPS, "--checkpoint-minutes", "0", "--evaluate-minutes", "0.005")
    # Rows that a kill left behind the last checkpoint are written again, not twice.
    metrics = killed / "training" / "calm" / "metrics.jsonl"
    with metrics.open("a") as file:
        file.write(json.dumps({"step": kill + 1, "seconds": 1}) + '\n{"step": ')
    call(calm, config, "--run", str(killed), *STEPS)
    expected, got = state_of(whole), state_of(killed)
    assert got["step"] == expected["step"] == 30
    for kind in ("model", "average"):
        assert all(torch.equal(a, b) for a, b in zip(got[kind], expected[kind], strict=True))
    assert got["data"] == expected["data"]
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 31))
    assert (killed / "checkpoint" / "model.safetensors").read_bytes() == (
        whole / "checkpoint" / "model.safetensors"
    ).read_bytes()


def test_resuming_with_another_configuration_is_refused(run: Path, fresh_run: Path):
    config = run.parent / "toy.toml"
    call(calm, config, "--run", str(fresh_run), "--steps", "3")
    with pytest.raises(SystemExit, match=r"was started with learning_rate = 0.001, now it is 0.01: give the old value"):
        call(calm, config, "--run", str(fresh_run), "--steps", "3", "--learning-rate", "0.01")
    call(calm, config, "--run", str(fresh_run), "--steps", "3", "--log-steps", "1", "--minutes", "9")


def test_a_full_disk_leaves_the_last_checkpoint(run: Path, fresh_run: Path, monkeypatch: pytest.MonkeyPatch):
    config = run.parent / "toy.toml"
    with monkeypatch.context() as patch:
        kill_at(patch, 5)
        with pytest.raises(Killed):
            call(calm, config, "--run", str(fresh_run), *STEPS, *EACH_STEP)
    folder = fresh_run / "training" / "calm"
    (folder / "state.pt.tmp").symlink_to("/dev/full")
    with pytest.raises(SystemExit, match=r"could not write .*state.pt \(.*\); the one before it is untouched"):
        call(calm, config, "--run", str(fresh_run), *STEPS, *EACH_STEP)
    assert state_of(fresh_run)["step"] == 5
    weights = fresh_run / "checkpoint" / "model.safetensors"
    before = weights.read_bytes()

    def full(values: dict, path: Path, metadata: dict) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        with pytest.raises(
            SystemExit, match=r"model.safetensors \(.*No space left.*\); the one before it is untouched"
        ):
            call(calm, config, "--run", str(fresh_run), *STEPS, *EACH_STEP)
    assert weights.read_bytes() == before
    call(calm, config, "--run", str(fresh_run), *STEPS)
    assert state_of(fresh_run)["step"] == 30
    assert not list(fresh_run.glob("**/*.tmp"))


def test_a_broken_checkpoint_is_never_loaded(run: Path, fresh_run: Path):
    folder = fresh_run / "training" / "calm"
    folder.mkdir(parents=True)
    (folder / "state.pt").write_bytes(b"half a file")
    with pytest.raises(SystemExit, match="state.pt cannot be read"):
        call(calm, run.parent / "toy.toml", "--run", str(fresh_run), "--steps", "3")


def test_divergence_and_lack_of_memory_end_with_a_sentence(run: Path, fresh_run: Path, monkeypatch):
    config, rows = run.parent / "toy.toml", Mixture.rows
    arguments = ("--run", str(fresh_run), *STEPS, *EACH_STEP)

    def failing(error: Exception, after: int):
        calls = iter(range(1_000))

        def take(*args):
            if next(calls) >= after:
                raise error
            return rows(*args)

        return take

    with monkeypatch.context() as patch:
        patch.setattr(Mixture, "rows", failing(torch.OutOfMemoryError("CUDA out of memory"), after=4))
        with pytest.raises(
            SystemExit, match=r"out of memory at step 4: lower rows .*; the checkpoint of step 4 is kept"
        ):
            call(calm, config, *arguments)
    with monkeypatch.context() as patch:
        patch.setattr(Mixture, "rows", failing(RuntimeError("DefaultCPUAllocator: can't allocate memory"), after=0))
        with pytest.raises(SystemExit, match="out of memory at step 4"):
            call(calm, config, *arguments)
    with pytest.raises(SystemExit, match=r"training diverged: the gradient is (nan|inf) at step .*; no checkpoint was"):
        call(baseline, config, "--run", str(fresh_run), "--learning-rate", "1e30", "--steps", "30")
