"""A VAE whose posterior is bent by inverse autoregressive flow, Kingma 2016, https://arxiv.org/abs/1606.04934."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, linear, logsigmoid

from gen_models.autoencoders._networks import convolutional_decoder, convolutional_encoder
from gen_models.autoencoders.vae import VAE
from gen_models.base import Batch, Draws, Recipe, Update
from gen_models.layers import from_unit, to_unit
from gen_models.losses import standard_normal_log_density


class Step(nn.Module):
    """One step of the flow: a network with masked weights (MADE, Germain 2015) reads z and the context (section 4, algorithm 1).

    ``reverse``: in the order from the last latent to the first.
    """

    def __init__(self, latent_dim: int, context: int, width: int, reverse: bool) -> None:
        super().__init__()
        place = torch.arange(latent_dim)
        place = place.flip(0) if reverse else place
        # a hidden unit reads the latents up to its degree; those of degree -1 read the context alone, for the first latent
        degree = torch.arange(width) % latent_dim - 1
        self.register_buffer("into", (place[None] <= degree[:, None]).float(), persistent=False)
        self.register_buffer("out_of", (degree[None] < place[:, None]).float().repeat(2, 1), persistent=False)
        self.first, self.last = nn.Linear(latent_dim, width), nn.Linear(width, 2 * latent_dim)
        self.context = nn.Linear(context, width, bias=False)
        with torch.no_grad():  # at first s is about sigmoid(1.5), so that z changes little ("forget gate bias", section 4)
            self.last.weight.mul_(0.1)
            self.last.bias.copy_(torch.cat([torch.zeros(latent_dim), torch.full((latent_dim,), 1.5)]))

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """z and the context h, (B, latent_dim) and (B, context) -> the new z, and log s, the log-determinant's part of each latent.

        Equations 13 and 14: z is s z + (1 - s) m, where m and s of a latent depend on h and on the latents before it.
        """
        hidden = elu(linear(z, self.first.weight * self.into, self.first.bias) + self.context(context))
        mean, gate = linear(hidden, self.last.weight * self.out_of, self.last.bias).chunk(2, dim=1)
        share = torch.sigmoid(gate)
        return share * z + (1 - share) * mean, logsigmoid(gate)


class IAFVAE(VAE):
    """A VAE whose q(z|x) can take other shapes than an ellipse along the axes."""

    title = "IAF-VAE"
    year = 2016
    authors = "Diederik P. Kingma, Tim Salimans, Rafal Jozefowicz, Xi Chen, Ilya Sutskever, Max Welling"
    paper = "https://arxiv.org/abs/1606.04934"
    summary = "A VAE whose posterior is a Gaussian bent by a few invertible steps, so that it fits closer to each picture."
    keywords = ("normalizing flow", "latent space", "variational", "posterior")
    differences = (
        "Plain convolutional nets instead of a ResNet, and minutes of training instead of days.",
        "No free bits are used, because no needed latent collapsed.",
        "The moving average of the weights is published, not the last weights.",
    )
    limits = (
        "Small nets, trained for half an hour: 8.6 nats behind the paper's, which have many times the units and days of training.",
        "Its samples are no better than the VAE's: what the flow improves is the bound, not the sharpness of the pictures.",
        "A sample can fall between two digits and look like neither.",
    )
    reported = {
        "nll-mnist": "79.10 nats (Kingma 2016, table 1: ResNet, depth 8, width 1920), its twin with a diagonal posterior 81.08; "
        "binarised by chance too; much larger nets, and 5000 importance samples"
    }
    headline = "nll-mnist"
    recipes = {
        "mnist": Recipe(
            steps=12_000, batch_size=64, precision="no", decay_from=0.3,
            arguments=dict(size=28, channels=1, binary=True, width=32, latent_dim=32, flows=4, flow_width=320, context=100),
        ),
        "mnist_diagonal": Recipe(
            steps=12_000, batch_size=64, precision="no", decay_from=0.3, data="mnist",
            arguments=dict(size=28, channels=1, binary=True, width=32, latent_dim=32, flows=0, context=100),
        ),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, binary=False, width=4, latent_dim=6, flows=2, flow_width=12, context=5)

    def __init__(
        self, size: int = 28, channels: int = 1, binary: bool = True, width: int = 32, latent_dim: int = 32, flows: int = 4,
        flow_width: int = 320, context: int = 100, free_bits: float = 0.0,
    ) -> None:  # fmt: skip
        """``free_bits``: nats of divergence that cost no latent less than they are (section 5.1, equation 15)."""
        super().__init__(size, channels, binary, width, latent_dim)
        self.parts, self.free_bits = [latent_dim, latent_dim, context], free_bits
        shape = (channels, size, size)
        self.encoder = convolutional_encoder(shape, width, sum(self.parts))
        self.decoder = convolutional_decoder(shape, width, latent_dim)
        self.flow = nn.ModuleList(Step(latent_dim, context, flow_width, reverse=step % 2 == 1) for step in range(flows))

    def training_step(self, batch: Batch) -> Iterator[Update]:
        images, _ = batch
        if self.binary:
            images = from_unit(torch.bernoulli(to_unit(images)))
        mean, *rest = self.encode_parameters(images)
        z, log_posterior = self.transform(torch.randn_like(mean), mean, *rest)
        divergence = (log_posterior - standard_normal_log_density(z)).mean(dim=0).clamp_min(self.free_bits)
        yield "both", {"reconstruction": -self.log_likelihood_given(images, z).mean(), "kl": divergence.sum()}

    def encode_parameters(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures in [-1, 1] -> mean and log-variance before the flow, (B, latent_dim) each, and the context, (B, context)."""
        mean, log_variance, context = self.encoder(images).float().split(self.parts, dim=1)
        return mean, log_variance.clamp(-12.0, 8.0), context

    def transform(self, noise: Tensor, mean: Tensor, log_variance: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        *_, last = self.way(noise, mean, log_variance, context)
        return last

    def way(self, noise: Tensor, mean: Tensor, log_variance: Tensor, context: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """What :meth:`transform` returns, before the flow and after each of its steps (algorithm 1)."""
        z, log_density = super().transform(noise, mean, log_variance)
        yield z, log_density
        for step in self.flow:
            z, log_share = step(z, context)
            log_density = log_density - log_share
            yield z, log_density

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z|x) over the same 64 draws for every picture, (B, latent_dim) each."""
        noise = Draws(0, 64, device=self.device).normal(self.latent_dim)
        parameters = self.encode_parameters(from_unit(self.seen(images)))
        z, _ = self.transform(noise.repeat(len(images), 1), *(part.repeat_interleave(64, dim=0) for part in parameters))
        spread, mean = torch.std_mean(z.view(len(images), 64, -1), dim=1)
        return mean, spread

    def evidence(self, images: Tensor, draws: Draws, samples: int = 16) -> tuple[Tensor, Tensor]:
        """The two parts of the lower bound in nats: expected log p(x|z), (B,), and each latent's part of the KL, (B, latent_dim).

        Both are means over ``samples`` draws; a single latent's part can be below zero.
        """
        images = from_unit(self.seen(images))
        likelihood, divergence = self.terms(images, draws, samples, *self.encode_parameters(images))
        return likelihood.mean(dim=1), divergence.mean(dim=1)
