"""The VAE room: drag the latents, hand it a picture, wander over the map, walk between two pictures."""

from __future__ import annotations

import html
import math

import PIL.Image
import torch
from torch import Tensor

from demos._families import latents
from demos._families.latents import COUNT, LIMIT, order, to_text
from demos._kit import charts
from demos._kit.fields import Picture, Seed, Slider
from demos._kit.plan import Action, Api, Plan, View
from demos._kit.shipped import example_pictures, picture_for, sheet_tiles
from demos._kit.shown import Html, Rows, Single, Tiles
from gen_models import Draws, load, runtime

MODEL = "vae"
EXPLANATION = r"""
An **encoder** looks at a picture and answers with a place and how sure it is of it: a mean and a spread for each latent $z_k$.
A **decoder** paints the picture of any place. Both learn together: the painting should match the picture (first term), and the
places should together look like plain Gaussian noise (second term), so that a place drawn at random is the place of some picture.
Latents that carry nothing end with a divergence of zero; the sliders show the others, the most telling first.

$$\log p(x) \;\ge\; \mathbb{E}_{q(z|x)}\left[\log p(x|z)\right] - \mathrm{KL}\left(q(z|x)\,\|\,\mathcal{N}(0, I)\right)$$
"""
LOOK, MAP, WALK = "Your picture", "Map", "Walk from A to B"


def posterior(weights: str, picture: PIL.Image.Image) -> tuple[Tensor, Tensor, Tensor]:
    """A picture as the model sees it, (1, C, H, W) in [0, 1], and the mean and standard deviation of q(z|x), (latent_dim,)."""
    seen = picture_for(weights, picture)
    with runtime.forward_pass():
        mean, spread = (part[0].cpu() for part in load(weights).posterior(seen))
    return seen, mean, spread


def to_its_place(weights: str, picture: PIL.Image.Image) -> dict[str, str]:
    """The room goes to the mean of the picture's posterior."""
    return {"z": to_text(posterior(weights, picture)[1].clamp(-LIMIT, LIMIT))}


def look(weights: str, picture: PIL.Image.Image, seed: int) -> Rows:
    """What the model makes of a picture: what it sees, its reconstruction, its bound, the posterior of every latent."""
    picture, mean, spread = posterior(weights, picture)
    model, draws = load(weights), Draws(seed, 1, device=runtime.device())
    with runtime.forward_pass():
        seen = model.seen(picture).cpu()
        likelihood, kl = model.evidence(picture, draws, samples=64)
        z = mean + spread * draws.normal(model.latent_dim)[0].cpu()
        made = model.decode(torch.stack([mean, z])).cpu()
    rate, distortion = float(kl.sum()), float(likelihood[0])
    per_pixel = (distortion - rate) / math.prod(model.image_shape) / math.log(2)
    facts = [
        ("Expected log-likelihood E[log p(x|z)]", f"{distortion:,.1f} nats"), ("KL from the prior", f"− {rate:,.1f} nats"),
        ("Evidence lower bound", f"{distortion - rate:,.1f} nats"), ("that is, per pixel and channel", f"{-per_pixel:.3f} bits"),
    ]  # fmt: skip
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{value}</td></tr>" for name, value in facts)
    return Rows([
        Tiles([seen[0], *made], ["what it sees", "its reconstruction", "a draw from its posterior"], columns=3),
        Html(f'<table class="facts">{rows}</table>{posterior_bars(weights, mean, spread, kl[0].cpu())}'),
    ])  # fmt: skip


def posterior_bars(weights: str, mean: Tensor, spread: Tensor, kl: Tensor) -> str:
    """Mean (line) and one standard deviation either side (bar) of the most telling latents, on the scale -4 to 4."""
    rows = []
    for latent in order(weights)[:COUNT]:
        low, middle, high = (min(max(0.5 + float(mean[latent] + side * spread[latent]) / 8, 0), 1) for side in (-1, 0, 1))
        rows.append(charts.Bar(f"latent {latent}", max(high, low + 0.005), f"{float(kl[latent]):.2f} nats", low, middle))
    return f"<details><summary>The posterior of every latent</summary>{charts.bars(rows)}</details>"


def sample(weights: str, seed: int, count: int) -> Tiles:
    """Samples of the prior."""
    with runtime.forward_pass():
        return Tiles(load(weights).sample(Draws(seed, count, device=runtime.device())).cpu(), words="sample")


def sight(weights: str) -> Single | None:
    """Sample 0 of seed 0, made when the weights were published; the sliders begin there."""
    first = sheet_tiles(weights, 1)
    return Single(first[0], "a sample of the model") if first else None


PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION,
    fields=dict(
        seed=Seed(), z=latents.sliders(), a=latents.end("A"), b=latents.end("B"),
        picture=Picture(
            "A picture; the middle square is used", examples=example_pictures, draw=True, place=LOOK, kept=False,
            examples_words="Pictures that a GAN of this gallery made; click one.",
        ),
        across=Slider("Across: latent of rank", 1, "1 carries most", low=1, high=COUNT, step=1, place=MAP, redo=False, kept=False),
        down=Slider("Up: latent of rank", 2, low=1, high=COUNT, step=1, place=MAP, redo=False, kept=False),
    ),
    views=[
        View("", latents.place, keep="Save picture", live=True, sight=sight),
        View(LOOK, look, live=True),
        View(MAP, latents.tile_map, "Draw the map", component=latents.pad,
             intro="Two latents as a map; press on it and drag. The other latents stay where they are."),
        View("There", latents.place, live=True, within=MAP),
        View(WALK, latents.walk, "Walk", keep="Save the animation",
             intro="Set the room to a picture and keep it as A, then to another and keep it as B."),
        View("Its ends", latents.ends, live=True, within=WALK),
        View("What each latent carries", latents.bars, "Weigh the latents"),
    ],
    actions=[
        Action(latents.from_prior, ["z"], on="seed"), Action(latents.begin_anew, ["z", "a", "b"], on="weights"),
        Action(to_its_place, ["z"], on="picture"), Action(latents.move, ["z"], on=(MAP, "move")),
        Action(latents.middle, ["z"], button="To the middle"), Action(latents.keep_a, ["a"], button="Keep as A"),
        Action(latents.keep_b, ["b"], button="Keep as B"),
    ],
    api=[
        Api("vae_decode", latents.place, dict(weights="vae-mnist", latents=""), names={"latents": "z"}, words="Decode latents "
            "(numbers separated by commas; none: the middle of the prior) to a picture. Returns a PNG data URI."),
        Api("vae_sample", sample, dict(weights="vae-mnist", seed=7, count=16), words="Sample pictures from a VAE's prior. Picture "
            "i of a seed is always the same. Returns PNG data URIs.", fields={"count": Slider("Pictures", low=1, high=64, step=1)}),
    ],
)  # fmt: skip
room = PLAN.lay_out
