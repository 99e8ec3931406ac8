"""Held-out figures of a CALM: energy, and chunk-aligned BrierLM by honest roll-outs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from calm_train.brier import brier_terms
from calm_train.energy import energy_loss, expected_distance
from calm_train.models.calm import Calm

NGRAM = 4
BATCH = 16


class ChunkModel(Protocol):
    """What BrierLM asks of a model; the token baseline is one with K = 1."""

    def hidden(self, chunks: Tensor, mask: Tensor | None = None, *, positions: Tensor | None = None) -> Tensor: ...

    def draw(self, hidden: Tensor, count: int) -> Tensor: ...

    def device(self) -> torch.device: ...


@dataclass(frozen=True)
class Batch:
    """Documents padded on the right: chunks [B, S, K], valid [B, S]. Causality keeps the padding out of sight."""

    chunks: Tensor
    valid: Tensor

    def to(self, device: str) -> "Batch":
        return Batch(self.chunks.to(device), self.valid.to(device))


def batch_documents(documents: list[np.ndarray]) -> Batch:
    length = max(len(d) for d in documents)
    chunks = torch.zeros(len(documents), length, documents[0].shape[1], dtype=torch.long)
    valid = torch.zeros(len(documents), length, dtype=torch.bool)
    for row, document in enumerate(documents):
        chunks[row, : len(document)] = torch.from_numpy(document)
        valid[row, : len(document)] = True
    return Batch(chunks, valid)


def mean_over_batches(documents: list[np.ndarray], figure: Callable[[Batch], float]) -> float:
    """Mean over all predicted chunks of a figure that is one over a batch's."""
    groups = [documents[i : i + BATCH] for i in range(0, len(documents), BATCH)]
    weights = [sum(len(document) - 1 for document in group) for group in groups]
    return float(np.average([figure(batch_documents(group)) for group in groups], weights=weights))


@torch.no_grad()
def held_out_energy(model: Calm, batch: Batch, num_samples: int, beta: float) -> float:
    """Mean energy loss over all predicted chunks of the batch: a proper score of any head's draws."""
    hidden = model.hidden(batch.chunks[:, :-1])[batch.valid[:, 1:]]
    mean, log_std = model.ae_model.encode(batch.chunks[:, 1:][batch.valid[:, 1:]])
    samples = model.draw_latents(hidden, num_samples)
    return float(energy_loss(samples, expected_distance(samples, mean, log_std, beta), beta).mean())


@torch.no_grad()
def brier_positions(
    model: ChunkModel,
    documents: list[np.ndarray],
    eos: int,
    max_positions: int,
    candidates: list[range] | None = None,
) -> list[np.ndarray]:
    """Brier terms [positions, 4] of each document, at n-grams that start on a chunk border.

    An n-gram longer than a chunk spans ceil(4 / K) chunks; each draw continues from its own first chunks. The
    second chunk is drawn only where it can matter: where the first agrees with the target or with the other
    draw. Targets with EOS are left out, since the filling behind the text would score for nothing. `candidates`
    are the chunks of each document that may be scored; without them all are.
    """
    span = -(-NGRAM // documents[0].shape[1])
    results = []
    for number, document in enumerate(documents):
        chosen = candidates[number] if candidates else range(1, len(document))
        starts = [i for i in chosen if i + span <= len(document) and not _target_ends(document, i, span, eos)]
        terms = _document_terms(model, document, span, starts[:max_positions])
        if len(terms):
            results.append(terms)
    return results


def _target_ends(document: np.ndarray, start: int, span: int, eos: int) -> bool:
    return bool((document[start : start + span].flatten()[:NGRAM] == eos).any())


def _document_terms(model: ChunkModel, document: np.ndarray, span: int, starts: list[int]) -> np.ndarray:
    device = model.device()
    chunks = torch.from_numpy(document).to(device)
    if not starts:
        return np.empty((0, NGRAM), dtype=np.int64)
    hidden = model.hidden(chunks[None, :-1])[0]
    positions = torch.tensor(starts, device=device)
    targets = torch.stack([chunks[i : i + span].flatten() for i in starts])[:, :NGRAM]
    draws = torch.full((2, len(starts), span, chunks.shape[1]), -1, device=device)
    draws[:, :, 0] = model.draw(hidden[positions - 1], 2)
    for level in range(1, span):
        _continue(model, chunks, positions, hidden, draws, level)
    flat = draws.flatten(2)[..., :NGRAM].cpu().numpy()
    return brier_terms(flat, targets.cpu().numpy())


def _continue(model: ChunkModel, chunks: Tensor, starts: Tensor, hidden: Tensor, draws: Tensor, level: int) -> None:
    """Fills draws[:, :, level]; rows that can no longer count get values that agree with nothing."""
    truth = torch.stack([chunks[starts + i] for i in range(level)], dim=1)
    on_truth = (draws[:, :, :level] == truth).flatten(2).all(-1)
    together = (draws[0, :, :level] == draws[1, :, :level]).flatten(1).all(-1)
    draws[0, :, level], draws[1, :, level] = -1, -2
    for draw in range(2):
        for_truth = on_truth[draw].nonzero()[:, 0]
        if len(for_truth):
            states = hidden[starts[for_truth] + level - 1]
            draws[draw, for_truth, level] = model.draw(states, 1)[0]
    off = (together & ~on_truth[0]).nonzero()[:, 0]
    if len(off):
        states = _branch(model, chunks, starts[off], draws[0, off, :level])
        draws[:, off, level] = model.draw(states, 2)


def _branch(model: ChunkModel, chunks: Tensor, starts: Tensor, branches: Tensor) -> Tensor:
    """Hidden states [P, h] at the end of each branch [P, level, K], which replaces the document from its start on.

    One forward pass for all: the branches stand behind the document, each sees what comes before its start and
    itself, under the positions that it would have there.
    """
    count, level, _ = branches.shape
    length = len(chunks)
    steps = torch.arange(level, device=chunks.device).repeat(count)
    owner = torch.cat(
        [torch.zeros_like(chunks[:, 0]), 1 + torch.arange(count, device=chunks.device).repeat_interleave(level)]
    )
    positions = torch.cat([torch.arange(length, device=chunks.device), starts.repeat_interleave(level) + steps])
    before = torch.cat([torch.full_like(chunks[:, 0], length), starts.repeat_interleave(level)])
    same = owner[:, None] == owner[None]
    document = (owner[None] == 0) & (positions[None] < before[:, None])
    mask = (same | document) & (positions[None] <= positions[:, None])
    states = model.hidden(torch.cat([chunks, branches.flatten(0, 1)])[None], mask[None, None], positions=positions)
    return states[0, length:].view(count, level, -1)[:, -1]
