"""CycleGAN's room without a browser: pictures of any shape there and back, and what a translation hides."""

from __future__ import annotations

import re

import numpy as np
import PIL.Image
import pytest
import torch
from conftest import smooth

from demos import cyclegan
from demos._families import translators
from demos._families.translators import HOME, THERE
from demos._kit.pictures import LARGE, as_tensor, heat, strip_image, to_pil
from demos._kit.shipped import shape_of
from gen_models import catalog, load, runtime, sheets

MONET, OWN = "cyclegan-monet2photo", "cyclegan-mine"
SIDE = 48
EXAMPLES = 3


@pytest.fixture
def stocked(shelf):
    """Small models of paintings with examples, and a user's own for grey pictures without any."""
    for place, (name, data) in enumerate({MONET: "monet2photo", OWN: "unpaired"}.items()):
        torch.manual_seed(place)
        channels = 1 if name == OWN else 3
        model = catalog.model_class("cyclegan")(size=SIDE, channels=channels, crop=32, width=4, blocks=2, discriminator_width=4)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        catalog.save(model, shelf / name, {"model": "cyclegan", "data": data})
    for kind, file in ((0, sheets.INPUTS), (10, sheets.PARTNERS)):
        strip_image([example(kind + number) for number in range(EXAMPLES)]).save(shelf / MONET / file, lossless=True)
    translators._made.clear()
    yield shelf
    translators._made.clear()


def example(number: int = 0, size: tuple[int, int] = (SIDE, SIDE)) -> PIL.Image.Image:
    """A picture of soft colours."""
    return smooth(np.random.default_rng(number), max(size)).resize(size)


def exact(weights: str, picture: PIL.Image.Image, backwards: bool = False, **more) -> np.ndarray:
    """What the model itself makes of a picture, (H, W, 3) bytes."""
    with torch.no_grad():
        made = load(weights).translate(as_tensor(picture, shape_of(weights)[0]), backwards, **more)[0]
    return pixels(to_pil(made))


