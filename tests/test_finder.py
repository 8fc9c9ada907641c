"""The eye for faces: the pictures it learns from, and that it sees what it learned."""

from __future__ import annotations

import pytest
import torch

from gen_models.evaluation.finder import SCENE, STRIDE, SURE, WINDOW, Finder, Pasted, laid_over, piece_of, scenes, what_is_where

MIDDLE = (SCENE - WINDOW) // STRIDE // 2
"""The row and the column of the place in the middle of a scene."""


def at(across: float, down: float, side: float) -> Pasted:
    return Pasted(*(torch.tensor([value], dtype=torch.float32) for value in (across, down, side)))


def test_a_piece_lies_where_it_is_said():
    light, dark = torch.ones(1, 1, 64, 64), -torch.ones(1, 1, 2 * SCENE, 2 * SCENE)
    none = torch.zeros(1)
    shown = laid_over(light, dark, at(30, 60, 20), none, none, torch.full((1,), 0.02))[0, 0]
    inside = (shown > 0).nonzero()
    assert inside.min(dim=0).values.tolist() == [50, 20] and inside.max(dim=0).values.tolist() == [69, 39]
    round_ = laid_over(light, dark, at(30, 60, 20), none, none + 1, torch.full((1,), 0.02))[0, 0]
    assert (round_ > 0).sum() == pytest.approx(torch.pi * 100, rel=0.05), "a disc"
    across = torch.linspace(-1, 1, 64).expand(1, 1, 64, 64)
    turned = laid_over(across, dark, at(48.5, 48.5, 60), torch.full((1,), torch.pi / 2), none, torch.full((1,), 0.02))[0, 0]
    columns = turned[30:67, 30:67]
    assert columns.std(dim=1).max() < 0.02 < 0.3 < columns.std(dim=0).min(), "what ran across runs down"


def test_a_piece_of_a_photograph_is_that_part_of_it():
    photo = torch.arange(64.0).view(1, 1, 1, 64).expand(1, 1, 64, 64)
    one = torch.ones(1)
    assert torch.allclose(piece_of(photo, one, 0 * one, 0 * one)[0, 0, 0, [0, -1]], torch.tensor([0.0, 63.0]), atol=0.5)
    right = piece_of(photo, 0.5 * one, one, 0 * one)[0, 0, 0]
    assert float(right[0]) == pytest.approx(32, abs=1) and float(right[-1]) == pytest.approx(63, abs=1)


@pytest.mark.parametrize(
    "off, size, answer", [(0, 1.0, 1), (3, 1.1, 1), (6, 1.0, -1), (0, 1.4, -1), (0, 1.8, 0), (0, 0.55, 0), (20, 1.0, 0)]
)
def test_what_counts_as_a_face(off, size, answer):
    centre = STRIDE * MIDDLE + WINDOW / 2
    assert int(what_is_where(at(centre + off, centre, size * WINDOW))[0, MIDDLE, MIDDLE]) == answer
    assert int(what_is_where(at(centre, centre - off, size * WINDOW))[0, MIDDLE, MIDDLE]) == answer
    assert int(what_is_where(at(centre, centre, WINDOW))[0, 0, 0]) == 0


def test_the_half_without_faces_has_no_right_place():
    torch.manual_seed(0)
    pictures, wanted = scenes(torch.rand(40, 3, 32, 32) * 2 - 1, torch.rand(40, 3, 32, 32) * 2 - 1)
    assert pictures.shape == (80, 1, SCENE, SCENE) and pictures.abs().max() <= 1
    assert wanted.shape == (80, 2 * MIDDLE + 1, 2 * MIDDLE + 1) and (wanted[40:] == 0).all()
    assert 10 < (wanted[:40] == 1).flatten(1).any(dim=1).sum() < 40


def test_it_learns_to_tell_them_apart_where_they_are():
    torch.manual_seed(1)
    across = torch.linspace(-1, 1, 32)
    disc = ((across[:, None] ** 2 + across**2).sqrt() < 0.6).float() * 2 - 1

    def batch() -> torch.Tensor:
        faces = disc.expand(16, 3, 32, 32) + 0.2 * torch.randn(16, 3, 32, 32)
        return torch.cat([faces, torch.randn(16, 3, 32, 32)], dim=1).clamp(-1, 1)

    model = Finder(size=32, width=4).train()
    optimizer = model.optimizers()["network"]
    for _ in range(80):
        ((_, terms),) = model.training_step((batch(), torch.zeros(16, 1)))
        optimizer.zero_grad()
        terms["faces"].backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        pictures = batch() * 0.5 + 0.5
        small = torch.nn.functional.interpolate(pictures, size=(WINDOW, WINDOW))
        faces, others = model.odds(small[:, :3])[:, 0, 0], model.odds(small[:, 3:])[:, 0, 0]
        assert (faces[:, None] > others).double().mean() > 0.95
        both = (faces + model.odds(small[:, :3].flip(-1))[:, 0, 0]) / 2
        assert torch.equal(model.shows_face(small[:, :3]), both > SURE)
        assert torch.allclose(model.odds(small[:4, :3])[:, 0, 0], faces[:4], atol=1e-4), "it depends on its batch"


def test_each_place_depends_on_its_window_alone():
    torch.manual_seed(0)
    model = Finder(size=32, width=4).eval()
    pictures = torch.rand(1, 3, WINDOW + 3 * STRIDE, WINDOW + 2 * STRIDE)
    with torch.no_grad():
        odds = model.odds(pictures)
        assert odds.shape == (1, 4, 3)
        window = pictures[..., 2 * STRIDE : 2 * STRIDE + WINDOW, STRIDE : STRIDE + WINDOW]
        assert torch.allclose(model.odds(window)[0, 0, 0], odds[0, 2, 1], atol=1e-5)
