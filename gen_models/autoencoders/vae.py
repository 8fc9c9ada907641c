"""VAE: an encoder says where in a space of latent numbers a picture lies, a decoder paints the picture of a place.

Kingma, Welling 2013, "Auto-Encoding Variational Bayes", https://arxiv.org/abs/1312.6114
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from gen_models.autoencoders._networks import (
    convolutional_decoder,
    convolutional_encoder,
    dense_decoder,
    dense_encoder,
    residual_decoder,
)
from gen_models.base import Batch, Draws, GenerativeModel, Model, Recipe, Update
from gen_models.layers import from_unit, of_mixture, to_unit
from gen_models.losses import bernoulli_log_likelihood, gaussian_kl, logistic_log_likelihood, standard_normal_log_density


class VAE(GenerativeModel):
    """Encoder q(z|x), decoder p(x|z), prior N(0, 1), trained on the evidence lower bound (paper, eq. 10).

    ``binary``: black-and-white pictures, a Bernoulli decoder and fully connected nets; else 8-bit pictures, a discretised
    logistic decoder with one learned scale per channel, and convolutional nets. ``residual``: the decoder is a residual net, and
    says the scale of each value beside its mean, so that what it cannot know, such as a background, does not blur the rest.
    ``components``: Gaussians in the mixture that is fitted to the codes after training and then sampled from (0: none, and samples
    are the prior's).
    """

    title = "VAE"
    year = 2013
    authors = "Diederik P. Kingma, Max Welling"
    paper = "https://arxiv.org/abs/1312.6114"
    summary = "An encoder finds the few numbers that describe a picture; a decoder turns them, or new ones, into a picture."
    keywords = ("latent space", "variational", "reconstruct", "face")
    differences = (
        "Two hidden layers of 500 rectified linear units instead of one of 500 tanh units, and Adam instead of Adagrad.",
        "Clothes and faces use convolutional nets with batch normalisation.",
        "Clothes and faces use a discretised logistic decoder (Kingma 2016), so that their likelihood is that of 8-bit pictures.",
        "On faces the decoder is a residual net, which says a scale for each value; and samples are decoded from a mixture of ten "
        "Gaussians fitted to the codes of the training pictures (Ghosh 2020); the prior also covers what lies between codes.",
        "The moving average of the weights is published, not the last weights.",
    )
    limits = (
        "Pictures are soft: what the latents do not carry is averaged, most visibly hair and background.",
        "A sample can fall between two digits or two kinds of garment and look like neither.",
        "A digit drawn with a very thick or very thin pen is far from the training pictures; its bound says so.",
    )
    reported = {
        "nll-mnist": "86.76 nats (Burda 2015, table 1: VAE, one stochastic layer, k = 1), binarised by chance too; comparable but "
        "for the importance samples: 5000 there, 500 here, which can only make our number larger",
    }
    headline = "nll-mnist"
    recipes = {
        "mnist": Recipe(
            steps=45_000, batch_size=128, arguments=dict(size=28, channels=1, binary=True, width=500, latent_dim=40),
            precision="no", decay_from=0.3,
            large=Recipe(
                steps=400_000, batch_size=128, precision="no", decay_from=0.3,
                arguments=dict(size=28, channels=1, binary=True, width=1000, latent_dim=50),
            ),
        ),
        "fashion": Recipe(
            steps=18_000, batch_size=128, decay_from=0.3,
            arguments=dict(size=28, channels=1, binary=False, width=48, latent_dim=24),
            large=Recipe(
                steps=60_000, batch_size=128, decay_from=0.3,
                arguments=dict(size=28, channels=1, binary=False, width=128, latent_dim=32),
            ),
        ),
        "faces": Recipe(
            steps=12_000, mirror=True, decay_from=0.3,
            arguments=dict(size=64, channels=3, binary=False, width=32, latent_dim=64, residual=True, components=10),
            large=Recipe(
                steps=80_000, batch_size=128, mirror=True, decay_from=0.3,
                arguments=dict(size=64, channels=3, binary=False, width=96, latent_dim=128),
            ),
        ),
        "folder": Recipe(
            steps=5_000, mirror=True, decay_from=0.3,
            arguments=dict(size=64, channels=3, binary=False, width=32, latent_dim=32),
        ),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, binary=False, width=4, latent_dim=6)

    def __init__(
        self, size: int = 28, channels: int = 1, binary: bool = True, width: int = 500, latent_dim: int = 40,
        residual: bool = False, components: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        shape = (channels, size, size)
        self.latent_dim, self.binary, self.residual, self.levels = latent_dim, binary, residual, 2 if binary else 256
        if binary:
            self.encoder = dense_encoder(math.prod(shape), width, 2 * latent_dim)
            self.decoder = dense_decoder(shape, width, latent_dim)
        else:
            self.encoder = convolutional_encoder(shape, width, 2 * latent_dim)
            if residual:
                self.decoder = residual_decoder((2 * channels, size, size), width, latent_dim)
            else:
                self.decoder = convolutional_decoder(shape, width, latent_dim)
                self.log_scale = nn.Parameter(torch.full((channels, 1, 1), -2.0))
        # what the room orders its sliders by, measured once after training
        self.register_buffer("latent_kl", torch.zeros(latent_dim))
        self.components = components
        if components:
            self.register_buffer("code_weights", torch.full((components,), 1 / components))
            self.register_buffer("code_means", torch.zeros(components, latent_dim))
            self.register_buffer("code_scales", torch.eye(latent_dim).repeat(components, 1, 1))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"both": torch.optim.Adam(self.parameters(), lr=1e-3, fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        images, _ = batch
        if self.binary:  # dynamic binarisation: a fresh draw at every step (Salakhutdinov and Murray 2008)
            images = from_unit(torch.bernoulli(to_unit(images)))
        mean, log_variance = self.encode_parameters(images)
        z, _ = self.transform(torch.randn_like(mean), mean, log_variance)
        likelihood = self.log_likelihood_given(images, z).mean()
        kl = gaussian_kl(mean, log_variance).sum(dim=1).mean()
        yield "both", {"reconstruction": -likelihood, "kl": kl}

    def encode_parameters(self, images: Tensor) -> tuple[Tensor, ...]:
        """Pictures in [-1, 1] -> mean and log-variance of q(z|x), (B, latent_dim) each."""
        mean, log_variance = self.encoder(images).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-12.0, 8.0)  # e^-12: finer than any picture needs

    def transform(self, noise: Tensor, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
        """Noise from N(0, I) -> z from q(z|x) (the reparameterisation trick, section 2.4), and log q(z|x) of each latent in nats.

        All are (B, latent_dim); after the noise comes what :meth:`encode_parameters` returns.
        """
        z = mean + torch.exp(0.5 * log_variance) * noise
        return z, standard_normal_log_density(noise) - 0.5 * log_variance

    def log_likelihood_given(self, images: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats, (B,); pictures in [-1, 1] as the model sees them (see :meth:`seen`)."""
        output, log_scale = self.paint(z)
        if self.binary:
            return bernoulli_log_likelihood(images * 0.5 + 0.5, output)
        return logistic_log_likelihood(images, output, log_scale)

    def paint(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The decoder's answer, (B, C, H, W): logits of a binary model, else means in [-1, 1]; and the log-scales of the means."""
        output = self.decoder(z).float()
        if not self.residual:
            return output, output.new_zeros(()) if self.binary else self.log_scale
        mean, log_scale = output.chunk(2, dim=1)
        return mean, -2.0 + 3.0 * torch.tanh(log_scale / 3.0)  # e^-5: finer than the 8 bits; e: as good as nothing

    def seen(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """The picture whose likelihood is meant, in [0, 1].

        A binary model sees black and white: by chance with the grey value as probability when given ``draws``, else by the
        threshold 0.5. The others see 8 bits.
        """
        images = images.to(self.device)
        if not self.binary:
            return (images * 255).round() / 255
        limit = draws.uniform(*images.shape[1:]).to(images) if draws is not None else 0.5
        return (images > limit).float()

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z|x) for pictures in [0, 1], (B, latent_dim) each."""
        mean, log_variance = self.encode_parameters(from_unit(self.seen(images)))
        return mean, torch.exp(0.5 * log_variance)

    def encode(self, images: Tensor) -> Tensor:
        """Mean of q(z|x), (B, latent_dim)."""
        return self.posterior(images)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """(B, latent_dim) -> the mean picture of p(x|z), (B, C, H, W) in [0, 1]."""
        output, _ = self.paint(latents.to(self.device))
        return torch.sigmoid(output) if self.binary else to_unit(output)

    def latents(self, draws: Draws, prior: bool = False) -> Tensor:
        """(count, latent_dim) latents: of the mixture if there is one and not ``prior``, else of the prior N(0, I)."""
        if prior or not self.components:
            return draws.normal(self.latent_dim)
        numbers, noise = draws.uniform(1), draws.normal(self.latent_dim)
        return of_mixture(numbers, noise, self.code_weights, self.code_means, self.code_scales)

    def sample(self, draws: Draws) -> Tensor:
        """The mean picture of :meth:`latents`, one per row of ``draws``."""
        return self.decode(self.latents(draws))

    def sample_prior(self, draws: Draws) -> Tensor:
        """The same of latents from the prior, whether or not there is a mixture."""
        return self.decode(self.latents(draws, prior=True))

    def reconstruct(self, images: Tensor) -> Tensor:
        """The mean pictures of the means of q(z|x)."""
        return self.decode(self.encode(images))

    def complete(self, draws: Draws, images: Tensor, unknown: Tensor, steps: int = 30) -> Tensor:
        """Latents drawn from q(z|x) and the unknown part of x from p(x|z), in turns: a Markov chain, begun with a sample.

        Rezende, Mohamed, Wierstra 2014, https://arxiv.org/abs/1401.4082, "missing data imputation", but without the noise of the
        pixels: of p(x|z) the mean is taken.
        """
        images, unknown = self.seen(images), unknown.to(self.device)
        x = torch.where(unknown, self.sample(draws), images)
        for _ in range(steps):
            noise = draws.normal(self.latent_dim).to(x)
            z, _ = self.transform(noise, *self.encode_parameters(from_unit(self.seen(x))))
            x = torch.where(unknown, self.decode(z), images)
        return x

    def evidence(self, images: Tensor, draws: Draws, samples: int = 16) -> tuple[Tensor, Tensor]:
        """The two parts of the lower bound in nats: expected log p(x|z), (B,), and the KL of each latent, (B, latent_dim).

        The bound is the first minus the sum of the second; the expectation is a mean over ``samples`` draws.
        """
        images = from_unit(self.seen(images))
        mean, log_variance = self.encode_parameters(images)
        likelihood, _ = self.terms(images, draws, samples, mean, log_variance)
        return likelihood.mean(dim=1), gaussian_kl(mean, log_variance)

    def terms(self, images: Tensor, draws: Draws, samples: int, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x|z), (B, samples), and log q(z|x) - log p(z) of each latent, (B, samples, latent_dim), at draws of z, in nats."""
        likelihoods, divergences = [], []
        for noise in draws.normal(samples, self.latent_dim).to(images).unbind(dim=1):
            z, log_posterior = self.transform(noise, *parameters)
            likelihoods.append(self.log_likelihood_given(images, z))
            divergences.append(log_posterior - standard_normal_log_density(z))
        return torch.stack(likelihoods, dim=1), torch.stack(divergences, dim=1)

    def log_importance_weights(self, images: Tensor, draws: Draws, samples: int) -> Tensor:
        """log p(x, z) - log q(z|x) in nats for ``samples`` draws of z from q(z|x), (B, samples) (Burda 2015, section 3).

        A binary model binarises the pictures by chance, from the same ``draws``.
        """
        images = from_unit(self.seen(images, draws))
        likelihood, divergence = self.terms(images, draws, samples, *self.encode_parameters(images))
        return likelihood - divergence.sum(dim=2)

    def log_likelihood(self, images: Tensor, draws: Draws, samples: int = 500) -> Tensor:
        """log p(x) in nats, (B,), the logarithm of the mean importance weight: a lower bound that tightens with ``samples``."""
        return torch.logsumexp(self.log_importance_weights(images, draws, samples), dim=1) - math.log(samples)

    def finish(self, images: Tensor, learnt: Iterable[Tensor]) -> None:
        """Measure the mean KL of every latent on validation pictures; fit the mixture to codes of the training's pictures."""
        images = images[:2000]
        self.latent_kl.copy_(self.evidence(images, Draws(0, len(images), device=self.device), samples=1)[1].mean(dim=0))
        if self.components:
            self.fit_codes(learnt)

    def fit_codes(self, learnt: Iterable[Tensor]) -> None:
        """Fit the mixture to one draw from q(z|x) of each picture, by expectation maximisation from k-means.

        The mean of q(z|x) over the pictures is where codes lie; where it differs from N(0, I), a sample of the prior lies between
        codes, and the decoder has learnt nothing there (Ghosh et al. 2020, https://arxiv.org/abs/1903.12436, section 4).
        """
        from sklearn.mixture import GaussianMixture  # takes a while to import, and only a training needs it

        codes, first = [], 0
        for images in learnt:
            mean, deviation = self.posterior(images)
            codes.append((mean + deviation * Draws(0, len(mean), first, self.device).normal(self.latent_dim)).cpu())
            first += len(mean)
        mixture = GaussianMixture(self.components, reg_covar=1e-4, max_iter=200, random_state=0).fit(torch.cat(codes).numpy())
        self.code_weights.copy_(torch.from_numpy(mixture.weights_))
        self.code_means.copy_(torch.from_numpy(mixture.means_))
        self.code_scales.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))


