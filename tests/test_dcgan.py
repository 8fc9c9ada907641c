from __future__ import annotations

import pytest
import torch
from conftest import build, training_batch

from gen_models.base import Draws
from gen_models.gans._augment import augment
from gen_models.gans.dcgan import DCGAN


@pytest.fixture
def model() -> DCGAN:
    return build("dcgan")


def test_a_score_per_picture(model):
    images = model.sample(Draws(1, 5)).detach()
    scores = model.score(images)
    assert scores.shape == (5,)
    assert scores.dtype == torch.float32
    assert torch.allclose(model.score(images[2:3]), scores[2:3], atol=1e-5)


def test_the_score_map_is_a_saliency_between_zero_and_one(model):
    images = torch.rand(3, 1, 16, 16)
    with torch.inference_mode():  # as the page calls it
        maps = model.score_map(images)
    assert maps.shape == (3, 16, 16)
    assert maps.min() >= 0
    assert torch.allclose(maps.amax(dim=(1, 2)), torch.ones(3))
    model.requires_grad_(False)
    brightest = maps[0].argmax()  # the pixel that matters most changes the score more than the one that matters least
    faintest = maps[0].argmin()

    def moved(place: torch.Tensor) -> float:
        changed = images[:1].clone()
        changed.view(-1)[place] += 0.01
        return float((model.score(changed) - model.score(images[:1])).abs())

    assert moved(brightest) > moved(faintest)


def test_truncation_shrinks_the_latents(model):
    full, half = model.latents(Draws(3, 4)), model.latents(Draws(3, 4), truncation=0.5)
    assert torch.allclose(half, 0.5 * full)
    spread = [model.sample(Draws(3, 8), truncation).std(dim=0).mean() for truncation in (1.0, 0.3)]
    assert spread[1] < spread[0]


def test_decode_of_the_latents_is_the_sample(model):
    assert torch.equal(model.decode(model.latents(Draws(3, 4))), model.sample(Draws(3, 4)))


def test_the_generators_update_leaves_no_gradient_in_the_discriminator(model):
    model.train()
    updates = iter(model.training_step(training_batch(model)))
    name, terms = next(updates)
    assert name == "discriminator"
    sum(terms.values()).backward()
    assert all(parameter.grad is None for parameter in model.generator.parameters())
    model.zero_grad(set_to_none=True)
    name, terms = next(updates)
    assert name == "generator"
    sum(terms.values()).backward()
    assert all(parameter.grad is None for parameter in model.discriminator.parameters())
    assert all(parameter.grad is not None for parameter in model.generator.parameters())
    assert next(updates, None) is None
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_generators_loss_falls_when_the_score_rises(model):
    noise = torch.randn(4, model.latent_dim, requires_grad=True)
    score = model.discriminator(model.generator(noise)).mean()
    updates = iter(model.training_step(training_batch(model, 4)))
    next(updates)
    (fool,) = next(updates)[1].values()
    assert torch.isfinite(score)
    assert fool.requires_grad


def test_augment_only_shifts():
    images = torch.arange(1.0, 1 + 16 * 16).view(1, 1, 16, 16).repeat(64, 1, 1, 1).requires_grad_(True)
    shifted = augment(images)
    assert shifted.shape == images.shape
    offsets = set()
    for picture in shifted.detach():
        found = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(picture[0, 2:-2, 2:-2], images[0, 0, 2 + down : 14 + down, 2 + right : 14 + right])
        ]
        assert len(found) == 1
        offsets.add(found[0])
    assert len(offsets) > 10  # each picture its own
    shifted.sum().backward()
    assert images.grad.max() == 1
    assert set(images.grad.unique().tolist()) <= {0.0, 1.0}


def test_no_shift_leaves_the_pictures_alone():
    images = torch.rand(4, 3, 16, 16)
    assert torch.equal(augment(images, 0.0), images)
