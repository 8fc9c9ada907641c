"""The network that EDSR and SRGAN share: residual blocks at the size of the small picture, then pixel shuffles."""

from __future__ import annotations

import math

from torch import Tensor, nn


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3 x 3, the size stays."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualBlock(nn.Module):
    """Two convolutions with a ReLU between, and nothing else (Lim 2017, figure 2c); ``strength`` scales what is added."""

    def __init__(self, width: int, strength: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(convolution(width, width), nn.ReLU(inplace=True), convolution(width, width))
        self.strength = strength

    def forward(self, x: Tensor) -> Tensor:
        return x.add(self.layers(x), alpha=self.strength)


class Network(nn.Module):
    """Small pictures (B, C, H, W) in [-1, 1] -> what their bicubic enlargement lacks, (B, C, sH, sW) (Lim 2017, figure 3).

    The picture doubles log2(scale) times: a convolution makes four times the channels, a pixel shuffle turns them into pixels
    (Shi 2016). Each doubling divides ``width`` by ``thinning``: at 1, the paper's, most of the work is done at the large sizes.

    Raises:
        ValueError: if ``scale`` is no power of two from 2 on.
    """

    def __init__(self, channels: int, width: int, blocks: int, scale: int, thinning: int, strength: float) -> None:
        super().__init__()
        doublings = scale.bit_length() - 1
        if scale < 2 or scale != 2**doublings:
            raise ValueError(f"pictures are enlarged by 2, 4, 8 or another power of two, not by {scale}")
        self.head = convolution(channels, width)
        self.body = nn.Sequential(*(ResidualBlock(width, strength) for _ in range(blocks)), convolution(width, width))
        tail: list[nn.Module] = []
        for _ in range(doublings):
            thinner = max(1, width // thinning)
            tail += [convolution(width, 4 * thinner), nn.PixelShuffle(2)]
            width = thinner
        self.tail = nn.Sequential(*tail, convolution(width, channels))
        self.reach = math.ceil(2 * blocks + 2 + sum(0.5**level for level in range(doublings + 1)))
        """How far a pixel is felt, in pixels of the small picture: one a convolution, of which the last stand closer."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        return self.tail(x + self.body(x))
