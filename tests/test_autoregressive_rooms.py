"""Rooms of autoregressive models: growing completions, their ranks and weights, and what each pixel costs, on small models."""

from __future__ import annotations

import base64
import itertools
import math
import re

import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal

from demos._families import autoregressive
from demos._families.autoregressive import ORDERED, TINT, WEIGHTED, Growth, complete, surprise_of_board, surprise_of_pick
from demos._families.completions import Board, mask
from gen_models import Draws, catalog, load, runtime

SIDE = 28
PLAIN, GATED, FASHION = "pixelcnn-mnist", "gated_pixelcnn-mnist", "gated_pixelcnn-fashion"


def stock(shelf) -> None:
    """Small models of both kinds, and sheets of pictures of both kinds."""
    sizes = {"pixelcnn": dict(width=6, blocks=2, kernel=3), "gated_pixelcnn": dict(width=4, layers=3, classes=10)}
    for (kind, arguments), (data, levels) in itertools.product(sizes.items(), (("mnist", 2), ("fashion", 8))):
        torch.manual_seed(len(kind))
        model = catalog.model_class(kind)(size=SIDE, levels=levels, **arguments)
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
        catalog.save(model, shelf / f"{kind}-{data}", {"model": kind, "data": data, "classes": {"class": list("0123456789")}})
    generator = np.random.default_rng(4)
    for data, bright in (("mnist", 0.2), ("fashion", 0.7)):
        (shelf / f"dcgan-{data}").mkdir()
        values = (generator.random((8 * SIDE, 8 * SIDE)) < bright) * 255
        PIL.Image.fromarray(values.astype(np.uint8)).save(shelf / f"dcgan-{data}" / "samples.png")


@pytest.fixture
def stocked(shelf):
    stock(shelf)
    return shelf


def drawing(unknown: np.ndarray | str = "lower half") -> Board:
    pixels = (np.random.default_rng(0).random((1, SIDE, SIDE)) < 0.3).astype(np.uint8) * 255
    return Board(pixels, mask(unknown, SIDE) if isinstance(unknown, str) else unknown)


def grown(weights: str = PLAIN, unknown: np.ndarray | str = "lower half", **more) -> list[Growth]:
    """The completions as they grow."""
    wanted = dict(board=drawing(unknown), count=3, temperature=1.0, label=None, seed=5, mode=ORDERED) | more
    return [growth for growth in complete(weights, **wanted) if growth is not None]


@pytest.mark.parametrize("weights, label", [(PLAIN, None), (GATED, None), (GATED, 3), (FASHION, 7)])
def test_completions_grow_and_end_as_the_trajectory_does(stocked, weights, label):
    growths, board = grown(weights, label=label), drawing()
    last = growths[-1]
    assert [growth.step for growth in growths[:2]] == [1, 21] and last.step == last.steps == 392
    with torch.no_grad():
        steps = load(weights).trajectory(Draws(5, 3), board.picture, torch.from_numpy(board.hole), label=label)
        steps = [(255 * step[:, 0]).round().byte().numpy() for step in steps]
    assert sorted(last.indices) == [0, 1, 2]
    assert all(np.array_equal(last.pictures[place], steps[-1][index]) for place, index in enumerate(last.indices))
    for growth in (growths[0], growths[3]):  # a stage on the way, and the way back to it
        visible = ~board.hole | (np.cumsum(board.hole).reshape(SIDE, SIDE) <= growth.step)
        back = dict(zip(last.indices, last.after(growth.step), strict=True))
        for index, shown in enumerate(map(np.asarray, growth.after(growth.step))):
            assert np.array_equal(shown[..., 1] > 0, visible) and np.array_equal(shown, np.asarray(back[index]))
            assert np.array_equal(shown[..., 0][visible], steps[growth.step - 1][index][visible])
    with torch.no_grad():
        scores = load(weights).log_likelihood(torch.from_numpy(last.pictures / np.float32(255))[:, None], label=label)
    assert last.captions == tuple(f"{score:.1f} nats".replace("-", "−") for score in sorted(scores.tolist(), reverse=True))


def test_a_seed_decides_and_the_count_does_not_matter(stocked):
    few, many = (grown(count=count)[-1] for count in (2, 16))
    for index in range(2):
        assert np.array_equal(*(growth.pictures[growth.indices.index(index)] for growth in (few, many)))
    assert not np.array_equal(grown(seed=6, count=2)[0].pictures, few.pictures)


def test_masks_of_any_size_are_completed_and_none_says_so(stocked):
    (shown,) = grown(unknown="nothing")
    assert shown.note.startswith("Nothing is marked as unknown") and refusal(shown.json) == shown.note
    assert np.array_equal(shown.pictures, drawing().pixels) and shown.html()
    single = np.zeros((SIDE, SIDE), bool)
    single[27, 27] = True
    assert [growth.step for growth in grown(unknown=single)] == [1, 1] and grown(unknown="everything", count=1)[-1].step == 784
    assert "does not look ahead: 423 known pixels" in grown(unknown="hole", count=1)[-1].note
    assert "look ahead" not in grown(count=1)[-1].note


