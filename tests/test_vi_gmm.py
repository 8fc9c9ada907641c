"""The variational mixture against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.mixture import BayesianGaussianMixture

from gen_models.base import Draws
from gen_models.mixtures._gaussians import FLOOR
from gen_models.mixtures.vi_gmm import STATE, VIGMM, prior_covariance, started, stepped

ARGUMENTS = dict(size=16, channels=1, latent_dim=3, components=6, concentration=0.01)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """300 soft pictures of three kinds."""
    generator = torch.Generator().manual_seed(0)
    middles = 0.5 + 0.02 * torch.randn(3, 1, 16, 16, generator=generator)
    ways = 0.02 * torch.randn(4, 256, generator=generator)
    kinds = torch.randint(0, 3, (300,), generator=generator)
    soft = torch.randn(300, 4, generator=generator) @ ways
    return (middles[kinds] + soft.view(-1, 1, 16, 16)).clamp(0, 1)


def after(images: torch.Tensor, steps: int, **changes: object) -> tuple[VIGMM, list[dict[str, float]]]:
    """A mixture after so many iterations, and what the log showed."""
    model = VIGMM(**ARGUMENTS | changes)
    iterations = model.fit(images, torch.zeros(len(images), 1), 0)
    return model.eval(), [next(iterations) for _ in range(steps)]


@pytest.fixture(scope="module")
def model(images) -> VIGMM:
    return after(images, 15)[0]


def reference(points: np.ndarray, components: int, concentration: float, steps: int, seed: int = 0) -> BayesianGaussianMixture:
    """scikit-learn's own fit in one go."""
    return BayesianGaussianMixture(
        n_components=components, reg_covar=0.0, weight_concentration_prior_type="dirichlet_distribution",
        weight_concentration_prior=concentration, covariance_prior=prior_covariance(points, FLOOR), tol=0, max_iter=steps,
        random_state=seed,
    ).fit(points)  # fmt: skip


def test_the_fit_is_scikit_learns(model, images):
    points = model.encode(images).double().numpy()
    wanted = reference(points, 6, 0.01, 15)
    assert model.weights.numpy() == pytest.approx(wanted.weights_, abs=1e-3)
    assert model.means.numpy() == pytest.approx(wanted.means_, abs=2e-3)
    assert (model.scales @ model.scales.transpose(1, 2)).numpy() == pytest.approx(wanted.covariances_, abs=1e-3)
    assert model.degrees.numpy() == pytest.approx(wanted.degrees_of_freedom_, rel=1e-2)
    found = model.expected_log_density(images).double().numpy()
    assert found == pytest.approx(wanted.score_samples(points), abs=2e-2)
    assert found.mean() == pytest.approx(wanted.score(points), abs=5e-3)
    assert model.responsibilities(images).numpy() == pytest.approx(wanted.predict_proba(points), abs=1e-2)


def test_iterations_one_by_one_are_the_fit_in_one_go():
    chance = np.random.default_rng(3)
    points = np.concatenate([chance.normal(middle, 0.3, (50, 2)) for middle in ((0, 0), (2, 0), (0, 2))])
    now = started(points, 8, 0.1, 4, FLOOR)
    for steps in range(1, 12):
        now = stepped(points, {name: getattr(now, name) for name in STATE}, 0.1, FLOOR)
        wanted = reference(points, 8, 0.1, steps, seed=4)
        assert now.lower_bound_ == pytest.approx(wanted.lower_bound_, rel=1e-9)
        assert now.weights_ == pytest.approx(wanted.weights_, abs=1e-9)


@pytest.mark.parametrize("concentration", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_never_falls(concentration, seed):
    chance = np.random.default_rng(seed)
    points = chance.normal(size=(int(chance.integers(12, 80)), 2)) * chance.uniform(0.01, 3, 2)
    now, bounds = started(points, 10, concentration, seed, FLOOR), []
    for _ in range(40):
        now = stepped(points, {name: getattr(now, name) for name in STATE}, concentration, FLOOR)
        bounds.append(now.lower_bound_)
    assert (np.diff(bounds) > -1e-8 * np.abs(bounds[0])).all()


def test_the_bound_in_the_log_rises_too(images):
    _, log = after(images, 20)
    bounds = np.array([entry["bound"] for entry in log])
    assert (np.diff(bounds) > -1e-3).all()  # the state is kept in single precision
    assert bounds[-1] > bounds[0] + 1


def test_a_small_concentration_leaves_fewer_gaussians(images):
    thrifty, log = after(images, 60, components=10, concentration=0.001)
    generous, _ = after(images, 60, components=10, concentration=100.0)
    used = int((thrifty.counts >= 1).sum())
    assert used == log[-1]["used"] < 10
    assert thrifty.weights[thrifty.counts < 1].max() < 0.01
    assert int((generous.counts >= 1).sum()) == 10 and generous.weights.min() > 0.03


def test_what_bounds_the_predictive_density_lies_below_it(model, images):
    """By Jensen's inequality; the mixture of expectations is near the predictive density where there are many pictures."""
    assert model.expected_log_density(images).mean() < model.log_density(images).mean()


def test_samples_come_from_the_expected_mixture(model):
    coordinates = model.encode(model.sample(Draws(1, 5000)))
    wanted = model.weights / model.weights.sum() @ model.means
    assert torch.allclose(coordinates.mean(dim=0), wanted, atol=0.05 * float(model.variances.max().sqrt()))
