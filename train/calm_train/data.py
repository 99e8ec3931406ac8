"""Rows of aligned chunks from packed shards.

A document becomes b BOS (b uniform in 1..K, drawn anew each epoch), its tokens, EOS, and more EOS up to a
multiple of K. A server can therefore align any prompt by BOS in front, and the text is seen at every phase.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calm_train.vocabulary import Vocabulary


@dataclass(frozen=True)
class Special:
    """Ids and chunk size: all that alignment needs to know about the vocabulary. `tokenizer` is its fingerprint, which
    shards must have been packed with; None takes any."""

    bos: int
    eos: int
    patch_size: int
    tokenizer: str | None = None

    @staticmethod
    def of(vocabulary: Vocabulary, patch_size: int) -> "Special":
        return Special(vocabulary.bos, vocabulary.eos, patch_size, vocabulary.fingerprint)


def align(tokens: np.ndarray, num_bos: int, special: Special) -> np.ndarray:
    """[n] tokens -> [chunks, K]: BOS in front, EOS behind, filled with EOS."""
    k = special.patch_size
    length = num_bos + len(tokens) + 1
    out = np.full(-(-length // k) * k, special.eos, dtype=np.int64)
    out[:num_bos] = special.bos
    out[num_bos : num_bos + len(tokens)] = tokens
    return out.reshape(-1, k)


class Shard:
    """Memory-mapped documents of one source, as `calm_train.pack` wrote them."""

    def __init__(self, folder: Path, tokenizer: str | None = None):
        """`tokenizer` is the fingerprint that the shard must have been packed with; None takes any."""
        self.folder = folder
        try:
            description = json.loads((folder / "shard.json").read_text())
            self.offsets = np.load(folder / "offsets.npy")
            self.tokens = np.memmap(folder / "tokens.bin", dtype=description["dtype"], mode="r")
        except (OSError, ValueError, KeyError):
            raise SystemExit(
                f"{folder} holds no packed text; run calm_train.pack, or calm_train.distill for what a baseline writes"
            ) from None
        if tokenizer is not None and description["tokenizer"] != tokenizer:
            raise SystemExit(f"{folder} was packed with another tokenizer; run calm_train.pack again")

    def fingerprint(self) -> str:
        """Equal for shards that hold the same documents in the same order. Reads them once: a second for a gigabyte."""
        digest = hashlib.sha256(self.tokens.data)
        digest.update(self.offsets.data)
        return digest.hexdigest()[:16]

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

    def state(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "order": self.order,
            "rest": self.rest.tolist(),
            "document": self.document,
        }

    def restore(self, state: dict[str, Any]) -> None:
        if max(state["order"], default=0) >= len(self.shard):
            raise SystemExit(
                f"{self.shard.folder} has {len(self.shard)} documents, fewer than when the run was saved: "
                "pack the text that it had, or start over"
            )
        self.rng.bit_generator.state = state["rng"]
        self.order, self.document = state["order"], state["document"]
        self.rest = np.asarray(state["rest"], dtype=np.int64).reshape(-1, self.special.patch_size)


class Mixture:
    """Draws each row from one source, chosen by weight."""

    def __init__(self, folder: Path, names: set[str], special: Special, seed: int):
        self.rng = np.random.default_rng([seed, 0])
        self.streams = {
            name: Stream(Shard(folder / name, special.tokenizer), special, np.random.default_rng([seed, 0, i]))
            for i, name in enumerate(sorted(names))
        }

    def require(self, chunks: int) -> None:
        """A source must fill one row: repeating a handful of words for ever is never what was meant."""
        for stream in self.streams.values():
            k, shard = stream.special.patch_size, stream.shard
            tokens = len(shard.tokens) + 2 * len(shard)  # BOS and EOS at least
            if tokens < chunks * k:
                raise SystemExit(
                    f"{shard.folder} has {tokens:,} tokens, fewer than one row of {chunks} chunks of {k}: "
                    "give it more text or lower row_chunks"
                )

    def fingerprints(self) -> dict[str, str]:
        """Of the text of each source."""
        return {name: stream.shard.fingerprint() for name, stream in self.streams.items()}

    def state(self) -> str:
        """Where each source stands, for a run to go on with the very next row."""
        streams = {name: stream.state() for name, stream in self.streams.items()}
        return json.dumps({"rng": self.rng.bit_generator.state, "streams": streams})

    def restore(self, state: str) -> None:
        saved = json.loads(state)
        self.rng.bit_generator.state = saved["rng"]
        for name, stream in self.streams.items():
            stream.restore(saved["streams"][name])

    def rows(self, count: int, chunks: int, weights: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Returns chunks [count, chunks, K] and document numbers [count, chunks]."""
        names = list(weights)
        share = np.asarray([weights[name] for name in names])
        picks = self.rng.choice(len(names), size=count, p=share / share.sum())
        taken = [self.streams[names[pick]].take(chunks) for pick in picks]
        return np.stack([t[0] for t in taken]), np.stack([t[1] for t in taken])


def held_out_documents(folder: Path, special: Special, max_chunks: int, count: int, seed: int = 0) -> list[np.ndarray]:
    """The first `count` documents, aligned with a fixed random phase, cut to `max_chunks`."""
    shard = Shard(folder, special.tokenizer)
    rng = np.random.default_rng(seed)
    phases = rng.integers(1, special.patch_size + 1, size=len(shard))
    return [align(shard.document(i), int(phases[i]), special)[:max_chunks] for i in range(min(count, len(shard)))]


def grid_documents(
    folder: Path, special: Special, grid: int, max_tokens: int, count: int, seed: int = 0
) -> tuple[list[np.ndarray], list[range]]:
    """Held-out documents for models of different K, with the chunks that begin at the same places of the text.

    Every `grid` tokens from a random phase on is a place to score, and K, which must divide `grid`, aligns the text so
    that a chunk begins there. Documents are cut to `max_tokens` and their BOS.
    """
    k = special.patch_size
    if grid % k:
        raise SystemExit(f"patch_size = {k} does not divide the grid of {grid} tokens")
    shard = Shard(folder, special.tokenizer)
    phases = np.random.default_rng(seed).integers(1, grid + 1, size=len(shard))
    documents, starts = [], []
    for i in range(min(count, len(shard))):
        num_bos = (int(phases[i]) - 1) % k + 1
        tokens = shard.document(i)
        whole = align(tokens[:max_tokens], num_bos, special)
        # No end of text where a document was merely cut.
        documents.append(whole if len(tokens) <= max_tokens else whole[: (num_bos + max_tokens) // k])
        first = (grid - int(phases[i]) + num_bos) // k
        starts.append(range(first, len(documents[-1]), grid // k))
    return documents, starts
