"""The CycleGAN room without a browser: pictures of any shape there and back, noise before the way back, hidden traces, strength.

Small untrained models stand on the shelf, so that nothing here depends on the published weights.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal, smooth

from demos import _room, cyclegan
from demos.cyclegan import HOME, THERE, UPLOAD, Trace
from gen_models import catalog, load, runtime, sheets

MONET, FACES, OWN = "cyclegan-monet2photo", "cyclegan-faces2portraits", "cyclegan-mine"
SIDE = 48
EXAMPLES = 3
UNREAD = "The picture must be a picture file|This file is not a picture"


@pytest.fixture
def stocked(shelf):
    """Small models of paintings and of faces with examples, and a user's own for grey pictures without any."""
    for place, (name, data) in enumerate({MONET: "monet2photo", FACES: "faces2portraits", OWN: "unpaired"}.items()):
        torch.manual_seed(place)
        channels = 1 if name == OWN else 3
        model = catalog.model_class("cyclegan")(size=SIDE, channels=channels, crop=32, width=4, blocks=2, discriminator_width=4)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        catalog.save(model, shelf / name, {"model": "cyclegan", "data": data})
    for name in (MONET, FACES):
        for kind, file in ((0, sheets.INPUTS), (10, sheets.PARTNERS)):
            _room.strip_image([example(kind + number) for number in range(EXAMPLES)]).save(shelf / name / file, lossless=True)
        for kind, file in ((0, sheets.RESULT), (10, sheets.BACK)):
            example(kind).transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT).save(shelf / name / file, lossless=True)
    cyclegan._made.clear()
    yield shelf
    cyclegan._made.clear()


def example(number: int = 0, size: tuple[int, int] = (SIDE, SIDE)) -> PIL.Image.Image:
    """A picture of soft colours."""
    return smooth(np.random.default_rng(number), max(size)).resize(size)


def exact(weights: str, picture: PIL.Image.Image, backwards: bool = False, **more) -> np.ndarray:
    """What the model itself makes of a picture, (H, W, 3) bytes."""
    with torch.no_grad():
        made = load(weights).translate(_room.as_tensor(picture, _room.shape_of(weights)[0]), backwards, **more)[0]
    return pixels(_room.to_pil(made))


