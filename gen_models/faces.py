"""Faces in a photo: where they are, as squares like the pictures of the data set ``faces``, and how restored ones are put back.

A cascade of local binary patterns (Liao 2007; the file is OpenCV's, shipped with scikit-image) proposes: every window of every size
is tested, and nearly all are given up after a few comparisons. It knows upright faces that look ahead, 24 pixels wide or more;
smaller ones are found in an enlarged copy. A small network trained here (``evaluation/finder.py``) looks at what is proposed,
since the cascade takes much for faces. ``python -m benchmarks.faces`` counts the faces that both miss and what they wrongly find.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gen_models.base import Restorer
from gen_models.degradation import bicubic

if TYPE_CHECKING:
    from gen_models.evaluation.finder import Finder

WINDOW = 24
"""Pixels of the smallest window."""
SEARCHED = 300_000
"""Pixels of the copy that is searched, at most; larger pictures are reduced to it."""
ENLARGED = 3.0
"""So many times wider is the copy of a small picture, at most."""
STEP = 1.05
"""From one size of windows to the next."""
VOTES = 2
"""So many windows must agree on what may be a face."""
MOST = 40
"""Faces in one picture, those with the most votes."""
SHOWN = 64
"""Pixels of the squares that the network is shown."""
DOWN, WIDER = 0.055, 1.0
"""The square of the data set's pictures is lower than the window by this part of its side, and wider by this factor (measured)."""
FEWEST, FEW, MANY = 12, 24, 64
"""Widths of faces: from the first on a face model restores them, below the second the one for eight times, above the third none."""
SEAM = 0.18
"""The part of a square's side, at each edge, in which it changes from what is around it to what is in it."""


class Face(NamedTuple):
    """A square around a face, in pixels; it may reach over the edge of the picture."""

    left: int
    top: int
    side: int

    def inside(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(left, top, right, below) of what of it lies in a picture of that size."""
        return max(0, self.left), max(0, self.top), min(width, self.left + self.side), min(height, self.top + self.side)


def find(picture: Image.Image, finder: Finder) -> list[Face]:
    """The faces in a picture, from left to right; none is found twice.

    The work is bounded, however large the picture is: a copy of ``SEARCHED`` pixels is searched.
    """
    width, height = picture.size
    ratio = min(ENLARGED, math.sqrt(SEARCHED / (width * height)))
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    if min(size) < WINDOW:
        return []
    copy = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    proposed = []
    for across, down, side, _ in agreed(_windows(copy.convert("L")))[: 2 * MOST]:
        wide = WIDER * side / ratio
        left, top = across / ratio - wide / 2, (down + DOWN * side) / ratio - wide / 2
        proposed.append(Face(round(left), round(top), max(1, round(wide))))
    if not proposed:
        return []
    sure = finder.shows_face(torch.stack([_square(copy, face, ratio) for face in proposed])).tolist()
    return sorted([face for face, shown in zip(proposed, sure, strict=True) if shown][:MOST])


def _square(copy: Image.Image, face: Face, ratio: float) -> Tensor:
    """What a face's square shows, from a copy ``ratio`` times as large as the picture, (3, SHOWN, SHOWN) in [0, 1]."""
    left, top, side = (ratio * length for length in face)
    area = round(left), round(top), max(round(left) + 1, round(left + side)), max(round(top) + 1, round(top + side))
    shown = copy.crop(area).resize((SHOWN, SHOWN), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(shown)).permute(2, 0, 1).float() / 255


def _windows(grey: Image.Image) -> list[tuple[float, float, float]]:
    """(Centre across, centre down, side) of all that the cascade takes for a face."""
    found = _cascade().detect_multi_scale(
        img=np.asarray(grey, np.float64) / 255, scale_factor=STEP, step_ratio=1.0, min_size=(WINDOW, WINDOW),
        max_size=(min(grey.size), min(grey.size)), min_neighbor_number=1, intersection_score_threshold=2.0,  # 2: none are merged
    )  # fmt: skip
    # several threads search, so they come in any order
    return sorted((window["c"] + window["width"] / 2, window["r"] + window["width"] / 2, window["width"]) for window in found)


def agreed(windows: list[tuple[float, float, float]]) -> list[tuple[float, float, float, int]]:
    """Windows (centre across, centre down, side) -> the means of those that agree, and how many these were; most votes first.

    Two agree if their centres are nearer than a quarter of the smaller side and one is at most 1.5 times as wide as the other. What
    overlaps a face with more votes, so that the centre of one lies in the other, is no face of its own.
    """
    rest = np.array(windows, np.float64).reshape(-1, 3)
    faces = []
    while len(rest):
        smaller = np.minimum(rest[:, None, 2], rest[None, :, 2])
        apart = np.abs(rest[:, None, :2] - rest[None, :, :2]).max(axis=2)
        near = (apart < smaller / 4) & (np.maximum(rest[:, None, 2], rest[None, :, 2]) <= 1.5 * smaller)
        votes = near.sum(axis=1)
        best = int(votes.argmax())
        if votes[best] < VOTES:
            break
        face = rest[near[best]].mean(axis=0)
        faces.append((*face.tolist(), int(votes[best])))
        away = np.abs(rest[:, :2] - face[:2]).max(axis=1) >= np.maximum(rest[:, 2], face[2]) / 2
        rest = rest[away]
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
    made = model.enlarge(picture[..., top:below, left:right])
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


@lru_cache(maxsize=1)
def _cascade() -> Any:
    from skimage import data
    from skimage.feature import Cascade

    return Cascade(data.lbp_frontal_face_cascade_filename())
