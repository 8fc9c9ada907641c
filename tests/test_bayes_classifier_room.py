"""The Bayes classifier's room without a browser."""

from __future__ import annotations

import PIL.Image
import pytest
import torch
from conftest import refusal

from demos import bayes_classifier as room
from demos._kit.pictures import to_pil
from gen_models import Draws, catalog, load

WEIGHTS = "bayes_classifier-mnist"
CLOTHES = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainer", "bag", "ankle boot"]


@pytest.fixture
def stocked(shelf):
    """Small classifiers of ten classes and a sheet of pictures."""
    generator = torch.Generator().manual_seed(0)
    for data, names in (("mnist", list("0123456789")), ("fashion", CLOTHES)):
        model = catalog.model_class("bayes_classifier")(size=28, channels=1, latent_dim=5, classes=10)
        model.set_buffers(
            basis=torch.linalg.qr(torch.randn(784, 5, generator=generator))[0].T, variances=[4.0, 3.0, 2.0, 1.0, 0.5], kept=0.5,
            weights=torch.rand(10, generator=generator).softmax(0), means=2 * torch.randn(10, 5, generator=generator),
            scales=torch.randn(10, 5, 5, generator=generator).tril(-1) * 0.2 + torch.eye(5),
        )  # fmt: skip
        catalog.save(model, shelf / f"bayes_classifier-{data}", {"model": "bayes_classifier", "data": data, "classes": {"": names}})


def bends(text: str) -> torch.Tensor:
    return room.PLAN.fields["bends"].check(WEIGHTS, text)


def test_a_seed_is_the_models_own_sample_and_its_places_say_so(stocked):
    with torch.no_grad():
        wanted = load(WEIGHTS).sample(Draws(9, 1), 4)[0]
    found = room.place(WEIGHTS, "4", bends(room.from_seed(WEIGHTS, "4", 9)["bends"])).parts[0].picture
    assert torch.allclose(found, wanted, atol=5e-3)


def test_a_direction_moves_the_picture_by_standard_deviations(stocked):
    model, field = load(WEIGHTS), room.PLAN.fields["bends"]
    deviations, ways = model.directions(3)
    with torch.no_grad():
        wanted = model.decode(torch.stack([model.means[3], model.means[3] + 2 * deviations[1] * ways[1]]))
    for text, picture in zip(("", field.moved(WEIGHTS, "", 1, 2.0)), wanted, strict=True):
        assert torch.allclose(room.place(WEIGHTS, "3", bends(text)).parts[0].picture, picture, atol=1e-5)
    assert [slider["visible"] for slider in field.shown(WEIGHTS, "")] == [True] * 5 + [False] * 5
    assert field.moved(WEIGHTS, "", 9, 2.0) == field.moved(WEIGHTS, "", 0, 0.0)  # of that rank there is none
    assert "Direction must be a number from -4 to 4" in refusal(field.moved, WEIGHTS, "", 0, 4.1)
    assert "must be numbers, separated by commas" in refusal(bends, "a,b") and not bends("1,2,3").any()


def test_the_first_sight_is_what_the_model_shows(stocked):
    picture, bars = room.sight(WEIGHTS).parts
    wanted, shares = room.place(WEIGHTS, "3", bends("")).parts
    assert torch.allclose(picture.picture, wanted.picture, atol=1e-3)
    assert room.sight(WEIGHTS).note == room.place(WEIGHTS, "3", bends("")).note
    assert [share for _, share in bars.shares] == pytest.approx([share for _, share in shares.shares], abs=1e-3)
    assert torch.allclose(room.samples_sight(WEIGHTS).parts[0].pictures, room.both(WEIGHTS, "3", 0).parts[0].pictures, atol=1e-3)
    with torch.no_grad():
        own = load(WEIGHTS).probabilities(wanted.picture[None])[0].tolist()
    assert [share for _, share in shares.shares] == pytest.approx(own) and [name for name, _ in shares.shares] == list("0123456789")


def test_both_ways_are_the_models(stocked):
    model = load(WEIGHTS)
    given, free = room.both(WEIGHTS, "2", 5).parts
    with torch.no_grad():
        assert torch.allclose(given.pictures, model.sample(Draws(5, 16), 2), atol=1e-5)
        assert torch.allclose(free.pictures, model.sample(Draws(5, 16)), atol=1e-5)
    assert free.captions == [str(index) for index in model.choose(Draws(5, 16)).tolist()]


def test_classes_have_names_and_numbers(stocked):
    fashion = "bayes_classifier-fashion"
    assert room.class_names(fashion) == CLOTHES and room.class_names("") == list("0123456789")
    assert [room.any_class(fashion, text) for text in ("coat", "4", "any", "")] == [4, 4, None, None]
    assert refusal(room.any_class, fashion, "cat").startswith("Class must be one of")
    assert room.class_choice(fashion)["value"] == "3" and ("dress", "3") in room.class_choice(fashion)["choices"]
    assert "The dress: its first directions" in room.open_class(3, fashion).html()
    assert refusal(room.open_class, 10, fashion).startswith("Class must be a number")


def test_pictures_are_classified(stocked):
    model = load(WEIGHTS)
    with torch.no_grad():
        picture = to_pil(model.decode(model.means[6:7])[0]).convert("RGB")
    words = room.look(WEIGHTS, picture).html()
    assert "rule says 6." in words and "the mean 6" in words and words.count("<img") == 3
    shares = room.probabilities(WEIGHTS, picture).json()
    assert max(shares, key=shares.get) == "6" and sum(shares.values()) == pytest.approx(1)
    board = PIL.Image.new("RGB", (280, 280))
    board.paste("white", (120, 40, 160, 240))
    assert room.look(WEIGHTS, board).html().count("<img") == 3
