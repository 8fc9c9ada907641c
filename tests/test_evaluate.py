"""The measures against cases whose answer is known, and the command on tiny weights and data."""

from __future__ import annotations

import json
import math

import pytest
import torch
from conftest import build

from gen_models import catalog, data, evaluate, publish, train
from gen_models.base import Draws, Recipe
from gen_models.data import DataSet, split_of


def gaussian(count: int, mean: float = 0.0, spread: float = 1.0, seed: int = 0, size: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return mean + spread * torch.randn(count, size, generator=generator, dtype=torch.float64)


# ---- distances --------------------------------------------------------------------------------------------------------


def test_the_frechet_distance_is_that_of_the_formula():
    # two isotropic Gaussians: |m1 - m2|^2 + size (s1 - s2)^2
    distance = evaluate.frechet(gaussian(20_000, seed=1), gaussian(20_000, mean=2.0, spread=3.0, seed=2))
    assert distance == pytest.approx(4 * 2.0**2 + 4 * (1 - 3) ** 2, rel=0.03)
    same = gaussian(500)
    assert abs(evaluate.frechet(same, same.clone())) < 1e-3


def test_the_kernel_distance_is_zero_for_equals_and_grows():
    real = gaussian(1000, seed=1)
    zero, error = evaluate.kernel(real, gaussian(1000, seed=2))
    near, _ = evaluate.kernel(real, gaussian(1000, mean=0.5, seed=3))
    far, _ = evaluate.kernel(real, gaussian(1000, mean=1.0, seed=3))
    assert abs(zero) < 4 * error
    assert zero < near < far


def test_precision_and_recall_tell_a_narrow_set_from_a_wide_one():
    real, narrow, wide = gaussian(1000, seed=1), gaussian(1000, spread=0.3, seed=2), gaussian(1000, spread=4.0, seed=3)
    precision, recall = evaluate.precision_recall(real, narrow)
    assert precision > 0.95 > 0.7 > recall
    precision, recall = evaluate.precision_recall(real, wide)
    assert precision < 0.5 < 0.9 < recall
    assert evaluate.precision_recall(real, real.clone()) == (1.0, 1.0)


def test_memorisation_finds_copies():
    known, unseen = gaussian(800, seed=1), gaussian(400, seed=2)
    honest, error = evaluate.memorisation(gaussian(400, seed=3), unseen, known)
    copied, _ = evaluate.memorisation(known[:400] + 1e-3, unseen, known)
    assert abs(honest - 1) < 4 * error
    assert copied < 0.05


def test_nearest_counts_ranks():
    points = torch.tensor([[0.0]], dtype=torch.float64)
    others = torch.tensor([[3.0], [1.0], [2.0]], dtype=torch.float64)
    assert [float(evaluate.nearest(points, others, rank)) for rank in (1, 2, 3)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [(12.345, 0.0678, "12.345 ± 0.068"), (100.0, 12.0, "100 ± 12"), (0.5, 0.0, "0.500 ± 0.000"), (88.88, 0.25, "88.88 ± 0.25")],
)
def test_numbers_have_two_digits_of_their_error(value, error, text):
    assert evaluate.shown(value, error) == text


# ---- likelihood -------------------------------------------------------------------------------------------------------


class Coin(torch.nn.Module):
    """Every pixel is white with probability 1/4, whatever the others are."""

    binary, levels = True, 2

    def log_likelihood(self, images, draws=None):
        limit = draws.uniform(*images.shape[1:]) if draws is not None else 0.5
        white = (images > limit).sum(dim=(1, 2, 3))
        return white * math.log(0.25) + (images[0].numel() - white) * math.log(0.75)


def test_an_exact_likelihood_is_averaged_over_pictures(data_folder):
    test = evaluate.load_data("mnist", "test", 28, str(data_folder), 1)
    (number,) = evaluate.likelihood_measures(Coin(), test, evaluate.FULL)
    share = float(test.unit().mean())
    expected = -784 * (share * math.log(0.25) + (1 - share) * math.log(0.75))
    assert number.value == pytest.approx(expected, rel=0.01)
    assert "exact" in number.protocol
    assert "dynamic binarisation" in number.protocol
    assert "60 pictures" in number.protocol


def test_a_protocol_names_the_grey_levels(data_folder):
    test = evaluate.load_data("fashion", "test", 16, str(data_folder), 1)
    model = build("pixelcnn")
    nll, bits = evaluate.likelihood_measures(model, test, evaluate.FULL)
    assert "rounded to 4 grey levels" in nll.protocol
    assert bits.value == pytest.approx(nll.value / 256 / math.log(2))
    other = evaluate.other_measure(model, test, evaluate.FULL)
    assert other.value == pytest.approx(nll.value)
    assert "has seen none" in other.protocol


# ---- translations -----------------------------------------------------------------------------------------------------


def test_the_discrepancy_is_torchmetrics_one():
    from torchmetrics.image.kid import poly_mmd

    one, other = gaussian(30, seed=1), gaussian(30, mean=0.4, seed=2)
    assert float(evaluate.squared_discrepancy(one, other)) == pytest.approx(float(poly_mmd(one, other)), rel=1e-6)
    splits = evaluate.kernel_splits(gaussian(90, seed=1), gaussian(60, seed=2))
    assert splits.shape == (3,)
    assert abs(float(splits.mean())) < 0.3
    assert float(evaluate.kernel_splits(one, other + 3).min()) > 1


def test_a_translation_is_held_against_the_true_picture():
    one = torch.randint(0, 200, (10, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    other = one + 51  # a fifth of the range
    assert evaluate._differences(one, other).tolist() == pytest.approx([0.2] * 10)
    assert evaluate.noise_ratios(one, other).tolist() == pytest.approx([-20 * math.log10(0.2)] * 10)
    assert evaluate.similarities(one, one).tolist() == pytest.approx([1.0] * 10)
    assert (evaluate.similarities(one, other) < 0.99).all()
    made = evaluate.translated(lambda images: 1 - images, one)
    assert torch.equal(made, 255 - one)


def pairs(maps: torch.Tensor, photos: torch.Tensor) -> DataSet:
    return DataSet("pairs", "train", maps, torch.zeros(len(maps), 1, dtype=torch.int64), {}, photos, ("maps", "photos"), True)


def test_the_mean_picture_per_colour():
    maps = torch.zeros(20, 3, 4, 4, dtype=torch.uint8)
    maps[:10, 2] = 255  # blue
    maps[:, :, 0, 0] = torch.tensor([255, 0, 0], dtype=torch.uint8)  # red, only ever in this corner
    photos = torch.where(maps[:, 2:] == 255, 200, 40).to(torch.uint8).expand(-1, 3, -1, -1).clone()
    photos[:, :, 0, 0] = 120
    means = evaluate.ColourMeans(pairs(maps, photos))
    assert torch.equal(means(maps), photos)
    red = maps[:1].clone()
    red[:] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    assert torch.equal(means(red), torch.full_like(red, 120))  # where red never stood, its mean elsewhere
    nearly = maps.clone()
    nearly[:10, 1] = 40  # a blue that never occurred
    assert torch.equal(means(nearly)[:, :, 1:], photos[:, :, 1:])


def test_labels_found_again():
    table = torch.tensor([[[6, 2, 0], [1, 1, 0], [0, 0, 0]]])
    pixels, classes, overlap = evaluate.label_shares(table)[0].tolist()
    assert pixels == pytest.approx(100 * 7 / 10)
    assert classes == pytest.approx(100 * (6 / 8 + 1 / 2) / 2)  # the third label was not asked for
    assert overlap == pytest.approx(100 * (6 / 9 + 1 / 4) / 2)
    segmenter = build("segmenter")
    maps = (segmenter.palette[torch.randint(0, 3, (4, 32, 32))].permute(0, 3, 1, 2) * 255).to(torch.uint8)
    counts = evaluate.found_labels(segmenter, maps, maps)
    assert counts.shape == (4, 3, 3)
    assert (counts.sum(dim=(1, 2)) == 32 * 32).all()
    labels = segmenter.labels(maps / 255)
    assert counts[0].sum(dim=1).tolist() == [int((labels[0] == label).sum()) for label in range(3)]
    numbers = evaluate.label_measures(counts, "here", counts)
    assert [number.key for number in numbers] == ["labels-pixels", "labels-classes", "labels-overlap"]
    assert all(number.value == number.real for number in numbers)


@pytest.fixture
def translators(shelf, data_folder, monkeypatch):
    """Untrained tiny translators of both kinds, a segmenter and the feature network of faces."""
    monkeypatch.setattr(evaluate, "FEWEST_PAIRS", 6)
    monkeypatch.setattr(evaluate, "frechet_error", lambda real, fake: 0.1)  # hundreds of decompositions, tested elsewhere
    for name, arguments in (
        ("features-faces", {"size": 16, "channels": 3, "width": 4}), ("segmenter-facades", {}),
        ("pix2pix-facades", {"channels": 3}), ("cyclegan-monet2photo", {"channels": 3}),
    ):  # fmt: skip
        model, data = catalog.split_name(name)
        kind = catalog.model_class(model)
        torch.manual_seed(0)
        record = {"model": model, "data": data, "domains": ["one", "other"]}
        catalog.save(kind(**kind.tiny | arguments), shelf / name, record)
    return ["--data-dir", str(data_folder)]


def test_translators_are_measured_and_checked(translators, shelf, capsys):
    keys = {}
    for name in ("pix2pix-facades", "cyclegan-monet2photo", "segmenter-facades"):
        assert evaluate.main([name, *translators]) == 0
        stored = json.loads((shelf / name / "evaluation.json").read_text(encoding="utf-8"))
        keys[name] = [number["key"] for number in stored["measures"]]
        assert all(math.isfinite(number["value"]) and number["error"] >= 0 for number in stored["measures"])
        assert evaluate.main([name, *translators, "--check"]) == 0
        assert evaluate.main([name, *translators, "--check", "--quick"]) == 0
        assert publish.main([name]) == 0
        text = (shelf / name / "README.md").read_text(encoding="utf-8")
        assert evaluate.shown(stored["measures"][0]["value"], stored["measures"][0]["error"]) in text
    paired = {f"{key}{end}" for key in ("l1", "ssim", "psnr", "frechet", "kernel") for end in ("", "-input", "-colours")}
    labels = {"labels-pixels", "labels-classes", "labels-overlap"}
    assert set(keys["pix2pix-facades"]) == paired | labels | {"kernel-gain"}
    both = {"frechet", "frechet-input", "kernel", "kernel-input", "kernel-gain", "cycle"}
    assert set(keys["cyclegan-monet2photo"]) == both | {f"{key}-back" for key in both}
    assert set(keys["segmenter-facades"]) == labels


# ---- restorations -----------------------------------------------------------------------------------------------------


def test_brightness_is_matlabs():
    colours = torch.tensor([[255, 0, 255, 0, 100], [255, 0, 0, 255, 150], [255, 0, 0, 0, 200]], dtype=torch.uint8)[:, None]
    assert evaluate.luma(colours).flatten().tolist() == [235, 16, 81, 145, 137]
    grey = torch.arange(5, dtype=torch.uint8)[None, None]
    assert evaluate.luma(grey).flatten().tolist() == [0, 1, 2, 3, 4]


def test_fidelity_is_that_of_the_formulas_within_the_border():
    generator = torch.Generator().manual_seed(0)
    true = (torch.rand(3, 8, 10, generator=generator).repeat_interleave(5, 1).repeat_interleave(5, 2) * 255).to(torch.uint8)
    noise = torch.randint(-20, 21, true.shape, generator=generator)
    made = (true.int() + noise).clamp(0, 255).to(torch.uint8)
    made[:, :4] = 0  # cut off
    found = evaluate.fidelities(made, true, 4)
    one, other = (picture[:, 4:-4, 4:-4] for picture in (made, true))
    row = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    window = (row[:, None] * row / row.sum() ** 2)[None, None]

    def mean(x: torch.Tensor) -> torch.Tensor:  # of whole windows only
        return torch.nn.functional.conv2d(x[:, None], window)

    for place, a, b in ((0, evaluate.luma(one), evaluate.luma(other)), (2, one.double(), other.double())):
        assert float(found[place]) == pytest.approx(10 * math.log10(255**2 / float((a - b).square().mean())), abs=1e-6)
        spread = [mean(x * y) - mean(x) * mean(y) for x, y in ((a, a), (b, b), (a, b))]
        top = (2 * mean(a) * mean(b) + 2.55**2) * (2 * spread[2] + 7.65**2)  # Wang 2004, eq. 13
        below = (mean(a) ** 2 + mean(b) ** 2 + 2.55**2) * (spread[0] + spread[1] + 7.65**2)
        assert float(found[place + 1]) == pytest.approx(float((top / below).mean()), abs=1e-6)
    grey = evaluate.fidelities(made[:1], true[:1], 4)
    assert torch.equal(grey[:2], grey[2:])


def test_details_are_seen_as_large_as_they_are():
    judge = catalog.model_class("features")(size=16, channels=3, width=4, classes=[2]).eval()
    pictures = torch.randint(0, 256, (3, 3, 32, 40), dtype=torch.uint8)
    with torch.no_grad():
        found = evaluate._details(judge, pictures)
        assert found.shape == (3, 4, 128)
        for place, (top, left) in enumerate(((0, 0), (0, 16), (16, 0), (16, 16))):
            cut = pictures[:, :, top : top + 16, left : left + 16]
            assert torch.allclose(found[:, place], judge(cut).double(), atol=1e-4)
        assert evaluate._details(judge, pictures[..., :9, :12]).shape == (3, 1, 128)


@pytest.fixture
def restorers(shelf, data_folder, monkeypatch):
    """Untrained tiny restorers, and the feature network of faces."""
    monkeypatch.setattr(evaluate, "FEWEST", 20)
    monkeypatch.setattr(evaluate, "frechet_error", lambda real, fake: 0.1)
    monkeypatch.setattr(data, "split_of", lambda content: split_of(content, test=50))  # thirty faces
    evaluate._part.cache_clear()
    for name, arguments in (
        ("features-faces", {"size": 16, "channels": 3, "width": 4, "classes": [10, 2, 5]}), ("edsr-photos", {"size": 32}),
        ("edsr-faces", {"size": 32}), ("srgan-faces", {"size": 32}), ("edsr-snapshots", {"size": 32, "realistic": True}),
        ("edsr-faces8", {"size": 32, "scale": 8, "start": "edsr-faces"}),
    ):  # fmt: skip
        model, part = catalog.split_name(name)
        kind = catalog.model_class(model)
        torch.manual_seed(len(name))
        record = {"model": model, "data": {"snapshots": "photos", "faces8": "faces"}.get(part, part), "degradation": "shrunk"}
        catalog.save(kind(**kind.tiny | {"channels": 3} | arguments), shelf / name, record)
    yield ["--data-dir", str(data_folder)]
    evaluate._part.cache_clear()


def test_restorers_are_measured_and_checked(restorers, shelf, capsys):
    keys = {}
    for name in ("edsr-photos", "edsr-faces", "srgan-faces", "edsr-snapshots", "edsr-faces8"):
        assert evaluate.main([name, *restorers]) == 0
        stored = json.loads((shelf / name / "evaluation.json").read_text(encoding="utf-8"))
        keys[name] = {number["key"]: number for number in stored["measures"]}
        assert all(math.isfinite(number["value"]) and number["error"] >= 0 for number in stored["measures"])
        assert evaluate.main([name, *restorers, "--check"]) == 0
        assert evaluate.main([name, *restorers, "--check", "--quick"]) == 0
        assert publish.main([name]) == 0
        text = (shelf / name / "README.md").read_text(encoding="utf-8")
        assert evaluate.shown(stored["measures"][0]["value"], stored["measures"][0]["error"]) in text
        assert "model.enlarge(pictures)" in text and "| Trained to undo | shrunk |" in text
    endings = {"psnr-y": 3, "ssim-y": 3, "psnr-rgb": 2, "ssim-rgb": 2, "gain": 1}

    def fidelity(title: str) -> set[str]:
        return {f"{key}{title}{end}" for key, count in endings.items() for end in ("", "-bicubic", "-ensemble")[:count]}

    both, sets = fidelity(""), fidelity("") | fidelity("-set5") | fidelity("-set14")
    assert set(keys["edsr-photos"]) == set(keys["edsr-snapshots"]) == sets
    seen = {f"{key}{end}" for end in ("", "-bicubic", "-ensemble") for key in (
        "identity", "agreement-age", "agreement-gender", "agreement-ethnicity")}  # fmt: skip
    far = {"frechet", "kernel", "frechet-bicubic", "kernel-bicubic"}
    assert set(keys["edsr-faces"]) == set(keys["edsr-faces8"]) == both | seen | far  # what it started from enlarges less
    start = {"psnr-y", "ssim-y", "identity", "agreement-age", "agreement-gender", "agreement-ethnicity", "frechet", "kernel"}
    assert set(keys["srgan-faces"]) == both | seen | far | {f"{key}-start" for key in start} | {"kernel-gain"}
    measured = keys["edsr-photos"]
    assert measured["gain"]["value"] == pytest.approx(measured["psnr-y"]["value"] - measured["psnr-y-bicubic"]["value"], abs=1e-4)
    assert "32.46 dB" in measured["psnr-y-set5"]["paper"] and "28.42 dB" in measured["psnr-y-set5-bicubic"]["paper"]
    assert not any("Lim 2017" in number["paper"] for number in keys["edsr-snapshots"].values())  # shrunk in another way
    assert "JPEG" in keys["edsr-snapshots"]["psnr-y-set5"]["protocol"]
    assert "each cut into 4 squares that the network sees without reduction" in keys["edsr-faces"]["kernel"]["protocol"]
    assert "which the training asked too" in keys["srgan-faces"]["kernel"]["protocol"]
    assert "which the training asked too" not in keys["edsr-faces"]["kernel"]["protocol"]


def test_too_few_pairs_are_one_sentence(translators, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "FEWEST_PAIRS", 24)
    assert evaluate.main(["cyclegan-monet2photo", *translators]) == 1
    assert "24 are needed" in capsys.readouterr().err


# ---- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def published(shelf, small_dcgan, data_folder, tmp_path, monkeypatch):
    """A tiny DCGAN and a tiny feature network, trained for six steps and published on the shelf."""
    from accelerate.state import AcceleratorState

    monkeypatch.setattr(evaluate, "FEWEST", 20)
    features = catalog.model_class("features")
    recipe = features.recipes["fashion"]
    small = type(recipe)(steps=4, batch_size=8, arguments=features.recipes["fashion"].arguments | {"width": 4}, precision="no")
    monkeypatch.setattr(features, "recipes", {"fashion": small})
    for name in ("dcgan-fashion", "features-fashion"):
        AcceleratorState._reset_state(reset_partial_state=True)
        arguments = [name, "--data-dir", str(data_folder), "--out", str(tmp_path / name), "--sample-every", "0", "--cpu"]
        assert train.main(arguments) == 0
        assert publish.main([name, "--from", str(tmp_path / name)]) == 0
    evaluate.real_features.cache_clear()
    return ["dcgan-fashion", "--data-dir", str(data_folder), "--samples", "60"]


def test_numbers_are_written_checked_and_shown_on_the_card(published, shelf, capsys):
    assert evaluate.main(published) == 0
    stored = json.loads((shelf / "dcgan-fashion" / "evaluation.json").read_text(encoding="utf-8"))
    assert [number["key"] for number in stored["measures"]] == ["frechet", "kernel", "precision", "recall", "memorisation"]
    assert all("features-fashion" in number["protocol"] for number in stored["measures"])
    assert evaluate.main([*published, "--check"]) == 0
    assert evaluate.main([*published, "--check", "--quick"]) == 0
    assert publish.main(["dcgan-fashion"]) == 0
    shown = (shelf / "dcgan-fashion" / "README.md").read_text(encoding="utf-8")
    assert evaluate.shown(stored["measures"][0]["value"], stored["measures"][0]["error"]) in shown
    # a number that somebody bettered by hand is found out
    stored["measures"][0]["value"] = 0.001
    stored["measures"][0]["error"] = 1e-6
    (shelf / "dcgan-fashion" / "evaluation.json").write_text(json.dumps(stored), encoding="utf-8")
    capsys.readouterr()
    assert evaluate.main([*published, "--check"]) == 1
    assert "OUTSIDE" in capsys.readouterr().out


def test_all_weights_are_checked_and_a_card_that_says_too_much_is_found(published, shelf, capsys):
    options = published[1:]
    for name in ("dcgan-fashion", "features-fashion"):
        assert evaluate.main([name, *options]) == 0
    catalog.save(build("dcgan"), shelf / "dcgan-mine", {"model": "dcgan", "data": "folder"})  # a user's own is on no card
    capsys.readouterr()
    assert evaluate.main(["--all", "--check", "--quick", *options]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines() if line.endswith("(quick)")] == ["dcgan-fashion", "features-fashion"]
    assert said.count(": ok") >= 6 and "OUTSIDE" not in said
    file = shelf / "features-fashion" / "evaluation.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    for number in stored["measures"]:
        number["quick"]["value"] += 3.1 * math.hypot(number["quick"]["error"], number["quick"]["error"])
    file.write_text(json.dumps(stored), encoding="utf-8")
    assert evaluate.main(["--all", "--check", "--quick", *options]) == 1
    first, second = capsys.readouterr().out.split("features-fashion (quick)")
    assert "OUTSIDE" not in first and second.count("OUTSIDE") == len(stored["measures"])


def test_what_cannot_be_measured_is_one_sentence(published, capsys):
    cases = [
        (["dcgan-fashion", "--data-dir", "/nowhere"], "nowhere"),
        (["dcgan-mnist"], "dcgan-mnist"),
        (["dcgan-fashion", "--check"], "measure first"),
        (["dcgan-fashion", "--samples", "3"], "too few"),
        (["dcgan-fashion", "--weights", "/nowhere"], "no weights"),
    ]
    for arguments, word in cases:
        assert evaluate.main(arguments) == 1
        said = capsys.readouterr().err.strip()
        assert said.startswith("error: ")
        assert word in said
        assert "\n" not in said


def test_samples_are_the_rows_of_seed_0(published):
    model, judge = catalog.load("dcgan-fashion"), catalog.load("features-fashion")
    features = evaluate.sampled_features(model, judge, 30)
    with torch.inference_mode():
        pictures = (model.sample(Draws(0, 30)) * 255).round() / 255
        assert torch.allclose(features, judge(pictures).double(), atol=1e-4)


# ---- sampling in steps ------------------------------------------------------------------------------------------------


@pytest.fixture
def stepwise(shelf, data_folder, tmp_path, monkeypatch):
    """A tiny DDPM, trained for a few steps, on the shelf; its checkpoint; the feature network of digits."""
    from accelerate.state import AcceleratorState

    monkeypatch.setattr(evaluate, "FEWEST", 20)
    monkeypatch.setattr(evaluate, "STEPS", (2, 4))
    monkeypatch.setattr(evaluate, "QUICK", evaluate.Effort(30, 30, 30, 30, 60, steps=12))
    features, kind = catalog.model_class("features"), catalog.model_class("ddpm")
    catalog.save(features(size=28, width=4), shelf / "features-mnist", {"model": "features", "data": "mnist"})
    arguments = kind.tiny | dict(size=28, classes=[10])
    monkeypatch.setattr(kind, "recipes", {"mnist": Recipe(steps=5, batch_size=4, arguments=arguments, precision="no")})
    monkeypatch.setattr(kind.sample, "__defaults__", (3, *kind.sample.__defaults__[1:]))
    AcceleratorState._reset_state(reset_partial_state=True)
    given = ["ddpm-mnist", "--data-dir", str(data_folder), "--out", str(tmp_path / "run"), "--sample-every", "0", "--cpu"]
    assert train.main(given) == 0
    AcceleratorState._reset_state(reset_partial_state=True)
    assert publish.main(["ddpm-mnist", "--from", str(tmp_path / "run")]) == 0
    evaluate.real_features.cache_clear()
    yield ["ddpm-mnist", "--data-dir", str(data_folder), "--samples", "40"], tmp_path / "run" / train.CHECKPOINT
    evaluate.real_features.cache_clear()


def test_ways_to_sample_and_the_last_weights_are_measured_and_kept(stepwise, shelf, capsys):
    given, checkpoint = stepwise
    file = shelf / "ddpm-mnist" / "evaluation.json"

    def numbers() -> dict[str, dict]:
        return {number["key"]: number for number in json.loads(file.read_text(encoding="utf-8"))["measures"]}

    ways = {f"kernel-eta{eta}-{steps}" for eta in (0, 1) for steps in (2, 4)}
    last = {"kernel-average", "kernel-last", "kernel-average-gain"}
    assert evaluate.main([*given, "--checkpoint", str(checkpoint)]) == 0
    first = numbers()
    assert set(first) == {"frechet", "kernel", "precision", "recall", "memorisation"} | ways | last
    assert all(number["error"] > 0 and math.isfinite(number["value"]) for number in first.values())
    assert len({first[key]["value"] for key in ways}) == 4
    gain = first["kernel-last"]["value"] - first["kernel-average"]["value"]
    assert first["kernel-average-gain"]["value"] == pytest.approx(gain, rel=1e-3, abs=1e-9) and gain != 0
    assert "6 splits" in first["kernel-eta0-2"]["protocol"] and "40 samples" in first["kernel-eta0-2"]["protocol"]
    # without the checkpoint the numbers that only it gives stay, and are no fault
    assert evaluate.main(given) == 0
    assert numbers() == first
    assert evaluate.main([*given, "--check"]) == 0
    assert evaluate.main([*given, "--check", "--quick"]) == 0
    assert "kernel-last: stored; give --checkpoint" in capsys.readouterr().out
    assert evaluate.main([*given, "--check", "--checkpoint", str(checkpoint)]) == 0
    assert publish.main(["ddpm-mnist"]) == 0
    assert "Kernel distance, last weights" in (shelf / "ddpm-mnist" / "README.md").read_text(encoding="utf-8")


def test_the_number_of_steps_and_fresh_noise_reach_the_sampler(stepwise):
    model, judge = catalog.load("ddpm-mnist"), catalog.load("features-mnist")
    ways = evaluate.step_features(model, judge, 3)
    with torch.inference_mode():
        pictures = (model.sample(Draws(0, 3), steps=4, eta=1.0) * 255).round() / 255
        assert torch.allclose(ways[1, 4], judge(pictures).double(), atol=1e-3)
    assert evaluate.step_features(build("dcgan"), judge, 3) == {}


def test_another_checkpoint_is_refused_in_one_sentence(stepwise, tmp_path, capsys):
    given, checkpoint = stepwise
    state = torch.load(checkpoint, weights_only=True)
    key = next(key for key in state["average"] if key.startswith("module.network"))
    state["average"][key] += 1
    torch.save(state, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("milk, bread", encoding="utf-8")
    torch.save({"average": 3}, tmp_path / "odd.pt")
    for name, word in dict(other="of other weights", text="no checkpoint", odd="no checkpoint", none="no checkpoint").items():
        assert evaluate.main([*given, "--checkpoint", str(tmp_path / f"{name}.pt")]) == 1
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith("error: ") and word in said
    assert evaluate.main(["features-mnist", *given[1:3], "--checkpoint", str(checkpoint)]) == 1
    assert "leave out --checkpoint" in capsys.readouterr().err
