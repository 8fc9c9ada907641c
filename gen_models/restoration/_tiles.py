"""Pictures of any size through a network that looks a known distance around itself, in tiles that fit together without seams.

A tile is read with a border as wide as the network looks, and what was made of that border is thrown away. All that is left was
made from the same pixels as in one pass over the whole picture, so both are the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

SIDE = 1024
"""Side of the square that a tile becomes, without its border."""

WAYS = [(turns, flipped) for flipped in (False, True) for turns in range(4)]
"""The eight ways to turn and mirror a square."""


class Tile(NamedTuple):
    """Pictures ``rows`` of a batch and a part of them: (top, below, left, right) of what is made, and with its border."""

    rows: slice
    inside: tuple[int, int, int, int]
    around: tuple[int, int, int, int]


def tiles(shape: torch.Size, side: int, reach: int) -> list[Tile]:
    """Tiles that cover pictures (B, C, H, W), at most ``side`` wide and high and of nearly the same size.

    Of pictures smaller than that, as many go together as have the pixels of one.
    """
    count, _, height, width = shape
    spans = [_spans(length, side) for length in (height, width)]
    together = max(1, side**2 // (spans[0][0][1] * spans[1][0][1]))
    return [
        Tile(
            slice(first, min(first + together, count)), (top, below, left, right),
            (max(0, top - reach), min(height, below + reach), max(0, left - reach), min(width, right + reach)),
        )
        for first in range(0, count, together)
        for (top, below), (left, right) in product(*spans)
    ]  # fmt: skip


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    parts = -(-length // side)
    return [(length * part // parts, length * (part + 1) // parts) for part in range(parts)]


def residual(network: Callable[[Tensor], Tensor], images: Tensor, tile: Tile, scale: int, ways: int = 1) -> Iterator[Tensor]:
    """What ``network`` makes of a tile, without its border; a step for each of ``ways``, their mean so far."""
    top, below, left, right = tile.around
    seen = images[tile.rows, :, top:below, left:right]
    down, across = tile.inside[0] - top, tile.inside[2] - left
    height, width = tile.inside[1] - tile.inside[0], tile.inside[3] - tile.inside[2]
    total: Tensor | None = None
    for number, (turns, flipped) in enumerate(WAYS[:ways], 1):
        turned = torch.rot90(seen, turns, (-2, -1))
        made = network(turned.flip(-1) if flipped else turned).float()
        made = torch.rot90(made.flip(-1) if flipped else made, -turns, (-2, -1))
        made = made[..., scale * down : scale * (down + height), scale * across : scale * (across + width)]
        total = made if total is None else total + made
        yield total / number
