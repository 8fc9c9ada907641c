"""What rooms share in which a picture is begun and finished: the board as text, its examples and uploads, classes.

Small untrained models stand on the shelf, so that nothing here depends on the published weights.
"""

from __future__ import annotations

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal, smooth

from demos._families import completions
from demos._families.completions import ANY, MASKS, Board, ClassChoice, MaskBoard, SentMask, SentPicture, board_of, mask
from demos._kit.inputs import as_input
from gen_models import catalog
from gen_models.sheets import save_grid

DIGITS, FACES, OWN = "ddpm-mnist", "ddpm-faces", "ddpm-mine"
SIDE = 16
NAMES = {"digit": list("0123456789"), "age": [f"{10 * decade}-{10 * decade + 9}" for decade in range(10)],
         "gender": ["male", "female"], "ethnicity": list("abcde")}  # fmt: skip


def stock(shelf) -> None:
    """Small models of digits and of faces with sheets of samples, and a user's own that knows no classes and has none."""
    sets = {DIGITS: (1, [10], ["digit"]), FACES: (3, [10, 2], ["age", "gender", "ethnicity"]), OWN: (3, [], [])}
    for place, (name, (channels, classes, tasks)) in enumerate(sets.items()):
        torch.manual_seed(place)
        model = catalog.model_class("ddpm")(size=SIDE, channels=channels, widths=[8, 16], classes=classes)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        record = {"model": "ddpm", "data": name.partition("-")[2], "classes": {task: NAMES[task] for task in tasks}}
        catalog.save(model, shelf / name, record)
        if name != OWN:
            with torch.no_grad():
                save_grid(torch.rand(64, channels, SIDE, SIDE), shelf / name / "samples.png")


@pytest.fixture
def stocked(shelf):
    stock(shelf)
    return shelf


def examples(weights: str) -> list[np.ndarray]:
    channels, side = completions.shape_of(weights)
    return [np.full((channels, side, side), 60 + 10 * number, np.uint8) for number in range(3)] if weights != OWN else []


@pytest.fixture
def field():
    """A board and the values that an example and an upload give it."""
    board = MaskBoard(examples=examples)
    with gr.Blocks():
        parts = board.build(DIGITS)
    _, example, upload = board.changes(parts)
    return board, lambda weights, text, index: example.value(weights, text, gr.EventData(None, {"index": index})), upload.value


@pytest.mark.parametrize("weights, channels", [(DIGITS, 1), (FACES, 3)])
@pytest.mark.parametrize("number", ["", "2"])
def test_a_board_is_read_as_it_was_written(stocked, weights, channels, number):
    generator = np.random.default_rng(0)
    pixels, unknown = generator.integers(0, 256, (channels, SIDE, SIDE), np.uint8), generator.random((SIDE, SIDE)) < 0.5
    for hole in (unknown, None):
        text = Board(pixels, hole, number).text
        found = board_of(weights, text)
        assert np.array_equal(found.pixels, pixels) and found.example == number
        assert found.unknown is None if hole is None else np.array_equal(found.unknown, hole)
    assert len(text) < 6000, "it travels in links"


@pytest.mark.parametrize(
    "text",
    ["x", "1.16.AAAA.AAAA", "...", 7, None, {}, "1.16." + "A" * 99, "3.16.!!.!!", "1.16.AAAA", "é.16.AA.AA", "A" * 10**6,
     Board(np.zeros((3, 16, 16), np.uint8), None).text, Board(np.zeros((1, 16, 16), np.uint8), np.ones((8, 8))).text,
     Board(np.zeros((1, 16, 16), np.uint8), None).text + ".0.1"],
    ids=lambda text: repr(text)[:12],
)  # fmt: skip
def test_what_is_no_board_for_these_weights_is_refused(stocked, text):
    assert refusal(board_of, DIGITS, text).startswith("The board cannot be read")


def test_the_masks_take_away_what_they_say():
    assert [int(mask(name, 28).sum()) for name in MASKS] == [392, 392, 144, 100, 784, 0]
    assert mask("lower half", 28)[14:].all() and mask("right half", 28)[:, 14:].all() and mask("hole", 28)[9:19, 9:19].all()


