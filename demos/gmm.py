"""The room of the Gaussian mixture: EM by steps on points in the plane, then clusters of pictures, and the blur of one Gaussian."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from torch import Tensor

from demos._families import clusters, planes
from demos._families.planes import Board, Iteration, Mixture, Pasted, Points, SentPoints, Walk
from demos._kit import charts
from demos._kit.alone import alone
from demos._kit.fields import Check, Seed, Slider
from demos._kit.plan import Api, Plan, Try, View
from demos._kit.shipped import sheet_tiles, tensors
from demos._kit.shown import Columns, Html, Tiles
from gen_models import Draws, load, runtime

MODEL = "gmm"
MAX_COMPONENTS = 8
MAX_STEPS = 100
FLOOR = 1e-5
"""Added to every variance in the plane, so that no Gaussian shrinks to a point."""
STILL = 1e-4
"""EM has come to rest when an iteration gains less than so many nats a point."""
COUNT = 16
"""Pictures of each kind."""
BLUR = "Blur or clusters"
EXPLANATION = r"""
Every point $x_n$ is assumed to come from one of $K$ Gaussians, but which one is not known. EM (expectation maximisation) guesses
and corrects in turns. **E**: given the Gaussians, how likely is each to have generated each point? These are the responsibilities
$r_{nk}$, the colours of the points. **M**: given the responsibilities, every Gaussian takes the weighted mean and covariance of the
points, and its share of them as its weight. Neither step can lower the likelihood, so the curve never falls; but where it converges
depends on the start.

$$r_{nk} = \frac{\pi_k \, \mathcal{N}(x_n | \mu_k, \Sigma_k)}{\sum_j \pi_j \, \mathcal{N}(x_n | \mu_j, \Sigma_j)}, \qquad
\sum_n \log \sum_k \pi_k \, \mathcal{N}(x_n | \mu_k, \Sigma_k) \;\ge\;
\sum_n \sum_k r_{nk} \log \frac{\pi_k \, \mathcal{N}(x_n | \mu_k, \Sigma_k)}{r_{nk}}$$

A picture is a point as well: the 784 pixels of a digit are reduced to their first 40 principal coordinates, and EM finds clusters
among these 57,000 points. One Gaussian for all digits can only say how grey each pixel is and which pixels brighten together, so
its samples are a blur of all digits at once; a mixture averages only within a cluster.
"""


# ---- EM in the plane --------------------------------------------------------------------------------------------------


def start(points: np.ndarray, components: int, seed: int) -> Mixture:
    """Before the first iteration: round Gaussians of equal weight, each in the place of a point drawn at random."""
    chance = np.random.Generator(np.random.Philox(key=[seed, 7]))
    means = points[chance.choice(len(points), components, replace=False)]
    variance = points.var(axis=0).mean() / components + FLOOR
    return Mixture(np.full(components, 1 / components), means, np.repeat(variance * np.eye(2)[None], components, axis=0))


@lru_cache(maxsize=64)
def walk(points: str, components: int, seed: int) -> Walk:
    """EM on the board's points by scikit-learn, from the start until it comes to rest."""
    from gen_models.mixtures.gmm import stepped  # not before the first use, and scikit-learn comes with its first call

    there = planes.unpack(points)
    now = start(there, components, seed)
    mixtures, bounds = [], []
    while True:
        with runtime.forward_pass():
            found = stepped(there, now.weights, now.means, now.covariances, FLOOR)
        bound = float(found.lower_bound_)  # of the mixture before the iteration
        # what is added to the variances is not EM's: where it would lower the bound, in clusters of a single place, EM ends
        if bounds and bound < bounds[-1]:
            break
        mixtures.append(now)
        bounds.append(bound)
        if len(bounds) > MAX_STEPS or (len(bounds) > 1 and bounds[-1] - bounds[-2] < STILL):
            break
        now = Mixture(found.weights_, found.means_, found.covariances_)
    return Walk(tuple(mixtures), tuple(bounds))


def at(points: str, components: int, seed: int, step: int, new: bool) -> Board:
    """The board at an iteration, with the curve until EM comes to rest."""
    found = walk(points, components, seed)
    step = min(step, found.last)
    mixture = found.mixtures[step]
    return Board(
        planes.unpack(points), mixture, step, found.last, mixture.sample(planes.DRAWN, seed) if new else None,
        charts.curve(found.bounds, step, "Mean log-density", "nats a point"), planes.progress(found, step, MAX_STEPS),
    )  # fmt: skip


