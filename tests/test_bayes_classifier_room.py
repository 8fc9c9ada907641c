"""The Bayes classifier's room without a browser."""

from __future__ import annotations

import base64
import io
import math
import re

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal

from demos import _room, bayes_classifier
from gen_models import Draws, catalog, load

WEIGHTS = "bayes_classifier-mnist"
CLOTHES = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainer", "bag", "ankle boot"]


@pytest.fixture
def stocked(shelf):
    """Small classifiers of ten classes and a sheet of pictures."""
    generator = torch.Generator().manual_seed(0)
    for data, names in (("mnist", list("0123456789")), ("fashion", CLOTHES)):
        model = catalog.model_class("bayes_classifier")(size=28, channels=1, latent_dim=5, classes=10)
        model.take(
            basis=torch.linalg.qr(torch.randn(784, 5, generator=generator))[0].T, variances=[4.0, 3.0, 2.0, 1.0, 0.5], kept=0.5,
            weights=torch.rand(10, generator=generator).softmax(0), means=2 * torch.randn(10, 5, generator=generator),
            scales=torch.randn(10, 5, 5, generator=generator).tril(-1) * 0.2 + torch.eye(5),
        )  # fmt: skip
        told = {"model": "bayes_classifier", "data": data, "classes": {"kind": names}}
        catalog.save(model, shelf / f"bayes_classifier-{data}", told)
    (shelf / "dcgan-mnist").mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (8 * 28, 8 * 28), np.uint8)
    PIL.Image.fromarray(noise).save(shelf / "dcgan-mnist" / "samples.png")
    return shelf


def image_of(page: str) -> np.ndarray:
    address = re.search(r'src="data:image/png;base64,([^"]+)"', page)[1]
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(address))).convert("L"), int)


# ---- bending ----------------------------------------------------------------------------------------------------------


def test_a_seed_is_the_models_own_sample_and_its_places_say_so(stocked):
    with torch.no_grad():
        wanted = load(WEIGHTS).sample(Draws(9, 1), 4)[0]
    found = bayes_classifier.from_seed(WEIGHTS, "4", 9)
    assert np.abs(image_of(found[0]) - np.asarray(_room.to_pil(wanted), int)).max() <= 1
    bends = bayes_classifier.from_text(5, found[2])
    again = bayes_classifier.placed(WEIGHTS, 4, bends)
    assert again[0] == found[0] and again[2] == found[2]


def test_a_direction_moves_the_picture_by_standard_deviations(stocked):
    model = load(WEIGHTS)
    deviations, ways = model.directions(3)
    bends = torch.tensor([0.0, 2.0, 0.0, 0.0, 0.0])
    with torch.no_grad():
        wanted = model.decode((model.means[3] + 2 * deviations[1] * ways[1])[None])[0]
    page, _, text = bayes_classifier.dragger(1)(WEIGHTS, "3", "", 2.0)
    assert np.abs(image_of(page) - np.asarray(_room.to_pil(wanted), int)).max() <= 1
    assert torch.equal(bayes_classifier.from_text(5, text), bends)
    mean = bayes_classifier.to_mean(WEIGHTS, "3")
    with torch.no_grad():
        wanted = model.decode(model.means[3:4])[0]
    assert np.abs(image_of(mean[0]) - np.asarray(_room.to_pil(wanted), int)).max() <= 1
    picture, shares, given = bayes_classifier.first_sight(WEIGHTS)
    assert image_of(picture) == pytest.approx(image_of(mean[0]), abs=1)
    assert shares == mean[1] and given.count("<img") == bayes_classifier.COUNT
    assert image_of(given) == pytest.approx(image_of(bayes_classifier.drawn(WEIGHTS, "3", 0)[0]), abs=1)
    assert [slider.visible for slider in mean[3:]] == [True] * 5 + [False] * 5
    shares = [int(re.search(r"(\d+) % of the variance", slider.label)[1]) for slider in mean[3:8]]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=3)


def test_the_bars_are_the_models_probabilities(stocked):
    model = load(WEIGHTS)
    with torch.no_grad():
        picture = model.decode(model.means[6:7])
        wanted = model.probabilities(picture)[0]
    bars = bayes_classifier.probabilities_html(WEIGHTS, picture)
    found = [float(text) for text in re.findall(r"<span>([\d.]+) %</span>", bars)]
    assert found == pytest.approx([100 * float(share) for share in wanted], abs=0.06) and len(found) == 10


# ---- sampling ---------------------------------------------------------------------------------------------------------


def test_both_ways_are_the_models(stocked):
    model = load(WEIGHTS)
    given, free, captions = bayes_classifier.drawn_pictures(WEIGHTS, "2", 5)
    with torch.no_grad():
        for found, wanted in ((given, model.sample(Draws(5, 16), 2)), (free, model.sample(Draws(5, 16)))):
            assert all(np.abs(np.asarray(a, int) - np.asarray(_room.to_pil(b), int)).max() <= 1
                       for a, b in zip(found, wanted, strict=True))  # fmt: skip
    assert captions == [str(index) for index in model.choose(Draws(5, 16)).tolist()]
    pages = bayes_classifier.drawn(WEIGHTS, "2", 5)
    assert 'aria-label="given the class 15"' in pages[0] and 'aria-label="class first 15"' in pages[1]


def test_classes_have_names_and_numbers(stocked):
    assert bayes_classifier.class_names("bayes_classifier-fashion") == CLOTHES
    assert [bayes_classifier.label_of("bayes_classifier-fashion", told) for told in ("coat", "4")] == [4, 4]
    assert bayes_classifier.class_choice("bayes_classifier-fashion", "99")["value"] == "0"
    assert bayes_classifier.class_names("nobody") == bayes_classifier.class_names(None) == []
    assert len(bayes_classifier.class_choice(None)["choices"]) == 10 and bayes_classifier.first_sight(None) == ("", "", "")


