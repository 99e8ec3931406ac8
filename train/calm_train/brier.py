"""BrierLM from samples (paper 4): a strictly proper score that asks for no likelihoods.

One n-gram scores 1{x1=y} + 1{x2=y} - 1{x1=x2} with x1, x2 drawn independently.
"""

from typing import Any

import numpy as np


def brier_terms(draws: np.ndarray, target: np.ndarray) -> np.ndarray:
    """draws [2, ..., n], target [..., n] -> terms in {-1, 0, 1, 2} [..., n]: entry j scores the (j+1)-gram."""
    hit = np.logical_and.accumulate(draws == target[None], axis=-1)
    collision = np.logical_and.accumulate(draws[0] == draws[1], axis=-1)
    return hit.sum(0) - collision


def brier_lm(terms: np.ndarray) -> float:
    """terms [positions, 4] -> 100 * geometric mean of Brier-1..4; 0 when one of them is not positive."""
    means = terms.mean(0)
    return float(100 * np.prod(means) ** 0.25) if (means > 0).all() else 0.0


def brier_lm_with_error(terms: list[np.ndarray]) -> tuple[float, float]:
    """Score and its jackknife standard error over documents; `terms` holds [positions, 4] for each one."""
    sums = np.stack([t.sum(0) for t in terms])
    counts = np.array([len(t) for t in terms])
    score = brier_lm(np.concatenate(terms))
    means = (sums.sum(0) - sums) / (counts.sum() - counts)[:, None]
    without = 100 * np.prod(np.maximum(means, 0), axis=1) ** 0.25
    n = len(terms)
    return score, float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))


def brier_means(terms: np.ndarray) -> list[float]:
    """Brier-1..4 in percent from terms [positions, 4]."""
    return (100 * terms.mean(0)).tolist()


def brier_figures(terms: list[np.ndarray]) -> dict[str, Any]:
    """Score, error and what they rest on, rounded for people; `terms` holds [positions, 4] for each document."""
    if len(terms) < 2:
        return {"documents": len(terms)}
    score, error = brier_lm_with_error(terms)
    positions = np.concatenate(terms)
    return {
        "brier_lm": round(score, 3),
        "standard_error": round(error, 3),
        "brier": [round(value, 3) for value in brier_means(positions)],
        "documents": len(terms),
        "positions": len(positions),
    }
