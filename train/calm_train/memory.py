"""Too little memory ends a program with one sentence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


def _too_little() -> str:
    return "out of memory: end other programs, or lower the sizes of the model or the number of rows or documents"


@contextmanager
def told_out_of_memory(sentence: Callable[[], str] = _too_little) -> Iterator[None]:
    """Ends the program with `sentence()` where what happens inside runs out of memory; other errors pass. Decorates
    functions as well."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise SystemExit(sentence()) from None


def _is_out_of_memory(error: Exception) -> bool:
    """PyTorch has an error of its own for its CUDA allocator only; the others tell by their message."""
    text = str(error)
    known = "can't allocate memory" in text or "out of memory" in text
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or known
