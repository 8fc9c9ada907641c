"""Faces in a photo: where they are, as squares like the pictures of the data set ``faces``, how they are set upright, and how
restored ones are put back.

A small network trained here (``evaluation/finder.py``) looks for them: it sees squares of 33 pixels, so it is shown the picture in
many sizes, small pictures enlarged (Garcia, Delakis 2004). It knows faces that lean by up to about 15 degrees; others are found in
turned copies. ``python -m benchmarks.faces`` counts the faces that are missed and what is wrongly found.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from gen_models.base import Restorer
from gen_models.degradation import bicubic

if TYPE_CHECKING:
    from gen_models.evaluation.finder import Finder

SEARCHED = 400_000
"""Pixels of the copy that is searched, at most; larger pictures are reduced to it."""
ENLARGED = 3.0
"""So many times wider is the copy of a small picture, at most."""
STEP = 1.2
"""From one size of the copy to the next."""
TURNS = (0.0, -25.0, 25.0)
"""Degrees by which the copy is turned, one after the other, until a face is found."""
LEANS = torch.arange(-40.0, 41.0, 8.0)
"""Degrees around a face's tilt among which the true one is sought."""
ROUNDS = 2
"""Each begins where the one before it found the face."""
MOST = 40
"""Faces in one picture, the likeliest."""
FEWEST, FEW, MANY = 12, 24, 64
"""Widths of faces: from the first on a face model restores them, below the second the one for eight times, above the third none."""
SEAM = 0.18
"""The part of a square's side, at each edge, in which it changes from what is around it to what is in it."""


