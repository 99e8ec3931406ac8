"""Files that are either whole or not there."""

import os
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError


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
        staged.unlink(missing_ok=True)
        kept = "the one before it is untouched" if path.exists() else "nothing was left behind"
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SystemExit(f"could not write {path} ({reason}); {kept}") from None
