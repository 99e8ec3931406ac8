"""The losses of the flow and diffusion heads: against distributions, against closed forms, and by learning."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from calm_train.calm_training import draw_posterior, head_loss
from calm_train.models.calm import Calm
from calm_train.models.diffusion_head import DiffusionHead, variational_bound
from calm_train.models.diffusion_schedule import NoiseSchedule, respaced
from calm_train.models.flow_head import FlowHead
from calm_train.models.heads import HeadShape, build_head
from calm_train.models.layers import initialize
from calm_train.sections import CalmSection


def fresh(kind: str, steps: int) -> FlowHead | DiffusionHead:
    torch.manual_seed(0)
    head = build_head(HeadShape(kind, noise_size=0, num_mlp_layers=2, num_steps=steps), hidden_size=32, latent_size=2)
    assert isinstance(head, FlowHead | DiffusionHead)
    initialize(head, embedding_std=1.0)
    head.start()
    return head


def two_modes(side: Tensor) -> Tensor:
    """Latents near (side, +1) or (side, -1), at random."""
    sign = torch.randint(2, side.shape) * 2.0 - 1
    return torch.stack([side, sign], dim=-1) + 0.1 * torch.randn(*side.shape, 2)


@pytest.mark.parametrize(("kind", "steps"), [("flow", 8), ("diffusion", 250)])
def test_learns_a_conditional_distribution_with_two_modes(kind: str, steps: int):
    head = fresh(kind, steps)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3)
    rate = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, 400)
    for _ in range(400):
        side = torch.randint(2, (32,)) * 2.0 - 1
        hidden = side[:, None].expand(-1, 32)
        targets = torch.stack([two_modes(side) for _ in range(8)])
        loss = head.loss(hidden, targets) if kind == "flow" else head.loss(hidden, targets, largest_weight=1000)
        optimizer.zero_grad()
        loss.mean().backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        rate.step()
    with torch.no_grad():
        hidden = torch.tensor([-1.0, 1.0])[:, None].expand(-1, 32)
        draws = head(hidden, head.draw_noise(500, 2))
    for column, side in enumerate((-1.0, 1.0)):
        x, y = draws[:, column].unbind(-1)
        assert float((x - side).abs().median()) < 0.2
        assert float((y.abs() - 1).abs().median()) < 0.25
        # One of 500 fair coins in 10,000 leaves this band by chance; a head that knows one mode leaves it always.
        assert 0.35 < float((y > 0).float().mean()) < 0.65
    lower, upper = draws[:, 1, 0].quantile(torch.tensor([0.25, 0.75])).tolist()
    assert 0.05 < upper - lower < 0.4


def test_an_untrained_flow_head_pays_the_second_moment_of_the_velocity():
    head = fresh("flow", 4)
    targets = 3 + 0.5 * torch.randn(4000, 10, 2)
    loss = head.loss(torch.randn(10, 32), targets).mean()
    # The velocity is target - noise with mean 3 and variance 0.25 + 1.
    assert loss.item() == pytest.approx(9 + 1.25, rel=0.02)


def test_diffused_latents_keep_unit_variance():
    head = fresh("diffusion", 10)
    latents, noise = torch.randn(1000, 1000, 1), torch.randn(1000, 1000, 1)
    x = head.training_steps.diffuse(latents, noise, torch.arange(1000))
    torch.testing.assert_close(x.var(dim=(0, 2)), torch.ones(1000), rtol=0, atol=0.3)
    assert float((x[:, -1] - noise[:, -1]).abs().max()) < 0.05
    assert float((x[:, 0] - latents[:, 0]).abs().max()) < 0.1


def test_bound_is_the_divergence_and_at_the_first_step_the_density():
    head = fresh("diffusion", 10)
    tables, generator = head.training_steps, torch.Generator().manual_seed(0)
    step = torch.tensor([0, 1, 500, 999])
    latents, noise, output = (torch.randn(4, size, generator=generator).double() for size in (2, 2, 4))
    x = tables.diffuse(latents, noise, step)
    mean, log_variance = tables.predict(x, output, step)
    model = Normal(mean, (0.5 * log_variance).exp())
    posterior = Normal(tables.posterior_mean(x, latents, step), (0.5 * tables.lowest[step][:, None]).exp())
    expected = kl_divergence(posterior, model)
    expected[0] = -model.log_prob(latents)[0]
    bound = variational_bound(tables, latents, x, output, step)
    torch.testing.assert_close(bound, expected.mean(-1) / math.log(2), rtol=1e-4, atol=1e-6)


def test_bound_teaches_the_variance_alone():
    head = fresh("diffusion", 10)
    seen = []
    head.net.final_layer.linear.register_full_backward_hook(lambda _, __, out: seen.append(out[0].clone()))
    targets = torch.zeros(1, 5, 2)
    torch.manual_seed(0)
    head.loss(torch.randn(5, 32), targets).sum().backward()
    torch.manual_seed(0)
    torch.randn(5, 32), torch.randint(1000, (1, 5))
    noise = torch.randn(1, 5, 2)
    # An untrained network predicts no noise: the squared error's gradient is -2 noise / 2, and nothing is added.
    torch.testing.assert_close(seen[0][..., :2], -noise)
    assert (seen[0][..., 2:] != 0).all()


def test_sampling_visits_evenly_spaced_steps_and_keeps_their_noise_levels():
    times = respaced(100)
    assert times[:6] == [0, 10, 20, 30, 40, 50]
    assert times[-6:] == [949, 959, 969, 979, 989, 999]
    whole, part = NoiseSchedule.cosine(), NoiseSchedule.cosine(100)
    torch.testing.assert_close(torch.cumprod(1 - part.betas, 0), whole.kept[times], rtol=1e-9, atol=0)
    assert float(whole.betas.max()) == pytest.approx(0.999)


def test_flow_times_are_the_published_ones():
    head = fresh("flow", 10)
    assert [head.times(i) for i in (0, 1, 9)] == [(0, 50), (100, 150), (900, 950)]


def test_drawn_targets_of_the_energy_loss_agree_with_their_expectation(calm: Calm):
    torch.manual_seed(0)
    hidden, mean, log_std = torch.randn(300, 32), torch.randn(300, 8), torch.full((300, 8), -1.2)
    with torch.no_grad():
        exact, drawn = (
            head_loss(calm, hidden, mean, log_std, CalmSection(num_samples=8, posterior_samples=m)).mean()
            for m in (0, 100)
        )
    assert float(drawn) == pytest.approx(float(exact), rel=0.02)
    assert draw_posterior(mean, log_std, 3).shape == (3, 300, 8)