def test_a_picture_comes_onto_the_board_which_keeps_its_mask(stocked, field):
    board, example, upload = field
    text = example(DIGITS, board.start(DIGITS), 2)
    found = board_of(DIGITS, text)
    assert np.array_equal(found.pixels, examples(DIGITS)[2]) and found.example == "2"
    assert np.array_equal(found.unknown, mask("lower half", SIDE))
    for name, kept in (("middle", "middle"), ("nothing", "lower half"), ("everything", "lower half")):
        again = board_of(DIGITS, example(DIGITS, Board(found.pixels, mask(name, SIDE)).text, 1))
        assert np.array_equal(again.unknown, mask(kept, SIDE)), name
    assert board_of(DIGITS, example(DIGITS, Board(found.pixels, None).text, 1)).unknown is None
    photo = smooth(np.random.default_rng(0), 64)
    pixels = board_of(OWN, upload(OWN, "", photo)).pixels
    assert np.abs(pixels.astype(int) - as_input(photo, SIDE, 3, centre=False) * 255).max() <= 1
    drawing = PIL.Image.new("L", (60, 90), 255)
    drawing.paste(0, (10, 20, 12, 80))
    pixels = board_of(DIGITS, upload(DIGITS, text, drawing.convert("RGB"))).pixels
    assert pixels[0, 0, 0] == 0 and pixels.max() == 255, "dark on light is inverted, and a thin line is not lost"
    assert refusal(upload, DIGITS, text, None) == "Upload a picture first."
    assert "empty" in refusal(upload, DIGITS, text, PIL.Image.new("RGB", (9, 9), "white"))
    for index in (3, -1, None, 10**9, "1"):
        assert "Example must be" in refusal(example, DIGITS, text, index)


def test_other_weights_bring_their_example_unless_the_board_was_drawn_on(stocked, field):
    board, example, _ = field
    text = example(DIGITS, Board(examples(DIGITS)[0], mask("middle", SIDE)).text, 1)
    found = board_of(FACES, board.follow(FACES, text))
    assert np.array_equal(found.pixels, examples(FACES)[1]) and np.array_equal(found.unknown, mask("middle", SIDE))
    drawn = Board(examples(DIGITS)[0], mask("middle", SIDE)).text
    assert board.follow(DIGITS, drawn) == drawn
    for lost in (drawn, "nonsense", 7):
        assert board.follow(FACES, lost) == board.first(FACES).text
    assert board.check(OWN, board.follow(OWN, text)).hole.all(), "without examples the board is empty"


def test_a_class_goes_by_number_and_name(stocked):
    age, gender = ClassChoice(), ClassChoice(rank=1)
    assert [age.check(FACES, value) for value in (ANY, "3", "20-29")] == [None, 3, 2]
    assert [gender.check(FACES, value) for value in (ANY, "1", "female")] == [None, 1, 1]
    assert gender.check(DIGITS, "7") is None and age.check(DIGITS, "7") == 7 and gender.check(FACES, "male") == 0
    for choice, weights, value in ((age, FACES, "10"), (gender, FACES, "7"), (age, FACES, "cat"), (gender, DIGITS, "cat")):
        assert refusal(choice.check, weights, value).startswith("Class must be one of")
    settings = gender.settings(FACES)
    assert settings["visible"] and settings["label"] == "Gender"
    assert [name for name, _ in settings["choices"]] == ["Any", "male", "female"]
    assert not age.settings(OWN)["visible"] and not gender.settings(DIGITS)["visible"]


@pytest.mark.parametrize("value", ["x", "data:,", "AAAA", 7, "é", "", None])
def test_a_sent_picture_that_is_none_is_refused(stocked, value):
    assert "picture" in refusal(SentPicture().check, DIGITS, value)
    if value == "":
        assert not SentPicture(black=True).check(DIGITS, "").any()


@pytest.mark.parametrize("value", ["", "half", "01", "2" * SIDE**2, None, 3, ["hole"], "everything"])
def test_a_sent_mask_that_is_none_is_refused(stocked, value):
    sent = SentMask(names=("hole", "lower half"))
    assert refusal(sent.check, DIGITS, value).startswith("Unknown must be one of hole, lower half, or 256 zeros")
    bits = "".join("01"[int(bit)] for bit in mask("hole", SIDE).flatten())
    assert np.array_equal(sent.check(DIGITS, bits), sent.check(DIGITS, "hole"))
