"""The command that measures, on tiny weights and data."""

from __future__ import annotations

import json
import math
import re
import shutil

import pytest
import torch
from conftest import build
from torch.nn import functional

from gen_models import cards, catalog, evaluate, publish, train
from gen_models.base import Draws, Recipe
from gen_models.data import split_of
from gen_models.measures import _judge, _measure, _pictures, distances, samples, table
from gen_models.sets import faces, photos

# ---- translations ---------------------------------------------------------------------------------------------------


@pytest.fixture
def translators(shelf, data_folder, monkeypatch):
    """Untrained tiny translators of both kinds, a segmenter and the feature network of faces."""
    monkeypatch.setattr(table, "FEWEST_PAIRS", 6)
    monkeypatch.setattr(distances, "frechet_error", lambda real, fake: 0.1)  # hundreds of decompositions, tested elsewhere
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
        assert cards.shown(stored["measures"][0]["value"], stored["measures"][0]["error"]) in text
    paired = {f"{key}{end}" for key in ("l1", "ssim", "psnr", "frechet", "kernel") for end in ("", "-input", "-colours")}
    labels = {"labels-pixels", "labels-classes", "labels-overlap"}
    assert set(keys["pix2pix-facades"]) == paired | labels | {"kernel-gain"}
    both = {"frechet", "frechet-input", "kernel", "kernel-input", "kernel-gain", "cycle"}
    assert set(keys["cyclegan-monet2photo"]) == both | {f"{key}-back" for key in both}
    assert set(keys["segmenter-facades"]) == labels


@pytest.fixture
def restorers(shelf, data_folder, monkeypatch):
    """Untrained tiny restorers, and the feature network of faces."""
    monkeypatch.setattr(table, "FEWEST", 20)
    monkeypatch.setattr(distances, "frechet_error", lambda real, fake: 0.1)
    for module in (faces, photos):
        monkeypatch.setattr(module, "split_of", lambda content: split_of(content, test=50))  # thirty faces
    _pictures.part.cache_clear()
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
    _pictures.part.cache_clear()


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
        assert cards.shown(stored["measures"][0]["value"], stored["measures"][0]["error"]) in text
        assert "model.upscale(pictures)" in text and "| Trained to undo | shrunk |" in text
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
    monkeypatch.setattr(table, "FEWEST_PAIRS", 24)
    assert evaluate.main(["cyclegan-monet2photo", *translators]) == 1
    assert "24 are needed" in capsys.readouterr().err


# ---- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def published(shelf, small_dcgan, data_folder, tmp_path, monkeypatch):
    """A tiny DCGAN and a tiny feature network, trained for six steps and published on the shelf."""
    from accelerate.state import AcceleratorState

    monkeypatch.setattr(table, "FEWEST", 20)
    features = catalog.model_class("features")
    recipe = features.recipes["fashion"]
    small = type(recipe)(steps=4, batch_size=8, arguments=features.recipes["fashion"].arguments | {"width": 4}, precision="no")
    monkeypatch.setattr(features, "recipes", {"fashion": small})
    for name in ("dcgan-fashion", "features-fashion"):
        AcceleratorState._reset_state(reset_partial_state=True)
        arguments = [name, "--data-dir", str(data_folder), "--out", str(tmp_path / name), "--sample-every", "0", "--cpu"]
        assert train.main(arguments) == 0
        assert publish.main([name, "--from", str(tmp_path / name)]) == 0
    _judge.real_features.cache_clear()
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
    assert cards.shown(stored["measures"][0]["value"], stored["measures"][0]["error"]) in shown
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
        number["quick"]["value"] += 0.2 * number["quick"]["error"] + 0.05 * abs(number["quick"]["value"])
    file.write_text(json.dumps(stored), encoding="utf-8")
    assert evaluate.main(["--all", "--check", "--quick", *options]) == 1
    first, second = capsys.readouterr().out.split("features-fashion (quick)")
    assert "OUTSIDE" not in first and second.count("OUTSIDE") == len(stored["measures"])


@pytest.mark.parametrize(
    "unit, value, error, change, red",
    [
        ("dB", 31.3, 1.8, 0.3, True), ("dB", 31.3, 1.8, 0.02, False), ("nats", 88.9, 0.5, 0.3, True),
        ("nats", 88.9, 0.5, 0.01, False),
        ("nats", 1975.1, 25.7, 0.3, True), ("", 25.3, 1.0, 0.05 * 25.3, True), ("", 25.3, 1.0, 0.001, False),
        ("", 0.0666, 0.0083, 0.05 * 0.0666, True), ("", -0.001, 0.0033, 1e-5, False), ("bits", 3.634, 0.047, 0.3, True),
    ],
)  # fmt: skip
def test_a_regression_that_is_planted_is_seen_and_rounding_is_not(unit, value, error, change, red):
    assert (change > evaluate.allowed(unit, value, error)) is red


