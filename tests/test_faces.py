"""Faces: each found once and where it is, in a bounded search; restored ones put back without a seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import skimage
import torch
from conftest import smooth

from gen_models import faces, load
from gen_models.degradation import enlarge
from gen_models.evaluation.finder import Finder
from gen_models.faces import Face, agreed, find, paste, restore, scale_for, seam
from gen_models.restoration.edsr import EDSR

BUNDLED = Path(skimage.__file__).parent / "data"
MIDDLE, WIDTH = (224, 120), 105
"""Of the face of scikit-image's astronaut (NASA, public domain), by eye."""
SIDE = 400
"""Of the upper left part: a reflection in the helmet on the right looks like a face to the cascade."""


@pytest.fixture(scope="module")
def astronaut() -> PIL.Image.Image:
    with PIL.Image.open(BUNDLED / "astronaut.png") as image:
        return image.convert("RGB").crop((0, 0, SIDE, SIDE))


@pytest.fixture(scope="module")
def finder() -> Finder:
    return load("finder-faces2photos")


class Sure:
    """Takes all squares for faces, or none."""

    def __init__(self, answer: bool = True) -> None:
        self.answer, self.seen = answer, torch.empty(0)

    def shows_face(self, squares: torch.Tensor) -> torch.Tensor:
        self.seen = squares
        return torch.full((len(squares),), self.answer)


def blank(scale: int) -> EDSR:
    """A model that finds nothing missing."""
    model = EDSR(size=32, crop=32, width=4, blocks=1, scale=scale).eval().requires_grad_(False)
    model.network.tail[-1].weight.zero_(), model.network.tail[-1].bias.zero_()
    return model


def near(face: Face, middle: tuple[float, float], width: float) -> bool:
    """Whether a face was found there: its centre off by less than a quarter of the width."""
    centre = face.left + face.side / 2, face.top + face.side / 2
    return all(abs(one - other) < width / 4 for one, other in zip(centre, middle, strict=True))


# ---- finding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [64, 100, 200])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_face_is_found_once_and_where_it_is(astronaut, finder, width, mode):
    ratio = width / SIDE
    (face,) = find(astronaut.resize((width, width), PIL.Image.Resampling.LANCZOS).convert(mode), finder)
    assert near(face, (ratio * MIDDLE[0], ratio * MIDDLE[1]), ratio * WIDTH)
    assert 0.8 < face.side / (ratio * WIDTH) < 1.25


def test_five_faces_are_found_once_each_from_left_to_right(astronaut, finder):
    photo = smooth(np.random.default_rng(3), 240)
    cut = astronaut.crop((MIDDLE[0] - 75, MIDDLE[1] - 85, MIDDLE[0] + 75, MIDDLE[1] + 65))
    places = [(5, 20, 34), (50, 120, 44), (105, 10, 56), (150, 150, 40), (190, 60, 30)]
    for number, (left, top, side) in enumerate(places):
        small = cut.resize((side, side), PIL.Image.Resampling.LANCZOS)
        photo.paste(small.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else small, (left, top))
    found = find(photo, finder)
    assert len(found) == 5
    for face, (left, top, side) in zip(found, places, strict=True):
        assert near(face, (left + side / 2, top + side * 85 / 150), side * WIDTH / 150)


@pytest.mark.parametrize("name", ["coffee.png", "brick.png", "grass.png"])
def test_there_is_no_face_where_there_is_none(finder, name):
    with PIL.Image.open(BUNDLED / name) as image:
        assert find(image.convert("RGB").resize((150, 100)), finder) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 300), (600, 3), (100, 100)], ids=str)
def test_a_picture_of_any_shape_is_searched(size):
    assert find(PIL.Image.new("RGB", size, "white"), Sure()) == []


@pytest.mark.parametrize("size", [(4000, 3000), (6000, 100), (512, 384), (60, 40)], ids=str)
def test_the_search_is_bounded(monkeypatch, size):
    seen = []

    class Watched:
        def detect_multi_scale(self, img, **settings):
            seen.append((img, settings))
            return []

    monkeypatch.setattr(faces, "_cascade", Watched)
    find(PIL.Image.new("RGB", size, "gray"), Sure())
    (copy, settings), *_ = seen
    assert copy.size <= 1.01 * faces.SEARCHED and copy.shape[1] <= 3 * size[0]
    assert copy.shape[1] / copy.shape[0] == pytest.approx(size[0] / size[1], rel=0.02)
    assert settings["min_size"] == (24, 24)


def test_windows_that_agree_are_one_face():
    many = [(100 + x, 50 + y, 40) for x in (-4, 0, 4) for y in (-4, 0, 4)]
    inner = [(108, 58, 18)] * 7  # within the face: a mouth taken for one
    other = [(160, 50, 44)] * 8
    alone = [(20, 20, 30)] * (faces.VOTES - 1)
    found = agreed([*inner, *many, *alone, *other])
    assert found == [(100, 50, 40, 9), (160, 50, 44, 8)]
    assert agreed([]) == []


