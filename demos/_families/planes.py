"""Points in the plane, for the rooms of mixtures: picked, clicked or pasted, and drawn with Gaussians among them.

A board is 1 wide and ``HEIGHT`` high, its origin at the lower left. Everything here is small arithmetic of its own, because it is
drawn at the first sight, before any model is imported.
"""

from __future__ import annotations

import base64
import binascii
import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import PIL.ImageDraw

from demos._kit.checks import number as real
from demos._widgets import script

HEIGHT = 0.7
MAX_POINTS = 1000
MAX_LETTERS = 200_000
"""Of a pasted text."""
LARGEST = 1e9
"""A pasted coordinate is at most this far from zero."""
OWN = "Your own"
COLOURS = (
    "#5b5ad0", "#d97a2b", "#2a9d6f", "#c8385a", "#2f8fc4", "#b39a12",
    "#9356c4", "#7d766c", "#d667a5", "#5c9e30", "#a9714b", "#38a3a5",
)  # fmt: skip
"""Of the components; mixed by the responsibilities for the points."""


# ---- points -----------------------------------------------------------------------------------------------------------


def _random(stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[2, stream]))


def blobs() -> np.ndarray:
    """Four clouds of different shapes."""
    clouds = [
        ((0.2, 0.5), (0.05, 0.05), 60), ((0.48, 0.2), (0.10, 0.03), 80), ((0.78, 0.5), (0.03, 0.09), 80),
        ((0.47, 0.53), (0.04, 0.04), 50),
    ]  # fmt: skip
    chance = _random(0)
    return np.concatenate([np.array(middle) + chance.standard_normal((count, 2)) * spread for middle, spread, count in clouds])


def rings() -> np.ndarray:
    """A ring around another: no Gaussian is a ring."""
    chance = _random(1)
    angles = chance.uniform(0, 2 * math.pi, 300)
    radii = np.where(np.arange(300) < 200, 0.28, 0.12) + 0.012 * chance.standard_normal(300)
    return np.stack([0.5 + radii * np.cos(angles), 0.35 + radii * np.sin(angles)], axis=1)


def moons() -> np.ndarray:
    """Two half circles that reach into each other."""
    chance = _random(2)
    angles = chance.uniform(0, math.pi, 240)
    upper = np.arange(240) < 120
    across = np.where(upper, 0.4 + 0.2 * np.cos(angles), 0.6 - 0.2 * np.cos(angles))
    up = np.where(upper, 0.28 + 0.22 * np.sin(angles), 0.42 - 0.22 * np.sin(angles))
    return np.stack([across, up], axis=1) + 0.015 * chance.standard_normal((240, 2))


def eight() -> np.ndarray:
    """Eight small heaps on a circle, on which generative models like to forget some."""
    chance = _random(3)
    angles = np.arange(320) * math.pi / 4
    return np.stack([0.5 + 0.27 * np.cos(angles), 0.35 + 0.27 * np.sin(angles)], axis=1) + 0.01 * chance.standard_normal((320, 2))


def spiral() -> np.ndarray:
    """One arm that winds itself around the middle."""
    chance = _random(4)
    way = np.sqrt(chance.uniform(0.02, 1, 320))
    turned = np.stack([np.cos(3.6 * math.pi * way), np.sin(3.6 * math.pi * way)], axis=1)
    return (0.5, 0.35) + 0.3 * way[:, None] * turned + 0.006 * chance.standard_normal((320, 2))


PRESETS = {"Blobs": blobs, "Rings": rings, "Moons": moons, "Eight heaps": eight, "Spiral": spiral}
CHOICES = (*PRESETS, OWN)


def pack(points: np.ndarray) -> str:
    """Points (N, 2) on the board as text, a 65535th of the board's width exact."""
    return base64.b64encode((points.clip(0, 1) * 65535).round().astype("<u2").tobytes()).decode()


