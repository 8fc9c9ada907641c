"""The PixelCNN room without a browser: its board, the growing completions, their ranks and weights, and what they saw.

Small untrained models stand on the shelf, so that nothing here depends on the published weights.
"""

from __future__ import annotations

import base64
import io
import itertools
import math
import re
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import build, refusal

from demos import _room, pixelcnn
from demos.pixelcnn import ANY, ORDERED, SIDE, WEIGHTED, Growth, mask, pack, unpack
from gen_models import Draws, catalog, load, runtime

CLOTHES = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainer", "bag", "ankle boot"]
PLAIN, GATED, FASHION = "pixelcnn-mnist", "gated_pixelcnn-mnist", "gated_pixelcnn-fashion"


@pytest.fixture
def stocked(shelf):
    """Small models of both kinds, and sheets of pictures of both kinds."""
    sizes = {"pixelcnn": dict(width=6, blocks=2, kernel=3), "gated_pixelcnn": dict(width=4, layers=3, classes=10)}
    for (kind, arguments), (data, levels) in itertools.product(sizes.items(), (("mnist", 2), ("fashion", 8))):
        torch.manual_seed(len(kind))
        model = catalog.model_class(kind)(size=SIDE, levels=levels, **arguments)
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
        told = {"class": list("0123456789") if data == "mnist" else CLOTHES}
        catalog.save(model, shelf / f"{kind}-{data}", {"model": kind, "data": data, "classes": told})
    generator = np.random.default_rng(4)
    for data, bright in (("mnist", 0.2), ("fashion", 0.7)):
        (shelf / f"dcgan-{data}").mkdir()
        values = (generator.random((8 * SIDE, 8 * SIDE)) < bright) * 255
        PIL.Image.fromarray(values.astype(np.uint8)).save(shelf / f"dcgan-{data}" / "samples.png")
    pixelcnn._told.clear()
    yield shelf
    pixelcnn._told.clear()


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Nobody watches."""
    monkeypatch.setattr(pixelcnn, "FRAME", 0.0)


def picture(seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((SIDE, SIDE)) < 0.3).astype(np.uint8) * 255


def controls(weights: str = PLAIN, unknown: np.ndarray | None = None, grey: np.ndarray | None = None, **more) -> tuple:
    """What the page sends."""
    board = pack(picture() if grey is None else grey, mask("lower half") if unknown is None else unknown)
    wanted = dict(weights=weights, board=board, count=3, temperature=1.0, label=ANY, seed=5, mode=ORDERED) | more
    return tuple(wanted.values())


def grown(values: tuple) -> list[Growth]:
    """Everything that the page was told of, the last as it stays."""
    return [step[3] for step in pixelcnn.complete(*values) if isinstance(step[3], Growth)]


def image_of(address: str) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


# ---- the board --------------------------------------------------------------------------------------------------------


def test_a_board_survives_the_text():
    generator = np.random.default_rng(0)
    grey, unknown = generator.integers(0, 256, (SIDE, SIDE), np.uint8), generator.random((SIDE, SIDE)) < 0.5
    text = pack(grey, unknown)
    found = unpack(text)
    assert np.array_equal(found[0], grey) and np.array_equal(found[1], unknown)
    assert len(text) < 1200, "a link must hold it"


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "x", "é.ü", "AAAA.AAAA", None, 7, {}, pack(picture(), mask("hole"))[:-4], pack(picture(), mask("hole")) + ".AA",
     "A" * 10**6, pack(picture(), mask("hole")).replace(".", ","), " " + pack(picture(), mask("hole"))],
    ids=lambda text: repr(text)[:12],
)  # fmt: skip
def test_what_is_no_board_is_refused(text):
    assert refusal(unpack, text).startswith("The board cannot be read")


def test_the_masks_take_away_what_they_say():
    assert [int(mask(name).sum()) for name in pixelcnn.MASKS] == [392, 392, 100, 784]
    assert mask("lower half")[14:].all() and mask("right half")[:, 14:].all() and mask("hole")[9:19, 9:19].all()


def test_the_first_board_is_an_example_with_its_lower_half_gone(stocked):
    grey, unknown = unpack(pixelcnn.first_board(PLAIN))
    assert np.array_equal(grey, np.asarray(_room.sheet_tiles("dcgan-mnist", 1)[0]))
    assert np.array_equal(unknown, mask("lower half"))


def test_an_example_is_put_on_the_board(stocked):
    event = gr.EventData(None, {"index": 3})
    grey, unknown = unpack(pixelcnn.take_example(event, PLAIN, pack(picture(), mask("hole"))))
    assert np.array_equal(grey, np.asarray(_room.sheet_tiles("dcgan-mnist", 4)[3])) and np.array_equal(unknown, mask("hole"))
    _, unknown = unpack(pixelcnn.take_example(event, PLAIN, pack(picture(), np.zeros((SIDE, SIDE), bool))))
    assert np.array_equal(unknown, mask("lower half"))
    for index in (-1, 8, None, "1", math.nan):
        assert "Example must be" in refusal(pixelcnn.take_example, gr.EventData(None, {"index": index}), PLAIN, controls()[1])


def photo() -> PIL.Image.Image:
    """4000 x 3000, bright in the middle."""
    across = np.exp(-np.linspace(-2, 2, 4000) ** 2)[None] * np.exp(-np.linspace(-2, 2, 3000) ** 2)[:, None]
    return PIL.Image.fromarray((255 * across).astype(np.uint8)).convert("RGB")


def drawing_on_glass() -> PIL.Image.Image:
    """A thin black line on nothing, as a transparent PNG holds it."""
    image = PIL.Image.new("RGBA", (500, 400), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (240, 60, 246, 340))
    return image


@pytest.mark.parametrize("make", [photo, drawing_on_glass], ids=["photo", "transparent"])
@pytest.mark.parametrize("weights", [PLAIN, FASHION])
def test_an_upload_is_put_on_the_board_and_completed(stocked, make, weights):
    stream = io.BytesIO()
    make().save(stream, "PNG")
    board = pixelcnn.take_upload(weights, controls()[1], _room.read_picture(stream))
    grey, unknown = unpack(board)
    assert grey.max() == 255 and np.array_equal(unknown, mask("lower half"))
    assert (grey > 127).sum() >= 8, "a thin line was lost"
    assert grown((weights, board, 2, 1.0, ANY, 0, ORDERED))[-1].written == 392


def test_an_empty_upload_is_refused(stocked):
    assert refusal(pixelcnn.take_upload, PLAIN, controls()[1], PIL.Image.new("RGB", (50, 50))).startswith("The picture is empty")
    assert refusal(pixelcnn.take_upload, PLAIN, controls()[1], None) == "Upload a picture first."


# ---- completing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights, label", [(PLAIN, ANY), (GATED, ANY), (GATED, "3"), (FASHION, "7")])
def test_completions_grow_and_end_as_the_trajectory_does(stocked, weights, label):
    values = controls(weights, label=label)
    growths = grown(values)
    assert [growth.written for growth in growths[:2]] == [1, 21] and growths[-1].written == 392
    assert all(a.written <= b.written for a, b in itertools.pairwise(growths))
    model = load(weights)
    start, unknown = unpack(values[1])
    told = None if label == ANY else int(label)
    with torch.no_grad():
        steps = model.trajectory(Draws(5, 3), pixelcnn.as_tensor(start), torch.from_numpy(unknown), label=told)
        steps = [(255 * step[:, 0]).round().byte().numpy() for step in steps]
    last = growths[-1]
    for number, index in enumerate(last.indices):
        assert np.array_equal(last.pictures[number], steps[-1][index])
    assert sorted(last.indices) == [0, 1, 2]
    # every stage on the way, and the scrubber back to it
    assert [growth.done for growth in growths] == [False] * (len(growths) - 1) + [True]
    for growth in (growths[0], growths[3]):
        visible = ~unknown | (np.cumsum(unknown).reshape(SIDE, SIDE) <= growth.written)
        for index, shown in enumerate(growth.at(growth.written)):
            assert np.array_equal(np.asarray(shown)[..., 1] > 0, visible)
            assert np.array_equal(np.asarray(shown)[..., 0][visible], steps[growth.written - 1][index][visible])
        assert all(
            np.array_equal(np.asarray(back), np.asarray(growth.at(growth.written)[index]))
            for index, back in zip(last.indices, last.at(growth.written), strict=True)
        )


@pytest.mark.parametrize("weights", [PLAIN, GATED])
def test_completions_are_ranked_by_the_likelihood_of_the_whole(stocked, weights):
    last = grown(controls(weights, count=6))[-1]
    with torch.no_grad():
        scores = load(weights).log_likelihood(torch.from_numpy(last.pictures / np.float32(255))[:, None])
    assert (scores[:-1] >= scores[1:] - 1e-3).all()
    assert last.captions == tuple(f"{score:.1f} nats".replace("-", "−") for score in scores.tolist())
    assert last.note.startswith("Ranked")


def test_a_seed_decides_and_the_count_does_not_matter(stocked):
    few, many = (grown(controls(count=count))[-1] for count in (2, 16))
    for index in range(2):
        alike = (growth.pictures[growth.indices.index(index)] for growth in (few, many))
        assert np.array_equal(*alike)
    assert len(many.pictures) == 16
    assert not np.array_equal(grown(controls(seed=6, count=2))[0].pictures, few.pictures)


def test_an_empty_mask_is_one_clear_sentence(stocked):
    sentence = refusal(pixelcnn.complete, *controls(unknown=np.zeros((SIDE, SIDE), bool)))
    assert sentence.startswith("Nothing is unknown")


def test_a_full_mask_and_a_drawing_of_one_dot(stocked):
    assert grown(controls(unknown=mask("everything")))[-1].written == 784
    dot = np.zeros((SIDE, SIDE), np.uint8)
    dot[5, 5] = 255
    last = grown(controls(grey=dot))[-1]
    assert (last.pictures[:, 5, 5] == 255).all() and (last.pictures[:, :14].sum(axis=(1, 2)) == 255).all()
    single = np.zeros((SIDE, SIDE), bool)
    single[27, 27] = True
    assert [growth.written for growth in grown(controls(unknown=single))] == [1, 1]


def test_known_pixels_after_the_hole_are_told_of(stocked):
    assert "did not look ahead: 423 known pixels" in grown(controls(unknown=mask("hole"), count=1))[-1].note
    assert "look ahead" not in grown(controls(count=1))[-1].note


def test_stop_leaves_what_is_written(stocked):
    values = controls()
    steps = pixelcnn.complete(*values)
    seen = [step for step in itertools.islice(steps, 4) if isinstance(step[3], Growth)]
    steps.close()
    growth = seen[-1][3]
    assert 0 < growth.written < growth.total
    tiles, step, words = pixelcnn.stopped(growth)
    assert step == growth.written
    assert 'aria-busy="false"' in tiles and f"Stopped after {growth.written} of 392 pixels" in words
    assert pixelcnn.scrub(300, growth) == tiles
    assert pixelcnn.scrub(0, growth) == pixelcnn.waiting(values[0], values[1], 3).replace('busy="true"', 'busy="false"')
    assert len(pixelcnn.animation(*values, growth)) > 12
    untouched = pixelcnn.stopped(None)
    assert [update["__type__"] for update in untouched] == ["update"] * 3


def test_the_door_is_open_whenever_the_page_is_told(stocked):
    for mode in (ORDERED, WEIGHTED):
        for _ in pixelcnn.complete(*controls(GATED, unknown=mask("hole"), mode=mode)):
            assert runtime._door.acquire(blocking=False)
            runtime._door.release()


def test_two_visitors_take_turns(stocked):
    first, second = (pixelcnn.complete(*controls(seed=seed)) for seed in (1, 2))
    pairs = list(itertools.zip_longest(first, second))
    alone = grown(controls(seed=1))[-1]
    assert np.array_equal(pairs[-1][0][3].pictures, alone.pictures)


def test_sixteen_visitors_at_once_all_finish(stocked):
    """Each gets the pictures that it would get alone."""

    def visitor(seed: int) -> Growth:
        return grown(controls(seed=seed, count=1))[-1]

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(visitor, range(16)))
    assert all(growth.done for growth in found)
    for seed in (0, 15):
        assert np.array_equal(found[seed].pictures, grown(controls(seed=seed, count=1))[-1].pictures)


@pytest.mark.parametrize(
    "change, start",
    [
        (dict(weights="nobody-mnist"), "Trained on must be one of"),
        (dict(weights=None), "Trained on must be one of"),
        (dict(weights="dcgan-mnist"), "Trained on must be one of"),
        (dict(board="x"), "The board cannot be read"),
        *((dict(count=value), "Completions must be a number") for value in (0, 17, None, "3", math.nan, True)),
        *((dict(temperature=value), "Temperature must be a number") for value in (0, 2.1, None, math.inf, -1)),
        *((dict(label=value, weights=GATED), "Class must be one of") for value in ("10", "x", 3, [], {})),
        *((dict(seed=value), "Seed must be a number") for value in (-1, 2**31, "7", None)),
        *((dict(mode=value), "Mode must be one of") for value in (None, "", "weighted", 1)),
    ],
    ids=str,
)
def test_bad_values_are_refused_by_name(stocked, change, start):
    for function in (pixelcnn.complete, pixelcnn.restored, lambda *values: pixelcnn.sheet(*values, None)):
        assert refusal(function, *controls(**change)).startswith(start)


def test_weights_for_another_size_are_refused(stocked):
    model = catalog.model_class("pixelcnn")(size=16, width=4, blocks=1)
    catalog.save(model, stocked / "pixelcnn-own", {"model": "pixelcnn", "data": "folder", "classes": {}})
    assert refusal(pixelcnn.complete, *controls("pixelcnn-own")).startswith("This room is for pictures of 28 x 28 pixels")
    assert "Gated" in pixelcnn.sees("pixelcnn-own", controls()[1])


def test_classes_go_by_number_and_name(stocked):
    assert pixelcnn.class_names(FASHION) == CLOTHES and pixelcnn.class_names(PLAIN) == []
    assert [pixelcnn.label_of(FASHION, value) for value in (ANY, None, "bag", "8", "T-shirt")] == [None, None, 8, 8, 0]
    assert pixelcnn.label_of(PLAIN, "8") is None
    assert pixelcnn.class_choice(PLAIN)["visible"] is False
    shown = pixelcnn.class_choice(FASHION, "8")
    assert (shown["visible"], shown["value"], dict(shown["choices"])["bag"]) == (True, "8", "8")
    assert pixelcnn.class_choice(FASHION, "99")["value"] == ANY


# ---- weighted proposals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights, temperature", [(PLAIN, 1.0), (PLAIN, 0.6), (GATED, 1.0)])
def test_weights_of_proposals_are_the_posterior_of_a_small_hole(stocked, monkeypatch, weights, temperature):
    """Two unknown pixels have four completions, whose probabilities can be written down."""
    monkeypatch.setattr(pixelcnn.Task, "proposals", 400)
    unknown = np.zeros((SIDE, SIDE), bool)
    unknown[10, 12] = unknown[11, 12] = True
    last = grown(controls(weights, unknown, count=4, temperature=temperature, mode=WEIGHTED))[-1]
    every = np.repeat(picture()[None], 4, axis=0)
    every[:, 10, 12], every[:, 11, 12] = [0, 0, 255, 255], [0, 255, 0, 255]
    with torch.no_grad():
        exact = load(weights).log_likelihood(torch.from_numpy(every / np.float32(255))[:, None]).softmax(0).tolist()
    shares = {one.tobytes(): float(told.removesuffix(" %")) for one, told in zip(last.pictures, last.captions, strict=True)}
    assert sum(shares.values()) == pytest.approx(100, abs=2)
    for one, share in zip(every, exact, strict=True):
        assert shares.get(one.tobytes(), 0) == pytest.approx(100 * share, abs=9)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_without_known_pixels_after_the_hole_all_proposals_weigh_the_same(stocked):
    last = grown(controls(mode=WEIGHTED, count=16))[-1]
    assert len({told for told in last.captions}) == 1 and "weigh the same" in last.note
    assert len(last.pictures) == 16 and "64 proposals" in last.note


def test_more_proposals_are_written_than_are_shown(stocked):
    growths = grown(controls(GATED, unknown=mask("hole"), mode=WEIGHTED, count=2))
    assert {len(growth.pictures) for growth in growths} == {2}
    assert "24 proposals" in growths[0].note and "24 proposals" in growths[-1].note


# ---- what the page shows ----------------------------------------------------------------------------------------------


def test_tiles_of_growing_pictures_are_transparent_where_nothing_is_written(stocked):
    first, *_, last = (step for step in pixelcnn.complete(*controls()) if isinstance(step[0], str))
    tile = image_of(re.search(r'src="([^"]+)"', first[0])[1])
    assert tile.mode == "LA" and tile.size == (28, 28) and tile.getchannel("A").getextrema() == (0, 255)
    assert 'aria-busy="true"' in first[0] and 'aria-busy="false"' in last[0]
    assert image_of(re.search(r'src="([^"]+)"', last[0])[1]).getchannel("A").getextrema() == (255, 255)
    assert (first[1].maximum, first[1].interactive, last[1]) == (392, True, 392)


def test_saved_pictures_are_those_on_the_page(stocked):
    values = controls()
    last = grown(values)[-1]
    (made,) = pixelcnn.sheet(*values, last)
    (again,) = pixelcnn.sheet(*values, None)
    assert made.size == (3 * 28 * 8, 28 * 8) and made.tobytes() == again.tobytes()
    (other,) = pixelcnn.sheet(*controls(seed=9), last)
    assert other.tobytes() != made.tobytes(), "the recipe must make the picture"
    frames = pixelcnn.animation(*values, last)
    assert frames[0].getpixel((4, 28 * 4 - 4)) == pixelcnn.TINT
    assert pixelcnn.TINT not in {colour for _, colour in frames[-1].getcolors()}


def test_a_link_shows_the_board_and_then_begins(stocked):
    values = controls(GATED, label="4")
    tiles, step, note, growth, label, examples, begin = pixelcnn.restored(*values)
    assert tiles.count("<img") == 3 and growth is None and begin
    assert label.value == "4" and label.visible
    assert pixelcnn.restored(*values)[-1] != begin, "the same again must begin again"


def test_other_weights_change_the_board_unless_it_was_drawn_on(stocked):
    example = pixelcnn.first_board(PLAIN)
    changed = pixelcnn.switch(FASHION, example)[5]
    assert changed == pixelcnn.first_board(FASHION) != example
    drawn = controls()[1]
    assert pixelcnn.switch(FASHION, drawn)[5] == drawn
    assert "must be one of" in refusal(pixelcnn.switch, "nobody-mnist", drawn)


def test_the_room_is_laid_out_without_any_weights(shelf):
    with gr.Blocks():
        laid_out = pixelcnn.room()
    assert laid_out.controls["weights"].value is None
    assert unpack(laid_out.controls["board"].value)[1].all()
    assert "none is trained yet" in refusal(pixelcnn.complete, *controls(None))
    assert "none is trained yet" in refusal(pixelcnn.switch, None, controls()[1])
    assert "<figure>" in pixelcnn.sees(None, controls()[1])


# ---- look inside ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights, label", [(PLAIN, ANY), (GATED, ANY), (FASHION, "2")])
def test_the_surprise_is_the_likelihood_in_bits(stocked, weights, label):
    found = pixelcnn.surprise_of_board(weights, controls()[1], label)
    model, told = load(weights), None if label == ANY else int(label)
    with torch.no_grad():
        total = -float(model.log_likelihood(pixelcnn.as_tensor(picture()), label=told)[0])
    assert f"<b>{total / math.log(2):,.1f} bits</b> = {total:,.1f} nats" in found
    data = np.frombuffer(base64.b64decode(re.search(r'data-bits="([^"]+)"', found)[1]), "<u2").reshape(model.levels, 784)
    true = np.frombuffer(base64.b64decode(re.search(r'data-true="([^"]+)"', found)[1]), np.uint8)
    assert np.allclose((2.0 ** (data / -1000)).sum(axis=0), 1, atol=1e-2)
    assert data[true, np.arange(784)].sum() / 1000 == pytest.approx(total / math.log(2), abs=1)
    assert int(re.search(r'data-first="(\d+)"', found)[1]) == data[true, np.arange(784)].argmax()


def test_a_clicked_completion_is_measured(stocked):
    last = grown(controls())[-1]
    number = last.indices[-1]
    found, tab = pixelcnn.surprise_of_pick(gr.EventData(None, {"index": number}), PLAIN, ANY, last)
    assert f"Completion {number}" in found and tab.selected == "surprise"
    assert f"= {last.captions[-1].removeprefix('−')}" in found
    for index in (99, -1, None, "x"):
        refusal(pixelcnn.surprise_of_pick, gr.EventData(None, {"index": index}), PLAIN, ANY, last)
    partial = grown(controls())[1]
    assert "not finished" in refusal(pixelcnn.surprise_of_pick, gr.EventData(None, {"index": 0}), PLAIN, ANY, partial)


@pytest.mark.parametrize("row, column", [(0, 0), (15, 11), (27, 27), (20, 3)])
def test_receptive_fields_are_drawn_for_both_models(stocked, row, column):
    found = pixelcnn.look(gr.EventData(None, {"row": row, "column": column}), PLAIN, controls()[1])
    pictures = [np.asarray(image_of(address)) for address in re.findall(r'src="([^"]+)"', found)]
    numbers = re.findall(r"sees (\d+) of the (\d+) pixels before it, (\d+) are in its blind spot, (\d+) too far away", found)
    assert len(pictures) == len(numbers) == 2
    for kind, drawn, told in zip(pixelcnn.KINDS, pictures, numbers, strict=True):
        seen, before, blind, far = map(int, told)
        assert seen + blind + far == before == row * 28 + column
        assert seen == int(load(f"{kind}-mnist").receptive_field(row, column).sum())
        assert tuple(drawn[row, column]) == pixelcnn.HERE
    if row:
        assert numbers[1][2] == "0", "the gated model has no blind spot"


@pytest.mark.parametrize("place", [(-1, 0), (0, 28), (None, 0), ("x", 1), (math.nan, 1)])
def test_a_pixel_off_the_board_is_refused(stocked, place):
    event = gr.EventData(None, {"row": place[0], "column": place[1]})
    assert refusal(pixelcnn.look, event, PLAIN, controls()[1]).startswith("The pixel must be a number")


def test_pictures_of_another_kind_are_compared_as_they_come(stocked):
    steps = list(pixelcnn.others(PLAIN, ANY))
    assert len(steps) == 33 and all("<svg" in step for step in steps)
    assert "64 pictures of digits, its own kind" in steps[-1] and "64 pictures of clothes" in steps[-1]
    means = [float(value.replace("−", "-")) for value in re.findall(r"<td>(−?[\d.]+) nats on average", steps[-1])]
    assert ("The paradox" in steps[-1]) == (means[1] > means[0])
    assert list(pixelcnn.others(PLAIN, ANY)) == steps[-1:], "measured once"
    (stocked / "dcgan-fashion" / "samples.png").unlink()
    assert refusal(pixelcnn.others, GATED, ANY).startswith("There are no pictures of another kind")


# ---- verbs ------------------------------------------------------------------------------------------------------------


def test_the_verbs_sample_complete_and_measure(stocked):
    made = pixelcnn.pixelcnn_sample(GATED, 3, 2, 0.8, "4")
    assert len(made) == 2 and image_of(made[0]).size == (28, 28)
    assert made == pixelcnn.pixelcnn_sample(GATED, 3, 2, 0.8, "4") != pixelcnn.pixelcnn_sample(GATED, 4, 2, 0.8, "4")
    stream = io.BytesIO()
    PIL.Image.fromarray(picture()).save(stream, "PNG")
    for text in (_room.data_uri(stream.getvalue()), base64.b64encode(stream.getvalue()).decode()):
        (done,) = pixelcnn.pixelcnn_complete(PLAIN, text, "right half", count=1)
        assert np.array_equal(np.asarray(image_of(done))[:, :14], picture()[:, :14])
    zeros = "0" * 783 + "1"
    (done,) = pixelcnn.pixelcnn_complete(PLAIN, text, zeros, count=1, mode=WEIGHTED)
    assert np.array_equal(np.asarray(image_of(done)).flatten()[:-1], picture().flatten()[:-1])
    bits = pixelcnn.pixelcnn_bits(PLAIN, text)
    with torch.no_grad():
        exact = -float(load(PLAIN).log_likelihood(pixelcnn.as_tensor(picture()))[0]) / math.log(2)
    assert np.shape(bits) == (28, 28) and np.sum(bits) == pytest.approx(exact, abs=0.1)


@pytest.mark.parametrize(
    "change, start",
    [
        *((dict(picture=value), "The picture must be|This file is not a picture") for value in ("x", "data:,", "AAAA", 7, "é")),
        *((dict(unknown=value), "Unknown must be one of") for value in ("", "half", "01", "2" * 784, None, 3)),
        (dict(unknown="0" * 784), "Nothing is unknown"),
        (dict(count=65), "Completions must be"),
        (dict(mode="best"), "Mode must be"),
    ],
    ids=str,
)
def test_a_verb_refuses_what_makes_no_sense(stocked, change, start):
    assert re.match(start, refusal(lambda: pixelcnn.pixelcnn_complete(PLAIN, **change)))


def test_the_small_models_of_the_catalog_are_of_another_size():
    assert build("pixelcnn").size != SIDE  # why this file makes its own
