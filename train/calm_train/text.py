"""Plain text in: documents separated by a line that holds nothing but `<|endoftext|>`."""

import lzma
from collections.abc import Iterator
from pathlib import Path

SEPARATOR = "<|endoftext|>"


def read_documents(path: Path) -> Iterator[str]:
    """Yields the non-empty documents of a .txt or .xz file, without surrounding white space."""
    opener = lzma.open if path.suffix == ".xz" else open
    lines: list[str] = []
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.rstrip("\n") == SEPARATOR:
                yield from _document(lines)
                lines = []
            else:
                lines.append(line)
    yield from _document(lines)


def _document(lines: list[str]) -> Iterator[str]:
    text = "".join(lines).strip()
    if text:
        yield text
