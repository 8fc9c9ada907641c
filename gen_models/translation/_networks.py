"""What Pix2Pix and CycleGAN share: instance normalisation, the discriminator of patches, the start of the weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm


class Statistics:
    """Means and variances of every normalisation of one pass through a network, in order; :meth:`again` makes a pass use them."""

    def __init__(self) -> None:
        self.kept: list[tuple[Tensor, Tensor]] = []
        self.coming: Iterator[tuple[Tensor, Tensor]] | None = None

    def again(self) -> Statistics:
        """For the next pass: the statistics of the first."""
        self.coming = iter(self.kept)
        return self

    def of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, variance) of every channel of every picture, (B, C, 1, 1): of ``x`` itself, or those kept."""
        if self.coming is not None:
            return next(self.coming)
        variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
        self.kept.append((mean, variance))
        return mean, variance


class InstanceNorm(nn.Module):
    """Every channel of every picture to mean 0 and variance 1, then a learned gain and shift (Ulyanov 2016, arXiv 1607.08022).

    As a batch norm of one picture at a time, which is the same: on a CPU, in ``channels_last``, a group norm's gradient takes 6 to
    200 times as long, and ``instance_norm`` leaves that layout.
    """

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.width, self.eps = width, eps
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, statistics: Statistics | None = None) -> Tensor:
        """With ``statistics``: those are written down, or used in place of the picture's own."""
        if statistics is None:
            return torch.cat([self._alone(row) for row in x.split(1)]) if len(x) > 1 else self._alone(x)
        mean, variance = statistics.of(x)
        gain = self.weight[:, None, None] * torch.rsqrt(variance + self.eps)
        return x * gain + (self.bias[:, None, None] - mean * gain)

    def _alone(self, x: Tensor) -> Tensor:
        return batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)


class PatchDiscriminator(nn.Module):
    """(B, channels, H, W) -> (B, H', W') scores, each of one patch of 70 x 70 pixels (Isola 2017, appendix 6.1.2).

    C64-C128-C256-C512 at ``width`` 64, strides 2, 2, 2, 1, and a last convolution to one channel. All kernels are 4 x 4; from the
    score back to the picture it sees 4, 7, 16, 34, 70 pixels.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for stride in (2, 2, 1):
            blocks += [
                nn.Conv2d(width, 2 * width, 4, stride=stride, padding=1, bias=False),
                InstanceNorm(2 * width),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            width *= 2
        blocks += [nn.Conv2d(width, 1, 4, padding=1), nn.Flatten(1, 2)]
        self.layers = nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def normal_init(module: nn.Module) -> None:
    """Weights from N(0, 0.02) (Isola 2017, appendix 6.2; Zhu 2017, appendix 7.1); use with ``apply``."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
