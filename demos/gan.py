"""The GAN room: train a GAN or a VAE in the page, make the game collapse and cure it; below, a GAN that was trained for longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import torch

from demos._families import live, live_board, planes
from demos._families.live import CURES, DIGITS, GAN, KINDS, LOSSES, MINIBATCH, NONE, Part, Settings, Training
from demos._families.live_board import Frame
from demos._kit import charts
from demos._kit.alone import alone
from demos._kit.fields import CONTROLS, MORE, Choice, Number, Seed, Slider, Text
from demos._kit.pictures import strip_image
from demos._kit.plan import Action, Api, Plan, Start, Try, View
from demos._kit.shipped import sheet_tiles
from demos._kit.shown import Tiles
from gen_models import Draws, load, runtime

MODEL = "gan"
COUNT = 40
WALKS, STEPS_OF_A_WALK = 5, 8
FULL, SLOW = "Full", "Slow motion"
NOTHING, *LAYERS = "Nothing", "Pull", "Grid"
DRAW = "(value) => { for (const room of document.querySelectorAll('.room')) room.dataset.drawn = value; }"
COLLAPSE_STEPS = 3
"""Generator steps for one of the discriminator with which the generator outruns it."""
EXPLANATION = charts.diagram(
    "Noise goes through the generator and becomes samples; the discriminator judges samples and data; its gradient goes back to G",
    {"noise z": (0, 0, ""), "generator G": (1, 0, "net"), "samples": (2, 0, "made"), "data": (2, 1.4, "real"),
     "discriminator\nD": (3, 0, "net"), "real or\ngenerated?": (4, 0, "")},
    [("noise z", "generator G"), ("generator G", "samples"), ("samples", "discriminator\nD"), ("data", "discriminator\nD"),
     ("discriminator\nD", "real or\ngenerated?"), ("discriminator\nD", "generator G", "gradient")],
) + r"""

A **generator** $G$ turns random numbers $z$ into an example; a **discriminator** $D$ says how likely an example is to be real. They
are trained in turns: $D$ on a batch of real and a batch of generated examples, $G$ on $D$'s answers to new ones, uphill along $D$'s
gradient. If both had enough capacity and training, the generated examples would be distributed like the real ones and $D$ would say
one half everywhere; but if $G$ moves faster than $D$ can follow, all its examples rush to the one place that $D$ likes best just
now. This is **mode collapse**: $G$ chases $D$ from cluster to cluster.

$$\min_G \max_D \; \mathbb{E}_{x}\left[\log D(x)\right] + \mathbb{E}_{z}\left[\log\left(1 - D(G(z))\right)\right]$$

