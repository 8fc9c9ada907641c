from __future__ import annotations

import pytest
import torch
from conftest import build

from gen_models.autoencoders.autoencoder import Autoencoder
from gen_models.autoencoders.vae import VAE
from gen_models.base import Draws
from gen_models.data import load_data
from gen_models.measures._measure import FULL
from gen_models.measures.reconstruction import reconstruction_measure


@pytest.fixture(params=[False, True], ids=["convolutional", "dense"])
def model(request) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(**Autoencoder.tiny | dict(dense=request.param, width=16)).eval()


def test_it_has_the_networks_of_the_vae():
    """Only the encoder's last layer differs: one number per latent instead of a mean and a spread."""
    for dense in (True, False):
        own = Autoencoder(size=16, width=8, latent_dim=5, dense=dense).state_dict()
        vae = VAE(size=16, width=8, latent_dim=5, binary=dense).state_dict()
        shapes = {key: tuple(value.shape) for key, value in own.items() if key.startswith(("encoder", "decoder"))}
        others = {key: tuple(vae[key].shape) for key in shapes}
        wider = {key for key in shapes if shapes[key] != others[key]}
        assert len(wider) == 2 and all(key.startswith("encoder") for key in wider)
        assert all(2 * shapes[key][0] == others[key][0] for key in wider)


def test_data_sets_share_the_vaes_sizes():
    for data in ("mnist", "fashion"):
        own, vae = Autoencoder.recipes[data].arguments, VAE.recipes[data].arguments
        assert own == {("dense" if key == "binary" else key): value for key, value in vae.items()}


def test_the_loss_is_the_one_of_the_docstring(model):
    images = torch.rand(5, 1, 16, 16) * 2 - 1
    (update,) = model.training_step((images, torch.zeros(5, 1)))
    unit = images / 2 + 0.5
    made = model.reconstruct(unit)
    if model.dense:
        wanted = -(unit * made.log() + (1 - unit) * (1 - made).log())
    else:
        wanted = (model.decoder(model.encoder(images)) - images).square()
    assert float(update[1]["reconstruction"].detach()) == pytest.approx(float(wanted.sum() / 5), rel=1e-4)


@torch.no_grad()
def test_samples_are_decoded_points_of_the_codes_gaussian(model):
    images = torch.rand(400, 1, 16, 16)
    model.finish(images, [])
    codes = model.encode(images)
    drawn = model.latents(Draws(1, 8000))
    scale = float(codes.std())
    assert torch.allclose(drawn.mean(dim=0), codes.mean(dim=0), atol=0.1 * scale)
    assert torch.allclose(drawn.T.cov(), codes.T.cov(), atol=0.1 * scale**2)
    assert torch.allclose(model.sample(Draws(3, 4)), model.decode(model.latents(Draws(3, 4))))
    assert torch.allclose(model.latents(Draws(3, 2), spread=0.0), model.code_mean.expand(2, -1))


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 3])
def test_a_handful_of_pictures_is_enough_for_the_gaussian(model, count):
    model.finish(torch.rand(count, 1, 16, 16), [])
    assert torch.isfinite(model.sample(Draws(0, 3))).all()


def test_its_reconstruction_error_is_measured(data_folder):
    model = build("autoencoder")
    test = load_data("mnist", "test", 16, data_folder)
    number = reconstruction_measure(model, test, FULL)
    with torch.no_grad():
        wanted = (model.reconstruct(test.unit()) - test.unit()).square().mean()
    assert number.value == pytest.approx(float(wanted), rel=1e-4)
    assert "60 pictures" in number.protocol
