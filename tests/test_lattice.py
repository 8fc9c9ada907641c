"""The benchmark of grids of dots finds a planted one, and none in pictures or in blur."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from benchmarks.lattice import peak


@pytest.fixture
def pictures() -> torch.Tensor:
    """Soft pictures with fine grain, (12, 3, 128, 128)."""
    torch.manual_seed(0)
    soft = sum(interpolate(torch.rand(12, 3, side, side), size=128, mode="bilinear") for side in (4, 16, 64))
    return soft / 3 + 0.03 * torch.randn(12, 3, 128, 128)


@pytest.mark.parametrize("period", [2, 4])
def test_a_faint_lattice_stands_out(pictures, period):
    dots = torch.zeros(128, 128)
    dots[::period, ::period] = 0.02
    assert peak(pictures + dots, pictures) > peak(pictures, pictures) + 8


def test_pictures_and_blur_have_none(pictures):
    assert peak(pictures, pictures) < 5
    assert peak(avg_pool2d(pictures, 3, stride=1, padding=1), pictures) < peak(pictures, pictures)
