"""Encoders and decoders that the autoencoders share."""

from __future__ import annotations

import math

from torch import nn

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
