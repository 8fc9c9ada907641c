"""GAN: a generator learns to make what a discriminator cannot tell from the data; both are fully connected.

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio 2014, "Generative Adversarial Nets",
https://arxiv.org/abs/1406.2661
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from gen_models.base import Batch, Draws, GenerativeModel, Recipe, Update
from gen_models.layers import from_unit, to_unit


class Generator(nn.Module):
    """(B, latent_dim) -> (B, *shape); pictures in [-1, 1] through batch normalisation and tanh, points without either."""

    def __init__(self, latent_dim: int, widths: tuple[int, ...], shape: tuple[int, ...], pictures: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        previous = latent_dim
        for width in widths:
            layers += [nn.Linear(previous, width, bias=not pictures), *([nn.BatchNorm1d(width)] if pictures else []), nn.ReLU()]
            previous = width
        layers += [nn.Linear(previous, math.prod(shape)), *([nn.Tanh()] if pictures else []), nn.Unflatten(1, shape)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Discriminator(nn.Module):
    """(B, ...) -> (B,) scores; above zero: taken for real. D(x) of the paper is the logistic function of the score."""

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(inputs, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.company = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def features(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, width): the first layer."""
        return leaky_relu(self.first(x.flatten(1)), 0.2)

    def forward(self, x: Tensor, company: Tensor | None = None) -> Tensor:
        """``company``: mean features (B or 1, width) of the batch that each comes in; None: each is judged alone."""
        features = self.dropout(self.features(x))
        hidden = self.second(features)
        if company is not None:
            hidden = hidden + self.company(company)
        return self.last(self.dropout(leaky_relu(hidden, 0.2))).flatten()


