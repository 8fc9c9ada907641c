"""What can be measured of pictures (N, C, H, W) in [0, 1], a number each, (N,)."""

from __future__ import annotations

import torch
from torch import Tensor


def brightness(pictures: Tensor, labels: Tensor) -> Tensor:
    """The mean over pixels and channels."""
    return pictures.mean(dim=(1, 2, 3))


def warmth(pictures: Tensor, labels: Tensor) -> Tensor:
    """How much more red than blue there is."""
    return (pictures[:, 0] - pictures[:, 2]).mean(dim=(1, 2))


def side_light(pictures: Tensor, labels: Tensor) -> Tensor:
    """How much lighter the left half is than the right one."""
    left, right = pictures.mean(dim=1).tensor_split(2, dim=2)
    return left.mean(dim=(1, 2)) - right.mean(dim=(1, 2))


def background(pictures: Tensor, labels: Tensor) -> Tensor:
    """Brightness of the outermost eighth at the left and the right."""
    edge = pictures.shape[-1] // 8
    return torch.cat([pictures[..., :edge], pictures[..., -edge:]], dim=3).mean(dim=(1, 2, 3))


def width(pictures: Tensor, labels: Tensor) -> Tensor:
    """Standard deviation across of what is light on black, in halves of the side."""
    return _spread(pictures)[0].sqrt()


def height(pictures: Tensor, labels: Tensor) -> Tensor:
    """Standard deviation up and down of what is light on black, in halves of the side."""
    return _spread(pictures)[1].sqrt()


def slant(pictures: Tensor, labels: Tensor) -> Tensor:
    """By how much what is light on black moves to the right for each step up."""
    _, high, both = _spread(pictures)
    return -both / high


def _spread(pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Variances across and down and covariance of light, (N,) each; of a black picture those of an evenly grey one."""
    grey = pictures.mean(dim=1)
    grey = torch.where(grey.amax(dim=(1, 2), keepdim=True) > 0, grey, 1.0)
    share = grey / grey.sum(dim=(1, 2), keepdim=True)
    x, y = (torch.linspace(-1, 1, length) for length in (grey.shape[2], grey.shape[1]))
    across, down = share.sum(dim=1), share.sum(dim=2)
    middle_x, middle_y = across @ x, down @ y
    together = torch.einsum("nyx,y,x->n", share, y, x) - middle_x * middle_y
    return across @ x**2 - middle_x**2, down @ y**2 - middle_y**2, together
