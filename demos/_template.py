"""The smallest room there can be: copy it to ``demos/<model>.py`` and replace what is in it."""

from __future__ import annotations

from demos._kit.alone import alone
from demos._kit.fields import Seed, Slider
from demos._kit.plan import Api, Plan, Try, View
from demos._kit.shipped import sheet_tiles
from demos._kit.shown import Tiles
from gen_models import Draws, load, runtime

MODEL = "template"
EXPLANATION = r"""
How it works, for a visitor who does not know the paper: plain words first, then the formula with each symbol named.

$$x_i = \mu_i + \sigma_i \, \epsilon_i, \qquad \epsilon_i \sim \mathcal{N}(0, 1)$$
"""


def sample(weights: str, seed: int, count: int) -> Tiles:
    """A verb: the names of its parameters say which fields it reads."""
    with runtime.forward_pass():
        return Tiles(load(weights).sample(Draws(seed, count, device=runtime.device())).cpu(), words="sample")


def typical(weights: str) -> Tiles:
    """What only this model can show: look inside."""
    return Tiles([load(weights).mean.detach().cpu() * 0.5 + 0.5], words="mean")


PLAN = Plan(
    MODEL, "fashion", explanation=EXPLANATION,
    fields=dict(seed=Seed(), count=Slider("Pictures", 8, low=1, high=16, step=1)),
    tour=[
        Try("Sample twice: what do the pictures have in common?", ""),
        Try("Look at the mean picture.", "The mean"),
        Try("Break it: draw sixteen, and find one that you would take for a real one.", "count"),
    ],
    views=[
        View("", sample, "Sample", keep="Save the grid", live=True,
             sight=lambda weights: Tiles(sheet_tiles(weights, 8), words="sample")),
        View("The mean", typical, intro="The mean of every pixel."),
    ],
    api=[Api(f"{MODEL}_sample", sample, dict(weights=f"{MODEL}-fashion", seed=7, count=8))],
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
