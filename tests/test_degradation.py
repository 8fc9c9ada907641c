"""How pictures are made small: the papers' bicubic, and damages that a row of draws decides alone."""

from __future__ import annotations

import pytest
import torch

from gen_models.base import Draws
from gen_models.degradation import BICUBIC, REALISTIC, Damage, _blurred, bicubic, degrade, upscale


def cubic(x: torch.Tensor) -> torch.Tensor:
    """The kernel of Keys 1981, eq. 15."""
    x = x.abs()
    return torch.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, torch.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0 * x))


def weights(length: int, wanted: int) -> torch.Tensor:
    """(wanted, length): what each pixel counts; the kernel is stretched when shrinking."""
    ratio = length / wanted
    centres = (torch.arange(wanted, dtype=torch.float64) + 0.5) * ratio - 0.5
    found = cubic((torch.arange(length) - centres[:, None]) / max(ratio, 1))
    return found / found.sum(dim=1, keepdim=True)


@pytest.mark.parametrize("sides", [(40, 10), (24, 3), (10, 40), (6, 48), (30, 17)])
def test_bicubic_is_the_stretched_kernel_of_keys(sides):
    length, wanted = sides
    images = torch.rand(2, 3, length, 12) * 0.5 + 0.25  # nothing is clipped
    made = bicubic(images, wanted, 12)
    expected = torch.einsum("wl,bclx->bcwx", weights(length, wanted), images.double())
    assert made.dtype == torch.float32
    assert torch.allclose(made.double(), expected, atol=1e-5)


def test_shrinking_alone_is_rounded_to_bytes_and_needs_no_draws():
    images = torch.rand(2, 3, 32, 48)
    small = degrade(images, 4)
    assert small.shape == (2, 3, 8, 12)
    assert torch.equal((small * 255).round() / 255, small)
    assert (small - bicubic(images, 8, 12)).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(degrade(images, 4, BICUBIC, Draws(3, 2)), small)
    assert upscale(small, 4).shape == images.shape


def test_a_row_of_draws_decides_a_picture_whatever_stands_beside_it():
    images = torch.rand(4, 3, 64, 64)
    together = degrade(images, 4, REALISTIC, Draws(7, 4))
    for row in range(4):
        alone = degrade(images[row : row + 1], 4, REALISTIC, Draws(7, 1, first=row))
        assert (alone[0] - together[row]).abs().max() < 1e-6
    assert torch.equal(degrade(images, 4, REALISTIC, Draws(7, 4)), together)
    assert (degrade(images, 4, REALISTIC, Draws(8, 4)) - together).abs().max() > 0.01
    assert together.min() >= 0 and together.max() <= 1
    assert torch.equal((together * 255).round() / 255, together)


def detail(images: torch.Tensor) -> float:
    return float(images.diff(dim=-1).abs().mean())


def test_each_damage_does_what_it_says():
    images = torch.rand(3, 3, 64, 64).repeat_interleave(2, -1).repeat_interleave(2, -2)
    plain = degrade(images, 4)
    blurred = degrade(images, 4, Damage(blur=(1.0, 1.0)), Draws(0, 3))
    assert detail(blurred) < 0.7 * detail(plain)
    assert abs(float(blurred.mean() - plain.mean())) < 0.01
    noisy = degrade(images, 4, Damage(noise=(0.02, 0.02)), Draws(0, 3))
    assert float((noisy - plain).std()) == pytest.approx(0.02, rel=0.1)
    fine, coarse = (degrade(images, 4, Damage(quality=(grade, grade)), Draws(0, 3)) for grade in (95, 20))
    assert 0 < float((fine - plain).abs().mean()) < float((coarse - plain).abs().mean())
    grey = degrade(images[:, :1], 4, Damage(quality=(50, 50)), Draws(0, 3))
    assert grey.shape == (3, 1, 32, 32)
    assert torch.equal(degrade(images, 4, Damage(blur=(0, 0), quality=(100, 100)), Draws(0, 3)), plain)


def test_a_gaussian_blur_spreads_a_point_as_far_as_it_says():
    point = torch.zeros(1, 1, 65, 65)
    point[..., 32, 32] = 1
    blurred = _blurred(point, torch.tensor([3.0]), 3.0)[0, 0]
    places = torch.arange(65) - 32.0
    assert float(blurred.sum()) == pytest.approx(1, abs=1e-4)
    assert float((blurred.sum(0) * places**2).sum()) ** 0.5 == pytest.approx(3.0, rel=0.03)
    assert torch.allclose(blurred, blurred.T, atol=1e-7)


def test_the_text_names_what_is_done():
    assert str(BICUBIC) == "shrunk bicubically"
    assert str(REALISTIC) == (
        "blurred by 0 to 0.6 pixels of the small picture, shrunk bicubically, noise of 0 to 7.65 grey levels, "
        "JPEG of quality 50 to 95"
    )


@pytest.mark.parametrize(
    "ranges", [{"blur": (1.0, 0.5)}, {"blur": (-0.1, 0.5)}, {"noise": (0, 2)}, {"quality": (0, 50)}, {"quality": (50, 101)}]
)
def test_ranges_out_of_order_are_refused(ranges):
    with pytest.raises(ValueError, match=next(iter(ranges))):
        Damage(**ranges)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="multiples of 4 pixels, not 30 x 32"):
        degrade(torch.rand(1, 3, 32, 30), 4)
    for draws in (None, Draws(0, 2)):
        with pytest.raises(ValueError, match="1 pictures need as many draws"):
            degrade(torch.rand(1, 3, 32, 32), 4, REALISTIC, draws)
