"""The PixelCNNs: causality, the blind spot, a distribution that sums to one, and the cached sampler against the naive loop."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.completion import naive
from gen_models.autoregressive._cached import choose
from gen_models.autoregressive._causal import Autoregressive
from gen_models.autoregressive.gated_pixelcnn import GatedPixelCNN
from gen_models.autoregressive.pixelcnn import PixelCNN
from gen_models.base import Draws

SMALL = {
    "pixelcnn": lambda: PixelCNN(size=9, levels=3, width=8, blocks=2, kernel=3),
    "pixelcnn-wide": lambda: PixelCNN(size=9, levels=2, width=8, blocks=2, kernel=5),
    "gated": lambda: GatedPixelCNN(size=9, levels=3, width=6, layers=3),
    "gated-classes": lambda: GatedPixelCNN(size=9, levels=2, width=6, layers=3, classes=4),
}


@pytest.fixture(params=SMALL)
def model(request) -> Autoregressive:
    torch.manual_seed(1)
    made = SMALL[request.param]().eval()
    for parameter in made.parameters():  # biases and class shifts start at zero; here they should matter
        parameter.data += 0.3 * torch.randn_like(parameter)
    return made


def pictures(model: Autoregressive, count: int, seed: int = 3) -> Tensor:
    return model.seen(Draws(seed, count).uniform(1, model.size, model.size))


def label_of(model: Autoregressive) -> int | None:
    return 2 if model.classes else None


# ---- causality --------------------------------------------------------------------------------------------------------


def dependence(model: Autoregressive, row: int, column: int) -> Tensor:
    """Which pixels the logits of one pixel depend on, by their gradient, (H, W) bool."""
    torch.manual_seed(0)
    seen = torch.zeros(model.size, model.size)
    for _ in range(6):  # a rectified unit may be off for one picture
        x = torch.randn(1, 1, model.size, model.size, requires_grad=True)
        labels = torch.zeros(1, dtype=torch.long) if model.classes else None
        model(x, labels)[0, :, row, column].square().sum().backward()
        seen += x.grad[0, 0].abs() > 0
    return seen > 0


def test_no_pixel_sees_itself_or_a_later_one(model):
    for row, column in itertools.product(range(model.size), repeat=2):
        seen = dependence(model, row, column).flatten()
        assert not seen[row * model.size + column :].any()


def test_the_receptive_field_is_what_the_gradient_says(model):
    for row, column in ((8, 4), (4, 8), (0, 5), (5, 0), (8, 8)):
        assert torch.equal(model.receptive_field(row, column), dependence(model, row, column))


def test_the_plain_model_is_blind_to_the_right_and_the_gated_one_is_not():
    plain, gated = PixelCNN(), GatedPixelCNN()
    before = torch.arange(28 * 28).view(28, 28) < 20 * 28 + 8
    assert (before & ~plain.receptive_field(20, 8)).sum() > 50
    assert not plain.receptive_field(19, 16)[19, 26]
    assert plain.receptive_field(20, 8)[19, 8:12].any()
    # one row up, far to the right: in the blind spot of the plain model, in sight of the gated one
    assert not plain.receptive_field(20, 8)[19, 16]
    assert gated.receptive_field(20, 8)[19, 11]
    small_plain, small_gated = (
        PixelCNN(size=9, width=4, blocks=8, kernel=3), GatedPixelCNN(size=9, width=4, layers=9)
    )  # fmt: skip
    everything = torch.arange(81).view(9, 9) < 8 * 9
    assert torch.equal(small_gated.receptive_field(8, 0), everything)
    assert not torch.equal(small_plain.receptive_field(8, 0), everything)


# ---- likelihood -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pixelcnn", "gated", "gated-classes"])
def test_all_pictures_of_a_tiny_size_sum_to_one(kind):
    torch.manual_seed(0)
    tiny = {
        "pixelcnn": lambda: PixelCNN(size=3, levels=2, width=4, blocks=2, kernel=3),
        "gated": lambda: GatedPixelCNN(size=3, levels=2, width=4, layers=2),
        "gated-classes": lambda: GatedPixelCNN(size=3, levels=2, width=4, layers=2, classes=3),
    }[kind]()
    for parameter in tiny.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=9))).view(-1, 1, 3, 3)
    with torch.no_grad():
        total = torch.logsumexp(tiny.log_likelihood(every), dim=0)
    assert abs(float(total)) < 1e-5


def test_the_parts_of_the_likelihood_sum_to_it(model):
    images = pictures(model, 5)
    with torch.no_grad():
        whole = model.log_likelihood(images)
        parts = model.pixel_log_likelihood(images).sum(dim=(1, 2))
        shares = model.conditionals(images).exp().sum(dim=1)
    assert torch.allclose(whole, parts, atol=1e-3)
    assert torch.allclose(shares, torch.ones_like(shares), atol=1e-4)


def test_classes_are_mixed_evenly():
    model = SMALL["gated-classes"]()
    images = pictures(model, 4)
    with torch.no_grad():
        given = torch.stack([model.log_likelihood(images, label=y) for y in range(4)])
        assert torch.allclose(model.log_likelihood(images), torch.logsumexp(given, 0) - math.log(4), atol=1e-4)


def test_dynamic_binarisation_follows_the_draws():
    model = SMALL["pixelcnn-wide"]()
    grey = torch.full((2, 1, 9, 9), 0.5)
    first, again = model.seen(grey, Draws(1, 2)), model.seen(grey, Draws(1, 2))
    assert torch.equal(first, again)
    assert 0.3 < float(first.mean()) < 0.7
    assert float(model.seen(grey).sum()) == 0  # the threshold is fixed


@pytest.mark.parametrize("label", [None, 1])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_weights_turn_the_proposals_into_the_posterior(label, temperature):
    """On a picture small enough to enumerate, q from the trajectory's own frequencies agrees with p / weight."""
    torch.manual_seed(0)
    tiny = GatedPixelCNN(size=3, levels=2, width=4, layers=2, classes=3)
    for parameter in tiny.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    unknown = torch.zeros(3, 3, dtype=torch.bool)
    unknown[1, 0] = unknown[1, 2] = True
    base = torch.tensor([1.0, 0, 1, 0, 1, 0, 0, 1, 1]).view(1, 1, 3, 3)
    settings = dict(temperature=temperature, label=label)
    with torch.no_grad():
        *_, drawn = tiny.trajectory(Draws(0, 20_000), base, unknown, **settings)
        every = base.repeat(4, 1, 1, 1)
        every[:, 0, unknown] = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))
        expected = (tiny.log_likelihood(every, label=label) - tiny.log_weight(every, unknown, **settings)).softmax(0)
    code = (drawn[:, 0, unknown] @ torch.tensor([2.0, 1.0])).long()
    assert torch.allclose(torch.bincount(code, minlength=4) / 20_000, expected, atol=0.02)