@pytest.mark.parametrize("mode", [ORDERED, WEIGHTED])
def test_the_processor_is_free_whenever_the_page_hears(stocked, mode):
    for _ in complete(GATED, drawing("hole"), 2, 1.0, None, 0, mode):
        assert runtime._door.acquire(blocking=False)
        runtime._door.release()


@pytest.mark.parametrize("weights, temperature", [(PLAIN, 1.0), (PLAIN, 0.6), (GATED, 1.0)])
def test_weights_of_proposals_are_the_posterior_of_a_small_hole(stocked, monkeypatch, weights, temperature):
    """Two unknown pixels have four completions, whose probabilities can be written down."""
    monkeypatch.setattr(autoregressive.Task, "proposals", 400)
    unknown = np.zeros((SIDE, SIDE), bool)
    unknown[10, 12] = unknown[11, 12] = True
    last = grown(weights, unknown, count=4, temperature=temperature, mode=WEIGHTED)[-1]
    every = np.repeat(drawing().pixels, 4, axis=0)
    every[:, 10, 12], every[:, 11, 12] = [0, 0, 255, 255], [0, 255, 0, 255]
    with torch.no_grad():
        exact = load(weights).log_likelihood(torch.from_numpy(every / np.float32(255))[:, None]).softmax(0).tolist()
    shares = {one.tobytes(): float(text.removesuffix(" %")) for one, text in zip(last.pictures, last.captions, strict=True)}
    assert sum(shares.values()) == pytest.approx(100, abs=2)
    for one, share in zip(every, exact, strict=True):
        assert shares.get(one.tobytes(), 0) == pytest.approx(100 * share, abs=9)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_without_known_pixels_after_the_hole_all_proposals_weigh_the_same(stocked):
    growths = grown(mode=WEIGHTED, count=16)
    assert len(set(growths[-1].captions)) == 1 and "weigh the same" in growths[-1].note
    assert {len(growth.pictures) for growth in growths} == {16} and "64 proposals" in growths[0].note


def test_what_is_not_written_is_tinted_in_saved_pictures(stocked):
    last = grown()[-1]
    frames = last.film()
    assert last.frames()[0].size == (3 * SIDE * 8, SIDE * 8) and len(frames) == 49 + 12
    assert frames[0].getpixel((4, SIDE * 4 - 4)) == TINT and TINT not in {colour for _, colour in frames[-1].getcolors()}


# ---- look inside ------------------------------------------------------------------------------------------------------


def data_of(shown) -> tuple[np.ndarray, np.ndarray]:
    """The bits of every grey level, (levels, 784), and the true levels, (784,), of a surprise."""
    bits, true = (base64.b64decode(re.search(rf'data-{name}="([^"]+)"', shown.content)[1]) for name in ("bits", "true"))
    return np.frombuffer(bits, "<u2").reshape(-1, 784) / 1000, np.frombuffer(true, np.uint8)


@pytest.mark.parametrize("weights, label", [(PLAIN, None), (GATED, None), (FASHION, 2)])
def test_the_surprise_is_the_likelihood_in_bits(stocked, weights, label):
    found = surprise_of_board(weights, drawing("nothing"), label)
    with torch.no_grad():
        total = -float(load(weights).log_likelihood(drawing().picture, label=label)[0])
    assert f"<b>{total / math.log(2):,.1f} bits</b> = {total:,.1f} nats" in found.content
    bits, true = data_of(found)
    assert np.allclose((2.0**-bits).sum(axis=0), 1, atol=1e-2)
    assert bits[true, np.arange(784)].sum() == pytest.approx(total / math.log(2), abs=1)
    half = surprise_of_board(weights, drawing(), label).content
    assert 'data-measured="392"' in half and "its 392 pixels before the first unknown one" in half
    cost = float(re.search(r"<b>([\d,.]+) bits", half)[1].replace(",", ""))
    assert cost == pytest.approx(bits[true, np.arange(784)][:392].sum(), abs=0.5), "what is hidden does not count"
    assert refusal(surprise_of_board, weights, drawing("everything"), label).startswith("The first pixel of the board")


def test_a_clicked_completion_is_measured(stocked):
    growths = grown()
    last = growths[-1]
    found = surprise_of_pick(last.indices[-1], PLAIN, None, last)
    assert f"Completion {last.indices[-1]}" in found.content and f"= {last.captions[-1].removeprefix('−')}" in found.content
    for index in (99, -1, None, "x"):
        refusal(surprise_of_pick, index, PLAIN, None, last)
    assert "not finished" in refusal(surprise_of_pick, 0, PLAIN, None, growths[1])
    assert "not on the page" in refusal(surprise_of_pick, 0, PLAIN, None, None)
