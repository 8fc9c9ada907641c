"""Pix2Pix's room without a browser: results with and without noise, the discriminator's eye.

Small untrained models stand on the shelf, so that nothing here depends on the published weights.
"""

from __future__ import annotations

import json
import re

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
import torch
from conftest import refusal
from test_drawings import GREY, OWN, PLANS, SHOES, SIDES, example

from demos import pix2pix
from demos._families.drawings import EMPTY
from demos._kit.boards import Drawing
from demos._kit.pictures import as_tensor, strip_image, to_pil
from demos._kit.shipped import shape_of
from demos.pix2pix import DRAWN, OFF, ON
from gen_models import Draws, catalog, load, runtime, sheets


@pytest.fixture
def stocked(shelf):
    """A small model of facades, one of shoes, a user's own of another size without examples, and a grey one."""
    for place, (name, data) in enumerate({PLANS: "facades", SHOES: "edges2shoes", OWN: "paired", GREY: "paired"}.items()):
        torch.manual_seed(place)
        kind = catalog.model_class("pix2pix")
        model = kind(size=SIDES[name], channels=1 if name == GREY else 3, widths=[6, 6, 6, 6], discriminator_width=4)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        catalog.save(model, shelf / name, {"model": "pix2pix", "data": data})
    for name in (PLANS, SHOES):
        sheet = strip_image([example(name, number) for number in range(5)])
        sheet.save(shelf / name / sheets.INPUTS, lossless=True)
        sheet.convert("L").convert("RGB").save(shelf / name / sheets.PARTNERS, lossless=True)
    return shelf


def exact(weights: str, picture: PIL.Image.Image, row: int | None = None, **more) -> np.ndarray:
    """What the model itself makes of a drawing, (H, W, 3) bytes; ``row``: of the noise of seed 5."""
    with torch.no_grad():
        draws = () if row is None else (Draws(5, 1, first=row),)
        return pixels(to_pil(load(weights).translate(as_tensor(picture, shape_of(weights)[0]), *draws, **more)[0]))


