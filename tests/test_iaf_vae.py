"""The inverse autoregressive flow: its order, its determinant, and what a variant of the VAE must not inherit."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import build

from gen_models.autoencoders.iaf_vae import IAFVAE, Step
from gen_models.base import Draws
from gen_models.layers import from_unit
from gen_models.losses import standard_normal_log_density


@pytest.mark.parametrize("reverse", [False, True])
def test_a_step_reads_the_latents_before_it_only_and_knows_its_determinant(reverse):
    torch.manual_seed(3)
    step = Step(5, context=3, width=23, reverse=reverse)
    z, context = torch.randn(5), torch.randn(1, 3)
    jacobian = torch.autograd.functional.jacobian(lambda z: step(z[None], context)[0][0], z)
    ordered = jacobian.flip(0, 1) if reverse else jacobian
    assert torch.equal(ordered.triu(1), torch.zeros(5, 5)) and (ordered.tril(-1)[1:, 0] != 0).all()
    assert torch.allclose(jacobian.slogdet().logabsdet, step(z[None], context)[1].sum(), atol=1e-5)
    moved = torch.autograd.functional.jacobian(lambda context: step(z[None], context)[0][0], context)
    assert (moved.abs().sum(dim=(1, 2)) > 0).all(), "a latent does not hear the context"


@torch.no_grad()
def test_the_posterior_is_a_density():
    """Over two latents it adds up to one: q(z|x) of each cell of the noise, times the area that the cell has among the latents."""
    torch.manual_seed(2)
    model = IAFVAE(size=16, channels=1, width=8, latent_dim=2, flows=2, flow_width=9, context=4).eval()
    for step in model.flow:
        step.last.weight.mul_(20), step.context.weight.mul_(4)
    parameters = model.encode_parameters(from_unit(model.seen(torch.rand(1, 1, 16, 16))))
    axis = torch.linspace(-6, 6, 241)
    noise = torch.cartesian_prod(axis, axis)
    z, log_density = model.transform(noise, *(part.expand(len(noise), -1) for part in parameters))
    grid = z.view(241, 241, 2)
    down, across = grid[1:, :-1] - grid[:-1, :-1], grid[:-1, 1:] - grid[:-1, :-1]
    area = (down[..., 0] * across[..., 1] - down[..., 1] * across[..., 0]).abs()
    mass = (log_density.sum(dim=1).exp().view(241, 241)[:-1, :-1] * area).sum()
    assert math.isclose(float(mass), 1, abs_tol=0.03)


def test_without_steps_it_is_the_vae_that_it_varies():
    torch.manual_seed(0)
    model = IAFVAE(size=16, channels=1, width=8, latent_dim=3, flows=0, context=4).eval()
    images = model.seen(torch.rand(4, 1, 16, 16))
    mean, log_variance, context = model.encode_parameters(from_unit(images))
    z, log_density = model.transform(torch.randn(4, 3), mean, log_variance, context)
    gaussian = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    assert torch.allclose(log_density, gaussian.log_prob(z), atol=1e-5)


def test_free_bits_are_the_least_that_a_latent_costs():
    model = build("iaf_vae")
    batch = torch.rand(4, *model.training_shape) * 2 - 1, torch.zeros(4, 1)
    torch.manual_seed(0)
    (_, paid), = model.training_step(batch)
    model.free_bits = 1000.0
    torch.manual_seed(0)
    (_, free), = model.training_step(batch)
    assert free["kl"].item() == 1000.0 * model.latent_dim and torch.equal(free["reconstruction"], paid["reconstruction"])


@torch.no_grad()
def test_what_it_inherits_takes_the_draws_through_the_flow():
    model = build("iaf_vae")
    images = model.seen(torch.rand(3, *model.image_shape))
    z, log_density = model.transform(Draws(5, 3).normal(1, 6)[:, 0], *model.encode_parameters(from_unit(images)))
    wanted = model.log_likelihood_given(from_unit(images), z) + (standard_normal_log_density(z) - log_density).sum(dim=1)
    assert torch.allclose(model.log_importance_weights(images, Draws(5, 3), 1)[:, 0], wanted, rtol=1e-4)
    gaussian = model.encode_parameters(from_unit(images))[0]
    assert not torch.allclose(model.encode(images), gaussian, atol=0.05), "its mean is that before the flow"
