"""The diffusion head: removes the noise step by step, with a learned variance (paper 6.3)."""

import math

import torch
from torch import Tensor, nn

from calm_train.models.denoiser import Denoiser
from calm_train.models.diffusion_schedule import TRAINING_STEPS, NoiseSchedule


class ReverseStep(nn.Module):
    """The fp32 tables of one schedule, on the model's device but not in its checkpoint."""

    times: Tensor
    signal: Tensor
    noise: Tensor
    from_x: Tensor
    from_noise: Tensor
    lowest: Tensor
    highest: Tensor
    first: Tensor
    second: Tensor

    def __init__(self, schedule: NoiseSchedule):
        super().__init__()
        lowest, highest = schedule.variance_bounds()
        first, second = schedule.posterior_weights()
        tables = {
            "times": schedule.times,
            "signal": schedule.kept.sqrt(),
            "noise": (1 - schedule.kept).sqrt(),
            "from_x": (1 / schedule.kept).sqrt(),
            "from_noise": (1 / schedule.kept - 1).sqrt(),
            "lowest": lowest,
            "highest": highest,
            "first": first,
            "second": second,
        }
        for name, table in tables.items():
            self.register_buffer(name, table.float(), persistent=False)

    def diffuse(self, latents: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """x_t of latents x_0 [..., latent] at steps [...]"""
        return self.signal[step][..., None] * latents + self.noise[step][..., None] * noise

    def posterior_mean(self, x: Tensor, latents: Tensor, step: Tensor) -> Tensor:
        return self.first[step][..., None] * latents + self.second[step][..., None] * x

    def predict(self, x: Tensor, output: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of x_(t-1) from the network's output (noise, where between the bounds)."""
        noise, mix = output.chunk(2, dim=-1)
        latents = self.from_x[step][..., None] * x - self.from_noise[step][..., None] * noise
        share = (mix + 1) / 2
        log_variance = share * self.highest[step][..., None] + (1 - share) * self.lowest[step][..., None]
        return self.posterior_mean(x, latents, step), log_variance


class DiffusionHead(nn.Module):
    def __init__(self, hidden_size: int, latent_size: int, num_blocks: int, num_steps: int):
        super().__init__()
        self.latent_size, self.num_steps = latent_size, num_steps
        self.net = Denoiser(hidden_size, latent_size, 2 * latent_size, num_blocks)
        self.training_steps = ReverseStep(NoiseSchedule.cosine())
        self.sampling_steps = ReverseStep(NoiseSchedule.cosine(num_steps))

    def start(self) -> None:
        self.net.start_at_zero()

    def draw_noise(
        self, *shape: int, device: torch.device | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """The start, then what each step adds."""
        return torch.randn(*shape, 1 + self.num_steps, self.latent_size, device=device, generator=generator)

    def forward(self, hidden: Tensor, noise: Tensor) -> Tensor:
        """hidden [..., h], noise [N, ..., 1 + steps, latent] -> latents [N, ..., latent]"""
        embedded, x = self.net.embed(hidden), noise[..., 0, :]
        tables = self.sampling_steps
        for i, index in enumerate(reversed(range(self.num_steps))):
            step = torch.tensor(index, device=x.device)
            x, log_variance = tables.predict(x, self.net(x, tables.times[step], embedded), step)
            if index > 0:
                x = x + (0.5 * log_variance).exp() * noise[..., 1 + i, :]
        return x

    def loss(self, hidden: Tensor, targets: Tensor, largest_weight: float = 1.0) -> Tensor:
        """The hybrid loss of improved DDPM: hidden [..., h], targets [N, ..., latent] -> [...].

        Squared error of the noise at a uniform step, plus the variational bound of that step in bits a dimension,
        whose gradient reaches the variance only. The squared error counts noise / signal times, between 1 and
        `largest_weight`: with the published weight 1 a small model never learns the first steps of the sampler, which
        multiply its error by several hundred.
        """
        tables = self.training_steps
        step = torch.randint(TRAINING_STEPS, targets.shape[:-1], device=targets.device)
        noise = torch.randn_like(targets)
        x = tables.diffuse(targets, noise, step)
        output = self.net(x, tables.times[step], self.net.embed(hidden))
        predicted, mix = output.chunk(2, dim=-1)
        frozen = torch.cat([predicted.detach(), mix], dim=-1)
        bound = variational_bound(tables, targets, x, frozen, step)
        weight = (tables.noise / tables.signal).pow(2).clamp(1.0, largest_weight)[step]
        return (weight * (predicted - noise).pow(2).mean(-1) + bound).mean(0)


def variational_bound(tables: ReverseStep, latents: Tensor, x: Tensor, output: Tensor, step: Tensor) -> Tensor:
    """KL(q(x_(t-1) | x_t, x_0) || p(x_(t-1) | x_t)) in bits a dimension; at step 0 the density of x_0 itself.

    The published code scores step 0 as an 8-bit image would be; latents are not quantized, so the Gaussian density
    stands here.
    """
    true_mean, true_log_variance = tables.posterior_mean(x, latents, step), tables.lowest[step][..., None]
    mean, log_variance = tables.predict(x, output, step)
    # At step 0 the posterior is a point: its own terms drop out of the divergence, which leaves the density.
    at_start = (step == 0)[..., None]
    spread = torch.where(at_start, 0.0, (true_log_variance - log_variance).exp())
    own = torch.where(at_start, -math.log(2 * math.pi), 1 + true_log_variance)
    nats = 0.5 * (log_variance - own + spread + (true_mean - mean).pow(2) * (-log_variance).exp())
    return nats.mean(-1) / math.log(2)
