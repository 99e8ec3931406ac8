"""What the machine can do at most: the rate of a matrix product, to compare a training's rate with."""

import time

import torch

# Large enough that its operands are read from the cache many times over.
SIZE = 2048
REPETITIONS = 5


def product_rate(dtype: torch.dtype, device: str, threads: int, size: int = SIZE) -> float:
    """FLOP/s of the best of some square products on so many threads; the machine should do nothing else."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    # No random numbers: a training that measures must draw the same ones as one that need not.
    left, right = (torch.full((size, size), 0.5, dtype=dtype, device=device) for _ in range(2))
    # The first one also sets up what the others need.
    _seconds(left, right)
    seconds = min(_seconds(left, right) for _ in range(REPETITIONS))
    torch.set_num_threads(before)
    return 2 * size**3 / seconds


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    _wait(left)
    begin = time.perf_counter()
    _ = left @ right
    _wait(left)
    return time.perf_counter() - begin


def _wait(tensor: torch.Tensor) -> None:
    if tensor.device.type == "cuda":
        torch.cuda.synchronize(tensor.device)