@lru_cache(maxsize=32)
def unpack(text: str) -> np.ndarray:
    """The points (N, 2) of a preset's name or of what :func:`pack` wrote; none for an empty text.

    Raises:
        gr.Error: if it is neither, or too many.
    """
    if text in PRESETS:
        found = np.stack([PRESETS[text]()[:, 0].clip(0, 1), PRESETS[text]()[:, 1].clip(0, HEIGHT)], axis=1)
    else:
        try:
            content = base64.b64decode(text, validate=True)
            found = np.frombuffer(content, "<u2").reshape(-1, 2) / 65535.0
        except (ValueError, binascii.Error) as error:
            raise gr.Error("The points cannot be read; pick some and begin again.") from error
        _few(len(found))
    found = np.minimum(found, (1, HEIGHT))
    found.setflags(write=False)
    return found


def given(text: Any) -> np.ndarray:
    """:func:`unpack` for what a page sends."""
    if not isinstance(text, str):
        raise gr.Error("The points cannot be read; pick some and begin again.")
    return unpack(text)


def _few(count: int) -> None:
    if count > MAX_POINTS:
        raise gr.Error(f"There is room for {MAX_POINTS:,} points; these are {count:,}.")


def with_clicked(text: str, clicked: Any) -> str:
    """The board with points that a visitor clicked: pairs of numbers from 0 to 1, the second from the top down."""
    if not isinstance(clicked, list) or not clicked or not all(isinstance(pair, list) and len(pair) == 2 for pair in clicked):
        raise gr.Error("A click must say where it was.")
    before = given(text)
    _few(len(before) + len(clicked))
    more = [(real(x, 0, 1, "The place"), HEIGHT * (1 - real(y, 0, 1, "The place"))) for x, y in clicked]
    return pack(np.concatenate([before, np.array(more)]))


def read_text(text: Any) -> tuple[np.ndarray, bool]:
    """Points (N, 2) from a text with two numbers to a line, and whether they had to be moved and scaled to fit the board.

    Raises:
        gr.Error: with one sentence that names the line.
    """
    text = text if isinstance(text, str) else ""
    if len(text) > MAX_LETTERS:
        raise gr.Error(f"This text is too long; there is room for {MAX_POINTS:,} points.")
    lines = [(number, line) for number, line in enumerate(re.split(r"[\n;]", text), 1) if line.strip()]
    if not lines:
        raise gr.Error("There are no points: write two numbers to a line, such as 0.3, 0.5.")
    _few(len(lines))
    rows = []
    for number, line in lines:
        parts = [part for part in re.split(r"[\s,]+", line.strip()) if part]
        try:
            values = [float(part) for part in parts]
        except ValueError:
            values = []
        if len(values) != 2:
            raise gr.Error(f"Line {number} must hold two numbers, such as 0.3, 0.5.")
        if not all(abs(value) <= LARGEST for value in values):  # NaN is not
            raise gr.Error(f"Line {number} holds a coordinate that is no finite number up to a thousand million.")
        rows.append(values)
    found = np.array(rows)
    fits = bool((found >= 0).all() and (found <= (1, HEIGHT)).all())
    return (found, False) if fits else (_fitted(found), True)


def sent(points: Any) -> str:
    """A caller's points, the name of a preset or a text for :func:`read_text`, as the text of a board."""
    return points if isinstance(points, str) and points in PRESETS else pack(read_text(points)[0])


