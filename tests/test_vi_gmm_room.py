"""The variational mixture's room without a browser."""

from __future__ import annotations

import math
import re

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal

from demos import _room, vi_gmm
from demos._families import planes
from demos._families.planes import OWN
from gen_models import Draws, catalog, load

WEIGHTS = "vi_gmm-mnist"
LOW, HIGH = vi_gmm.LOW, vi_gmm.HIGH


@pytest.fixture
def stocked(shelf):
    """A small mixture, one of whose Gaussians is not used, and a sheet of pictures."""
    generator = torch.Generator().manual_seed(0)
    for data in ("mnist", "fashion"):
        model = catalog.model_class("vi_gmm")(size=28, channels=1, latent_dim=5, components=4, concentration=0.5)
        model.take(
            basis=torch.linalg.qr(torch.randn(784, 5, generator=generator))[0].T, variances=[4.0, 3.0, 2.0, 1.0, 0.5], kept=0.5,
            weights=[0.5, 0.001, 0.3, 0.2], concentrations=[500.0, 0.5, 300.0, 200.0], degrees=[505.0, 5.0, 305.0, 205.0],
            means=torch.randn(4, 5, generator=generator),
        )  # fmt: skip
        catalog.save(model, shelf / f"vi_gmm-{data}", {"model": "vi_gmm", "data": data})
    (shelf / "dcgan-mnist").mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (8 * 28, 8 * 28), np.uint8)
    PIL.Image.fromarray(noise).save(shelf / "dcgan-mnist" / "samples.png")
    return shelf


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Nobody watches."""
    monkeypatch.setattr(vi_gmm, "FRAME", 0.0)
    vi_gmm.walk.cache_clear()


def own(*points: tuple[float, float]) -> str:
    return planes.pack(np.array(points).reshape(-1, 2))


# ---- in the plane -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", planes.PRESETS)
@pytest.mark.parametrize("power", [LOW, 0.0, HIGH])
def test_the_bound_never_falls(text, power):
    found, counts = vi_gmm.walk(text, 8, power, 1)
    assert (np.diff(found.bounds) > -1e-9 * abs(found.bounds[0])).all()
    assert 1 <= found.last <= vi_gmm.MAX_STEPS
    assert len(counts) == len(found.mixtures)
    for count, mixture in zip(counts, found.mixtures, strict=True):
        assert count.sum() == pytest.approx(len(planes.unpack(text)))
        concentration = 10.0**power
        assert mixture.weights == pytest.approx((count + concentration) / (count + concentration).sum())


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_never_falls_on_points_that_are_hard(seed):
    chance = np.random.default_rng(seed)
    count = int(chance.integers(2, 12))
    points = chance.random((count, 2)) * (1, 0.7)
    if seed % 3 == 0:
        points[:, 1] = 0.3
    if seed % 4 == 0:
        points[:] = points[0]
    components, power = int(chance.integers(1, count + 1)), float(chance.choice([LOW, 0, HIGH]))
    found, _ = vi_gmm.walk(planes.pack(points), components, power, seed)
    assert (np.diff(found.bounds) > -1e-9 * max(abs(found.bounds[0]), 1)).all()
    assert all(np.linalg.eigvalsh(mixture.covariances).min() > 0 for mixture in found.mixtures)


def test_four_blobs_keep_four_components_and_the_others_fade():
    found, counts = vi_gmm.walk("Blobs", 10, LOW, 0)
    used = counts[-1] >= 1
    assert used.sum() == 4
    middles = np.array([(0.2, 0.5), (0.48, 0.2), (0.78, 0.5), (0.47, 0.53)])
    distances = np.linalg.norm(found.mixtures[-1].means[used][:, None] - middles[None], axis=2)
    assert sorted(distances.argmin(axis=1)) == [0, 1, 2, 3] and distances.min(axis=1).max() < 0.03
    assert (vi_gmm.walk("Blobs", 10, HIGH, 0)[1][-1] >= 1).all()
    shown = vi_gmm.plane("Blobs", 10, LOW, 0, vi_gmm.MAX_STEPS)
    assert 'data-used="4"' in shown[4] and shown[4].count("unused") == 6
    assert "4 of 10 components have points." in shown[2]


def test_steps_runs_and_scrubs_agree():
    last = vi_gmm.walk("Moons", 6, LOW, 2)[0].last
    frames = list(vi_gmm.run("Moons", 6, LOW, 2, 0))
    steps = [frame[3]["value"] for frame in frames]
    assert steps[0] == 0 and steps[-1] == last and steps == sorted(set(steps))
    assert frames[1][0] == vi_gmm.one_step("Moons", 6, LOW, 2, 0)[0] == vi_gmm.scrub("Moons", 6, LOW, 2, 1)[0]
    assert frames[-1][0] == vi_gmm.scrub("Moons", 6, LOW, 2, vi_gmm.MAX_STEPS)[0]
    assert next(vi_gmm.run("Moons", 6, LOW, 2, last))[3]["value"] == 0  # at rest it begins anew
    assert vi_gmm.follow("Moons", 6, LOW, 2, 3)[0] == frames[-1][0]
    assert "<ellipse" not in vi_gmm.follow("Moons", 6, LOW, 2, 0)[0]
    assert 'data-count="0"' in vi_gmm.follow("", 6, LOW, 2, 3)[0]


def test_before_the_first_iteration_nothing_is_fitted(monkeypatch):
    monkeypatch.setattr(vi_gmm, "walk", None)
    found = vi_gmm.begin("Blobs", 5, LOW, 0)
    assert "<ellipse" not in found[0] and found[1] == "" and found[4].count("20.0 %") == 5


def test_points_are_picked_clicked_and_pasted():
    text, board, *_ = vi_gmm.pick_points("Rings", 2, LOW, 0)
    assert text == "Rings" and 'data-count="300"' in board
    text, board, _, words, *_ = vi_gmm.pick_points(OWN, 2, LOW, 0)
    assert text == "" and "Click on the board" in words
    text, choice, board, *_ = vi_gmm.add_points(gr.EventData(None, {"points": [[0.2, 0.2]]}), text, 2, LOW, 0)
    assert choice == OWN and 'data-count="1"' in board
    text, choice, board, _, words, *_ = vi_gmm.paste_points("1 1\n9 9\n5 1", 2, LOW, 0)
    assert choice == OWN and 'data-count="3"' in board and "moved and scaled" in words


@pytest.mark.parametrize("verb", [vi_gmm.run, vi_gmm.scrub, vi_gmm.one_step])
@pytest.mark.parametrize("text, components, said", [("", 1, "there are none"), (own((0.5, 0.5)), 1, "there is one"),
                                                    (own((0.5, 0.5), (0.1, 0.1)), 3, "there are 2")])  # fmt: skip
def test_too_few_points_are_told(verb, text, components, said):
    assert said in refusal(verb, text, components, LOW, 0, 0)


@pytest.mark.parametrize("verb", [vi_gmm.plane, vi_gmm.scrub, vi_gmm.one_step, vi_gmm.run, vi_gmm.follow])
@pytest.mark.parametrize(
    "place, values, said",
    [(0, ("nobody", None, 3), "points cannot be read"), (1, (0, 13, "3", math.nan), "Components"),
     (2, (-3.1, 3.1, math.nan, None, "0"), "Concentration"), (3, (-1, 2**31, "7"), "Seed"), (4, (-1, 201, None), "Iteration")],
)  # fmt: skip
def test_absurd_settings_are_told(verb, place, values, said):
    for value in values:
        given = ["Blobs", 3, LOW, 0, 0]
        given[place] = value
        assert said in refusal(verb, *given)


# ---- pictures ---------------------------------------------------------------------------------------------------------


def test_samples_and_weights_are_the_models(stocked):
    model = load(WEIGHTS)
    with torch.no_grad():
        wanted = model.sample(Draws(3, 16))
    found = vi_gmm.sampled_pictures(WEIGHTS, 3)
    assert all(np.abs(np.asarray(image, int) - np.asarray(_room.to_pil(picture), int)).max() <= 1
               for image, picture in zip(found, wanted, strict=True))  # fmt: skip
    assert 'aria-label="sample 15"' in vi_gmm.sampled(WEIGHTS, 3)
    svg = vi_gmm.weights_svg(WEIGHTS)
    assert "3 of 4 Gaussians are used" in svg and svg.count("unused") == 1
    heaps = vi_gmm.heaps(WEIGHTS)
    assert re.findall(r'data-index="(\d)"', heaps) == ["0", "2", "3", "1"] and heaps.count("faded") == 1
    assert vi_gmm.weights_svg("vi_gmm-nobody") == vi_gmm.weights_svg(None) == ""


def test_the_room_is_switched_restored_and_saved(stocked):
    assert len(vi_gmm.switch("vi_gmm-fashion", 0)) == 7
    values = WEIGHTS, 4, "Moons", 3, LOW, 6
    found = vi_gmm.restored(*values)
    assert found[0] == vi_gmm.sampled(WEIGHTS, 4) and found[2] == vi_gmm.plane("Moons", 3, LOW, 4, 6)[0] and found[-1] == "Moons"
    assert vi_gmm.restored(WEIGHTS, 4, "", 3, LOW, 0)[-1] == OWN
    assert vi_gmm.reseeded(WEIGHTS, 4, "Moons", 3, LOW)[0] == found[0]
    assert vi_gmm.board_picture(*values)[0].size == (1000, 700)
    assert vi_gmm.board_picture(WEIGHTS, 4, "", 3, LOW, 6)[0].size == (1000, 700)
    assert vi_gmm.sheet(*values)[0].size == (8 * 28 * 4, 2 * 28 * 4)
    assert "Heap 2" in vi_gmm.open_heap(gr.EventData(None, {"index": 2}), WEIGHTS, 0)
    assert "its heap" in vi_gmm.look_example(gr.EventData(None, {"index": 4}), WEIGHTS)[0]
    photo = PIL.Image.new("RGB", (300, 200), "white")
    photo.paste("black", (90, 50, 160, 180))
    assert vi_gmm.look_uploaded(WEIGHTS, photo)[0].count("<img") == 3


@pytest.mark.parametrize(
    "verb, values, said",
    [
        (vi_gmm.sampled, ("nobody", 0), "Trained on"), (vi_gmm.sampled, (WEIGHTS, -1), "Seed"),
        (vi_gmm.heaps, ("x",), "Trained on"),
        (vi_gmm.switch, (None, 0), "Trained on"), (vi_gmm.look_uploaded, (WEIGHTS, None), "Upload a picture first"),
        (vi_gmm.vi_gmm_sample, (WEIGHTS, 0, 0), "Pictures"), (vi_gmm.vi_gmm_fit, ("",), "no points"),
        (vi_gmm.vi_gmm_fit, ("Blobs", 10, 0.0), "Concentration"), (vi_gmm.vi_gmm_fit, ("Blobs", 10, math.nan), "Concentration"),
        (vi_gmm.vi_gmm_fit, ("0.5 0.5", 2), "at least 2 points"), (vi_gmm.vi_gmm_fit, ("Blobs", 4, 1.0, 0, 201), "Iterations"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)  # fmt: skip
def test_what_makes_no_sense_is_told(stocked, verb, values, said):
    assert said in refusal(verb, *values)


def test_a_pick_of_nothing_is_told(stocked):
    for index in (-1, 8, None, "1", math.nan):
        event = gr.EventData(None, {"index": index})
        assert "Heap must be a number" in refusal(vi_gmm.open_heap, event, WEIGHTS, 0)
        assert "Example must be a number" in refusal(vi_gmm.look_example, event, WEIGHTS)


def test_the_verbs_answer(stocked):
    assert len(set(vi_gmm.vi_gmm_sample(WEIGHTS, 7, 3))) == 3
    found = vi_gmm.vi_gmm_fit("Blobs", 6, 0.001, 1)
    walk, _ = vi_gmm.walk("Blobs", 6, LOW, 1)
    assert found["bound"] == list(walk.bounds) and np.array(found["weights"]) == pytest.approx(walk.mixtures[-1].weights)
