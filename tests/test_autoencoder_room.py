"""The autoencoder's room without a browser: the same draws, maps and walks as the VAE's."""

from __future__ import annotations

import html
import math
import re
import shutil

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch
from conftest import refusal

from demos import _room, autoencoder
from gen_models import Draws, catalog, load

WEIGHTS = "autoencoder-mnist"


@pytest.fixture
def stocked(shelf, monkeypatch):
    """Small untrained models of everything that the room shows."""
    monkeypatch.setattr(autoencoder, "CODED", 30)
    arguments = {
        "autoencoder": dict(size=28, width=16, latent_dim=4), "vae": dict(size=28, width=16, latent_dim=4),
        "dcgan": dict(size=28, channels=1, width=4, latent_dim=8), "features": dict(size=28, channels=1, width=4),
    }  # fmt: skip
    for data in ("mnist", "fashion"):
        for kind, given in arguments.items():
            torch.manual_seed(len(kind))
            model = catalog.model_class(kind)(**given).eval()
            for parameter in model.parameters():
                parameter.data += 0.2 * torch.randn_like(parameter)
            if kind == "autoencoder":
                with torch.no_grad():
                    model.finish(torch.rand(50, 1, 28, 28))
            told = {"digit": list("0123456789")}
            catalog.save(model, shelf / f"{kind}-{data}", {"model": kind, "data": data, "classes": told})
        noise = np.random.default_rng(1).integers(0, 256, (8 * 28, 8 * 28), np.uint8)
        PIL.Image.fromarray(noise).save(shelf / f"dcgan-{data}" / "samples.png")
    autoencoder.planes.cache_clear()
    autoencoder.shown_pictures.cache_clear()
    yield shelf
    autoencoder.planes.cache_clear()
    autoencoder.shown_pictures.cache_clear()


def test_both_grids_are_the_models_own_draws(stocked):
    found = autoencoder.both_pictures(WEIGHTS, 3, 1.0)
    with torch.no_grad():
        wanted = {"autoencoder": load(WEIGHTS).sample(Draws(3, 16)), "vae": load("vae-mnist").sample(Draws(3, 16))}
    for kind, pictures in wanted.items():
        for image, picture in zip(found[kind], pictures, strict=True):
            assert np.abs(np.asarray(image, int) - np.asarray(_room.to_pil(picture), int)).max() <= 1
    still = autoencoder.both_pictures(WEIGHTS, 3, 0.0)
    assert len({image.tobytes() for image in still["autoencoder"]}) == 1
    tiles = autoencoder.both(WEIGHTS, 3, 1.0)
    assert 'aria-label="autoencoder 15"' in tiles[0] and 'aria-label="VAE 15"' in tiles[1]


def test_a_plane_has_the_directions_of_most_variance():
    class Plain:
        """Its code is the picture itself."""

        device = torch.device("cpu")

        def encode(self, pictures):
            return pictures.flatten(1)

        def decode(self, codes):
            return 0.5 * codes.view(-1, 1, 2, 2)

    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(500, 1, 2, 2, generator=generator) * torch.tensor([[0.1, 3.0], [0.2, 1.0]]) + 1
    plane = autoencoder.plane_of(Plain(), pictures)
    assert float(plane.across.norm()) == pytest.approx(3, rel=0.1) and float(plane.up.norm()) == pytest.approx(1, rel=0.1)
    assert abs(float(plane.across @ plane.up)) < 1e-4
    assert plane.across.abs().argmax() == 1 and plane.across.max() > 0
    assert plane.places.std(dim=0).tolist() == pytest.approx([1, 1], rel=1e-3)
    assert torch.allclose(plane.codes(torch.tensor([[1.0, 0.0]])), (plane.middle + plane.across)[None])
    halved, moved = autoencoder.going_round(Plain(), torch.tensor([[2.0, 0.0, 0.0, 0.0]]))
    assert halved.max() == 1 and moved.tolist() == [1.0]
    assert plane.typical == pytest.approx(float(0.5 * pictures.flatten(1).norm(dim=1).median()), rel=1e-4)


def test_the_maps_show_every_tile_and_every_picture(stocked):
    page, spot = autoencoder.maps(WEIGHTS)
    assert page.count("<img") == 2 and page.count("<rect") == 2 * 81 and spot == ""
    assert 30 < page.count("<circle") <= 60
    assert re.search(r"On the autoencoder's map \d+ % of the places are holes. On the VAE's map \d+ %", html.unescape(page))
    assert page == autoencoder.maps(WEIGHTS)[0]
    assert not re.search(r"nan|inf[^o]", page.replace("data:image", ""))
    place = autoencoder.visit(gr.EventData(None, {"x": 0.5, "y": 0.5}), WEIGHTS)
    assert place.count("<img") == 2 and "times as far" in place
    models, planes = autoencoder.pair(WEIGHTS), autoencoder.planes_of(WEIGHTS)
    with torch.no_grad():
        middle = models["vae"].decode(planes["vae"].middle[None])[0]
    assert _room.png_uri(middle) in place


