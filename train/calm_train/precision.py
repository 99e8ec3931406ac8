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

    return torch.compile(run) if section.compile else run
