"""Files that are either whole or not there."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError


class NotWritten(SystemExit):
    """Ends the program with one sentence about a file that could not be written, say on a full disk."""

    def __init__(self, path: Path, error: Exception, state: str):
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        super().__init__(f"could not write {path} ({reason}); {state}")


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a file beside `path` and renames it, so that no reader and no kill ever meets half a file.

    On failure (a full disk, say) the program ends with one sentence and `path` is what it was before.
    """
    staged = path.with_name(f"{path.name}.tmp")
    try:
        write(staged)
        staged.chmod(0o644)  # safetensors writes for the owner only
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(staged, path)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch.save reports a full disk as a RuntimeError
        with suppress(OSError):
            staged.unlink(missing_ok=True)
        raise NotWritten(
            path, error, "the one before it is untouched" if path.exists() else "nothing was left behind"
        ) from None


def append_line(path: Path, line: str) -> None:
    """Adds a line whole. On failure the program ends with one sentence and the lines before it stay as they were."""
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a") as file:
            file.write(line + "\n")
    except OSError as error:
        # What the disk still took of the line goes again, or the next one would be appended to it.
        with suppress(OSError):
            os.truncate(path, size)
        raise NotWritten(path, error, "the lines before it are untouched") from None


def make_folder(folder: Path) -> None:
    """With its parents, where it is not there yet; on failure the program ends with one sentence."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritten(folder, error, "nothing was left behind") from None


def link_missing(folder: Path, parts: dict[str, Path]) -> None:
    """Makes links in `folder` to `parts` by name; what is there already stays."""
    make_folder(folder)
    for name, target in parts.items():
        path = folder / name
        if path.exists() or not target.exists():
            continue
        try:
            path.symlink_to(target.resolve())
        except OSError as error:
            raise NotWritten(path, error, f"it would be a link to {target}") from None
