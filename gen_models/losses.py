"""Loss and likelihood functions that several models share; plain functions, no modes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu, softplus


def hinge_real(scores: Tensor) -> Tensor:
    """Hinge loss of a discriminator on real pictures (Lim and Ye 2017, eq. 11)."""
    return relu(1.0 - scores).mean()


def hinge_fake(scores: Tensor) -> Tensor:
    """Hinge loss of a discriminator on generated pictures."""
    return relu(1.0 + scores).mean()


def standard_normal_log_density(values: Tensor) -> Tensor:
    """log N(values; 0, 1) in nats, elementwise."""
    return -0.5 * (values.square() + math.log(2 * math.pi))


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) in nats, elementwise (Kingma 2013, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


def bernoulli_log_likelihood(images: Tensor, logits: Tensor) -> Tensor:
    """log p(x) in nats of binary pictures (..., C, H, W) in {0, 1}, summed over pixels."""
    return -(softplus(logits) - images * logits).sum(dim=(-3, -2, -1))


def logistic_log_likelihood(images: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log p(x) in nats of 8-bit pictures under a discretised logistic (Kingma 2016, section 4 and appendix), summed over pixels.

    ``images`` and ``mean`` are (..., C, H, W) in [-1, 1], levels 2/255 apart; the two end levels take the whole tail.
    """
    inverse_scale = torch.exp(-log_scale)
    half = 1.0 / 255.0
    upper = (images - mean + half) * inverse_scale
    lower = (images - mean - half) * inverse_scale
    # log(sigmoid(upper) - sigmoid(lower)), written so that neither tail loses its digits
    between = -softplus(-upper) - softplus(lower) + torch.log(-torch.expm1(-2 * half * inverse_scale))
    inside = torch.where(images > 0.999, logsigmoid(-lower), between)
    return torch.where(images < -0.999, logsigmoid(upper), inside).sum(dim=(-3, -2, -1))
