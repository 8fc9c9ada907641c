"""The room of the variational Gaussian mixture: components that are not needed fade, in the plane and among pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from demos._families import clusters, planes
from demos._families.planes import COLOURS, Board, Iteration, Mixture, Pasted, Points, SentPoints, Walk
from demos._kit import charts
from demos._kit.alone import alone
from demos._kit.fields import Seed, Slider
from demos._kit.plan import Action, Api, Plan, Try, View
from demos._kit.shipped import sheet_tiles, tensors
from demos._kit.shown import Html, Rows, Tiles
from gen_models import Draws, catalog, load, runtime

MODEL = "vi_gmm"
MAX_COMPONENTS = 12
MAX_STEPS = 200
LOW, HIGH = -3.0, 3.0
"""Powers of ten of the concentration."""
FLOOR = 1e-5
"""Added to the variances of the prior in the plane, so that points on a line do no harm."""
STILL = 1e-3
"""At rest when an iteration gains less than so many nats."""
COUNT = 16
TITLE = "Samples: first one of the Gaussians by its weight, then a picture of it."
EXPLANATION = r"""
Plain EM uses every component it is given. Here the weights $\pi$ are uncertain, too, and the prior is worth only $\alpha_0$
imaginary points for each component. The fit looks for the distribution $q$ over all unknowns that makes a **lower bound** of the
evidence as large as it can be; the bound rewards explaining the points and charges for every component that differs from the prior.
With a small $\alpha_0$, a component whose points others explain just as well loses them and returns to its prior, with a weight
near zero.

$$\log p(x) \;\ge\; \mathbb{E}_q\left[\log p(x, z, \pi, \mu, \Lambda)\right]
- \mathbb{E}_q\left[\log q(z, \pi, \mu, \Lambda)\right], \qquad \mathbb{E}_q[\pi_k] = \frac{\alpha_0 + N_k}{K \alpha_0 + N}$$

Every iteration raises the bound, so the curve never falls; where it converges depends on the start, which is k-means here. With a
large $\alpha_0$ all components keep a share, whether they are needed or not.
"""


# ---- in the plane -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def walk(points: str, components: int, power: float, seed: int) -> Walk:
    """The fit of scikit-learn to the board's points until it comes to rest."""
    from gen_models.mixtures.vi_gmm import STATE, started, stepped  # not before the first use

    there, concentration = planes.unpack(points), 10.0**power
    with runtime.forward_pass():
        now = started(there, components, concentration, seed, FLOOR)
    mixtures, bounds, counts = [], [], []
    while len(bounds) <= MAX_STEPS and not (len(bounds) > 1 and bounds[-1] - bounds[-2] < STILL):
        with runtime.forward_pass():
            now = stepped(there, {name: getattr(now, name) for name in STATE}, concentration, FLOOR)
        mixtures.append(Mixture(now.weights_, now.means_, now.covariances_))
        bounds.append(float(now.lower_bound_))
        counts.append(now.weight_concentration_ - concentration)
    return Walk(tuple(mixtures), tuple(bounds), tuple(counts))


def weight_bars(weights: np.ndarray, used: np.ndarray) -> str:
    """The components' weights (K,) in their colours; those that are not ``used`` (K,) fade."""
    rows = zip(weights.tolist(), COLOURS, used.tolist(), strict=False)
    return charts.bars([charts.Bar(f"component {k + 1}", weight, f"{100 * weight:.1f} %", colour=colour, faded=not has_points)
                        for k, (weight, colour, has_points) in enumerate(rows)], wide=True)  # fmt: skip


def at(points: str, components: int, power: float, seed: int, step: int) -> Board:
    """The board at an iteration, with the weights and the curve until it comes to rest."""
    found = walk(points, components, power, seed)
    step = min(step, found.last)
    mixture, used = found.mixtures[step], found.counts[step] >= 1
    curve = charts.curve(found.bounds, step, "Lower bound, up to a constant", "nats")
    words = f"{planes.progress(found, step, MAX_STEPS)} {int(used.sum())} of {components} components have points."
    return Board(planes.unpack(points), mixture, step, found.last, charts=weight_bars(mixture.weights, used) + curve, note=words)


def board(points: str, components: int, power: float, seed: int, step: int) -> Board:
    """The board at an iteration; before the first one, nothing is fitted."""
    there = planes.unpack(points)
    prior = weight_bars(np.full(components, 1 / components), np.ones(components, bool))
    if len(there) < planes.needed(components):
        return planes.waiting(there, components, prior)
    if step:
        return at(points, components, power, seed, step)
    return Board(there, None, charts=prior, note="Before the first iteration: any component may have any weight. Press Run.")


