"""bfloat16 arithmetic over fp32 master weights, compiled."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

from calm_train.sections import OptimSection

P = ParamSpec("P")
R = TypeVar("R")


def mixed_precision(function: Callable[P, R], section: OptimSection) -> Callable[P, R]:
    """Matrix products in bfloat16; weights, norms, the residual stream and the losses stay fp32."""

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.autocast(torch.device(section.device).type, dtype=torch.bfloat16):
            return function(*args, **kwargs)

    return compiled(run) if section.compile else run


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Goes on without the compiler where it fails: no C++ compiler, no Triton, an operation it does not know."""
    fast, usable = torch.compile(function), True

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal usable
        if usable:
            try:
                return fast(*args, **kwargs)
            except Exception as error:
                if not _is_of_the_compiler(error):
                    raise
                usable = False
                print(f"torch.compile failed ({_reason(error)}): going on without it, much slower", flush=True)
        return function(*args, **kwargs)

    return run


def _is_of_the_compiler(error: BaseException) -> bool:
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
