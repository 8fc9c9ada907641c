"""How close a picture is to the true one, pair by pair."""

from __future__ import annotations

import torch
from torch import Tensor

from gen_models.measures._pictures import FEW

FIDELITIES = {
    "psnr-y": ("Peak signal-to-noise ratio of the brightness", "dB"), "ssim-y": ("Structural similarity of the brightness", ""),
    "psnr-rgb": ("Peak signal-to-noise ratio of the colours", "dB"), "ssim-rgb": ("Structural similarity of the colours", ""),
}  # fmt: skip
"""What :func:`fidelities` counts: key -> title and unit."""
WINDOW = "window 11 x 11, Gaussian of 1.5 pixels"
"""Of the structural similarity."""


def differences(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of each pair of byte pictures, from 0 to 1, float64 (N,)."""
    return torch.stack([(a.double() - b.double()).abs().mean() / 255 for a, b in zip(one, other, strict=True)])


def similarities(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity (Wang 2004) of each pair of byte pictures (N, C, H, W), float64 (N,)."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    few = zip(one.split(FEW), other.split(FEW), strict=True)
    return torch.cat([
        structural_similarity_index_measure(a.float() / 255, b.float() / 255, data_range=1.0, reduction="none").reshape(-1)
        for a, b in few
    ]).double()  # fmt: skip


def noise_ratios(one: Tensor, other: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each pair of byte pictures in decibels, float64 (N,)."""
    squares = torch.stack([((a.double() - b.double()) / 255).square().mean() for a, b in zip(one, other, strict=True)])
    return -10 * squares.clamp_min(1e-10).log10()


def luma(picture: Tensor) -> Tensor:
    """Bytes (C, H, W) -> brightness (1, H, W) float64: 16 to 235 and rounded, as ``rgb2ycbcr`` has it; a grey picture as it is."""
    if len(picture) == 1:
        return picture.double()
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64)[:, None, None] / 255
    return ((picture.double() * weights).sum(dim=0, keepdim=True) + 16).round()


def fidelities(one: Tensor, other: Tensor, border: int) -> Tensor:
    """The numbers of ``FIDELITIES`` for two byte pictures (C, H, W) without ``border`` pixels at each side, float64 (4,)."""
    from skimage.metrics import structural_similarity  # torchmetrics' counts windows that reach over the border, papers do not

    if border:
        one, other = (picture[:, border:-border, border:-border] for picture in (one, other))
    numbers = []
    for a, b in ((luma(one), luma(other)), (one.double(), other.double())):
        likeness = structural_similarity(
            a.numpy(), b.numpy(), data_range=255, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        numbers += [float(noise_ratios(a[None], b[None])), float(likeness)]
    return torch.tensor(numbers, dtype=torch.float64)
