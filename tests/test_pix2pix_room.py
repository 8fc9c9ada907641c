"""The Pix2Pix room without a browser: its board and palette, uploads, results with and without noise, the discriminator's eye.

Small untrained models stand on the shelf, so that nothing here depends on the published weights.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import re

import gradio as gr
import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
import torch
from conftest import blocks, refusal

from demos import _room, pix2pix
from demos.pix2pix import COLOURS, EMPTY, LABELS, LINES, OFF, ON, PALETTE, Drawing, pack, unpack
from gen_models import Draws, catalog, load, runtime, sheets
from gen_models.evaluation.segmenter import FACADES
from gen_models.sets.facades import LABELS as FACADE_LABELS

PLANS, SHOES, OWN, GREY = "pix2pix-facades", "pix2pix-edges2shoes", "pix2pix-mine", "pix2pix-grey"
SIDES = {PLANS: 64, SHOES: 32, OWN: 48, GREY: 32}
WITH_EXAMPLES = (PLANS, SHOES)
UNREAD = "The picture must be a picture file|This file is not a picture"


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
    for name in WITH_EXAMPLES:
        drawings = [example(name, number) for number in range(5)]
        sheet = _room.strip_image(drawings)
        sheet.save(shelf / name / sheets.INPUTS, lossless=True)
        sheet.convert("L").convert("RGB").save(shelf / name / sheets.PARTNERS, lossless=True)
        drawings[0].save(shelf / name / sheets.RESULT, lossless=True)
    return shelf


def example(name: str, number: int = 0) -> PIL.Image.Image:
    """A drawing of the kind that the weights know."""
    if name == PLANS:
        return blocks(np.random.default_rng(number), SIDES[name]).convert("RGB")
    sheet = PIL.Image.new("RGB", (SIDES[name], SIDES[name]), "white")
    PIL.ImageDraw.Draw(sheet).line([(4, 4 + number), (20, 25), (28, 8)], "black", 1)
    return sheet


def controls(weights: str = PLANS, picture: PIL.Image.Image | None = None, **more) -> tuple:
    """What the page sends with a stroke."""
    board = pack(weights, Drawing(picture or example(weights)))
    return tuple((dict(weights=weights, board=board, noise=OFF, count=4, seed=5, pick=0) | more).values())


def images_in(text: str) -> list[PIL.Image.Image]:
    """The pictures in a piece of the page."""
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    return [PIL.Image.open(io.BytesIO(base64.b64decode(letters))) for letters in found]


def pixels(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def sent(picture: PIL.Image.Image, kind: str = "PNG") -> str:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return base64.b64encode(stream.getvalue()).decode()


# ---- the board --------------------------------------------------------------------------------------------------------


def test_the_palette_is_that_of_the_data_and_of_its_reader():
    assert list(FACADE_LABELS.values()) == FACADES
    assert len(FACADE_LABELS) == 12 and list(FACADE_LABELS)[:4] == ["background", "facade", "window", "door"]
    assert all(f'data-colour="#{colour}"' in pix2pix.BOARD_HTML and name in pix2pix.BOARD_HTML
               for name, colour in FACADE_LABELS.items())  # fmt: skip


def test_what_one_draws_follows_the_weights(stocked):
    assert [pix2pix.kind_of(name) for name in (PLANS, SHOES, OWN, GREY)] == [LABELS, LINES, COLOURS, LINES]
    assert [pix2pix.shape_of(name) for name in (PLANS, OWN, GREY)] == [(3, 64), (3, 48), (1, 32)]
    assert json.loads(pack(SHOES, Drawing(example(SHOES))))["kind"] == LINES


@pytest.mark.parametrize("name", [PLANS, SHOES])
def test_a_drawing_survives_the_board_and_the_text_of_a_link(stocked, name):
    picture = example(name, 9)
    for drawing in (unpack(name, pack(name, Drawing(picture))), pix2pix.from_text(name, pix2pix.as_text(Drawing(picture)))):
        assert np.array_equal(pixels(drawing.picture), pixels(picture)) and drawing.example == -1
    text = pix2pix.as_text(Drawing(picture))
    assert re.fullmatch(r"[\w=-]+", text), "a link would need to escape it"
    assert pix2pix.as_text(Drawing(picture, 3)) == "example 3"
    assert np.array_equal(pixels(pix2pix.from_text(name, "example 3").picture), pixels(example(name, 3)))
    assert unpack(name, pack(name, Drawing(picture, 3))).example == 3


def test_a_drawing_with_too_much_detail_is_not_squeezed_into_a_link_and_the_page_says_so(stocked, recwarn):
    noise = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    speckled = PIL.Image.fromarray(PALETTE[np.random.default_rng(0).integers(0, 12, (64, 64))])
    assert pix2pix.as_text(Drawing(noise)) == ""
    assert len(pix2pix.as_text(Drawing(speckled))) <= pix2pix.LONGEST
    found = pix2pix.painted(OWN, *controls(OWN, noise)[1:])
    assert found[3] == "" and "too much detail for a link" in found[2]
    assert "too much detail" not in pix2pix.painted(*controls())[2]
    again = pix2pix.restored(PLANS, OFF, 4, 5, 0, "")
    assert json.loads(again[3])["example"] == 0 and again[-1] == "example 0"
    assert any("too much detail" in str(warning.message) for warning in recwarn)


@pytest.mark.parametrize(
    "board",
    ["", "x", "{", "[]", "{}", "null", None, 7, {}, '{"picture": null}', '{"picture": "data:image/png;base64,AAAA"}', "[" * 10**5,
     '{"picture": "' + "A" * 10**7 + '"}'],
    ids=lambda board: repr(board)[:20],
)  # fmt: skip
def test_what_is_no_board_is_refused(stocked, board):
    sentence = refusal(pix2pix.painted, PLANS, board, *controls()[2:])
    assert re.match("The board cannot be read|The picture must be|This file is not a picture", sentence)


@pytest.mark.parametrize("text", ["x", "example", "example x", "example -1", "example 5", "example 99999", "AAAA", "é", "../a"])
def test_what_is_no_drawing_in_a_link_is_refused(stocked, text):
    sentence = refusal(pix2pix.restored, PLANS, OFF, 4, 5, 0, text)
    assert re.match("Example must be|The picture must be|This file is not a picture", sentence)


def test_an_empty_board_is_one_clear_sentence(stocked):
    for name, colour in ((PLANS, tuple(PALETTE[0].tolist())), (PLANS, tuple(PALETTE[1].tolist())), (SHOES, (255, 255, 255))):
        values = controls(name, PIL.Image.new("RGB", (SIDES[name],) * 2, colour))
        result, tiles, note, *_ = pix2pix.painted(*values)
        assert EMPTY in note and not images_in(result + tiles)
        assert EMPTY in pix2pix.reseeded(*values[:2], *values[3:])[3]
        weights, board, noise, count, seed, pick = values
        for function, given in (
            (pix2pix.judged, values),
            (pix2pix.levels_view, (weights, board)), (pix2pix.noise_view, (weights, board, seed)),
            (pix2pix.made, (weights, noise, count, seed, pick, "", board)),
            (pix2pix.side_by_side, (weights, noise, count, seed, pick, "", board)),
            (pix2pix.take_result, (gr.EventData(None, {"index": 0}), weights, board, count, seed)),
        ):  # fmt: skip
            assert refusal(function, *given) == EMPTY


def test_a_board_of_another_size_is_fitted(stocked):
    drawing = unpack(PLANS, pack(PLANS, Drawing(example(PLANS).resize((32, 32), PIL.Image.Resampling.NEAREST))))
    assert drawing.picture.size == (64, 64)
    tiny = pix2pix.painted(PLANS, pack(PLANS, Drawing(PIL.Image.new("RGB", (1, 1), "red"))), OFF, 4, 5, 0)
    assert EMPTY in tiny[2]


def test_the_plan_without_examples_is_a_house(shelf):
    drawing = pix2pix.first_drawing(None)
    found = {tuple(colour) for _, colour in drawing.picture.getcolors()}
    assert found == {tuple(PALETTE[list(FACADE_LABELS).index(name)].tolist())
                     for name in ("background", "facade", "window", "door", "cornice", "sill", "shop")}  # fmt: skip
    assert pix2pix.inputs_of(None) == [] and pix2pix.first_sight(None) == ""


# ---- colours outside the palette, uploads -----------------------------------------------------------------------------


def test_colours_outside_the_palette_become_the_nearest_and_are_counted():
    picture = PIL.Image.new("RGB", (10, 10), (0, 48, 255))
    picture.putpixel((0, 0), (0, 52, 250))  # as a JPEG leaves it: still the facade's
    picture.paste((250, 90, 10), (0, 5, 10, 7))  # nearly molding
    picture.paste((255, 255, 255), (0, 9, 10, 10))
    found, outside = pix2pix.snapped(picture)
    assert outside == pytest.approx(0.1)
    assert {colour for _, colour in found.getcolors()} <= {tuple(colour) for colour in PALETTE.tolist()}
    assert found.getpixel((0, 0)) == (0, 48, 255) and found.getpixel((3, 5)) == (255, 80, 0)
    white = np.abs(PALETTE.astype(int) - 255)
    assert found.getpixel((0, 9)) == tuple(PALETTE[(white**2).sum(1).argmin()].tolist())


@pytest.mark.parametrize("pale, words", [(True, "100 % of the pixels"), (False, "0 % of the pixels had colours outside")])
def test_an_uploaded_plan_is_told_of_its_colours(stocked, pale, words):
    plan = example(PLANS)
    if pale:
        plan = PIL.Image.fromarray((np.asarray(plan) // 3 + 120).astype(np.uint8))
    board, *_, note, text, _ = pix2pix.take_upload(PLANS, plan, pix2pix.TRACE, OFF, 4, 5, 0)
    assert words in note and text
    assert {colour for _, colour in unpack(PLANS, board).picture.getcolors()} <= {tuple(colour) for colour in PALETTE.tolist()}


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1000, 50), (50, 1000), (5000, 1), (700, 500)], ids=str)
@pytest.mark.parametrize("name", [PLANS, SHOES, OWN, GREY])
@pytest.mark.parametrize("how", pix2pix.UPLOADS)
def test_an_upload_of_any_shape_is_fitted_or_refused_in_one_sentence(stocked, size, name, how):
    stream = io.BytesIO()
    image = PIL.Image.new("RGB", size, (255, 255, 255))
    image.paste((0, 0, 221), (0, 0, max(1, size[0] // 2), max(1, size[1] // 2)))
    image.save(stream, "PNG")
    image = _room.read_picture(stream)
    values = (name, image, how, OFF, 4, 5, 0)
    if min(size) >= 50 and (name in (PLANS, OWN) or how == pix2pix.DRAWING):
        board, result, *_ = pix2pix.take_upload(*values)
        assert unpack(name, board).picture.size == (SIDES[name],) * 2 == images_in(result)[0].size
    else:
        try:
            assert images_in(_room.guarded(pix2pix.take_upload)(*values)[1])
        except gr.Error as error:
            assert re.match("No lines were found|The picture is empty|This picture is of one colour", error.message)


def test_an_upload_is_padded_not_squashed_or_cut(stocked):
    wide = PIL.Image.new("RGB", (200, 100), (0, 127, 255))
    found = pixels(unpack(PLANS, pix2pix.take_upload(PLANS, wide, "", OFF, 4, 5, 0)[0]).picture)
    assert (found[16:48] == PALETTE[2]).all() and (found[:16] == PALETTE[0]).all() and (found[48:] == PALETTE[0]).all()


def test_a_photo_is_traced_as_the_training_pictures_were(stocked):
    from gen_models.edges import framed, line_drawing

    photo = PIL.Image.new("RGB", (200, 150), "white")
    PIL.ImageDraw.Draw(photo).ellipse((40, 30, 160, 120), (90, 40, 30))
    board, _, _, note, *_ = pix2pix.take_upload(SHOES, photo, pix2pix.TRACE, OFF, 4, 5, 0)
    assert np.array_equal(pixels(unpack(SHOES, board).picture), pixels(line_drawing(framed(photo, 32))))
    assert "as they were for the training pictures" in note
    for image, how, start in (
        (PIL.Image.new("RGB", (90, 90), "white"), pix2pix.TRACE, "No lines were found"),
        (None, pix2pix.TRACE, "Upload a picture first."), (photo, "a guess", "The picture must be one of"),
    ):  # fmt: skip
        assert refusal(pix2pix.take_upload, SHOES, image, how, OFF, 4, 5, 0).startswith(start)


def test_a_picture_is_taken_anew_when_it_is_said_to_be_another_thing(stocked):
    photo = PIL.Image.new("RGB", (200, 150), "white")
    PIL.ImageDraw.Draw(photo).ellipse((40, 30, 160, 120), (90, 40, 30))
    for how in pix2pix.UPLOADS:
        values = (SHOES, photo, how, OFF, 4, 5, 0)
        assert pix2pix.retake_upload(*values) == pix2pix.take_upload(*values)
    untouched = pix2pix.retake_upload(SHOES, None, pix2pix.DRAWING, OFF, 4, 5, 0)
    assert [update["__type__"] for update in untouched] == ["update"] * 6


def test_light_lines_on_dark_are_turned_round_and_thin_ones_stay_black(stocked):
    for ground, ink in (("white", (40, 40, 40)), ("black", "white")):
        drawing = PIL.Image.new("RGB", (600, 600), ground)
        PIL.ImageDraw.Draw(drawing).line([(100, 100), (500, 400)], ink, 3)
        found = pixels(pix2pix.as_lines(drawing, 32))
        assert found.min() == 0 and np.median(found) > 250
        assert (found[..., 0] == found[..., 2]).all()


# ---- results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [PLANS, SHOES, OWN, GREY])
def test_the_result_is_the_models_own_and_always_the_same(stocked, name):
    values = controls(name)
    result, tiles, note, text, pick = pix2pix.painted(*values)
    with torch.no_grad():
        exact = load(name).translate(_room.as_tensor(example(name), _room.shape_of(name)[0]))[0]
    assert np.array_equal(np.asarray(images_in(result)[0]), np.asarray(_room.to_pil(exact)))
    assert tiles == "" and text and pick == 0 and "always gives the same result" in note
    assert pix2pix.painted(*controls(name, seed=6))[0] == result
    assert pix2pix.painted(*controls(name, example(name, 2)))[0] != result


def test_noise_gives_several_results_of_the_seed_that_do_not_depend_on_their_number(stocked):
    result, tiles, note, _, _ = pix2pix.painted(*controls(noise=ON, count=8, pick=6))
    assert len(images_in(tiles)) == 8 and "8 results of seed 5" in note
    assert len({picture.tobytes() for picture in images_in(tiles)}) == 8
    for index in (0, 6):
        with torch.no_grad():
            exact = load(PLANS).translate(_room.as_tensor(example(PLANS)), Draws(5, 1, first=index))[0]
        assert np.array_equal(pixels(images_in(tiles)[index]), pixels(_room.to_pil(exact)))
    assert np.array_equal(pixels(images_in(result)[0]), pixels(images_in(tiles)[6]))
    few = pix2pix.painted(*controls(noise=ON, count=4, pick=6))
    assert [picture.tobytes() for picture in images_in(few[1])] == [picture.tobytes() for picture in images_in(tiles)[:4]]
    assert few[4] == 3, "the sixth is not there any more"
    assert pix2pix.painted(*controls(noise=ON, seed=6))[1] != few[1]


def test_a_new_seed_turns_the_noise_on(stocked):
    weights, board, _, count, seed, pick = controls()
    noise, *rest = pix2pix.reseeded(weights, board, count, seed, pick)
    assert noise == ON and rest == pix2pix.painted(*controls(noise=ON))


def test_a_result_is_picked(stocked):
    weights, board, _, count, seed, _ = controls()
    found = pix2pix.take_result(gr.EventData(None, {"index": 2}), weights, board, count, seed)
    assert found == pix2pix.painted(*controls(noise=ON, pick=2))
    assert 'data-index="2" aria-label="result 2"><img' in found[1] and found[1].count("<b>shown</b>") == 1
    for index in (-1, 4, None, "1", math.nan):
        assert "Result must be" in refusal(pix2pix.take_result, gr.EventData(None, {"index": index}), weights, board, count, seed)


def test_an_example_is_taken(stocked):
    board, *found = pix2pix.take_example(gr.EventData(None, {"index": 3}), PLANS, OFF, 4, 5, 0)
    drawing = unpack(PLANS, board)
    assert drawing.example == 3 and np.array_equal(pixels(drawing.picture), pixels(example(PLANS, 3)))
    assert found[3] == "example 3" and images_in(found[0])
    for index in (-1, 5, None, "1", math.nan):
        assert "Example must be" in refusal(pix2pix.take_example, gr.EventData(None, {"index": index}), PLANS, OFF, 4, 5, 0)


def test_the_door_is_open_between_results(stocked):
    results = pix2pix.translated(PLANS, Drawing(example(PLANS)), [0, 1, 2], 5)
    for _ in results:
        assert runtime._door.acquire(blocking=False)
        runtime._door.release()


@pytest.mark.parametrize(
    "change, start",
    [
        *((dict(weights=value), "Trained on must be one of") for value in ("nobody-facades", None, "dcgan-mnist", 3)),
        *((dict(noise=value), "Dropout noise must be one of") for value in (None, "", "on", True)),
        *((dict(count=value), "Results must be a number") for value in (0, 3, 9, None, "4", math.nan, True)),
        *((dict(seed=value), "Seed must be a number") for value in (-1, 2**31, "7", None)),
        *((dict(pick=value), "Result must be a number") for value in (-1, 8, None, "0")),
    ],
    ids=str,
)
def test_bad_values_are_refused_by_name(stocked, change, start):
    names = ("weights", "board", "noise", "count", "seed", "pick")
    weights, board, *rest = (dict(zip(names, controls(), strict=True)) | change).values()
    for function, values in (
        (pix2pix.painted, (weights, board, *rest)), (pix2pix.judged, (weights, board, *rest)),
        (pix2pix.restored, (weights, *rest, "example 0")), (pix2pix.switch, (weights, SHOES, board, *rest)),
    ):  # fmt: skip
        assert refusal(function, *values).startswith(start)


def test_other_weights_bring_their_example_and_keep_a_drawing_that_they_know(stocked):
    board = pack(SHOES, Drawing(example(SHOES, 9)))
    found = pix2pix.switch(PLANS, SHOES, board, OFF, 4, 5, 0)
    assert json.loads(found[0]) | {"picture": ""} == {"kind": LABELS, "picture": "", "example": 0} and found[4] == "example 0"
    bags = stocked / "pix2pix-edges2bags"
    bags.mkdir()
    for file in (stocked / SHOES).iterdir():
        (bags / file.name).write_bytes(file.read_bytes())
    kept = pix2pix.switch("pix2pix-edges2bags", SHOES, board, OFF, 4, 5, 0)
    assert np.array_equal(pixels(unpack(SHOES, kept[0]).picture), pixels(example(SHOES, 9)))
    untouched = pack(SHOES, Drawing(example(SHOES, 3), 3))
    assert json.loads(pix2pix.switch("pix2pix-edges2bags", SHOES, untouched, OFF, 4, 5, 0)[0])["example"] == 0


def test_a_users_own_small_weights_start_from_their_sheet(stocked):
    assert pix2pix.inputs_of(OWN) == []
    generator = np.random.default_rng(1)
    tiles = [PIL.Image.fromarray(generator.integers(0, 256, (48, 48, 3), np.uint8)) for _ in range(24)]
    for place in (*range(6, 8), *range(14, 16), *range(22, 24)):
        tiles[place] = PIL.Image.new("RGB", (48, 48), "white")  # as a sheet of six pictures is filled up
    _room.strip_image(tiles, columns=8).save(stocked / OWN / "samples.png")
    for found, row in ((pix2pix.inputs_of(OWN), 0), (pix2pix.partners_of(OWN), 2)):
        assert [pixels(picture).tobytes() for picture in found] == [pixels(tile).tobytes() for tile in tiles[8 * row : 8 * row + 6]]
    assert np.array_equal(pixels(pix2pix.result_of(OWN)), pixels(tiles[8]))
    # of larger pictures the sheet shows reduced ones, which are no drawings any more
    _room.strip_image([tile.resize((24, 24)) for tile in tiles], columns=8).save(stocked / OWN / "samples.png")
    assert pix2pix.inputs_of(OWN) == []


def test_a_link_restores_the_result(stocked):
    for drawing in (pix2pix.as_text(Drawing(example(PLANS, 9))), "example 2"):
        for noise, pick in ((OFF, 0), (ON, 2)):
            found = pix2pix.restored(PLANS, noise, 4, 5, pick, drawing)
            painted = pix2pix.painted(PLANS, found[3], noise, 4, 5, pick)
            assert found[:3] == painted[:3] and found[-1] == drawing == painted[3]


def test_saved_pictures_are_those_on_the_page(stocked):
    for noise, pick in ((OFF, 0), (ON, 3)):
        values = (PLANS, noise, 4, 5, pick, "", controls()[1])
        (saved,) = pix2pix.made(*values)
        assert np.array_equal(pixels(saved), pixels(images_in(pix2pix.painted(*controls(noise=noise, pick=pick))[0])[0]))
        (both,) = pix2pix.side_by_side(*values)
        assert np.array_equal(pixels(both), np.concatenate([pixels(example(PLANS)), pixels(saved)], axis=1))
    assert pix2pix.side_by_side(GREY, OFF, 4, 5, 0, "", controls(GREY)[1])[0].size == (64, 32)


# ---- looking inside ---------------------------------------------------------------------------------------------------


def test_the_discriminator_judges_the_result_and_the_true_photo_of_an_example(stocked):
    board, *_ = pix2pix.take_example(gr.EventData(None, {"index": 3}), PLANS, OFF, 4, 5, 0)
    found = pix2pix.judged(PLANS, board, OFF, 4, 5, 0)
    result, over, truth, _ = images_in(found)
    assert np.array_equal(pixels(truth), pixels(example(PLANS, 3).convert("L")))
    assert result.size == truth.size == over.size == (64, 64)
    with torch.no_grad():
        inputs, photo = (_room.as_tensor(picture) for picture in (example(PLANS, 3), truth))
        scores = load(PLANS).patch_map(inputs, photo)[0].numpy()
    told = json.loads(re.findall(r'data-scores="([^"]+)"', found)[1])
    assert np.allclose(told, scores, atol=1e-3)
    assert f"<b>{100 * scores.mean():.0f} %</b> real on average over {scores.size} patches" in found
    assert len(images_in(pix2pix.judged(*controls()))) == 2, "a visitor's drawing has no true photograph"


def test_a_patch_lies_where_the_page_frames_it():
    """Patch n covers the pixels from 8 n - 23 on, 70 of them."""
    from gen_models.translation._networks import PatchDiscriminator

    network = PatchDiscriminator(1, 2).double()
    for module in network.modules():
        if module.__class__.__name__ == "InstanceNorm":
            module.forward = lambda x, statistics=None: x  # it looks at the whole picture
    image = torch.rand(1, 1, 256, 256, dtype=torch.double, requires_grad=True)
    scores = network(image)[0]
    assert scores.shape == (30, 30)
    for n in (5, 14):
        (gradient,) = torch.autograd.grad(scores[n, 20], image, retain_graph=True)
        rows = gradient[0, 0].abs().sum(1).nonzero()[:, 0]
        assert (int(rows[0]), len(rows)) == (pix2pix.STRIDE * n - 23, pix2pix.PATCH)


def test_levels_come_in_one_by_one(stocked):
    *_, before, last = pix2pix.levels_view(PLANS, controls()[1])
    pictures = images_in(last)
    assert len(pictures) == 8 and len(images_in(before)) == 7
    assert [f"{side} × {side}" in last for side in (32, 16, 8, 4)] == [True] * 4
    with torch.no_grad():
        for place, closed in ((1, [1]), (7, [0, 1, 2])):
            exact = load(PLANS).translate(_room.as_tensor(example(PLANS)), closed=closed)[0]
            assert np.array_equal(pixels(pictures[place]), pixels(_room.to_pil(exact)))


def test_what_the_noise_changes_is_measured(stocked):
    found = pix2pix.noise_view(PLANS, controls()[1], 5)
    with torch.no_grad():
        inputs = _room.as_tensor(example(PLANS))
        results = torch.cat([load(PLANS).translate(inputs, Draws(5, 1, first=row)) for row in range(8)])
    spread = 255 * float(results.std(dim=0, correction=0).mean())
    told = float(re.search(r"differ by ([\d.]+) of 255", found)[1])
    assert told == pytest.approx(spread, abs=0.06) and told > 0
    assert refusal(pix2pix.noise_view, PLANS, controls()[1], -1).startswith("Seed must be")


# ---- verbs ------------------------------------------------------------------------------------------------------------


def test_the_verbs_of_the_api(stocked):
    picture = sent(example(PLANS, 9))
    (alone,) = pix2pix.pix2pix_translate(PLANS, picture)
    assert alone in pix2pix.painted(*controls(picture=example(PLANS, 9)))[0]
    noisy = pix2pix.pix2pix_translate(PLANS, "data:image/png;base64," + picture, seed=5, count=3)
    tiles = pix2pix.painted(*controls(picture=example(PLANS, 9), noise=ON))[1]
    assert len(noisy) == 3 and all(result in tiles for result in noisy)
    assert pix2pix.pix2pix_translate(PLANS) == pix2pix.pix2pix_translate(PLANS, sent(example(PLANS)))
    scores = pix2pix.pix2pix_judge(PLANS, picture)
    assert np.shape(scores) == (6, 6) and scores == pix2pix.pix2pix_judge(PLANS, picture, alone)
    assert scores != pix2pix.pix2pix_judge(PLANS, picture, picture)
    photo = PIL.Image.new("RGB", (80, 80), "white")
    photo.paste((60, 30, 20), (20, 20, 60, 60))
    (lines,) = images_in(pix2pix.pix2pix_trace(sent(photo), 64))
    assert lines.size == (64, 64) and pixels(lines).min() == 0


@pytest.mark.parametrize(
    "function, values, start",
    [
        *((verb, (value,), "Trained on must be") for verb in ("translate", "judge") for value in ("nobody", None, "vae-mnist")),
        *((verb, (PLANS, value), UNREAD) for verb in ("translate", "judge") for value in ("x", "AAAA", 7)),
        *(("translate", (PLANS, "", value), "Seed must be") for value in (-1, "7", None)),
        *(("translate", (PLANS, "", 0, value), "Results must be") for value in (-1, 9, None, True)),
        ("translate", (PLANS, sent(PIL.Image.new("RGB", (9, 9)))), "The picture is empty"),
        ("translate", (PLANS, sent(PIL.Image.new("RGB", (1, 1)))), "The picture is empty"),
        ("judge", (PLANS, "", "x"), UNREAD),
        *(("trace", (value,), UNREAD) for value in ("", "x", None)),
        *(("trace", (sent(example(SHOES)), value), "Size must be") for value in (0, 31, 513, None, "64")),
        ("trace", (sent(PIL.Image.new("RGB", (9, 9), "white")), 32), "No lines were found"),
    ],
    ids=lambda part: repr(part)[:40],
)  # fmt: skip
def test_a_verb_refuses_what_makes_no_sense(stocked, function, values, start):
    assert re.match(start, refusal(getattr(pix2pix, f"pix2pix_{function}"), *values))


def test_without_weights_the_page_opens_and_a_stroke_is_told(shelf):
    with gr.Blocks():
        room = pix2pix.room()
    assert room.controls["weights"].value is None
    board = pack(None, pix2pix.first_drawing(None))
    assert refusal(pix2pix.painted, None, board, OFF, 4, 5, 0) == "Trained on must be one of (none is trained yet)."


def test_no_setting_is_forgotten_in_a_link(stocked):
    with gr.Blocks():
        room = pix2pix.room()
    assert list(room.controls) == ["weights", "noise", "count", "seed", "pick", "drawing"]
    assert room.controls["weights"].value == PLANS and room.controls["drawing"].value == "example 0"
    values = [component.value for component in room.controls.values()]
    assert len(room.show(*values)) == len(room.shown)
    changes = itertools.product((OFF, ON), (4, 8))
    assert all(len(room.show(PLANS, noise, count, 1, 0, "example 1")) == len(room.shown) for noise, count in changes)