def _fitted(points: np.ndarray) -> np.ndarray:
    """Points moved and scaled, alike in both directions, so that they fill the middle of the board."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min(0.9 / max(high[0] - low[0], 1e-12), 0.9 * HEIGHT / max(high[1] - low[1], 1e-12), 1e12)
    middle = np.array([0.5, HEIGHT / 2])
    return middle + (points - (low + high) / 2) * (scale if (high > low).any() else 1.0)


# ---- Gaussians --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mixture:
    """Gaussians in the plane: weights (K,), means (K, 2), covariances (K, 2, 2)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def log_joint(self, points: np.ndarray) -> np.ndarray:
        """log weights[k] N(x | k) in nats, (N, K)."""
        offsets = points[:, None] - self.means[None]
        inverse = np.linalg.inv(self.covariances)
        squares = np.einsum("nki,kij,nkj->nk", offsets, inverse, offsets)
        determinants = np.linalg.det(self.covariances)
        with np.errstate(divide="ignore"):  # a weight may vanish altogether
            return np.log(self.weights) - 0.5 * (squares + np.log(determinants)) - math.log(2 * math.pi)

    def responsibilities(self, points: np.ndarray) -> np.ndarray:
        """How likely each Gaussian is to have made a point, (N, K), rows add up to 1."""
        joint = self.log_joint(points)
        shares = np.exp(joint - joint.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Points (count, 2): first a Gaussian by its weight, then a point of it; those off the board are left out."""
        chance = np.random.Generator(np.random.Philox(key=[seed, 3]))
        chosen = chance.choice(len(self.weights), count, p=self.weights / self.weights.sum())
        noise = chance.standard_normal((count, 2))
        drawn = self.means[chosen] + np.einsum("nij,nj->ni", np.linalg.cholesky(self.covariances)[chosen], noise)
        return drawn[((drawn >= 0) & (drawn <= (1, HEIGHT))).all(axis=1)]


@dataclass(frozen=True)
class Walk:
    """All iterations of a fit: the mixture before and after each of them, and a bound that rises."""

    mixtures: tuple[Mixture, ...]
    bounds: tuple[float, ...]

    @property
    def last(self) -> int:
        """The iteration at which it came to rest."""
        return len(self.mixtures) - 1


def needed(components: int) -> int:
    """Points without which a fit makes no sense."""
    return max(2, components)


def enough(points: np.ndarray, components: int) -> None:
    """Refuse to begin with too few points."""
    at_least(points, needed(components), f"{components} components need" if components > 1 else "One component needs")


def at_least(points: np.ndarray, count: int, who: str) -> None:
    """Refuse fewer points than ``count``; ``who`` begins the sentence: "Training needs"."""
    if len(points) < count:
        there = {0: "there are none", 1: "there is one"}.get(len(points), f"there are {len(points)}")
        raise gr.Error(f"{who} at least {count} points; {there}. Click on the board to add some.")


def axes(covariance: np.ndarray) -> tuple[float, float, float]:
    """Standard deviations along the long and the short axis, and the long one's angle to the right in degrees."""
    values, vectors = np.linalg.eigh(covariance)
    long, short = np.sqrt(values[::-1].clip(0))
    return float(long), float(short), math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))


# ---- drawing ----------------------------------------------------------------------------------------------------------


def _mixed(shares: np.ndarray) -> list[str]:
    """Colours (N,) of points from their responsibilities (N, K)."""
    table = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in COLOURS[: shares.shape[1]]])
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in (shares @ table).round().astype(int)]


def presence(weight: float, components: int) -> float:
    """How visibly a component is drawn, from 0.12 to 1: one that nothing belongs to fades out."""
    return 0.12 + 0.88 * min(1.0, 1.5 * weight * components)


def plot_svg(points: np.ndarray, mixture: Mixture | None, drawn: np.ndarray | None = None) -> str:
    """The board: points in the colours of the Gaussians that may have made them, ellipses at one and two standard deviations."""
    parts = []
    if mixture is not None:
        for k, (weight, mean, covariance) in enumerate(zip(mixture.weights, mixture.means, mixture.covariances, strict=True)):
            long, short, angle = axes(covariance)
            fade = presence(float(weight), len(mixture.weights))
            place = f"translate({1000 * mean[0]:.1f} {1000 * (HEIGHT - mean[1]):.1f}) rotate({-angle:.1f})"
            parts.append(
                f'<g class="heap" data-component="{k}" transform="{place}" stroke="{COLOURS[k]}" fill="{COLOURS[k]}" '
                f'opacity="{fade:.2f}"><ellipse rx="{2000 * long:.1f}" ry="{2000 * short:.1f}" fill-opacity=".07" '
                'stroke-width="2"/>'
                f'<ellipse rx="{1000 * long:.1f}" ry="{1000 * short:.1f}" fill-opacity=".10" stroke-width="4"/>'
                '<path d="M-9 0H9M0 -9V9" stroke-width="4"/></g>'
            )
    colours = ["currentColor"] * len(points) if mixture is None or not len(points) else _mixed(mixture.responsibilities(points))
    parts += [
        f'<circle cx="{1000 * x:.0f}" cy="{1000 * (HEIGHT - y):.0f}" r="6.5" fill="{colour}"/>'
        for (x, y), colour in zip(points, colours, strict=True)
    ]
    if drawn is not None:
        parts += [f'<path d="M{1000 * x:.0f} {1000 * (HEIGHT - y) - 7:.0f}l7 7-7 7-7-7z" class="drawn"/>' for x, y in drawn]
    words = f"{len(points)} points" + (f" and {len(mixture.weights)} Gaussians" if mixture is not None else "")
    return (
        f'<svg class="points" viewBox="0 0 1000 {1000 * HEIGHT:.0f}" role="img" aria-label="{words}" data-count="{len(points)}">'
        f"{''.join(parts)}</svg>"
    )