def test_dark_squares_are_where_a_code_does_not_come_back():
    plane = autoencoder.Plane(torch.zeros(3), torch.eye(3)[0], torch.eye(3)[1], torch.tensor([[0.0, 0.0], [9.0, 0.0]]), 1.0)
    holes = torch.ones(9, 9)
    holes[0, 8] = 6.0
    svg = autoencoder.codes_svg(plane, holes, (0, 1), "VAE")
    dark = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" [^>]*opacity="1.00"', svg)
    assert dark == [("888.9", "0.0")]
    assert svg.count('opacity="0.00"') == 80 and svg.count("<circle") == 1 and 'cx="500" cy="500"' in svg


def test_a_walk_goes_on_from_where_it_was(stocked):
    page, first = autoencoder.walked(gr.EventData(None, {"index": 5}), WEIGHTS, 2)
    assert first == 5 and page == autoencoder.walk_html(WEIGHTS, 2, 5)
    assert page.count("<img") == 16 and "from picture 2 to picture 5" in page
    assert autoencoder.walk_from(WEIGHTS, 1) == autoencoder.walk_html(WEIGHTS, 0, 1)


def test_a_picture_goes_there_and_back(stocked):
    tiles, table = autoencoder.look_example(gr.EventData(None, {"index": 1}), WEIGHTS)
    assert tiles.count("<img") == 3 and table.count("<tr>") == 2
    board = PIL.Image.new("RGB", (280, 280))
    board.paste("white", (120, 40, 160, 240))
    picture = _room.picture_for(WEIGHTS, board)
    with torch.no_grad():
        again = load(WEIGHTS).reconstruct(picture)
    tiles, table = autoencoder.look_drawn(WEIGHTS, {"composite": board})
    assert _room.png_uri(again[0]) in tiles and f"{float((again - picture).square().mean()):.4f}" in table
    assert autoencoder.look_uploaded(WEIGHTS, board) == [tiles, table]


def test_the_room_is_switched_restored_and_saved(stocked):
    assert len(autoencoder.switch("autoencoder-fashion", 0, 1.0)) == 10
    assert autoencoder.restored(WEIGHTS, 4, 1.0) == autoencoder.both(WEIGHTS, 4, 1.0)
    assert autoencoder.sheet(WEIGHTS, 4, 1.0)[0].size == (2 * 4 * 28 * 4 + 16, 4 * 28 * 4)


def test_without_a_vae_one_sentence_says_so(stocked):
    shutil.rmtree(stocked / "vae-mnist")
    assert "There is no VAE" in refusal(autoencoder.both, WEIGHTS, 0, 1.0)
    assert "There is no VAE" in refusal(autoencoder.maps, WEIGHTS)
    assert "There is no VAE" in refusal(autoencoder.walk_from, WEIGHTS, 1)
    assert len(autoencoder.autoencoder_sample(WEIGHTS, 0, 2)) == 2  # it does without


def test_without_a_gan_and_a_classifier_the_maps_are_of_the_vaes_own(stocked):
    shutil.rmtree(stocked / "dcgan-mnist")
    shutil.rmtree(stocked / "features-mnist")
    pictures, classes = autoencoder.shown_pictures("mnist")
    with torch.no_grad():
        wanted = load("vae-mnist").sample(Draws(0, 30))
    assert torch.allclose(pictures, wanted, atol=1e-5) and set(classes) == {0}


@pytest.mark.parametrize(
    "verb, values, said",
    [
        (autoencoder.both, ("nobody", 0, 1.0), "Trained on"), (autoencoder.both, (WEIGHTS, -1, 1.0), "Seed"),
        (autoencoder.both, (WEIGHTS, 0, 2.1), "Spread"), (autoencoder.both, (WEIGHTS, 0, math.nan), "Spread"),
        (autoencoder.maps, (None,), "Trained on"), (autoencoder.walk_from, (WEIGHTS, 8), "Example"),
        (autoencoder.walk_from, (WEIGHTS, "x"), "Example"), (autoencoder.look_drawn, (WEIGHTS, None), "Draw or upload"),
        (autoencoder.look_uploaded, (WEIGHTS, None), "Upload a picture first"), (autoencoder.switch, ("x", 0, 1.0), "Trained on"),
        (autoencoder.autoencoder_sample, (WEIGHTS, 0, 65), "Pictures"),
        (autoencoder.autoencoder_sample, (WEIGHTS, 0, 3, 9), "Spread"),
        (autoencoder.autoencoder_reconstruct, (WEIGHTS, "!"), "The picture must be a picture file"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)  # fmt: skip
def test_what_makes_no_sense_is_told(stocked, verb, values, said):
    assert said in refusal(verb, *values)


def test_a_touch_of_nothing_is_told(stocked):
    for value in (-0.1, 1.1, None, "x", math.nan):
        assert "The place must be a number" in refusal(autoencoder.visit, gr.EventData(None, {"x": value, "y": 0.5}), WEIGHTS)
    for value in (-1, 8, None, "x", math.nan):
        assert "Example must be a number" in refusal(autoencoder.walked, gr.EventData(None, {"index": value}), WEIGHTS, 0)
        assert "Example must be a number" in refusal(autoencoder.look_example, gr.EventData(None, {"index": value}), WEIGHTS)


def test_the_verbs_answer(stocked):
    assert len(set(autoencoder.autoencoder_sample(WEIGHTS, 7, 3))) == 3
    picture = _room.png_uri(_room.sheet_tiles("dcgan-mnist", 1)[0])
    assert autoencoder.autoencoder_reconstruct(WEIGHTS, picture).startswith("data:image/png;base64,")
