"""The flow head: integrates a learned velocity from Gaussian noise (time 0) to a latent (time 1) (paper 6.3)."""

import torch
from torch import Tensor, nn

from calm_train.models.denoiser import Denoiser

# The network reads times in thousandths; the published sampler hands it whole ones.
TIME_SCALE = 1000


class FlowHead(nn.Module):
    def __init__(self, hidden_size: int, latent_size: int, num_blocks: int, num_steps: int):
        super().__init__()
        self.latent_size, self.num_steps = latent_size, num_steps
        self.net = Denoiser(hidden_size, latent_size, latent_size, num_blocks)

    def start(self) -> None:
        self.net.start_at_zero()

    def draw_noise(
        self, *shape: int, device: torch.device | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        return torch.randn(*shape, self.latent_size, device=device, generator=generator)

    def forward(self, hidden: Tensor, noise: Tensor) -> Tensor:
        """hidden [..., h], noise [N, ..., latent] -> latents [N, ..., latent] by the midpoint rule."""
        embedded, x = self.net.embed(hidden), noise
        for step in range(self.num_steps):
            begin, middle = (torch.tensor(time, device=x.device) for time in self.times(step))
            halfway = x + self.net(x, begin, embedded) * (0.5 / self.num_steps)
            x = x + self.net(halfway, middle, embedded) / self.num_steps
        return x

    def times(self, step: int) -> tuple[int, int]:
        """Where one step evaluates the velocity, in whole thousandths."""
        return TIME_SCALE * step // self.num_steps, TIME_SCALE * (2 * step + 1) // (2 * self.num_steps)

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Flow matching: hidden [..., h], targets [N, ..., latent] -> mean squared error of the velocity [...].

        Each target gets a noise and a uniform time of its own; on the straight line between them the velocity is
        target - noise.
        """
        noise = torch.randn_like(targets)
        time = torch.rand(targets.shape[:-1], device=targets.device)
        x = torch.lerp(noise, targets, time[..., None])
        velocity = self.net(x, TIME_SCALE * time, self.net.embed(hidden))
        return (velocity - (targets - noise)).pow(2).mean(-1).mean(0)