def plot_picture(points: np.ndarray, mixture: Mixture | None, drawn: np.ndarray | None = None) -> PIL.Image.Image:
    """The same as a picture to save, 1000 pixels wide."""
    scale = 2  # drawn twice as large, so that edges are smooth
    side = 1000 * scale
    image = PIL.Image.new("RGB", (side, round(side * HEIGHT)), "#faf8f4")
    brush = PIL.ImageDraw.Draw(image, "RGBA")
    circle = np.stack([np.cos(np.linspace(0, 2 * math.pi, 73)), np.sin(np.linspace(0, 2 * math.pi, 73))])

    def at(places: np.ndarray) -> list[tuple[float, float]]:
        return [(float(side * x), float(side * (HEIGHT - y))) for x, y in places]

    if mixture is not None:
        for k, (weight, mean, covariance) in enumerate(zip(mixture.weights, mixture.means, mixture.covariances, strict=True)):
            fade = round(255 * presence(float(weight), len(mixture.weights)))
            root = np.linalg.cholesky(covariance)
            for reach, width in ((2, 2), (1, 4)):
                brush.line(at((mean[:, None] + reach * root @ circle).T), f"{COLOURS[k]}{fade:02x}", width * scale)
    colours = ["#26221c"] * len(points) if mixture is None or not len(points) else _mixed(mixture.responsibilities(points))
    for (x, y), colour in zip(at(points), colours, strict=True):
        brush.ellipse((x - 6 * scale, y - 6 * scale, x + 6 * scale, y + 6 * scale), colour)
    for x, y in at(drawn) if drawn is not None else []:
        brush.polygon([(x, y - 14), (x + 14, y), (x, y + 14), (x - 14, y)], outline="#26221c")
    return image.resize((1000, round(1000 * HEIGHT)), PIL.Image.Resampling.LANCZOS)


def weights_html(weights: np.ndarray, used: np.ndarray) -> str:
    """The components' weights as bars in their colours; those that are not ``used`` fade."""
    rows = [
        f'<div class="row{"" if use else " unused"}"><span>component {k + 1}</span><div class="track"><div class="fill" '
        f'style="left:0;width:{100 * weight:.1f}%;background:{COLOURS[k]}"></div></div><span>{100 * weight:.1f} %</span></div>'
        for k, (weight, use) in enumerate(zip(weights.tolist(), used.tolist(), strict=True))
    ]
    return f'<div class="bars wide" data-used="{int(used.sum())}">{"".join(rows)}</div>'


