"""What rooms with points in the plane share: the points, the board that shows them among Gaussians, the iterations of a fit.

A board is 1 wide and ``HEIGHT`` high, its origin at the lower left. Everything here is small arithmetic of its own, because it is
drawn at the first sight, before any model is imported. The fields of these rooms are called ``points``, ``pasted`` and ``step``.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import PIL.ImageDraw

from demos._kit.checks import number, one_of
from demos._kit.fields import Change, Field, Slider
from demos._kit.plan import Action
from demos._kit.shown import Html, Shown
from demos._widgets import script

HEIGHT = 0.7
MAX_POINTS = 1000
MAX_LETTERS = 90_000
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
    """Eight small clusters on a circle, of which generative models like to forget some."""
    chance = _random(3)
    angles = np.arange(320) * math.pi / 4
    return np.stack([0.5 + 0.27 * np.cos(angles), 0.35 + 0.27 * np.sin(angles)], axis=1) + 0.01 * chance.standard_normal((320, 2))


def spiral() -> np.ndarray:
    """One arm that winds itself around the middle."""
    chance = _random(4)
    way = np.sqrt(chance.uniform(0.02, 1, 320))
    turned = np.stack([np.cos(3.6 * math.pi * way), np.sin(3.6 * math.pi * way)], axis=1)
    return (0.5, 0.35) + 0.3 * way[:, None] * turned + 0.006 * chance.standard_normal((320, 2))


PRESETS = {"Blobs": blobs, "Rings": rings, "Moons": moons, "Eight clusters": eight, "Spiral": spiral}
RENAMED = {"Eight heaps": "Eight clusters"}
"""Presets in older links and calls -> today's."""
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
    more = [(number(x, 0, 1, "The place"), HEIGHT * (1 - number(y, 0, 1, "The place"))) for x, y in clicked]
    return pack(np.concatenate([before, np.array(more)]))


def read_text(text: Any) -> tuple[np.ndarray, bool]:
    """Points (N, 2) from a text with two numbers to a line, and whether they had to be moved and scaled to fit the board.

    Raises:
        gr.Error: with one sentence that names the line.
    """
    text = text if isinstance(text, str) else ""
    if len(text) > MAX_LETTERS:
        raise gr.Error(f"This text is too long; there is room for {MAX_POINTS:,} points.")
    lines = [(place, line) for place, line in enumerate(re.split(r"[\n;]", text), 1) if line.strip()]
    if not lines:
        raise gr.Error("There are no points: write two numbers to a line, such as 0.3, 0.5.")
    _few(len(lines))
    rows = []
    for place, line in lines:
        parts = [part for part in re.split(r"[\s,]+", line.strip()) if part]
        try:
            values = [float(part) for part in parts]
        except ValueError:
            values = []
        if len(values) != 2:
            raise gr.Error(f"Line {place} must hold two numbers, such as 0.3, 0.5.")
        if not all(abs(value) <= LARGEST for value in values):  # NaN is not
            raise gr.Error(f"Line {place} holds a coordinate that is no finite number up to a thousand million.")
        rows.append(values)
    found = np.array(rows)
    fits = bool((found >= 0).all() and (found <= (1, HEIGHT)).all())
    return (found, False) if fits else (_fitted(found), True)


def sent(points: Any) -> str:
    """A caller's points, the name of a preset or a text for :func:`read_text`, as the text of a board."""
    name = RENAMED.get(points, points) if isinstance(points, str) else ""
    return name if name in PRESETS else pack(read_text(points)[0])


def migrate(controls: dict[str, Any]) -> dict[str, Any]:
    """Older links name a preset by its older name."""
    points = controls.get("points")
    return controls | ({"points": RENAMED[points]} if isinstance(points, str) and points in RENAMED else {})


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
    """All iterations of a fit: the mixtures, a bound that rises and, if it is known, how many points each component has."""

    mixtures: tuple[Mixture, ...]
    bounds: tuple[float, ...]
    counts: tuple[np.ndarray, ...] = ()

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
                f'<g class="cluster" data-component="{k}" transform="{place}" stroke="{COLOURS[k]}" fill="{COLOURS[k]}" '
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


DRAWN = 250
"""New points that a mixture draws."""
FRAME = 0.08
"""Seconds between two iterations of a run: one should see it."""


@dataclass
class Board(Shown):
    """The board at an iteration; the slider through the iterations goes with it."""

    points: np.ndarray
    mixture: Mixture | None
    step: int = 0
    last: int | None = None
    """Where the fit comes to rest, if that is known yet."""
    drawn: np.ndarray | None = None
    charts: str = ""
    """HTML under the board."""
    note: str = ""

    @property
    def sets(self) -> Mapping[str, Mapping[str, Any]]:
        """The slider stands at the iteration and ends where the fit comes to rest."""
        # a slider whose ends are one has no place to be dragged to
        return {"step": {"value": self.step} | ({} if self.last is None else {"maximum": max(self.last, 1)})}

    def html(self) -> str:
        return plot_svg(self.points, self.mixture, self.drawn) + self.charts

    def frames(self):
        return [plot_picture(self.points, self.mixture, self.drawn)]


def waiting(points: np.ndarray, components: int, charts: str = "") -> Board:
    """The board as long as there are too few points."""
    words = "Click on the board, or press and drag, to add points."
    words += f" {len(points)} of {needed(components)} are there." if len(points) else ""
    return Board(points, None, charts=charts, note=words)


