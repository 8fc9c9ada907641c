"""The GAN, its sibling among points, the point VAE, and training in memory: what they promise beyond the contract."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import build, training_batch

from gen_models.autoencoders.vae import PointVAE
from gen_models.base import Draws
from gen_models.gans.gan import GAN, PointGAN
from gen_models.live import Diverged, Live
from gen_models.losses import gaussian_kl
from gen_models.measures.parzen import WIDTHS, parzen


@pytest.fixture
def model() -> GAN:
    return build("gan")


def circle(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of points on a circle."""
    angles = torch.rand(64, generator=torch.Generator().manual_seed(step)) * 2 * math.pi
    return torch.stack([0.6 * angles.cos(), 0.6 * angles.sin()], dim=1), torch.zeros(64, 0)


# ---- losses -----------------------------------------------------------------------------------------------------------


def test_the_losses_are_those_of_the_paper(model):
    real = training_batch(model)[0]
    torch.manual_seed(1)
    terms = model.judging(real)
    torch.manual_seed(1)
    with torch.no_grad():
        fake = model.generator(model.noise(len(real)))
        chances = torch.sigmoid(model.scores(real)), torch.sigmoid(model.scores(fake))
    assert terms["real"].item() == pytest.approx(float(-chances[0].log().mean()), abs=1e-5)
    assert terms["fake"].item() == pytest.approx(float(-(1 - chances[1]).log().mean()), abs=1e-5)
    found = {}
    for model.saturating in (False, True):
        torch.manual_seed(1)
        found[model.saturating] = model.fooling(len(real))["fool"].item()
    assert found[False] == pytest.approx(float(-chances[1].log().mean()), abs=1e-5)
    assert found[True] == pytest.approx(float((1 - chances[1]).log().mean()), abs=1e-5)


def test_the_penalty_is_half_the_squared_slope_at_real_points():
    torch.manual_seed(0)
    model = PointGAN(penalty=3.0)
    points, _ = circle(0)
    steepness = model.judging(points)["penalty"].item()
    step, slopes = 1e-3, []
    with torch.no_grad():
        for axis in torch.eye(2):
            slopes.append((model.scores(points + step * axis) - model.scores(points - step * axis)) / (2 * step))
    assert steepness == pytest.approx(float(1.5 * torch.stack(slopes).square().sum(dim=0).mean()), rel=0.05)


def test_generator_steps_are_as_many_as_asked_for(model):
    model.generator_steps = 3
    assert [name for name, _ in model.training_step(training_batch(model))] == ["discriminator", *["generator"] * 3]
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_in_company_a_batch_of_copies_is_told_from_a_varied_one():
    torch.manual_seed(0)
    model = PointGAN(minibatch=True)
    points, _ = circle(0)
    copies = points[:1].expand(64, -1)
    assert not torch.allclose(model.scores(copies)[:1], model.scores(points)[:1])
    model.minibatch = False
    assert torch.allclose(model.scores(copies)[:1], model.scores(points)[:1], atol=1e-6)


def test_a_score_in_given_company_does_not_depend_on_the_batch(model):
    pictures = torch.rand(6, 1, 16, 16)
    company = torch.rand(9, 1, 16, 16)
    assert torch.allclose(model.score(pictures, company)[2:3], model.score(pictures[2:3], company), atol=1e-5)


# ---- training in memory -----------------------------------------------------------------------------------------------


def weights_of(live: Live) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in live.model.parameters()])


def test_the_same_seed_gives_the_same_run_whatever_else_draws():
    runs = []
    for disturbed in (False, True):
        live = Live(PointGAN, circle, seed=3)
        for _ in range(5):
            if disturbed:
                torch.randn(7)
            live.step()
        runs.append(weights_of(live))
    other = Live(PointGAN, circle, seed=4)
    assert torch.equal(*runs)
    assert not torch.equal(weights_of(other), weights_of(Live(PointGAN, circle, seed=3)))


def test_training_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(5)
    wanted = torch.randn(3)
    torch.manual_seed(5)
    Live(PointGAN, circle, seed=3).step()
    assert torch.equal(torch.randn(3), wanted)


@pytest.mark.parametrize("only, other", [("discriminator", "generator"), ("generator", "discriminator")])
def test_a_step_of_one_network_leaves_the_other_alone(only, other):
    live = Live(lambda: PointGAN(minibatch=True), circle, seed=0)

    def now(name: str) -> torch.Tensor:
        return torch.cat([value.detach().clone().flatten() for value in getattr(live.model, name).parameters()])

    before = now(only), now(other)
    live.step(only)
    assert not torch.equal(before[0], now(only)) and torch.equal(before[1], now(other))
    assert list(live.losses) == [only] and live.steps == 1
    with pytest.raises(KeyError):
        live.step("nobody")


def test_a_rate_beyond_reason_diverges_in_one_sentence():
    live = Live(PointGAN, circle, seed=0)
    live.set_rate(10.0)
    with pytest.raises(Diverged, match=r"^The loss of the (generator|discriminator) is [^\n]+: lower the learning rate[^\n]+\.$"):
        for _ in range(200):
            live.step()


def test_it_trains_within_inference_mode():
    with torch.inference_mode():  # as behind the door of the page
        live = Live(PointGAN, circle, seed=0)
        before = weights_of(live).clone()
        live.step()
        assert not torch.equal(before, weights_of(live))


# ---- the VAE among points ---------------------------------------------------------------------------------------------


def test_the_point_vaes_loss_is_its_bound_and_its_density_adds_up_to_one():
    torch.manual_seed(0)
    model = PointVAE()
    with torch.no_grad():
        model.log_spread.fill_(-1.5)
    points, labels = circle(0)
    ((name, terms),) = model.training_step((points, labels))
    mean, log_variance = model.encoder(points).chunk(2, dim=1)
    assert name == "both"
    assert terms["kl"].item() == pytest.approx(gaussian_kl(mean, log_variance).sum(dim=1).mean().item(), rel=1e-4)
    z = torch.randn(64, model.latent_dim)
    wanted = torch.distributions.Normal(model.decoder(z), math.exp(-1.5)).log_prob(points).sum(dim=1)
    assert torch.allclose(model.log_likelihood_given(points, z), wanted, atol=1e-4)
    ticks = torch.linspace(-4, 4, 161)
    grid = torch.cartesian_prod(ticks, ticks)
    with torch.no_grad():
        assert float(model.density(grid, Draws(0, 32)).sum()) * 0.05**2 == pytest.approx(1, abs=0.01)
        assert model.sample(Draws(0, 5)).shape == (5, 2)


# ---- the paper's measure ----------------------------------------------------------------------------------------------


def test_the_parzen_window_is_a_mixture_of_gaussians():
    generator = torch.Generator().manual_seed(0)
    samples, points = torch.rand(7, 5, generator=generator), torch.rand(3, 5, generator=generator)
    found = parzen(samples, points, WIDTHS[:2])
    assert found.shape == (2, 3)
    for row, width in zip(found, WIDTHS, strict=False):
        parts = torch.distributions.Normal(samples.double(), width).log_prob(points[:, None].double()).sum(dim=2)
        assert torch.allclose(row, torch.logsumexp(parts, dim=1) - math.log(7), atol=1e-3)
