from __future__ import annotations

import math

import pytest
import torch
from conftest import build
from torch import nn

from gen_models.autoencoders.vae import VAE
from gen_models.base import Draws
from gen_models.layers import from_unit
from gen_models.losses import logistic_log_likelihood

KINDS = {
    "binary": dict(binary=True, width=16, latent_dim=3),
    "residual": dict(binary=False, width=4, latent_dim=3, residual=True, components=2),
}


@pytest.fixture(params=["grey", *KINDS])
def model(request) -> VAE:
    if request.param == "grey":
        return build("vae")
    torch.manual_seed(0)
    return VAE(size=16, channels=1, **KINDS[request.param]).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(6, 1, 16, 16)


def bound(model: VAE, images: torch.Tensor, draws: Draws, samples: int) -> torch.Tensor:
    likelihood, kl = model.evidence(images, draws, samples)
    return likelihood - kl.sum(dim=1)


@torch.no_grad()
def test_importance_sampling_is_above_the_lower_bound(model, images):
    images = model.seen(images)  # already black and white, so that both see the same picture
    weighted = model.log_likelihood(images, Draws(1, 6), samples=200)
    lower = torch.stack([bound(model, images, Draws(seed, 6), 200) for seed in range(2, 6)])
    assert weighted.shape == (6,)
    noise = 5 * lower.std(dim=0).max()
    assert (weighted >= lower.mean(dim=0) - noise).all()
    assert weighted.mean() > lower.mean()
    few = torch.stack([model.log_likelihood(images, Draws(seed, 6), samples=1).mean() for seed in range(20)])
    assert few.mean() < weighted.mean()


@torch.no_grad()
def test_with_one_sample_the_estimate_is_the_bound_of_that_sample(model, images):
    """log p(x|z) + log p(z) - log q(z|x) at the z that the draws give, written out with torch's own distributions."""
    images = model.seen(images)
    draws = Draws(4, 6)
    if model.binary:
        draws.uniform(1, 16, 16)
    mean, spread = model.posterior(images)
    z = mean + spread * draws.normal(model.latent_dim)
    normal = torch.distributions.Normal
    wanted = model.log_likelihood_given(from_unit(images), z)
    wanted = wanted + normal(0.0, 1.0).log_prob(z).sum(1) - normal(mean, spread).log_prob(z).sum(1)
    assert torch.allclose(model.log_likelihood(images, Draws(4, 6), samples=1), wanted, rtol=1e-4, atol=1e-2)


