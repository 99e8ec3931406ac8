"""The Brier score of the tokens that samples decode to, differentiable: what BrierLM measures (paper 4)."""

import torch
from torch import Tensor


def token_score(decoded: Tensor, first: Tensor, targets: Tensor) -> Tensor:
    """Sum over i of i times the Brier score of the chunk's first i tokens, negative, so that lower is better.

    decoded [N, P, K, V] holds what the decoder says of N independent samples, as probabilities: with 0 and 1 alone the
    score is the sampled one. first [P, V] is the law of the first token, targets [P, M, K] are chunks that follow the
    law. -> [P], without bias in the samples and in the targets.
    """
    left, right = torch.triu_indices(len(decoded), len(decoded), offset=1)
    score: Tensor | float = 0.0
    agree: Tensor | float = 1.0
    hit: Tensor | float = 1.0
    for i in range(targets.shape[-1]):
        here = decoded[:, :, i]
        agree = agree * _agreement(here)[left, right]
        hit = hit * here.gather(-1, targets[None, ..., i].expand(len(here), -1, -1))
        # The first token's law is known whole, so its hits need no targets.
        expected = (here * first).sum(-1) if i == 0 else hit.mean(-1)
        score = score - (i + 1) * (2 * expected.mean(0) - agree.mean(0))
    assert isinstance(score, Tensor)
    return score


def _agreement(decoded: Tensor) -> Tensor:
    """[N, P, V] probabilities -> that two samples mean the same token [N, N, P]"""
    # All pairs by one product, and in fp32: a sum over the vocabulary is too fine for bfloat16.
    with torch.autocast(decoded.device.type, enabled=False):
        rows = decoded.transpose(0, 1)
        return (rows @ rows.mT).permute(1, 2, 0)
