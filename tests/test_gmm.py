"""The Gaussian mixture and what all mixtures share, against scikit-learn and scipy."""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.mixture import GaussianMixture

from gen_models import catalog, train
from gen_models.base import Draws, Recipe
from gen_models.data import load_data
from gen_models.measures._measure import FULL
from gen_models.measures.likelihood import density_measures
from gen_models.mixtures._gaussians import FLOOR, log_gaussians
from gen_models.mixtures.gmm import GMM, stepped

ARGUMENTS = dict(size=16, channels=1, latent_dim=4, components=3)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """300 soft pictures of three kinds, far from black and white."""
    generator = torch.Generator().manual_seed(0)
    middles = 0.5 + 0.01 * torch.randn(3, 1, 16, 16, generator=generator)
    ways = 0.02 * torch.randn(6, 256, generator=generator)
    kinds = torch.randint(0, 3, (300,), generator=generator)
    soft = torch.randn(300, 6, generator=generator) @ ways
    return (middles[kinds] + soft.view(-1, 1, 16, 16)).clamp(0, 1)


@pytest.fixture(scope="module")
def model(images) -> GMM:
    """A mixture after twelve iterations."""
    model = GMM(**ARGUMENTS)
    steps = model.fit(images, torch.zeros(300, 1), 0)
    for _ in range(12):
        next(steps)
    return model.eval()


# ---- fitting ----------------------------------------------------------------------------------------------------------


def test_the_fit_is_scikit_learns(model, images):
    points = model.encode(images).double().numpy()
    # as many iterations as it likes to no tolerance would be other ones: the same twelve, from the same k-means
    reference = GaussianMixture(3, reg_covar=FLOOR, tol=0, max_iter=12, random_state=0).fit(points)
    assert model.weights.numpy() == pytest.approx(reference.weights_, abs=1e-4)
    assert model.means.numpy() == pytest.approx(reference.means_, abs=1e-3)
    covariances = (model.scales @ model.scales.transpose(1, 2)).numpy()
    assert covariances == pytest.approx(reference.covariances_, abs=1e-4)
    found = model.log_density(images).double().numpy()
    assert found == pytest.approx(reference.score_samples(points), abs=5e-3)
    assert found.mean() == pytest.approx(reference.score(points), abs=1e-3)
    assert model.responsibilities(images).numpy() == pytest.approx(reference.predict_proba(points), abs=2e-3)


def test_the_log_density_never_falls(images):
    model = GMM(**ARGUMENTS)
    steps = model.fit(images, torch.zeros(300, 1), 0)
    bounds = [next(steps)["log-density"] for _ in range(25)]
    assert (np.diff(bounds) > -1e-6).all(), bounds  # the state is kept in single precision
    assert bounds[-1] > bounds[0] + 0.01
    assert bounds[-1] == pytest.approx(float(model.log_density(images).mean()), abs=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_an_iteration_of_scikit_learns_never_lowers_the_density(seed):
    chance = np.random.default_rng(seed)
    points = np.concatenate([chance.normal(middle, 0.3, (40, 2)) for middle in chance.normal(size=(4, 2))])
    state = np.full(4, 0.25), points[:4], np.repeat(np.eye(2)[None], 4, axis=0)
    bounds = []
    for _ in range(30):
        found = stepped(points, *state, 0.0)
        bounds.append(found.lower_bound_)
        state = found.weights_, found.means_, found.covariances_
    assert (np.diff(bounds) > -1e-9).all()
    densities = stats.multivariate_normal
    first = np.mean(np.log(sum(0.25 * densities.pdf(points, points[k], np.eye(2)) for k in range(4))))
    assert bounds[0] == pytest.approx(first)


def test_the_coordinates_are_the_principal_ones(model, images):
    flat = images.flatten(1).double()
    values, vectors = np.linalg.eigh(np.cov(flat.numpy().T))
    assert model.variances.numpy() == pytest.approx(values[::-1][:4] + FLOOR, rel=1e-3)
    assert np.abs(model.basis.double().numpy() @ vectors[:, ::-1][:, :4]) == pytest.approx(np.eye(4), abs=1e-3)
    assert float(model.kept) == pytest.approx(values[::-1][:4].sum() / values.sum(), abs=1e-4)
    coordinates = model.encode(images)
    assert torch.allclose(model.encode(model.decode(coordinates)), coordinates, atol=1e-3)


# ---- densities --------------------------------------------------------------------------------------------------------


def test_log_gaussians_are_scipys():
    chance = np.random.default_rng(1)
    points, means = chance.normal(size=(7, 3)), chance.normal(size=(2, 3))
    roots = np.tril(chance.normal(size=(2, 3, 3))) + 2 * np.eye(3)
    found = log_gaussians(*(torch.from_numpy(values) for values in (points, means, roots)))
    for k in range(2):
        wanted = stats.multivariate_normal.logpdf(points, means[k], roots[k] @ roots[k].T)
        assert found[:, k].numpy() == pytest.approx(wanted)


def test_one_gaussian_is_the_one_fitted_to_all_pictures(model, images):
    points = model.encode(images).double().numpy()
    assert points.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-5)
    wanted = stats.multivariate_normal.logpdf(points, np.zeros(4), np.cov(points.T) + FLOOR * np.eye(4))
    assert model.log_density_of_one(images).double().numpy() == pytest.approx(wanted, abs=1e-2)
    assert model.log_density(images).mean() > wanted.mean() + 0.02


