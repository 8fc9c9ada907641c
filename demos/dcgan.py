"""The DCGAN room: sample, walk, do arithmetic, and see what the discriminator sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from demos._kit.alone import alone
from demos._kit.checks import integer
from demos._kit.fields import Choice, Picks, Seed, Slider
from demos._kit.pictures import to_pil
from demos._kit.plan import Action, Api, Plan, Try, View
from demos._kit.shipped import sheet_tiles
from demos._kit.shown import Film, Tiles
from gen_models import Draws, catalog, directions, hub, load, runtime
from gen_models.data import data_dir, load_data
from gen_models.layers import slerp
from gen_models.sets import record

MODEL = "dcgan"
MAX_COUNT = 64
FRAMES = 24
CALCULATE, PICKED = "A − B + C", "A − B"
EXPLANATION = r"""
A **generator** $G$ turns 100 random numbers $z$, the latent vector, into a picture, doubling the side again and again with
fractionally strided convolutions. A **discriminator** $D$ looks at pictures and gives a score: high for a real one, low for one
made by $G$. The two are trained in turns, each on the other's mistakes; no picture is ever copied, the generator only learns what
gets past the discriminator. In the end, similar latent vectors give similar pictures, so you can walk from one picture to another
(interpolate) or add and subtract their latent vectors.

$$\min_G \max_D \; \mathbb{E}_{x}\left[\log D(x)\right] + \mathbb{E}_{z}\left[\log\left(1 - D(G(z))\right)\right]$$