def pixels(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("way, kind", [(THERE, 0), (HOME, 10)])
def test_an_example_is_translated_in_the_direction_that_is_asked(stocked, way, kind):
    source = cyclegan.PLAN.fields["source"].check(MONET, "example 2", way=way)
    assert np.array_equal(pixels(source), pixels(example(kind + 2)))
    begun, *_, ended = cyclegan.translate(MONET, way, source, "512", 0.3)
    made = exact(MONET, source, way == HOME)
    assert begun.busy and not ended.busy and np.array_equal(pixels(ended.after), made)
    assert ended.names == ("Original", "Translation: " + ("photo" if way == THERE else "painting"))
    (saved,) = ended.frames()
    assert np.abs(pixels(saved) - (pixels(source) + 0.3 * (made.astype(float) - pixels(source)))).max() <= 1
    assert "48 x 48 pixels." in ended.note and "tiles" not in ended.note


@pytest.mark.parametrize("size", [(600, 30), (30, 600), (1, 1), (2, 700), (33, 47)], ids=str)
@pytest.mark.parametrize("weights", [MONET, OWN])
def test_an_upload_of_any_shape_keeps_its_shape(stocked, size, weights):
    *_, ended = cyclegan.translate(weights, THERE, example(5, size), "1024", 1.0)
    assert ended.before.size == ended.after.size == size
    if max(size) < LARGE:
        assert np.array_equal(pixels(ended.after), exact(weights, ended.before))
        assert np.array_equal(pixels(ended.before), pixels(example(5, size).convert("L" if weights == OWN else "RGB")))
    assert ("padded to 32 pixels" in ended.note) is (min(size) < 32)


def test_a_picture_beyond_the_working_size_is_reduced_and_that_is_said(stocked):
    *_, ended = cyclegan.translate(MONET, THERE, example(5, (1400, 700)), "256", 1.0)
    assert ended.before.size == ended.after.size == (256, 128)
    assert "256 x 128 pixels, reduced from 1400 x 700." in ended.note


def test_a_large_picture_comes_tile_by_tile_and_others_get_their_turn_in_between(stocked):
    frames = []
    for frame in cyclegan.translate(MONET, THERE, example(6, (1024, 700)), "1024", 1.0):
        assert runtime._door.acquire(blocking=False)
        runtime._door.release()
        frames.append(frame)
    total = int(re.search(r"translated in (\d+) overlapping tiles", frames[-1].note)[1])
    said = [re.search(r"(\d+) of (\d+) passes", frame.note).groups() for frame in frames[1:-1]]
    assert said == [(str(done), str(total + 1)) for done in range(1, total + 1)]
    moved = [np.abs(pixels(frame.after).astype(int) - pixels(frames[-1].after)).mean() for frame in frames]
    assert moved == sorted(moved, reverse=True) and moved[0] > 5, "more of it is there with every tile"


def test_a_translation_is_cached_and_the_oldest_goes_first(stocked, monkeypatch):
    passes = []
    door = runtime.forward_pass
    monkeypatch.setattr(runtime, "forward_pass", lambda: passes.append(1) or door())
    first = translators.result(MONET, THERE, example())
    made = len(passes)
    assert translators.result(MONET, THERE, example()) == first and len(passes) == made > 0
    monkeypatch.setattr(translators._made, "most", 2 * SIDE**2)
    for way in (HOME, THERE):
        translators.result(MONET, way, example(1))
    assert len(translators._made) == 2 and len(passes) > made


def test_the_other_direction_has_examples_of_the_other_kind_and_keeps_an_upload(stocked):
    field = cyclegan.PLAN.fields["source"]
    assert field.follow(MONET, "example 7", way=HOME) == "example 2" and field.follow(MONET, "upload", way=HOME) == "upload"
    assert field.tiles(MONET, way=THERE) != field.tiles(MONET, way=HOME)
    assert translators.begins(MONET) == HOME and translators.begins(OWN) == THERE


def test_the_way_back_and_the_map_of_its_error(stocked):
    *_, last = cyclegan.way_back(MONET, THERE, example(1), "512", 0, 0)
    original, there, back, shown = last.pictures
    assert np.array_equal(pixels(there), exact(MONET, example(1))) and np.array_equal(pixels(back), exact(MONET, there, True))
    error = np.abs(pixels(back).astype(np.float32) - pixels(original)).mean(axis=2)
    assert f"error of {error.mean():.1f} of 255 grey levels" in last.note and "hide traces" in last.note
    assert np.array_equal(pixels(shown), pixels(heat(error / cyclegan.TOP)))
    noisy = [list(cyclegan.way_back(MONET, HOME, example(1), "512", 8, seed))[-1].pictures[1].tobytes() for seed in (3, 3, 4)]
    assert noisy[0] == noisy[1] != noisy[2]
    grey = pixels(cyclegan.with_noise(PIL.Image.new("RGB", (200, 200), (128, 128, 128)), 8, 3)).astype(float) - 128
    assert grey.std() == pytest.approx(8, rel=0.03) and abs(grey.mean()) < 0.2


def test_traces_are_wiped_out_step_by_step(stocked):
    steps = list(cyclegan.traces(MONET, THERE, example(1), 7))
    assert [step.content.count("<tr>") for step in steps] == list(range(2, len(cyclegan.GREYS) + 3))
    rows = re.findall(r"<tr><td>([^<]+)</td><td>([\d.]+)</td><td>([\d.]+)</td></tr>", steps[-1].content)
    there = PIL.Image.fromarray(exact(MONET, example(1)))
    noisy = cyclegan.with_noise(there, 16, 7)
    damage = np.abs(pixels(noisy).astype(float) - pixels(there)).mean()
    error = np.abs(exact(MONET, noisy, True).astype(float) - pixels(example(1))).mean()
    assert rows[5] == ("with noise of 16", f"{damage:.1f}", f"{error:.1f}")
    assert "Noise that changes the translation by" in steps[-1].note and not steps[0].note


@pytest.mark.parametrize("noisy, words", [(20.0, "the return relied on traces"), (9.0, "no more than the noise itself")])
def test_the_verdict_follows_from_the_numbers(noisy, words):
    found = [(str(grey), grey * 0.8, 5.0 if grey < 8 else noisy) for grey in cyclegan.GREYS]
    assert words in cyclegan.verdict(found) and f"grow by {noisy - 5:.1f}" in cyclegan.verdict(found)


def test_the_blocks_are_blended_share_by_share(stocked):
    *_, last = cyclegan.blocks(MONET, HOME, example(11))
    for share, picture in zip(cyclegan.SHARES, last.pictures, strict=True):
        assert np.array_equal(pixels(picture), exact(MONET, example(11), True, strength=share))
