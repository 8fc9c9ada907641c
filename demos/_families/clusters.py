"""What rooms with a mixture of pictures share: the clusters, what each holds, which of them a picture belongs to.

A model of these rooms has ``weights``, ``means``, ``directions``, ``responsibilities`` and, if clusters may be empty, ``counts``.
"""

from __future__ import annotations

from typing import Any

import PIL.Image
import torch
from torch import Tensor

from demos._kit import charts
from demos._kit.checks import integer
from demos._kit.fields import Picture
from demos._kit.plan import View
from demos._kit.shipped import example_pictures, picture_for, tensors
from demos._kit.shown import Bars, Html, Rows, Tiles
from gen_models import Draws, catalog, load, runtime

LOOK = "Your picture"


def order(model: Any) -> list[int]:
    """The model's Gaussians, that of the largest weight first."""
    return model.weights.argsort(descending=True, stable=True).tolist()


def clusters(weights: str) -> Tiles:
    """The mean of every cluster with its share of the pictures, the largest first; those without pictures are pale."""
    model = load(weights)
    ranked = order(model)
    with runtime.forward_pass():
        pictures = model.decode(model.means[ranked]).cpu()
    captions = [f"{100 * float(model.weights[k]):.1f} %" for k in ranked]
    unused = [] if not hasattr(model, "counts") else [k for k in ranked if model.counts[k] < 1]
    return Tiles(pictures, captions, "cluster", columns=10, indices=ranked, faded=unused)


def decoded(weights: str, z: Tensor) -> Tensor:
    """The pictures (N, C, H, W) in [0, 1] of principal coordinates (N, latent_dim), by the file and without the model."""
    mean, basis = tensors(weights, "mean", "basis")
    arguments = catalog.config_of(weights)["arguments"]
    return (mean + z @ basis).clamp(0, 1).view(-1, arguments["channels"], arguments["size"], arguments["size"])


def along(weights: str, k: int, count: int, reach: float) -> list[Tiles]:
    """The first directions of a Gaussian, each from ``reach`` standard deviations below its mean to as many above."""
    model, places = load(weights), torch.linspace(-reach, reach, 8)[:, None]
    deviations, ways = model.directions(k)
    with runtime.forward_pass():
        rows = [model.decode(model.means[k] + places * step).cpu() for step in (deviations[:, None] * ways)[:count]]
    return [Tiles(row, words=f"direction {way + 1}, step") for way, row in enumerate(rows)]


def kept(weights: str, seen: Tensor, k: int, caption: str) -> Tiles:
    """A picture (1, C, H, W), what its coordinates keep of it, and the mean of a Gaussian."""
    model = load(weights)
    with runtime.forward_pass():
        made = [model.decode(z)[0].cpu() for z in (model.encode(seen), model.means[k : k + 1])]
    return Tiles([seen[0], *made], ["the picture", f"{model.latent_dim} coordinates", caption], "looked at", 3)


def inside(index: int, weights: str, seed: int, spread: float = 1.0) -> Rows:
    """Eight draws from one cluster, and the directions in which its pictures differ most."""
    model = load(weights)
    k = integer(index, 0, model.components - 1, "Cluster")
    with runtime.forward_pass():
        drawn = model.sample(Draws(seed, 8, device=runtime.device()), component=k, spread=spread).cpu()
    words = f"Cluster {k}, {100 * float(model.weights[k]):.1f} % of the pictures: eight samples from it."
    return Rows([
        Tiles(drawn, words="draw", title=words),
        Html('<p class="over">The three directions in which its pictures differ most, from −2 to 2 standard deviations.</p>'),
        *along(weights, k, 3, 2),
    ])  # fmt: skip


def look(weights: str, picture: PIL.Image.Image) -> Rows:
    """A picture, what its coordinates keep of it and the mean of its cluster; the clusters that it may belong to; its density."""
    model, seen = load(weights), picture_for(weights, picture)
    with runtime.forward_pass():
        shares = model.responsibilities(seen)[0].cpu()
        ranked = shares.argsort(descending=True).tolist()[:5]
        densities = {"the mixture": float(model.log_density(seen)), "one Gaussian": float(model.log_density_of_one(seen))}
    rows = "".join(
        f"<tr><td>Density under {name}</td><td>{charts.signed(value, 1)} nats</td></tr>" for name, value in densities.items()
    )
    return Rows([
        kept(weights, seen, ranked[0], f"its cluster: {ranked[0]}"),
        Bars([(f"cluster {k}", float(shares[k])) for k in ranked]), Html(f'<table class="facts">{rows}</table>'),
    ])  # fmt: skip


def picture() -> Picture:
    """A picture of which the cluster is looked for."""
    return Picture(
        "A picture of a single object", examples=example_pictures, place=LOOK, kept=False,
        examples_words="Which cluster does a picture belong to? Click one made by a GAN of this gallery, or upload your own.",
    )  # fmt: skip


VIEWS = [
    View("The clusters", clusters, live=True, pick=inside,
         intro="The mean of every cluster and its share of the pictures. Click one to see what it holds."),
    View(LOOK, look, live=True),
]  # fmt: skip