# ---- looking ----------------------------------------------------------------------------------------------------------


def test_pictures_are_classified(stocked):
    tiles, told = bayes_classifier.look_example(gr.EventData(None, {"index": 3}), WEIGHTS)
    assert tiles.count("<img") == 3 and "Bayes' rule says" in told.replace("&#x27;", "'")
    board = PIL.Image.new("RGB", (280, 280))
    board.paste("white", (120, 40, 160, 240))
    assert bayes_classifier.look_drawn(WEIGHTS, {"composite": board})[0].count("<img") == 3
    assert bayes_classifier.look_uploaded(WEIGHTS, board)[0].count("<img") == 3
    assert bayes_classifier.classes_html(WEIGHTS).count("<img") == 10
    opened = bayes_classifier.open_class(gr.EventData(None, {"index": 7}), WEIGHTS)
    assert opened.count("<img") == 5 * 8 and "The 7" in opened


def test_the_room_is_switched_restored_and_saved(stocked):
    found = bayes_classifier.switch("bayes_classifier-fashion", 3)
    assert found[0].value == "3" and "dress" in [name for name, _ in found[0].choices]
    text = bayes_classifier.from_seed(WEIGHTS, "5", 3)[2]
    found = bayes_classifier.restored(WEIGHTS, 3, "5", text)
    assert found[0] == bayes_classifier.from_seed(WEIGHTS, "5", 3)[0] and found[-1].value == "5"
    assert found[0] == bayes_classifier.reseeded(WEIGHTS, "5", 3)[0]
    assert bayes_classifier.other_class(WEIGHTS, "5", 3)[0] == bayes_classifier.to_mean(WEIGHTS, "5")[0]
    assert bayes_classifier.large(WEIGHTS, 3, "5", text)[0].size == (28 * 18, 28 * 18)
    assert bayes_classifier.both_sheet(WEIGHTS, 3, "5", text)[0].size == (2 * 4 * 28 * 4 + 16, 4 * 28 * 4)


@pytest.mark.parametrize(
    "verb, values, said",
    [
        (bayes_classifier.to_mean, ("nobody", "3"), "Trained on"),
        (bayes_classifier.to_mean, (WEIGHTS, "10"), "Class must be one of"),
        (bayes_classifier.to_mean, (WEIGHTS, None), "Class must be one of"),
        (bayes_classifier.from_seed, (WEIGHTS, "3", -1), "Seed"),
        (bayes_classifier.from_seed, (WEIGHTS, "3", math.nan), "Seed"), (bayes_classifier.drawn, (WEIGHTS, "x", 0), "Class"),
        (bayes_classifier.dragger(0), (WEIGHTS, "3", "", 4.1), "A place"), (bayes_classifier.dragger(0),
        (WEIGHTS, "3", "", None), "A place"),
        (bayes_classifier.dragger(0), (WEIGHTS, "3", "a,b", 1), "The places along the directions must be numbers"),
        (bayes_classifier.restored, (WEIGHTS, 0, "3", "nan,1,1,1,1"), "The places along the directions must be numbers"),
        (bayes_classifier.look_drawn, (WEIGHTS, None), "Draw or upload a picture first"),
        (bayes_classifier.look_drawn, (WEIGHTS, {"composite": PIL.Image.new("RGB", (280, 280))}), "The picture is empty"),
        (bayes_classifier.look_uploaded, (WEIGHTS, None), "Upload a picture first"),
        (bayes_classifier.switch, ("x", 0), "Trained on"),
        (bayes_classifier.bayes_classifier_sample, (WEIGHTS, 0, 65), "Pictures"),
        (bayes_classifier.bayes_classifier_sample, (WEIGHTS, 0, 3, "cat"), "Class"),
        (bayes_classifier.bayes_classifier_probabilities, (WEIGHTS, "!"), "The picture must be a picture file"),
        (bayes_classifier.bayes_classifier_probabilities, ("x", ""), "Trained on"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)  # fmt: skip
def test_what_makes_no_sense_is_told(stocked, verb, values, said):
    assert said in refusal(verb, *values)


def test_a_pick_of_nothing_is_told(stocked):
    for index in (-1, 10, None, "1", math.nan):
        event = gr.EventData(None, {"index": index})
        assert "Class must be a number" in refusal(bayes_classifier.open_class, event, WEIGHTS)
        assert "Example must be a number" in refusal(bayes_classifier.look_example, event, WEIGHTS)


def test_places_of_other_weights_start_at_the_mean():
    assert torch.equal(bayes_classifier.from_text(5, "1,2,3"), torch.zeros(5))
    assert bayes_classifier.from_text(2, "1e30,-1e30").tolist() == [bayes_classifier.LIMIT, -bayes_classifier.LIMIT]


def test_the_verbs_answer(stocked):
    assert len(set(bayes_classifier.bayes_classifier_sample(WEIGHTS, 7, 3))) == 3
    fours, fives = (bayes_classifier.bayes_classifier_sample(WEIGHTS, 7, 3, told) for told in ("4", "5"))
    assert fours != fives
    picture = _room.png_uri(_room.sheet_tiles("dcgan-mnist", 1)[0])
    shares = bayes_classifier.bayes_classifier_probabilities(WEIGHTS, picture)
    assert list(shares) == list("0123456789") and sum(shares.values()) == pytest.approx(1)
