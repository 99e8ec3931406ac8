"""The arithmetic of a training, and its compiler: bfloat16 over fp32 master weights where that is fast."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import ParamSpec, TypeVar

import torch
from torch._functorch import config as functorch_config
from torch._inductor.runtime.cache_dir_utils import cache_dir

from calm_train.limits import CHOICES
from calm_train.peak import product_rate
from calm_train.sections import OptimSection

P = ParamSpec("P")
R = TypeVar("R")

PRECISIONS: dict[str, torch.dtype] = {name: getattr(torch, name) for name in CHOICES["precision"] if name != "auto"}
# Older versions of PyTorch have no such setting.
EARLY = "force_non_lazy_backward_lowering"
EARLY_BACKWARD = {EARLY: True} if hasattr(functorch_config, EARLY) else {}
# Large enough to tell which arithmetic the processor has, small enough to take milliseconds.
PROBE_SIZE = 512


def mixed_precision(function: Callable[P, R], section: OptimSection) -> Callable[P, R]:
    """Matrix products in the precision of the section; weights, norms, the residual stream and the losses stay fp32."""
    dtype = precision_of(section.device, section.precision)
    print(f"matrix products in {precision_name(dtype)}", flush=True)

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with _autocast(section.device, dtype):
            return function(*args, **kwargs)

    return compiled(run) if section.compile else run


def precision_of(device: str, precision: str) -> torch.dtype:
    """What a setting means: "auto" is bfloat16 unless the processor only emulates it, as most do, which takes several
    times as long as fp32. An unknown word ends the program with a sentence."""
    if precision in PRECISIONS:
        return PRECISIONS[precision]
    if precision != "auto":
        known = ", ".join(CHOICES["precision"])
        raise SystemExit(f'precision = "{precision}" is unknown; give one of {known}')
    return torch.bfloat16 if _fast_at_bfloat16(device) else torch.float32


def precision_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@cache
def _fast_at_bfloat16(device: str) -> bool:
    if torch.device(device).type != "cpu":
        return True
    bfloat16, float32 = (product_rate(dtype, device, 1, PROBE_SIZE) for dtype in (torch.bfloat16, torch.float32))
    return bfloat16 > float32


def _autocast(device: str, dtype: torch.dtype) -> AbstractContextManager[object]:
    return nullcontext() if dtype == torch.float32 else torch.autocast(torch.device(device).type, dtype=dtype)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Goes on without the compiler where it fails: no C++ compiler, no Triton, an operation it does not know, or half a
    file that a killed compilation left in its cache. The backward pass is compiled with the forward pass and not when
    a gradient first asks for it, so that either failure is met here."""
    fast, usable = torch.compile(function), True

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal usable
        if usable:
            try:
                with functorch_config.patch(EARLY_BACKWARD):
                    return fast(*args, **kwargs)
            except Exception as error:
                if not _is_of_the_compiler(error):
                    raise
                usable = False
                print(
                    f"torch.compile failed ({_reason(error)}): going on without it, much slower; where this is not for "
                    f"want of a C++ compiler, delete {cache_dir()}, its cache, and start again",
                    flush=True,
                )
        return function(*args, **kwargs)

    return run


def _is_of_the_compiler(error: BaseException) -> bool:
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


def _reason(error: BaseException) -> str:
    """The first line, and where it only leads to the cause the next one too."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(lines[:2] if lines[0].endswith(":") else lines[:1])