class PointVAE(Model):
    """The same among points (B, 2) of the plane, x in [-1, 1]: a Gaussian decoder with one learned spread, fully connected nets."""

    def __init__(self, width: int = 64, latent_dim: int = 2) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = dense_encoder(2, width, 2 * latent_dim)
        self.decoder = dense_decoder((2,), width, latent_dim)
        self.log_spread = nn.Parameter(torch.tensor(-3.0))  # small, so that the latents are needed from the start

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"both": torch.optim.Adam(self.parameters(), lr=1e-3, fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        points, _ = batch
        mean, log_variance = self.encoder(points).chunk(2, dim=1)
        log_variance = log_variance.clamp(-12.0, 8.0)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        likelihood = self.log_likelihood_given(points, z).mean()
        yield "both", {"reconstruction": -likelihood, "kl": gaussian_kl(mean, log_variance).sum(dim=1).mean()}

    def log_likelihood_given(self, points: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats, (B,)."""
        spread = self.log_spread.clamp(-5.0, 2.0)
        squares = (points - self.decoder(z)).square().sum(dim=1)
        return -0.5 * squares * torch.exp(-2 * spread) - 2 * spread - math.log(2 * math.pi)

    def sample(self, draws: Draws) -> Tensor:
        """One point per row of ``draws``, (B, 2): the decoder's mean and its spread around it."""
        z = draws.normal(self.latent_dim)
        return self.decoder(z) + self.log_spread.clamp(-5.0, 2.0).exp() * draws.normal(2)

    def density(self, points: Tensor, draws: Draws) -> Tensor:
        """p(x), (B,), of points (B, 2): the mean of p(x|z) over the latents that ``draws`` give."""
        centres, spread = self.decoder(draws.normal(self.latent_dim)), self.log_spread.clamp(-5.0, 2.0).exp()
        squares = torch.cdist(points, centres).square()
        return (torch.exp(-0.5 * squares / spread**2) / (2 * math.pi * spread**2)).mean(dim=1)
