"""Samples by a command: the page's own pictures, and one sentence for what cannot be had."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from gen_models import Draws, catalog, load, sample


@pytest.fixture
def stocked(shelf):
    """A small model that samples, and one that does not."""
    small = {"dcgan": dict(size=16, channels=1, width=4, latent_dim=8), "edsr": catalog.model_class("edsr").tiny}
    for kind, given in small.items():
        torch.manual_seed(0)
        model = catalog.model_class(kind)(**given).eval()
        catalog.save(model, shelf / f"{kind}-mine", {"model": kind, "data": "folder", "classes": {}})
    return shelf


def test_the_file_holds_the_samples_of_the_seed(stocked, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sample, "BATCH", 2)  # picture 4 is the same whatever came with it
    assert sample.main(["dcgan-mine", "--seed", "7", "--count", "5", "--columns", "3", str(tmp_path / "out.png")]) == 0
    assert "5 samples of dcgan-mine, seed 7" in capsys.readouterr().out
    found = np.asarray(Image.open(tmp_path / "out.png"), int)
    assert found.shape == (32, 48)
    with torch.no_grad():
        wanted = (load("dcgan-mine").sample(Draws(7, 5))[:, 0] * 255).round().int().numpy()
    for place in range(5):
        top, left = place // 3 * 16, place % 3 * 16
        assert np.abs(found[top : top + 16, left : left + 16] - wanted[place]).max() <= 1
    assert found[16:, 32:].max() == 0


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["dcgan-mine", "--count", "0", "x.png"], "--count must be from 1 to 10,000"),
        (["dcgan-mine", "--seed", "-1", "x.png"], "--seed not negative"),
        (["dcgan-mine", "--columns", "0", "x.png"], "--columns must be at least 1"),
        (["edsr-mine", "x.png"], "makes no samples"), (["dcgan-nobody", "x.png"], "dcgan-nobody"), (["nobody", "x.png"], "nobody"),
        (["dcgan-mine", "no/such/folder/x.png"], "cannot be written"),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)  # fmt: skip
def test_what_cannot_be_had_is_said_in_one_sentence(stocked, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert sample.main(arguments) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and said in told and told.count("\n") == 1
    assert not (tmp_path / "x.png").exists()
