from __future__ import annotations

import pytest
import torch

from gen_models.base import Draws, GenerativeModel, Model


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_a_row_depends_on_seed_and_place_alone(kind):
    many = getattr(Draws(7, 6), kind)(3, 2)
    assert many.shape == (6, 3, 2)
    assert many.dtype == torch.float32
    for row in range(6):
        assert torch.equal(getattr(Draws(7, 1, first=row), kind)(3, 2)[0], many[row])
    assert torch.equal(getattr(Draws(7, 3, first=2), kind)(3, 2), many[2:5])


def test_seeds_and_rows_differ():
    draws = torch.cat([Draws(0, 2).normal(4), Draws(1, 2).normal(4), Draws(2**63, 2).normal(4)])
    assert len(torch.unique(draws, dim=0)) == 6


def test_a_second_call_continues_the_stream():
    draws, again = Draws(3, 2), Draws(3, 2)
    first, second = draws.normal(5), draws.normal(5)
    assert not torch.equal(first, second)
    assert torch.equal(again.normal(5), first)
    assert torch.equal(again.normal(5), second)
    alone = Draws(3, 1, first=1)  # a row's stream does not see its neighbours
    alone.normal(5)
    assert torch.equal(alone.normal(5)[0], second[1])


def test_moments():
    normal, uniform = Draws(11, 50).normal(2000), Draws(11, 50).uniform(2000)
    assert abs(normal.mean()) < 0.02
    assert abs(normal.var() - 1) < 0.02
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01
    assert abs(uniform.var() - 1 / 12) < 0.002
    rows = torch.corrcoef(normal)
    assert (rows - torch.eye(50)).abs().max() < 0.12  # rows are independent


def test_no_rows():
    assert Draws(0, 0).normal(3, 4).shape == (0, 3, 4)
    assert Draws(0, 0).uniform().shape == (0,)


def test_no_shape_is_a_number_per_row():
    assert Draws(0, 3).normal().shape == (3,)


@pytest.mark.parametrize("arguments", [(-1, 1, 0), (0, -1, 0), (0, 1, -1)])
def test_negative_raises(arguments):
    with pytest.raises(ValueError, match="negative"):
        Draws(*arguments)


def test_to_keeps_the_stream():
    draws, straight = Draws(5, 2), Draws(5, 2)
    draws.normal(3)
    straight.normal(3)
    assert torch.equal(draws.to("cpu").normal(3), straight.normal(3))
    assert draws.to("meta").normal(3).device.type == "meta"


def test_the_configuration_is_what_the_constructor_was_given():
    class Some(Model):
        def __init__(self, size: int = 8, channels: int = 1, wide: bool = False) -> None:
            super().__init__()

    assert Some(12, wide=True).config == {"size": 12, "channels": 1, "wide": True}
    assert Some(12, 3).image_shape == (3, 12, 12)
    with pytest.raises(TypeError):
        Some(width=3)


def test_verbs_that_a_model_lacks_say_so():
    class Bare(GenerativeModel):
        pass

    for verb in (lambda m: next(m.sample_steps(Draws(0, 1))), lambda m: m.optimizers(), lambda m: m.training_step(None)):
        with pytest.raises(NotImplementedError, match="Bare"):
            verb(Bare())
