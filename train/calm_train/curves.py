"""Metrics of runs as series for plots."""

import json
from dataclasses import dataclass
from pathlib import Path

from calm_train.checkpoint import read_config


@dataclass(frozen=True)
class Series:
    """One figure over training: `x` ascends."""

    label: str
    x: list[float]
    y: list[float]
    error: list[float]


def read_metrics(path: Path) -> list[dict[str, float]]:
    """`path` is a metrics.jsonl or the folder that holds it. Rows from before FLOPs were written get them from the
    finished checkpoint of the same run. Half a last line, which a kill leaves, is not read."""
    file = path / "metrics.jsonl" if path.is_dir() else path
    try:
        lines = file.read_text().splitlines(keepends=True)
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot read the metrics {file}: {error}") from None
    if not rows:
        raise SystemExit(f"{file} holds no rows yet")
    rows = without_repeats(rows)
    return rows if "flops" in rows[0] else [row | flops_of(row, file.parent) for row in rows]


def without_repeats(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """Drops what a resumed run did again: rows that a later row of an earlier step supersedes."""
    kept: list[dict[str, float]] = []
    for row in rows:
        while kept and kept[-1]["step"] > row["step"]:
            kept.pop()
        kept.append(row)
    return kept


def flops_of(row: dict[str, float], training: Path) -> dict[str, float]:
    """FLOPs grow evenly with the steps, from those of the autoencoder to what the checkpoint says in the end."""
    run, name = training.parent.parent, training.name
    final = read_config(run / {"calm": "checkpoint"}.get(name, name))
    facts = final["training"]
    tokens_per_step = facts["rows"] * facts["row_chunks"] * final.get("patch_size", 1)
    before = read_config(run / "autoencoder")["training_flops"] if name == "calm" else 0
    tokens = row["step"] * tokens_per_step
    share = tokens / facts["tokens"]
    return {"tokens": tokens, "flops": before + share * (final["training_flops"] - before)}


def series(label: str, rows: list[dict[str, float]], y: str, x: str = "flops", error: str = "") -> Series | None:
    """None where the run has no such figure."""
    chosen = [row for row in rows if y in row]
    if not chosen:
        return None
    errors = [row.get(error, 0.0) for row in chosen]
    return Series(label, [row[x] for row in chosen], [row[y] for row in chosen], errors)
