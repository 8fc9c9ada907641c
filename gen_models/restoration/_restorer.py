"""What EDSR and SRGAN promise alike: shrinking, enlarging pictures of any size in tiles, mixing the weights of two."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Self

import torch
from torch import Tensor

from gen_models.base import Draws, Restorer, rows_of_eight
from gen_models.degradation import BICUBIC, REALISTIC, Damage, degrade, upscale
from gen_models.layers import between, from_unit
from gen_models.restoration._network import Network
from gen_models.restoration._tiles import SIDE, WAYS, residual, tiles

MAX_PIXELS = 40_000_000
"""Of all results of one call together: half a gigabyte, beside what a tile needs."""

Step = tuple[Tensor, int, int]
"""Pictures as far as they are made, elsewhere bicubic; passes done; passes in all."""


class TiledRestorer(Restorer):
    """A restorer with the network of :mod:`gen_models.restoration._network`, by the name ``network``."""

    network: Network

    @property
    def training_shape(self) -> tuple[int, int, int]:
        return self.image_shape[0], self.config["crop"], self.config["crop"]

    @property
    def damage(self) -> Damage:
        """What the model was trained to undo besides shrinking."""
        return REALISTIC if self.config["realistic"] else BICUBIC

    def downscale(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """Pictures (B, C, sH, sW) in [0, 1] -> (B, C, H, W), 8 bits deep, as :func:`gen_models.degradation.degrade`."""
        return degrade(images, self.scale, self.damage, draws)

    def restored(self, real: Tensor) -> Tensor:
        """A training batch (B, C, sH, sW) in [-1, 1] shrunk, and what the network makes of it, (B, C, sH, sW) in [-1, 1]."""
        with torch.no_grad():
            # the trainer's random numbers are a function of (seed, step), so these are
            draws = None if self.damage == BICUBIC else Draws(int(torch.randint(2**62, ())), len(real), device=real.device)
            small = self.downscale(real * 0.5 + 0.5, draws)
            start = from_unit(upscale(small, self.scale))
        return start + self.network(from_unit(small)).float()

    def upscale(self, images: Tensor, ensemble: bool = False) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] -> (B, C, sH, sW), clipped to [0, 1]; large ones in tiles, with the same result.

        ``ensemble``: the mean over the eight ways to turn and mirror a picture (Lim 2017, section 3.4), eight times the work.

        Raises:
            ValueError: if the channels are not the model's or the results have more than ``MAX_PIXELS`` together.
        """
        made = images
        for made, _, _ in self.trajectory(images, ensemble):  # noqa: B007
            pass
        return made

    def trajectory(self, images: Tensor, ensemble: bool = False, side: int = SIDE) -> Iterator[Step]:
        """:meth:`enlarge`, a step for every pass through the network; the pictures are one tensor, written into tile by tile.

        ``side``: of a tile, in pixels of the result.
        """
        count, channels, height, width = images.shape
        if channels != self.image_shape[0]:
            raise ValueError(f"pictures need {self.image_shape[0]} channels, not {channels}")
        if count * height * width * self.scale**2 > MAX_PIXELS:
            raise ValueError(
                f"{count} pictures of {width} x {height} pixels become more than {MAX_PIXELS // 10**6} million; reduce them first"
            )
        images = images.to(self.device, torch.float32)
        made = upscale(images, self.scale)
        parts = tiles(images.shape, max(1, side // self.scale), self.network.reach)
        ways = len(WAYS) if ensemble else 1
        done = 0
        for tile in parts:
            top, below, left, right = (self.scale * edge for edge in tile.inside)
            for way, lacking in enumerate(residual(self._lacking, images, tile, self.scale, ways), 1):
                if way == ways:
                    place = made[tile.rows, :, top:below, left:right]
                    place.add_(lacking, alpha=0.5).clamp_(0.0, 1.0)  # the network's range is twice as wide
                done += 1
                yield made, done, ways * len(parts)

    def _lacking(self, images: Tensor) -> Tensor:
        return self.network(from_unit(images).contiguous(memory_format=torch.channels_last))

    def towards(self, other: TiledRestorer, fraction: float) -> Self:
        """A model between this and ``other``: its weights are mixed, 0 this one's, 1 the other's (Wang 2018, section 3.4).

        Raises:
            ValueError: if the two networks differ in size.
        """
        mixed = deepcopy(self)
        mixed.network = between(self.network, other.network, fraction)
        return mixed

    def examples(self, images: Tensor) -> Tensor:
        """A sheet, eight to a row: pictures shrunk (crisp pixels), enlarged bicubically and by the model, and the true ones."""
        small = self.downscale(images, Draws(0, len(images)))
        crisp = small.repeat_interleave(self.scale, dim=-1).repeat_interleave(self.scale, dim=-2)
        return rows_of_eight(crisp, upscale(small, self.scale), self.upscale(small), images)
