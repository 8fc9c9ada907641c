"""Pictures of any height and width through a fully convolutional network; large ones in tiles without seams.

A tile's own means and variances are not those of the picture: normalised by them, a tile of sky would come out as another picture
than its neighbour, and the border would show. So all tiles are normalised by the statistics of one pass over the whole picture,
reduced to the size of a tile. The network then is one and the same function of a neighbourhood everywhere, tiles agree where
they overlap but for what reaches in from their borders, and that is thrown away or blended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from gen_models.translation._networks import Statistics

TILE = 576
"""Side of a tile; a picture of no more pixels than one goes through whole. Two that overlap cover 1024 pixels."""
OVERLAP = 128
"""Twice as far as the borders of a tile reach in: 60 pixels with six residual blocks."""
STEP = 4
"""Sides are filled up to a multiple of it, since the network halves them twice."""
LEAST = 32
"""Smaller sides are filled up to this."""

Network = Callable[[Tensor, Statistics | None], Tensor]
Step = tuple[Tensor, int, int]
"""Pictures as far as they are made, elsewhere as they came; passes done; passes in all."""


def anywhere(network: Network, images: Tensor, tile: int = TILE, overlap: int = OVERLAP) -> Tensor:
    """``network`` applied to pictures (B, C, H, W) of any size, (B, C, H, W)."""
    made = images
    for made, _, _ in stepwise(network, images, tile, overlap):  # noqa: B007
        pass
    return made


def stepwise(network: Network, images: Tensor, tile: int = TILE, overlap: int = OVERLAP) -> Iterator[Step]:
    """:func:`anywhere`, a step for every pass through ``network``."""
    height, width = images.shape[-2:]
    fill = [max(LEAST, -(-side // STEP) * STEP) - side for side in (height, width)]
    filled = pad(images, (0, fill[1], 0, fill[0]), mode="replicate") if any(fill) else images
    if filled.shape[-2] * filled.shape[-1] <= tile**2:
        yield network(filled, None)[..., :height, :width], 1, 1
        return
    pictures = list(filled.split(1))
    for place, picture in enumerate(filled.split(1)):
        for made, done, total in in_tiles(network, picture, tile, overlap):
            pictures[place] = made
            yield torch.cat(pictures)[..., :height, :width], place * total + done, len(pictures) * total


def in_tiles(network: Network, picture: Tensor, tile: int = TILE, overlap: int = OVERLAP) -> Iterator[Step]:
    """One picture (1, C, H, W), sides multiples of four, tile by tile; the first pass is for the statistics."""
    height, width = picture.shape[-2:]
    shrink = tile / math.sqrt(height * width)
    reduced = [max(LEAST, round(side * shrink / STEP) * STEP) for side in (height, width)]
    statistics = Statistics()
    network(interpolate(picture, size=reduced, mode="bilinear", antialias=True, align_corners=False), statistics)
    places = list(product(spans(height, tile, overlap), spans(width, tile, overlap)))
    yield picture, 1, 1 + len(places)
    total, weights = torch.zeros_like(picture), picture.new_zeros(1, 1, height, width)
    for number, ((top, below), (left, right)) in enumerate(places, 1):
        made = network(picture[..., top:below, left:right], statistics.again()).float()
        weight = ramp(top, below, height, overlap)[:, None] * ramp(left, right, width, overlap)[None]
        weight = weight.to(picture.device)
        total[..., top:below, left:right] += made * weight
        weights[..., top:below, left:right] += weight
        if number < len(places):
            yield picture.lerp(total / weights.clamp(min=1e-6), weights.clamp(max=1)), 1 + number, 1 + len(places)
    yield total / weights, 1 + len(places), 1 + len(places)


def spans(side: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Start and end of the tiles along a side; neighbours overlap by ``overlap`` or more, starts are multiples of four."""
    if side <= tile:
        return [(0, side)]
    count = math.ceil((side - overlap) / (tile - overlap))
    starts = [round(number * (side - tile) / (count - 1) / STEP) * STEP for number in range(count)]
    return [(start, start + tile) for start in starts]


def ramp(start: int, end: int, side: int, overlap: int) -> Tensor:
    """Weights of a tile's pixels along one side: 0 near its border, then smoothly rising to 1, but for the picture's own border.

    What the network made within three eighths of the overlap is thrown away, because it saw the border.
    """
    weights = torch.ones(end - start)
    distance = (torch.arange(overlap) + 0.5) / overlap
    rise = torch.sin(torch.pi / 2 * ((distance - 0.375) * 4).clamp(0, 1)) ** 2
    if start > 0:
        weights[:overlap] *= rise
    if end < side:
        weights[-overlap:] *= rise.flip(0)
    return weights