def progress(walk: Walk, step: int, most: int) -> str:
    """Where an iteration stands on the way, of which ``most`` iterations are shown."""
    if step < walk.last:
        return f"Iteration {step} of {walk.last}."
    return f"Converged after {step} iterations." if step < most else f"Iteration {step}, the last one here; not yet converged."


def strides(walk: Walk, step: int) -> Iterator[int]:
    """The iterations that a run shows from ``step`` on, later in longer strides; from the start if it was at rest."""
    here = step + 1 if 0 < step < walk.last else 0
    while here < walk.last:
        yield here
        here = min(here + 1 + here // 30, walk.last)
    yield walk.last


def fitted(walk: Walk, iterations: int, bound: str) -> Html:
    """A fit after some iterations for a caller of the API, who gets the bounds until then by the name ``bound``."""
    last = min(iterations, walk.last)
    mixture = walk.mixtures[last]
    return Html("", data={
        "weights": mixture.weights.tolist(), "means": mixture.means.tolist(), "covariances": mixture.covariances.tolist(),
        bound: list(walk.bounds[: last + 1]),
    })  # fmt: skip


# ---- fields and actions -----------------------------------------------------------------------------------------------


def board(value: str = "", **settings: Any) -> gr.HTML:
    """A component on which points are clicked and sprayed; its event ``dab`` carries ``dabs`` for :func:`with_clicked`."""
    return gr.HTML(value, js_on_load=script("points", HEIGHT=round(1000 * HEIGHT)), elem_classes=["plane", "flush"], **settings)


@dataclass
class Points(Field):
    """The points of the board as one text for :func:`unpack`, with the presets to choose from, the default first."""

    label: str = "Points"
    default: str = "Blobs"
    others: Sequence[str] = ()
    """Further choices, which are no points: their names are the text."""

    @property
    def choices(self) -> list[str]:
        """All that there is to choose from."""
        return [self.default, *(name for name in CHOICES if name != self.default), *self.others]

    def build(self, weights):
        choice = gr.Radio(self.choices, value=self.default, label=self.label, elem_classes=["chips"])
        return [gr.Textbox(self.default, visible="hidden", show_label=False), choice]

    def check(self, weights, value):
        if value not in self.others:
            given(value)
        return value

    def updates(self, weights, value, **needs):
        return [value, value if value in (*PRESETS, *self.others) else OWN]

    def changes(self, components):
        def choose(weights: str, choice: str) -> str:
            return {OWN: ""}.get(one_of(choice, self.choices, self.label), choice)

        return [Change(components[1].input, [components[1]], choose)]


SENT_WORDS = f"""points: {", ".join(PRESETS)}, or two numbers to a line, x and y. Points outside of the board (x from 0 to 1, y
from 0 to {HEIGHT}) are moved and scaled to fit it.""".replace("\n", " ")
"""What the documentation of a verb of the API says of :class:`SentPoints`."""


class SentPoints(Points):
    """The points of a caller of the API: a preset, or two numbers to a line."""

    def check(self, weights, value):
        return sent(value)


@dataclass
class Pasted(Field):
    """A text with two numbers to a line that is used when a button is pressed."""

    label: str = "Two numbers to a line"
    default: str = ""
    redo: bool = False
    kept: bool = False

    def build(self, weights):
        with gr.Accordion("Paste points", open=False):
            text = gr.Textbox(label=self.label, lines=4, max_lines=8, placeholder="0.2, 0.5\n0.8, 0.1")
            return [text, gr.Button("Use these points", size="sm", elem_classes=["quiet"])]

    def check(self, weights, value):
        if not isinstance(value, str) or len(value) > MAX_LETTERS:
            raise gr.Error(f"This is no text, or too long a one; there is room for {MAX_POINTS:,} points.")
        return value

    def updates(self, weights, value, **needs):
        return [value, gr.skip()]

    def changes(self, components):
        return [Change(components[1].click, quick=False)]


@dataclass
class Iteration(Slider):
    """The iteration that the board shows; 0: before the first one. Set anew, it offers as many as there may be."""

    label: str = "Iteration"
    default: int = 0
    high: float = 100
    step: float = 1

    def updates(self, weights, value, **needs):
        return [gr.update(value=value, maximum=self.high)]


def begin() -> dict[str, int]:
    """Other points or settings: before the first iteration."""
    return {"step": 0}


def add_points(begin: Mapping[str, Any], dabs: Any, points: str) -> dict[str, Any]:
    """The board with the points that were clicked."""
    return {"points": with_clicked(points, dabs), **begin}


def use_pasted(begin: Mapping[str, Any], pasted: str) -> dict[str, Any]:
    """The board with the points of a text."""
    found, moved = read_text(pasted)
    if moved:
        gr.Info(f"{len(found)} points, moved and scaled to fit the board.")
    return {"points": pack(found), **begin}


def edits(begin: Mapping[str, Any]) -> list[Action]:
    """What changes the points of the board, which stands in the main view; ``begin``: what the other fields are then."""
    sets = ["points", *begin]
    return [
        Action(partial(add_points, begin), sets, on=("", "dab")), Action(partial(use_pasted, begin), sets, on="pasted"),
    ]  # fmt: skip


def actions(most: int) -> list[Action]:
    """What changes the board, which stands in the main view; ``most``: the last iteration that there may be."""
    def one_step(points: str, components: int, step: int) -> dict[str, int]:
        """One iteration further."""
        enough(unpack(points), components)
        return {"step": min(step + 1, most)}

    return [
        Action(one_step, ["step"], button="One step"), *edits(begin()),
        *(Action(begin, ["step"], on=name) for name in ("points", "components", "seed")),
    ]  # fmt: skip
