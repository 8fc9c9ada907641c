"""What the sliders of a model with latents show: its ends, and names that the pictures bear out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from conftest import build
from PIL import Image

from demos._families.latents import ends_of, slider_settings
from gen_models import catalog, latents, load
from gen_models.sets import _traits as traits
from gen_models.sets import record

NONE = torch.zeros(2, 1)
SHIPPED = [name for kind in ("vae", "iaf_vae") for name in catalog.trained(kind)]


def drawn(*lines: tuple[int, int, int, int]) -> torch.Tensor:
    """Lines from (x, y) to (x, y), light on black, a picture (1, 1, 28, 28) each."""
    pictures = torch.zeros(len(lines), 1, 28, 28)
    for picture, (x, y, to_x, to_y) in zip(pictures, lines, strict=True):
        for share in torch.linspace(0, 1, 60):
            picture[0, round(float(y + share * (to_y - y))), round(float(x + share * (to_x - x)))] = 1
    return pictures


def test_traits_are_what_they_say():
    upright, leaning = traits.slant(drawn((14, 4, 14, 24), (9, 24, 19, 4)), NONE)
    assert upright.abs() < 0.01 and leaning == pytest.approx(0.5, abs=0.05), "the second goes half a step right for each up"
    flat = drawn((4, 14, 24, 14), (12, 4, 12, 24))
    (wide, narrow), (low, high) = traits.width(flat, NONE), traits.height(flat, NONE)
    assert wide > 5 * narrow and high > 5 * low
    lit = torch.zeros(2, 3, 8, 8)
    lit[0, 0, :, :4], lit[1, :, :, 0] = 0.9, 1.0
    assert traits.side_light(lit, NONE).tolist() == pytest.approx([0.3, 0.25])
    assert traits.warmth(lit, NONE).tolist() == pytest.approx([0.45, 0])
    assert traits.background(lit, NONE).tolist() == pytest.approx([0.15, 0.5])
    assert traits.brightness(lit, NONE).tolist() == pytest.approx([0.15, 0.125])
    black = torch.zeros(2, 1, 28, 28)
    assert all(torch.isfinite(measure(black, NONE)).all() for measure in (traits.slant, traits.width, traits.height))


def test_a_name_goes_to_the_clearest_latent_and_only_once():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(2000, 4, generator=generator)
    noise = torch.randn(3, 2000, generator=generator)
    found = latents.names(codes, {
        "first": -codes[:, 2] + 0.3 * noise[0],  # a correlation of about -0.96
        "second": codes[:, 2] + 0.5 * codes[:, 1] + 0.3 * noise[1],  # goes with 2 as well, which has a name
        "third": codes[:, 0] + 3 * noise[2],  # about 0.3: not clear
    })  # fmt: skip
    assert found == {2: "first"}
    assert latents.names(codes, {"constant": torch.ones(2000)}) == {}


def test_the_files_are_written_and_without_data_the_names_stay(tmp_path, data_folder, monkeypatch):
    model = build("vae")
    model.latent_kl.copy_(torch.tensor([0.1, 3.0, 0.2, 0.0, 2.0, 0.5]))
    monkeypatch.setenv("GALLERY_DATA", str(data_folder))
    monkeypatch.setattr(latents, "CLEAR", 0.0)
    latents.write(model, "mnist", tmp_path)
    named = json.loads((tmp_path / latents.NAMES).read_text(encoding="utf-8"))
    assert sorted(named.values()) == sorted(record("mnist").traits) and set(named) <= set("012345")
    with Image.open(tmp_path / latents.ENDS) as image:
        row = np.asarray(image.convert("L"), np.float32) / 255
    side = model.image_shape[-1]
    assert row.shape == (side, 12 * side)
    z = torch.zeros(1, 6)
    z[0, 4] = latents.REACH
    wanted = model.decode(z)[0, 0].detach().numpy()
    assert np.abs(row[:, 7 * side : 8 * side] - wanted).mean() < 0.05, "the upper end of the second one"
    monkeypatch.delenv("GALLERY_DATA")
    (tmp_path / latents.NAMES).write_text("{}", encoding="utf-8")
    latents.write(model, "mnist", tmp_path)
    assert (tmp_path / latents.NAMES).read_text(encoding="utf-8") == "{}"
    latents.write(build("dcgan"), "mnist", tmp_path / "none")
    assert not (tmp_path / "none").exists(), "it has no latents that are weighed"


@pytest.mark.parametrize("weights", SHIPPED)
def test_the_sliders_show_the_ends_of_their_own_latents(weights):
    model, folder = load(weights), catalog.WEIGHTS / weights
    order = model.latent_kl.argsort(descending=True)[: latents.COUNT].tolist()
    wanted = latents.ends(model, order)
    with Image.open(folder / latents.ENDS) as image:
        row = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[: wanted.shape[1]].float() / 255
    assert ends_of(weights).startswith("data:image/webp;base64,")
    assert (row - torch.cat(list(wanted), dim=2)).abs().mean() < 0.03
    named = json.loads((folder / latents.NAMES).read_text(encoding="utf-8"))
    assert {int(latent) for latent in named} <= set(order)
    assert set(named.values()) <= set(record(catalog.config_of(weights)["data"]).traits)
    labels = [settings["label"] for settings in slider_settings(weights, "") if settings["visible"]]
    assert labels == [named.get(str(latent), f"Latent {latent}") for latent in order if model.latent_kl[latent] > 0.02]