# ---- pictures ---------------------------------------------------------------------------------------------------------


def test_samples_have_the_moments_of_the_mixture(model):
    coordinates = model.encode(model.sample(Draws(3, 6000)))
    weights = model.weights / model.weights.sum()
    middle = weights @ model.means
    assert torch.allclose(coordinates.mean(dim=0), middle, atol=0.03)
    within = model.scales @ model.scales.transpose(1, 2)
    between = (model.means - middle)[:, :, None] * (model.means - middle)[:, None]
    wanted = (weights[:, None, None] * (within + between)).sum(dim=0)
    assert torch.allclose(coordinates.T.cov(), wanted, atol=0.1 * float(wanted.diagonal().max()))


def test_a_row_is_the_same_picture_whether_its_gaussian_is_drawn_or_given(model):
    chosen = model.choose(Draws(5, 40))
    together = model.sample(Draws(5, 40))
    assert set(chosen.tolist()) == {0, 1, 2}
    for row in range(40):
        alone = model.sample(Draws(5, 1, first=row), component=int(chosen[row]))
        assert torch.allclose(alone[0], together[row], atol=1e-5)


def test_gaussians_are_chosen_by_their_weights(model):
    counts = torch.bincount(model.choose(Draws(1, 4000)), minlength=3) / 4000
    assert torch.allclose(counts, model.weights / model.weights.sum(), atol=0.03)


def test_without_spread_a_sample_is_the_middle_of_its_gaussian(model):
    still = model.sample(Draws(2, 3), component=1, spread=0.0)
    assert torch.allclose(still, model.decode(model.means[1:2]).expand_as(still), atol=1e-6)
    assert torch.allclose(model.sample_of_one(Draws(2, 2), 0.0), model.mean.view(1, 1, 16, 16).expand(2, -1, -1, -1), atol=1e-6)


def test_directions_take_the_covariance_apart(model):
    deviations, ways = model.directions(2)
    assert (deviations.diff() <= 0).all()
    assert torch.allclose(ways @ ways.T, torch.eye(4), atol=1e-5)
    again = (ways.T * deviations.square()) @ ways
    assert torch.allclose(again, model.scales[2] @ model.scales[2].T, atol=1e-5)


