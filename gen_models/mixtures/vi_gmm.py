"""Variational Gaussian mixture: every number of the mixture is uncertain, and Gaussians that are not needed lose their weight.

Attias 1999, "A variational Bayesian framework for graphical models",
https://proceedings.neurips.cc/paper_files/paper/1999/hash/74563ba21a90da13dacf2a73e3ddefa7-Abstract.html; here in the symbols of
Bishop 2006, "Pattern recognition and machine learning", section 10.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gen_models.base import Recipe
from gen_models.mixtures._gaussians import FLOOR, PrincipalGaussians, log_gaussians, quietly_fitted

STATE = ("weight_concentration_", "mean_precision_", "means_", "degrees_of_freedom_", "covariances_")
"""What scikit-learn calls the parameters of the mixture's distributions."""


class VIGMM(PrincipalGaussians):
    """A mixture whose weights, means and covariances have distributions: Dirichlet and normal-Wishart (eq. 10.39 and 10.40).

    The buffers ``weights``, ``means`` and ``scales`` hold their expectations; sampling and ``log_density`` use these.
    ``concentration`` is the prior's number of imagined pictures in each Gaussian: the smaller, the fewer Gaussians stay.
    """

    title = "Variational mixture"
    year = 1999
    authors = "Hagai Attias"
    paper = "https://proceedings.neurips.cc/paper_files/paper/1999/hash/74563ba21a90da13dacf2a73e3ddefa7-Abstract.html"
    summary = "It starts with more components than it needs; those that the data do not support end with a weight near zero."
    keywords = ("variational inference", "Dirichlet", "clustering", "Bayesian")
    differences = (
        "The mixture models the first principal coordinates of the pictures, not their pixels.",
        "The fit starts from k-means and is scikit-learn's; its prior covariance is that of all training pictures.",
        "Samples come from the expected weights, means and covariances, not from a draw of them.",
        "A sample is the picture of its coordinates; the noise of the pixels that the coordinates leave out is not added.",
    )
    limits = (
        "How many Gaussians stay depends on the start as well: two that share a cluster may both persist for very long.",
        "Within a cluster everything is averaged or stretched along straight lines, so strokes are soft and edges are doubled.",
        "What the principal coordinates leave out, fine strokes above all, is in no sample.",
    )
    headline = "density-mnist"
    recipes = {
        "mnist": Recipe(
            steps=60, ema=0, precision="no",
            arguments=dict(size=28, channels=1, latent_dim=40, components=60, concentration=0.001),
        ),
        "fashion": Recipe(
            steps=60, ema=0, precision="no",
            arguments=dict(size=28, channels=1, latent_dim=40, components=60, concentration=0.001),
        ),
        "folder": Recipe(
            steps=60, ema=0, precision="no",
            arguments=dict(size=64, channels=3, latent_dim=30, components=20, concentration=0.001),
        ),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, latent_dim=6, components=4, concentration=0.01)

    def __init__(
        self, size: int = 28, channels: int = 1, latent_dim: int = 40, components: int = 60, concentration: float = 0.001
    ) -> None:
        super().__init__(size, channels, latent_dim, components)
        self.concentration = concentration
        # in Bishop's symbols: alpha, beta and nu
        self.register_buffer("concentrations", torch.full((components,), float(concentration)))
        self.register_buffer("mean_precisions", torch.ones(components))
        self.register_buffer("degrees", torch.full((components,), float(latent_dim)))

    @property
    def counts(self) -> Tensor:
        """Training pictures that belong to each Gaussian, in parts, (components,); one with less than one is not used."""
        return (self.concentrations - self.concentration).clamp_min(0)

    def fit(self, images: Tensor, labels: Tensor, seed: int) -> Iterator[dict[str, float]]:
        """Variational EM on all pictures at once; before the first iteration, k-means. Yields the lower bound after each one."""
        fresh = not self.variances.any()
        points = self.reduced(images, seed)
        if fresh:
            self.set_mixture(started(points, self.components, self.concentration, seed, FLOOR))
        while True:
            found = stepped(points, self.state(), self.concentration, FLOOR)
            self.set_mixture(found)
            yield {"bound": float(found.lower_bound_), "used": float((self.counts >= 1).sum())}

    def state(self) -> dict[str, np.ndarray]:
        """What an iteration starts from, as scikit-learn calls it, float64."""
        values = self.concentrations, self.mean_precisions, self.means, self.degrees, self.scales @ self.scales.transpose(1, 2)
        return {name: value.cpu().double().numpy() for name, value in zip(STATE, values, strict=True)}

    def set_mixture(self, mixture: Any) -> None:
        """Set the buffers to what scikit-learn found."""
        self.set_buffers(
            weights=mixture.weights_, means=mixture.means_, scales=np.linalg.cholesky(mixture.covariances_),
            concentrations=mixture.weight_concentration_, mean_precisions=mixture.mean_precision_,
            degrees=mixture.degrees_of_freedom_,
        )  # fmt: skip

    def expected_log_joint(self, coordinates: Tensor) -> Tensor:
        """E[log weights[k] N(z | k)] over the mixture's own distribution, (B, components) (eq. 10.46, 10.64 to 10.66)."""
        size, degrees = self.latent_dim, self.degrees
        log_weights = torch.digamma(self.concentrations) - torch.digamma(self.concentrations.sum())
        # E[log |precision|] less the log-determinant that is in the Gaussian with the expected covariance
        places = 0.5 * (degrees[:, None] - torch.arange(size, device=degrees.device))
        surplus = torch.digamma(places).sum(dim=1) + size * math.log(2) - size * degrees.log()
        return log_weights + log_gaussians(coordinates, self.means, self.scales) + 0.5 * (surplus - size / self.mean_precisions)

    def expected_log_density(self, images: Tensor) -> Tensor:
        """A lower bound of the coordinates' predictive log-density in nats, (B,): what scikit-learn calls the score."""
        return self.expected_log_joint(self.encode(images)).logsumexp(dim=1)

    def responsibilities(self, images: Tensor) -> Tensor:
        """How likely each Gaussian is to have made a picture, (B, components), rows add up to 1 (eq. 10.49)."""
        return self.expected_log_joint(self.encode(images)).softmax(dim=1)