# ---- the cached sampler -----------------------------------------------------------------------------------------------


MASKS = {
    "everything": lambda n: torch.ones(n, n, dtype=torch.bool),
    "lower half": lambda n: torch.arange(n)[:, None].expand(n, n) >= n // 2,
    "right half": lambda n: torch.arange(n)[None].expand(n, n) >= n // 2,
    "hole": lambda n: ((torch.arange(n)[:, None] - 4).abs() < 2) & ((torch.arange(n)[None] - 4).abs() < 2),
    "scattered": lambda n: torch.rand(n, n, generator=torch.Generator().manual_seed(5)) < 0.4,
    "first": lambda n: torch.arange(n * n).view(n, n) == 0,
    "last": lambda n: torch.arange(n * n).view(n, n) == n * n - 1,
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("count", [1, 3])
def test_the_cached_sampler_gives_the_pixels_of_the_naive_loop(model, mask, count):
    unknown = MASKS[mask](model.size)
    images = pictures(model, count)
    for temperature in (1.0, 0.6):
        with torch.no_grad():
            settings = dict(images=images, unknown=unknown, temperature=temperature, label=label_of(model))
            steps = [image.clone() for image in model.trajectory(Draws(7, count), **settings)]
            expected = naive(model, Draws(7, count), **settings)
        assert len(steps) == int(unknown.sum())
        assert torch.equal(steps[-1], expected)
        known = ~unknown.expand(count, 1, -1, -1)
        assert torch.equal(steps[-1][known], images[known])


def test_each_step_writes_one_pixel_in_reading_order(model):
    unknown = MASKS["scattered"](model.size)
    places = unknown.flatten().nonzero()[:, 0].tolist()
    with torch.no_grad():
        steps = [image.clone().flatten(1) for image in model.trajectory(Draws(7, 2), unknown=unknown)]
    for number, (before, after) in enumerate(itertools.pairwise(steps)):
        changed = (before != after).any(dim=0).nonzero()[:, 0].tolist()
        assert set(changed) <= {places[number + 1]}


def test_pixels_follow_their_probabilities():
    model = SMALL["pixelcnn"]()
    unknown = MASKS["first"](9)
    with torch.no_grad():
        shares = model.conditionals(torch.zeros(1, 1, 9, 9))[0, :, 0, 0].exp()
        (last,) = model.trajectory(Draws(0, 4000), unknown=unknown)
    drawn = torch.bincount(model.to_levels(last)[:, 0, 0], minlength=3) / 4000
    assert torch.allclose(drawn, shares, atol=0.03)


def test_a_class_is_drawn_from_what_the_known_pixels_say():
    model = SMALL["gated-classes"]()
    with torch.no_grad():
        for layer in model.layers:
            layer.shift.normal_(0, 3)
    unknown = MASKS["lower half"](9)
    picture = model.sample(Draws(5, 1), label=1)
    with torch.no_grad():
        start = torch.where(unknown, 0.0, picture.expand(3000, -1, -1, -1))
        drawn = model._drawn_labels(Draws(9, 3000), start, unknown, None)
        known = torch.stack([model.pixel_log_likelihood(picture, y).flatten()[:36].sum() for y in range(4)])
    shares = np.bincount(drawn, minlength=4) / 3000
    assert np.allclose(shares, known.softmax(0).numpy(), atol=0.04)


def test_choose_inverts_the_cumulative_distribution():
    logits = np.log(np.array([[0.2, 0.5, 0.3]] * 4, np.float32))
    assert choose(logits, np.array([0.0, 0.19, 0.21, 0.999], np.float32)).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (dict(temperature=0.0), "temperature"),
        (dict(unknown=torch.zeros(9, 9, dtype=torch.bool)), "unknown"),
        (dict(unknown=torch.ones(4, 4, dtype=torch.bool)), "9 x 9"),
        (dict(images=torch.zeros(1, 3, 9, 9)), "one channel"),
        (dict(label=7), "label"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, word):
    with pytest.raises(ValueError, match=word):
        next(SMALL["gated-classes"]().trajectory(Draws(0, 1), **settings))


@pytest.mark.parametrize("kind, reach", [(GatedPixelCNN, 143), (PixelCNN, 299)])
def test_the_card_of_the_gated_model_says_how_far_each_sees(kind, reach):
    """Pixels that the prediction of (14, 27) depends on, by the gradient, with the published depth and kernels."""
    torch.manual_seed(0)
    model = kind(**kind.recipes["mnist"].arguments)
    seen = torch.zeros(28, 28, dtype=torch.bool)
    for _ in range(8):
        images = (2 * torch.rand(1, 1, 28, 28) - 1).requires_grad_(True)
        logits = model(images, *([torch.tensor([3])] if kind is GatedPixelCNN else []))[0, :, 14, 27]
        seen |= torch.autograd.grad((logits * torch.randn_like(logits)).sum(), images)[0][0, 0] != 0
    assert int(seen.sum()) == reach and not seen.flatten()[14 * 28 + 27 :].any()
    assert f"sees {reach}" in " ".join(GatedPixelCNN.limits)
