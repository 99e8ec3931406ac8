"""`python -m calm_train.plot <what> --out picture.png LABEL=run/training/calm ...`: curves of any runs as PNG.

brier     BrierLM over training FLOPs, CALM and token models on one axis
training  loss and held-out figures of each run over tokens
compare   from results.json of calm_train.compare: chunk sizes and heads, score against cost; of several seeds, means
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calm_train.curves import Series, read_metrics, series
from calm_train.files import make_folder, replace_file
from calm_train.seeds import mean_results, mean_series

# Held-out figures that are worth a panel, with the names of their axes.
HELD_OUT = {"held_out_energy": "held-out energy", "held_out_cross_entropy": "held-out cross-entropy (nats a token)"}


def draw_series(
    axes: Axes,
    lines: list[Series],
    x_label: str,
    y_label: str,
    *,
    markers: bool = True,
    labels: list[str] | None = None,
) -> None:
    """`labels` are those of the whole figure, so that a run has one colour in all panels."""
    order = labels or [line.label for line in lines]
    for line in lines:
        style: dict[str, Any] = {"marker": "o", "markersize": 3} if markers else {"linewidth": 0.8}
        style["color"] = f"C{order.index(line.label)}"
        if any(line.error):
            axes.errorbar(line.x, line.y, yerr=line.error, label=line.label, capsize=2, **style)
        else:
            axes.plot(line.x, line.y, label=line.label, **style)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def save(figure: Figure, path: Path) -> None:
    make_folder(path.parent)
    figure.tight_layout()
    replace_file(path, partial(figure.savefig, dpi=110, format="png"))
    pyplot.close(figure)
    print(path)


def plot_brier(runs: dict[str, Path], out: Path) -> None:
    found = [series(label, read_metrics(path), "brier_lm", error="brier_lm_error") for label, path in runs.items()]
    lines = [line for line in found if line is not None]
    if not lines:
        raise SystemExit("none of these runs has measured BrierLM yet")
    figure, axes = pyplot.subplots(figsize=(7, 4.2))
    draw_series(axes, lines, "training FLOPs", "BrierLM on held-out text")
    axes.set_ylim(bottom=0)
    save(figure, out)


def plot_training(runs: dict[str, Path], out: Path) -> None:
    metrics = {label: read_metrics(path) for label, path in runs.items()}
    panels = {"loss": "training loss", **HELD_OUT}
    found = {
        name: [line for label, rows in metrics.items() if (line := series(label, rows, name, x="tokens"))]
        for name in panels
    }
    shown = {name: lines for name, lines in found.items() if lines}
    figure, grid = pyplot.subplots(1, len(shown), figsize=(5 * len(shown), 3.8), squeeze=False)
    for axes, (name, lines) in zip(grid[0], shown.items(), strict=True):
        draw_series(axes, lines, "tokens seen", panels[name], markers=name != "loss", labels=list(metrics))
    save(figure, out)


def plot_compare(results: list[dict[str, Any]], folder: Path) -> None:
    """chunk-size.png: energy heads of different K and the token model; heads.png: the heads at the K they share."""
    sizes = [r for r in results if r["head"] == "energy"]
    tokens = [r for r in results if r["head"] == "softmax"]
    shared = {r["patch_size"] for r in results if r["head"] not in ("energy", "softmax")}
    heads = [r for r in results if r["patch_size"] in shared and r["head"] != "softmax"]
    ordered = [*tokens, *sorted(sizes, key=lambda r: r["patch_size"])]
    labels = {r["name"]: size_label(r, sizes) for r in ordered}
    _compare_figure(ordered, labels, "flops_per_token", "FLOPs a generated token, one draw", folder / "chunk-size.png")
    if heads:
        named = {r["name"]: f"{r['head']}, K = {r['patch_size']}" for r in heads}
        _compare_figure(heads, named, "sample_ms", "ms a draw (head and decoder)", folder / "heads.png")


def size_label(result: dict[str, Any], sizes: list[dict[str, Any]]) -> str:
    """Of a run in the figure of chunk sizes; a second run of the same K goes by its name."""
    if result["head"] == "softmax":
        return "tokens"
    first = next(r for r in sizes if r["patch_size"] == result["patch_size"])
    return f"K = {result['patch_size']}" if first is result else result["name"]


def _compare_figure(
    results: list[dict[str, Any]], labels: dict[str, str], cost: str, cost_label: str, out: Path
) -> None:
    """Left the curves over training FLOPs, right the final score against its cost."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    lines = [line for r in results if (line := _score_line(labels[r["name"]], r["metrics"]))]
    draw_series(left, lines, "training FLOPs", "BrierLM in training")
    for result in results:
        right.errorbar(
            result[cost], result["brier_lm"], yerr=result["standard_error"], marker="o", label=labels[result["name"]]
        )
    right.set_xscale("log")
    right.set_xlabel(cost_label)
    right.set_ylabel("BrierLM at the end, same places of the text")
    right.grid(alpha=0.3)
    right.legend(fontsize=8)
    save(figure, out)


def _score_line(label: str, metrics: list[Path]) -> Series | None:
    """BrierLM over the FLOPs of one run from each seed, as one line; None where a run has not measured it."""
    lines = [series(label, read_metrics(path), "brier_lm", error="brier_lm_error") for path in metrics]
    known = [line for line in lines if line]
    return mean_series(known) if len(known) == len(lines) else None


def read_results(path: Path) -> list[dict[str, Any]]:
    """The results of a comparison, each with the path of its metrics, which the file names from its own folder."""
    try:
        results = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot read the results {path}: {error}") from None
    return [result | {"metrics": path.parent / result["metrics"]} for result in results]


def named_runs(items: list[str]) -> dict[str, Path]:
    if not items:
        raise SystemExit("name at least one run as LABEL=path")
    # A label may hold an equals sign (K = 2); a path seldom does.
    pairs = [item.rpartition("=") for item in items]
    for label, equals, path in pairs:
        if not (label and equals and path):
            raise SystemExit(f"runs are given as LABEL=path, not {label + equals + path!r}")
    return {label.strip(): Path(path) for label, _, path in pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["brier", "training", "compare"])
    parser.add_argument("runs", nargs="+", help="LABEL=metrics.jsonl or its folder; for compare: a results.json a seed")
    parser.add_argument("--out", type=Path, required=True, help="the PNG; for compare: a folder")
    arguments = parser.parse_args()
    if arguments.what == "compare":
        plot_compare(mean_results([read_results(Path(path)) for path in arguments.runs]), arguments.out)
    else:
        plot = plot_brier if arguments.what == "brier" else plot_training
        plot(named_runs(arguments.runs), arguments.out)


if __name__ == "__main__":
    main()
