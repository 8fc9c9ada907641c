"""Faces: each found once and where it is, in a bounded search; restored ones put back without a seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import skimage
import torch
from conftest import smooth
from torch.nn.functional import avg_pool2d

from gen_models import faces, load
from gen_models.degradation import upscale
from gen_models.evaluation.finder import Finder
from gen_models.faces import Face, aligned, find, joined, paste, portrait, restore, scale_for, seam
from gen_models.restoration.edsr import EDSR

BUNDLED = Path(skimage.__file__).parent / "data"
MIDDLE, WIDTH = (224, 120), 105
"""Of the face of scikit-image's astronaut (NASA, public domain), by eye."""
SIDE = 400
"""Of the upper left part: a reflection in the helmet on the right looks like a face."""


@pytest.fixture(scope="module")
def astronaut() -> PIL.Image.Image:
    with PIL.Image.open(BUNDLED / "astronaut.png") as image:
        return image.convert("RGB").crop((0, 0, SIDE, SIDE))


@pytest.fixture(scope="module")
def finder() -> Finder:
    return load("finder-faces2photos")


class Sure:
    """An eye for faces that sees one in each light square half as wide as its window, or so many log-odds everywhere."""

    window, stride, sure = 33, 4, 5.0

    def __init__(self, everywhere: float | None = None) -> None:
        self.everywhere, self.seen = everywhere, []

    def odds(self, pictures: torch.Tensor) -> torch.Tensor:
        self.seen.append(pictures)
        grey = pictures.mean(dim=1, keepdim=True)
        whole = avg_pool2d(grey, self.window, self.stride)[:, 0]
        inner = avg_pool2d(grey[..., 8:-8, 8:-8], 17, self.stride)[:, 0]
        return 30 * (inner - whole) - 12 if self.everywhere is None else torch.full_like(whole, self.everywhere)


def blank(scale: int) -> EDSR:
    """A model that finds nothing missing."""
    model = EDSR(size=32, crop=32, width=4, blocks=1, scale=scale).eval().requires_grad_(False)
    model.network.tail[-1].weight.zero_(), model.network.tail[-1].bias.zero_()
    return model


def near(face: Face, middle: tuple[float, float], width: float) -> bool:
    """Whether a face was found there: its centre off by less than a quarter of the width."""
    centre = face.left + face.side / 2, face.top + face.side / 2
    return all(abs(one - other) < width / 4 for one, other in zip(centre, middle, strict=True))


def turned(picture: PIL.Image.Image, degrees: float) -> PIL.Image.Image:
    """As a photograph that was taken with the camera at a slant."""
    return picture.rotate(degrees, PIL.Image.Resampling.BICUBIC, expand=True, fillcolor=(120, 120, 120))


