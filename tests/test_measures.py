"""The measures against cases whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import build

from gen_models import catalog
from gen_models.data import DataSet, load_data
from gen_models.measures import distances, fidelity, labels, likelihood, samples
from gen_models.measures._judge import details_of
from gen_models.measures._measure import FULL
from gen_models.measures._pictures import made_from
from gen_models.measures.translation import ColourMeans


def gaussian(count: int, mean: float = 0.0, spread: float = 1.0, seed: int = 0, size: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return mean + spread * torch.randn(count, size, generator=generator, dtype=torch.float64)


# ---- distances --------------------------------------------------------------------------------------------------------


def test_the_frechet_distance_is_that_of_the_formula():
    # two isotropic Gaussians: |m1 - m2|^2 + size (s1 - s2)^2
    distance = distances.frechet(gaussian(20_000, seed=1), gaussian(20_000, mean=2.0, spread=3.0, seed=2))
    assert distance == pytest.approx(4 * 2.0**2 + 4 * (1 - 3) ** 2, rel=0.03)
    same = gaussian(500)
    assert abs(distances.frechet(same, same.clone())) < 1e-3


def test_the_kernel_distance_is_zero_for_equals_and_grows():
    real = gaussian(1000, seed=1)
    zero, error = distances.kernel(real, gaussian(1000, seed=2))
    near, _ = distances.kernel(real, gaussian(1000, mean=0.5, seed=3))
    far, _ = distances.kernel(real, gaussian(1000, mean=1.0, seed=3))
    assert abs(zero) < 4 * error
    assert zero < near < far


def test_precision_and_recall_tell_a_narrow_set_from_a_wide_one():
    real, narrow, wide = gaussian(1000, seed=1), gaussian(1000, spread=0.3, seed=2), gaussian(1000, spread=4.0, seed=3)
    precision, recall = distances.precision_recall(real, narrow)
    assert precision > 0.95 > 0.7 > recall
    precision, recall = distances.precision_recall(real, wide)
    assert precision < 0.5 < 0.9 < recall
    assert distances.precision_recall(real, real.clone()) == (1.0, 1.0)


def test_memorisation_finds_copies():
    known, unseen = gaussian(800, seed=1), gaussian(400, seed=2)
    honest, error = distances.memorisation(gaussian(400, seed=3), unseen, known)
    copied, _ = distances.memorisation(known[:400] + 1e-3, unseen, known)
    assert abs(honest - 1) < 4 * error
    assert copied < 0.05


def test_nearest_counts_ranks():
    points = torch.tensor([[0.0]], dtype=torch.float64)
    others = torch.tensor([[3.0], [1.0], [2.0]], dtype=torch.float64)
    assert [float(distances.nearest(points, others, rank)) for rank in (1, 2, 3)] == [1.0, 2.0, 3.0]


# ---- likelihood -------------------------------------------------------------------------------------------------------


class Coin(torch.nn.Module):
    """Every pixel is white with probability 1/4, whatever the others are."""

    binary, levels = True, 2

    def log_likelihood(self, images, draws=None):
        limit = draws.uniform(*images.shape[1:]) if draws is not None else 0.5
        white = (images > limit).sum(dim=(1, 2, 3))
        return white * math.log(0.25) + (images[0].numel() - white) * math.log(0.75)


def test_an_exact_likelihood_is_averaged_over_pictures(data_folder):
    test = load_data("mnist", "test", 28, str(data_folder), 1)
    (number,) = likelihood.likelihood_measures(Coin(), test, FULL)
    share = float(test.unit().mean())
    expected = -784 * (share * math.log(0.25) + (1 - share) * math.log(0.75))
    assert number.value == pytest.approx(expected, rel=0.01)
    assert "exact" in number.protocol
    assert "dynamic binarisation" in number.protocol
    assert "60 pictures" in number.protocol


def test_a_protocol_names_the_grey_levels(data_folder):
    test = load_data("fashion", "test", 16, str(data_folder), 1)
    model = build("pixelcnn")
    nll, bits = likelihood.likelihood_measures(model, test, FULL)
    assert "rounded to 4 grey levels" in nll.protocol
    assert bits.value == pytest.approx(nll.value / 256 / math.log(2))
    other = likelihood.other_measure(model, test, FULL)
    assert other.value == pytest.approx(nll.value)
    assert "has seen none" in other.protocol


# ---- translations -----------------------------------------------------------------------------------------------------


def test_the_discrepancy_is_torchmetrics_one():
    from torchmetrics.image.kid import poly_mmd

    one, other = gaussian(30, seed=1), gaussian(30, mean=0.4, seed=2)
    assert float(distances.squared_discrepancy(one, other)) == pytest.approx(float(poly_mmd(one, other)), rel=1e-6)
    splits = distances.kernel_splits(gaussian(90, seed=1), gaussian(60, seed=2))
    assert splits.shape == (3,)
    assert abs(float(splits.mean())) < 0.3
    assert float(distances.kernel_splits(one, other + 3).min()) > 1


def test_a_translation_is_held_against_the_true_picture():
    one = torch.randint(0, 200, (10, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    other = one + 51  # a fifth of the range
    assert fidelity.differences(one, other).tolist() == pytest.approx([0.2] * 10)
    assert fidelity.noise_ratios(one, other).tolist() == pytest.approx([-20 * math.log10(0.2)] * 10)
    assert fidelity.similarities(one, one).tolist() == pytest.approx([1.0] * 10)
    assert (fidelity.similarities(one, other) < 0.99).all()
    made = made_from(lambda images: 1 - images, one)
    assert torch.equal(made, 255 - one)


def pairs(maps: torch.Tensor, photos: torch.Tensor) -> DataSet:
    return DataSet("pairs", "train", maps, torch.zeros(len(maps), 1, dtype=torch.int64), {}, photos, ("maps", "photos"), True)


def test_the_mean_picture_per_colour():
    maps = torch.zeros(20, 3, 4, 4, dtype=torch.uint8)
    maps[:10, 2] = 255  # blue
    maps[:, :, 0, 0] = torch.tensor([255, 0, 0], dtype=torch.uint8)  # red, only ever in this corner
    photos = torch.where(maps[:, 2:] == 255, 200, 40).to(torch.uint8).expand(-1, 3, -1, -1).clone()
    photos[:, :, 0, 0] = 120
    means = ColourMeans(pairs(maps, photos))
    assert torch.equal(means(maps), photos)
    red = maps[:1].clone()
    red[:] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    assert torch.equal(means(red), torch.full_like(red, 120))  # where red never stood, its mean elsewhere
    nearly = maps.clone()
    nearly[:10, 1] = 40  # a blue that never occurred
    assert torch.equal(means(nearly)[:, :, 1:], photos[:, :, 1:])


def test_labels_found_again():
    table = torch.tensor([[[6, 2, 0], [1, 1, 0], [0, 0, 0]]])
    pixels, classes, overlap = labels.label_shares(table)[0].tolist()
    assert pixels == pytest.approx(100 * 7 / 10)
    assert classes == pytest.approx(100 * (6 / 8 + 1 / 2) / 2)  # the third label was not asked for
    assert overlap == pytest.approx(100 * (6 / 9 + 1 / 4) / 2)
    segmenter = build("segmenter")
    maps = (segmenter.palette[torch.randint(0, 3, (4, 32, 32))].permute(0, 3, 1, 2) * 255).to(torch.uint8)
    counts = labels.found_labels(segmenter, maps, maps)
    assert counts.shape == (4, 3, 3)
    assert (counts.sum(dim=(1, 2)) == 32 * 32).all()
    wanted = segmenter.labels(maps / 255)
    assert counts[0].sum(dim=1).tolist() == [int((wanted[0] == label).sum()) for label in range(3)]
    numbers = labels.label_measures(counts, "here", counts)
    assert [number.key for number in numbers] == ["labels-pixels", "labels-classes", "labels-overlap"]
    assert all(number.value == number.real for number in numbers)


# ---- restorations -----------------------------------------------------------------------------------------------------


def test_brightness_is_matlabs():
    colours = torch.tensor([[255, 0, 255, 0, 100], [255, 0, 0, 255, 150], [255, 0, 0, 0, 200]], dtype=torch.uint8)[:, None]
    assert fidelity.luma(colours).flatten().tolist() == [235, 16, 81, 145, 137]
    grey = torch.arange(5, dtype=torch.uint8)[None, None]
    assert fidelity.luma(grey).flatten().tolist() == [0, 1, 2, 3, 4]


def test_fidelity_is_that_of_the_formulas_within_the_border():
    generator = torch.Generator().manual_seed(0)
    true = (torch.rand(3, 8, 10, generator=generator).repeat_interleave(5, 1).repeat_interleave(5, 2) * 255).to(torch.uint8)
    noise = torch.randint(-20, 21, true.shape, generator=generator)
    made = (true.int() + noise).clamp(0, 255).to(torch.uint8)
    made[:, :4] = 0  # cut off
    found = fidelity.fidelities(made, true, 4)
    one, other = (picture[:, 4:-4, 4:-4] for picture in (made, true))
    row = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    window = (row[:, None] * row / row.sum() ** 2)[None, None]

    def mean(x: torch.Tensor) -> torch.Tensor:  # of whole windows only
        return torch.nn.functional.conv2d(x[:, None], window)

    for place, a, b in ((0, fidelity.luma(one), fidelity.luma(other)), (2, one.double(), other.double())):
        assert float(found[place]) == pytest.approx(10 * math.log10(255**2 / float((a - b).square().mean())), abs=1e-6)
        spread = [mean(x * y) - mean(x) * mean(y) for x, y in ((a, a), (b, b), (a, b))]
        top = (2 * mean(a) * mean(b) + 2.55**2) * (2 * spread[2] + 7.65**2)  # Wang 2004, eq. 13
        below = (mean(a) ** 2 + mean(b) ** 2 + 2.55**2) * (spread[0] + spread[1] + 7.65**2)
        assert float(found[place + 1]) == pytest.approx(float((top / below).mean()), abs=1e-6)
    grey = fidelity.fidelities(made[:1], true[:1], 4)
    assert torch.equal(grey[:2], grey[2:])


def test_details_are_seen_as_large_as_they_are():
    judge = catalog.model_class("features")(size=16, channels=3, width=4, classes=[2]).eval()
    pictures = torch.randint(0, 256, (3, 3, 32, 40), dtype=torch.uint8)
    with torch.no_grad():
        found = details_of(judge, pictures)
        assert found.shape == (3, 4, 128)
        for place, (top, left) in enumerate(((0, 0), (0, 16), (16, 0), (16, 16))):
            cut = pictures[:, :, top : top + 16, left : left + 16]
            assert torch.allclose(found[:, place], judge(cut).double(), atol=1e-4)
        assert details_of(judge, pictures[..., :9, :12]).shape == (3, 1, 128)


def test_samples_of_the_prior_are_measured_where_samples_are_of_something_else():
    torch.manual_seed(0)
    judge = catalog.model_class("features")(size=16, channels=1, width=4).eval()
    arguments = dict(size=16, channels=1, binary=False, width=4, latent_dim=3)
    kind = catalog.model_class("vae")
    plain, fitted = (kind(**arguments, components=components).eval() for components in (0, 2))
    fitted.code_means[:, 0] = 5.0
    assert samples.prior_features(plain, judge, 12) is None and samples.prior_features(build("dcgan"), judge, 12) is None
    found = samples.prior_features(fitted, judge, 12)
    assert found.shape[0] == 12 and not torch.allclose(found, samples.sampled_features(fitted, judge, 12))
