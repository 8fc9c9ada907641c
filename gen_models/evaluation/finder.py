"""The eye for faces: a small convolutional network that says of every place of a picture whether a face is there.

Garcia, Delakis 2004, "Convolutional Face Finder: A Neural Architecture for Fast and Robust Face Detection", IEEE Transactions on
Pattern Analysis and Machine Intelligence 26 (11). It sees squares of one size; ``gen_models/faces.py`` shows it a picture in many
sizes and joins what it finds there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, binary_cross_entropy_with_logits, grid_sample, interpolate

from gen_models.base import Batch, Model, Recipe, Update
from gen_models.layers import from_unit

WINDOW = 33
"""Pixels of the square that decides on one place: those that one number of the last layer depends on."""
STRIDE = 4
"""Pixels from one place to the next."""
SCENE = WINDOW + 16 * STRIDE
"""Pixels of a side of the pictures of the training: 17 times 17 places."""
NEAR, FAR = 0.12, 0.35
"""In widths of a face: its place is off by at most the first where the network shall say yes, by at least the second for no."""
ALIKE, OTHER = 1.2, 1.6
"""A face is at most the first factor larger or smaller than the window for yes, at least the second for no."""
HARD = 8
"""The wrong places that count are the likeliest ones, so many for each right place (the paper collects them in rounds)."""
LEAST = 0.35
"""Pictures are blurred as if they had been so many times as wide, at least: small faces are found in enlarged copies."""
SURE = 5.0
"""Log-odds from which on there is a face (chosen on the validation parts)."""


class Finder(Model):
    """Pictures (B, C, H, W) in [0, 1] -> where faces are, as the data set ``faces`` shows faces.

    Trained on pictures of ``size`` pixels: faces of many sizes laid over photographs without faces, and pieces of photographs
    laid over others in the same way, so that the seam is no sign of a face.
    """

    title = "Face finder"
    year = 2004
    authors = "after Christophe Garcia, Manolis Delakis"
    paper = "https://doi.org/10.1109/TPAMI.2004.97"
    summary = "A small network trained here, which looks for faces at every place of a picture and in every size."
    differences = (
        "Strided convolutions and batch normalisation instead of subsampling; 33 pixels square instead of 32 by 36.",
        "False alarms are collected at every step, the likeliest of its pictures, not in rounds of training.",
        "The mean over a picture and its mirror image decides; the paper searches again, more finely, around what it found.",
    )
    limits = (
        "It knows upright faces that look ahead; it misses profiles, covered and upside-down faces.",
        "Its pictures without a face are landscapes, flowers, textures and paintings; animals and statues may pass for people.",
    )
    recipes = {
        "faces2photos": Recipe(
            steps=2_000, batch_size=24, warm_up=100, decay_from=0.3, mirror=True, arguments=dict(size=128, channels=3)
        ),
    }
    tiny = dict(size=32, channels=3, width=4)
    headline = "faces-found-faces2photos"
    window, stride, sure = WINDOW, STRIDE, SURE

    def __init__(self, size: int = 128, channels: int = 3, width: int = 16) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        inputs = 1
        for factor, kernel, stride in ((1, 3, 1), (1, 3, 2), (2, 3, 1), (2, 3, 2), (4, 3, 1), (4, 3, 1), (4, 2, 1)):
            blocks += [nn.Conv2d(inputs, factor * width, kernel, stride=stride, bias=False), nn.BatchNorm2d(factor * width)]
            blocks.append(nn.ReLU(inplace=True))
            inputs = factor * width
        self.body = nn.Sequential(*blocks, nn.Dropout2d(0.1), nn.Conv2d(inputs, 1, 1))

    @property
    def training_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.image_shape
        return 2 * channels, height, width

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"network": torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.02, fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        faces, photos = batch[0].chunk(2, dim=1)
        pictures, wanted = scenes(faces, photos)
        odds = self.body(pictures).float()[:, 0]
        yes, no = odds[wanted == 1], odds[wanted == 0]
        hard = no.topk(min(len(no), HARD * max(1, len(yes)))).values
        chosen = torch.cat([yes, hard])
        goal = torch.cat([torch.ones_like(yes), torch.zeros_like(hard)])
        yield "network", {"faces": binary_cross_entropy_with_logits(chosen, goal)}

    def odds(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1], H and W at least ``WINDOW`` -> log-odds of a face, (B, rows, columns).

        Row i and column j tell of the square of ``WINDOW`` pixels whose upper left corner lies at (``STRIDE`` i, ``STRIDE`` j).
        """
        shown = from_unit(pictures.to(self.device).float()).mean(dim=1, keepdim=True)
        return self.body(shown).float()[:, 0]

    def shows_face(self, squares: Tensor) -> Tensor:
        """Squares in [0, 1] of any size, (B, C, S, S) -> which are faces for sure, (B,) bool."""
        size = (WINDOW, WINDOW)
        small = interpolate(squares.float(), size=size, mode="bilinear", antialias=True, align_corners=False)
        return (self.odds(small) + self.odds(small.flip(-1)))[:, 0, 0] / 2 > SURE