class GAN(GenerativeModel):
    """The two networks and the game between them (paper, algorithm 1).

    ``saturating``: the generator minimises log(1 - D(G(z))) as in the paper's equation 1, else it maximises log D(G(z)), the
    paper's own advice for the start (section 3). ``generator_steps``: its updates for one of the discriminator. ``minibatch``: the
    discriminator also sees the mean features of the whole batch, so that a batch of copies gives itself away (Salimans 2016,
    section 3.2, in the form of Lucas 2018, https://arxiv.org/abs/1806.07185). ``penalty``: weight of the squared gradient of the
    score at real examples (R1; Mescheder 2018, https://arxiv.org/abs/1801.04406). The last four may be set while it trains.
    """

    title = "GAN"
    year = 2014
    authors = (
        "Ian Goodfellow, Jean Pouget-Abadie, Mehdi Mirza, Bing Xu, David Warde-Farley, Sherjil Ozair, "
        "Aaron Courville, Yoshua Bengio"
    )
    paper = "https://arxiv.org/abs/1406.2661"
    summary = "A generator and a discriminator learn from each other, until samples cannot be told from real data."
    keywords = ("mode collapse", "train live", "adversarial")
    differences = (
        "The discriminator has leaky rectified linear units with dropout instead of maxout units with dropout.",
        "The generator has batch normalisation (Ioffe 2015), rectified linear units and tanh at the end instead of a mix of "
        "rectified linear and sigmoid units.",
        "Adam replaces gradient descent with momentum, and the latent vector is Gaussian instead of uniform.",
        "The moving average of the generator is published, not its last weights.",
    )
    limits = (
        "Strokes are frayed and speckled, because no layer knows which pixels are neighbours.",
        "Some samples are no digit at all, or two at once.",
        "It says nothing about how likely a picture is, and it cannot find the numbers behind a given picture.",
    )
    reported = {
        "parzen-mnist": "225 ± 2 nats (Goodfellow 2014, table 1), the same protocol; it rewards pictures near the mean and says "
        "little about how they look (Theis 2016, https://arxiv.org/abs/1511.01844)",
    }
    headline = "frechet-mnist"
    averaged = ("generator",)
    recipes = {
        "mnist": Recipe(
            steps=16_000, batch_size=128, precision="no", decay_from=0.5,
            arguments=dict(size=28, channels=1, width=256, latent_dim=64, dropout=0.3),
            paper="not said",
        ),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, width=8, latent_dim=4, minibatch=True)

    def __init__(
        self, size: int = 28, channels: int = 1, width: int = 256, latent_dim: int = 64, dropout: float = 0.3,
        saturating: bool = False, minibatch: bool = False, penalty: float = 0.0, generator_steps: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        shape = (channels, size, size)
        self.latent_dim, self.group = latent_dim, 8
        self.saturating, self.minibatch, self.penalty, self.generator_steps = saturating, minibatch, penalty, generator_steps
        self.generator = Generator(latent_dim, (width, 2 * width), shape, pictures=True)
        self.discriminator = Discriminator(math.prod(shape), width, dropout)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            name: torch.optim.Adam(network.parameters(), lr=5e-4, betas=(0.5, 0.99), fused=True)
            for name, network in (("discriminator", self.discriminator), ("generator", self.generator))
        }

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real, _ = batch
        yield "discriminator", self.judging(real)
        for _ in range(self.generator_steps):
            yield "generator", self.fooling(len(real))

    def judging(self, real: Tensor) -> dict[str, Tensor]:
        """The discriminator's terms on a batch of real examples and one of generated ones: -log D(x), -log(1 - D(G(z)))."""
        with torch.no_grad():
            fake = self.generator(self.noise(len(real)))
        if not self.penalty:
            return {"real": softplus(-self.scores(real)).mean(), "fake": softplus(self.scores(fake)).mean()}
        real = real.detach().clone().requires_grad_(True)
        scores = self.scores(real)
        (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
        steepness = 0.5 * self.penalty * gradient.flatten(1).square().sum(dim=1).mean()
        return {"real": softplus(-scores).mean(), "fake": softplus(self.scores(fake)).mean(), "penalty": steepness}

    def fooling(self, count: int) -> dict[str, Tensor]:
        """The generator's term on ``count`` examples; the discriminator's gradients are not wanted and cost a third of the pass."""
        self.discriminator.requires_grad_(False)
        try:
            scores = self.scores(self.generator(self.noise(count)))
        finally:
            self.discriminator.requires_grad_(True)
        return {"fool": self.fooled(scores).mean()}

    def fooled(self, scores: Tensor) -> Tensor:
        """The generator's loss for each score: log(1 - D), or -log D."""
        return -softplus(scores) if self.saturating else softplus(-scores)

    def noise(self, count: int) -> Tensor:
        """(count, latent_dim) numbers from N(0, 1)."""
        return torch.randn(count, self.latent_dim, device=self.device)

    def scores(self, x: Tensor) -> Tensor:
        """(B,) scores of training examples; with ``minibatch``, each among the neighbours in its group of the batch."""
        if not self.minibatch:
            return self.discriminator(x)
        size = self.group if len(x) % self.group == 0 else len(x)
        company = self.discriminator.features(x).unflatten(0, (-1, size)).mean(dim=1)
        return self.discriminator(x, company.repeat_interleave(size, dim=0))

    def latents(self, draws: Draws) -> Tensor:
        """(count, latent_dim) numbers from N(0, 1)."""
        return draws.normal(self.latent_dim)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, latent_dim) -> pictures (B, C, H, W) in [0, 1]."""
        return to_unit(self.generator(latents.to(self.device)))

    def sample(self, draws: Draws) -> Tensor:
        """One picture per row of ``draws``."""
        return self.decode(self.latents(draws))

    def score(self, images: Tensor, company: Tensor | None = None) -> Tensor:
        """What the discriminator thinks of pictures in [0, 1]: (B,) scores, above zero means taken for real.

        ``company``: pictures (N, C, H, W) in [0, 1] among which each is judged if ``minibatch``; None: those given.
        """
        images = from_unit(images.to(self.device))
        return self.judged(images, images if company is None else from_unit(company.to(self.device))).float()

    def judged(self, x: Tensor, company: Tensor) -> Tensor:
        """(B,) scores of examples, each judged by itself in the company of others; both as in training."""
        among = self.discriminator.features(company).mean(dim=0, keepdim=True) if self.minibatch else None
        return self.discriminator(x, among)


class PointGAN(GAN):
    """The same game among points (B, 2) of the plane, x in [-1, 1]; the batches of training are points instead of pictures."""

    def __init__(
        self, width: int = 64, latent_dim: int = 4, saturating: bool = False, minibatch: bool = False, penalty: float = 0.0,
        generator_steps: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(1, 2, width, latent_dim, 0.0, saturating, minibatch, penalty, generator_steps)
        self.generator = Generator(latent_dim, (width, width), (2,), pictures=False)

    def sample(self, draws: Draws) -> Tensor:
        """One point per row of ``draws``, (B, 2)."""
        return self.generator(self.latents(draws).to(self.device))

    def field(self, points: Tensor, company: Tensor) -> Tensor:
        """D(x) of the paper, (B,) in [0, 1], for points (B, 2), judged in the company of others."""
        return torch.sigmoid(self.judged(points, company))

    def pull(self, points: Tensor, company: Tensor) -> Tensor:
        """Where the generator's loss would move points (B, 2), judged in the company of others: minus its gradient, (B, 2)."""
        with torch.inference_mode(False), torch.enable_grad():  # the caller computes without gradients, these are the answer
            points = points.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.fooled(self.judged(points, company)).sum(), points)
        return -gradient