# ---- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(shelf, data_folder, tmp_path, monkeypatch):
    """Train a small mixture by the command line; returns the exit status."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    recipe = Recipe(steps=6, ema=0, precision="no", arguments=ARGUMENTS | dict(size=28))
    monkeypatch.setattr(GMM, "recipes", {"mnist": recipe, "folder": recipe})

    def run(*words: str, out: str = "run") -> int:
        return train.main(["gmm-mnist", *words, "--data-dir", str(data_folder), "--out", str(tmp_path / out), "--cpu"])

    yield run
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_mixture_is_trained_stopped_and_resumed_like_the_others(command, tmp_path, monkeypatch, capsys):
    assert command(out="straight") == 0
    update = train.Fitting.update

    def interrupted(self, check=True):
        if self.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return update(self, check)

    with monkeypatch.context() as patch:
        patch.setattr(train.Fitting, "update", interrupted)
        assert command(out="halves") == 130
    assert "--resume" in capsys.readouterr().err
    assert torch.load(tmp_path / "halves" / train.CHECKPOINT, weights_only=True)["step"] == 3
    assert command("--resume", out="halves") == 0
    folders = [tmp_path / name / "weights" for name in ("straight", "halves")]
    assert len({catalog.sha256(folder / "model.safetensors") for folder in folders}) == 1
    assert all((folder / "samples.png").is_file() for folder in folders)
    facts = json.loads((folders[0] / "config.json").read_text(encoding="utf-8"))["training"]
    assert facts["steps"] == 6 and facts["batch_size"] == facts["training_pictures"] > 250
    found = catalog.read(folders[0])
    assert found.sample(Draws(0, 2)).shape == (2, 1, 28, 28)


def test_an_iteration_is_left_at_once_and_done_again(command, tmp_path, monkeypatch):
    """One may take a minute."""
    assert command(out="straight") == 0
    fit, sent = GMM.fit, []

    def endless(self, images, labels, seed):
        steps = fit(self, images, labels, seed)
        yield next(steps)
        yield next(steps)
        self.weights.mul_(0.5)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)

    with monkeypatch.context() as patch:
        patch.setattr(GMM, "fit", endless)
        assert command(out="halves") == 130
    assert time.monotonic() - sent[0] < 2
    assert torch.load(tmp_path / "halves" / train.CHECKPOINT, weights_only=True)["step"] == 2
    assert command("--resume", out="halves") == 0
    assert len({catalog.sha256(tmp_path / name / "weights" / "model.safetensors") for name in ("straight", "halves")}) == 1


def test_pictures_that_are_fitted_at_once_are_not_shared(command, capsys):
    assert command("--accumulate", "2") == 1
    assert "is fitted to all pictures at once; start it as one process, without --accumulate" in capsys.readouterr().err


def test_too_few_pictures_end_the_command_in_one_sentence(command, own_folder, tmp_path, monkeypatch, capsys):
    recipe = Recipe(steps=2, ema=0, precision="no", arguments=ARGUMENTS | dict(components=99))
    monkeypatch.setattr(GMM, "recipes", {"folder": recipe})
    assert command("--data", f"folder:{own_folder}") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and "too few" in error and "100 or more" in error


def test_its_density_is_measured_with_its_protocol(model, data_folder):
    test = load_data("mnist", "test", 16, data_folder)
    mixture, one = density_measures(model, test, FULL)
    pictures = test.unit()
    assert mixture.value == pytest.approx(float(model.log_density(pictures).mean()), rel=1e-4)
    assert one.value == pytest.approx(float(model.log_density_of_one(pictures).mean()), rel=1e-4)
    assert (mixture.key, one.key, mixture.better) == ("density", "density-one", "higher")
    assert "60 pictures" in mixture.protocol and "4 principal coordinates" in mixture.protocol


# ---- completing -------------------------------------------------------------------------------------------------------


def in_one(model: GMM, pixels: torch.Tensor, known: torch.Tensor) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Weights, means and covariances of the coordinates given known pixels, from the joint Gaussians (Bishop 2006, eq. 2.81)."""
    basis, mean = model.basis.double().numpy(), model.mean.double().numpy()
    noise, weights, means, covariances = float(model.left_out()), [], [], []
    for weight, middle, scale in zip(model.weights, model.means.double().numpy(), model.scales.double().numpy(), strict=True):
        own = scale @ scale.T
        across, seen = own @ basis[:, known], basis[:, known].T @ own @ basis[:, known] + noise * np.eye(int(known.sum()))
        expected = mean[known] + basis[:, known].T @ middle
        gain = across @ np.linalg.inv(seen)
        weights.append(np.log(float(weight)) + stats.multivariate_normal.logpdf(pixels[known], expected, seen))
        means.append(middle + gain @ (pixels[known].numpy() - expected))
        covariances.append(own - gain @ across.T)
    shares = np.exp(np.array(weights) - max(weights))
    return shares / shares.sum(), means, covariances


@pytest.fixture(scope="module")
def half_known(images) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture and what is unknown of it: all but a corner, so that more than one Gaussian may have made it."""
    unknown = torch.ones(16, 16, dtype=torch.bool)
    unknown[:3, :4] = False
    return images[5:6], unknown


def test_a_completion_is_a_draw_from_the_joint_gaussian(model, half_known):
    picture, unknown = half_known
    shares, means, covariances = in_one(model, picture.flatten().double(), ~unknown.flatten())
    assert np.sort(shares)[-2] > 0.02, "two Gaussians must have a say"
    made = model.complete(Draws(0, 4000), picture, unknown)
    assert torch.equal(made[..., ~unknown], picture.expand(4000, -1, -1, -1)[..., ~unknown])
    hole = unknown.flatten().numpy()
    basis = model.basis.double().numpy()
    middle = sum(share * mean for share, mean in zip(shares, means, strict=True))
    spread = sum(
        share * (covariance + np.outer(mean - middle, mean - middle))
        for share, mean, covariance in zip(shares, means, covariances, strict=True)
    )
    wanted = model.mean.double().numpy() + basis.T @ middle
    deviation = np.sqrt(np.diag(basis.T @ spread @ basis))
    found = made.flatten(1).double().numpy()
    assert np.abs((found.mean(axis=0) - wanted)[hole] / deviation[hole]).max() < 5 / np.sqrt(4000)
    assert np.abs(found.std(axis=0)[hole] / deviation[hole] - 1).max() < 0.1


def test_with_nothing_known_a_completion_is_the_sample(model, images):
    made = model.complete(Draws(3, 20), images[:1], torch.ones(16, 16, dtype=torch.bool))
    assert torch.allclose(made, model.sample(Draws(3, 20)), atol=1e-5)


def test_what_is_left_out_is_the_mean_of_the_other_variances(model, images):
    values = torch.linalg.eigvalsh(images.flatten(1).T.cov().double()).flip(0)
    assert float(model.left_out()) == pytest.approx(max(float(values[4:].mean()), FLOOR), rel=0.25)
