"""DDPM's room: what its verbs show is what the model makes, step by step, from noise, around what is known, under noise."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal
from test_completions import DIGITS, FACES, NAMES, OWN, SIDE, stock

from demos import ddpm
from demos._families.completions import ANY, Board, mask
from demos.ddpm import FILL, NOISE, REDRAW
from gen_models import Draws, catalog, load, runtime


@pytest.fixture(autouse=True)
def stocked(shelf):
    stock(shelf)
    return shelf


def board(weights: str = DIGITS, hole: str = "lower half") -> Board:
    return Board(ddpm.example_pictures(weights)[0], mask(hole, SIDE))


def denoised(verb=ddpm.denoise, **changed) -> list:
    """What a verb shows, one after the other."""
    values = dict(
        weights=DIGITS, mode=NOISE, label=ANY, other=ANY, steps=6, guidance=2.0, eta=0.0, count=3, strength=0.6, repeats=1, seed=7,
        board="",
    ) | changed  # fmt: skip
    raw = {name: [value.text if isinstance(value, Board) else value] for name, value in values.items()}
    return [frame for frame in ddpm.PLAN.call(verb, raw) if frame is not None]


def exact(weights: str, count: int, *rest, **more) -> np.ndarray:
    """What the model itself makes, (N, C, S, S) bytes."""
    with torch.inference_mode():
        *_, state = load(weights).trajectory(Draws(7, count), *rest, **more)
    return ddpm.as_bytes(state.noisy)


def images_in(text: str) -> list[np.ndarray]:
    """The pictures in a piece of the page."""
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)
    return [np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(letters)))) for letters in found]


def test_both_sides_are_shown_at_every_step_and_end_in_the_samples():
    frames = denoised(label="4", eta=0.5)
    run = frames[-1]
    assert run.done == list(range(7)) and "6 steps, each two passes" in run.note
    assert np.array_equal(run.clean[-1], exact(DIGITS, 3, 6, 0.5, 2.0, [4])) and np.array_equal(run.clean[-1], run.noisy[-1])
    for step in (0, 3, 6):
        assert np.array_equal(np.stack(images_in(run.at(step))), np.concatenate([run.noisy[step], run.clean[step]])[:, 0])
    assert run.frames()[0].size == (3 * SIDE * 8, SIDE * 8)
    assert len(run.film()) == 7 + 12 and run.film()[0].size == (2 * 3 * SIDE * 4 + 8, SIDE * 4)
    assert run.nbytes == 2 * 7 * 3 * SIDE**2
    assert len(images_in(ddpm.steps_of(1, run).content)) == 14
    assert "Picture must be" in refusal(ddpm.steps_of, 3, run)
    assert "Press Sample" in refusal(ddpm.steps_of, 0, ddpm.sight(DIGITS, NOISE))


def test_of_many_steps_not_every_one_is_kept():
    run = denoised(steps=200, count=1)[-1]
    assert len(run.done) == 51 and run.step == run.steps == 200
    assert np.array_equal(run.clean[-1], exact(DIGITS, 1, 200, 0.0, 2.0))
    assert len(images_in(ddpm.steps_of(0, run).content)) == 20 and run.at(199) == run.at(196) != run.at(200)


def test_the_classes_drawn_stand_under_the_pictures():
    run = denoised(weights=FACES, other="female")[-1]
    labels = load(FACES).labels(Draws(7, 3), [None, 1]).tolist()
    assert run.captions == [f"{NAMES['age'][age]}, female" for age, _ in labels]
    assert "one pass" in denoised(weights=OWN)[-1].note, "a model without classes is not guided"


@pytest.mark.parametrize("weights", [DIGITS, FACES])
def test_what_is_known_is_kept_to_the_last_bit(weights):
    run, given = denoised(weights=weights, mode=FILL, board=board(weights), repeats=2)[-1], board(weights)
    made = run.clean[-1]
    assert np.array_equal(made[:, :, : SIDE // 2], np.repeat(given.pixels[None, :, : SIDE // 2], 3, 0))
    assert len({picture.tobytes() for picture in made}) == 3 and run.steps == 11, "repeated steps count"
    assert f"{SIDE * SIDE // 2} of {SIDE * SIDE} pixels were filled in" in run.note and "No class was chosen" in run.note
    unknown = torch.from_numpy(given.hole)
    assert np.array_equal(made, exact(weights, 3, 6, 0.0, 0.0, images=given.picture, unknown=unknown, repeats=2))


def test_a_picture_is_redrawn_from_the_noise_that_is_asked_for():
    given = board()
    run = denoised(mode=REDRAW, board=given, strength=0.3)[-1]
    assert np.array_equal(run.clean[-1], exact(DIGITS, 3, 6, 0.0, 0.0, images=given.picture, strength=0.3))
    assert "given the noise of 30 % of all steps" in run.note
    under = ddpm.noised(DIGITS, REDRAW, 0.3, 7, given).content
    assert np.array_equal(images_in(under)[0], run.noisy[0][0, 0]), "what is shown beforehand is what it begins with"
    chosen = denoised(weights=FACES, mode=REDRAW, board=board(FACES), other="1")[-1]
    assert "two passes" in chosen.note and "No class" not in chosen.note and "female" in chosen.captions[0]


def test_what_cannot_begin_says_why_beside_the_board():
    for mode, hole, words in ((FILL, "nothing", "Nothing is marked as unknown"), (FILL, "everything", "nothing to start from"),
                              (REDRAW, "everything", "nothing to start from")):  # fmt: skip
        (shown,) = denoised(mode=mode, board=board(hole=hole))
        assert words in shown.note and np.array_equal(shown.clean[-1][0], board().pixels) and words in refusal(shown.json)


def test_what_is_shown_belongs_to_the_way_to_begin():
    assert len(images_in(ddpm.sight(DIGITS, NOISE).html())) == 16
    assert ddpm.sight(DIGITS, FILL) is None and ddpm.sight(OWN, NOISE) is None
    assert ddpm.begin_with(NOISE, board()) == {}
    assert ddpm.begin_with(REDRAW, board()) == {"board": Board(board().pixels, None).text}
    assert ddpm.begin_with(FILL, Board(board().pixels, None)) == {"board": board().text}
    assert ddpm.begin_with(FILL, board(hole="middle")) == {"board": board(hole="middle").text}


def test_the_processor_is_free_between_steps():
    stream = ddpm.denoise(DIGITS, NOISE, None, None, 6, 2.0, 0.0, 1, 1, 1, 7, board())
    next(stream)
    assert runtime._door.acquire(blocking=False)
    runtime._door.release()


def test_every_noise_level_is_shown_in_turn():
    parts = denoised(ddpm.levels, steps=3, board=board())
    assert len(parts) == len(ddpm.LEVELS)
    given = board().pixels[0].astype(int)
    far = [np.abs(picture - given).mean() for picture in images_in(parts[-1].content)[: len(ddpm.LEVELS)]]
    assert far[0] < far[2] < far[-1], "more noise, less picture"


def test_the_curve_is_the_one_that_was_measured(stocked):
    assert "not been measured yet" in ddpm.quality(DIGITS).content
    ways = [(eta, steps) for eta in (0, 1) for steps in (10, 50)]
    numbers = [dict(key=f"kernel-eta{eta}-{steps}", value=0.01 * (1 + eta) / steps, error=0.0001) for eta, steps in ways]
    numbers += [dict(key="kernel-average", value=0.0021, error=0.0002), dict(key="kernel-last", value=0.0042, error=0.0002)]
    for digest in ("of earlier weights", catalog.config_of(DIGITS)["sha256"]):
        assert "not been measured yet" in ddpm.quality(DIGITS).content
        stored = {"sha256": digest, "measures": numbers}
        (stocked / DIGITS / "evaluation.json").write_text(json.dumps(stored), encoding="utf-8")
    shown = ddpm.quality(DIGITS).content
    assert shown.count("<circle") == 4 and "0.0021 ± 0.0002" in shown and "0.0042 ± 0.0002" in shown
    heights = [float(height) for height in re.findall(r'<circle class="set\d" cx="[\d.]+" cy="([\d.]+)"', shown)]
    assert heights[2] < heights[0] < heights[1], "larger values stand higher"
