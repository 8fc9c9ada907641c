"""The DDPM room without a browser: what streams, what is kept of it, painting the unknown, redrawing, and what is refused.

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

from demos import _room, ddpm
from demos.ddpm import ANY, FILL, NOISE, REDRAW
from gen_models import Draws, catalog, load, runtime
from gen_models.train import save_grid

DIGITS, FACES, OWN = "ddpm-mnist", "ddpm-faces", "ddpm-mine"
SIDE = 16
NAMES = {"digit": list("0123456789"), "age": [f"{10 * decade}-{10 * decade + 9}" for decade in range(10)],
         "gender": ["male", "female"], "ethnicity": list("abcde")}  # fmt: skip


@pytest.fixture
def stocked(shelf, monkeypatch):
    """Small models of digits and of faces with sheets of samples, and a user's own that knows no classes and has none."""
    told = {DIGITS: (1, [10], ["digit"]), FACES: (3, [10, 2], ["age", "gender", "ethnicity"]), OWN: (3, [], [])}
    for place, (name, (channels, classes, tasks)) in enumerate(told.items()):
        torch.manual_seed(place)
        model = catalog.model_class("ddpm")(size=SIDE, channels=channels, widths=[8, 16], classes=classes)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        record = {"model": "ddpm", "data": name.partition("-")[2], "classes": {task: NAMES[task] for task in tasks}}
        catalog.save(model, shelf / name, record)
        if name != OWN:
            with torch.no_grad():
                save_grid(torch.rand(64, channels, SIDE, SIDE), shelf / name / "samples.png")
    ddpm._runs.clear()
    monkeypatch.setattr(ddpm, "FRAME", 0.0)
    yield shelf
    ddpm._runs.clear()


def controls(**changed) -> list:
    """The room's controls in their order."""
    values = dict(
        weights=DIGITS, mode=NOISE, label=ANY, other=ANY, steps=6, guidance=2.0, eta=0.0, count=3, strength=0.6, repeats=1, seed=7,
        board="",
    )  # fmt: skip
    assert set(changed) <= set(values)
    return list((values | changed).values())


def board(weights: str = DIGITS, hole: str = "lower half", number: int = 0) -> str:
    pixels = ddpm.example_pictures(weights)[number]
    return ddpm.pack(pixels, ddpm.mask(hole, SIDE))


def streamed(**changed) -> list[list]:
    return list(ddpm.denoise(*controls(**changed)))


def images_in(text: str) -> list[np.ndarray]:
    """The pictures in a piece of the page."""
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    return [np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(letters)))) for letters in found]


def exact(weights: str, count: int, *rest, **more) -> np.ndarray:
    """What the model itself makes, (N, C, S, S) bytes."""
    with torch.inference_mode():
        *_, state = load(weights).trajectory(Draws(7, count), *rest, **more)
    return ddpm.as_bytes(state.noisy)


def clicked(index) -> gr.EventData:
    return gr.EventData(None, {"index": index})


# ---- the board --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights, channels", [(DIGITS, 1), (FACES, 3)])
def test_a_board_is_read_as_it_was_written(stocked, weights, channels):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (channels, SIDE, SIDE), np.uint8)
    unknown = generator.random((SIDE, SIDE)) < 0.5
    text = ddpm.pack(pixels, unknown)
    found, hole = ddpm.unpack(text, weights)
    assert np.array_equal(found, pixels) and np.array_equal(hole, unknown)
    assert len(text) < 6000, "it travels in links"


@pytest.mark.parametrize("text", ["x", "1.16.AAAA.AAAA", "...", 7, "1.16." + "A" * 99, "3.16.!!.!!", "1.16.AAAA"], ids=repr)
def test_what_is_no_board_is_refused(stocked, text):
    assert "cannot be read" in refusal(ddpm.unpack, text, DIGITS)


def test_a_board_of_other_weights_is_refused(stocked):
    assert "cannot be read" in refusal(ddpm.denoise, *controls(mode=FILL, weights=FACES, board=board(DIGITS)))


