"""Promises about the shipped weights: every one loads, is the one on its card, and paints the pictures on its card."""

import json
import os
import re
import shlex
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from gen_models import Draws, catalog, evaluate, train
from gen_models.base import Model, Restorer
from gen_models.cards import card
from gen_models.verbs import Rounds, Samples

SHIPPED = sorted(catalog.table())
SAMPLERS = [name for name in SHIPPED if issubclass(catalog.model_class(catalog.split_name(name)[0]), Samples)]
RESTORERS = [name for name in SHIPPED if issubclass(catalog.model_class(catalog.split_name(name)[0]), Restorer)]


QUICKEST = [
    "autoencoder-mnist", "bayes_classifier-mnist", "bayes_classifier-fashion", "dcgan-mnist", "dcgan-fashion", "features-faces",
    "features-fashion", "features-mnist", "gmm-mnist", "pix2pix-edges2bags", "pixelcnn-mnist",
    "vae-mnist", "vi_gmm-fashion",
]  # fmt: skip
"""Of each kind what takes a few seconds to measure; the rest takes minutes: python -m gen_models.evaluate --all --check --quick"""


def levels(pictures: torch.Tensor) -> np.ndarray:
    """(N, C, H, W) in [0, 1] -> 8-bit levels as int (N, H, W, C)."""
    return (pictures * 255).round().to(torch.int16).permute(0, 2, 3, 1).numpy()


def tiles(name: str) -> np.ndarray:
    """The 64 pictures of ``samples.png``, int (64, H, W, 3)."""
    with Image.open(catalog.WEIGHTS / name / "samples.png") as file:
        sheet = np.asarray(file.convert("RGB"), np.int16)
    side = sheet.shape[0] // 8
    return sheet.reshape(8, side, 8, side, 3).transpose(0, 2, 1, 3, 4).reshape(64, side, side, 3)


def test_there_are_weights_to_test():
    assert len(SAMPLERS) >= 2


@pytest.mark.parametrize("name", SAMPLERS)
def test_it_paints_the_pictures_on_its_card(name):
    with torch.inference_mode():
        made = levels(catalog.load(name).sample(Draws(0, 16)))
    difference = np.abs(made - tiles(name)[:16])
    if isinstance(catalog.load(name), Rounds):
        # where a pixel decides the next, a rounded bit may turn the rest of a picture, in a rare one
        assert (difference.max(axis=(1, 2, 3)) > 3).sum() <= 1
        return
    # another processor rounds otherwise: a level here and there, never a picture
    assert difference.max() <= 3
    assert difference.mean() < 0.05


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_seed_and_a_place_decide_the_picture_whatever_the_batch(name):
    model = catalog.load(name)
    with torch.inference_mode():
        together = model.sample(Draws(7, 16))
        alone = torch.cat([model.sample(Draws(7, 1, first=index)) for index in (0, 15)])
    assert together.shape == (16, *model.image_shape) and together.min() >= 0 and together.max() <= 1
    assert levels(together).std(axis=0).max() > 5, "sixteen times the same picture"
    ends = together[[0, 15]]
    if isinstance(model, Rounds):
        assert (ends != alone).flatten(1).any(dim=1).sum() <= 1
        return
    assert torch.allclose(ends, alone, atol=1e-5)
    assert np.abs(levels(ends) - levels(alone)).max() <= 1


def test_restorers_make_what_their_cards_room_shows():
    for name in RESTORERS:
        folder, model = catalog.WEIGHTS / name, catalog.load(name)
        with Image.open(folder / "inputs.webp") as small, Image.open(folder / "result.webp") as stored:
            first = np.asarray(small.convert("RGB"))[:, : small.height]
            wanted = np.asarray(stored.convert("RGB"), np.int16)
        with torch.inference_mode():
            made = levels(model.upscale(torch.tensor(first).permute(2, 0, 1)[None].float() / 255))[0]
        assert made.shape == wanted.shape
        assert np.abs(made - wanted).mean() < 3, name  # WebP loses a little
        assert made.std() > 10


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_is_of_these_weights(name):
    folder = catalog.WEIGHTS / name
    assert (folder / "README.md").read_text(encoding="utf-8") == card(name)
    measured = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert measured["sha256"] == catalog.table()[name]["sha256"]
    assert measured["measures"]
    for number in measured["measures"]:
        assert np.isfinite(number["value"])
        assert number["protocol"]
        assert number["error"] > 0


@pytest.mark.parametrize("name", SHIPPED)
def test_the_command_on_the_card_exists_and_makes_this_model(name):
    config = catalog.config_of(name)
    facts = config["training"]
    assert f"`{facts['command']}`" in card(name)
    assert re.fullmatch("[0-9a-f]{40}", facts["commit"])
    assert facts["commit"] in card(name)
    for command in facts["command"].split(" && "):
        assert command.startswith("python -m gen_models.train ")
        given = train.parser().parse_args(shlex.split(command)[3:])
        assert given.name == name
        model, data = catalog.split_name(given.name)
        kind = catalog.model_class(model)
        recipe = train.recipe_for(kind, given.data or data, given)
        built = kind(**recipe.arguments)
        assert built.config == kind(**config["arguments"]).config
        train.begin(built)
        fitted = kind.fit is not Model.fit
        assert fitted or built.optimizers()
        if not built.scaffold:  # what is published is what this command trains, weight by weight
            published = catalog.load(name).state_dict()
            assert {key: value.shape for key, value in built.state_dict().items()} == {
                key: value.shape for key, value in published.items()
            }
    # the last command is the one that went to the end
    assert recipe.steps == facts["steps"]
    assert facts["batch_size"] == (facts["training_pictures"] if fitted else recipe.batch_size)


@pytest.mark.parametrize("name", QUICKEST)
def test_the_numbers_on_the_card_are_found_again(name, tmp_path, monkeypatch, capsys):
    """By a few hundred pictures, within the bars; without the data sets, as much as can be: the sentence that says so."""
    at_hand = bool(os.environ.get("GALLERY_DATA"))
    monkeypatch.setenv("GALLERY_DATA", os.environ.get("GALLERY_DATA", str(tmp_path)))
    status = evaluate.main([name, "--check", "--quick"])
    said = capsys.readouterr()
    assert status == (0 if at_hand else 1), said.out
    assert at_hand or re.match(r"error: .* not in the data folder|error: \S+\.zip is needed", said.err), said.err
    assert "OUTSIDE" not in said.out


def test_the_commits_on_the_cards_are_in_the_history():
    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", *words], cwd=catalog.PACKAGE, capture_output=True, text=True)

    whole = git("rev-parse", "--is-shallow-repository").stdout.strip() == "false"
    for name in SHIPPED if whole else ():  # an archive or a shallow clone has no history to ask
        commit = catalog.config_of(name)["training"]["commit"]
        assert git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, f"{name}: {commit}"


def test_a_clone_stays_small():
    sizes = {name: entry["bytes"] for name, entry in catalog.table().items()}
    assert max(sizes.values()) <= 8 * 10**6
    assert sum(sizes.values()) <= 120 * 10**6
