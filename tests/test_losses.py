from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

from gen_models.losses import bernoulli_log_likelihood, gaussian_kl, hinge_fake, hinge_real, logistic_log_likelihood

LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def log_mass(mean: float, log_scale: float) -> torch.Tensor:
    """Log-probability of each of the 256 levels."""
    mean = torch.tensor(mean, dtype=torch.float64)
    return logistic_log_likelihood(LEVELS.view(256, 1, 1, 1), mean, torch.tensor(log_scale, dtype=torch.float64))


@pytest.mark.parametrize("mean", [-1.5, -1.0, -0.3, 0.0, 0.004, 0.99, 1.0, 3.0])
@pytest.mark.parametrize("log_scale", [-6.0, -3.0, -1.0, 0.0, 2.0])
def test_the_discretised_logistic_sums_to_one(mean, log_scale):
    mass = log_mass(mean, log_scale)
    assert torch.isfinite(mass).all()
    assert abs(mass.exp().sum() - 1) < 1e-9


def test_the_discretised_logistic_is_the_difference_of_two_sigmoids():
    scale, mean = 0.1, 0.2
    mass = log_mass(mean, torch.tensor(scale).double().log().item()).exp()
    middle = LEVELS[100]
    wanted = torch.sigmoid((middle - mean + 1 / 255) / scale) - torch.sigmoid((middle - mean - 1 / 255) / scale)
    assert torch.allclose(mass[100], wanted, rtol=1e-9)
    assert torch.allclose(mass[0], torch.sigmoid((LEVELS[0] - mean + 1 / 255) / scale), rtol=1e-9)
    assert torch.allclose(mass[255], torch.sigmoid(-(LEVELS[255] - mean - 1 / 255) / scale), rtol=1e-9)


def test_the_discretised_logistic_in_training_precision_has_tails_and_gradients():
    images = LEVELS.float().view(1, 1, 16, 16)
    mean = torch.full_like(images, 0.9).requires_grad_(True)
    log_scale = torch.full((1, 1, 1), -6.0, requires_grad=True)
    value = logistic_log_likelihood(images, mean, log_scale)
    exact = logistic_log_likelihood(images.double(), mean.double(), log_scale.double())
    assert value.shape == (1,)
    assert torch.allclose(value.double(), exact, rtol=1e-4)
    value.sum().backward()
    assert torch.isfinite(mean.grad).all()
    assert torch.isfinite(log_scale.grad).all()
    assert mean.grad[0, 0, 0, 0] < 0  # the darkest pixel pulls the mean down


def test_likelihoods_sum_over_pixels_only():
    images = torch.rand(3, 2, 4, 5)
    assert logistic_log_likelihood(images * 2 - 1, torch.zeros(()), torch.zeros(2, 1, 1)).shape == (3,)
    assert bernoulli_log_likelihood(images.round(), torch.zeros(3, 2, 4, 5)).shape == (3,)


def test_bernoulli_is_minus_the_cross_entropy():
    images, logits = torch.rand(3, 1, 4, 4).round(), 20 * torch.randn(3, 1, 4, 4)
    found = bernoulli_log_likelihood(images, logits)
    wanted = -binary_cross_entropy_with_logits(logits, images, reduction="none").sum(dim=(1, 2, 3))
    assert torch.allclose(found, wanted, rtol=1e-5)
    assert torch.allclose(found, Bernoulli(logits=logits).log_prob(images).sum(dim=(1, 2, 3)), rtol=1e-5)


def test_gaussian_kl():
    mean, log_variance = torch.randn(5, 3).double(), torch.randn(5, 3).double()
    wanted = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(torch.zeros_like(mean), torch.ones_like(mean)))
    assert torch.allclose(gaussian_kl(mean, log_variance), wanted)
    assert gaussian_kl(torch.zeros(2), torch.zeros(2)).abs().max() == 0


def test_hinge():
    scores = torch.tensor([-2.0, 0.0, 0.5, 3.0])
    assert hinge_real(scores) == pytest.approx((3 + 1 + 0.5 + 0) / 4)
    assert hinge_fake(scores) == pytest.approx((0 + 1 + 1.5 + 4) / 4)
