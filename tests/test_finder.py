"""The eye for faces: which squares it learns from, and that it sees what it learned."""

from __future__ import annotations

import pytest
import torch

from gen_models.evaluation.finder import SIDE, SURE, Finder, grey, looked_at, windows


def test_a_square_is_the_picture_moved_turned_and_resized():
    picture = torch.arange(64.0).view(1, 1, 1, 64).expand(1, 1, 64, 64) / 63
    behind = torch.full((1, 1, 64, 64), 9.0)
    none = torch.zeros(1)
    same = looked_at(picture, behind, torch.ones(1), none, none, none)
    assert same.shape == (1, 1, 2 * SIDE, 2 * SIDE) and torch.allclose(same, picture, atol=1e-3)
    right = looked_at(picture, behind, torch.ones(1), torch.full((1,), 0.25), none, none)
    assert torch.allclose(right[..., :40], picture[..., 16:56], atol=1e-3) and (right[..., 50:] == 9).all()
    half = looked_at(picture, behind, torch.full((1,), 0.5), none, none, none)
    assert float(half[0, 0, 0, 0]) == pytest.approx(0.25, abs=0.01) and float(half[0, 0, 0, -1]) == pytest.approx(0.75, abs=0.01)
    turned = looked_at(picture, behind, torch.ones(1), none, none, torch.full((1,), torch.pi / 2))
    assert torch.allclose(turned.flip(-2), picture.transpose(-1, -2), atol=1e-3)


def test_squares_with_a_face_hold_most_of_it_and_the_others_do_not():
    torch.manual_seed(0)
    faces, photos = torch.ones(200, 1, 64, 64), torch.zeros(200, 1, 64, 64)
    squares, wanted = windows(faces, photos)
    assert wanted.tolist() == [1.0] * 200 + [0.0] * 400
    shown = squares.mean(dim=(1, 2, 3))
    assert shown[:200].min() > 0.5 and (shown[200:400] == 0).all()
    missed = shown[400:]
    assert 0.15 < ((missed > 0) & (missed < 0.15)).double().mean() < 0.6, "moved away or far too small"
    assert 0.1 < (missed == 1).double().mean() < 0.5, "far too large"


@pytest.mark.parametrize("light, dark", [(0.0, 1.0), (0.4, 0.6)])
def test_a_square_is_seen_alike_in_any_light(light, dark):
    pattern = (torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    seen = grey(light + (dark - light) * pattern, SIDE)
    assert seen.shape == (1, 1, SIDE, SIDE) and torch.allclose(seen, grey(pattern, SIDE), atol=1e-3)
    flat = grey(torch.full((1, 3, 40, 40), 0.3), SIDE)
    assert torch.isfinite(flat).all()


def test_it_learns_to_tell_them_apart_and_a_mirror_changes_nothing():
    torch.manual_seed(1)
    across = torch.linspace(-1, 1, 32)
    disc = ((across[:, None] ** 2 + across**2).sqrt() < 0.6).float() * 2 - 1

    def batch() -> torch.Tensor:
        faces = disc.expand(16, 3, 32, 32) + 0.2 * torch.randn(16, 3, 32, 32)
        return torch.cat([faces, torch.randn(16, 3, 32, 32)], dim=1).clamp(-1, 1)

    model = Finder(size=32, width=4).train()
    optimizer = model.optimizers()["network"]
    for _ in range(60):
        ((_, terms),) = model.training_step((batch(), torch.zeros(16, 1)))
        optimizer.zero_grad()
        terms["faces"].backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        pictures = batch() * 0.5 + 0.5
        faces, others = model.surety(pictures[:, :3]), model.surety(pictures[:, 3:])
        assert (faces > 0).double().mean() > 0.9 and (others < 0).double().mean() > 0.9
        assert torch.equal(model.shows_face(pictures[:, :3]), faces > SURE)
        assert torch.allclose(model.surety(pictures[:, :3].flip(-1)), faces, atol=1e-4)
        assert torch.allclose(model.surety(pictures[:4, :3]), faces[:4], atol=1e-4), "it depends on its batch"
