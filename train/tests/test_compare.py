"""A comparison of small runs: equal FLOPs, shared autoencoders, and a table that grows with every run."""

import json
import sys
from pathlib import Path

import pytest
from toy import CONFIG, call

from calm_train import compare, evaluate
from calm_train.markdown import seeds_table

ENTRIES = """
[evaluate]
documents = 12
[[compare]]
name = "tokens"
model = "baseline"
keys = { "baseline.flops" = 8e8, "baseline.block_tokens" = 32 }
[[compare]]
name = "energy"
model = "calm"
autoencoder = "k2"
keys = { "calm.flops" = 8e8, "autoencoder.flops" = 2e8 }
[[compare]]
name = "flow"
model = "calm"
autoencoder = "k2"
keys = { "calm.flops" = 8e8, "autoencoder.flops" = 2e8, "calm.head" = "flow", "calm.head_steps" = 2 }
"""


@pytest.fixture
def config(run: Path, tmp_path: Path) -> Path:
    for part in ("tokenizer", "shards"):
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / part).symlink_to(run / part)
    for name in ("stories.txt", "more.jsonl"):
        (tmp_path / name).symlink_to(run.parent / name)
    path = tmp_path / "compare.toml"
    path.write_text(CONFIG.format(folder=tmp_path) + ENTRIES)
    return path


def run_compare(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    compare.main()


def test_all_runs_spend_the_same_and_are_told_apart(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    run_compare(monkeypatch, "--config", str(config), "--only", "energy")
    results = config.parent / "run" / "results.json"
    (first,) = json.loads(results.read_text())
    run_compare(monkeypatch, "--config", str(config))
    by_name = {result["name"]: result for result in json.loads(results.read_text())}
    assert set(by_name) == {"tokens", "energy", "flow"}
    assert by_name["energy"] == first
    for result in by_name.values():
        assert result["training_flops"] == pytest.approx(8e8, rel=0.05)
        assert result["positions"] == first["positions"] > 0
        assert result["sample_ms"] > 0
        rows = [json.loads(line) for line in (results.parent / result["metrics"]).read_text().splitlines()]
        assert rows[-1]["flops"] == result["training_flops"]
    assert f"| tokens | 1 | {by_name['tokens']['training_flops']:.3g} |" in capsys.readouterr().out
    run_compare(monkeypatch, "--config", str(config), "--only", "energy")
    assert "| tokens | 1 |" in capsys.readouterr().out, "the table holds all that is done, not only what was asked for"
    # Two midpoint steps evaluate the flow head four times, the decoder once.
    assert by_name["flow"]["sample_flops"] > by_name["energy"]["sample_flops"]
    assert by_name["tokens"]["patch_size"] == 1
    assert (config.parent / "run" / "flow" / "autoencoder").resolve() == (
        config.parent / "run" / "energy" / "autoencoder"
    ).resolve()


def test_seeds_train_everything_once_each(config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    run_compare(monkeypatch, "--config", str(config), "--only", "flow", "--seeds", "1")  # which seed 2 never has
    arguments = ("--config", str(config), "--only", "tokens", "energy", "--seeds", "1", "2")
    run_compare(monkeypatch, *arguments)
    table = capsys.readouterr().out.splitlines()[-2:]
    files = [config.parent / "run" / f"seed-{seed}" / "results.json" for seed in (1, 2)]
    scores = [{r["name"]: r["brier_lm"] for r in json.loads(file.read_text())} for file in files]
    for line, name, chunk in zip(table, ("tokens", "energy"), (1, 2), strict=True):
        each = ", ".join(f"{score[name]:.2f}" for score in scores)
        assert line.startswith(f"| {name} | {chunk} | {each} | {sum(s[name] for s in scores) / 2:.2f} ± ")
    metrics = [file.parent / "tokens" / "training" / "baseline" / "metrics.jsonl" for file in files]
    losses = [[json.loads(line).get("loss") for line in file.read_text().splitlines()] for file in metrics]
    assert losses[0] != losses[1]
    before = [file.read_bytes() for file in files]
    run_compare(monkeypatch, *arguments)
    assert [file.read_bytes() for file in files] == before


def test_the_table_of_seeds_holds_means_and_their_errors():
    runs = [{"name": "a", "patch_size": 2, "brier_lm": score, "brier": [score, 1.0]} for score in (2.0, 4.0)]
    assert seeds_table({"a": runs}).splitlines()[-1] == "| a | 2 | 2.00, 4.00 | 3.00 ± 1.00 | 3.00, 1.00 |"


def test_evaluate_scores_calm_and_baseline_at_the_same_places(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    call(evaluate, run.parent / "toy.toml", "--documents", "10")
    figures = json.loads(capsys.readouterr().out)
    assert figures["calm"]["positions"] == figures["baseline"]["positions"] > 20
    assert {"energy", "brier_lm", "standard_error"} <= set(figures["calm"])
    assert 0 < figures["baseline"]["cross_entropy"] < 6
    text = tmp_path / "own.txt"
    text.write_text("There was a cat who had fun all day.\n<|endoftext|>\nA dog met a big cat who was kind and sad.")
    call(evaluate, run.parent / "toy.toml", "--text", f'["{text}"]')
    assert json.loads(capsys.readouterr().out)["calm"]["documents"] == 2
    text.write_text("Short.")
    with pytest.raises(SystemExit, match="an error needs two or more"):
        call(evaluate, run.parent / "toy.toml", "--text", f'["{text}"]')