def within(size: tuple[int, int], place: tuple[int, int], picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture in a larger one."""
    page = PIL.Image.new("RGB", size, (90, 120, 150))
    page.paste(picture, place)
    return page


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
    assert find(PIL.Image.new("RGB", size, "black"), Sure()) == []


@pytest.mark.parametrize("size", [(4000, 3000), (6000, 500), (512, 384), (60, 40)], ids=str)
def test_the_search_is_bounded(size):
    eye = Sure()
    find(PIL.Image.new("RGB", size, "black"), eye)
    sizes = [tuple(seen.shape[-2:]) for seen in eye.seen]
    (high, wide), (low, narrow) = sizes[0], sizes[-1]
    assert high * wide <= 1.05 * faces.SEARCHED and wide <= 3 * size[0] + eye.stride
    assert wide / high == pytest.approx(size[0] / size[1], rel=0.05)
    assert len(sizes) < 20 * len(faces.TURNS) and min(low, narrow) < faces.STEP * eye.window, "up to faces as large as the picture"
    assert all((side - eye.window) % eye.stride == 0 for side in sizes[0])


@pytest.mark.parametrize("left, top, side", [(60, 40, 40), (10, 70, 60), (120, 20, 30)])
def test_a_square_is_told_in_the_pixels_of_the_picture(left, top, side):
    picture = PIL.Image.new("RGB", (200, 150), "black")
    picture.paste("white", (left, top, left + side, top + side))
    (face,) = find(picture, Sure())
    assert near(face, (left + side / 2, top + side / 2), side) and 1.5 < face.side / side < 2.5


def test_a_picture_and_its_mirror_image_have_the_same_faces():
    picture = PIL.Image.new("RGB", (211, 157), "black")
    picture.paste("white", (30, 50, 80, 100))
    (face,), (other,) = find(picture, Sure()), find(picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT), Sure())
    assert abs(face.left - (211 - other.left - other.side)) <= 1 and abs(face.top - other.top) <= 1


def test_windows_that_agree_are_one_face():
    many = [(100 + x, 50 + y, 40, 9 - abs(x) - abs(y)) for x in (-3, 0, 3) for y in (-3, 0, 3)]
    inner = [(110, 60, 18, 6)] * 7  # within the face: a mouth taken for one
    other = [(160, 50, 44, 8)] * 8
    found = joined(np.array([*inner, *many, *other], float))
    assert np.allclose(found, [(100, 50, 40), (160, 50, 44)], atol=0.5)
    assert joined(np.empty((0, 4))) == []


def test_a_likelier_window_counts_more():
    ((across, _, _),) = joined(np.array([(100, 50, 40, 9.0), (104, 50, 40, 3.0)]))
    assert across == pytest.approx(101)


@pytest.mark.parametrize("odds, found", [(4.9, False), (5.1, True)])
def test_only_what_is_sure_is_a_face(odds, found):
    assert bool(find(PIL.Image.new("RGB", (50, 50)), Sure(odds))) is found


def test_no_more_faces_than_a_crowd():
    found = find(PIL.Image.new("RGB", (600, 400)), Sure(9.0))
    assert len(found) == faces.MOST and found == sorted(found)


# ---- setting upright ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "taken, tilt",
    [(lambda picture: turned(picture, -20), 20), (lambda picture: turned(picture, 20), -20),
     (lambda picture: turned(picture, -30), 30), (lambda picture: turned(picture, 30), -30),
     (lambda picture: within((500, 600), (70, 160), picture), 0),
     (lambda picture: within((1200, 900), (800, 100), picture.resize((250, 250), PIL.Image.Resampling.LANCZOS)), 0),
     (lambda picture: turned(within((700, 600), (150, 120), picture), 28), -28)],
    ids=["to the right", "to the left", "far to the right", "far to the left", "shifted", "small", "shifted and leaning"],
)  # fmt: skip
def test_a_portrait_is_set_upright_however_it_was_taken(astronaut, finder, taken, tilt):
    straight, picture = portrait(astronaut, finder), taken(astronaut)
    face = portrait(picture, finder)
    assert abs(face.tilt - straight.tilt - tilt) < 5
    wanted, found = (np.float32(aligned(image, one, 64)) for image, one in ((astronaut, straight), (picture, face)))
    assert np.abs(found - wanted).mean() < 12
    square = np.float32(aligned(picture, Face(0, 0, min(picture.size)), 64))
    assert np.abs(square - wanted).mean() > 40, "as it was taken, it differs"


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png"])
def test_a_picture_without_a_face_has_no_portrait(finder, name):
    with PIL.Image.open(BUNDLED / name) as image:
        assert portrait(image.convert("RGB"), finder) is None


def test_of_several_faces_the_largest_is_taken(astronaut, finder):
    page = within((700, 420), (280, 10), astronaut)
    page.paste(astronaut.resize((200, 200), PIL.Image.Resampling.LANCZOS), (20, 100))
    assert near(portrait(page, finder), (280 + MIDDLE[0], 10 + MIDDLE[1]), WIDTH)


def test_what_is_cut_out_is_the_square_itself_upright_and_goes_on_beyond_the_edge():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    picture = PIL.Image.fromarray(pixels)
    assert np.array_equal(aligned(picture, Face(20, 10, 32), 32), pixels[10:42, 20:52])
    assert np.array_equal(aligned(picture, Face(30, 20, 16), 32, framing=2), pixels[12:44, 22:54])
    # what leans clockwise by a quarter is set upright by a quarter the other way
    assert np.abs(np.float32(aligned(picture, Face(20, 10, 32, 90), 32)) - np.rot90(pixels[10:42, 20:52])).max() <= 1
    beyond = np.asarray(aligned(picture, Face(-16, -16, 32), 32))
    assert np.array_equal(beyond[16:, 16:], pixels[:16, :16]) and (beyond[:16, :16] == pixels[0, 0]).all()


# ---- restoring ----------------------------------------------------------------------------------------------------------


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
    picture = (upscale(picture[..., ::5, ::5], 5) * 255).round() / 255  # smooth, in 8 bits
    whole = (upscale(picture, 4)[0] * 255).round().byte().permute(1, 2, 0).numpy()
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
