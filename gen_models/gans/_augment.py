"""Differentiable augmentation of what a discriminator sees, so that few pictures are not learnt by heart.

Zhao, Liu, Lin, Zhu, Han 2020, "Differentiable Augmentation for Data-Efficient GAN Training", https://arxiv.org/abs/2006.10738
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def augment(images: Tensor, shift: float = 0.125) -> Tensor:
    """Shift every picture by its own random amount, up to the fraction ``shift`` of the side (the paper's "translation" policy).

    (B, C, H, W) in [-1, 1] -> the same shape; gradients flow through to the pictures.
    """
    _, _, height, width = images.shape
    down, right = int(height * shift), int(width * shift)
    return _shift(images, down, right) if down or right else images


def _shift(images: Tensor, down: int, right: int) -> Tensor:
    """Move each picture by up to (down, right) pixels; what comes in from outside is mid-grey."""
    count, _, height, width = images.shape
    padded = pad(images, (right, right, down, down)).permute(0, 2, 3, 1)
    row = torch.arange(count, device=images.device)[:, None, None]
    top = torch.randint(0, 2 * down + 1, (count, 1, 1), device=images.device)
    left = torch.randint(0, 2 * right + 1, (count, 1, 1), device=images.device)
    y = torch.arange(height, device=images.device)[None, :, None] + top
    x = torch.arange(width, device=images.device)[None, None, :] + left
    return padded[row, y, x].permute(0, 3, 1, 2)