def test_examples_and_uploads_come_onto_the_board(stocked):
    text = ddpm.take_example(clicked(3), DIGITS, FILL, "")
    pixels, unknown = ddpm.unpack(text, DIGITS)
    assert np.array_equal(pixels, ddpm.example_pictures(DIGITS)[3]) and np.array_equal(unknown, ddpm.mask("lower half", SIDE))
    kept = ddpm.take_example(clicked(1), DIGITS, FILL, ddpm.pack(pixels, ddpm.mask("middle", SIDE)))
    assert np.array_equal(ddpm.unpack(kept, DIGITS)[1], ddpm.mask("middle", SIDE))
    whole = ddpm.take_example(clicked(1), DIGITS, REDRAW, kept)
    assert not ddpm.unpack(whole, DIGITS)[1].any(), "to redraw, all of it is taken"
    photo = smooth(np.random.default_rng(0), 64)
    pixels, _ = ddpm.unpack(ddpm.take_upload(FACES, FILL, "", photo), FACES)
    assert np.abs(pixels.astype(int) - _room.as_input(photo, SIDE, 3, centre=False) * 255).max() <= 1
    drawing = PIL.Image.new("L", (60, 90), 255)
    drawing.paste(0, (10, 20, 20, 80))
    pixels, _ = ddpm.unpack(ddpm.take_upload(DIGITS, FILL, "", drawing.convert("RGB")), DIGITS)
    assert pixels[0, 0, 0] == 0 and pixels.max() > 200, "dark on light is turned round"
    assert "Upload a picture first" in refusal(ddpm.take_upload, DIGITS, FILL, "", None)
    assert "empty" in refusal(ddpm.take_upload, DIGITS, FILL, "", PIL.Image.new("RGB", (9, 9), "white"))
    for index in (8, -1, None, 10**9, "1"):
        assert "Example" in refusal(ddpm.take_example, clicked(index), DIGITS, FILL, "")


# ---- taking the noise off ---------------------------------------------------------------------------------------------


def test_the_stream_shows_both_sides_and_ends_in_the_samples(stocked):
    frames = streamed(label="4", eta=0.5)
    assert len(frames) == 7
    wanted = exact(DIGITS, 3, 6, 0.5, 2.0, [4])
    noisy, clean = images_in(frames[-1][0])[:3], images_in(frames[-1][0])[3:]
    assert np.array_equal(np.stack(clean), wanted[:, 0]) and np.array_equal(np.stack(noisy), wanted[:, 0])
    first = images_in(frames[0][0])
    assert not np.array_equal(first[0], first[3]), "noise and what it is taken for"
    assert ['aria-busy="true"' in frame[0] for frame in frames] == [True] * 6 + [False]
    assert isinstance(frames[0][1], gr.Slider) and frames[0][1].maximum == 6
    assert [frame[1] for frame in frames[1:]] == [1, 2, 3, 4, 5, 6]
    assert "6 steps, each two passes" in frames[-1][2]
    assert len({frame[3] for frame in frames}) == 1


@pytest.mark.parametrize("guidance, words", [(0, "one pass"), (1, "one pass"), (3, "two passes")])
def test_the_passes_are_told(stocked, guidance, words):
    assert words in streamed(guidance=guidance, steps=2)[-1][2]
    assert "one pass" in streamed(guidance=guidance, steps=2, weights=OWN)[-1][2], "a model without classes is not guided"


def test_of_many_steps_not_every_one_is_kept(stocked):
    frames = streamed(steps=200, count=1)
    run = ddpm.recalled(frames[-1][3])
    assert len(frames) == len(run.done) == 51 and run.done[-1] == run.total == 200
    assert np.array_equal(run.clean[-1], exact(DIGITS, 1, 200, 0.0, 2.0))


def test_the_picture_of_a_seed_does_not_depend_on_the_count(stocked):
    few, many = (images_in(streamed(count=count)[-1][0]) for count in (2, 5))
    for index in range(2):
        assert np.abs(few[2 + index].astype(int) - many[5 + index]).max() <= 1


