"""Pictures of a mixture's Gaussians, for rooms that have such: their middles, what each holds, which of them a picture is of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from demos._kit.markup import bars_html, tiles_html
from gen_models import Draws, load, runtime


def order(model: Any) -> list[int]:
    """The model's Gaussians, that of the largest weight first."""
    return model.weights.argsort(descending=True, stable=True).tolist()


def middles(weights: str) -> str:
    """The middle of every Gaussian with its share of the pictures, the largest first."""
    model = load(weights)
    ranked = order(model)
    with runtime.forward_pass():
        pictures = model.decode(model.means[ranked]).cpu()
    captions = [f"{100 * float(model.weights[k]):.1f} %" for k in ranked]
    # a fitted mixture may leave some of its Gaussians without pictures
    unused = [] if not hasattr(model, "counts") else [k for k in ranked if model.counts[k] < 1]
    return tiles_html(list(pictures), captions, columns=10, words="heap", indices=ranked, faded=unused)


def inside(weights: str, number: int, seed: int, spread: float = 1.0) -> str:
    """Eight draws from one Gaussian, and the directions in which its pictures differ most."""
    model = load(weights)
    with runtime.forward_pass():
        drawn = model.sample(Draws(seed, 8, device=runtime.device()), component=number, spread=spread).cpu()
        deviations, ways = model.directions(number)
        reach = torch.linspace(-2, 2, 8)
        rows = [model.decode(model.means[number] + reach[:, None] * deviations[way] * ways[way]).cpu() for way in range(3)]
    parts = [
        f"<p>Heap {number}, {100 * float(model.weights[number]):.1f} % of the pictures: eight draws from it.</p>",
        tiles_html(list(drawn), words="draw"),
        "<p>The three directions in which its pictures differ most, two standard deviations down to two up.</p>",
        *(tiles_html(list(row), words=f"direction {way + 1}, step") for way, row in enumerate(rows)),
    ]
    return f'<div class="strip rows">{"".join(parts)}</div>'


def look(weights: str, picture: Tensor) -> list[str]:
    """A picture (1, C, H, W), what its coordinates keep of it and the middle of its heap; the heaps it may be of, as bars."""
    model = load(weights)
    with runtime.forward_pass():
        shares = model.responsibilities(picture)[0].cpu()
        ranked = shares.argsort(descending=True).tolist()[:5]
        kept, middle = model.decode(model.encode(picture))[0].cpu(), model.decode(model.means[ranked[:1]])[0].cpu()
        densities = float(model.log_density(picture)), float(model.log_density_of_one(picture))
    captions = ["the picture", f"{model.latent_dim} coordinates", f"its heap: {ranked[0]}"]
    tiles = tiles_html([picture[0], kept, middle], captions, columns=3, words="looked at")
    bars = bars_html([(f"heap {k}", float(shares[k])) for k in ranked])
    rows = "".join(
        f"<tr><td>{words}</td><td>{value:,.1f} nats</td></tr>".replace("-", "\u2212")
        for words, value in zip(("Density under the mixture", "Density under one Gaussian"), densities, strict=True)
    )
    return [tiles, f'{bars}<table class="facts">{rows}</table>']
