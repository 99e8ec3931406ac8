"""The three generative heads of the paper behind one interface."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from calm_train.models.diffusion_head import DiffusionHead
from calm_train.models.energy_head import EnergyHead
from calm_train.models.flow_head import FlowHead
from calm_train.section_checks import check_head

# How many steps the published samplers take; the energy head has none.
PUBLISHED_STEPS = {"energy": 0, "flow": 10, "diffusion": 100}


@dataclass(frozen=True)
class HeadShape:
    """`num_steps` is how many steps a draw takes: 0 means as many as the published sampler."""

    kind: str
    noise_size: int
    num_mlp_layers: int
    num_steps: int = 0

    @property
    def steps(self) -> int:
        return self.num_steps or PUBLISHED_STEPS[self.kind]

    @property
    def evaluations(self) -> int:
        """How often one draw runs the network: the midpoint rule asks twice a step."""
        return {"energy": 1, "flow": 2 * self.steps, "diffusion": self.steps}[self.kind]


class Head(Protocol):
    def __call__(self, hidden: Tensor, noise: Tensor) -> Tensor:
        """hidden [..., h], noise [N, ...] from `draw_noise` -> latents [N, ..., latent]"""
        ...

    def draw_noise(
        self, *shape: int, device: torch.device | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """All the randomness of draws [shape]."""
        ...


def build_head(shape: HeadShape, hidden_size: int, latent_size: int) -> EnergyHead | FlowHead | DiffusionHead:
    check_head(shape.kind, shape.num_steps)
    if shape.kind == "energy":
        return EnergyHead(hidden_size, shape.noise_size, latent_size, shape.num_mlp_layers)
    if shape.kind == "flow":
        return FlowHead(hidden_size, latent_size, shape.num_mlp_layers, shape.steps)
    return DiffusionHead(hidden_size, latent_size, shape.num_mlp_layers, shape.steps)
