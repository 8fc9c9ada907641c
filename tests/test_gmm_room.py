"""The Gaussian mixture's room without a browser: EM in the plane, and clusters of pictures."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
import torch
from conftest import refusal
from sklearn.mixture import GaussianMixture

from demos import gmm
from demos._families import clusters, planes
from demos._kit.pictures import to_pil
from gen_models import Draws, catalog, load

WEIGHTS = "gmm-mnist"


@pytest.fixture
def stocked(shelf):
    """A small mixture."""
    generator = torch.Generator().manual_seed(0)
    model = catalog.model_class("gmm")(size=28, channels=1, latent_dim=5, components=4)
    model.set_buffers(
        basis=torch.linalg.qr(torch.randn(784, 5, generator=generator))[0].T, variances=[4.0, 3.0, 2.0, 1.0, 0.5], kept=0.5,
        weights=[0.4, 0.2, 0.3, 0.1], means=torch.randn(4, 5, generator=generator),
        scales=torch.randn(4, 5, 5, generator=generator).tril(-1) * 0.2 + torch.eye(5),
    )  # fmt: skip
    catalog.save(model, shelf / WEIGHTS, {"model": "gmm", "data": "mnist"})


@pytest.mark.parametrize("points", planes.PRESETS)
@pytest.mark.parametrize("components, seed", [(1, 0), (3, 5), (8, 0)])
def test_the_bound_never_falls_and_is_scikit_learns(points, components, seed):
    there, found = planes.unpack(points), gmm.walk(points, components, seed)
    assert (np.diff(found.bounds) >= 0).all() and 1 <= found.last <= gmm.MAX_STEPS
    first, last = gmm.start(there, components, seed), found.mixtures[-1]
    reference = GaussianMixture(
        components, reg_covar=gmm.FLOOR, tol=0, max_iter=found.last, weights_init=first.weights, means_init=first.means,
        precisions_init=np.linalg.inv(first.covariances),
    ).fit(there)  # fmt: skip
    assert found.bounds[-1] == pytest.approx(reference.score(there), abs=1e-6)
    assert last.weights == pytest.approx(reference.weights_, abs=1e-4)
    assert last.means == pytest.approx(reference.means_, abs=1e-4)
    assert last.responsibilities(there) == pytest.approx(reference.predict_proba(there), abs=1e-3)
    for mixture, bound in zip(found.mixtures, found.bounds, strict=True):
        assert np.logaddexp.reduce(mixture.log_joint(there), axis=1).mean() == pytest.approx(bound, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_never_falls_on_points_that_are_hard(seed):
    """Few points, equal points, points on a line: there the Gaussians shrink until their floor holds them."""
    chance = np.random.default_rng(seed)
    count = int(chance.integers(2, 12))
    points = chance.random((count, 2)) * (1, 0.7)
    points[:, 1] = 0.3 if seed % 3 == 0 else points[:, 1]
    points[: count // 2 + 1] = points[0] if seed % 4 == 0 else points[: count // 2 + 1]
    found = gmm.walk(planes.pack(points), int(chance.integers(1, min(count, 8) + 1)), seed)
    assert (np.diff(found.bounds) >= 0).all()
    assert all(np.linalg.eigvalsh(mixture.covariances).min() > 0 for mixture in found.mixtures)


def test_blobs_are_found_and_a_seed_decides_the_start():
    middles = np.array([(0.2, 0.5), (0.48, 0.2), (0.78, 0.5), (0.47, 0.53)])
    best = max((gmm.walk("Blobs", 4, seed) for seed in range(6)), key=lambda walk: walk.bounds[-1])
    distances = np.linalg.norm(best.mixtures[-1].means[:, None] - middles[None], axis=2)
    assert sorted(distances.argmin(axis=1)) == [0, 1, 2, 3] and distances.min(axis=1).max() < 0.03
    starts = [gmm.board("Rings", 3, seed, 0, False).html() for seed in (7, 7, 8)]
    assert starts[0] == starts[1] != starts[2]


def test_before_the_first_iteration_nothing_is_fitted(monkeypatch):
    monkeypatch.setattr(gmm, "walk", None)
    plain, new = (gmm.board("Blobs", 4, 0, 0, shown) for shown in (False, True))
    assert "<ellipse" in plain.html() and 'class="drawn"' not in plain.html() and 'class="drawn"' in new.html()
    assert "Press Run EM" in plain.note and plain.sets == {"step": {"value": 0}}


def test_a_run_shows_what_the_iterations_do():
    frames, last = list(gmm.run("Moons", 3, 2, 3, False)), gmm.walk("Moons", 3, 2).last
    assert [frame.step for frame in frames[:3]] == [4, 5, 6] and frames[-1].step == last and "Converged" in frames[-1].note
    assert frames[0].html() == gmm.board("Moons", 3, 2, 4, False).html() and frames[0].sets == {"step": dict(value=4, maximum=last)}
    assert frames[-1].html() == gmm.board("Moons", 3, 2, gmm.MAX_STEPS, False).html()
    assert "there are none" in refusal(gmm.run, "", 3, 2, 3, False) and "there are none" in refusal(gmm.fit, "", 3, 2, 3)
    assert gmm.fit("Moons", 3, 2, 4).json()["log_density"] == list(gmm.walk("Moons", 3, 2).bounds[:5])


def test_a_thousand_points_and_eight_components_are_done_soon():
    points = np.random.default_rng(0).random((1000, 2)) * (1, 0.7)
    started = time.process_time()
    assert gmm.walk(planes.pack(points), 8, 0).last > 50
    assert time.process_time() - started < 20


def test_both_kinds_of_pictures_are_the_models(stocked):
    model = load(WEIGHTS)
    with torch.no_grad():
        wanted = model.sample(Draws(3, 16), spread=0.5), model.sample_of_one(Draws(3, 16), 0.5)
    for part, pictures in zip(gmm.both(WEIGHTS, 3, 0.5).parts, wanted, strict=True):
        for found, picture in zip(part.pictures, pictures, strict=True):
            assert np.abs(np.asarray(to_pil(found), int) - np.asarray(to_pil(picture), int)).max() <= 1


def test_clusters_are_ranked_and_open_and_a_picture_finds_its_own(stocked):
    found = clusters.clusters(WEIGHTS)
    assert found.captions == ["40.0 %", "30.0 %", "20.0 %", "10.0 %"] and found.indices == [0, 2, 1, 3]
    opened = clusters.inside(2, WEIGHTS, 0).html()
    assert "Cluster 2, 30.0 % of the pictures" in opened and opened.count("<img") == 8 * 4
    assert refusal(clusters.inside, 4, WEIGHTS, 0).startswith("Cluster must be a number")
    model = load(WEIGHTS)
    with torch.no_grad():
        words = clusters.look(WEIGHTS, to_pil(model.decode(model.means[3:])[0]).convert("RGB")).html()
    assert "its cluster: 3" in words and re.search(r"one Gaussian</td><td>−?[\d,.]+ nats", words)
