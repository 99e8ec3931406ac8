"""Text in: plain text whose documents a line `<|endoftext|>` separates, or JSONL with a field `text`."""

import json
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path

SEPARATOR = "<|endoftext|>"


def read_documents(path: Path) -> Iterator[str]:
    """Yields the non-empty documents of a .txt or .jsonl file, or one of them as .xz, without surrounding white space.

    A file that is missing, empty, not UTF-8 or not what its name says ends the program with a sentence.
    """
    opener = lzma.open if path.suffix == ".xz" else open
    is_jsonl = path.with_suffix("").suffix == ".jsonl" if path.suffix == ".xz" else path.suffix == ".jsonl"
    found = False
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for text in _json_lines(file, path) if is_jsonl else _separated(file):
                if text := text.strip():
                    found = True
                    yield text
    except UnicodeDecodeError as error:
        raise SystemExit(f"{path} is not UTF-8: {error.reason}; convert it first, say with iconv") from None
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise SystemExit(f"cannot read {path}: {error}") from None
    if not found:
        raise SystemExit(f"{path} holds no text")


def _separated(lines: Iterable[str]) -> Iterator[str]:
    document: list[str] = []
    for line in lines:
        if line.rstrip("\n") == SEPARATOR:
            yield "".join(document)
            document = []
        else:
            document.append(line)
    yield "".join(document)


def _json_lines(lines: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            raise SystemExit(f"{path}, line {number}: not JSON") from None
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise SystemExit(f"{path}, line {number}: no field `text` that is a string")
        yield record["text"]
