"""The autoencoder's room without a browser: the same draws, maps and walks as the VAE's."""

from __future__ import annotations

import html
import re
import shutil

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import torch

from demos import autoencoder
from demos._kit.pictures import png_uri
from demos._kit.shipped import example_pictures, picture_for
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
                    model.finish(torch.rand(50, 1, 28, 28), [])
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
    found = autoencoder.both(WEIGHTS, 3, 1.0).parts
    with torch.no_grad():
        wanted = [load(WEIGHTS).sample(Draws(3, 16)), load("vae-mnist").sample(Draws(3, 16))]
    for tiles, pictures in zip(found, wanted, strict=True):
        assert (tiles.pictures - pictures).abs().max() < 1e-5
    still = autoencoder.both(WEIGHTS, 3, 0.0).parts[0].pictures
    assert (still - still[:1]).abs().max() < 1e-5
    assert autoencoder.both(WEIGHTS, 4, 1.0).frames()[0].size == (2 * 4 * 28 * 4 + 16, 4 * 28 * 4)


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
    halved, moved = autoencoder.round_trip(Plain(), torch.tensor([[2.0, 0.0, 0.0, 0.0]]))
    assert halved.max() == 1 and moved.tolist() == [1.0]
    assert plane.typical == pytest.approx(float(0.5 * pictures.flatten(1).norm(dim=1).median()), rel=1e-4)


def test_the_maps_show_every_tile_and_every_picture(stocked):
    made = autoencoder.maps(WEIGHTS)
    page = made.html()
    assert page.count("<img") == 2 and page.count("<rect") == 2 * 81 and 30 < page.count("<circle") <= 60
    assert re.search(r"On the autoencoder's map \d+ % of the points are holes. On the VAE's map \d+ %", html.unescape(made.note))
    assert not re.search(r"nan|inf[^o]", page.replace("data:image", ""))
    models, planes = autoencoder.pair(WEIGHTS), autoencoder.planes_of(WEIGHTS)
    with torch.no_grad():
        middle = models["vae"].decode(planes["vae"].middle[None])[0]
    assert png_uri(middle) in autoencoder.visit(0.5, 0.5, WEIGHTS).html()
    for value in (-0.1, 1.1, None, "x"):
        with pytest.raises(gr.Error, match="The place must be a number"):
            autoencoder.visit(value, 0.5, WEIGHTS)


def test_dark_squares_are_where_a_code_does_not_come_back():
    plane = autoencoder.Plane(torch.zeros(3), torch.eye(3)[0], torch.eye(3)[1], torch.tensor([[0.0, 0.0], [9.0, 0.0]]), 1.0)
    holes = torch.ones(9, 9)
    holes[0, 8] = 6.0
    svg = autoencoder.codes_svg(plane, holes, (0, 1), "VAE")
    dark = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" [^>]*opacity="1.00"', svg)
    assert dark == [("888.9", "0.0")]
    assert svg.count('opacity="0.00"') == 80 and svg.count("<circle") == 1 and 'cx="500" cy="500"' in svg


def test_a_walk_goes_on_from_where_it_was(stocked):
    assert autoencoder.walk_on(5, WEIGHTS, [0, 2]) == {"stops": "2,5"}
    walk = autoencoder.walk(WEIGHTS, [2, 5])
    assert [len(tiles.pictures) for tiles in walk.parts] == [8, 8] and "from picture 2 to picture 5" in walk.html()
    with pytest.raises(gr.Error, match="Example must be a number"):
        autoencoder.walk_on(8, WEIGHTS, [0, 2])


def test_a_picture_goes_there_and_back(stocked):
    picture = example_pictures(WEIGHTS)[1].convert("RGB")
    tiles, table = autoencoder.look(WEIGHTS, picture).parts
    seen = picture_for(WEIGHTS, picture)
    with torch.no_grad():
        again = load(WEIGHTS).reconstruct(seen)
    assert png_uri(again[0]) in tiles.html() and f"{float((again - seen).square().mean()):.4f}" in table.html()
    assert autoencoder.reconstruct(WEIGHTS, picture).json() == png_uri(again[0])


def test_without_a_vae_one_sentence_says_so(stocked):
    shutil.rmtree(stocked / "vae-mnist")
    for verb, values in ((autoencoder.both, (0, 1.0)), (autoencoder.maps, ()), (autoencoder.walk, ([0, 1],))):
        with pytest.raises(gr.Error, match="No VAE was trained on these pictures"):
            verb(WEIGHTS, *values)
    assert len(autoencoder.sample(WEIGHTS, 0, 2, 1.0).json()) == 2  # it does without


def test_without_a_gan_and_a_classifier_the_maps_are_of_the_vaes_own(stocked):
    shutil.rmtree(stocked / "dcgan-mnist")
    shutil.rmtree(stocked / "features-mnist")
    pictures, classes = autoencoder.shown_pictures("mnist")
    with torch.no_grad():
        wanted = load("vae-mnist").sample(Draws(0, 30))
    assert torch.allclose(pictures, wanted, atol=1e-5) and set(classes) == {0}