def pixels(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def equal(one: PIL.Image.Image, other: PIL.Image.Image | np.ndarray) -> bool:
    return np.array_equal(pixels(one), other if isinstance(other, np.ndarray) else pixels(other))


@pytest.mark.parametrize("name", [PLANS, SHOES, OWN, GREY])
def test_the_result_is_the_models_own_and_that_of_a_row_does_not_depend_on_their_number(stocked, name):
    drawing = Drawing(example(name))
    (alone,) = pix2pix.paint(name, drawing, OFF, 4, 5, 2).pictures
    assert equal(alone, exact(name, drawing.picture))
    many, few = (pix2pix.paint(name, drawing, ON, count, 5, 6) for count in (8, 4))
    assert [equal(picture, exact(name, drawing.picture, row)) for row, picture in enumerate(many.pictures)] == [True] * 8
    assert few.pictures == many.pictures[:4] and (few.pick, many.pick) == (3, 6)
    assert equal(many.frames()[0], many.pictures[6]) and "8 results of seed 5" in many.note
    assert equal(pix2pix.both(name, drawing, ON, 8, 5, 6).pictures[1], many.pictures[6])
    for index in (-1, 4, None, "1"):
        assert refusal(pix2pix.choose, index, 4).startswith("Result must be")


def test_the_door_is_open_between_results(stocked):
    for _ in pix2pix.translated(PLANS, example(PLANS), [0, 1, 2], 5):
        assert runtime._door.acquire(blocking=False)
        runtime._door.release()


def test_an_empty_board_is_one_clear_sentence(stocked):
    for name, colour in ((PLANS, tuple(DRAWN.palette[1].tolist())), (SHOES, "white")):
        empty = Drawing(PIL.Image.new("RGB", (SIDES[name],) * 2, colour))
        shown = pix2pix.paint(name, empty, ON, 4, 5, 0)
        assert shown.note == EMPTY and "<img" not in shown.html() and refusal(shown.frames) == EMPTY
        for verb in (pix2pix.judge, pix2pix.both):
            assert refusal(verb, name, empty, OFF, 4, 5, 0) == EMPTY
        assert refusal(pix2pix.spread, name, empty, 5) == refusal(lambda: next(pix2pix.levels(name, empty))) == EMPTY  # noqa: B023


def test_the_discriminator_judges_the_result_and_the_true_photo_of_an_example(stocked):
    drawing = Drawing(example(PLANS, 3), 3)
    found = pix2pix.judge(PLANS, drawing, OFF, 4, 5, 0).content
    with torch.no_grad():
        inputs, photo = as_tensor(drawing.picture), as_tensor(drawing.picture.convert("L").convert("RGB"))
        scores = load(PLANS).patch_map(inputs, photo)[0].numpy()
    assert np.allclose(json.loads(re.findall(r'data-scores="([^"]+)"', found)[1]), scores, atol=1e-3)
    assert f"<b>{100 * scores.mean():.0f} %</b> real on average over {scores.size} patches" in found
    assert pix2pix.judge(PLANS, Drawing(drawing.picture), OFF, 4, 5, 0).content.count("<figure>") == 1, "a drawing has no photo"


def test_a_patch_lies_where_the_page_frames_it():
    """Patch n covers the pixels from 8 n - 23 on, 70 of them."""
    from gen_models.translation._networks import PatchDiscriminator

    network = PatchDiscriminator(1, 2).double()
    for module in network.modules():
        if module.__class__.__name__ == "InstanceNorm":
            module.forward = lambda x, statistics=None: x  # it looks at the whole picture
    image = torch.rand(1, 1, 256, 256, dtype=torch.double, requires_grad=True)
    scores = network(image)[0]
    for n in (5, 14):
        (gradient,) = torch.autograd.grad(scores[n, 20], image, retain_graph=True)
        rows = gradient[0, 0].abs().sum(1).nonzero()[:, 0]
        assert (int(rows[0]), len(rows)) == (pix2pix.STRIDE * n - 23, pix2pix.PATCH)


def test_levels_come_in_one_by_one_and_what_the_noise_changes_is_measured(stocked):
    frames = list(pix2pix.levels(PLANS, Drawing(example(PLANS))))
    assert [sum(len(part.pictures) for part in frame.parts) for frame in frames] == list(range(1, 9))
    without, alone = frames[-1].parts
    assert equal(to_pil(without.pictures[1]), exact(PLANS, example(PLANS), closed=[1]))
    assert equal(to_pil(alone.pictures[3]), exact(PLANS, example(PLANS), closed=[0, 1, 2])) and alone.captions[3] == "4 × 4"
    with torch.no_grad():
        results = torch.cat([load(PLANS).translate(as_tensor(example(PLANS)), Draws(5, 1, first=row)) for row in range(8)])
    said = float(re.search(r"differ by ([\d.]+) of 255", pix2pix.spread(PLANS, Drawing(example(PLANS)), 5).note)[1])
    assert said == pytest.approx(255 * float(results.std(dim=0, correction=0).mean()), abs=0.06) and said > 0


def test_callers_get_what_the_page_shows(stocked):
    picture = example(PLANS, 9)
    shown = pix2pix.paint(PLANS, Drawing(picture), ON, 4, 5, 0)
    assert pix2pix.translate(PLANS, picture, 5, 3).json() == shown.json()[:3]
    assert pix2pix.translate(PLANS, None, 5, 0).json() == pix2pix.paint(PLANS, Drawing(example(PLANS)), OFF, 4, 0, 0).json()
    scores = pix2pix.judge_sent(PLANS, picture, None).data
    assert np.shape(scores) == (6, 6) and scores != pix2pix.judge_sent(PLANS, picture, picture).data
    assert refusal(pix2pix.translate, PLANS, PIL.Image.new("RGB", (9, 9)), 0, 0).startswith("The picture is empty")
    assert refusal(pix2pix.trace, PIL.Image.new("RGB", (9, 9), "white"), 32).startswith("No lines were found")


def test_the_page_says_what_a_link_cannot_hold(stocked):
    noise = Drawing(PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)))
    assert "too much detail for a link" in pix2pix.paint(OWN, noise, OFF, 4, 5, 0).note
    assert "too much detail" not in pix2pix.paint(OWN, Drawing(example(OWN)), OFF, 4, 5, 0).note
