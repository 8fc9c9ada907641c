from __future__ import annotations

import pytest
import torch
from torch import nn

from gen_models.layers import between, dcgan_init, from_unit, pyramid, slerp, to_unit


@pytest.mark.parametrize(
    ("size", "wanted"),
    [(4, (4, 0)), (7, (7, 0)), (8, (4, 1)), (16, (4, 2)), (28, (7, 2)), (32, (4, 3)), (48, (6, 3)), (64, (4, 4)), (96, (6, 4)),
     (128, (4, 5))],
)  # fmt: skip
def test_pyramid(size, wanted):
    assert pyramid(size) == wanted
    start, levels = wanted
    assert start * 2**levels == size


@pytest.mark.parametrize("size", [0, 1, 3, 9, 15, 30, 100 * 9])
def test_pyramid_refuses_what_cannot_be_halved(size):
    with pytest.raises(ValueError, match=f"{size} pixels"):
        pyramid(size)


def test_ranges_go_back_and_forth():
    images = torch.rand(2, 1, 3, 3)
    assert torch.allclose(to_unit(from_unit(images)), images, atol=1e-6)
    assert from_unit(torch.tensor([0.0, 1.0])).tolist() == [-1, 1]
    assert to_unit(torch.tensor([-9.0, 9.0])).tolist() == [0, 1]
    assert to_unit(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32


def test_slerp_meets_its_ends_and_keeps_the_norm():
    start, end = nn.functional.normalize(torch.randn(2, 5, 64).double(), dim=-1) * 8
    assert torch.allclose(slerp(start, end, 0.0), start)
    assert torch.allclose(slerp(start, end, 1.0), end)
    for fraction in (0.1, 0.5, 0.8):
        between = slerp(start, end, fraction)
        assert torch.allclose(between.norm(dim=-1), torch.full((5,), 8.0).double())
        angle = torch.acos(nn.functional.cosine_similarity(start, end, dim=-1))
        gone = torch.acos(nn.functional.cosine_similarity(start, between, dim=-1))
        assert torch.allclose(gone, fraction * angle)


def test_slerp_between_equal_vectors():
    start = torch.randn(3, 10)
    assert torch.allclose(slerp(start, start, 0.5), start, atol=1e-3)


def test_slerp_of_a_tensor_of_fractions():
    start, end = torch.randn(2, 4, 10)
    fractions = torch.linspace(0, 1, 4)[:, None]
    many = slerp(start, end, fractions)
    for row in range(4):
        assert torch.allclose(many[row], slerp(start[row], end[row], float(fractions[row])), atol=1e-5)


def test_between_meets_its_ends_and_touches_neither():
    one, other = (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)) for _ in range(2))
    before = {key: value.clone() for key, value in one.state_dict().items()}
    middle = between(one, other, 0.5)
    assert torch.allclose(middle[0].weight, (one[0].weight + other[0].weight) / 2)
    for fraction, end in ((0.0, one), (1.0, other)):
        assert all(torch.equal(value, end.state_dict()[key]) for key, value in between(one, other, fraction).state_dict().items())
    assert all(torch.equal(value, one.state_dict()[key]) for key, value in before.items())
    with pytest.raises(ValueError, match="same names and sizes"):
        between(one, nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)), 0.5)


def test_dcgan_init():
    layers = nn.Sequential(nn.Conv2d(8, 64, 4), nn.BatchNorm2d(64), nn.ConvTranspose2d(64, 8, 4), nn.Linear(64, 64))
    layers.apply(dcgan_init)
    for layer in (layers[0], layers[2], layers[3]):
        assert abs(layer.weight.std() - 0.02) < 0.002
        assert layer.bias.abs().max() == 0
    assert abs(layers[1].weight.mean() - 1) < 0.02
    assert layers[1].bias.abs().max() == 0
