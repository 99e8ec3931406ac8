"""The same comparison from several seeds: the mean of each run, and how far it is from one seed to the next."""

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from calm_train.curves import Series


@dataclass(frozen=True)
class Estimate:
    """`error` is the standard error of the mean over seeds: 0 where there is one seed, which says nothing of it."""

    mean: float
    error: float
    values: list[float]

    @classmethod
    def of(cls, values: list[float]) -> "Estimate":
        error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        return cls(fmean(values), error, values)


def runs_by_name(comparisons: list[list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Results of one comparison a seed -> the runs of each name, one a seed. A run that a seed lacks ends the program
    with a sentence: means over different seeds would not compare."""
    names = [result["name"] for result in comparisons[0]]
    for number, results in enumerate(comparisons, start=1):
        found = {result["name"] for result in results}
        if missing := sorted(found.symmetric_difference(names)):
            raise SystemExit(
                f"comparison {number} and the first do not hold the same runs: {', '.join(missing)} in one only"
            )
    return {name: [result for results in comparisons for result in results if result["name"] == name] for name in names}


def mean_results(comparisons: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One result a name: its score is the mean over the seeds, its error that of the mean. Of one comparison alone the
    results are as they are, with the error over documents. `metrics` becomes a list, one a seed."""
    means = []
    for runs in runs_by_name(comparisons).values():
        metrics = [run["metrics"] for run in runs]
        score = Estimate.of([run["brier_lm"] for run in runs])
        error = score.error if len(runs) > 1 else runs[0]["standard_error"]
        means.append(runs[0] | {"brier_lm": score.mean, "standard_error": error, "metrics": metrics})
    return means


def mean_series(lines: list[Series]) -> Series:
    """The mean where all have a point, with its error over the lines; one line alone stays as it is."""
    if len(lines) == 1:
        return lines[0]
    points = [dict(zip(line.x, line.y, strict=True)) for line in lines]
    shared = [x for x in lines[0].x if all(x in known for known in points)]
    estimates = [Estimate.of([known[x] for known in points]) for x in shared]
    return Series(lines[0].label, shared, [e.mean for e in estimates], [e.error for e in estimates])
