"""The eye for faces: a small network that says whether a square shows one.

Garcia, Delakis 2004, "Convolutional Face Finder: A Neural Architecture for Fast and Robust Face Detection", IEEE Transactions on
Pattern Analysis and Machine Intelligence 26 (11). Here it does not search by itself: it looks at what a cascade proposes
(``gen_models/faces.py``).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, binary_cross_entropy_with_logits, grid_sample, interpolate

from gen_models.base import Batch, Model, Recipe, Update
from gen_models.layers import from_unit

SIDE = 32
"""Pixels of a square as the network sees it."""
LEAST = 10
"""Pixels of the smallest faces of the training, enlarged to ``SIDE``."""
SURE = 9.0
"""Log-odds from which on a square counts as a face; what a cascade proposes in textures has 5 at times (chosen on the validation
parts).
"""
NEAR, FAR = 0.1, 0.4
"""A face moved by the first part of its side is a face still, by the second it is none."""


class Finder(Model):
    """Squares (B, C, H, W) in [0, 1] -> which show a face, and how surely, as the data set ``faces`` shows faces.

    Trained on pictures of ``size`` pixels: faces, moved, turned and resized a little; squares of photographs without faces; and
    faces that are cut, far too large or far too small.
    """

    title = "Face finder"
    year = 2004
    authors = "after Christophe Garcia, Manolis Delakis"
    paper = "https://doi.org/10.1109/TPAMI.2004.97"
    summary = "A small network trained here, which looks at what a cascade takes for faces and says which are."
    differences = (
        "It checks squares that a cascade of local binary patterns proposes; the paper's network searches the whole picture.",
        "Strided convolutions and batch normalisation instead of subsampling; wrong squares are drawn at random, not collected in "
        "rounds of training.",
    )
    limits = (
        "It knows upright faces that look ahead; profiles, covered and upside-down faces are missed.",
        "Its faces without a face are landscapes, flowers, textures and paintings; animals and statues may pass for people.",
    )
    recipes = {
        "faces2photos": Recipe(
            steps=1_500, batch_size=64, warm_up=100, decay_from=0.3, mirror=True, arguments=dict(size=128, channels=3)
        ),
    }
    tiny = dict(size=32, channels=3, width=4)
    headline = "faces-found-faces2photos"

    def __init__(self, size: int = 128, channels: int = 3, width: int = 24) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        inputs = 1
        for factor, stride in ((1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2)):
            blocks += [nn.Conv2d(inputs, factor * width, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(factor * width)]
            blocks.append(nn.ReLU(inplace=True))
            inputs = factor * width
        side = SIDE // 8
        self.body = nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.3), nn.Linear(inputs * side**2, 1))

    @property
    def training_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.image_shape
        return 2 * channels, height, width

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"network": torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.02, fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        faces, photos = batch[0].chunk(2, dim=1)
        squares, wanted = windows(faces, photos)
        scores = self.body(blurred(squares)).float()[:, 0]
        yield "network", {"faces": binary_cross_entropy_with_logits(scores, wanted)}

    def surety(self, squares: Tensor) -> Tensor:
        """Squares in [0, 1] of any size, (B, C, H, W) -> log-odds that each is a face, (B,).

        The mean over the square, its mirror image and both a little closer: a face stays one, a chance likeness does not.
        """
        shown = from_unit(squares.to(self.device).float())
        shown = torch.cat([shown, shown.flip(-1)])
        around = torch.cat([grey(zoomed(shown, factor), SIDE) for factor in (0.9, 1.0)])
        return self.body(around).float().unflatten(0, (4, len(squares))).mean(dim=(0, 2))

    def shows_face(self, squares: Tensor) -> Tensor:
        """Squares as for :meth:`surety` -> which are faces for sure, (B,) bool."""
        return self.surety(squares) > SURE


def grey(squares: Tensor, side: int) -> Tensor:
    """Squares in [-1, 1] as brightness, (B, 1, side, side), each with mean 0 and standard deviation 1."""
    shown = interpolate(squares.mean(dim=1, keepdim=True), size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    shown = shown - shown.mean(dim=(1, 2, 3), keepdim=True)
    return shown / shown.std(dim=(1, 2, 3), keepdim=True).clamp(min=0.02)


def zoomed(pictures: Tensor, factor: float) -> Tensor:
    """The middle of square pictures, ``factor`` of their sides."""
    edge = round((1 - factor) / 2 * pictures.shape[-1])
    return pictures[..., edge : pictures.shape[-2] - edge, edge : pictures.shape[-1] - edge]


def windows(faces: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
    """Squares of 2 ``SIDE`` pixels of pictures (B, C, H, W): B with a face and twice as many without; 1 or 0 for each."""
    count, device = len(faces), faces.device

    def drawn(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, device=device)

    backgrounds = photos.roll(1, 0)
    good = looked_at(faces, backgrounds, drawn(0.85, 1.15), drawn(-NEAR, NEAR), drawn(-NEAR, NEAR), drawn(-0.25, 0.25))
    none = looked_at(photos, backgrounds, drawn(0.2, 1.0), drawn(-0.5, 0.5), drawn(-0.5, 0.5), drawn(-0.3, 0.3))
    # half of the near misses are moved, a quarter too large, a quarter too small
    kind = torch.rand(count, device=device)
    sign = torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)
    along, across = sign * drawn(FAR, 0.8), drawn(-0.8, 0.8)
    swapped = torch.rand(count, device=device) < 0.5
    right, down = torch.where(swapped, along, across), torch.where(swapped, across, along)
    moved = kind < 0.5
    right, down = (torch.where(moved, way, drawn(-0.3, 0.3)) for way in (right, down))
    zoom = torch.where(moved, drawn(0.7, 1.4), torch.where(kind < 0.75, drawn(0.25, 0.55), drawn(1.8, 3.0)))
    missed = looked_at(faces, backgrounds, zoom, right, down, drawn(-0.3, 0.3))
    return torch.cat([good, none, missed]), torch.cat([torch.ones(count), torch.zeros(2 * count)]).to(device)


def looked_at(pictures: Tensor, backgrounds: Tensor, zoom: Tensor, right: Tensor, down: Tensor, turn: Tensor) -> Tensor:
    """Squares of pictures: ``zoom`` times as large, moved by parts of the picture's side, turned by radians; all (B,).

    What lies beside a picture is filled with its background.
    """
    cosine, sine = torch.cos(turn) * zoom, torch.sin(turn) * zoom
    rows = torch.stack([cosine, -sine, 2 * right, sine, cosine, 2 * down], dim=1).view(-1, 2, 3)
    places = affine_grid(rows, [*pictures.shape[:2], 2 * SIDE, 2 * SIDE], align_corners=False)
    shown = grid_sample(pictures.float(), places, padding_mode="reflection", align_corners=False)
    inside = (places.abs().amax(dim=-1) <= 1)[:, None]
    behind = interpolate(backgrounds.float(), size=(2 * SIDE, 2 * SIDE), mode="bilinear", antialias=True, align_corners=False)
    return torch.where(inside, shown, behind)


def blurred(squares: Tensor) -> Tensor:
    """Squares as from small pictures: through ``LEAST`` to ``SIDE`` pixels, the same for a batch, with a little noise."""
    side = int(torch.randint(LEAST, SIDE + 1, ()))
    small = interpolate(squares, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    small = small + 0.05 * torch.rand(()).to(small) * torch.randn_like(small)
    return grey(small, SIDE)
