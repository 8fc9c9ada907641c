"""The IAF-VAE room: the VAE's room, and the posterior's shape, step by step through the flow, with what each step is worth."""

from __future__ import annotations

import html
import math

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos._families import latents
from demos._kit.alone import alone
from demos._kit.pictures import heat
from demos._kit.plan import Plan, View
from demos._kit.shipped import picture_for
from demos._kit.shown import Figures, Html, Rows, Tiles
from gen_models import Draws, catalog, load, runtime
from gen_models.layers import from_unit
from gen_models.losses import standard_normal_log_density

MODEL, TWIN = "iaf_vae", "_diagonal"
DRAWS, GRID, TILES = 4000, 48, 8
"""Draws of q(z|x); cells of a side of their map; draws that are decoded."""
IMPORTANCE = 200
EXPLANATION = r"""
A VAE's encoder can only answer with a Gaussian along the axes: one mean and one standard deviation for each latent. The true
posterior, the distribution of the latent codes behind this very picture, has another shape, and the mismatch makes the bound
looser. An **inverse autoregressive flow** bends the Gaussian: it takes a draw from it and changes it in a few steps. In each step a
masked network reads the draw and a context $h$ from the encoder, and outputs a target $m_i$ and a gate $s_i$ for each latent, which
depend only on the latents *before* it:

$$z_i \;\leftarrow\; s_i\, z_i + (1 - s_i)\, m_i, \qquad s = \sigma(\cdot), \; m \text{ of } (z_{1..i-1}, h)$$

So each step can be inverted, its Jacobian determinant is the product of the gates, and the density of the result is known exactly:

$$\log q(z_T|x) = -\sum_i \left[\tfrac12 \epsilon_i^2 + \tfrac12 \log 2\pi + \log \sigma_i + \sum_t \log s_{t,i}\right]$$

All latents are computed at once, in training and in use; their order is reversed from step to step.
"""
SHAPE, WORTH = "The posterior, step by step", "What the flow is worth"


def stages(weights: str, picture: PIL.Image.Image, seed: int, count: int) -> list[tuple[Tensor, Tensor]]:
    """Draws of q(z|x) before the flow and after each step, with their log-density in nats, (count, latent_dim) each."""
    model = load(weights)
    seen = from_unit(model.seen(picture_for(weights, picture)))
    with runtime.forward_pass():
        noise = Draws(seed, 1, device=runtime.device()).normal(count, model.latent_dim)[0]
        parameters = [part.expand(count, -1) for part in model.encode_parameters(seen)]
        return [(z.cpu(), log_density.cpu()) for z, log_density in model.way(noise, *parameters)]


def named(steps: int) -> list[str]:
    """What the stages are called."""
    return ["the Gaussian", *(f"after step {step}" for step in range(1, steps))]


def shape(weights: str, picture: PIL.Image.Image, seed: int) -> Figures:
    """Draws of q(z|x) along the two latents that depend on each other most, before the flow and after each step."""
    found = [z for z, _ in stages(weights, picture, seed, DRAWS)]
    used = latents.order(weights)[: latents.COUNT]
    together = torch.corrcoef(found[-1][:, used].T).fill_diagonal_(0)
    across, up = (used[int(place)] for place in divmod(int(together.abs().argmax()), len(used)))
    pairs = [z[:, [across, up]].numpy() for z in found]
    edges = [np.linspace(*np.quantile(values, [0.002, 0.998]), GRID + 1) for values in np.concatenate(pairs).T]
    maps, captions = [], []
    for name, pair in zip(named(len(found)), pairs, strict=True):
        counts, _, _ = np.histogram2d(*pair.T, edges)
        drawn = heat(np.sqrt(counts.T[::-1] / counts.max()))
        maps.append(drawn.resize((6 * GRID, 6 * GRID), PIL.Image.Resampling.NEAREST))
        captions.append(f"{name}: correlation {np.corrcoef(pair.T)[0, 1]:+.2f}".replace("-", "−"))
    note = f"{DRAWS:,} draws, latent {across} across, latent {up} up: the two that depend on each other most."
    return Figures(maps, captions, note=note)


def worth(weights: str, picture: PIL.Image.Image, seed: int) -> Rows:
    """The bound of the picture as the flow proceeds, beside the twin without a flow; and what draws of each stage decode to."""
    model, found = load(weights), stages(weights, picture, seed, IMPORTANCE)
    seen = model.seen(picture_for(weights, picture))
    many = from_unit(seen).expand(IMPORTANCE, -1, -1, -1)
    rows, tiles = [], []
    twin = weights + TWIN
    with runtime.forward_pass():
        for name, (z, log_posterior) in zip(named(len(found)), found, strict=True):
            z = z.to(seen)
            divergence = (log_posterior.to(seen) - standard_normal_log_density(z)).sum(dim=1)
            rows.append((name, model.log_likelihood_given(many, z) - divergence))
            tiles += model.decode(z[:TILES]).cpu()
        if twin in catalog.trained(MODEL):
            draws = Draws(seed, 1, device=runtime.device())
            rows.append(("its twin without a flow", load(twin).log_importance_weights(seen, draws, IMPORTANCE)[0]))
    lines = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{float(log.mean()):,.1f} nats</td>"
        f"<td>{float(torch.logsumexp(log, 0)) - math.log(len(log)):,.1f} nats</td></tr>".replace("-", "−")
        for name, log in rows
    )
    head = "<tr><th>Draws from</th><th>Evidence lower bound</th><th>log p(x), importance sampling</th></tr>"
    captions = [name if place == 0 else "" for name in named(len(found)) for place in range(TILES)]
    note = f"{IMPORTANCE} draws each. A draw stopped before the end of the flow fits the picture less well."
    return Rows([Html(f'<table class="facts">{head}{lines}</table>'), Tiles(tiles, captions, "draw", TILES)], note=note)


first, look, *rest = latents.views()
PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION, fields=latents.fields(), tour=latents.tour(), actions=latents.actions(),
    api=latents.api(MODEL, "an IAF-VAE"), titles={"mnist" + TWIN: "Digits, no flow"},
    views=[
        first, look,
        View(SHAPE, shape, live=True, intro="Choose a picture under *Your picture*. Bright: where its posterior lies."),
        View(WORTH, worth, live=True, intro="The same picture: how far the bound is from log p(x) with and without the flow."),
        *rest,
    ],
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