def board(points: str, components: int, seed: int, step: int, new: bool) -> Board:
    """The board at an iteration; before the first one, nothing is fitted."""
    there = planes.unpack(points)
    if len(there) < planes.needed(components):
        return planes.waiting(there, components)
    if step:
        return at(points, components, seed, step, new)
    mixture = start(there, components, seed)
    words = "The start: round Gaussians in random places. A point has the colours of those that may have made it. Press Run EM."
    return Board(there, mixture, drawn=mixture.sample(planes.DRAWN, seed) if new else None, note=words)


def run(points: str, components: int, seed: int, step: int, new: bool) -> Iterator[Board]:
    """The board at every iteration from here on until EM comes to rest; from the start if it has."""
    planes.enough(planes.unpack(points), components)
    for here in planes.strides(walk(points, components, seed), step):
        yield at(points, components, seed, here, new)


def fit(points: str, components: int, seed: int, iterations: int) -> Html:
    """The mixture after some iterations."""
    planes.enough(planes.unpack(points), components)
    return planes.fitted(walk(points, components, seed), iterations, "log_density")


# ---- pictures ---------------------------------------------------------------------------------------------------------


def sample(weights: str, seed: int, count: int, spread: float) -> Tiles:
    """Samples of the mixture."""
    with runtime.forward_pass():
        return Tiles(load(weights).sample(Draws(seed, count, device=runtime.device()), spread=spread).cpu(), (), "mixture", 4)


def blurred(weights: str, seed: int, spread: float) -> Tensor:
    """What one Gaussian for all pictures makes, (COUNT, C, H, W) in [0, 1]; the model's own verb, without the model."""
    (variances,), draws = tensors(weights, "variances"), Draws(seed, COUNT)
    draws.uniform(1)
    return clusters.decoded(weights, spread * variances.sqrt() * draws.normal(len(variances)))


def beside(mixture: Tiles, weights: str, seed: int, spread: float) -> Columns:
    """The mixture's samples beside those of one Gaussian."""
    titles = ["The mixture: first a cluster, then a picture of it", "One Gaussian for all pictures, in the same coordinates"]
    return Columns([mixture, Tiles(blurred(weights, seed, spread), words="one Gaussian", columns=4)], titles)


def both(weights: str, seed: int, spread: float) -> Columns:
    """Samples of the mixture and of one Gaussian, with the same seed."""
    return beside(sample(weights, seed, COUNT, spread), weights, seed, spread)


PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION, heading="The same with pictures", migrate=planes.migrate,
    order=["weights", "seed", "points", "components", "step", "spread", "new"],
    fields=dict(
        points=Points(), components=Slider("Components", 4, low=1, high=MAX_COMPONENTS, step=1), seed=Seed(),
        step=Iteration(high=MAX_STEPS), new=Check("Show new points drawn from the mixture"), pasted=Pasted(),
        spread=Slider("Spread", 1.0, "How far pictures are from the mean of their Gaussian", place=BLUR, high=1.5, step=0.05),
        picture=clusters.picture(),
    ),
    tour=[
        Try("Run EM and watch the ellipses find the points.", ""),
        Try("Choose other points, or click your own.", "points"),
        Try("Break it: ask for 8 components where there are 4 clusters.", "components"),
    ],
    views=[
        View("", run, "Run EM", keep="Save picture", live=True, still=board, sets=["step"], component=planes.board, group="walks",
             limit=16, pace=planes.FRAME),
        View(BLUR, both, keep="Save the pictures", live=True,
             sight=lambda weights: beside(Tiles(sheet_tiles(weights, COUNT), words="mixture", columns=4), weights, 0, 1.0)),
        *clusters.VIEWS,
    ],
    actions=planes.actions(MAX_STEPS),
    api=[
        Api("gmm_sample", sample, dict(weights="gmm-mnist", seed=7, count=16, spread=1.0), words="Sample pictures from a Gaussian "
            "mixture. Picture i of a seed is always the same. Returns PNG data URIs.",
            fields={"count": Slider("Pictures", low=1, high=64, step=1)}),
        Api("gmm_fit", fit, dict(points="Blobs", components=4, seed=0, iterations=MAX_STEPS), words="Fit a mixture to points in "
            f"the plane by EM. {planes.SENT_WORDS} Returns weights, means and covariances after the last iteration, and the mean "
            "log-density of the points before and after each, in nats.", returns=dict[str, list],
            fields={"points": SentPoints(), "iterations": Slider("Iterations", high=MAX_STEPS, step=1)}),
    ],
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
