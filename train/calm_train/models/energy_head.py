"""The energy head: one forward pass turns a hidden state and uniform noise into a latent (paper 3.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def draw_noise(*shape: int, device: torch.device | None = None, generator: torch.Generator | None = None) -> Tensor:
    """Uniform in [-0.5, 0.5); always drawn in fp32, since bfloat16 has only 256 levels there."""
    return torch.rand(*shape, device=device, generator=generator) - 0.5


class HeadBlock(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.in_ln = nn.LayerNorm(size, eps=1e-6)
        self.linears = nn.Sequential(
            nn.Linear(2 * size, size), nn.SiLU(), nn.Linear(size, size), nn.SiLU(), nn.Linear(size, 2 * size)
        )
        self.down_proj = nn.Linear(size, size)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x [N, ..., h], condition [..., h] -> [N, ..., h]"""
        # linears[0] reads [x, condition]; its second half is the same for all N samples, so it runs once.
        first, *rest = self.linears
        assert isinstance(first, nn.Linear)
        size = condition.shape[-1]
        shared = F.linear(condition, first.weight[:, size:], first.bias)
        u = F.linear(self.in_ln(x), first.weight[:, :size]) + shared
        for layer in rest:
            u = layer(u)
        gate, up = u.chunk(2, dim=-1)
        return x + self.down_proj(F.silu(gate) * up)


class FinalLayer(nn.Module):
    def __init__(self, size: int, latent_size: int):
        super().__init__()
        self.in_ln = nn.LayerNorm(size, eps=1e-6)
        self.linears = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, latent_size))

    @property
    def output(self) -> nn.Linear:
        last = self.linears[2]
        assert isinstance(last, nn.Linear)
        return last

    def forward(self, x: Tensor) -> Tensor:
        u = self.linears[1](self.linears[0](self.in_ln(x)))
        # The latent feeds distances of the order of the posterior's width: bfloat16 is too coarse for it.
        with torch.autocast(x.device.type, enabled=False):
            return self.output(u.float())


class EnergyHead(nn.Module):
    def __init__(self, hidden_size: int, noise_size: int, latent_size: int, num_blocks: int):
        super().__init__()
        self.noise_size = noise_size
        self.noise_embd = nn.Linear(noise_size, hidden_size)
        self.hidden_embd = nn.Linear(hidden_size, hidden_size)
        self.norm_hidden = nn.LayerNorm(hidden_size, eps=1e-6)
        self.norm_noise = nn.LayerNorm(hidden_size, eps=1e-6)
        self.mlp_blocks = nn.ModuleList(HeadBlock(hidden_size) for _ in range(num_blocks))
        self.final_layer = FinalLayer(hidden_size, latent_size)

    def start(self) -> None:
        """Zero here, and only here: every sample starts at the origin and the pair term opens them up."""
        nn.init.zeros_(self.final_layer.output.weight)

    def pass_through(self) -> None:
        """Every block begins by changing nothing."""
        for block in self.mlp_blocks:
            assert isinstance(block, HeadBlock)
            nn.init.zeros_(block.down_proj.weight)
            nn.init.zeros_(block.down_proj.bias)

    def draw_noise(
        self, *shape: int, device: torch.device | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        return draw_noise(*shape, self.noise_size, device=device, generator=generator)

    def forward(self, hidden: Tensor, noise: Tensor) -> Tensor:
        """hidden [..., h], noise [N, ..., noise] -> latents [N, ..., latent]"""
        condition = self.norm_hidden(self.hidden_embd(hidden))
        x = self.norm_noise(self.noise_embd(noise))
        for block in self.mlp_blocks:
            x = block(x, condition)
        return self.final_layer(x)