def pixels(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def images_in(text: str) -> list[PIL.Image.Image]:
    """The pictures in a piece of the page."""
    found = re.findall(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)", text)
    return [PIL.Image.open(io.BytesIO(base64.b64decode(letters))) for letters in found]


def compared(value: str) -> list[np.ndarray]:
    """The two pictures of a comparison."""
    return [pixels(images_in(json.loads(value)[kind])[0]) for kind in ("before", "after")]


def sent(picture: PIL.Image.Image, kind: str = "PNG") -> str:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return base64.b64encode(stream.getvalue()).decode()


def clicked(index) -> gr.EventData:
    return gr.EventData(None, {"index": index})


# ---- translating ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way, kind", [(THERE, 0), (HOME, 10)])
def test_an_example_is_translated_in_the_way_that_is_asked(stocked, way, kind):
    begun, *_, ended = cyclegan.translate(MONET, way, "example 2", "512", None)
    before, after = compared(ended[0])
    assert np.array_equal(before, pixels(example(kind + 2)))
    assert np.array_equal(after, exact(MONET, example(kind + 2), way == HOME))
    assert json.loads(begun[0])["busy"] == "true" and json.loads(ended[0])["busy"] == "false"
    assert begun[2:] == [""] * 4, "views of the picture before would stay"
    assert "48 x 48 pixels." in ended[1] and "tiles" not in ended[1]
    assert json.loads(ended[0])["names"] == ["Original", "Translation: " + ("photo" if way == THERE else "painting")]


@pytest.mark.parametrize("size", [(600, 30), (30, 600), (1, 1), (2, 700), (33, 47)], ids=str)
@pytest.mark.parametrize("weights", [MONET, OWN])
def test_an_upload_of_any_shape_keeps_its_shape(stocked, size, weights):
    *_, ended = cyclegan.translate(weights, THERE, UPLOAD, "1024", example(5, size))
    before, after = compared(ended[0])
    assert before.shape == after.shape == (size[1], size[0], 3)
    if max(size) < _room.LARGE:
        assert np.array_equal(after, exact(weights, PIL.Image.fromarray(before)))
        assert np.array_equal(before, pixels(example(5, size).convert("L" if weights == OWN else "RGB")))
    assert ("filled up to 32 pixels" in ended[1]) is (min(size) < 32)
    assert "neither a link nor a saved picture brings it back" in ended[1]


def test_a_picture_beyond_the_working_size_is_reduced_and_that_is_said(stocked):
    *_, ended = cyclegan.translate(MONET, THERE, UPLOAD, "256", example(5, (1400, 700)))
    before, after = compared(ended[0])
    assert before.shape == after.shape == (128, 256, 3)
    assert "256 x 128 pixels, reduced from 1400 x 700." in ended[1]


def test_a_large_picture_comes_tile_by_tile_and_the_door_is_open_in_between(stocked):
    picture = example(6, (1024, 700))
    frames = []
    for frame in cyclegan.translate(MONET, THERE, UPLOAD, "1024", picture):
        assert runtime._door.acquire(blocking=False)
        runtime._door.release()
        frames.append(frame)
    shown = [compared(frame[0])[1] for frame in frames]
    assert len(frames) > 4 and {picture.shape for picture in shown} == {(700, 1024, 3)}
    total = int(re.search(r"went through in (\d+) tiles", frames[-1][1])[1])
    assert [re.search(r"(\d+) of (\d+) passes", frame[1]).groups() for frame in frames[1:-1]] == [
        (str(done), str(total + 1)) for done in range(1, total + 1)
    ]
    moved = [np.abs(one.astype(int) - shown[-1]).mean() for one in shown]
    assert moved == sorted(moved, reverse=True) and moved[0] > 5, "more of it is there with every tile"
    # JPEG for the eye; what is saved is the model's own
    assert np.array_equal(pixels(cyclegan.blended(MONET, THERE, UPLOAD, "1024", 1.0, 0, 0, picture)[0]), exact(MONET, picture))


def test_a_translation_is_kept_and_the_oldest_goes_first(stocked, monkeypatch):
    passes = []
    door = runtime.forward_pass
    monkeypatch.setattr(runtime, "forward_pass", lambda: passes.append(1) or door())
    task = cyclegan.task_of(MONET, THERE, "example 0", "512", None)
    first = cyclegan.finished(task)
    made = len(passes)
    assert cyclegan.finished(task) == first and len(passes) == made > 0
    assert cyclegan.finished(cyclegan.task_of(MONET, HOME, "example 0", "512", None)) != first and len(passes) > made
    monkeypatch.setattr(cyclegan._made, "most", 2 * SIDE**2)
    cyclegan.finished(cyclegan.task_of(FACES, THERE, "example 0", "512", None))
    assert len(cyclegan._made) == 2 and task.key not in cyclegan._made


@pytest.mark.parametrize(
    "values, start",
    [
        *(((weights, THERE, "example 0", "512", None), "Trained on must be one of") for weights in ("nobody", None, "vae-mnist")),
        *(((MONET, way, "example 0", "512", None), "Direction must be one of") for way in ("", "A", None, 0)),
        *(((MONET, THERE, "example 0", size, None), "Longest side must be one of") for size in ("2048", "", None, 512, "nan")),
        *(((MONET, THERE, source, "512", None), "Example must be a number from 0 to 2") for source in
          ("example 3", "example -1", "example", "example x", "example 99999", "", None, 7, "../x", "example \u00b2")),
        ((MONET, THERE, UPLOAD, "512", None), "Upload a picture first"),
        ((OWN, THERE, "example 0", "512", None), "There are no examples for these weights"),
    ],
    ids=lambda part: repr(part)[:60],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(stocked, values, start):
    weights, way, source, size, upload = values
    assert refusal(cyclegan.translate, *values).startswith(start)
    assert refusal(cyclegan.way_back, *values, 0, 0).startswith(start)
    assert refusal(cyclegan.blended, weights, way, source, size, 1, 0, 0, upload).startswith(start)
    if size == "512":
        assert refusal(cyclegan.traces, weights, way, source, upload, 0).startswith(start)
        assert refusal(cyclegan.blocks_view, weights, way, source, upload).startswith(start)


# ---- controls ---------------------------------------------------------------------------------------------------------


def test_an_example_takes_the_place_of_an_upload(stocked):
    source, begin, upload = cyclegan.take_example(clicked(1), MONET, HOME)
    assert (source, upload) == ("example 1", None)
    assert begin and begin != cyclegan.take_example(clicked(1), MONET, HOME)[1], "the same example again begins again"
    for index in (-1, 3, None, "1", math.nan, True):
        assert "Example must be" in refusal(cyclegan.take_example, clicked(index), MONET, HOME)
    assert cyclegan.take_upload(example())[0] == UPLOAD
    assert refusal(cyclegan.take_upload, None).startswith("Upload a picture first")


def test_the_other_way_has_examples_of_the_other_kind(stocked):
    there, home = cyclegan.turn(MONET, THERE, "example 1"), cyclegan.turn(MONET, HOME, "example 1")
    assert there[1] == home[1] == "example 1" and there[2] and home[2]
    assert len(images_in(there[0])) == 3 and np.array_equal(pixels(images_in(there[0])[1]), pixels(example(1)))
    assert np.array_equal(pixels(images_in(home[0])[2]), pixels(example(12)))
    assert cyclegan.turn(MONET, HOME, UPLOAD)[1] == UPLOAD and cyclegan.turn(MONET, HOME, UPLOAD)[2]
    assert cyclegan.turn(MONET, HOME, "example 7")[1] == "example 2", "there may be fewer of the other kind"
    assert cyclegan.turn(OWN, HOME, "example 0")[2] == gr.skip()
    assert refusal(cyclegan.turn, MONET, "sideways", "example 0").startswith("Direction must be")


def test_other_weights_bring_their_way_and_keep_an_upload(stocked):
    way, tiles, source, seen, note, begin, *views = cyclegan.switch(MONET, "example 2", None)
    assert way.value == HOME and len(images_in(tiles)) == 3 and source == "example 0" and views == [""] * 4
    assert [word for word, _ in way.choices] == ["Painting to photo", "Photo to painting"]
    before, after = compared(seen)
    assert np.array_equal(before, pixels(example(10))) and np.array_equal(after, pixels(example(10))[:, ::-1])
    assert begin == gr.skip() and "Drag the border" in note
    way, _, source, _, _, begin, *_ = cyclegan.switch(FACES, UPLOAD, example())
    assert way.value == THERE and source == UPLOAD and isinstance(begin, str)
    assert "upload a picture" in cyclegan.switch(OWN, "example 0", None)[4]
    assert refusal(cyclegan.switch, "nobody", "example 0", None).startswith("Trained on must be")


def test_a_link_restores_what_was_seen(stocked, recwarn):
    found = cyclegan.restored(MONET, HOME, "example 1", "256", 0.25, 4, 9)
    assert json.loads(found[0])["strength"] == 0.25 and found[2].value == HOME and found[4] == "example 1" and found[5]
    assert np.array_equal(compared(found[0])[0], pixels(example(11)))
    assert not recwarn.list
    assert cyclegan.restored(MONET, HOME, UPLOAD, "256", 1, 0, 0)[4] == "example 0"
    assert any("stays with the one who has it" in str(warning.message) for warning in recwarn)


@pytest.mark.parametrize(
    "strength, sigma, seed, start",
    [
        *((value, 0, 0, "Strength must be") for value in (-0.1, 1.1, math.nan, None, "1", True)),
        *((1, value, 0, "Noise must be") for value in (-1, 33, math.inf, math.nan, None, "4")),
        *((1, 0, value, "Seed must be") for value in (-1, 2**31, None, "7", math.nan)),
    ],
    ids=repr,
)  # fmt: skip
def test_numbers_out_of_range_are_refused(stocked, strength, sigma, seed, start):
    assert refusal(cyclegan.restored, MONET, HOME, "example 1", "256", strength, sigma, seed).startswith(start)
    if start.startswith("Strength"):
        assert refusal(cyclegan.blended, MONET, HOME, "example 1", "256", strength, 0, 0, None).startswith(start)
    else:
        assert refusal(cyclegan.way_back, MONET, HOME, "example 1", "256", None, sigma, seed).startswith(start)


def test_saved_pictures_are_those_on_the_page(stocked):
    values = (MONET, THERE, "example 1", "512")
    original, made = pixels(example(1)), exact(MONET, example(1))
    for strength in (0.0, 0.3, 1.0):
        (saved,) = cyclegan.blended(*values, strength, 0, 0, None)
        wanted = original + strength * (made.astype(float) - original)
        assert np.abs(pixels(saved) - wanted).max() <= 1
        (both,) = cyclegan.side_by_side(*values, strength, 0, 0, None)
        assert np.array_equal(pixels(both), np.concatenate([original, pixels(saved)], axis=1))
    (strip,) = cyclegan.there_and_back(*values, 1.0, 0, 0, None)
    back = exact(MONET, PIL.Image.fromarray(made), True)
    assert np.array_equal(pixels(strip)[:, : 3 * SIDE], np.concatenate([original, made, back], axis=1))


# ---- the way back -----------------------------------------------------------------------------------------------------


def test_the_way_back_and_the_map_of_its_error(stocked):
    *_, (html, note) = cyclegan.way_back(MONET, THERE, "example 1", "512", None, 0, 0)
    original, there, back, heat = images_in(html)
    assert np.array_equal(pixels(there), exact(MONET, example(1)))
    assert np.array_equal(pixels(back), exact(MONET, there, True))
    error = np.abs(pixels(back).astype(np.float32) - pixels(original)).mean(axis=2)
    assert f"error of {error.mean():.1f} of 255 grey levels" in note and "hide traces" in note
    assert np.array_equal(pixels(heat), pixels(_room.heat(error / cyclegan.TOP)))
    assert "with noise" not in html


def test_noise_before_the_way_back_is_that_of_its_seed(stocked):
    values = (MONET, HOME, "example 1", "512", None)
    *_, (one, _) = cyclegan.way_back(*values, 8, 3)
    assert "with noise of 8 grey levels" in one
    assert list(cyclegan.way_back(*values, 8, 3))[-1][0] == one
    assert list(cyclegan.way_back(*values, 8, 4))[-1][0] != one
    noisy = pixels(cyclegan.with_noise(PIL.Image.new("RGB", (200, 200), (128, 128, 128)), 8, 3)).astype(float) - 128
    assert noisy.std() == pytest.approx(8, rel=0.03) and abs(noisy.mean()) < 0.2
    assert cyclegan.with_noise(example(), 0, 3) == example()


def test_a_large_way_back_tells_how_far_it_is(stocked):
    picture = example(6, (700, 600))
    steps = list(cyclegan.way_back(MONET, THERE, UPLOAD, "1024", picture, 0, 0))
    words = [note for _, note in steps[:-1]]
    assert any("Translating: 1 of" in note for note in words) and any("Translating back: 1 of" in note for note in words)
    assert images_in(steps[-1][0])[0].size == (700, 600)


# ---- hidden traces ----------------------------------------------------------------------------------------------------


def test_traces_are_wiped_out_step_by_step(stocked):
    steps = list(cyclegan.traces(MONET, THERE, "example 1", None, 7))
    assert [step.count("<tr>") for step in steps] == list(range(2, len(cyclegan.GREYS) + 3))
    assert ['aria-busy="true"' in step for step in steps] == [True] * (len(steps) - 1) + [False]
    rows = re.findall(r"<tr><td>([^<]+)</td><td>([\d.]+)</td><td>([\d.]+)</td></tr>", steps[-1])
    assert [row[0] for row in rows] == ["as it is", *(f"with noise of {grey}" for grey in cyclegan.GREYS[1:]),
                                        "saved as JPEG of quality 75"]  # fmt: skip
    there = PIL.Image.fromarray(exact(MONET, example(1)))
    noisy = cyclegan.with_noise(there, 16, 7)
    damage = np.abs(pixels(noisy).astype(float) - pixels(there)).mean()
    error = np.abs(exact(MONET, noisy, True).astype(float) - pixels(example(1))).mean()
    assert rows[5][1:] == (f"{damage:.1f}", f"{error:.1f}")
    assert "Noise that changes the translation by" in steps[-1] and "Noise that changes" not in steps[0]
    assert refusal(cyclegan.traces, MONET, THERE, "example 1", None, -1).startswith("Seed must be")


@pytest.mark.parametrize("noisy, words", [(20.0, "the return lived on traces"), (9.0, "no more than the noise itself")])
def test_the_verdict_follows_from_the_numbers(noisy, words):
    found = [Trace(str(grey), grey * 0.8, 5.0 if grey < 8 else noisy) for grey in cyclegan.GREYS]
    assert words in cyclegan.verdict(found) and f"grow by {noisy - 5:.1f}" in cyclegan.verdict(found)


# ---- strength inside the network --------------------------------------------------------------------------------------


def test_the_blocks_are_blended_share_by_share(stocked):
    *_, before, last = cyclegan.blocks_view(MONET, HOME, "example 1", None)
    pictures = images_in(last)
    assert len(pictures) == len(cyclegan.SHARES) == len(images_in(before)) + 1
    for share, picture in zip(cyclegan.SHARES, pictures, strict=True):
        assert np.array_equal(pixels(picture), exact(MONET, example(11), True, strength=share))
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert np.array_equal(pixels(pictures[4]), exact(MONET, example(11), True)), "all of what the blocks add"


# ---- verbs ------------------------------------------------------------------------------------------------------------


def test_the_verbs_of_the_api(stocked):
    picture = example(9, (60, 44))
    (made,) = images_in(cyclegan.cyclegan_translate(MONET, sent(picture), THERE))
    assert np.array_equal(pixels(made), exact(MONET, picture))
    assert images_in(cyclegan.cyclegan_translate(MONET, "data:image/png;base64," + sent(picture), THERE, 0.0))[0].size == (60, 44)
    (first,) = images_in(cyclegan.cyclegan_translate())
    assert np.array_equal(pixels(first), exact(MONET, example(10), True))
    there, back, error = cyclegan.cyclegan_cycle(MONET, sent(picture), THERE)
    assert np.array_equal(pixels(images_in(there)[0]), pixels(made))
    assert error == pytest.approx(np.abs(pixels(images_in(back)[0]).astype(float) - pixels(picture)).mean(), abs=1e-3)
    noisy = [cyclegan.cyclegan_cycle(MONET, sent(picture), THERE, 8, seed)[0] for seed in (1, 1, 2)]
    assert noisy[0] == noisy[1] != noisy[2]


@pytest.mark.parametrize(
    "verb, values, start",
    [
        *((verb, (value,), "Trained on must be") for verb in ("translate", "cycle") for value in ("nobody", None)),
        *((verb, (MONET, value), UNREAD) for verb in ("translate", "cycle") for value in ("x", "AAAA", 7, "/etc/passwd")),
        *((verb, (MONET, "", value), "Direction must be") for verb in ("translate", "cycle") for value in ("", None)),
        *(("translate", (MONET, "", THERE, value), "Strength must be") for value in (-1, 2, None, math.nan)),
        *(("translate", (MONET, "", THERE, 1, value), "Longest side must be") for value in (0, 2048, None, math.nan)),
        *(("cycle", (MONET, "", THERE, value), "Noise must be") for value in (-1, 33, None, math.inf)),
        *(("cycle", (MONET, "", THERE, 0, value), "Seed must be") for value in (-1, None, "7")),
        ("translate", (OWN,), "There are no examples"),
    ],
    ids=lambda part: repr(part)[:40],
)  # fmt: skip
def test_a_verb_refuses_what_makes_no_sense(stocked, verb, values, start):
    assert re.match(start, refusal(getattr(cyclegan, f"cyclegan_{verb}"), *values))


def test_without_weights_the_page_opens_and_a_click_is_told(shelf):
    with gr.Blocks():
        room = cyclegan.room()
    assert room.controls["weights"].value is None
    assert refusal(cyclegan.translate, None, THERE, "example 0", "512", None).startswith("Trained on must be one of (none")


def test_no_setting_is_forgotten_in_a_link(stocked):
    with gr.Blocks():
        room = cyclegan.room()
    assert list(room.controls) == ["weights", "way", "source", "size", "strength", "sigma", "seed"]
    assert room.controls["weights"].value == MONET and room.controls["way"].value == HOME
    values = [component.value for component in room.controls.values()]
    assert len(room.show(*values)) == len(room.shown)
