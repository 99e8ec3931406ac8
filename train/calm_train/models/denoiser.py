"""The network of the flow and diffusion heads: a residual MLP on a noisy latent, modulated by time and context."""

import math

import torch
from torch import Tensor, nn

TIME_FREQUENCIES = 128
MAX_PERIOD = 10_000


class TimeEmbedding(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * TIME_FREQUENCIES, size), nn.SiLU(), nn.Linear(size, size))

    def forward(self, time: Tensor) -> Tensor:
        """[...] in 0..1000 -> [..., h]"""
        exponent = torch.arange(TIME_FREQUENCIES, device=time.device, dtype=torch.float32) / TIME_FREQUENCIES
        angles = time.float()[..., None] * torch.exp(-math.log(MAX_PERIOD) * exponent)
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


class DenoiserBlock(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.in_ln = nn.LayerNorm(size, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, size))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(size, 3 * size))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x [N, ..., h], condition [..., h] or [N, ..., h] -> [N, ..., h]"""
        shift, scale, gate = self.adaLN_modulation(condition).chunk(3, dim=-1)
        return x + gate * self.mlp(self.in_ln(x) * (1 + scale) + shift)


class DenoiserOutput(nn.Module):
    def __init__(self, size: int, output_size: int):
        super().__init__()
        self.norm_final = nn.LayerNorm(size, eps=1e-6, elementwise_affine=False)
        self.linear = nn.Linear(size, output_size)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(size, 2 * size))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(condition).chunk(2, dim=-1)
        modulated = self.norm_final(x) * (1 + scale) + shift
        # What is predicted is added up over many steps: bfloat16 is too coarse for it.
        with torch.autocast(x.device.type, enabled=False):
            return self.linear(modulated.float())


class Denoiser(nn.Module):
    def __init__(self, hidden_size: int, latent_size: int, output_size: int, num_blocks: int):
        super().__init__()
        self.time_embed = TimeEmbedding(hidden_size)
        self.cond_embed = nn.Linear(hidden_size, hidden_size)
        self.input_proj = nn.Linear(latent_size, hidden_size)
        self.res_blocks = nn.ModuleList(DenoiserBlock(hidden_size) for _ in range(num_blocks))
        self.final_layer = DenoiserOutput(hidden_size, output_size)

    def start_at_zero(self) -> None:
        """Every block starts as the identity and the output as zero, as in DiT."""
        for part in [*self.res_blocks, self.final_layer]:
            nn.init.zeros_(part.adaLN_modulation[1].weight)
            nn.init.zeros_(part.adaLN_modulation[1].bias)
        nn.init.zeros_(self.final_layer.linear.weight)
        nn.init.zeros_(self.final_layer.linear.bias)

    def embed(self, hidden: Tensor) -> Tensor:
        """What depends on the hidden state alone: one call serves all samples and steps."""
        return self.cond_embed(hidden)

    def forward(self, x: Tensor, time: Tensor, embedded: Tensor) -> Tensor:
        """x [N, ..., latent], time [] or [N, ...] in 0..1000, embedded [..., h] -> [N, ..., output]

        With one time for all samples the modulation is computed once for all N of them.
        """
        condition = self.time_embed(time) + embedded
        x = self.input_proj(x)
        for block in self.res_blocks:
            x = block(x, condition)
        return self.final_layer(x, condition)
