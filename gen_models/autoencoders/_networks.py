"""Encoders and decoders that the autoencoders share."""

from __future__ import annotations

import math

from torch import Tensor, nn

from gen_models.layers import pyramid


def dense_encoder(pixels: int, width: int, outputs: int) -> nn.Sequential:
    """(B, C, H, W) -> (B, outputs): fully connected, as in the VAE's paper (appendix C), one layer deeper."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    )


def dense_decoder(shape: tuple[int, int, int], width: int, latent_dim: int) -> nn.Sequential:
    """(B, latent_dim) -> (B, C, H, W)."""
    return nn.Sequential(
        nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
        nn.Linear(width, math.prod(shape)), nn.Unflatten(1, shape),
    )  # fmt: skip


def convolutional_encoder(shape: tuple[int, int, int], width: int, outputs: int) -> nn.Sequential:
    """(B, C, H, W) -> (B, outputs); every block halves the side and doubles the channels."""
    channels, size, _ = shape
    start, levels = pyramid(size)
    blocks: list[nn.Module] = []
    for level in range(levels):
        wide = width * 2**level
        blocks += [nn.Conv2d(channels, wide, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
        channels = wide
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(channels * start**2, outputs))


def convolutional_decoder(shape: tuple[int, int, int], width: int, latent_dim: int) -> nn.Sequential:
    """(B, latent_dim) -> (B, C, H, W), the encoder's mirror image."""
    channels, size, _ = shape
    start, levels = pyramid(size)
    wide = width * 2 ** (levels - 1)
    blocks: list[nn.Module] = [nn.Linear(latent_dim, wide * start**2), nn.Unflatten(1, (wide, start, start))]
    for _ in range(levels - 1):
        blocks += [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2), nn.ConvTranspose2d(wide, wide // 2, 4, stride=2, padding=1, bias=False)]
        wide //= 2
    blocks += [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2), nn.ConvTranspose2d(wide, channels, 4, stride=2, padding=1)]
    return nn.Sequential(*blocks)


def refine(channels: int, outputs: int) -> nn.Sequential:
    """(B, channels, H, W) -> (B, outputs, H, W): normalise, then a convolution (He 2016b, "pre-activation")."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.LeakyReLU(0.2), nn.Conv2d(channels, outputs, 3, padding=1, bias=False))


class ResidualUp(nn.Module):
    """(B, C, H, W) -> (B, ``outputs``, 2H, 2W): neighbours repeated, two convolutions, and a shortcut past them (He 2016)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.shortcut = nn.Conv2d(channels, outputs, 1, bias=False)
        self.first, self.second = refine(channels, outputs), refine(outputs, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        # the first convolution and the shortcut see the small map: repeated neighbours would tell them nothing more
        return self.up(self.shortcut(maps)) + self.second(self.up(self.first(maps)))


def residual_decoder(shape: tuple[int, int, int], width: int, latent_dim: int) -> nn.Sequential:
    """(B, latent_dim) -> (B, C, H, W): every block doubles the side and halves the channels, down to ``width``."""
    channels, size, _ = shape
    start, levels = pyramid(size)
    wide = width * 2 ** (levels - 1)
    blocks: list[nn.Module] = [nn.Linear(latent_dim, wide * start**2), nn.Unflatten(1, (wide, start, start))]
    for _ in range(levels):
        narrow = max(wide // 2, width)
        blocks.append(ResidualUp(wide, narrow))
        wide = narrow
    return nn.Sequential(*blocks, nn.BatchNorm2d(wide), nn.LeakyReLU(0.2), nn.Conv2d(wide, channels, 3, padding=1))
