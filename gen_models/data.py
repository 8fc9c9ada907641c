"""Data in memory as bytes, its parts, and batches whose order is a function of (seed, step).

Which data sets there are, ``gen_models/sets/`` says, a file each; a user's own pictures are ``folder:PATH``, and in pairs
``paired:PATH`` or ``unpaired:PATH``. The data folder is the argument ``data_dir`` or the environment variable ``GALLERY_DATA``; its
files are read in place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from gen_models import sets
from gen_models.base import Batch
from gen_models.catalog import nearest
from gen_models.pictures import upright_rgb

SPLITS = ("train", "validation", "test")


class DataError(ValueError):
    """A data set cannot be read; the message is one sentence that names the cure."""


@dataclass(frozen=True)
class DataSet:
    """Pictures and labels of one part of a data set.

    ``images``: uint8 (N, C, H, W). ``labels``: int64 (N, T), one column per task. ``classes``: per task the class names; empty for
    a folder without labels. A set of pairs has its pictures of kind A as ``images``, those of kind B as ``partners``, uint8
    (M, C, H, W), and what the two kinds are called as ``domains``; if ``paired``, M = N and picture *i* goes with partner *i*.

    Of a user's own pictures it is also known from which files they come (``sources``: how the SHA-256 of each, or of the two of a
    pair, begins), how many belong to the ``others`` of the three parts, and which files of the folder belong to none, by the reason
    why (``left_out``).
    """

    name: str
    split: str
    images: Tensor
    labels: Tensor
    classes: dict[str, tuple[str, ...]]
    partners: Tensor | None = None
    domains: tuple[str, ...] = ()
    paired: bool = False
    sources: tuple[str, ...] = ()
    others: int = 0
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def unit(self, first: int = 0, count: int | None = None) -> Tensor:
        """``count`` pictures from ``first`` on as float32 in [0, 1]."""
        return self.images[first : None if count is None else first + count].float() / 255.0


def summary(left_out: Mapping[str, Sequence[str]]) -> str:
    """``; 3 left out: damaged (2: a.png, b.png), no picture (1: c.txt)``, of each reason three names; empty if none is."""
    if not left_out:
        return ""
    reasons = []
    for reason, names in left_out.items():
        some = names if len(names) <= 3 else [*names[:3], "..."]
        reasons.append(f"{reason} ({len(names):,}: {', '.join(some)})")
    text = f"; {sum(map(len, left_out.values())):,} left out: {', '.join(reasons)}"
    return "".join(character if character.isprintable() else "?" for character in text)


class Batches:
    """Training batches; batch number ``step`` is a function of (seed, step) alone, so a resumed run sees the same ones.

    With several processes each takes its own rows of the same global batch. Pictures larger than ``side`` are cut to it at random
    places; with ``mirror`` half of them are flipped, with ``turn`` each is turned by a random multiple of 90 degrees. The pictures
    of a set of pairs are (B, 2C, H, W), A's channels first: cut, mirrored and turned alike if they are paired, else each on its own
    and the pictures of kind B in an order of their own.
    """

    def __init__(
        self, data: DataSet, batch_size: int, seed: int = 0, mirror: bool = False, rank: int = 0, world: int = 1,
        side: int | None = None, turn: bool = False,
    ) -> None:  # fmt: skip
        if batch_size % world:
            raise DataError(f"a batch of {batch_size} cannot be shared evenly by {world} processes; choose another --batch-size")
        self.data, self.batch_size, self.seed, self.mirror = data, batch_size, seed, mirror
        self.rows = slice(rank * batch_size // world, (rank + 1) * batch_size // world)
        self.side, self.turn = side, turn

    def batch(self, step: int) -> Batch:
        """(pictures in [-1, 1] float32, labels int64) of one process for ``step``."""
        order = np.random.Generator(np.random.Philox(key=[self.seed, step]))
        picked = self._indices(step, len(self.data), 2**62)
        augment = self._augmentation(order, self.data.images)
        images = augment(self.data.images[picked])
        if self.data.partners is not None:
            others = picked
            if not self.data.paired:
                others = self._indices(step, len(self.data.partners), 2**61)
                augment = self._augmentation(order, self.data.partners)
            images = torch.cat([images, augment(self.data.partners[others])], dim=1)
        return images, self.data.labels[picked]

    def _indices(self, step: int, count: int, stream: int) -> Tensor:
        """Which of ``count`` pictures stand in this process' rows."""
        start = step * self.batch_size
        epochs, positions = np.divmod(np.arange(start, start + self.batch_size)[self.rows], count)
        return torch.tensor(
            [_permutation(self.seed, int(epoch), count, stream)[place] for epoch, place in zip(epochs, positions, strict=True)]
        )

    def _augmentation(self, order: np.random.Generator, images: Tensor) -> Callable[[Tensor], Tensor]:
        """What happens to bytes (B, C, H, W) on their way into a batch: cut, mirrored, turned as ``order`` draws, in [-1, 1]."""
        flips = order.random(self.batch_size)[self.rows] < 0.5
        height, width = images.shape[-2:]
        side = self.side
        places = order.random((self.batch_size, 2))[self.rows] if side and (height, width) != (side, side) else None
        turns = order.integers(0, 4, self.batch_size)[self.rows].tolist() if self.turn else None

        def augment(pictures: Tensor) -> Tensor:
            if places is not None:
                corners = (places * (height - side + 1, width - side + 1)).astype(int)
                pictures = torch.stack(
                    [picture[:, top : top + side, left : left + side]
                     for picture, (top, left) in zip(pictures, corners, strict=True)]
                )  # fmt: skip
            ready = pictures.float().div_(127.5).sub_(1.0)
            if self.mirror:
                flip = torch.from_numpy(flips)
                ready[flip] = ready[flip].flip(-1)
            if turns is not None:
                ready = torch.stack([picture.rot90(times, (-2, -1)) for picture, times in zip(ready, turns, strict=True)])
            return ready

        return augment


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int, stream: int = 2**62) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=[seed, stream + epoch])).permutation(count)


