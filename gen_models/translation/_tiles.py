"""Pictures of any height and width through a fully convolutional network; large ones in tiles without seams.

A tile's own means and variances are not those of the picture: normalised by them, a tile of sky would come out as another picture
than its neighbour, and the border would show. So all tiles are normalised by the statistics of one pass over the whole picture,
reduced to the size of a tile. The network then is one and the same function of a neighbourhood everywhere, tiles agree where
they overlap but for what reaches in from their borders, and that is thrown away or blended.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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


def anywhere(network: Network, images: Tensor, tile: int = TILE, overlap: int = OVERLAP) -> Tensor:
    """``network`` applied to pictures (B, C, H, W) of any size, (B, C, H, W)."""
    height, width = images.shape[-2:]
    fill = [max(LEAST, -(-side // STEP) * STEP) - side for side in (height, width)]
    filled = pad(images, (0, fill[1], 0, fill[0]), mode="replicate") if any(fill) else images
    if filled.shape[-2] * filled.shape[-1] <= tile**2:
        made = network(filled, None)
    else:
        made = torch.cat([in_tiles(network, picture, tile, overlap) for picture in filled.split(1)])
    return made[..., :height, :width]


def in_tiles(network: Network, picture: Tensor, tile: int = TILE, overlap: int = OVERLAP) -> Tensor:
    """One picture (1, C, H, W), sides multiples of four, tile by tile."""
    height, width = picture.shape[-2:]
    shrink = tile / math.sqrt(height * width)
    reduced = [max(LEAST, round(side * shrink / STEP) * STEP) for side in (height, width)]
    statistics = Statistics()
    network(interpolate(picture, size=reduced, mode="bilinear", antialias=True, align_corners=False), statistics)
    total, weights = torch.zeros_like(picture), picture.new_zeros(1, 1, height, width)
    for (top, below), (left, right) in product(spans(height, tile, overlap), spans(width, tile, overlap)):
        made = network(picture[..., top:below, left:right], statistics.again()).float()
        weight = ramp(top, below, height, overlap)[:, None] * ramp(left, right, width, overlap)[None]
        weight = weight.to(picture.device)
        total[..., top:below, left:right] += made * weight
        weights[..., top:below, left:right] += weight
    return total / weights


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
