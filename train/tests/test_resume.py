"""A killed run goes on as if nothing had happened, and with nothing but what it was started with."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from toy import Killed, call, kill_at, state_of, stories

from calm_train import calm, pack
from calm_train.data import Shard
from calm_train.precision import PRECISIONS, precision_name, precision_of
from calm_train.vocabulary import Vocabulary

STEPS = ("--steps", "30", "--dropout", "0.1", "--log-steps", "1")


@pytest.mark.parametrize("kill", [7, 23])
def test_a_killed_run_ends_with_the_same_weights(run: Path, tmp_path: Path, monkeypatch, kill: int):
    config = run.parent / "toy.toml"
    whole, killed = own_run(run, tmp_path / "whole"), own_run(run, tmp_path / "killed")
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
    assert_same_end(killed, whole)
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 31))


def test_a_process_that_is_killed_after_its_last_checkpoint_loses_nothing(run: Path, tmp_path: Path, monkeypatch):
    """SIGKILL from outside at step 15 or later, where the last checkpoint is of step 10."""
    # The precision is given, since two processes might measure another one to be faster.
    steps = ("--steps", "60", "--dropout", "0.1", "--log-steps", "1", "--precision", "float32")
    config = run.parent / "toy.toml"
    whole, killed = own_run(run, tmp_path / "whole"), own_run(run, tmp_path / "killed")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at(patch, 10)
        call(calm, config, "--run", str(killed), *steps, "--checkpoint-minutes", "0")
    command = [sys.executable, "-m", "calm_train.calm", "--config", str(config), "--run", str(killed), *steps]
    metrics = killed / "training" / "calm" / "metrics.jsonl"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while steps_in(metrics) < 15:
            assert process.poll() is None, "the training ended before it could be killed"
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert (state_of(killed)["step"], steps_in(metrics) < 60) == (10, True)
    for folder in (killed, whole):
        call(calm, config, "--run", str(folder), *steps)
    assert_same_end(killed, whole)


def own_run(run: Path, folder: Path) -> Path:
    folder.mkdir()
    for part in ("tokenizer", "shards", "autoencoder"):
        (folder / part).symlink_to(run / part)
    return folder


def steps_in(metrics: Path) -> int:
    """The last step of which a whole line tells."""
    lines = [line for line in metrics.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return json.loads(lines[-1])["step"]


def assert_same_end(run: Path, other: Path) -> None:
    expected, got = state_of(other), state_of(run)
    assert got["step"] == expected["step"]
    for kind in ("model", "average"):
        assert all(torch.equal(a, b) for a, b in zip(got[kind], expected[kind], strict=True))
    assert got["data"] == expected["data"]
    weights = (folder / "checkpoint" / "model.safetensors" for folder in (run, other))
    assert len({path.read_bytes() for path in weights}) == 1


def test_rows_of_a_run_that_never_saved_are_dropped(run: Path, fresh_run: Path):
    metrics = fresh_run / "training" / "calm" / "metrics.jsonl"
    metrics.parent.mkdir(parents=True)
    metrics.write_text('{"step": 7, "loss": 9.0}\n{"step": 8, "lo')
    call(calm, run.parent / "toy.toml", "--run", str(fresh_run), "--steps", "3", "--log-steps", "1")
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3]


@pytest.mark.parametrize(
    ("fingerprints", "sentence"),
    [
        (True, r"was started on other text of the source more: pack what it had"),
        (False, r"shards/more has 5 documents, fewer than when the run was saved"),
    ],
)
def test_resuming_over_other_text_is_refused(run: Path, fresh_run: Path, fingerprints: bool, sentence: str):
    config, arguments = run.parent / "toy.toml", ("--run", str(fresh_run), "--steps", "3")
    (fresh_run / "shards").unlink()
    call(pack, config, "--run", str(fresh_run))
    call(calm, config, *arguments)
    if not fingerprints:
        # A state from before they were saved.
        state = state_of(fresh_run)
        del state["identity"]["text"]
        torch.save(state, fresh_run / "training" / "calm" / "state.pt")
    pack.pack(stories()[:5], Vocabulary.load(run / "tokenizer"), fresh_run / "shards" / "more")
    with pytest.raises(SystemExit, match=sentence):
        call(calm, config, *arguments)


def test_the_same_number_of_other_tokens_is_other_text(run: Path, tmp_path: Path):
    vocabulary = Vocabulary.load(run / "tokenizer")

    def fingerprint(documents: list[str]) -> str:
        pack.pack(documents, vocabulary, tmp_path / "shard")
        return Shard(tmp_path / "shard").fingerprint()

    assert fingerprint(["ab", "c"]) == fingerprint(["ab", "c"])
    assert len({fingerprint(documents) for documents in (["ab", "c"], ["ac", "b"], ["a", "bc"])}) == 3


def test_resuming_with_another_configuration_is_refused(run: Path, fresh_run: Path):
    config = run.parent / "toy.toml"
    call(calm, config, "--run", str(fresh_run), "--steps", "3")
    with pytest.raises(SystemExit, match=r"was started with learning_rate = 0.001, now it is 0.01: give the old value"):
        call(calm, config, "--run", str(fresh_run), "--steps", "3", "--learning-rate", "0.01")
    call(calm, config, "--run", str(fresh_run), "--steps", "3", "--log-steps", "1", "--minutes", "9")


def test_resuming_in_another_arithmetic_is_refused_even_where_the_machine_would_choose_it(run: Path, fresh_run: Path):
    config = run.parent / "toy.toml"
    call(calm, config, "--run", str(fresh_run), "--steps", "3")
    chosen = precision_name(precision_of("cpu", "auto"))
    other = next(name for name in PRECISIONS if name != chosen)
    call(calm, config, "--run", str(fresh_run), "--steps", "3", "--precision", chosen)
    with pytest.raises(SystemExit, match=f"was started with precision = {chosen}, now it is {other}"):
        call(calm, config, "--run", str(fresh_run), "--steps", "3", "--precision", other)


def test_a_broken_checkpoint_is_never_loaded(run: Path, fresh_run: Path):
    folder = fresh_run / "training" / "calm"
    folder.mkdir(parents=True)
    (folder / "state.pt").write_bytes(b"half a file")
    with pytest.raises(SystemExit, match="state.pt cannot be read"):
        call(calm, run.parent / "toy.toml", "--run", str(fresh_run), "--steps", "3")