class Face(NamedTuple):
    """A square around a face, in pixels; it may reach over the edge of the picture."""

    left: int
    top: int
    side: int
    tilt: float = 0.0
    """Degrees by which the face leans clockwise. The square itself stands upright, around the same middle."""

    @property
    def middle(self) -> tuple[float, float]:
        """Across and down."""
        return self.left + self.side / 2, self.top + self.side / 2

    def inside(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(left, top, right, below) of what of it lies in a picture of that size."""
        return max(0, self.left), max(0, self.top), min(width, self.left + self.side), min(height, self.top + self.side)


def find(picture: Image.Image, finder: Finder) -> list[Face]:
    """The faces in a picture, from left to right; none is found twice.

    If none stands about upright, those are sought that lean to one side; their tilt is that of the search, 25 degrees.
    The work is bounded, however large the picture is: a copy of ``SEARCHED`` pixels is searched, at most three times.
    """
    width, height = picture.size
    ratio = min(ENLARGED, math.sqrt(SEARCHED / (width * height)))
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    if min(size) < finder.window:
        return []
    copy = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    shown = _pixels(copy)
    middle = size[0] / 2, size[1] / 2
    for tilt in TURNS:
        turned = _cut(shown, middle, size, tilt, size) if tilt else shown
        squares = joined(_likely(turned, finder)[:, 1:])[:MOST]
        places = [(*_back(across, down, middle, middle, tilt), side) for across, down, side in squares]
        if places:
            return sorted(_face(across / ratio, down / ratio, side / ratio, tilt) for across, down, side in places)
    return []


def portrait(picture: Image.Image, finder: Finder) -> Face | None:
    """The largest face in a picture with its tilt, to a few degrees; None: there is none."""
    found = find(picture, finder)
    if not found:
        return None
    face, shown = max(found, key=lambda face: face.side), _pixels(picture)
    for _ in range(ROUNDS):
        face = _settled(face, shown, finder)
    return face


def _settled(face: Face, shown: Tensor, finder: Finder) -> Face:
    """The mean place, side and tilt of what is likely a face in turned copies of what is around one, (1, 3, H, W)."""
    side, pixels = 2 * face.side, 3 * finder.window  # the face has 1.5 times the width of the window
    tilts = (face.tilt + LEANS).tolist()
    found = _likely(torch.cat([_cut(shown, face.middle, (side, side), tilt, (pixels, pixels)) for tilt in tilts]), finder)
    near = np.abs(found[:, 1:3] - pixels / 2).max(axis=1, initial=0) < pixels / 4
    number, across, down, sides, odds = found[near].T
    if not near.any():
        return face
    places = [
        (*_back(x, y, (pixels / 2, pixels / 2), (0, 0), tilts[int(index)]), wide, tilts[int(index)])
        for index, x, y, wide in zip(number, across, down, sides, strict=True)
    ]
    right, below, wide, tilt = np.average(places, axis=0, weights=odds - finder.sure).tolist()
    ratio = side / pixels
    return _face(face.middle[0] + ratio * right, face.middle[1] + ratio * below, ratio * wide, tilt)


def aligned(picture: Image.Image, face: Face, size: int, framing: float = 1.0) -> Image.Image:
    """A face set upright, RGB, ``size`` pixels square, as the pictures of the data set ``faces`` show theirs.

    ``framing``: side of what is shown in sides of the face's square. Beyond the picture's edge its outermost pixels go on.
    """
    side = framing * face.side
    pixels = max(size, round(side))
    cut = _cut(_pixels(picture), face.middle, (side, side), face.tilt, (pixels, pixels))
    small = interpolate(cut, size=(size, size), mode="bicubic", antialias=True, align_corners=False)
    return Image.fromarray((255 * small[0].clamp(0, 1)).round().byte().permute(1, 2, 0).numpy())


def _face(across: float, down: float, side: float, tilt: float) -> Face:
    """The face with this middle."""
    return Face(round(across - side / 2), round(down - side / 2), max(1, round(side)), tilt)


def _pixels(picture: Image.Image) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def _cut(
    shown: Tensor, middle: tuple[float, float], size: tuple[float, float], tilt: float, pixels: tuple[int, int]
) -> Tensor:
    """A rectangle of a picture (1, C, H, W) that leans clockwise by ``tilt`` degrees, set upright.

    ``middle`` and ``size``, across and down, are in pixels of the picture; the result has ``pixels`` (wide, high).
    """
    height, width = shown.shape[-2:]
    (wide, high), cosine, sine = size, math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    rows = [
        [wide * cosine / width, -high * sine / width, 2 * middle[0] / width - 1],
        [wide * sine / height, high * cosine / height, 2 * middle[1] / height - 1],
    ]
    places = affine_grid(torch.tensor([rows]), [1, 1, pixels[1], pixels[0]], align_corners=False)
    return grid_sample(shown, places, mode="bicubic", padding_mode="border", align_corners=False)


def _back(
    across: float, down: float, centre: tuple[float, float], middle: tuple[float, float], tilt: float
) -> tuple[float, float]:
    """A place of what was cut out around ``middle``, where the centre is ``centre``, as a place of the picture."""
    x, y, turn = across - centre[0], down - centre[1], math.radians(tilt)
    return middle[0] + x * math.cos(turn) - y * math.sin(turn), middle[1] + x * math.sin(turn) + y * math.cos(turn)


def _likely(shown: Tensor, finder: Finder) -> np.ndarray:
    """All squares of pictures (B, 3, H, W) that are likely faces: number of the picture, centre across and down, side, log-odds;
    (N, 5).
    """
    size, window, stride = np.array(shown.shape[:1:-1]), finder.window, finder.stride
    found = [np.empty((0, 5))]
    for level in range(1 + int(math.log(size.min() / window, STEP))):
        # so many pixels that the places of the mirror image are those of the picture
        wide, high = (window + stride * max(0, round((length / STEP**level - window) / stride)) for length in size)
        small = interpolate(shown, size=(high, wide), mode="bilinear", antialias=True, align_corners=False)
        odds, mirrored = finder.odds(torch.cat([small, small.flip(-1)])).cpu().chunk(2)
        odds = (odds + mirrored.flip(-1)).numpy() / 2
        number, down, across = np.nonzero(odds > finder.sure)
        stretched = size / (wide, high)
        centres = (np.stack([across, down], axis=1) * stride + window / 2) * stretched
        sides = np.full(len(across), window * math.sqrt(stretched.prod()))
        found.append(np.column_stack([number, centres, sides, odds[number, down, across]]))
    return np.concatenate(found)


def joined(windows: np.ndarray) -> list[tuple[float, float, float]]:
    """Windows (centre across, centre down, side, log-odds), (N, 4) -> the means of those that agree; the likeliest first.

    A window agrees with the likeliest if their centres are nearer than a quarter of the smaller side and one is at most 1.5 times
    as wide as the other; it counts as much as its log-odds. What overlaps a face, so that the centre of one lies in the other, is
    no face of its own.
    """
    rest = windows[np.argsort(-windows[:, 3], kind="stable")]
    faces = []
    while len(rest):
        best = rest[0]
        apart = np.abs(rest[:, :2] - best[:2]).max(axis=1)
        smaller, larger = np.minimum(rest[:, 2], best[2]), np.maximum(rest[:, 2], best[2])
        near = (apart < smaller / 4) & (larger <= 1.5 * smaller)
        face = np.average(rest[near, :3], axis=0, weights=rest[near, 3])
        faces.append(tuple(face.tolist()))
        rest = rest[~near & (np.abs(rest[:, :2] - face[:2]).max(axis=1) >= np.maximum(rest[:, 2], face[2]) / 2)]
    return faces


def scale_for(side: int) -> int | None:
    """Which model restores a face ``side`` pixels wide: that which enlarges 4 or 8 times; None: the general one does it better.

    The face models know faces of 32 and of 16 pixels.
    """
    if not FEWEST <= side <= MANY:
        return None
    return 8 if side < FEW else 4


def restore(model: Restorer, picture: Tensor, face: Face, scale: int) -> Tensor:
    """What ``model`` makes of a face in a picture (1, C, H, W) in [0, 1]: of the part of its square inside the picture, (C, h, w),
    ``scale`` times as large. A model with a larger scale is asked for more pixels, which are then reduced.
    """
    left, top, right, below = face.inside(picture.shape[-1], picture.shape[-2])
    made = model.upscale(picture[..., top:below, left:right])
    if model.scale != scale:
        made = bicubic(made, scale * (below - top), scale * (right - left))
    return made[0]


def seam(face: Face, scale: int, width: int, height: int) -> np.ndarray:
    """How much of a pasted face counts, (h, w) in [0, 1], for the part of its square in a picture of that size, ``scale`` times as
    large: 1 in the middle, falling smoothly to 0 at the outermost pixels of the square.
    """
    side = scale * face.side
    way = np.minimum(np.arange(side), np.arange(side)[::-1]) / max(1.0, SEAM * side)
    edge = way.clip(0, 1)
    edge = (edge * edge * (3 - 2 * edge)).astype(np.float32)
    left, top, right, below = face.inside(width, height)
    rows = edge[scale * (top - face.top) : scale * (below - face.top)]
    return rows[:, None] * edge[scale * (left - face.left) : scale * (right - face.left)]


def paste(whole: np.ndarray, patch: Tensor, face: Face, scale: int) -> None:
    """Put a restored face (C, h, w) in [0, 1] into the bytes ``whole`` (sH, sW, 3), in place, with a soft seam."""
    height, width = (side // scale for side in whole.shape[:2])
    left, top, right, below = (scale * edge for edge in face.inside(width, height))
    share = seam(face, scale, width, height)[..., None]
    place = whole[top:below, left:right]
    values = 255 * patch.float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    place[:] = (place + share * (values - place)).round().astype(np.uint8)