These weights were trained with the hinge loss in its place ([Lim, Ye 2017](https://arxiv.org/abs/1705.02894)): $D$ gives a score
without bounds and lowers $\mathbb{E}_x[\max(0, 1 - D(x))] + \mathbb{E}_z[\max(0, 1 + D(G(z)))]$, and $G$ raises
$\mathbb{E}_z[D(G(z))]$. No gradient is spent on what $D$ already tells apart by a margin.
"""


def latents(weights: str, seed: int, truncation: float, *indices: int) -> Tensor:
    """The latents of some samples of a seed, (N, latent_dim)."""
    return torch.cat([load(weights).latents(Draws(seed, 1, first=index), truncation) for index in indices])


def decoded(weights: str, z: Tensor) -> Tensor:
    """(B, latent_dim) -> (B, C, H, W) in [0, 1]; concurrent requests share a pass."""
    model = load(weights)
    return runtime.together((weights, "decode"), z, lambda rows: model.decode(rows).cpu())


def sample(weights: str, seed: int, truncation: float, count: int) -> Tiles:
    """The first samples of a seed."""
    return Tiles(decoded(weights, load(weights).latents(Draws(seed, count), truncation)), words="sample")


def picked(weights: str, seed: int, truncation: float, picks: list[int]) -> Tiles:
    """The picked samples A, B, C side by side."""
    captions = [f"{letter} · {number}" for letter, number in zip("ABC", picks, strict=True)]
    return Tiles(decoded(weights, latents(weights, seed, truncation, *picks)), captions, columns=3)


def pick(index: int, picks: list[int], slot: str) -> dict[str, str]:
    """The sample that was clicked goes into the slot, and the next click into the next one."""
    place = "ABC".index(slot)
    picks[place] = integer(index, 0, MAX_COUNT - 1, "Sample number")
    return {"picks": ",".join(map(str, picks)), "slot": "ABC"[(place + 1) % 3]}


def walk(weights: str, seed: int, truncation: float, picks: list[int]) -> Film:
    """Pictures on the way from sample A to sample B, both included."""
    a, b, _ = latents(weights, seed, truncation, *picks)
    fractions = torch.linspace(0, 1, FRAMES)[:, None]
    made = decoded(weights, slerp(a.expand(FRAMES, -1), b.expand(FRAMES, -1), fractions))
    return Film(made, "the walk from A to B and back")


def arithmetic(weights: str, seed: int, truncation: float, picks: list[int], change: str) -> Tiles:
    """A, B, C and the picture of A - B + C (paper, figure 7); or C and a change of it, in three strengths."""
    z = latents(weights, seed, truncation, *picks)
    if change == PICKED:
        made, captions = z[:1] - z[1:2] + z[2:], ["A", "− B", "+ C", "= A − B + C"]
    else:
        z, step, captions = z[2:], torch.tensor(changes_of(weights)[change]), ["C", f"½ × {change}", change, f"1½ × {change}"]
        made = z + torch.tensor([0.5, 1.0, 1.5])[:, None] * step
    # Gaussians added are too long a vector for the generator: bring it back to the length it was trained on
    made = made * (z[0].norm() / made.norm(dim=1, keepdim=True).clamp_min(1e-6))
    return Tiles(decoded(weights, torch.cat([z, made])), captions, columns=4)


def changes_of(weights: str) -> dict[str, list[float]]:
    """Name of a change -> what it adds to latents, found when the weights were published; {}: nothing was asked for."""
    try:
        return hub.read_json(catalog.WEIGHTS / weights / directions.FILE)
    except (OSError, ValueError):
        return {}


def changes(weights: str) -> dict[str, Any]:
    """Settings of the choice of what is added to C: hidden where there are only the samples A and B."""
    found = [PICKED, *changes_of(weights)]
    return dict(choices=found, value=PICKED, visible=len(found) > 1)


def judged(weights: str, seed: int, truncation: float, count: int) -> Tiles:
    """The samples from the most to the least convincing, with the discriminator's score."""
    made = sample(weights, seed, truncation, count).pictures
    with runtime.forward_pass():
        scores = load(weights).score(made).cpu()
    order = scores.argsort(descending=True).tolist()
    return Tiles([made[i] for i in order], [f"{scores[i]:+.2f}" for i in order], "sample", indices=order)


def attention(index: int, weights: str, seed: int, truncation: float) -> Tiles:
    """The clicked picture beside the map of the pixels that move its score."""
    index = integer(index, 0, MAX_COUNT - 1, "Sample number")
    picture = decoded(weights, latents(weights, seed, truncation, index))
    # outside inference mode: the map is a gradient
    heat = load(weights).score_map(picture.clone())[0].cpu().numpy() ** 0.5
    base = np.asarray(to_pil(picture[0]).convert("RGB"), np.float32) * 0.35
    glow = np.stack([heat * 255, heat * 150, heat * 40], axis=-1)
    shown = PIL.Image.fromarray(np.clip(base + glow, 0, 255).astype(np.uint8))
    return Tiles([picture[0], shown], [f"sample {index}", "what moves its score"], columns=2)


@lru_cache(maxsize=1)
def training_thumbnails(data: str, channels: int, size: int) -> tuple[Tensor, Tensor]:
    """Training pictures and their 16 x 16 versions, (N, C * 256) float32."""
    training = load_data(data, "train", size, channels=channels)
    small = [interpolate(part.float() / 255, size=(16, 16), mode="area") for part in training.images.split(4096)]
    return training.images, torch.cat(small).flatten(1)


def nearest(weights: str, seed: int, truncation: float, picks: list[int]) -> Tiles:
    """Sample A and the eight training pictures nearest to it."""
    data = catalog.config_of(weights)["data"]
    if not has_data() or record(data).own:
        raise gr.Error("The pictures that this model was trained on are not on this machine.")
    channels, size, _ = load(weights).image_shape
    images, thumbnails = training_thumbnails(data, channels, size)
    picture = decoded(weights, latents(weights, seed, truncation, picks[0]))
    query = interpolate(picture, size=(16, 16), mode="area").flatten(1)
    values, found = torch.cdist(query, thumbnails)[0].topk(8, largest=False)
    near = [images[int(index)].float() / 255 for index in found]
    return Tiles([picture[0], *near], ["A", *(f"{value:.2f}" for value in values)], columns=9)


def has_data() -> bool:
    """Whether there is a data folder in which to search."""
    return data_dir() is not None


@dataclass
class Truncation(Slider):
    """Length of the latents; not for colour, where what lies near the middle of the latent space is mud."""

    def settings(self, weights):
        try:
            return {"visible": catalog.config_of(weights)["arguments"]["channels"] == 1}
        except (catalog.WeightsError, KeyError):  # they are not here yet
            return {"visible": True}


def migrate(controls: dict) -> dict:
    """Older links name the picked samples one by one."""
    if {"a", "b", "c"} <= controls.keys():
        return controls | {"picks": ",".join(str(controls[letter]) for letter in "abc")}
    return controls


PLAN = Plan(
    MODEL, "fashion", explanation=EXPLANATION,
    fields=dict(
        seed=Seed(),
        truncation=Truncation("Truncation", 1.0, "Smaller: samples more alike, and no better", low=0.1, high=1.2, step=0.05,
                              bounds=(0.05, 1.5)),
        count=Slider("Pictures", 24, low=8, high=MAX_COUNT, step=8, bounds=(1, MAX_COUNT)),
        slot=Choice("A click on a picture fills", "A", options="ABC", redo=False, kept=False),
        picks=Picks(default="0,1,2", most=MAX_COUNT),
        change=Choice("Add to C", PICKED, "Directions beside A − B were found with a network that tells age and sex.", of=changes,
                      place=CALCULATE),
    ),
    tour=[
        Try("Sample until a picture comes that you would take for a real one.", ""),
        Try("Click two pictures, then walk from A to B.", "Walk from A to B"),
        Try("Break it: raise the truncation to 1.2, then lower it to 0.1.", "truncation"),
    ],
    views=[
        View("", sample, "Sample", keep="Save the grid", live=True,
             sight=lambda weights: Tiles(sheet_tiles(weights, 24), words="sample")),
        View("A, B, C", picked, live=True, intro="Click samples above to choose others.",
             sight=lambda weights: Tiles(sheet_tiles(weights, 3), ["A · 0", "B · 1", "C · 2"], columns=3)),
        View("Walk from A to B", walk, "Walk", keep="Save the animation"),
        View(CALCULATE, arithmetic, "Calculate", keep="Save picture"),
        View("The discriminator's eye", judged, "Judge", pick=attention,
             intro="All samples, most convincing first. Click one to see which pixels move its score."),
        View("Nearest training pictures", nearest, "Search", possible=has_data,
             intro="Did it memorise? Sample A, and the training pictures nearest to it by distance at 16 × 16 pixels."),
    ],
    actions=[Action(pick, ["picks", "slot"], on=("", "pick"))],
    api=[Api("dcgan_sample", sample, dict(weights="dcgan-fashion", seed=7, count=16, truncation=1.0),
             words="Sample pictures from a DCGAN. Picture i of a seed is always the same. Returns PNG data URIs.")],
    migrate=migrate,
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
