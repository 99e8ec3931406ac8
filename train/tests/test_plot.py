import json
import sys
from pathlib import Path

import pytest

from calm_train import plot
from calm_train.curves import read_metrics, series, without_repeats

PNG = b"\x89PNG\r\n\x1a\n"


def call_plot(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["plot", *arguments])
    plot.main()


@pytest.mark.parametrize("what", ["brier", "training"])
def test_draws_calm_and_baseline_together(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str):
    runs = [f"CALM, K = 2={run / 'training' / 'calm'}", f"tokens={run / 'training' / 'baseline' / 'metrics.jsonl'}"]
    call_plot(monkeypatch, what, *runs, "--out", str(tmp_path / "deep" / "x.png"))
    picture = (tmp_path / "deep" / "x.png").read_bytes()
    assert picture.startswith(PNG)
    assert len(picture) < 150_000


def test_metrics_without_flops_get_them_from_the_checkpoint(run: Path, tmp_path: Path):
    rows = read_metrics(run / "training" / "calm")
    old = tmp_path / "training" / "calm"
    old.mkdir(parents=True)
    for part in ("checkpoint", "autoencoder"):
        (tmp_path / part).symlink_to(run / part)
    stripped = [{k: v for k, v in row.items() if k not in ("flops", "tokens")} for row in rows]
    (old / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in stripped))
    for got, expected in zip(read_metrics(old), rows, strict=True):
        assert got["flops"] == pytest.approx(expected["flops"])
        assert got["tokens"] == expected["tokens"]


def test_series_leave_out_rows_without_the_figure():
    rows = [{"flops": 1.0, "loss": 3.0}, {"flops": 2.0, "brier_lm": 0.5, "brier_lm_error": 0.1}]
    line = series("a", rows, "brier_lm", error="brier_lm_error")
    assert line is not None
    assert (line.x, line.y, line.error) == ([2.0], [0.5], [0.1])
    assert series("a", rows, "energy") is None


def test_what_a_resumed_run_did_again_counts_once():
    rows = [{"step": step, "loss": loss} for step, loss in [(1, 1.0), (2, 2.0), (3, 3.0), (2, 2.5), (4, 4.0)]]
    assert [(row["step"], row["loss"]) for row in without_repeats(rows)] == [(1, 1.0), (2, 2.0), (2, 2.5), (4, 4.0)]


def test_draws_a_comparison(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def result(name: str, head: str, patch_size: int) -> dict:
        metrics = str(run / "training" / ("baseline" if head == "softmax" else "calm") / "metrics.jsonl")
        figures = {"brier_lm": 2.0, "standard_error": 0.2, "flops_per_token": 1e6 / patch_size, "sample_ms": 1.0}
        return {"name": name, "head": head, "patch_size": patch_size, "metrics": metrics} | figures

    results = [result("t", "softmax", 1), result("a", "energy", 2), result("b", "energy", 4), result("c", "flow", 2)]
    (tmp_path / "results.json").write_text(json.dumps(results))
    call_plot(monkeypatch, "compare", str(tmp_path / "results.json"), "--out", str(tmp_path))
    for name in ("chunk-size.png", "heads.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["brier", "no-label"], "runs are given as LABEL=path, not 'no-label'"),
        (["training", "a=/nowhere"], "cannot read the metrics"),
        (["compare", "/nowhere.json"], "cannot read the results"),
    ],
)
def test_mistakes_end_with_a_sentence(monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str):
    with pytest.raises(SystemExit, match=sentence):
        call_plot(monkeypatch, *arguments, "--out", "x.png")
