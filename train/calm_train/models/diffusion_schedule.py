"""The cosine noise schedule of improved DDPM (Nichol & Dhariwal 2021) and its respaced form for sampling."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TRAINING_STEPS = 1000


@dataclass(frozen=True)
class NoiseSchedule:
    """All [steps]; `times` are the steps of the training schedule that the network is told."""

    times: Tensor
    betas: Tensor
    kept: Tensor
    kept_before: Tensor

    @staticmethod
    def cosine(num_steps: int = TRAINING_STEPS) -> "NoiseSchedule":
        """Computed in fp64. Fewer steps than in training visit evenly spaced ones, the first and the last included."""

        def signal(time: float) -> float:
            return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

        steps = range(TRAINING_STEPS)
        betas = [min(0.999, 1 - signal((i + 1) / TRAINING_STEPS) / signal(i / TRAINING_STEPS)) for i in steps]
        kept = torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), dim=0)
        times = torch.tensor(respaced(num_steps))
        kept = kept[times]
        kept_before = torch.cat([torch.ones(1, dtype=torch.float64), kept[:-1]])
        return NoiseSchedule(times, 1 - kept / kept_before, kept, kept_before)

    def variance_bounds(self) -> tuple[Tensor, Tensor]:
        """Log variances of the reverse step: the true posterior's (the first one is 0: the second stands in) and
        beta. The network's output moves between them."""
        variance = self.betas * (1 - self.kept_before) / (1 - self.kept)
        return torch.cat([variance[1:2], variance[1:]]).log(), self.betas.log()

    def posterior_weights(self) -> tuple[Tensor, Tensor]:
        """The posterior's mean is first * x_0 + second * x_t."""
        first = self.betas * self.kept_before.sqrt() / (1 - self.kept)
        second = (1 - self.kept_before) * (1 - self.betas).sqrt() / (1 - self.kept)
        return first, second


def respaced(num_steps: int) -> list[int]:
    """The training steps that a sampler of `num_steps` >= 2 visits, evenly spaced, the first and the last included."""
    return [round(i * (TRAINING_STEPS - 1) / (num_steps - 1)) for i in range(num_steps)]
