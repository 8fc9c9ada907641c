"""Boards for what a translator of drawings takes: texts for links, palettes, uploads, other weights."""

from __future__ import annotations

import re

import gradio as gr
import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from conftest import blocks, refusal

from demos._families import drawings
from demos._families.drawings import COLOURS, DRAWING, LABELS, LINES, TRACE, DrawingBoard
from demos._kit.boards import LONGEST, Drawing
from demos._kit.pictures import strip_image
from gen_models import catalog, sets, sheets
from gen_models.edges import framed, line_drawing

PLANS, SHOES, OWN, GREY = "pix2pix-facades", "pix2pix-edges2shoes", "pix2pix-mine", "pix2pix-grey"
SIDES = {PLANS: 64, SHOES: 32, OWN: 48, GREY: 32}
DRAWN = DrawingBoard(labels=sets.record("facades").labels)


@pytest.fixture
def stocked(shelf):
    """Weights for label maps and for line drawings, both with examples, a user's own in colour and in grey without any."""
    for name, data in {PLANS: "facades", SHOES: "edges2shoes", OWN: "paired", GREY: "paired"}.items():
        channels = 1 if name == GREY else 3
        model = catalog.model_class("pix2pix")(size=SIDES[name], channels=channels, widths=[4] * 4, discriminator_width=4)
        catalog.save(model, shelf / name, {"model": "pix2pix", "data": data})
    for name in (PLANS, SHOES):
        strip_image([example(name, number) for number in range(5)]).save(shelf / name / sheets.INPUTS, lossless=True)
    return shelf


def example(name: str, number: int = 0) -> PIL.Image.Image:
    """A drawing of the kind that the weights know."""
    if name == PLANS:
        return blocks(np.random.default_rng(number), SIDES[name]).convert("RGB")
    sheet = PIL.Image.new("RGB", (SIDES[name], SIDES[name]), "white")
    PIL.ImageDraw.Draw(sheet).line([(4, 4 + number), (20, 25), (28, 8)], "black", 1)
    return sheet


def pixels(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def equal(one: PIL.Image.Image, other: PIL.Image.Image | np.ndarray) -> bool:
    return np.array_equal(pixels(one), other if isinstance(other, np.ndarray) else pixels(other))


@pytest.mark.parametrize("name, kind", [(PLANS, LABELS), (SHOES, LINES), (OWN, COLOURS), (GREY, LINES)])
def test_a_drawing_survives_the_board_and_the_text_of_a_link(stocked, name, kind):
    assert DRAWN.mode(name) == kind
    for number in (-1, 3) if name in (PLANS, SHOES) else (-1,):
        drawing = Drawing(example(name, 3), number)
        held = DRAWN.packed(name, drawing)
        for found in (DRAWN.check(name, drawing.text), DRAWN.check(name, "", held), DRAWN.check(name, held)):
            assert equal(found.picture, drawing.picture) and found.example == number
    assert re.fullmatch(r"[\w=-]+", Drawing(example(name, 9)).text), "a link would need to escape it"


def test_a_drawing_with_too_much_detail_is_not_in_a_link(stocked):
    noise = Drawing(PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)))
    speckled = PIL.Image.fromarray(DRAWN.palette[np.random.default_rng(0).integers(0, 12, (64, 64))])
    assert noise.text == "" and 0 < len(Drawing(speckled).text) <= LONGEST
    assert DRAWN.check(OWN, "", DRAWN.packed(OWN, noise)).picture.tobytes() == noise.picture.tobytes()
    with pytest.warns(UserWarning, match="too much detail"):
        assert DRAWN.restored(PLANS, "") == "example 0"


@pytest.mark.parametrize("text", ["", "x", "example", "example x", "example -1", "example 5", "example 99999", "AAAA", "é", "../a",
                                  "{", "{}", '{"picture": null}', '{"picture": "data:image/png;base64,AAAA"}'])  # fmt: skip