def test_the_classes_drawn_are_told_under_the_pictures(stocked):
    shown = streamed(weights=FACES, other="female")[-1][0]
    captions = re.findall(r"<span>([^<]*)</span>", shown)
    assert len(captions) == 6 and captions[:3] == captions[3:]
    labels = load(FACES).labels(Draws(7, 3), [None, 1]).tolist()
    assert captions[:3] == [f"{NAMES['age'][age]}, female" for age, _ in labels]
    assert np.array_equal(images_in(streamed(weights=FACES, label="2", other="1")[-1][0])[3].transpose(2, 0, 1),
                          exact(FACES, 3, 6, 0.0, 2.0, [2, 1])[0])  # fmt: skip


def test_steps_are_found_again_until_others_need_the_room(stocked, monkeypatch):
    frames = streamed()
    key = frames[-1][3]
    for step in (0, 3, 6):
        assert images_in(ddpm.scrub(step, key))[0].tolist() == images_in(frames[step][0])[0].tolist()
        assert 'aria-busy="false"' in ddpm.scrub(step, key)
    assert "Step must be a number" in refusal(ddpm.scrub, math.nan, key)
    monkeypatch.setattr(ddpm._runs, "most", ddpm.bytes_of(ddpm.recalled(key)))
    streamed(seed=8), streamed(seed=9)
    assert len(ddpm._runs) <= 2 and "not kept any more" in refusal(ddpm.scrub, 2, key)
    assert "not kept any more" in refusal(ddpm.scrub, 2, "nonsense")
    assert "skip" in str(ddpm.scrub(2, None)) or ddpm.scrub(2, None) == gr.skip()


def test_stopping_ends_the_computation_and_keeps_what_is_there(stocked, monkeypatch):
    passes = []
    model = load(DIGITS)
    through = model._through
    monkeypatch.setattr(model, "_through", lambda x, *rest: passes.append(1) or through(x, *rest))
    stream = ddpm.denoise(*controls(steps=20))
    shown = [next(stream) for _ in range(4)]
    stream.close()
    assert len(passes) == 4
    html_, step, words = ddpm.stopped(shown[-1][3])
    assert step == 3 and "Stopped after 3 of 20 steps." in words and 'aria-busy="false"' in html_
    assert images_in(html_)[0].tolist() == images_in(shown[-1][0])[0].tolist()
    done = streamed()[-1][3]
    assert all(part == gr.skip() for part in ddpm.stopped(done)) and all(part == gr.skip() for part in ddpm.stopped(None))


def test_the_door_is_free_between_steps(stocked):
    stream = ddpm.denoise(*controls())
    next(stream)
    with runtime.forward_pass():  # would wait for ever if the stream held it
        pass
    assert len(list(stream)) == 6


