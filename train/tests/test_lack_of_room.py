"""A full disk, too little memory and a NaN end with a sentence and leave the last good checkpoint."""

import errno
import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from toy import Killed, call, kill_at, state_of

from calm_train import baseline, calm, card, checkpoint, files, golden, loop, plot
from calm_train.curves import read_metrics
from calm_train.data import Mixture

STEPS = ("--steps", "30", "--dropout", "0.1", "--log-steps", "1")
EACH_STEP = ("--checkpoint-minutes", "0")


@contextmanager
def room_for(num_bytes: int) -> Iterator[None]:
    """Files cannot grow beyond so many bytes: the disk takes a part of a write, as a full one does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_last_checkpoint(run: Path, fresh_run: Path, monkeypatch: pytest.MonkeyPatch):
    config = run.parent / "toy.toml"
    with monkeypatch.context() as patch:
        kill_at(patch, 5)
        with pytest.raises(Killed):
            call(calm, config, "--run", str(fresh_run), *STEPS, *EACH_STEP)
    folder = fresh_run / "training" / "calm"
    (folder / "state.pt.tmp").symlink_to("/dev/full")
    with pytest.raises(
        SystemExit,
        match=r"could not write .*state.pt \(.*\); the one before it is untouched; the checkpoint of step 5 is kept",
    ):
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
            SystemExit, match=r"model.safetensors \(.*No space left.*\); .*; the checkpoint of step 6 is kept"
        ):
            call(calm, config, "--run", str(fresh_run), *STEPS, *EACH_STEP)
    assert weights.read_bytes() == before
    call(calm, config, "--run", str(fresh_run), *STEPS)
    assert state_of(fresh_run)["step"] == 30
    assert not list(fresh_run.glob("**/*.tmp"))


def test_metrics_that_do_not_fit_end_the_run_and_leave_whole_lines(run: Path, fresh_run: Path, monkeypatch):
    config, metrics = run.parent / "toy.toml", fresh_run / "training" / "calm" / "metrics.jsonl"

    def full_at_step_5(path: Path, line: str) -> None:
        with room_for(path.stat().st_size + 20 if '"step": 5,' in line else 1 << 30):
            files.append_line(path, line)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "append_line", full_at_step_5)
        with pytest.raises(
            SystemExit,
            match=r"could not write .*metrics.jsonl \(.*File too large\); the lines before it are untouched; "
            "the checkpoint of step 4 is kept",
        ):
            call(calm, config, "--run", str(fresh_run), *STEPS, *EACH_STEP)
    assert [row["step"] for row in read_metrics(metrics)] == [1, 2, 3, 4]
    assert metrics.read_text().endswith("}\n")
    call(calm, config, "--run", str(fresh_run), *STEPS)
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 31))


def test_a_device_without_room_for_a_line():
    with pytest.raises(SystemExit, match=r"could not write /dev/full \(.*No space left on device\)"):
        files.append_line(Path("/dev/full"), "{}")


def test_half_a_last_line_is_not_plotted(tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "flops": 2, "loss": 3}\n{"step": 2, "fl')
    assert [row["step"] for row in read_metrics(tmp_path)] == [1]


@pytest.mark.parametrize(("command", "name"), [(golden, "golden.safetensors"), (card, "card.json")])
def test_what_is_recorded_of_a_finished_run(run: Path, tmp_path: Path, monkeypatch, command, name: str):
    for part in ("shards", "tokenizer", "autoencoder", "checkpoint"):
        (tmp_path / part).symlink_to(run / part)
    (tmp_path / name).write_text("the one before")
    monkeypatch.setattr(card, "measure", lambda config: {})
    monkeypatch.setattr(card, "render", lambda figures: "")
    with room_for(1), pytest.raises(SystemExit, match=rf"could not write .*{name} \(.*\); the one before it is unt"):
        call(command, run.parent / "toy.toml", "--run", str(tmp_path))
    assert (tmp_path / name).read_text() == "the one before"


def test_a_picture_and_a_folder_that_cannot_be_written(run: Path, tmp_path: Path):
    metrics = {"a": run / "training" / "calm"}
    with room_for(100), pytest.raises(SystemExit, match=r"could not write .*x.png \(.*\); nothing was left behind"):
        plot.plot_training(metrics, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"could not write .*file/inside \(.*Not a directory"):
        plot.plot_training(metrics, tmp_path / "file" / "inside" / "x.png")


def failing(own: Callable, error: Exception, after: int = 0) -> Callable:
    """`own`, which raises the error from the call with that number on."""
    calls = iter(range(1_000))

    def fail(*args, **kwargs):
        if next(calls) >= after:
            raise error
        return own(*args, **kwargs)

    return fail


CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize(
    ("owner", "name", "error", "after", "sentence"),
    [
        (Mixture, "rows", CUDA, 4, "out of memory at step 4: lower rows .*; the checkpoint of step 4 is kept"),
        (Mixture, "rows", CPU, 0, "out of memory at step 0: lower rows .*; no checkpoint was written yet"),
        # The first step allocates AdamW's moments.
        (torch.optim.AdamW, "step", CUDA, 0, "out of memory at step 0: lower rows .*; no checkpoint was written yet"),
        (torch.optim.AdamW, "step", MemoryError(), 3, "out of memory at step 3: .*the checkpoint of step 3 is kept"),
        (calm, "held_out_energy", CUDA, 0, "out of memory while evaluating at step 30: .*the checkpoint of step 30 is"),
        (
            calm,
            "checkpoint_config",
            CPU,
            2,
            "out of memory while saving at step 3: .*; the checkpoint of step 3 is kept",
        ),
        (loop, "write_state", CPU, 2, "out of memory while saving at step 3: .*; the checkpoint of step 2 is kept"),
        (calm, "load_autoencoder", CUDA, 0, "^out of memory: end other programs"),
    ],
)
def test_too_little_memory(run: Path, fresh_run: Path, monkeypatch, owner, name: str, error, after: int, sentence: str):
    monkeypatch.setattr(owner, name, failing(getattr(owner, name), error, after))
    with pytest.raises(SystemExit, match=sentence):
        call(calm, run.parent / "toy.toml", "--run", str(fresh_run), *STEPS, *EACH_STEP)


def test_other_errors_are_not_taken_for_a_lack_of_memory(run: Path, fresh_run: Path, monkeypatch):
    monkeypatch.setattr(Mixture, "rows", failing(Mixture.rows, RuntimeError("a mistake in the model")))
    with pytest.raises(RuntimeError, match="a mistake in the model"):
        call(calm, run.parent / "toy.toml", "--run", str(fresh_run), *STEPS)


def test_divergence(run: Path, fresh_run: Path):
    with pytest.raises(SystemExit, match=r"training diverged: the gradient is (nan|inf) at step .*; no checkpoint was"):
        call(baseline, run.parent / "toy.toml", "--run", str(fresh_run), "--learning-rate", "1e30", "--steps", "30")
