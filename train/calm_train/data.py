"""Rows of aligned chunks from packed shards.

A document becomes b BOS (b uniform in 1..K, drawn anew each epoch), its tokens, EOS, and more EOS up to a
multiple of K. A server can therefore align any prompt by BOS in front, and the text is seen at every phase.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calm_train.vocabulary import Vocabulary


@dataclass(frozen=True)
class Special:
    """Ids and chunk size: all that alignment needs to know about the vocabulary."""

    bos: int
    eos: int
    patch_size: int

    @staticmethod
    def of(vocabulary: Vocabulary, patch_size: int) -> "Special":
        return Special(vocabulary.bos, vocabulary.eos, patch_size)


def align(tokens: np.ndarray, num_bos: int, special: Special) -> np.ndarray:
    """[n] tokens -> [chunks, K]: BOS in front, EOS behind, filled with EOS."""
    k = special.patch_size
    length = num_bos + len(tokens) + 1
    out = np.full(-(-length // k) * k, special.eos, dtype=np.int64)
    out[:num_bos] = special.bos
    out[num_bos : num_bos + len(tokens)] = tokens
    return out.reshape(-1, k)


class Shard:
    """Memory-mapped documents of one source."""

    def __init__(self, folder: Path):
        self.offsets = np.load(folder / "offsets.npy")
        size = (folder / "tokens.bin").stat().st_size // int(self.offsets[-1])
        dtype = np.uint16 if size == 2 else np.uint32
        self.tokens = np.memmap(folder / "tokens.bin", dtype=dtype, mode="r")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def document(self, index: int) -> np.ndarray:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]


class Stream:
    """Endless chunks of one source: documents in a new random order and alignment each epoch."""

    def __init__(self, shard: Shard, special: Special, rng: np.random.Generator):
        self.shard, self.special, self.rng = shard, special, rng
        self.order: list[int] = []
        self.rest = np.empty((0, special.patch_size), dtype=np.int64)
        self.document = 0

    def take(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the next `count` chunks [count, K] and their document numbers [count]."""
        chunks, documents = [], []
        while count:
            if not len(self.rest):
                if not self.order:
                    self.order = self.rng.permutation(len(self.shard)).tolist()
                num_bos = int(self.rng.integers(1, self.special.patch_size + 1))
                self.rest = align(self.shard.document(self.order.pop()), num_bos, self.special)
                self.document += 1
            taken = self.rest[:count]
            self.rest = self.rest[count:]
            count -= len(taken)
            chunks.append(taken)
            documents.append(np.full(len(taken), self.document))
        return np.concatenate(chunks), np.concatenate(documents)


class Mixture:
    """Draws each row from one source, chosen by weight."""

    def __init__(self, folder: Path, names: set[str], special: Special, seed: int):
        self.shards = {name: Shard(folder / name) for name in sorted(names)}
        self.special, self.seed = special, seed
        self.reseed(0)

    def reseed(self, step: int) -> None:
        """Starts all sources anew, in an order that belongs to this step."""
        self.rng = np.random.default_rng([self.seed, step])
        self.streams = {
            name: Stream(shard, self.special, np.random.default_rng([self.seed, step, i]))
            for i, (name, shard) in enumerate(self.shards.items())
        }

    def rows(self, count: int, chunks: int, weights: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Returns chunks [count, chunks, K] and document numbers [count, chunks]."""
        names = list(weights)
        share = np.asarray([weights[name] for name in names])
        picks = self.rng.choice(len(names), size=count, p=share / share.sum())
        taken = [self.streams[names[pick]].take(chunks) for pick in picks]
        return np.stack([t[0] for t in taken]), np.stack([t[1] for t in taken])


def held_out_documents(folder: Path, special: Special, max_chunks: int, count: int, seed: int = 0) -> list[np.ndarray]:
    """The first `count` documents, aligned with a fixed random phase, cut to `max_chunks`."""
    shard = Shard(folder)
    rng = np.random.default_rng(seed)
    phases = rng.integers(1, special.patch_size + 1, size=len(shard))
    return [align(shard.document(i), int(phases[i]), special)[:max_chunks] for i in range(min(count, len(shard)))]