@torch.no_grad()
def test_importance_sampling_finds_the_integral():
    """A decoder that does not read z: p(x) is known, whatever the encoder says."""
    model = build("vae")
    last = model.decoder[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(model.encoder[-1].weight)
    model.encoder[-1].bias.copy_(torch.tensor([0.4] * 6 + [-0.4] * 6))  # near the prior, but not the prior
    images = model.seen(torch.rand(4, 1, 16, 16))
    exact = model.log_likelihood_given(from_unit(images), torch.zeros(4, model.latent_dim))
    found = model.log_likelihood(images, Draws(0, 4), samples=400)
    assert (found - exact).abs().max() < 0.2
    lower = bound(model, images, Draws(1, 4), 20)
    assert torch.allclose(exact - lower, torch.full((4,), 6 * 0.5 * (0.16 + math.exp(-0.4) - 1 + 0.4)), atol=1e-2)


@torch.no_grad()
def test_the_evidence_adds_up(model, images):
    likelihood, kl = model.evidence(images, Draws(2, 6), samples=8)
    assert likelihood.shape == (6,)
    assert kl.shape == (6, model.latent_dim)
    assert (kl >= 0).all()
    mean, spread = model.posterior(images)
    wanted = 0.5 * (mean**2 + spread**2 - 1) - spread.log()
    assert torch.allclose(kl, wanted, atol=1e-5)
    noise = Draws(2, 6).normal(8, model.latent_dim)
    seen = from_unit(model.seen(images))
    by_hand = torch.stack([model.log_likelihood_given(seen, mean + spread * noise[:, k]) for k in range(8)]).mean(dim=0)
    assert torch.allclose(likelihood, by_hand, rtol=1e-4)


@torch.no_grad()
def test_a_picture_alone_has_the_likelihood_it_has_among_others(model, images):
    many = model.log_likelihood(images, Draws(3, 6), samples=5)
    assert torch.allclose(model.log_likelihood(images[4:5], Draws(3, 1, first=4), samples=5), many[4:5], rtol=1e-4)


def test_what_a_binary_model_sees():
    model = VAE(size=16, channels=1, binary=True, width=4, latent_dim=2)
    grey = torch.linspace(0, 1, 256).view(1, 1, 16, 16)
    assert torch.equal(model.seen(grey), (grey > 0.5).float())
    thrown = torch.cat([model.seen(grey, Draws(seed, 1)) for seed in range(400)])
    assert set(thrown.unique().tolist()) == {0.0, 1.0}
    assert (thrown.mean(dim=0) - grey[0]).abs().max() < 0.12
    assert thrown[:, 0, 0, 0].max() == 0  # black stays black, white stays white
    assert thrown[:, 0, 15, 15].min() == 1


def test_what_a_grey_model_sees_has_256_levels():
    model = build("vae")
    images = torch.rand(2, 1, 16, 16)
    seen = model.seen(images)
    assert torch.equal((seen * 255).round() / 255, seen)
    assert (seen - images).abs().max() <= 0.5 / 255 + 1e-6


@torch.no_grad()
def test_encode_and_decode(model, images):
    latents = model.encode(images)
    assert latents.shape == (6, model.latent_dim)
    assert torch.equal(latents, model.posterior(images)[0])
    pictures = model.decode(latents)
    assert pictures.shape == images.shape
    assert pictures.min() >= 0
    assert pictures.max() <= 1


@torch.no_grad()
def test_finish_orders_the_latents_by_what_they_say(model, images):
    assert model.latent_kl.abs().max() == 0
    model.finish(images, [images])
    assert torch.allclose(model.latent_kl, model.evidence(images, Draws(0, 6), 1)[1].mean(dim=0), atol=1e-5)
    assert math.isfinite(float(model.latent_kl.sum()))


@torch.no_grad()
def test_samples_are_of_the_mixture_that_was_fitted_to_codes_and_the_priors_are_a_choice():
    """Codes of two kinds of pictures, dark and light: the mixture has both clusters, the prior neither."""
    torch.manual_seed(0)
    model = VAE(size=16, channels=1, binary=False, width=4, latent_dim=2, residual=True, components=2).eval()
    flat = nn.Sequential(nn.Flatten(), nn.Linear(256, 4))
    nn.init.zeros_(flat[1].weight)
    flat[1].weight[0] = 1 / 64  # the mean of latent 0: -4 for black, 4 for white
    flat[1].bias.copy_(torch.tensor([0.0, 1.0, -4.0, -4.0]))
    model.encoder = flat
    images = torch.cat([torch.zeros(300, 1, 16, 16), torch.ones(100, 1, 16, 16)])
    model.finish(images, images.split(150))
    drawn = model.latents(Draws(1, 4000))
    assert float((drawn[:, 0] < 0).float().mean()) == pytest.approx(0.75, abs=0.03)
    assert torch.allclose(drawn[:, 0].abs(), torch.full((4000,), 4.0), atol=1.0)
    assert float(drawn[:, 1].mean()) == pytest.approx(1, abs=0.05)
    assert float(drawn[:, 1].std()) == pytest.approx(math.exp(-2), rel=0.1)
    assert torch.equal(model.latents(Draws(1, 1, first=7)), drawn[7:8])
    assert torch.allclose(model.sample(Draws(1, 3)), model.decode(drawn[:3]), atol=1e-5)
    assert torch.equal(model.latents(Draws(1, 3), prior=True), Draws(1, 3).normal(2))
    assert torch.allclose(model.sample_prior(Draws(1, 3)), model.decode(Draws(1, 3).normal(2)), atol=1e-5)


@torch.no_grad()
def test_a_residual_decoder_says_the_scale_of_each_value():
    model = VAE(size=16, channels=3, binary=False, width=4, latent_dim=3, residual=True).eval()
    mean, log_scale = model.paint(torch.randn(5, 3))
    assert mean.shape == log_scale.shape == (5, 3, 16, 16)
    assert log_scale.min() >= -5 and log_scale.max() <= 1 and log_scale.std() > 0
    images, z = torch.rand(5, 3, 16, 16) * 2 - 1, torch.randn(5, 3)
    one_by_one = logistic_log_likelihood(*(part.reshape(-1, 1, 1, 1) for part in (images, *model.paint(z))))
    assert torch.allclose(model.log_likelihood_given(images, z), one_by_one.view(5, -1).sum(dim=1), rtol=1e-4)