def test_bicubic_in_the_place_of_a_restorer_is_seen(restorers, shelf, capsys, monkeypatch):
    """Of the five pictures of Set5 the standard error is almost two decibels, and any enlargement would pass by that."""
    assert evaluate.main(["edsr-photos", *restorers]) == 0
    assert evaluate.main(["edsr-photos", *restorers, "--check", "--quick"]) == 0
    kind = catalog.model_class("edsr")
    scale = kind(**kind.tiny | {"channels": 3}).scale

    def bicubic(self, images, *rest, **named):
        return functional.interpolate(images, scale_factor=scale, mode="bicubic").clamp(0, 1)

    monkeypatch.setattr(kind, "upscale", bicubic)
    capsys.readouterr()
    assert evaluate.main(["edsr-photos", *restorers, "--check", "--quick"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"psnr-y: .+OUTSIDE", said) and re.search(r"psnr-y-bicubic: .+ok", said)


def test_choices_are_made_on_the_validation_part_and_the_card_says_which_it_was(published, shelf, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(table, "FEWEST", 5)
    file, chosen = shelf / "dcgan-fashion" / "evaluation.json", tmp_path / "chosen.json"
    assert evaluate.main([*published, "--split", "validation"]) == 0
    assert not file.exists()  # that of the card has the numbers of the test part
    assert evaluate.main([*published, "--split", "validation", "--out", str(chosen)]) == 0
    assert evaluate.main(published) == 0
    by, tested = (json.loads(place.read_text(encoding="utf-8")) for place in (chosen, file))
    assert (by["split"], tested["split"]) == ("validation", "test")
    for one, other in zip(by["measures"], tested["measures"], strict=True):
        assert "the validation part of fashion" in one["protocol"] or "the validation part;" in one["protocol"]
        assert "validation" not in other["protocol"]
    assert by["measures"][0]["value"] != tested["measures"][0]["value"]
    # what was stored of one part is not held against the other
    capsys.readouterr()
    assert evaluate.main([*published, "--check", "--split", "validation"]) == 1
    assert "are of the test part; leave out --split validation" in capsys.readouterr().err
    assert "Measured on the test part." in cards.numbers_table("dcgan-fashion")
    file.write_text(chosen.read_text(encoding="utf-8"), encoding="utf-8")
    assert evaluate.main([*published, "--check"]) == 0  # of the part that was stored
    assert "Measured on the validation part; choices are made on it too" in cards.card("dcgan-fashion")


def test_what_of_a_users_folder_is_left_out_is_said(published, own_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(table, "FEWEST", 5)
    folder = tmp_path / "pictures"
    shutil.copytree(own_folder, folder)
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    assert evaluate.main([*published, "--data", f"folder:{folder}", "--quick"]) == 0
    assert "dcgan-fashion (quick); 1 left out: no picture that can be read (1: notes.txt)\n" in capsys.readouterr().out


def test_what_cannot_be_measured_is_one_sentence(published, capsys):
    cases = [
        (["dcgan-fashion", "--data-dir", "/nowhere"], "nowhere"),
        (["dcgan-mnist"], "dcgan-mnist"),
        (["dcgan-fashion", "--check"], "measure first"),
        (["dcgan-fashion", "--samples", "3"], "too few"),
        (["dcgan-fashion", "--samples", "0"], "too few"),
        (["dcgan-fashion", "--likelihoods", "0"], "says too little"),
        (["dcgan-fashion", "--importance", "0"], "importance samples are none"),
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
    features = samples.sampled_features(model, judge, 30)
    with torch.inference_mode():
        pictures = (model.sample(Draws(0, 30)) * 255).round() / 255
        assert torch.allclose(features, judge(pictures).double(), atol=1e-4)


# ---- sampling in steps ------------------------------------------------------------------------------------------------


@pytest.fixture
def stepwise(shelf, data_folder, tmp_path, monkeypatch):
    """A tiny DDPM, trained for a few steps, on the shelf; its checkpoint; the feature network of digits."""
    from accelerate.state import AcceleratorState

    monkeypatch.setattr(table, "FEWEST", 20)
    monkeypatch.setattr(samples, "STEPS", (2, 4))
    monkeypatch.setattr(evaluate, "QUICK", _measure.Effort(30, 30, 30, 30, 60, steps=12))
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
    _judge.real_features.cache_clear()
    yield ["ddpm-mnist", "--data-dir", str(data_folder), "--samples", "40"], tmp_path / "run" / train.CHECKPOINT
    _judge.real_features.cache_clear()


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
    ways = samples.step_features(model, judge, 3)
    with torch.inference_mode():
        pictures = (model.sample(Draws(0, 3), steps=4, eta=1.0) * 255).round() / 255
        assert torch.allclose(ways[1, 4], judge(pictures).double(), atol=1e-3)
    assert samples.step_features(build("dcgan"), judge, 3) == {}


def test_another_checkpoint_is_refused_in_one_sentence(stepwise, tmp_path, capsys):
    given, checkpoint = stepwise
    state = torch.load(checkpoint, weights_only=True)
    key = next(key for key in state["average"] if key.startswith("module.network"))
    state["average"][key] += 1
    torch.save(state, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("milk, bread", encoding="utf-8")
    torch.save({"average": 3}, tmp_path / "odd.pt")
    flipped = bytearray(checkpoint.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (tmp_path / "flipped.pt").write_bytes(flipped)
    words = {"other": "of other weights"} | dict.fromkeys(["text", "odd", "none", "flipped"], "no checkpoint")
    for name, word in words.items():
        assert evaluate.main([*given, "--checkpoint", str(tmp_path / f"{name}.pt")]) == 1
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith("error: ") and word in said
    assert evaluate.main(["features-mnist", *given[1:3], "--checkpoint", str(checkpoint)]) == 1
    assert "leave out --checkpoint" in capsys.readouterr().err
