"""What the mixtures share: pictures as a few principal coordinates, and several Gaussians among these.

Tipping, Bishop 1999, "Probabilistic principal component analysis"; Bishop 2006, "Pattern recognition and machine learning",
sections 9.2 and 12.1.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gen_models.base import Draws, GenerativeModel
from gen_models.layers import by_share

FLOOR = 1e-4
"""Added to every variance of the coordinates (a pixel from black to white has 1), so that no Gaussian shrinks to a point."""


class PrincipalGaussians(GenerativeModel):
    """Gaussians with full covariances among the first principal coordinates of pictures.

    A picture x (values in [0, 1]) has the coordinates z = basis (x - mean); the density of z is the sum over k of
    weights[k] N(z | means[k], scales[k] scales[k]^T). All of it is in buffers, so that there is nothing for an optimizer.
    """

    mean: Tensor
    """(pixels,)"""
    basis: Tensor
    """Orthonormal directions of most variance as rows, (latent_dim, pixels)."""
    variances: Tensor
    """Variance of each coordinate over all training pictures, falling, (latent_dim,); zeros before a fit."""
    kept: Tensor
    """Share of the pixels' variance that the coordinates keep, ()."""
    weights: Tensor
    """(components,)"""
    means: Tensor
    """(components, latent_dim)"""
    scales: Tensor
    """Lower triangular factors of the covariances, (components, latent_dim, latent_dim)."""

    def __init__(self, size: int, channels: int, latent_dim: int, components: int) -> None:
        super().__init__()
        pixels = channels * size * size
        if latent_dim > pixels:
            raise ValueError(f"pictures of {pixels} values have no {latent_dim} coordinates")
        self.latent_dim, self.components = latent_dim, components
        self.register_buffer("mean", torch.full((pixels,), 0.5))
        self.register_buffer("basis", torch.eye(latent_dim, pixels))
        self.register_buffer("variances", torch.zeros(latent_dim))
        self.register_buffer("kept", torch.zeros(()))
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, latent_dim))
        self.register_buffer("scales", 0.3 * torch.eye(latent_dim).repeat(components, 1, 1))

    # ---- pictures and coordinates

    def encode(self, images: Tensor) -> Tensor:
        """The coordinates of pictures in [0, 1], (B, latent_dim)."""
        return (images.to(self.device).flatten(1) - self.mean) @ self.basis.T

    def decode(self, latents: Tensor) -> Tensor:
        """Coordinates (B, latent_dim) -> pictures (B, C, H, W); what lies outside [0, 1] is clipped."""
        values = self.mean + latents.to(self.device) @ self.basis
        return values.clamp(0.0, 1.0).view(-1, *self.image_shape)

    # ---- the density

    def log_joint(self, coordinates: Tensor) -> Tensor:
        """log weights[k] N(z | k) for each point and Gaussian, (B, components)."""
        return torch.log(self.weights / self.weights.sum()) + log_gaussians(coordinates, self.means, self.scales)

    def log_density(self, images: Tensor) -> Tensor:
        """Log-density of the coordinates of pictures in nats, (B,)."""
        return self.log_joint(self.encode(images)).logsumexp(dim=1)

    def log_density_of_one(self, images: Tensor) -> Tensor:
        """The same under one Gaussian fitted to all training pictures, (B,).

        The training pictures' coordinates have mean zero and are uncorrelated, so that their variances say all of it.
        """
        z, variances = self.encode(images), self.variances
        return -0.5 * (z.square() / variances + variances.log() + math.log(2 * math.pi)).sum(dim=1)

    def responsibilities(self, images: Tensor) -> Tensor:
        """How likely each Gaussian is to have made a picture, (B, components), rows add up to 1 (Bishop 2006, eq. 9.13)."""
        return self.log_joint(self.encode(images)).softmax(dim=1)

    def reconstruct(self, images: Tensor) -> Tensor:
        """The pictures of the pictures' coordinates; the Gaussians have no say in it."""
        return self.decode(self.encode(images))

    # ---- pictures from nothing

    def sample(self, draws: Draws, component: int | None = None, spread: float = 1.0) -> Tensor:
        """First a Gaussian by its weight, then a point of it; one picture per row of ``draws``.

        ``component`` fixes the Gaussian; a row that would have chosen it anyway gives the same picture. ``spread`` multiplies the
        distance from the Gaussian's mean: 0 gives the mean itself.
        """
        chosen, noise = self.choose(draws), draws.normal(self.latent_dim).to(self.mean)
        if component is not None:
            chosen = torch.full_like(chosen, component)
        offset = (self.scales[chosen] @ noise[:, :, None]).squeeze(2)
        return self.decode(self.means[chosen] + spread * offset)

    def choose(self, draws: Draws) -> Tensor:
        """A Gaussian per row of ``draws`` by the weights, int64 (B,); takes one uniform number."""
        return by_share(self.weights.double().expand(draws.count, -1), draws.uniform(1))

    def sample_of_one(self, draws: Draws, spread: float = 1.0) -> Tensor:
        """Pictures from one Gaussian fitted to all training pictures; the noise is that of :meth:`sample`."""
        draws.uniform(1)
        noise = draws.normal(self.latent_dim).to(self.mean)
        return self.decode(spread * self.variances.sqrt() * noise)

    def complete(self, draws: Draws, images: Tensor, unknown: Tensor) -> Tensor:
        """A draw from the coordinates' density given the known pixels, for each row of ``draws``; what is unknown is its picture.

        A known pixel is its row of the basis times the coordinates, and noise of the variance s that the coordinates leave out
        (Tipping and Bishop 1999, section 3.1). With z = means[k] + scales[k] u, Gaussian k gives u a Gaussian once these pixels are
        known, and these pixels a density, which weighs k (Bishop 2006, eq. 2.113 to 2.117). If nothing is known: :meth:`sample`.
        """
        numbers, noise = draws.uniform(1), draws.normal(self.latent_dim).double()
        images = images.to(self.device)
        hole = unknown.to(self.device).expand(self.image_shape).flatten()
        basis, scales, means = (part.double() for part in (self.basis[:, ~hole], self.scales, self.means))
        offsets = (images.flatten(1)[:, ~hole] - self.mean[~hole]).double()  # (1 or B, known)
        s = self.left_out().double()
        gram, seen = basis @ basis.T, offsets @ basis.T  # what the known pixels say of coordinates, (D, D) and (1 or B, D)
        precision = torch.eye(self.latent_dim).to(gram) + scales.mT @ gram @ scales / s  # of u given the known pixels, (K, D, D)
        factor = torch.linalg.cholesky(precision)
        # scales[k]^T basis (x - mean - basis^T means[k]) / s, (1 or B, K, D)
        pull = torch.einsum("kij,bki->bkj", scales, seen[:, None] - means @ gram) / s
        centre = torch.cholesky_solve(pull[..., None], factor)[..., 0]
        # log N(known | k), but for what is the same for all k
        distance = (means @ gram * means).sum(dim=1) - 2 * seen @ means.T  # of the known pixels from means[k], squared
        log_known = 0.5 * ((pull * centre).sum(dim=2) - distance / s) - factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        shares = (self.weights.double().log() + log_known).softmax(dim=1).expand(draws.count, -1)
        chosen = by_share(shares, numbers)
        rows = torch.arange(draws.count, device=chosen.device)
        turned = torch.linalg.solve_triangular(factor[chosen].mT, noise.to(factor)[..., None], upper=True)[..., 0]
        u = centre.expand(draws.count, -1, -1)[rows, chosen] + turned
        found = means[chosen] + (scales[chosen] @ u[..., None])[..., 0]
        return torch.where(hole.view(self.image_shape), self.decode(found.to(self.mean)), images)

    def left_out(self) -> Tensor:
        """Variance per pixel and direction that the coordinates leave out, () (Tipping and Bishop 1999, eq. 8)."""
        directions = max(1, len(self.mean) - self.latent_dim)
        return (self.variances.sum() * (1 / self.kept.clamp_min(FLOOR) - 1) / directions).clamp_min(FLOOR)

    def directions(self, component: int) -> tuple[Tensor, Tensor]:
        """The covariance of one Gaussian taken apart: standard deviations, falling, (latent_dim,), and unit directions as rows."""
        scale = self.scales[component].double()
        values, vectors = torch.linalg.eigh(scale @ scale.T)
        # a direction and its opposite are the same; the one whose largest part is positive is taken
        signs = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True)).sign()
        return values.flip(0).clamp_min(0).sqrt().to(scale.dtype).float(), (vectors * signs).T.flip(0).float()

    # ---- fitting

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}

    def reduced(self, images: Tensor, seed: int) -> np.ndarray:
        """The coordinates of the training pictures (N, C, H, W), float64 (N, latent_dim); finds the coordinates if there are none.

        Raises:
            ValueError: if there are too few pictures.
        """
        count, needed = len(images), max(self.components, self.latent_dim) + 1
        if count < needed:
            raise ValueError(f"{count} training pictures are too few for this model; it needs {needed} or more")
        if not self.variances.any():
            from sklearn.decomposition import PCA  # takes a second to import, and sampling does without

            found = PCA(self.latent_dim, random_state=seed).fit(images.flatten(1).cpu().numpy())
            self.set_buffers(mean=found.mean_, basis=found.components_, variances=found.explained_variance_ + FLOOR,
                      kept=found.explained_variance_ratio_.sum())  # fmt: skip
        return np.concatenate([self.encode(part).cpu().numpy() for part in images.split(4096)]).astype(np.float64)

    def set_buffers(self, **values: np.ndarray) -> None:
        """Put arrays into the buffers of these names."""
        for name, value in values.items():
            buffer = getattr(self, name)
            buffer.copy_(torch.as_tensor(np.asarray(value)).view_as(buffer))


def log_gaussians(points: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """log N(x | means[k], scales[k] scales[k]^T) of points (B, D) under K Gaussians, (B, K), in nats."""
    offsets = points.T[None] - means[:, :, None]  # (K, D, B)
    white = torch.linalg.solve_triangular(scales, offsets, upper=False)
    log_determinants = scales.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    return (-0.5 * white.square().sum(dim=1) - log_determinants[:, None] - 0.5 * points.shape[1] * math.log(2 * math.pi)).T


def quietly_fitted(mixture: Any, points: np.ndarray) -> Any:
    """scikit-learn's ``mixture`` after ``fit``, without its remark that one iteration is not enough."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(points)
