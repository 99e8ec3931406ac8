"""The energy loss against values that the official code computed, and against known expectations."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from calm_train.energy import energy_loss, expected_distance, sampled_distance

GOLDEN = load_file(Path(__file__).parent / "data" / "math.safetensors")


@pytest.mark.parametrize(("beta", "name"), [(1.0, "energy_score_beta1"), (1.5, "energy_score_beta1_5")])
def test_matches_the_official_energy_score(beta: float, name: str):
    samples, mean, log_std = GOLDEN["energy_x"], GOLDEN["energy_mean"], GOLDEN["energy_log_std"]
    targets = mean + log_std.exp() * GOLDEN["energy_y_eps"]
    loss = energy_loss(samples, sampled_distance(samples, targets, beta), beta)
    # The official score is the negative loss: larger is better.
    torch.testing.assert_close(loss, -GOLDEN[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.6])
def test_closed_form_expectation_matches_many_draws(beta: float, sigma: float):
    """Within 4e-4, which the closed form leaves out, and five standard errors of the draws: a false alarm in 1.7
    million comparisons."""
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(1, 32, generator=generator)
    samples = mean + 0.5 * torch.randn(4, 1, 32, generator=generator)
    targets = mean + sigma * torch.randn(50_000, 1, 32, generator=generator)
    closed = expected_distance(samples, mean, torch.full((1, 32), math.log(sigma)), beta)
    drawn = sampled_distance(samples, targets, beta)
    single = (samples - targets[None, :, 0]).norm(dim=-1) ** beta
    error = single.std(1, keepdim=True) / math.sqrt(len(targets))
    assert (error < 1e-3 * drawn).all()
    assert ((closed - drawn).abs() < 4e-4 * drawn + 5 * error).all()


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("count", [2, 8])
def test_is_unbiased_in_the_number_of_samples(count: int, beta: float):
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(count, 40_000, 1, generator=generator)
    targets = torch.randn(4, 40_000, 1, generator=generator)
    losses = energy_loss(samples, sampled_distance(samples, targets, beta), beta)
    # For N(0, 1) against itself the loss is E|X - X'|^beta, with X - X' from N(0, 2).
    expected = 2**beta * math.gamma((1 + beta) / 2) / math.sqrt(math.pi)
    error = float(losses.std()) / math.sqrt(len(losses))
    assert error < 0.02
    # Four standard errors: one seed in 16,000 would fail.
    assert abs(float(losses.mean()) - expected) < 4 * error


def test_has_a_gradient_where_all_samples_coincide():
    samples = torch.zeros(8, 3, 16, requires_grad=True)
    mean = torch.ones(3, 16)
    energy_loss(samples, expected_distance(samples, mean, torch.zeros(3, 16))).sum().backward()
    assert torch.isfinite(samples.grad).all()
    assert samples.grad.abs().sum() > 0
