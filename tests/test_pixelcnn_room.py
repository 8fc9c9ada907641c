"""PixelCNN's room: its first sight, what a pixel sees, pictures of another kind."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from conftest import refusal
from test_autoregressive_rooms import GATED, PLAIN, SIDE, drawing, stock

from demos import pixelcnn
from demos._families.completions import mask
from gen_models import catalog, load


@pytest.fixture
def stocked(shelf):
    stock(shelf)
    pixelcnn._measured.clear()
    yield shelf
    pixelcnn._measured.clear()


@pytest.mark.parametrize("weights", [name for kind in pixelcnn.KINDS for name in catalog.trained(kind)])
def test_the_first_sight_completes_the_board_that_the_room_opens_with(weights):
    board = pixelcnn.PLAN.fields["board"].first(weights)
    shown = pixelcnn.sight(weights, board)
    with torch.no_grad():
        seen = (load(weights).seen(board.picture)[0, 0] * 255).round().byte().cpu().numpy()
    assert len(shown.pictures) == 8 and len({picture.tobytes() for picture in shown.pictures}) > 4
    assert all(np.array_equal(picture[~board.hole], seen[~board.hole]) for picture in shown.pictures), "run pixelcnn.write_sight"
    assert pixelcnn.sight(weights, board._replace(unknown=mask("hole", SIDE))) is None


@pytest.mark.parametrize("row, column", [(0, 0), (15, 11), (27, 27), (20, 3)])
def test_receptive_fields_are_drawn_for_both_models(stocked, row, column):
    field = pixelcnn.look((column + 0.5) / SIDE, (row + 0.5) / SIDE, PLAIN)["pixel"]
    found = pixelcnn.sees(PLAIN, drawing(), pixelcnn.PLAN.fields["pixel"].check(PLAIN, field)).content
    numbers = re.findall(r"sees (\d+) of the (\d+) pixels before it, (\d+) are in its blind spot, (\d+) too far away", found)
    for kind, counts in zip(pixelcnn.KINDS, numbers, strict=True):
        seen, before, blind, far = map(int, counts)
        assert seen + blind + far == before == row * SIDE + column
        assert seen == int(load(f"{kind}-mnist").receptive_field(row, column).sum())
    if row:
        assert numbers[1][2] == "0", "the gated model has no blind spot"


@pytest.mark.parametrize("text", ["-1,0", "0,28", "", "x,1", "1", "1,2,3", "²,1"])
def test_a_pixel_off_the_board_is_refused(stocked, text):
    assert refusal(pixelcnn.PLAN.fields["pixel"].check, PLAIN, text).startswith("The pixel must be a number")


def test_pictures_of_another_kind_are_compared_as_they_come(stocked):
    steps = [step.content for step in pixelcnn.others(PLAIN, None)]
    assert len(steps) == 33 and all("<svg" in step for step in steps)
    assert "64 pictures of digits, its own kind" in steps[-1] and "64 pictures of clothes" in steps[-1]
    means = [float(value.replace("−", "-")) for value in re.findall(r"<td>(−?[\d.]+) nats on average", steps[-1])]
    assert ("The paradox" in steps[-1]) == (means[1] > means[0])
    assert [step.content for step in pixelcnn.others(PLAIN, None)] == steps[-1:], "measured once"
    for file in stocked.glob("*-fashion/samples.png"):
        file.unlink()
    assert refusal(lambda: list(pixelcnn.others(GATED, None))).startswith("There are no pictures of another kind")


def test_bits_of_a_caller_add_up_to_the_likelihood(stocked):
    with torch.no_grad():
        exact = -float(load(PLAIN).log_likelihood(drawing().picture)[0]) / math.log(2)
    assert np.sum(pixelcnn.bits(PLAIN, drawing().pixels, None).json()) == pytest.approx(exact, abs=0.1)