# ---- from a picture ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [DIGITS, FACES])
def test_what_is_known_is_kept_to_the_last_bit(stocked, weights):
    frames = streamed(weights=weights, mode=FILL, board=board(weights), repeats=2)
    given = ddpm.example_pictures(weights)[0]
    made = ddpm.recalled(frames[-1][3]).clean[-1]
    assert np.array_equal(made[:, :, : SIDE // 2], np.repeat(given[None, :, : SIDE // 2], 3, 0))
    assert len({picture.tobytes() for picture in made}) == 3
    assert f"{SIDE * SIDE // 2} of {SIDE * SIDE} pixels were painted" in frames[-1][2]
    assert frames[0][1].maximum == 11, "repeated steps count"
    picture, unknown = torch.tensor(given)[None].float() / 255, torch.from_numpy(ddpm.mask("lower half", SIDE))
    assert np.array_equal(made, exact(weights, 3, 6, 0.0, 0.0, images=picture, unknown=unknown, repeats=2))


@pytest.mark.parametrize("mode", [FILL, REDRAW])
def test_a_class_is_told_of_a_picture_only_if_one_is_chosen(stocked, mode):
    told, untold = (streamed(weights=FACES, mode=mode, board=board(FACES), other=other)[-1] for other in ("1", ANY))
    assert "two passes" in told[2] and "told no class" not in told[2] and "female" in told[0]
    assert "one pass" in untold[2] and "It was told no class" in untold[2] and "male" not in untold[0]
    given = torch.tensor(ddpm.example_pictures(FACES)[0])[None].float() / 255
    more = dict(strength=0.6) if mode == REDRAW else dict(unknown=torch.from_numpy(ddpm.mask("lower half", SIDE)))
    assert np.array_equal(ddpm.recalled(untold[3]).clean[-1], exact(FACES, 3, 6, 0.0, 0.0, images=given, **more))
    assert np.array_equal(ddpm.recalled(told[3]).clean[-1], exact(FACES, 3, 6, 0.0, 2.0, [None, 1], images=given, **more))


def test_a_picture_is_redrawn_from_the_noise_that_is_asked_for(stocked):
    given = torch.tensor(ddpm.example_pictures(DIGITS)[0])[None].float() / 255
    frames = streamed(mode=REDRAW, board=board(), strength=0.3)
    assert np.array_equal(ddpm.recalled(frames[-1][3]).clean[-1], exact(DIGITS, 3, 6, 0.0, 0.0, images=given, strength=0.3))
    assert "under the noise of 30 % of all steps" in frames[-1][2]
    under = images_in(ddpm.noised(DIGITS, REDRAW, 0.3, 7, board()))[0]
    assert np.array_equal(under, images_in(frames[0][0])[0]), "what is shown beforehand is what it begins with"
    assert ddpm.noised(DIGITS, FILL, 0.3, 7, board()) == "" == ddpm.noised(DIGITS, REDRAW, 0.3, 7, "")


def test_every_noise_level_is_shown_in_turn(stocked):
    parts = list(ddpm.levels_view(*controls(steps=3, mode=REDRAW, board=board(number=2))))
    assert len(parts) == len(ddpm.LEVELS) and [part.count('aria-busy="false"') for part in parts] == [0] * 7 + [1]
    pictures = images_in(parts[-1])
    given = ddpm.example_pictures(DIGITS)[2][0].astype(int)
    far = [np.abs(picture - given).mean() for picture in pictures[: len(ddpm.LEVELS)]]
    assert far[0] < far[2] < far[-1], "more noise, less picture"
    assert list(ddpm.levels_view(*controls(steps=1)))[-1], "without a board an example is taken"


def test_the_ways_to_begin_show_what_they_need(stocked):
    def seen(mode: str, text: str = "") -> tuple:
        part, strength, repeats, filled, under = ddpm.begin_with(DIGITS, mode, 0.6, 7, text)
        return part.visible, strength.visible, repeats.visible, bool(filled), bool(under)

    assert seen(NOISE) == (False, False, False, False, False)
    assert seen(FILL) == (True, False, True, True, False)
    assert seen(REDRAW) == (True, True, False, True, True)
    drawn = board(number=3)
    assert ddpm.begin_with(DIGITS, FILL, 0.6, 7, drawn)[3] == drawn, "a drawing is not lost"
    redrawn = ddpm.begin_with(DIGITS, REDRAW, 0.6, 7, drawn)
    assert redrawn[0].elem_classes == ["whole"] and not ddpm.unpack(redrawn[3], DIGITS)[1].any(), "all of it is redrawn"
    again = ddpm.begin_with(DIGITS, FILL, 0.6, 7, redrawn[3])
    assert again[3] == drawn and not again[0].elem_classes
    assert ddpm.unpack(ddpm.begin_with(OWN, FILL, 0.6, 7, "")[3], OWN)[1].all(), "without examples the board is empty"


def test_bad_settings_are_one_sentence(stocked):
    cases = [
        (dict(weights="ddpm-nobody"), "Trained on"), (dict(weights=None), "Trained on"), (dict(mode="?"), "Begin"),
        (dict(label="11"), "Digit"), (dict(label=["a"]), "Digit"), (dict(weights=FACES, other="7"), "Gender"),
        (dict(steps=0), "Steps"), (dict(steps=math.nan), "Steps"), (dict(steps=10**6), "Steps"), (dict(steps=True), "Steps"),
        (dict(guidance=-1), "Guidance"), (dict(guidance=math.inf), "Guidance"), (dict(eta=1.5), "Eta"), (dict(eta=None), "Eta"),
        (dict(count=0), "Pictures"), (dict(count=10**6), "Pictures"), (dict(seed=-1), "Seed"), (dict(seed=2**40), "Seed"),
        (dict(strength=0), "Noise"), (dict(repeats=99), "Repeats"),
        (dict(mode=FILL), "nothing to begin with"), (dict(mode=REDRAW), "nothing to begin with"),
        (dict(mode=FILL, board=board(hole="everything")), "nothing to begin with"),
        (dict(mode=FILL, board=board(hole="nothing")), "Nothing is unknown"),
        (dict(mode=FILL, board="nonsense"), "cannot be read"),
    ]  # fmt: skip
    for changed, word in cases:
        assert word in refusal(ddpm.denoise, *controls(**changed)), changed
    assert not ddpm._runs, "nothing is left behind"


# ---- the first sight, other weights, links ----------------------------------------------------------------------------


def test_the_first_sight_needs_no_model(stocked):
    assert len(images_in(ddpm.first_sight(DIGITS))) == 16 and not catalog.loaded()
    assert ddpm.first_sight(OWN) == "" and "not trained yet" in ddpm.first_sight(None)


def test_other_weights_bring_their_classes_and_board(stocked):
    found = ddpm.switch(FACES, FILL, 0.6, 7)
    label, other = found[4:6]
    assert label.visible and len(label.choices) == 11 and label.label == "Age"
    assert other.visible and [name for name, _ in other.choices] == ["Any", "male", "female"]
    assert ddpm.unpack(found[9], FACES)[0].shape == (3, SIDE, SIDE)
    assert found[3] is None
    hidden = ddpm.switch(OWN, NOISE, 0.6, 7)[4:6]
    assert not hidden[0].visible and not hidden[1].visible
    assert "Trained on" in refusal(ddpm.switch, "ddpm-nobody", NOISE, 0.6, 7)


def test_a_link_brings_back_the_room(stocked):
    text = board(FACES)
    values = controls(weights=FACES, mode=FILL, label="3", other="1", board=text, strength=0.35, repeats=4)
    found = ddpm.restored(*values)
    assert 'aria-busy="true"' in found[0] and found[3] is None and found[-1]
    assert (found[4].value, found[5].value) == ("3", "1")
    assert found[6].visible and found[9] == text
    assert [slider.value for slider in found[7:9]] == [0.35, 4]
    assert "Digit" in refusal(ddpm.restored, *controls(label="99"))


def test_what_is_saved_is_what_is_shown_or_the_same_made_again(stocked):
    values = tuple(controls())
    key = streamed()[-1][3]
    assert ddpm.shown_or_made(*values, key) is ddpm.recalled(key)
    again = ddpm.shown_or_made(*values, None)
    assert np.array_equal(again.clean[-1], ddpm.recalled(key).clean[-1])
    assert ddpm.shown_or_made(*controls(seed=8), key) is not ddpm.recalled(key)
    (picture,) = ddpm.sheet(*values, key)
    assert picture.size == (3 * SIDE * 8, SIDE * 8)
    frames = ddpm.animation(*values, key)
    assert len(frames) == 7 + 12 and frames[0].size == (2 * 3 * SIDE * 4 + 8, SIDE * 4)


def test_the_steps_of_a_picture_that_is_clicked(stocked):
    key = streamed(steps=30)[-1][3]
    shown, tabs = ddpm.steps_of(clicked(1), key)
    pictures = images_in(shown)
    assert len(pictures) == 20 and tabs.selected == "steps"
    run = ddpm.recalled(key)
    assert np.array_equal(pictures[0], run.noisy[0][1, 0]) and np.array_equal(pictures[-1], run.clean[-1][1, 0])
    assert "step 30" in shown
    assert "Sample first" in refusal(ddpm.steps_of, clicked(0), None)
    assert "Picture" in refusal(ddpm.steps_of, clicked(3), key)


def test_the_curve_is_the_one_that_was_measured(stocked):
    assert "not measured yet" in ddpm.curve_html(DIGITS) and "not measured yet" in ddpm.curve_html(None)
    ways = [(eta, steps) for eta in (0, 1) for steps in (10, 50)]
    numbers = [dict(key=f"kernel-eta{eta}-{steps}", value=0.01 * (1 + eta) / steps, error=0.0001) for eta, steps in ways]
    numbers += [dict(key="kernel-average", value=0.0021, error=0.0002), dict(key="kernel-last", value=0.0042, error=0.0002)]
    (stocked / DIGITS / "evaluation.json").write_text(json.dumps({"measures": numbers}), encoding="utf-8")
    shown = ddpm.curve_html(DIGITS)
    assert shown.count("<circle") == 4 and "0.0021 ± 0.0002" in shown and "0.0042 ± 0.0002" in shown
    heights = [float(height) for height in re.findall(r'<circle class="set\d" cx="[\d.]+" cy="([\d.]+)"', shown)]
    assert heights[2] < heights[0] < heights[1], "larger values stand higher"


# ---- the verbs --------------------------------------------------------------------------------------------------------


def sent(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    ddpm.as_picture(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def test_the_verbs_give_the_models_own_pictures(stocked):
    made = ddpm.ddpm_sample(FACES, 7, 2, 4, label="20-29", other="female")
    assert np.array_equal(np.stack([images_in(uri)[0] for uri in made]).transpose(0, 3, 1, 2), exact(FACES, 2, 4, 0.0, 2.0, [2, 1]))
    face = ddpm.example_pictures(FACES)[0]
    filled = ddpm.ddpm_fill(FACES, sent(face), "right half", 7, 1, 4)
    assert np.array_equal(images_in(filled[0])[0].transpose(2, 0, 1)[..., : SIDE // 2], face[..., : SIDE // 2])
    bits = "".join("01"[int(bit)] for bit in ddpm.mask("right half", SIDE).flatten())
    assert ddpm.ddpm_fill(FACES, sent(face), bits, 7, 1, 4) == filled
    near, far = (images_in(ddpm.ddpm_redraw(FACES, sent(face), strength, 7, 1, 4)[0])[0] for strength in (0.02, 1.0))
    original = face.transpose(1, 2, 0).astype(int)
    assert np.abs(near - original).mean() < np.abs(far - original).mean()


@pytest.mark.parametrize(
    "verb, values, word",
    [
        (ddpm.ddpm_sample, ("ddpm-nobody",), "Trained on"), (ddpm.ddpm_sample, (DIGITS, "seven"), "Seed"),
        (ddpm.ddpm_sample, (DIGITS, 7, 10**6), "Pictures"), (ddpm.ddpm_sample, (DIGITS, 7, 2, 10**9), "Steps"),
        (ddpm.ddpm_sample, (DIGITS, 7, 2, 3, 1, 0, "cat"), "Digit"),
        (ddpm.ddpm_fill, (DIGITS, "milk, bread"), "base64|not a picture"),
        (ddpm.ddpm_fill, (DIGITS, ""), "not a picture"), (ddpm.ddpm_redraw, (DIGITS, None), "base64|not a picture"),
    ],
)  # fmt: skip
def test_bad_calls_are_one_sentence(stocked, verb, values, word):
    assert re.search(word, refusal(verb, *values))


def test_a_bad_mask_is_one_sentence(stocked):
    face = sent(ddpm.example_pictures(FACES)[0])
    for unknown in ("everything", "01", None, 7, ["lower half"]):
        assert "Unknown must be one of" in refusal(ddpm.ddpm_fill, FACES, face, unknown)
