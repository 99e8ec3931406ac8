"""Sampling at low temperature without likelihoods: the pool algorithm (paper, algorithm 2), for T = 1/n."""

from collections import Counter
from math import comb

import numpy as np
import torch

from calm_train.models.calm import Calm


def choose(pool: list[tuple[int, ...]], n: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Picks x with weight C(count of x, n); if nothing occurs n times, the same with n - 1, and so on."""
    counts = Counter(pool)
    for size in range(n, 0, -1):
        weights = {chunk: comb(count, size) for chunk, count in counts.items() if count >= size}
        if weights:
            total = sum(weights.values())
            shares = [weight / total for weight in weights.values()]
            return list(weights)[rng.choice(len(weights), p=shares)]
    raise ValueError("the pool is empty")


@torch.no_grad()
def generate(
    model: Calm,
    prompts: list[np.ndarray],
    eos: int,
    *,
    n: int = 2,
    num_candidates: int = 200,
    max_chunks: int = 128,
    rng: np.random.Generator,
) -> list[list[int]]:
    """Continues prompts of equal length [chunks, K] until EOS; returns the tokens behind each prompt.

    Recomputes the whole context each step: simple, and quick enough for a handful of stories.
    """
    context = torch.from_numpy(np.stack(prompts))
    texts: list[list[int]] = [[] for _ in prompts]
    done = [False] * len(prompts)
    for _ in range(max_chunks):
        candidates = model.draw(model.hidden(context)[:, -1], num_candidates).transpose(0, 1).tolist()
        chosen = [choose([tuple(chunk) for chunk in pool], n, rng) for pool in candidates]
        for row, chunk in enumerate(chosen):
            if not done[row]:
                done[row] = eos in chunk
                texts[row].extend(chunk[: chunk.index(eos)] if done[row] else chunk)
        if all(done):
            break
        context = torch.cat([context, torch.tensor(chosen)[:, None]], dim=1)
    return texts
