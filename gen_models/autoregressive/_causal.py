"""What the autoregressive models share: causal convolutions, grey levels, likelihoods, and the order of the pixels.

A picture is read like a page: rows from the top, each from the left. The model is the product of the conditionals
p(x) = p(x_1) p(x_2 | x_1) ... (van den Oord 2016a, eq. 1), each a softmax over the grey levels of one pixel.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, pad

from gen_models.autoregressive._cached import Network, choose, write_pixels
from gen_models.base import Batch, Draws, GenerativeModel, Update
from gen_models.layers import from_unit, to_unit


class CausalConv(nn.Module):
    """A masked convolution (van den Oord 2016a, section 3.4) without the masked weights.

    Only what may be seen has weights: ``above``, the rows over the pixel, and ``left``, those of its own row up to the pixel,
    with it (mask B, ``itself``) or without (mask A). For a kernel of 5, x marking the pixel:

        a a a a a
        a a a a a
        l l x . .
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, itself: bool) -> None:
        super().__init__()
        self.reach = kernel // 2
        taps = self.reach + itself
        self.above = nn.Parameter(torch.empty(outputs, inputs, self.reach, kernel))
        self.left = nn.Parameter(torch.empty(outputs, inputs, 1, taps))
        self.bias = nn.Parameter(torch.zeros(outputs))
        bound = 1 / math.sqrt(inputs * (self.reach * kernel + taps))
        for weight in (self.above, self.left):
            nn.init.uniform_(weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        kernel = self.above.shape[-1]
        weight = torch.cat([self.above, pad(self.left, (0, kernel - self.left.shape[-1]))], dim=2)
        return nn.functional.conv2d(pad(x, (self.reach, self.reach, self.reach, 0)), weight, self.bias)


class Autoregressive(GenerativeModel):
    """The verbs of the family. A subclass has ``levels``, ``classes``, ``size``, ``forward`` and ``network``."""

    levels: int
    """Grey levels of a pixel; 2: black and white."""
    classes: int = 0
    """Classes that the model is told; 0: none."""
    size: int

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits of every pixel's level given those before it, (B, levels, H, W).

        Pictures (B, 1, H, W) in [-1, 1]; labels (B,) for a model that knows classes.
        """
        raise NotImplementedError

    def network(self, count: int, labels: np.ndarray | None) -> Network:
        """The same network for ``count`` pictures, pixel by pixel (see ``_cached.py``)."""
        raise NotImplementedError

    # ---- training -------------------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch) -> Iterator[Update]:
        images, labels = batch
        images = to_unit(images)
        if self.binary:  # dynamic binarisation: a fresh draw at every step (Salakhutdinov and Murray 2008)
            images = torch.bernoulli(images)
        seen = self.seen(images)
        logits = self(from_unit(seen), labels[:, 0] if self.classes else None)
        nats = cross_entropy(logits.float(), self.to_levels(seen), reduction="sum") / len(images)
        yield "network", {"nats": nats}

    # ---- grey levels ----------------------------------------------------------------------------------------------------

    @property
    def binary(self) -> bool:
        """Whether pictures are black and white."""
        return self.levels == 2

    def seen(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """The picture whose likelihood is meant, (B, 1, H, W) in [0, 1], rounded to the model's grey levels.

        Black and white: by chance with the grey value as probability when given ``draws``, else by the threshold 0.5.
        """
        images = images.to(self.device)
        if self.binary:
            limit = draws.uniform(*images.shape[1:]).to(images) if draws is not None else 0.5
            return (images > limit).float()
        return (images * (self.levels - 1)).round() / (self.levels - 1)

    def to_levels(self, images: Tensor) -> Tensor:
        """Pictures (B, 1, H, W) in [0, 1] -> whole numbers from 0 to ``levels`` - 1, (B, H, W)."""
        return (images[:, 0] * (self.levels - 1)).round().long()

    # ---- likelihood -----------------------------------------------------------------------------------------------------

    def conditionals(self, images: Tensor, label: int | None = None) -> Tensor:
        """log p(level | the pixels before) for every level of every pixel, (B, levels, H, W) nats; images in [0, 1].

        A model that knows classes and is given none mixes them by what the pixels so far say of the class:
        p(x_t | x_<t) = sum_y p(y | x_<t) p(x_t | x_<t, y), exact.
        """
        seen = self.seen(images)
        if not self.classes or label is not None:
            return log_softmax(self(from_unit(seen), self._labels(len(seen), label)).float(), dim=1)
        given = torch.stack([self.conditionals(seen, y) for y in range(self.classes)])  # (classes, B, levels, H, W)
        happened = given.gather(2, self.to_levels(seen)[None, :, None].expand(self.classes, -1, -1, -1, -1))
        so_far = happened.flatten(2).cumsum(dim=2)  # log p(x_<=t | y)
        before = pad(so_far, (1, 0))[..., :-1].view(self.classes, len(seen), 1, self.size, self.size)
        return torch.logsumexp(given + log_softmax(before, dim=0), dim=0)

    def pixel_log_likelihood(self, images: Tensor, label: int | None = None) -> Tensor:
        """log p(x_t | x_<t) of the picture's own levels in nats, (B, H, W); the sum is the log-likelihood."""
        seen = self.seen(images)
        return self.conditionals(seen, label).gather(1, self.to_levels(seen)[:, None])[:, 0]

    def log_likelihood(self, images: Tensor, draws: Draws | None = None, label: int | None = None) -> Tensor:
        """log p(x) in nats, (B,), exact; of black and white pictures drawn by chance from grey ones if ``draws`` are given.

        Without a label the class is summed over: log p(x) = log mean_y p(x | y).
        """
        seen = self.seen(images, draws)
        if self.classes and label is None:
            given = torch.stack([self.log_likelihood(seen, label=y) for y in range(self.classes)])
            return torch.logsumexp(given, dim=0) - math.log(self.classes)
        return self.pixel_log_likelihood(seen, label).sum(dim=(1, 2))

    def _labels(self, count: int, label: int | None) -> Tensor | None:
        if not self.classes:
            return None
        if label is None or not 0 <= label < self.classes:
            raise ValueError(f"label must be a whole number from 0 to {self.classes - 1}")
        return torch.full((count,), label, device=self.device)

    def log_weight(self, images: Tensor, unknown: Tensor, temperature: float = 1.0, label: int | None = None) -> Tensor:
        """log p(x) / q(x) in nats up to a constant, (B,), where q is what :meth:`trajectory` drew the unknown pixels (H, W) from.

        Completions weighted by its exponential are draws from p(unknown | all known pixels), those after the hole included.
        """
        classes = range(self.classes) if self.classes and label is None else [label]
        given = torch.stack([self.conditionals(images, y).flatten(3) for y in classes]).flatten(3)  # (classes, B, levels, H W)
        levels = self.to_levels(self.seen(images)).flatten(1)[None, :, None].expand(len(given), -1, -1, -1)
        cold = log_softmax(given / temperature, dim=2).gather(2, levels)[:, :, 0]
        given = given.gather(2, levels)[:, :, 0]
        hole = unknown.flatten().to(given.device)
        first = int(hole.int().argmax())
        share = log_softmax(given[..., :first].sum(dim=2), dim=0)
        return torch.logsumexp(given.sum(dim=2), dim=0) - torch.logsumexp(share + cold[..., hole].sum(dim=2), dim=0)

    # ---- sampling -------------------------------------------------------------------------------------------------------

    def sample(self, draws: Draws, temperature: float = 1.0, label: int | None = None) -> Tensor:
        """One picture per row of ``draws``, (B, 1, H, W) in [0, 1]."""
        return deque(self.trajectory(draws, temperature=temperature, label=label), maxlen=1).pop()

    def complete(self, draws: Draws, images: Tensor, unknown: Tensor) -> Tensor:
        """Write the unknown pixels, guided by the known ones before them in reading order; see :meth:`trajectory`."""
        return deque(self.trajectory(draws, images, unknown), maxlen=1).pop()

    def sample_steps(self, draws: Draws, images: Tensor | None = None, unknown: Tensor | None = None) -> Iterator[Tensor]:
        return self.trajectory(draws, images, unknown)

    def trajectory(
        self,
        draws: Draws,
        images: Tensor | None = None,
        unknown: Tensor | None = None,
        temperature: float = 1.0,
        label: int | None = None,
    ) -> Iterator[Tensor]:
        """Write the unknown pixels in reading order; yields the pictures (B, 1, H, W) in [0, 1] after each.

        ``images`` (1 or B, 1, H, W) in [0, 1] hold the known pixels, ``unknown`` (H, W) is true where a pixel is to be written
        (everything by default). A pixel sees those before it only: known pixels after it do not guide it. Row *i* depends on
        the draws of row *i* alone; pixel *t* uses number *t* of the row, whatever is known. Without a label, a model that knows
        classes draws one per row from what the known pixels before the first unknown one say of it.

        Raises:
            ValueError: if the temperature is not positive, a shape does not fit or nothing is unknown.
        """
        if not temperature > 0:
            raise ValueError("the temperature must be above zero")
        shape = (self.size, self.size)
        unknown = torch.ones(shape, dtype=torch.bool) if unknown is None else unknown.cpu().bool()
        if unknown.shape != shape or (images is not None and images.shape[1:] != (1, *shape)):
            raise ValueError(f"pictures must be of {self.size} x {self.size} pixels, one channel")
        if not unknown.any():
            raise ValueError("no pixel is unknown")
        start = torch.zeros(1, 1, *shape) if images is None else self.seen(images).cpu()
        start = torch.where(unknown, 0.0, start.expand(draws.count, -1, -1, -1))
        numbers = draws.uniform(self.size**2).cpu().numpy()
        labels = self._drawn_labels(draws, start, unknown, label)
        levels = self.to_levels(start).numpy()
        for written in write_pixels(self.network(draws.count, labels), levels, unknown.numpy(), numbers, temperature):
            yield torch.from_numpy(written.astype(np.float32)[:, None] / (self.levels - 1))

    def _drawn_labels(self, draws: Draws, start: Tensor, unknown: Tensor, label: int | None) -> np.ndarray | None:
        if not self.classes:
            return None
        if label is not None:
            return self._labels(draws.count, label).cpu().numpy()
        first = int(unknown.flatten().int().argmax())
        log_share = torch.zeros(draws.count, self.classes)
        if first:  # the same pictures in every row are weighed once
            alike = bool((start == start[:1]).all())
            few = start[:1] if alike else start
            log_share = torch.stack(
                [self.pixel_log_likelihood(few, y).flatten(1)[:, :first].sum(dim=1).cpu() for y in range(self.classes)], dim=1
            ).expand(draws.count, -1)
        return choose(log_share.numpy(), draws.uniform().cpu().numpy())

    # ---- what a pixel sees ----------------------------------------------------------------------------------------------

    def receptive_field(self, row: int, column: int) -> Tensor:
        """Which pixels the network looks at for the pixel (row, column), (H, W) bool, whatever the weights' values."""
        raise NotImplementedError


def offsets(above: int, reach: int, left: int, itself: bool) -> list[tuple[int, int]]:
    """Offsets (down, right): ``above`` rows over the pixel, ``reach`` to either side; ``left`` in its row, and itself."""
    over = [(-down, right) for down in range(1, above + 1) for right in range(-reach, reach + 1)]
    return over + [(0, -step) for step in range(1, left + 1)] + ([(0, 0)] if itself else [])


def dilated(places: set[tuple[int, int]], steps: Sequence[tuple[int, int]], size: int) -> set[tuple[int, int]]:
    """What is reached from ``places`` (row, column) by one of the offsets, inside a square of side ``size``."""
    moved = {(row + down, column + right) for row, column in places for down, right in steps}
    return {(row, column) for row, column in moved if 0 <= row < size and 0 <= column < size}


def as_map(places: set[tuple[int, int]], size: int) -> Tensor:
    """Places as (size, size) bool."""
    found = torch.zeros(size, size, dtype=torch.bool)
    for place in places:
        found[place] = True
    return found
