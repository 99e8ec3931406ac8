import json
import sys
from pathlib import Path

import pytest

from calm_train import plot
from calm_train.curves import Series, read_metrics, series, without_repeats
from calm_train.seeds import mean_series, runs_by_name

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


def test_draws_the_means_of_several_seeds(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    metrics = str(run / "training" / "calm" / "metrics.jsonl")
    files = []
    for seed, score in enumerate((2.0, 4.0)):
        same = {"head": "energy", "metrics": metrics, "standard_error": 0.2, "flops_per_token": 1e6, "sample_ms": 1.0}
        results = [{"name": name, "patch_size": 8, "brier_lm": score} | same for name in ("k8", "k8-longer")]
        files.append(tmp_path / f"{seed}.json")
        files[-1].write_text(json.dumps(results))
    drawn = []
    monkeypatch.setattr(plot, "_compare_figure", lambda results, labels, *rest: drawn.append((results, labels)))
    call_plot(monkeypatch, "compare", *map(str, files), "--out", str(tmp_path))
    ((results, labels),) = drawn
    assert [(r["brier_lm"], round(r["standard_error"], 6)) for r in results] == [(3.0, 1.0), (3.0, 1.0)]
    assert labels == {"k8": "K = 8", "k8-longer": "k8-longer"}


def test_the_mean_of_curves_is_where_all_have_a_point():
    first, second = Series("a", [1.0, 2.0, 3.0], [1, 2, 3], [0.1] * 3), Series("a", [1.0, 3.0], [3, 5], [0.1] * 2)
    mean = mean_series([first, second])
    assert (mean.x, mean.y) == ([1.0, 3.0], [2, 4])
    assert mean.error == pytest.approx([1, 1])
    assert mean_series([first]) is first


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


def test_seeds_that_hold_different_runs_are_not_averaged():
    with pytest.raises(SystemExit, match=r"comparison 2 and the first do not hold the same runs: b in one only"):
        runs_by_name([[{"name": "a"}, {"name": "b"}], [{"name": "a"}]])