def ranked_weights_svg(weights: np.ndarray, used: np.ndarray) -> str:
    """Many weights as upright bars, the largest first; those that are not ``used`` are pale."""
    order = np.argsort(-weights, kind="stable")
    left, right, top, bottom = 110, 990, 30, 170
    high, step = float(weights.max()) or 1.0, (right - left) / len(weights)
    bars = []
    for place, k in enumerate(order):
        tall = max((bottom - top) * float(weights[k]) / high, 2)
        kind = "used" if used[k] else "unused"
        bars.append(
            f'<rect class="{kind}" x="{left + (place + 0.1) * step:.1f}" y="{bottom - tall:.1f}" width="{0.8 * step:.1f}" '
            f'height="{tall:.1f}"/>'
        )
    label = f"weights of {len(weights)} Gaussians, {int(used.sum())} of them used"
    told = f"{int(used.sum())} of {len(weights)} Gaussians are used"
    if used.all():
        told = f"All {len(weights)} Gaussians are used: the pictures have more shapes than that"
    return (
        f'<svg class="weights" viewBox="0 0 1000 215" role="img" aria-label="{label}" data-used="{int(used.sum())}">{"".join(bars)}'
        f'<text x="{left - 8}" y="{top + 8}" text-anchor="end">{100 * high:.1f} %</text>'
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
        f'<text x="{left}" y="208">{told}</text></svg>'
    )


def curve_svg(values: Sequence[float], step: int, what: str, unit: str) -> str:
    """A rising curve over the iterations, with a mark at the present one; nothing for fewer than two values."""
    if len(values) < 2:
        return ""
    left, right, top, bottom = 110, 985, 44, 160
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    last = len(values) - 1

    def place(index: int) -> tuple[float, float]:
        return left + (right - left) * index / last, bottom - (bottom - top) * (values[index] - low) / span

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, range(len(values))))
    here = min(max(step, 0), last)
    x, y = place(here)
    digits = 2 if span < 20 else 0
    ticks = "".join(
        f'<text x="{left - 8}" y="{height + 6:.0f}" text-anchor="end">{f"{value:.{digits}f}".replace("-", "−")}</text>'
        for value, height in ((high, top), (low, bottom))
    )
    told = f"{values[here]:.{max(digits, 1) + 1}f}".replace("-", "−")
    label = f"{what} after each iteration, from {low:.3f} to {high:.3f}"
    return (
        f'<svg class="curve" viewBox="0 0 1000 200" role="img" aria-label="{label}">'
        f'<text x="{left}" y="24">{what}: <tspan class="now">{told}</tspan> {unit}</text>{ticks}'
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/><polyline points="{line}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8"/>'
        f'<text x="{left}" y="194">0</text><text x="{right}" y="194" text-anchor="end">iteration {last}</text></svg>'
    )


DRAWN = 250
"""New points that a mixture draws."""


def note(words: str) -> str:
    """A line of words under a picture."""
    return f'<p class="note">{html.escape(words)}</p>'


def waiting(points: np.ndarray, components: int, steps: int) -> list:
    """Board, curve, words and scrubber as long as there are too few points."""
    words = "Click on the board, or press and drag, to add points."
    words += f" {len(points)} of {needed(components)} are there." if len(points) else ""
    return [plot_svg(points, None), "", note(words), gr.update(maximum=steps, value=0)]


def unwalked(points: np.ndarray, mixture: Mixture | None, words: str, steps: int, new: np.ndarray | None = None) -> list:
    """Board, curve, words and scrubber before the first iteration."""
    return [plot_svg(points, mixture, new), "", note(words), gr.update(maximum=steps, value=0)]


def walked(points: np.ndarray, walk: Walk, step: int, what: str, unit: str, steps: int, new: np.ndarray | None = None) -> list:
    """Board, curve, words and scrubber at an iteration; ``what`` rises, and ``steps`` are the most that there may be."""
    # a slider whose ends are one has no place to be dragged to
    scrubber = gr.update(maximum=max(walk.last, 1), value=step)
    curve = curve_svg(walk.bounds, step, what, unit)
    return [plot_svg(points, walk.mixtures[step], new), curve, note(told(walk, step, steps)), scrubber]


def told(walk: Walk, step: int, steps: int) -> str:
    """Where an iteration stands on the way."""
    if step < walk.last:
        return f"Iteration {step} of {walk.last}."
    return f"At rest after {step} iterations." if step < steps else f"Iteration {step}, the last one here; a little still moves."


BOARD_JS = script("points", HEIGHT=round(1000 * HEIGHT))
