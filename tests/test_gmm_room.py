"""The Gaussian mixture's room without a browser: EM in the plane, pictures of heaps, and what both refuse."""

from __future__ import annotations

import math
import re
import time

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal
from sklearn.mixture import GaussianMixture

from demos import _room, gmm
from demos._families import clusters, planes
from demos._families.planes import OWN
from gen_models import Draws, catalog, load

WEIGHTS = "gmm-mnist"


@pytest.fixture
def stocked(shelf):
    """A small mixture and a sheet of pictures."""
    generator = torch.Generator().manual_seed(0)
    for data in ("mnist", "fashion"):
        model = catalog.model_class("gmm")(size=28, channels=1, latent_dim=5, components=4)
        model.take(
            basis=torch.linalg.qr(torch.randn(784, 5, generator=generator))[0].T, variances=[4.0, 3.0, 2.0, 1.0, 0.5], kept=0.5,
            weights=[0.4, 0.3, 0.2, 0.1], means=torch.randn(4, 5, generator=generator),
            scales=torch.randn(4, 5, 5, generator=generator).tril(-1) * 0.2 + torch.eye(5),
        )  # fmt: skip
        catalog.save(model, shelf / f"gmm-{data}", {"model": "gmm", "data": data})
        (shelf / f"dcgan-{data}").mkdir()
        noise = np.random.default_rng(1).integers(0, 256, (8 * 28, 8 * 28), np.uint8)
        PIL.Image.fromarray(noise).save(shelf / f"dcgan-{data}" / "samples.png")
    gmm.one_gaussian.cache_clear()
    yield shelf
    gmm.one_gaussian.cache_clear()


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Nobody watches."""
    monkeypatch.setattr(gmm, "FRAME", 0.0)
    gmm.walk.cache_clear()


def own(*points: tuple[float, float]) -> str:
    return planes.pack(np.array(points).reshape(-1, 2))


# ---- EM ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", planes.PRESETS)
@pytest.mark.parametrize("components", [1, 3, 8])
@pytest.mark.parametrize("seed", [0, 5])
def test_the_bound_never_falls_and_is_scikit_learns(text, components, seed):
    points = planes.unpack(text)
    found = gmm.walk(text, components, seed)
    assert (np.diff(found.bounds) >= 0).all()
    assert 1 <= found.last <= gmm.MAX_STEPS
    first = gmm.start(points, components, seed)
    reference = GaussianMixture(
        components, reg_covar=gmm.FLOOR, tol=0, max_iter=found.last, weights_init=first.weights, means_init=first.means,
        precisions_init=np.linalg.inv(first.covariances),
    ).fit(points)  # fmt: skip
    last = found.mixtures[-1]
    assert found.bounds[-1] == pytest.approx(reference.score(points), abs=1e-6)
    assert last.weights == pytest.approx(reference.weights_, abs=1e-4)
    assert last.means == pytest.approx(reference.means_, abs=1e-4)
    assert last.responsibilities(points) == pytest.approx(reference.predict_proba(points), abs=1e-3)
    for mixture, bound in zip(found.mixtures, found.bounds, strict=True):
        joint = mixture.log_joint(points)
        assert np.logaddexp.reduce(joint, axis=1).mean() == pytest.approx(bound, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_never_falls_on_points_that_are_hard(seed):
    """Few points, equal points, points on a line: there the Gaussians shrink until their floor holds them."""
    chance = np.random.default_rng(seed)
    count = int(chance.integers(2, 12))
    points = chance.random((count, 2)) * (1, 0.7)
    if seed % 3 == 0:
        points[:, 1] = 0.3
    if seed % 4 == 0:
        points[: count // 2 + 1] = points[0]
    found = gmm.walk(planes.pack(points), int(chance.integers(1, min(count, 8) + 1)), seed)
    assert (np.diff(found.bounds) >= 0).all()
    for mixture in found.mixtures:
        assert np.isfinite(mixture.means).all() and np.linalg.eigvalsh(mixture.covariances).min() > 0
        assert mixture.weights.sum() == pytest.approx(1)


def test_blobs_are_found():
    """Four clouds, and from some start EM finds each."""
    middles = np.array([(0.2, 0.5), (0.48, 0.2), (0.78, 0.5), (0.47, 0.53)])
    best = max((gmm.walk("Blobs", 4, seed) for seed in range(6)), key=lambda walk: walk.bounds[-1])
    distances = np.linalg.norm(best.mixtures[-1].means[:, None] - middles[None], axis=2)
    assert sorted(distances.argmin(axis=1)) == [0, 1, 2, 3] and distances.min(axis=1).max() < 0.03


def test_a_seed_decides_the_start():
    assert gmm.begin("Rings", 3, 7, False)[0] == gmm.begin("Rings", 3, 7, False)[0]
    assert gmm.begin("Rings", 3, 7, False)[0] != gmm.begin("Rings", 3, 8, False)[0]


# ---- what the page shows ----------------------------------------------------------------------------------------------


def test_steps_runs_and_scrubs_agree():
    last = gmm.walk("Moons", 3, 2).last
    frames = list(gmm.run("Moons", 3, 2, 0, False))
    assert len(frames) == last
    assert frames[0][0] == gmm.one_step("Moons", 3, 2, 0, False)[0] == gmm.scrub("Moons", 3, 2, 1, False)[0]
    assert frames[-1][0] == gmm.scrub("Moons", 3, 2, gmm.MAX_STEPS, False)[0] == gmm.one_step("Moons", 3, 2, last, False)[0]
    assert "At rest" in frames[-1][2] and "Iteration 1 of" in frames[0][2]
    assert [frame[3]["value"] for frame in frames] == list(range(1, last + 1))
    again = list(gmm.run("Moons", 3, 2, last, False))  # at rest it begins anew
    assert again[0][3]["value"] == 0 and len(again) == last + 1
    assert next(gmm.run("Moons", 3, 2, 4, False))[3]["value"] == 5


def test_a_run_that_is_stopped_does_no_more():
    running = gmm.run("Moons", 3, 2, 0, False)
    next(running)
    running.close()
    assert list(running) == []


def test_before_the_first_iteration_scikit_learn_is_not_asked(monkeypatch):
    monkeypatch.setattr(gmm, "walk", None)
    for found in (gmm.begin("Blobs", 4, 0, True), gmm.restored_plane("Blobs", 4, 0, 0, False)):
        assert found[1] == "" and found[3]["value"] == 0
        assert "<ellipse" in found[0]
    assert 'class="drawn"' in gmm.begin("Blobs", 4, 0, True)[0] and 'class="drawn"' not in gmm.begin("Blobs", 4, 0, False)[0]


def test_points_are_picked_clicked_and_pasted():
    text, board, *_ = gmm.pick_points("Rings", 2, 0, False)
    assert text == "Rings" and 'data-count="300"' in board
    text, board, curve, words, step = gmm.pick_points(OWN, 2, 0, False)
    assert text == "" and 'data-count="0"' in board and curve == "" and step["value"] == 0
    assert "Click on the board" in words
    event = gr.EventData(None, {"points": [[0.2, 0.2], [0.8, 0.8]]})
    text, choice, board, *_ = gmm.add_points(event, text, 2, 0, False)
    assert choice == OWN and 'data-count="2"' in board and "<ellipse" in board
    text, choice, board, _, words, _ = gmm.paste_points("1 1\n9 9\n5 1", 2, 0, False)
    assert choice == OWN and 'data-count="3"' in board and "moved and scaled" in words


@pytest.mark.parametrize("verb", [gmm.run, gmm.scrub, gmm.one_step])
@pytest.mark.parametrize("text, components, said", [("", 1, "there are none"), (own((0.5, 0.5)), 1, "there is one"),
                                                    (own((0.5, 0.5), (0.1, 0.1)), 3, "there are 2")])  # fmt: skip
def test_too_few_points_are_told_and_the_board_stays(verb, text, components, said):
    assert said in refusal(verb, text, components, 0, 0, False)
    assert "<circle" in gmm.plane(text, components, 0, 0, False)[0] or not text


@pytest.mark.parametrize(
    "values, said",
    [
        (("Blobs", 0, 0, 0, False), "Components"), (("Blobs", 9, 0, 0, False), "Components"),
        (("Blobs", "3", 0, 0, False), "Components"),
        (("Blobs", math.nan, 0, 0, False), "Components"), (("Blobs", 3, -1, 0, False), "Seed"),
        (("Blobs", 3, 2**31, 0, False), "Seed"),
        (("Blobs", 3, 0, -1, False), "Iteration"), (("Blobs", 3, 0, 101, False), "Iteration"),
        (("Blobs", 3, 0, None, False), "Iteration"),
        (("nobody", 3, 0, 0, False), "points cannot be read"), ((None, 3, 0, 0, False), "points cannot be read"),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("verb", [gmm.plane, gmm.scrub, gmm.one_step, gmm.run, gmm.restored_plane])
def test_absurd_settings_are_told(verb, values, said):
    assert said in refusal(verb, *values)


def test_bad_points_are_told():
    assert "Points must be one of" in refusal(gmm.pick_points, "Stars", 3, 0, False)
    assert "A click" in refusal(gmm.add_points, gr.EventData(None, {}), "Blobs", 3, 0, False)
    for pasted, said in (("", "no points"), ("nan 1", "Line 1"), ("0.5 0.5\n" * 10_000, "these are 10,000")):
        assert said in refusal(gmm.paste_points, pasted, 3, 0, False)


def test_a_thousand_points_and_eight_components_are_done_soon():
    points = np.random.default_rng(0).random((1000, 2)) * (1, 0.7)
    started = time.process_time()
    assert gmm.walk(planes.pack(points), 8, 0).last > 50
    assert time.process_time() - started < 20


# ---- pictures ---------------------------------------------------------------------------------------------------------


def test_both_kinds_of_pictures_are_the_models(stocked):
    model = load(WEIGHTS)
    with torch.no_grad():
        mixture, one = model.sample(Draws(3, 16), spread=0.5), model.sample_of_one(Draws(3, 16), 0.5)
    made, blurred = gmm.both_pictures(WEIGHTS, 3, 0.5)
    for wanted, found in ((mixture, made), (one, blurred)):
        for picture, image in zip(wanted, found, strict=True):
            assert np.abs(np.asarray(image, int) - np.asarray(_room.to_pil(picture), int)).max() <= 1
    tiles = gmm.both(WEIGHTS, 3, 0.5)
    assert 'aria-label="mixture 15"' in tiles[0] and 'aria-label="one Gaussian 15"' in tiles[1]


def test_heaps_are_ranked_and_open(stocked):
    found = gmm.heaps(WEIGHTS)
    assert re.findall(r"<span>([\d.]+) %", found) == ["40.0", "30.0", "20.0", "10.0"]
    opened = gmm.open_heap(gr.EventData(None, {"index": 2}), WEIGHTS, 0, 1.0)
    assert "Heap 2, 20.0 % of the pictures" in opened and opened.count("<img") == 8 * 4
    assert opened == clusters.inside(WEIGHTS, 2, 0)


def test_a_picture_is_looked_at(stocked):
    model = load(WEIGHTS)
    with torch.no_grad():
        picture = model.decode(model.means[3:])
    tiles, told = clusters.look(WEIGHTS, picture)
    assert "its heap: 3" in tiles and "heap 3" in told and "nats" in told
    tiles, _ = gmm.look_example(gr.EventData(None, {"index": 4}), WEIGHTS)
    assert "5 coordinates" in tiles
    photo = PIL.Image.new("RGB", (300, 200), "white")
    photo.paste("black", (90, 50, 160, 180))
    assert gmm.look_uploaded(WEIGHTS, photo)[0].count("<img") == 3


def test_the_room_is_switched_restored_and_saved(stocked):
    assert len(gmm.switch("gmm-fashion", 0, 1.0)) == 7
    values = WEIGHTS, 4, "Moons", 3, 6, 1.0, True
    found = gmm.restored(*values)
    assert found[:2] == gmm.both(WEIGHTS, 4, 1.0) and found[2] == gmm.plane("Moons", 3, 4, 6, True)[0] and found[6] == "Moons"
    assert gmm.restored(WEIGHTS, 4, own((0.1, 0.1)), 3, 0, 1.0, False)[6] == OWN
    assert gmm.reseeded(WEIGHTS, 4, "Moons", 3, 1.0, False)[:2] == found[:2]
    (board,) = gmm.board_picture(*values)
    (start,) = gmm.board_picture(WEIGHTS, 4, "Moons", 3, 0, 1.0, False)
    assert board.size == start.size == (1000, 700) and board.tobytes() != start.tobytes()
    assert gmm.board_picture(WEIGHTS, 4, "", 3, 6, 1.0, True)[0].size == (1000, 700)
    (sheet,) = gmm.both_sheet(*values)
    assert sheet.size == (2 * 4 * 28 * 4 + 16, 4 * 28 * 4)


@pytest.mark.parametrize(
    "verb, values, said",
    [
        (gmm.both, ("nobody", 0, 1.0), "Trained on"), (gmm.both, (WEIGHTS, -1, 1.0), "Seed"),
        (gmm.both, (WEIGHTS, 0, 1.6), "Spread"),
        (gmm.both, (WEIGHTS, 0, math.nan), "Spread"), (gmm.heaps, (None,), "Trained on"), (gmm.switch, ("x", 0, 1.0), "Trained on"),
        (gmm.look_uploaded, (WEIGHTS, None), "Upload a picture first"), (gmm.look_uploaded, ("x", None), "Trained on"),
        (gmm.restored, (WEIGHTS, 0, "Blobs", 0, 0, 1.0, False), "Components"), (gmm.gmm_sample, (WEIGHTS, 0, 65), "Pictures"),
        (gmm.gmm_fit, ("", 3), "no points"), (gmm.gmm_fit, ("0.5 0.5", 3), "at least 3 points"),
        (gmm.gmm_fit, ("Blobs", 99), "Components"),
        (gmm.gmm_fit, ("Blobs", 3, 0, 101), "Iterations"),
        (gmm.board_picture, (WEIGHTS, 0, "x", 3, 0, 1.0, False), "points cannot"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)  # fmt: skip
def test_what_makes_no_sense_is_told(stocked, verb, values, said):
    assert said in refusal(verb, *values)


@pytest.mark.parametrize("index", [-1, 8, None, "1", math.nan])
def test_a_pick_of_nothing_is_told(stocked, index):
    event = gr.EventData(None, {"index": index})
    assert "Heap must be a number" in refusal(gmm.open_heap, event, WEIGHTS, 0, 1.0)
    assert "Example must be a number" in refusal(gmm.look_example, event, WEIGHTS)


def test_the_verbs_answer(stocked):
    assert len(set(gmm.gmm_sample(WEIGHTS, 7, 3))) == 3
    found = gmm.gmm_fit("Blobs", 4, 1)
    walk = gmm.walk("Blobs", 4, 1)
    assert found["log_density"] == list(walk.bounds) and np.array(found["means"]) == pytest.approx(walk.mixtures[-1].means)
    assert len(gmm.gmm_fit("0.1 0.1; 0.2 0.2; 0.3 0.1", 2, 0, 0)["log_density"]) == 1