class Pasted(NamedTuple):
    """Where a square lies in each of B scenes, in pixels from the scene's upper left corner, (B,) each."""

    across: Tensor
    down: Tensor
    side: Tensor


def scenes(faces: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures with a face and as many with a piece of a photograph in its stead, (2B, 1, SCENE, SCENE) in [-1, 1].

    With them what is where, (2B, rows, columns): 1 at places of faces, 0 where none is, -1 where either answer will do.
    """
    count, device = len(faces), faces.device

    def drawn(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, device=device)

    grey_faces, grey_photos = faces.float().mean(dim=1, keepdim=True), photos.float().mean(dim=1, keepdim=True)
    pictures, wanted = [], []
    for pieces in (grey_faces, grey_photos.roll(2, 0)):
        behind = piece_of(grey_photos.roll(1, 0), drawn(0.25, 1.0), drawn(-1, 1), drawn(-1, 1))
        # six of ten faces have about the size of the window
        fitting = torch.rand(count, device=device) < 0.6
        size = torch.where(fitting, drawn(-1, 1) * math.log(ALIKE), drawn(-1, 1) * math.log(2.0)).exp()
        lies = Pasted(drawn(8, SCENE - 8), drawn(8, SCENE - 8), WINDOW * size)
        shown = laid_over(pieces, behind, lies, drawn(-0.25, 0.25), drawn(0.0, 1.0), drawn(0.02, 0.3))
        pictures.append(shown)
        wanted.append(what_is_where(lies) if pieces is grey_faces else torch.zeros_like(wanted[0]))
    return worn(torch.cat(pictures)), torch.cat(wanted)


def piece_of(photos: Tensor, part: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """A square piece of each photograph, ``part`` of its side, moved as far right and down as -1 to 1 say; twice SCENE pixels."""
    room = 1 - part
    rows = torch.stack([part, 0 * part, room * right, 0 * part, part, room * down], dim=1).view(-1, 2, 3)
    places = affine_grid(rows, [len(photos), 1, 2 * SCENE, 2 * SCENE], align_corners=False)
    return grid_sample(photos, places, padding_mode="reflection", align_corners=False)


def laid_over(pieces: Tensor, behind: Tensor, lies: Pasted, turn: Tensor, round_: Tensor, soft: Tensor) -> Tensor:
    """Square pictures over others, (B, 1, SCENE, SCENE), turned by radians, their corners rounded and their edges soft."""
    ratio = SCENE / lies.side
    cosine, sine = torch.cos(turn) * ratio, torch.sin(turn) * ratio
    # a point of the scene, -1 to 1, as a point of the piece
    x, y = 2 * lies.across / SCENE - 1, 2 * lies.down / SCENE - 1
    rows = torch.stack([cosine, -sine, -(cosine * x - sine * y), sine, cosine, -(sine * x + cosine * y)], dim=1).view(-1, 2, 3)
    places = affine_grid(rows, [len(pieces), 1, 2 * SCENE, 2 * SCENE], align_corners=False)
    shown = grid_sample(pieces, places, padding_mode="border", align_corners=False)
    power = (2 + 8 * (1 - round_)).view(-1, 1, 1)
    outward = (places.abs().clamp(max=2) ** power[..., None]).sum(dim=-1) ** (1 / power)
    mask = ((1 - outward) / soft.view(-1, 1, 1)).clamp(0, 1)[:, None]
    return interpolate(behind + mask * (shown - behind), size=(SCENE, SCENE), mode="area")


def what_is_where(lies: Pasted) -> Tensor:
    """1 at places of faces, 0 where none is, -1 between, (B, rows, columns)."""
    centres = torch.arange(0, SCENE - WINDOW + 1, STRIDE, device=lies.side.device) + WINDOW / 2
    side = lies.side.view(-1, 1, 1)
    off = torch.maximum((centres[:, None] - lies.down.view(-1, 1, 1)).abs(), (centres - lies.across.view(-1, 1, 1)).abs())
    ratio = (side / WINDOW).log().abs()
    answer = torch.full_like(off, -1.0)
    answer[(off >= FAR * side.clamp(max=2 * WINDOW)) | (ratio >= math.log(OTHER))] = 0
    answer[(off <= NEAR * WINDOW) & (ratio <= math.log(ALIKE))] = 1
    return answer


def worn(pictures: Tensor) -> Tensor:
    """Pictures in other light, blurred as one (a batch alike) and with a little noise."""
    count = len(pictures)
    light = torch.rand(3, count, 1, 1, 1, device=pictures.device)
    side = round(SCENE * (LEAST + (1 - LEAST) * float(torch.rand(()))))
    small = interpolate(pictures, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    small = small + 0.06 * light[2] * torch.randn_like(small)
    shown = interpolate(small, size=(SCENE, SCENE), mode="bicubic", align_corners=False)
    return ((0.35 + 0.85 * light[0]) * shown + 0.8 * (light[1] - 0.5)).clamp(-1, 1)

