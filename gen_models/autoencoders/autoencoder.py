"""Autoencoder: an encoder writes a picture as a few numbers, a decoder paints it back; nobody says where the numbers should lie.

Hinton, Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks", https://doi.org/10.1126/science.1127647
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from gen_models.autoencoders._networks import convolutional_decoder, convolutional_encoder, dense_decoder, dense_encoder
from gen_models.base import Batch, Draws, GenerativeModel, Recipe, Update
from gen_models.layers import from_unit, to_unit


class Autoencoder(GenerativeModel):
    """The networks of the VAE without its noise and without its prior.

    ``dense``: fully connected nets, trained on the cross entropy of the pixels; else convolutional nets and squared differences.
    To sample all the same, one Gaussian is fitted to the codes of validation pictures once the training is over.
    """

    title = "Autoencoder"
    year = 2006
    authors = "Geoffrey Hinton, Ruslan Salakhutdinov"
    paper = "https://doi.org/10.1126/science.1127647"
    summary = "An encoder compresses a picture to a few numbers, a decoder restores it; between the codes it has seen are holes."
    keywords = ("latent space", "compression", "reconstruct")
    differences = (
        "The networks are those of the VAE beside it: rectified linear units, trained end to end, not layer by layer.",
        "Clothes use convolutional nets with batch normalisation and squared differences.",
        "Samples, which the paper does not draw, are decoded points of one Gaussian fitted to the codes of validation pictures.",
        "The moving average of the weights is published, not the last weights.",
    )
    limits = (
        "It is not a generative model: most points of a Gaussian around its codes are the code of no picture and decode to none.",
        "The straight line between two codes leads through such holes.",
    )
    headline = "reconstruction-mnist"
    recipes = {
        "mnist": Recipe(
            steps=20_000, batch_size=128, arguments=dict(size=28, channels=1, dense=True, width=500, latent_dim=40),
            precision="no", decay_from=0.3,
        ),
        "fashion": Recipe(
            steps=12_000, batch_size=128, decay_from=0.3,
            arguments=dict(size=28, channels=1, dense=False, width=48, latent_dim=24),
        ),
        "folder": Recipe(
            steps=5_000, mirror=True, decay_from=0.3,
            arguments=dict(size=64, channels=3, dense=False, width=32, latent_dim=32),
        ),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, dense=False, width=4, latent_dim=6)

    def __init__(
        self, size: int = 28, channels: int = 1, dense: bool = True, width: int = 500, latent_dim: int = 40
    ) -> None:
        super().__init__()
        shape = (channels, size, size)
        self.latent_dim, self.dense = latent_dim, dense
        if dense:
            self.encoder = dense_encoder(math.prod(shape), width, latent_dim)
            self.decoder = dense_decoder(shape, width, latent_dim)
        else:
            self.encoder = convolutional_encoder(shape, width, latent_dim)
            self.decoder = convolutional_decoder(shape, width, latent_dim)
        # one Gaussian around the codes, measured once after training: its mean and the lower triangular factor of its covariance
        self.register_buffer("code_mean", torch.zeros(latent_dim))
        self.register_buffer("code_scale", torch.eye(latent_dim))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"both": torch.optim.Adam(self.parameters(), lr=1e-3, fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        images, _ = batch
        output = self.decoder(self.encoder(images)).float()
        if self.dense:
            loss = nn.functional.binary_cross_entropy_with_logits(output, to_unit(images), reduction="none")
        else:
            loss = (output - images).square()
        yield "both", {"reconstruction": loss.flatten(1).sum(dim=1).mean()}

    def encode(self, images: Tensor) -> Tensor:
        """Pictures in [0, 1] -> their codes, (B, latent_dim)."""
        return self.encoder(from_unit(images.to(self.device))).float()

    def decode(self, latents: Tensor) -> Tensor:
        """(B, latent_dim) -> pictures (B, C, H, W) in [0, 1]."""
        output = self.decoder(latents.to(self.device)).float()
        return torch.sigmoid(output) if self.dense else to_unit(output)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Pictures in [0, 1] there and back."""
        return self.decode(self.encode(images))

    def latents(self, draws: Draws, spread: float = 1.0) -> Tensor:
        """Points of the Gaussian around the codes, (B, latent_dim); ``spread`` multiplies the distance from its mean."""
        noise = draws.normal(self.latent_dim).to(self.code_mean)
        return self.code_mean + spread * noise @ self.code_scale.T

    def sample(self, draws: Draws) -> Tensor:
        """The pictures of points of the Gaussian around the codes, one per row of ``draws``."""
        return self.decode(self.latents(draws))

    def finish(self, images: Tensor, learnt: Iterable[Tensor]) -> None:
        """Fit one Gaussian to the codes of validation pictures."""
        codes = torch.cat([self.encode(part) for part in images[:5000].split(500)]).double()
        offsets = codes - codes.mean(dim=0)
        covariance = offsets.T @ offsets / max(len(codes) - 1, 1)
        # a user's folder may have fewer pictures than a code has numbers
        covariance += 1e-4 * covariance.diagonal().mean().clamp_min(1e-6) * torch.eye(self.latent_dim).to(covariance)
        self.code_mean.copy_(codes.mean(dim=0))
        self.code_scale.copy_(torch.linalg.cholesky(covariance))