def test_what_the_network_takes_for_no_face_is_none(astronaut):
    small = astronaut.resize((160, 160), PIL.Image.Resampling.LANCZOS)
    sure = Sure()
    proposed = find(small, sure)
    assert len(proposed) == len(sure.seen) >= 1 and sure.seen.shape[1:] == (3, faces.SHOWN, faces.SHOWN)
    (face,) = (face for face in proposed if near(face, (0.4 * MIDDLE[0], 0.4 * MIDDLE[1]), 0.4 * WIDTH))
    wanted = small.resize((faces.SHOWN,) * 2, box=(face.left, face.top, face.left + face.side, face.top + face.side))
    apart = np.abs(255 * sure.seen.permute(0, 2, 3, 1).numpy() - np.asarray(wanted, np.float32)).mean(axis=(1, 2, 3))
    assert apart.min() < 8, "it is shown the square itself"
    assert find(small, Sure(False)) == []


def test_no_more_faces_than_a_crowd(monkeypatch):
    class Crowd:
        def detect_multi_scale(self, img, **settings):
            return [{"c": 30 * (n % 20), "r": 30 * (n // 20), "width": 24, "height": 24} for n in range(60)] * faces.VOTES

    monkeypatch.setattr(faces, "_cascade", Crowd)
    assert len(find(PIL.Image.new("RGB", (600, 400)), Sure())) == faces.MOST


# ---- restoring and pasting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "side, scale", [(1, None), (faces.FEWEST - 1, None), (faces.FEWEST, 8), (16, 8), (faces.FEW - 1, 8), (faces.FEW, 4), (32, 4),
                    (faces.MANY, 4), (faces.MANY + 1, None), (500, None)],
)  # fmt: skip
def test_which_model_restores_a_face(side, scale):
    assert scale_for(side) == scale


@pytest.mark.parametrize("own", [4, 8])
@pytest.mark.parametrize(
    "face, inside",
    [(Face(5, 6, 16), (5, 6, 21, 22)), (Face(-4, -7, 16), (0, 0, 12, 9)), (Face(30, 25, 16), (30, 25, 40, 30))],
    ids=["whole", "at the upper left", "at the lower right"],
)
def test_a_model_that_finds_nothing_changes_nothing(own, face, inside):
    picture = torch.rand(1, 3, 30, 40)
    picture = (enlarge(picture[..., ::5, ::5], 5) * 255).round() / 255  # smooth, in 8 bits
    whole = (enlarge(picture, 4)[0] * 255).round().byte().permute(1, 2, 0).numpy()
    before = whole.copy()
    left, top, right, below = inside
    assert face.inside(40, 30) == inside
    with torch.no_grad():
        patch = restore(blank(own), picture, face, 4)
    assert patch.shape == (3, 4 * (below - top), 4 * (right - left))
    paste(whole, patch, face, 4)
    # what is around the square is not seen by the model, so its edges differ a little; there the seam hides it
    middle = np.s_[4 * top + 8 : 4 * below - 8, 4 * left + 8 : 4 * right - 8]
    assert np.abs(whole[middle].astype(int) - before[middle]).max() <= (1 if own == 4 else 4)
    outside = np.ones((120, 160), bool)
    outside[4 * top : 4 * below, 4 * left : 4 * right] = False
    assert np.array_equal(whole[outside], before[outside])


def test_a_pasted_face_has_no_edge_and_no_step_of_colour():
    whole = np.full((200, 240, 3), 90, np.uint8)
    face = Face(10, 8, 32)
    paste(whole, torch.full((3, 128, 128), 140 / 255), face, 4)
    square = whole[32:160, 40:168].astype(int)
    ring = np.concatenate([square[0], square[-1], square[:, 0], square[:, -1]])
    assert (ring == 90).all(), "the border of the square is the general result"
    assert (square[32:96, 32:96] == 140).all(), "the middle is the face"
    steepest = 1.5 * 50 / (faces.SEAM * 128)
    for axis in (0, 1):
        steps = np.abs(np.diff(whole.astype(int), axis=axis))
        assert steps.max() <= steepest + 1
    assert (np.diff(square[64, :64, 0]) >= 0).all()


def test_the_seam_of_a_face_at_the_edge_is_the_part_of_the_whole_seam():
    full, cut = seam(Face(20, 20, 16), 4, 100, 100), seam(Face(-6, 20, 16), 4, 100, 100)
    assert full.shape == (64, 64) and cut.shape == (64, 40)
    assert np.array_equal(cut, full[:, 24:])
    assert full.min() == 0 and full.max() == 1
