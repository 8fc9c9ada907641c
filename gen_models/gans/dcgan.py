"""DCGAN: a generator of fractionally strided convolutions learns to fool a discriminator of strided ones.

Radford, Metz, Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks", https://arxiv.org/abs/1511.06434
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gen_models.base import Batch, Draws, GenerativeModel, Recipe, Update
from gen_models.gans._augment import augment
from gen_models.layers import dcgan_init, from_unit, pyramid, to_unit
from gen_models.losses import hinge_fake, hinge_real


class Generator(nn.Module):
    """(B, latent_dim) -> (B, C, size, size) in [-1, 1] (paper, figure 1)."""

    def __init__(self, latent_dim: int, width: int, size: int, channels: int) -> None:
        super().__init__()
        start, levels = pyramid(size)
        wide = width * 2 ** (levels - 1)
        blocks: list[nn.Module] = [
            nn.Unflatten(1, (latent_dim, 1, 1)),
            nn.ConvTranspose2d(latent_dim, wide, start, bias=False),  # "project and reshape": (B, wide, start, start)
            nn.BatchNorm2d(wide),
            nn.ReLU(inplace=True),
        ]
        for _ in range(levels - 1):  # every block halves the channels and doubles the side
            blocks += [
                nn.ConvTranspose2d(wide, wide // 2, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wide // 2),
                nn.ReLU(inplace=True),
            ]
            wide //= 2
        blocks += [nn.ConvTranspose2d(wide, channels, 4, stride=2, padding=1), nn.Tanh()]  # no batch norm at the output
        self.layers = nn.Sequential(*blocks)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Discriminator(nn.Module):
    """(B, C, size, size) in [-1, 1] -> (B,) scores; above zero: taken for real."""

    def __init__(self, width: int, size: int, channels: int) -> None:
        super().__init__()
        start, levels = pyramid(size)
        blocks: list[nn.Module] = []
        previous, wide = channels, width
        for _ in range(levels):
            blocks += [
                spectral_norm(nn.Conv2d(previous, wide, 4, stride=2, padding=1)),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            previous, wide = wide, wide * 2
        blocks += [spectral_norm(nn.Conv2d(previous, 1, start)), nn.Flatten(0)]
        self.layers = nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class DCGAN(GenerativeModel):
    """The two networks and the game between them (paper, section 3).

    ``shift``: how far the discriminator's pictures are moved at random, as a fraction of the side (0: not at all).
    """

    title = "DCGAN"
    year = 2015
    authors = "Alec Radford, Luke Metz, Soumith Chintala"
    paper = "https://arxiv.org/abs/1511.06434"
    summary = "Two networks compete: the generator makes pictures from random numbers, the discriminator tells them from real ones."
    keywords = ("generate", "latent space", "interpolation", "face")
    differences = (
        "Spectral normalisation (Miyato 2018) replaces batch normalisation in the discriminator.",
        "The hinge loss (Lim and Ye 2017) replaces the binary cross-entropy.",
        "The latent vector is Gaussian instead of uniform, and its moving average generator (decay 0.999) is published.",
        "On clothes and users' pictures the discriminator sees each picture shifted at random by up to an eighth (Zhao 2020).",
        "The networks are narrower than the paper's 128 channels, and the learning rates are 2e-4 and 4e-4.",
    )
    limits = (
        "About one face in five is warped or washed out, and there are fewer kinds of faces than in the data (see recall).",
        "Backgrounds are smears, and glasses come with one side fainter than the other.",
        "It says nothing about how likely a picture is, and it cannot find the numbers behind a given picture.",
    )
    headline = "frechet-faces"
    averaged = ("generator",)
    recipes = {
        "mnist": Recipe(
            steps=15_000,
            decay_from=0.7,
            arguments=dict(size=28, channels=1, width=48, shift=0.0),
            large=Recipe(steps=60_000, batch_size=128, arguments=dict(size=28, channels=1, width=64)),
        ),
        "fashion": Recipe(
            steps=26_000,
            decay_from=0.7,
            arguments=dict(size=28, channels=1, width=64),
            large=Recipe(steps=80_000, batch_size=128, arguments=dict(size=28, channels=1, width=128)),
        ),
        "faces": Recipe(
            steps=26_000,
            mirror=True,
            decay_from=0.7,
            arguments=dict(size=64, channels=3, width=32, shift=0.0),  # with shifts, a short run gets less far
            large=Recipe(steps=150_000, batch_size=128, mirror=True, arguments=dict(size=64, channels=3, width=128)),
        ),
        "folder": Recipe(steps=10_000, mirror=True, arguments=dict(size=64, channels=3, width=32)),
    }
    tiny = dict(size=16, channels=1, width=4, latent_dim=8)

    def __init__(
        self, size: int = 64, channels: int = 3, width: int = 32, latent_dim: int = 100, shift: float = 0.125
    ) -> None:
        super().__init__()
        self.latent_dim, self.shift = latent_dim, shift
        self.generator = Generator(latent_dim, width, size, channels)
        self.discriminator = Discriminator(width, size, channels)
        self.apply(dcgan_init)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        # beta1 = 0.9 oscillates (paper, section 4)
        return {
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), lr=4e-4, betas=(0.5, 0.999), fused=True),
            "generator": torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True),
        }

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real, _ = batch
        noise = torch.randn(len(real), self.latent_dim, device=real.device)
        fake = self.generator(noise)
        # both halves in one pass: the discriminator has no statistics over the batch that would mix them
        scores = self.discriminator(augment(torch.cat([real, fake.detach().to(real.dtype)]), self.shift))
        real_scores, fake_scores = scores.float().chunk(2)
        yield "discriminator", {"real": hinge_real(real_scores), "fake": hinge_fake(fake_scores)}
        self.discriminator.requires_grad_(False)  # its gradients are not wanted here and cost a third of the pass
        yield "generator", {"fool": -self.discriminator(augment(fake, self.shift)).float().mean()}
        self.discriminator.requires_grad_(True)

    def latents(self, draws: Draws, truncation: float = 1.0) -> Tensor:
        """(count, latent_dim) numbers from N(0, 1), scaled by ``truncation`` in (0, 1] toward the mean picture."""
        return draws.normal(self.latent_dim) * truncation

    def decode(self, latents: Tensor) -> Tensor:
        """(B, latent_dim) -> pictures (B, C, H, W) in [0, 1]."""
        return to_unit(self.generator(latents.to(self.device)))

    def sample(self, draws: Draws, truncation: float = 1.0) -> Tensor:
        """One picture per row of ``draws``; smaller ``truncation``: more alike."""
        return self.decode(self.latents(draws, truncation))

    def score(self, images: Tensor) -> Tensor:
        """What the discriminator thinks of pictures in [0, 1]: (B,) scores, above zero means taken for real."""
        return self.discriminator(from_unit(images.to(self.device))).float()

    def score_map(self, images: Tensor) -> Tensor:
        """How much each pixel moves the score: |d score / d pixel|, (B, H, W), each map scaled to a maximum of 1."""
        with torch.inference_mode(False), torch.enable_grad():  # the caller computes without gradients, these are the answer
            pixels = from_unit(images.to(self.device)).clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.discriminator(pixels).sum(), pixels)
        saliency = gradient.abs().sum(dim=1)
        return saliency / saliency.amax(dim=(1, 2), keepdim=True).clamp_min(1e-12)
