"""Modules and functions on networks that three or more files use unchanged."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn


def pyramid(size: int) -> tuple[int, int]:
    """(side of the smallest feature map, number of halvings) for pictures of side ``size``.

    The smallest map is 4 to 7 pixels wide: 28 -> (7, 2), 32 -> (4, 3), 64 -> (4, 4).

    Raises:
        ValueError: if ``size`` is not 4 to 7 times a power of two.
    """
    start, levels = size, 0
    while start > 7 and start % 2 == 0:
        start, levels = start // 2, levels + 1
    if not 4 <= start <= 7:
        raise ValueError(f"pictures of {size} pixels cannot be halved down to 4 to 7; use 28, 32, 48, 64, 96 or 128")
    return start, levels


def dcgan_init(module: nn.Module) -> None:
    """Weights from N(0, 0.02), batch-norm gains from N(1, 0.02) (Radford 2015, section 4); use with ``apply``.

    A spectrally normalised layer keeps its own start, since its weight is computed and its scale does not matter.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def to_unit(images: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1], float32, clipped."""
    return (images.float() * 0.5 + 0.5).clamp(0.0, 1.0)


def from_unit(images: Tensor) -> Tensor:
    """[0, 1] -> [-1, 1]."""
    return images * 2.0 - 1.0


def between(one: nn.Module, other: nn.Module, fraction: float) -> nn.Module:
    """A copy of ``one`` whose weights are (1 - fraction) of its own plus ``fraction`` of ``other``'s (Wang 2018, section 3.4).

    Raises:
        ValueError: if the two are not of the same shape.
    """
    mine, others = one.state_dict(), other.state_dict()
    if {key: value.shape for key, value in mine.items()} != {key: value.shape for key, value in others.items()}:
        raise ValueError("two networks can be mixed only if all their weights have the same names and sizes")
    mixed = deepcopy(one)
    with torch.no_grad():
        for key, value in mixed.state_dict().items():
            if value.is_floating_point():
                value.lerp_(others[key].to(value), fraction)
    return mixed


def slerp(start: Tensor, end: Tensor, fraction: Tensor | float) -> Tensor:
    """Spherical interpolation along the last dimension (Shoemake 1985); keeps the norm a Gaussian prior expects."""
    cosine = nn.functional.cosine_similarity(start, end, dim=-1).clamp(-1, 1).unsqueeze(-1)
    angle = torch.acos(cosine).clamp_min(1e-4)
    return (torch.sin((1 - fraction) * angle) * start + torch.sin(fraction * angle) * end) / torch.sin(angle)


def by_share(shares: Tensor, numbers: Tensor) -> Tensor:
    """One of K for each row of ``shares`` (B, K), which need not add up to 1, by uniform ``numbers`` (B, 1): int64 (B,)."""
    ends = shares.cumsum(dim=1)
    places = numbers.to(ends) * ends[:, -1:]
    return torch.searchsorted(ends, places, right=True)[:, 0].clamp_max(shares.shape[1] - 1)


def of_mixture(numbers: Tensor, noise: Tensor, weights: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Points (B, D) of a mixture of K Gaussians, from uniform ``numbers`` (B, 1) and ``noise`` from N(0, I), (B, D).

    ``weights`` (K,), ``means`` (K, D), ``scales``: lower triangular factors of the covariances, (K, D, D).
    """
    chosen = by_share(weights.double().expand(len(numbers), -1), numbers)
    return means[chosen] + (scales[chosen] @ noise.to(scales)[:, :, None]).squeeze(2)