def run(points: str, components: int, power: float, seed: int, step: int) -> Iterator[Board]:
    """The board from here on until it comes to rest; from the start if it has."""
    planes.enough(planes.unpack(points), components)
    for here in planes.strides(walk(points, components, power, seed), step):
        yield at(points, components, power, seed, here)


def follow(step: int) -> dict[str, int]:
    """Another concentration: at rest if it was fitted before, so that a dragged slider shows what it does."""
    return {"step": MAX_STEPS if step else 0}


def fit(points: str, components: int, concentration: float, seed: int, iterations: int) -> Html:
    """The expected mixture after some iterations."""
    planes.enough(planes.unpack(points), components)
    power = min(max(float(np.log10(concentration)), LOW), HIGH)
    return planes.fitted(walk(points, components, power, seed), iterations, "bound")


# ---- pictures ---------------------------------------------------------------------------------------------------------


def sample(weights: str, seed: int, count: int) -> Tiles:
    """Samples: first one of the Gaussians by its weight, then a picture of it."""
    with runtime.forward_pass():
        return Tiles(load(weights).sample(Draws(seed, count, device=runtime.device())).cpu(), words="sample", title=TITLE)


def weighed(weights: str, made: Tiles) -> Rows:
    """The weights of all Gaussians among pictures, read from the file without the model, over samples."""
    values, concentrations = (part.numpy() for part in tensors(weights, "weights", "concentrations"))
    used = concentrations - catalog.config_of(weights)["arguments"]["concentration"] >= 1
    words = f"{int(used.sum())} of {len(used)} Gaussians are used"
    if used.all():
        words = f"All {len(used)} Gaussians are used: the pictures have more shapes than that"
    chart = charts.ranked(values, used, f"weights of {len(used)} Gaussians, {int(used.sum())} of them used", words)
    return Rows([Html(f'<div class="plane">{chart}</div>'), made])


def weighed_samples(weights: str, seed: int) -> Rows:
    """The weights of all Gaussians among pictures, and the first samples of a seed."""
    return weighed(weights, sample(weights, seed, COUNT))


PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION, heading="The same with pictures", migrate=planes.migrate,
    order=["weights", "seed", "points", "components", "power", "step"],
    fields=dict(
        points=Points(), components=Slider("Components at most", 10, low=1, high=MAX_COMPONENTS, step=1),
        power=Slider("Concentration, as a power of ten", LOW, "Small: few components stay. Large: all of them do.", low=LOW,
                     high=HIGH, step=0.25),
        seed=Seed(), step=Iteration(high=MAX_STEPS), pasted=Pasted(), picture=clusters.picture(),
    ),
    tour=[
        Try("Run it: which components end with nearly no weight?", ""),
        Try("Raise the concentration and run it again.", "power"),
        Try("Break it: choose the rings, which no ellipse fits.", "points"),
    ],
    views=[
        View("", run, "Run", keep="Save picture", live=True, still=board, sets=["step"], component=planes.board, group="walks",
             limit=16, pace=planes.FRAME),
        View("Weights", weighed_samples, keep="Save the pictures", live=True,
             sight=lambda weights: weighed(weights, Tiles(sheet_tiles(weights, COUNT), words="sample", title=TITLE))),
        *clusters.VIEWS,
    ],
    actions=[*planes.actions(MAX_STEPS), Action(follow, ["step"], on="power")],
    api=[
        Api("vi_gmm_sample", sample, dict(weights="vi_gmm-mnist", seed=7, count=16), words="Sample pictures from a variational "
            "mixture. Picture i of a seed is always the same. Returns PNG data URIs.",
            fields={"count": Slider("Pictures", low=1, high=64, step=1)}),
        Api("vi_gmm_fit", fit, dict(points="Blobs", components=10, concentration=0.001, seed=0, iterations=MAX_STEPS),
            words=f"Fit a variational mixture to points in the plane. {planes.SENT_WORDS} Returns expected weights, means and "
            "covariances after the last iteration, and after each the lower bound in nats, up to a constant.",
            returns=dict[str, list], fields={
                "points": SentPoints(), "concentration": Slider("Concentration", low=10**LOW, high=10**HIGH),
                "iterations": Slider("Iterations", high=MAX_STEPS, step=1)}),
    ],
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