**Loss.** Saturating is this formula; while $D$ is sure, its gradient for $G$ is almost zero. Non-saturating lets $G$ maximise $\log
D(G(z))$ instead (section 3 of the paper). **Cures.** *Minibatch* shows $D$ the mean features of an entire batch beside each
example, so that a batch of copies gives itself away ([Salimans et al. 2016](https://arxiv.org/abs/1606.03498), section 3.2, as
means after [Lucas et al. 2018](https://arxiv.org/abs/1806.07185)); the room opens with it, since without it about one run in twelve
collapses by itself. *R1* keeps $D$'s gradient small around real examples ([Mescheder
et al. 2018](https://arxiv.org/abs/1801.04406)): that stabilises training, but does not help against a generator that outruns $D$. A
**VAE** has no opponent: it has one loss, which falls; the settings for loss, generator steps and cure concern the GAN alone. Points
train in batches of 128, digits in batches of 64, on the processor; the same seed and settings give the same run.
"""


def start(points: str, kind: str, seed: int, plan: list[Part] | None, run: Frame | None = None) -> Frame | None:
    """What the page shows of this run, or the data before its first step; None where it must be trained first."""
    if live_board.at_hand(run, points, kind, seed, plan) and run.plan == plan:
        return run
    return None if plan else live_board.untrained(points, kind)


def train(
    points: str, kind: str, seed: int, rate: float, steps: int, loss: str, cure: str, plan: list[Part] | None,
    run: Frame | None = None, goes_on: Callable[[], bool] = lambda: True, pace: str = FULL,
) -> Iterator[Frame]:  # fmt: skip
    """Train on until it is stopped; what is not there yet of the plan is trained first, and is all."""
    live.enough(points)
    training = live_board.at_hand(run, points, kind, seed, plan) or Training(points, kind, seed)
    training.settings, training.slow = Settings(rate, steps, loss, cure), pace == SLOW
    yield from live_board.frames(training, live.rest(plan or [], training.plan), goes_on)


def step(
    what: str, points: str, kind: str, seed: int, rate: float, steps: int, loss: str, cure: str, plan: list[Part] | None,
    run: Frame | None = None,
) -> dict[str, str]:  # fmt: skip
    """One step of one network further; a run that goes on is stopped for it."""
    live.enough(points)
    training = live_board.at_hand(run, points, kind, seed, plan)
    done = training.cancel() if training else plan or []
    if len(done) >= live.MAX_PARTS:
        raise gr.Error("The settings were changed too often for single steps; press Start, or begin again.")
    return {"plan": live.written([*done, Part(what, 1, Settings(rate, steps, loss, cure))])}


def retune(rate: float, steps: int, loss: str, cure: str, run: Frame | None = None) -> dict[str, str]:
    """Other settings from the next step on."""
    if run is not None and run.training is not None:
        run.training.settings = Settings(rate, steps, loss, cure)
    return {}


def paced(pace: str, run: Frame | None = None) -> dict[str, str]:
    """Full speed or slow motion from the next step on."""
    if run is not None and run.training is not None:
        run.training.slow = pace == SLOW
    return {}


def cured(rate: float, steps: int, loss: str, run: Frame | None = None) -> dict[str, str]:
    """The cure that works, everything else as it is."""
    return retune(rate, steps, loss, MINIBATCH, run) | {"cure": MINIBATCH}


def again() -> dict[str, str]:
    """Before the first step."""
    return {"plan": ""}


def collapse() -> dict[str, Any]:
    """The settings under which the generator outruns the discriminator; from the start, since networks at rest would stay there."""
    return again() | {"steps": COLLAPSE_STEPS, "cure": NONE}


def choose_data(points: str) -> dict[str, Any]:
    """Other data, and the learning rate and the cure to begin with."""
    return again() | {"rate": live.RATE[points != DIGITS], "cure": live.CURE[points != DIGITS]}


def trained_on(points: str, kind: str, seed: int, rate: float, steps: int, loss: str, cure: str, count: int) -> Frame:
    """Train a small GAN or VAE on points in the plane. The same arguments give the same answer.

    points: Blobs, Rings, Moons, Eight clusters, Spiral, or two numbers to a line. steps: 1 to 3000. generator_steps: 1 to 10 for
    one of the discriminator. loss: Non-saturating or Saturating. cure: None, Minibatch or R1. Returns 500 generated points (x from
    0 to 1, y from 0 to 0.7), the share of points that have one near, the share of generated ones near a point, and the last losses.
    """
    live.enough(points)
    training = Training(points, kind, seed)
    for _ in live.trained(training, [Part(live.BOTH, count, Settings(rate, steps, loss, cure))]):
        pass
    return Frame.of(training)


# ---- the trained one --------------------------------------------------------------------------------------------------


def sample(weights: str, seed: int, count: int) -> Tiles:
    """Sample pictures from a trained GAN. Picture i of a seed is always the same. Returns PNG data URIs."""
    with runtime.forward_pass():
        return Tiles(load(weights).sample(Draws(seed, count, device=runtime.device())).cpu(), words="sample")


def samples(weights: str, seed: int) -> Tiles:
    """The grid of samples."""
    return sample(weights, seed, COUNT)


def judged(weights: str, seed: int) -> Tiles:
    """The samples from the most to the least convincing, with what the discriminator takes their chance of being real for."""
    made = samples(weights, seed).pictures
    with runtime.forward_pass():
        chances = torch.sigmoid(load(weights).score(made)).cpu()
    order = chances.argsort(descending=True).tolist()
    return Tiles([made[i] for i in order], [f"{100 * chances[i]:.0f} %" for i in order], "judged", indices=order)


def ways(weights: str, seed: int) -> Tiles:
    """Straight ways from one sample's numbers to the next one's (paper, figure 3), a row each."""
    model, part = load(weights), torch.linspace(0, 1, STEPS_OF_A_WALK)[:, None]
    with runtime.forward_pass():
        z = model.latents(Draws(seed, WALKS + 1))
        made = model.decode(torch.cat([here + part * (there - here) for here, there in zip(z, z[1:], strict=False)])).cpu()
    return Tiles(list(made), words="way", columns=STEPS_OF_A_WALK)


GAME = ("kind", (GAN,))
def from_noise() -> tuple[PIL.Image.Image, PIL.Image.Image] | None:
    """Noise, and samples made from such."""
    tiles = sheet_tiles(f"{MODEL}-mnist", 16)
    if not tiles:
        return None
    made = strip_image([tile.convert("RGB") for tile in tiles], columns=4)
    return PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (made.height, made.width), np.uint8)), made


PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION, heading="Trained for longer, on digits", migrate=planes.migrate,
    order=["weights", "seed", "points", "kind", "rate", "steps", "loss", "cure", "plan"],
    fields=dict(
        points=planes.Points("Data", live.FIRST, others=[DIGITS]), kind=Choice("Model", GAN, options=KINDS),
        steps=Slider("Generator steps", 1, "For one step of the discriminator", when=GAME, low=1, high=live.MOST_OF_G, step=1),
        cure=Choice("Cure", live.CURE[True], when=GAME, options=CURES),
        drawn=Choice("Also draw", NOTHING, "Pull: where each sample moves next. Grid: lines through the noise, as G maps them.",
                     when=GAME, options=(NOTHING, *LAYERS), in_page=DRAW),
        seed=Seed(default=7),
        rate=Number("Learning rate", live.RATE[True], place=MORE, low=live.RATES[0], high=live.RATES[1]),
        loss=Choice("Loss of the generator", LOSSES[0], place=MORE, when=GAME, options=LOSSES), pasted=planes.Pasted(place=MORE),
        pace=Choice("Speed", FULL, "In slow motion a step takes a quarter of a second.", place=MORE, options=(FULL, SLOW)),
        plan=Text("This training", read=lambda weights, text: live.read(text)),
    ),
    tour=[
        Try("Start it, and watch the samples find the data.", ""), Try("Choose other data, or click your own.", "points"),
        Try("Break it: give the generator ten steps for one of the discriminator.", "steps"),
    ],
    views=[
        View("", train, "Start", keep="Save the training", live=True, still=start, sets=["plan"], component=planes.board,
             group="live", limit=live.BUSY + 5),  # more than may train, so that one too many hears of it instead of waiting
        View("Samples", samples, keep="Save picture", live=True,
             sight=lambda weights: Tiles(sheet_tiles(weights, COUNT), words="sample")),
        View("The discriminator's eye", judged, live=True,
             intro="The same samples, the most convincing first, with the probability that D gives each of being real."),
        View("From one to the next", ways, live=True,
             intro="Straight lines between the latent vectors of two samples, one per row (figure 3 of the paper)."),
    ],
    actions=[
        Action(again, ["plan"], button="Begin again", begins=True),
        Action(collapse, ["steps", "cure", "plan"], button="Make it collapse", place=CONTROLS, begins=True, when=GAME),
        Action(cured, ["cure"], button="Cure it", place=CONTROLS, when=GAME),
        *(Action(partial(step, what), ["plan"], button=f"Step the {what}", begins=True, when=GAME)
          for what in live.PARTS[1:]),
        *(Action(retune, [], on=name) for name in ("rate", "steps", "loss", "cure")),
        Action(paced, [], on="pace"), *(Action(again, ["plan"], on=name) for name in ("kind", "seed")),
        Action(choose_data, ["plan", "rate", "cure"], on="points"), *planes.edits(again()),
    ],
    api=[
        Api("gan_sample", sample, dict(weights="gan-mnist", seed=7, count=16),
            fields={"count": Slider("Pictures", low=1, high=64, step=1)}),
        Api("gan_train", trained_on, dict(points=live.FIRST, model=GAN, steps=1000, seed=7, generator_steps=1, loss=LOSSES[0],
                                          cure=NONE, learning_rate=live.RATE[True]), returns=dict[str, Any],
            names={"model": "kind", "steps": "count", "generator_steps": "steps", "learning_rate": "rate"},
            fields={"points": planes.SentPoints(), "count": Slider("Steps", low=1, high=3000, step=1)}),
    ],
)  # fmt: skip
START = Start("Train a GAN", from_noise)
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