def prior_covariance(points: np.ndarray, floor: float) -> np.ndarray:
    """The covariance of all points (N, D) with ``floor`` added to the variances, (D, D)."""
    return np.atleast_2d(np.cov(points.T)) + floor * np.eye(points.shape[1])


def mixture_of(points: np.ndarray, components: int, concentration: float, floor: float, **settings: Any) -> Any:
    """scikit-learn's variational mixture, not yet fitted.

    Nothing is added to the covariances but by their prior: then every iteration is exact, and the bound never falls.
    """
    from sklearn.mixture import BayesianGaussianMixture  # takes a second to import, and sampling does without

    return BayesianGaussianMixture(
        n_components=components, reg_covar=0.0, weight_concentration_prior_type="dirichlet_distribution",
        weight_concentration_prior=concentration, covariance_prior=prior_covariance(points, floor), **settings,
    )  # fmt: skip


def started(points: np.ndarray, components: int, concentration: float, seed: int, floor: float) -> Any:
    """scikit-learn's variational mixture on points (N, D) before the first iteration, from the clusters of k-means."""
    return mixture_of(points, components, concentration, floor, max_iter=0, random_state=seed).fit(points)


def stepped(points: np.ndarray, state: dict[str, np.ndarray], concentration: float, floor: float) -> Any:
    """scikit-learn's variational mixture one iteration further: responsibilities, then all distributions of the parameters.

    ``state``: name -> array for each name in ``STATE``. The mixture's ``lower_bound_`` is the evidence lower bound in nats after
    the iteration, summed over the points, up to a constant that depends on their number and the prior alone.
    """
    mixture = mixture_of(points, len(state["means_"]), concentration, floor, max_iter=1, warm_start=True)
    for name, value in state.items():
        setattr(mixture, name, value)
    scales = np.linalg.cholesky(state["covariances_"])
    mixture.precisions_cholesky_ = np.linalg.inv(scales).transpose(0, 2, 1)
    mixture.converged_, mixture.lower_bound_ = False, -np.inf  # so that it goes on from here
    return quietly_fitted(mixture, points)