def test_what_is_no_drawing_is_refused(stocked, text):
    sentence = "Example must be|The picture must be|This file is not a picture|The board cannot be read"
    assert re.match(sentence, refusal(DRAWN.check, PLANS, text))
    assert re.match(sentence, refusal(DRAWN.check, PLANS, "", text or "[" * 10**5))


def test_other_weights_bring_their_example_and_keep_a_drawing_that_they_know(stocked):
    bags = stocked / "pix2pix-edges2bags"
    bags.mkdir()
    for file in (stocked / SHOES).iterdir():
        (bags / file.name).write_bytes(file.read_bytes())
    own, untouched = (DRAWN.packed(SHOES, Drawing(example(SHOES, 3), number)) for number in (-1, 3))
    kept = DRAWN.check(bags.name, DRAWN.follow(bags.name, "", own))
    assert equal(kept.picture, example(SHOES, 3)) and kept.example == -1
    for name, held in ((bags.name, untouched), (PLANS, own), (PLANS, ""), (PLANS, "{")):
        assert DRAWN.check(name, DRAWN.follow(name, "example 3", held)).example == 0


def test_colours_outside_the_palette_become_the_nearest_and_are_counted(stocked):
    picture = PIL.Image.new("RGB", (10, 10), (0, 48, 255))
    picture.putpixel((0, 0), (0, 52, 250))  # as a JPEG leaves it: still the facade's
    picture.paste((250, 90, 10), (0, 5, 10, 7))  # nearly molding
    picture.paste((255, 255, 255), (0, 9, 10, 10))
    found, outside = drawings.snapped(picture, DRAWN.palette)
    assert outside == pytest.approx(0.1) and {colour for _, colour in found.getcolors()} <= set(map(tuple, DRAWN.palette.tolist()))
    assert found.getpixel((0, 0)) == (0, 48, 255) and found.getpixel((3, 5)) == (255, 80, 0)
    assert "9 % of the pixels had colours outside" in DRAWN.uploaded(PLANS, picture, "")[1]
    assert "0 % of the pixels had colours outside the palette." in DRAWN.uploaded(PLANS, example(PLANS), "")[1]


@pytest.mark.parametrize("size", [(1, 1), (1000, 50), (50, 1000), (5000, 1), (700, 500)], ids=str)
@pytest.mark.parametrize("name, way", [(PLANS, ""), (OWN, ""), (SHOES, TRACE), (SHOES, DRAWING), (GREY, DRAWING)])
def test_an_upload_of_any_shape_is_fitted_or_refused_in_one_sentence(stocked, size, name, way):
    image = PIL.Image.new("RGB", size, (255, 255, 255))
    image.paste((0, 0, 221), (0, 0, max(1, size[0] // 2), max(1, size[1] // 2)))
    try:
        assert DRAWN.uploaded(name, image, way)[0].size == (SIDES[name],) * 2
    except gr.Error as error:
        assert min(size) < 50 or way == TRACE
        assert re.match("No lines were found|The picture is empty|This picture is of one colour", error.message)


def test_an_upload_is_padded_traced_or_turned_round(stocked):
    wide = pixels(DRAWN.uploaded(PLANS, PIL.Image.new("RGB", (200, 100), (0, 127, 255)), "")[0])
    assert (wide[16:48] == DRAWN.palette[2]).all() and (wide[:16] == DRAWN.palette[0]).all()
    photo = PIL.Image.new("RGB", (200, 150), "white")
    PIL.ImageDraw.Draw(photo).ellipse((40, 30, 160, 120), (90, 40, 30))
    assert equal(DRAWN.uploaded(SHOES, photo, TRACE)[0], line_drawing(framed(photo, 32)))
    for ground, ink in (("white", (40, 40, 40)), ("black", "white")):
        drawing = PIL.Image.new("RGB", (600, 600), ground)
        PIL.ImageDraw.Draw(drawing).line([(100, 100), (500, 400)], ink, 3)
        found = pixels(DRAWN.uploaded(SHOES, drawing, DRAWING)[0])
        assert found.min() == 0 and np.median(found) > 250, "a thin line stays black"
