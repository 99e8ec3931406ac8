"""The tokenizer that training and serving share: tiktoken ranks plus three special tokens.

Text is encoded by tiktoken here as it is in the server. The `tokenizers` library that learns the merges
orders a few of them differently (two merges may spell the same token), so its encoder is never used.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tiktoken

from calm_train.files import make_folder, replace_file

RANKS_FILE = "tokenizer.model"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS = {"bos": "<|begin_of_text|>", "eos": "<|end_of_text|>", "pad": "<|pad|>"}

# As Llama 3 splits: contractions, words with one leading mark, numbers of up to three digits, punctuation.
SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Vocabulary:
    """Byte sequences in rank order; the special ids follow right after them."""

    ranks: tuple[bytes, ...]
    pattern: str = SPLIT_PATTERN

    @property
    def size(self) -> int:
        return len(self.ranks) + len(SPECIAL_TOKENS)

    @property
    def bos(self) -> int:
        return len(self.ranks)

    @property
    def eos(self) -> int:
        return len(self.ranks) + 1

    @property
    def pad(self) -> int:
        return len(self.ranks) + 2

    @cached_property
    def encoding(self) -> tiktoken.Encoding:
        return tiktoken.Encoding(
            "calm",
            pat_str=self.pattern,
            mergeable_ranks={token: rank for rank, token in enumerate(self.ranks)},
            special_tokens=dict(zip(SPECIAL_TOKENS.values(), (self.bos, self.eos, self.pad), strict=True)),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Equal for vocabularies that give the same tokens."""
        text = b"\n".join([self.pattern.encode(), *(base64.b64encode(token) for token in self.ranks)])
        return hashlib.sha256(text).hexdigest()[:16]

    def encode(self, text: str) -> list[int]:
        return self.encoding.encode_ordinary(text)

    def decode(self, tokens: list[int]) -> str:
        """Special tokens spell nothing; broken UTF-8 becomes the replacement character."""
        return b"".join(self.ranks[t] for t in tokens if t < len(self.ranks)).decode("utf-8", errors="replace")

    def save(self, folder: Path) -> None:
        make_folder(folder)
        lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(self.ranks)]
        replace_file(folder / RANKS_FILE, lambda path: path.write_text("".join(lines)))
        config = {f"{kind}_token": token for kind, token in SPECIAL_TOKENS.items()}
        config |= {f"{kind}_token_id": getattr(self, kind) for kind in SPECIAL_TOKENS}
        config |= {"pattern": self.pattern}
        replace_file(folder / CONFIG_FILE, lambda path: path.write_text(json.dumps(config, indent=2) + "\n"))

    @staticmethod
    def load(folder: Path) -> "Vocabulary":
        try:
            rows = [line.split() for line in (folder / RANKS_FILE).read_text().splitlines()]
            ranked = sorted((int(rank), base64.b64decode(token)) for token, rank in rows)
            config = json.loads((folder / CONFIG_FILE).read_text())
        except (OSError, ValueError) as error:
            raise SystemExit(f"{folder} holds no tokenizer ({error}); run calm_train.tokenizer first") from None
        return Vocabulary(tuple(token for _, token in ranked), config["pattern"])
