"""Pictures of data sets in batches, in an order that does not depend on how many are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from gen_models import catalog, runtime
from gen_models.base import Draws
from gen_models.data import DataSet, load_data

CHUNK = 250
"""Pictures in one forward pass."""
FEW = 8
"""Pictures in one forward pass of a network that makes pictures from pictures."""


@lru_cache(maxsize=4)
def part(data: str, split: str, size: int, data_dir: str | None, channels: int) -> DataSet:
    """:func:`gen_models.data.load_data`, and kept."""
    return load_data(data, split, size, data_dir, channels)


def order(held: DataSet, count: int) -> Tensor:
    """The places of the pictures that are used: drawn with seed 0, because some parts are sorted; fewer are the first of more."""
    return torch.randperm(len(held), generator=torch.Generator().manual_seed(0))[:count]


def drawn(pictures: Tensor, count: int) -> Tensor:
    """Up to ``count`` pictures in an order drawn with seed 0, the same for pictures and partners of one length."""
    return pictures[torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))[:count]]


def batches(held: DataSet, count: int, title: str) -> Iterator[Tensor]:
    """Up to ``count`` pictures of a part in batches, float32 in [0, 1]."""
    for chosen in progress(list(order(held, count).split(CHUNK)), title):
        yield held.images[chosen].float() / 255


def chunks(count: int, title: str) -> Iterator[Draws]:
    """The draws of rows 0 to ``count`` - 1 of seed 0 in batches."""
    for first in progress(range(0, count, CHUNK), title):
        yield Draws(0, min(CHUNK, count - first), first=first, device=runtime.device())


def over_pictures(held: DataSet, count: int, title: str, function: Callable[[Tensor, Draws], Tensor]) -> Tensor:
    """``function`` of each picture and its own draws, float64 (N,)."""
    values = []
    for batch, images in enumerate(batches(held, count, title)):
        draws = Draws(0, len(images), first=batch * CHUNK, device=runtime.device())
        with runtime.forward_pass():
            values.append(function(images.to(runtime.device()), draws).cpu())
    return torch.cat(values).double()


def made_from(function: Callable[[Tensor], Tensor], inputs: Tensor, title: str = "") -> Tensor:
    """Bytes (N, C, H, W) -> what a model makes of them, rounded to bytes as a PNG of it would be.

    Raises:
        WeightsError: if a picture holds a value that is no number.
    """
    made = []
    for images in progress(inputs.split(FEW), title):
        with runtime.forward_pass():
            results = function(images.to(runtime.device()).float() / 255)
        if not torch.isfinite(results).all():
            raise catalog.WeightsError("the weights make pictures that are no numbers; train them again")
        made.append((results * 255).round().to(torch.uint8).cpu())
    return torch.cat(made)


def part_of(held: DataSet) -> str:
    """Which part of which set, for a protocol."""
    return f"the {held.split} part of {short(held.name)}"


def short(data: str) -> str:
    """A data set's name without the path of this machine."""
    return "the user's folder" if ":" in data else data


def progress(batches: Any, title: str) -> Any:
    """A bar on a terminal."""
    return tqdm(batches, desc=title, leave=False, dynamic_ncols=True, disable=None)
