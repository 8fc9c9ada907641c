"""The variational mixture's room without a browser."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import refusal

from demos import vi_gmm
from demos._families import clusters, planes
from gen_models import Draws, catalog, load

WEIGHTS = "vi_gmm-mnist"
LOW, HIGH = vi_gmm.LOW, vi_gmm.HIGH


def test_samples_and_weights_are_the_models(shelf):
    generator = torch.Generator().manual_seed(0)
    model = catalog.model_class("vi_gmm")(size=28, channels=1, latent_dim=5, components=4, concentration=0.5)
    model.set_buffers(
        basis=torch.linalg.qr(torch.randn(784, 5, generator=generator))[0].T, variances=[4.0, 3.0, 2.0, 1.0, 0.5], kept=0.5,
        weights=[0.5, 0.001, 0.3, 0.2], concentrations=[500.0, 0.5, 300.0, 200.0], degrees=[505.0, 5.0, 305.0, 205.0],
        means=torch.randn(4, 5, generator=generator),
    )  # fmt: skip
    catalog.save(model, shelf / WEIGHTS, {"model": "vi_gmm", "data": "mnist"})
    with torch.no_grad():
        assert torch.allclose(vi_gmm.sample(WEIGHTS, 3, 16).pictures, load(WEIGHTS).sample(Draws(3, 16)), atol=1e-5)
    shown = vi_gmm.weighed_samples(WEIGHTS, 3).html()
    assert "3 of 4 Gaussians are used" in shown and shown.count('"unused"') == 1 and 'aria-label="sample 15"' in shown
    found = clusters.clusters(WEIGHTS)  # one of them holds no pictures
    assert found.indices == [0, 2, 3, 1] and found.faded == [1]


@pytest.mark.parametrize("points", planes.PRESETS)
@pytest.mark.parametrize("power", [LOW, 0.0, HIGH])
def test_the_bound_never_falls(points, power):
    found = vi_gmm.walk(points, 8, power, 1)
    assert (np.diff(found.bounds) > -1e-9 * abs(found.bounds[0])).all() and 1 <= found.last <= vi_gmm.MAX_STEPS
    for count, mixture in zip(found.counts, found.mixtures, strict=True):
        assert count.sum() == pytest.approx(len(planes.unpack(points)))
        assert mixture.weights == pytest.approx((count + 10.0**power) / (count + 10.0**power).sum())


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_never_falls_on_points_that_are_hard(seed):
    chance = np.random.default_rng(seed)
    count = int(chance.integers(2, 12))
    points = chance.random((count, 2)) * (1, 0.7)
    points[:, 1] = 0.3 if seed % 3 == 0 else points[:, 1]
    points[:] = points[0] if seed % 4 == 0 else points
    found = vi_gmm.walk(planes.pack(points), int(chance.integers(1, count + 1)), float(chance.choice([LOW, 0, HIGH])), seed)
    assert (np.diff(found.bounds) > -1e-9 * max(abs(found.bounds[0]), 1)).all()
    assert all(np.linalg.eigvalsh(mixture.covariances).min() > 0 for mixture in found.mixtures)


def test_four_blobs_keep_four_components_and_the_others_fade():
    found = vi_gmm.walk("Blobs", 10, LOW, 0)
    used = found.counts[-1] >= 1
    assert used.sum() == 4 and (vi_gmm.walk("Blobs", 10, HIGH, 0).counts[-1] >= 1).all()
    middles = np.array([(0.2, 0.5), (0.48, 0.2), (0.78, 0.5), (0.47, 0.53)])
    distances = np.linalg.norm(found.mixtures[-1].means[used][:, None] - middles[None], axis=2)
    assert sorted(distances.argmin(axis=1)) == [0, 1, 2, 3] and distances.min(axis=1).max() < 0.03
    shown = vi_gmm.board("Blobs", 10, LOW, 0, vi_gmm.MAX_STEPS)
    assert 'data-used="4"' in shown.html() and shown.html().count("unused") == 6 and "4 of 10 components have points." in shown.note


def test_a_run_shows_what_the_iterations_do():
    frames, last = list(vi_gmm.run("Moons", 6, LOW, 2, 0)), vi_gmm.walk("Moons", 6, LOW, 2).last
    steps = [frame.step for frame in frames]
    assert steps[:2] == [0, 1] and steps[-1] == last and steps == sorted(set(steps))
    assert frames[1].html() == vi_gmm.board("Moons", 6, LOW, 2, 1).html()
    assert next(vi_gmm.run("Moons", 6, LOW, 2, last)).step == 0  # at rest it begins anew
    assert vi_gmm.follow(3) == {"step": vi_gmm.MAX_STEPS} and vi_gmm.follow(0) == {"step": 0}
    assert "there are none" in refusal(vi_gmm.run, "", 6, LOW, 2, 0)
    assert vi_gmm.fit("Moons", 6, 10**LOW, 2, 200).json()["bound"] == list(vi_gmm.walk("Moons", 6, LOW, 2).bounds)


def test_before_the_first_iteration_nothing_is_fitted(monkeypatch):
    monkeypatch.setattr(vi_gmm, "walk", None)
    shown = vi_gmm.board("Blobs", 5, LOW, 0, 0).html()
    assert "<ellipse" not in shown and shown.count("20.0 %") == 5
    assert "Click on the board" in vi_gmm.board("", 5, LOW, 0, 0).note