def data_dir(given: str | os.PathLike | None = None) -> Path | None:
    """The data folder: the argument, else ``GALLERY_DATA``, else None.

    Raises:
        DataError: if the folder named does not exist.
    """
    named = given or os.environ.get("GALLERY_DATA")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"the data folder {folder} does not exist; give another with --data-dir or GALLERY_DATA")
    return folder


def load_data(name: str, split: str = "train", size: int | None = None, folder: str | os.PathLike | None = None,
              channels: int = 3) -> DataSet:  # fmt: skip
    """One part of a data set in memory.

    Args:
        name: a file of ``gen_models/sets/``; for a user's own pictures ``folder:PATH``, ``paired:PATH`` or ``unpaired:PATH``.
        split: ``train``, ``validation`` or ``test``.
        size: side of the pictures; None: the data set's own.
        folder: the data folder, see :func:`data_dir`.
        channels: 1 or 3, for a user's own pictures only.

    Raises:
        DataError: with the cure, when the data cannot be found or read.
    """
    if split not in SPLITS:
        raise DataError(f"there is no part {split!r}; the parts are {', '.join(SPLITS)}")
    kind, colon, path = name.partition(":")
    if kind in sets.names() and sets.record(kind).own == bool(colon):
        read = sets.record(kind).read
        if not colon:
            return read(split, size, data_dir(folder))
        if not path.strip():
            raise DataError(f"{name} names no folder; write its path behind the colon: {kind}:PATH")
        return read(split, size, path, channels)
    named = [known for known in sets.names() if not sets.record(known).own]
    own = [f"{known}:PATH" for known in sets.names() if sets.record(known).own]
    raise DataError(
        f"there is no data set {name!r}{nearest(name, named)}; choose from {', '.join(named + own[:-1])} or {own[-1]}"
    )


def benchmarks(name: str, folder: str | os.PathLike | None = None) -> dict[str, dict[str, Tensor]]:
    """The pictures that papers use for what a data set stands for: title -> name -> uint8 (C, H, W), each in its own size.

    Raises:
        DataError: if they are not at hand or damaged.
    """
    return {title: read(data_dir(folder)) for title, read in sets.record(name).benchmarks.items()}


def split_of(content: bytes, test: int = 10, validation: int = 5) -> str:
    """The part that a picture with these bytes belongs to; ``test`` and ``validation`` in percent."""
    place = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % 100
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


def square(
    image: Image.Image, size: int, mode: str = "RGB", method: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """The middle square of a picture as :func:`upright_rgb` reads it, resized and converted."""
    return ImageOps.fit(upright_rgb(image).convert(mode), (size, size), method)
