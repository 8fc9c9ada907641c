"""Gaussian mixture: pictures fall into a number of clusters, each of which is a Gaussian; EM finds them.

Dempster, Laird, Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm", section 4.3,
https://doi.org/10.1111/j.2517-6161.1977.tb01600.x
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from gen_models.base import Recipe
from gen_models.mixtures._gaussians import FLOOR, PrincipalGaussians, quietly_fitted


class GMM(PrincipalGaussians):
    """A mixture of Gaussians among the first principal coordinates, fitted by expectation and maximisation in turns."""

    title = "Gaussian mixture"
    year = 1977
    authors = "Arthur P. Dempster, Nan M. Laird, Donald B. Rubin"
    paper = "https://doi.org/10.1111/j.2517-6161.1977.tb01600.x"
    summary = "The data fall into clusters, each a Gaussian with its own mean and shape; two alternating steps find them."
    keywords = ("EM", "expectation maximisation", "clustering")
    differences = (
        "The mixture models the first principal coordinates of the pictures, not their pixels.",
        "EM starts from k-means (scikit-learn), and a small number is added to all variances, so that none vanishes.",
        "A sample is the picture of its coordinates; the noise of the pixels that the coordinates leave out is not added.",
    )
    limits = (
        "Within a cluster everything is averaged or stretched along straight lines, so strokes are soft and edges are doubled.",
        "A Gaussian extends beyond its cluster: some samples lie between two digits or show none.",
        "What the principal coordinates leave out, fine strokes above all, is in no sample.",
    )
    headline = "density-mnist"
    recipes = {
        "mnist": Recipe(steps=30, ema=0, precision="no", arguments=dict(size=28, channels=1, latent_dim=40, components=50)),
        "fashion": Recipe(steps=30, ema=0, precision="no", arguments=dict(size=28, channels=1, latent_dim=40, components=50)),
        "folder": Recipe(steps=30, ema=0, precision="no", arguments=dict(size=64, channels=3, latent_dim=30, components=10)),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, latent_dim=6, components=3)

    def __init__(self, size: int = 28, channels: int = 1, latent_dim: int = 40, components: int = 50) -> None:
        super().__init__(size, channels, latent_dim, components)

    def fit(self, images: Tensor, labels: Tensor, seed: int) -> Iterator[dict[str, float]]:
        """EM on all pictures at once; the first iteration is preceded by k-means. Yields the mean log-density before each one."""
        fresh = not self.variances.any()
        points = self.reduced(images, seed)
        if fresh:
            self.set_mixture(started(points, self.components, seed))
        while True:
            state = self.state()
            after = stepped(points, *state)
            self.set_mixture(after)
            yield {"log-density": float(after.lower_bound_)}

    def state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights (K,), means (K, D) and covariances (K, D, D), float64."""
        weights, means, scales = (value.cpu().double().numpy() for value in (self.weights, self.means, self.scales))
        return weights / weights.sum(), means, scales @ scales.transpose(0, 2, 1)

    def set_mixture(self, mixture: Any) -> None:
        """Set the buffers to what scikit-learn found."""
        self.set_buffers(weights=mixture.weights_, means=mixture.means_, scales=np.linalg.cholesky(mixture.covariances_))


def started(points: np.ndarray, components: int, seed: int) -> Any:
    """scikit-learn's mixture on points (N, D) before the first iteration: a Gaussian around each of the clusters of k-means."""
    from sklearn.mixture import GaussianMixture  # takes a second to import, and sampling does without

    return GaussianMixture(components, reg_covar=FLOOR, max_iter=0, random_state=seed).fit(points)


def stepped(points: np.ndarray, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, floor: float = FLOOR) -> Any:
    """scikit-learn's mixture one iteration further: responsibilities (E), then weights, means, covariances (M).

    Its ``lower_bound_`` is the mean log-density of the points in nats before the iteration: there, the bound that the E step
    makes touches it.
    """
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        len(weights), reg_covar=floor, max_iter=1, weights_init=weights, means_init=means,
        precisions_init=np.linalg.inv(covariances),
    )  # fmt: skip
    return quietly_fitted(mixture, points)
