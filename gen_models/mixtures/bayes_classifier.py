"""Bayes classifier: a Gaussian for each class; it tells what a picture shows, and it draws what it has been told.

Friedman 1989, "Regularized discriminant analysis", https://doi.org/10.1080/01621459.1989.10478752; how much to regularise:
Ledoit, Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from gen_models.base import Draws, Recipe
from gen_models.mixtures._gaussians import PrincipalGaussians


class BayesClassifier(PrincipalGaussians):
    """One Gaussian per class among the first principal coordinates; Gaussian *k* and its weight are those of class *k*."""

    title = "Bayes classifier"
    year = 1989
    authors = "Jerome H. Friedman"
    paper = "https://doi.org/10.1080/01621459.1989.10478752"
    summary = "Each class is one Gaussian over pictures: a classifier by Bayes' rule, and new pictures by sampling."
    keywords = ("classification", "class conditional")
    differences = (
        "The Gaussians model the first principal coordinates of the pictures, not their pixels: many pixels never vary, "
        "and ten covariances of 784 pixels are six million numbers.",
        "Each covariance is shrunk towards a spherical one by the amount that Ledoit and Wolf's formula gives, not by "
        "cross-validation, and not towards the covariance of all classes.",
        "A sample is the picture of its coordinates; the noise of the pixels that the coordinates leave out is not added.",
    )
    limits = (
        "A class has several shapes (a seven with a bar and one without), and one Gaussian puts its middle between them.",
        "A Gaussian extends beyond its class: many samples are no digit, and most are blurred.",
        "It is overconfident: it assigns even pictures that show none of its classes to one of them with near certainty.",
    )
    reported = {
        "accuracy-digit-mnist": "96.7 % (LeCun 1998, section III.C: 40 principal components and a quadratic classifier), on the "
        "same test set; that one learns the border between the classes and knows no density",
    }
    headline = "accuracy-digit-mnist"
    recipes = {
        "mnist": Recipe(steps=1, ema=0, precision="no", arguments=dict(size=28, channels=1, latent_dim=40, classes=10)),
        "fashion": Recipe(steps=1, ema=0, precision="no", arguments=dict(size=28, channels=1, latent_dim=40, classes=10)),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, latent_dim=6, classes=3)

    def __init__(self, size: int = 28, channels: int = 1, latent_dim: int = 40, classes: int = 10) -> None:
        super().__init__(size, channels, latent_dim, classes)
        self.classes = classes

    def fit(self, images: Tensor, labels: Tensor, seed: int) -> Iterator[dict[str, float]]:
        """Mean and covariance of each class, at once; every further step would find the same. Yields the largest shrinkage."""
        from sklearn.covariance import LedoitWolf  # takes a second to import, and sampling does without

        points, given = self.reduced(images, seed), labels[:, 0].cpu().numpy()
        counts = np.bincount(given, minlength=self.classes)
        if len(counts) > self.classes or counts.min() < 2:
            raise ValueError(f"each of {self.classes} classes needs two training pictures or more, and there may be no other class")
        found = [LedoitWolf().fit(points[given == label]) for label in range(self.classes)]
        self.set_buffers(
            weights=counts / counts.sum(), means=np.stack([gaussian.location_ for gaussian in found]),
            scales=np.linalg.cholesky(np.stack([gaussian.covariance_ for gaussian in found])),
        )  # fmt: skip
        while True:
            yield {"shrinkage": max(float(gaussian.shrinkage_) for gaussian in found)}

    def probabilities(self, images: Tensor) -> Tensor:
        """p(class | picture) by Bayes' rule, (B, classes), for pictures in [0, 1]."""
        return self.responsibilities(images)

    def predict(self, images: Tensor) -> Tensor:
        """The likeliest class of each picture, int64 (B, 1)."""
        return self.log_joint(self.encode(images)).argmax(dim=1, keepdim=True)

    def sample(self, draws: Draws, label: int | None = None, spread: float = 1.0) -> Tensor:
        """Given a class: a picture of it. Without one: first a class by how frequent it is, then a picture of it.

        Rows that draw class *c* give the same picture in both ways. ``spread`` multiplies the distance from the class's mean.
        """
        return super().sample(draws, label, spread)
