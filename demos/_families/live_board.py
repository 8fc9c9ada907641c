"""What is shown of a training in the page: data, samples, what the networks make of every place, losses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import torch
from torch import Tensor

from demos._families import live, planes
from demos._families.live import DIGITS, GAN, VAE, Part, Training
from demos._families.planes import HEIGHT
from demos._kit import charts
from demos._kit.markup import picture_html
from demos._kit.pictures import enlarged, png_uri, strip_image, to_pil
from demos._kit.shown import Shown
from gen_models import catalog, runtime

GRID = (80, 56)
"""Places across and down at which the networks are asked."""
NEAR = 0.03
"""Of the board's width: as close as this, a point counts as found."""
APART = 0.05
"""Of the board's width: points with a wider gap between them belong to different clusters."""
COVERED = 0.02
"""Share of the generated points that must lie near a cluster's points for it to count as covered."""
SETTLED = 1000
"""Steps after which a generator that leaves out half of the clusters has not just begun."""
PULLED = 80
"""Generated points of which it is drawn where they are pulled."""
REACH = 0.06
"""Length of the longest such line, of the board's width."""
LINES = torch.linspace(-2, 2, 9)
"""Values of the first two noise numbers, between which the generator's grid is drawn."""
REAL, FAKE = "#2f6fc4", "#d97a2b"


@dataclass
class Seen:
    """What a run looks like at one moment: points or pictures."""

    generated: np.ndarray | None = None
    """Points (N, 2) of the board."""
    field: np.ndarray | None = None
    """(rows, columns) in [0, 1], the first row on top: D(x) of a GAN; the density of a VAE as a share of its largest."""
    found: float = 0.0
    """The share of the points that have a generated one near."""
    near: float = 0.0
    """The share of the generated points that lie near one."""
    covered: int = 0
    """How many clusters of the data have generated points."""
    pull: np.ndarray | None = None
    """Where the generator's loss would move its points, the lines' ends: (n, 2, 2) of the board."""
    grid: np.ndarray | None = None
    """What the generator makes of a grid of noise: (lines, points, 2) of the board."""
    pictures: Tensor | None = None
    words: str = ""


def places() -> Tensor:
    """The middles of the grid's cells, as the models know them, (rows * columns, 2), from the top."""
    across, down = GRID
    x = (np.arange(across) + 0.5) / across
    y = HEIGHT * (1 - (np.arange(down) + 0.5) / down)
    return live.on_board(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))


def look(training: Training) -> Seen:
    """Ask the networks for samples and for their field."""
    model = training.live.model
    with training.lock, runtime.forward_pass():
        model.eval()
        try:
            made = model.sample(training.noise.anew())
            if training.real is None:
                return Seen(pictures=made, words=read_digits(made))
            pull = grid = None
            if training.kind == GAN:
                shown = model.field(places(), training.real)
                pull, grid = pulled(model, made[:PULLED], training.real), warped(model)
            else:
                shown = model.density(places(), training.latents.anew())
                shown = shown / shown.max().clamp_min(1e-12)
        finally:
            model.train()
    distances = 0.5 * torch.cdist(made, training.real)
    found, near = (float((distances.amin(dim=side) < NEAR).float().mean()) for side in (0, 1))
    words = f"{100 * found:.0f} % of the points have a generated one near, {100 * near:.0f} % of the generated lie near a point."
    labels = clusters(training.text)
    hit = torch.from_numpy(labels)[distances.argmin(dim=1)[distances.amin(dim=1) < NEAR]]
    covered = int((hit[hit >= 0].bincount(minlength=1) >= COVERED * len(made)).sum())
    if (count := int(labels.max()) + 1) > 2:
        collapsed = training.kind == GAN and training.live.steps >= SETTLED and 2 * covered <= count
        words = f"It covers {covered} of {count} clusters{': mode collapse' if collapsed else ''}. {words}"
    shown = shown.numpy().reshape(GRID[::-1]).clip(0, 1)
    return Seen(live.off_board(made), shown, found, near, covered, pull, grid, words=words)


@lru_cache(maxsize=16)
def clusters(text: str) -> np.ndarray:
    """Number of the cluster of each point of a board, (N,); -1: of none."""
    from sklearn.cluster import DBSCAN  # takes a second to import, and nobody may train on points

    return DBSCAN(eps=APART, min_samples=5).fit_predict(planes.given(text))


def pulled(model: Any, points: Tensor, real: Tensor) -> np.ndarray:
    """Lines from points to where the generator's loss would move them, the longest ``REACH`` long: (n, 2, 2) of the board."""
    pull = model.pull(points, real)
    pull = 2 * REACH * pull / pull.norm(dim=1).max().clamp_min(1e-12)
    return live.off_board(torch.stack([points, points + pull], dim=1))


def warped(model: Any) -> np.ndarray:
    """What the generator makes of straight lines through its noise, the numbers after the first two zero: (lines, points, 2)."""
    fine = torch.linspace(-2, 2, 33)
    noise = torch.zeros(2 * len(LINES), len(fine), model.latent_dim)
    noise[: len(LINES), :, 0], noise[: len(LINES), :, 1] = LINES[:, None], fine
    noise[len(LINES) :, :, 1], noise[len(LINES) :, :, 0] = LINES[:, None], fine
    return live.off_board(model.generator(noise.flatten(0, 1)).unflatten(0, noise.shape[:2]))


def read_digits(pictures: Tensor) -> str:
    """What a classifier is sure of, in words; "" without its weights. The door is held already."""
    name = "features-mnist"
    if name not in catalog.trained("features"):
        return ""
    judge = catalog.load(name)
    chances, kinds = judge.logits(judge(pictures.to(runtime.device())))[0].softmax(dim=1).max(dim=1)
    sure = chances > 0.8  # of noise it makes some digit, too, and is not sure
    return f"A classifier is sure of {int(sure.sum())} of these {len(pictures)}, {len(kinds[sure].unique())} different digits."


def field_picture(shown: np.ndarray, kind: str) -> PIL.Image.Image:
    """The field as a picture with transparency: the stronger, the surer."""
    real, fake = ([int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in (REAL, FAKE))
    pixels = np.zeros((*shown.shape, 4), np.uint8)
    if kind == GAN:
        pixels[..., :3] = np.where(shown[..., None] > 0.5, real, fake)
        pixels[..., 3] = (170 * np.abs(2 * shown - 1)).round()
    else:
        pixels[..., :3] = fake
        pixels[..., 3] = (170 * np.sqrt(shown)).round()
    return PIL.Image.fromarray(pixels)


def board_svg(points: np.ndarray, seen: Seen, kind: str) -> str:
    """The board: the field, over it real and generated points."""

    def dots(spots: np.ndarray) -> str:
        return "".join(f"M{1000 * x:.0f} {1000 * (HEIGHT - y):.0f}h0" for x, y in spots)

    parts, generated = [f'<path class="real" d="{dots(points)}"/>'], 0
    if seen.field is not None:
        uri = png_uri(field_picture(seen.field, kind))
        parts.insert(0, f'<image href="{uri}" width="1000" height="{1000 * HEIGHT:.0f}" preserveAspectRatio="none"/>')
    for name, lines in (("grid", seen.grid), ("pull", seen.pull)):
        if lines is not None:
            drawn = "".join("M" + "L".join(f"{1000 * x:.0f} {1000 * (HEIGHT - y):.0f}" for x, y in line) for line in lines)
            parts.append(f'<path class="layer {name}" d="{drawn}"/>')
    if seen.generated is not None:
        inside = ((seen.generated >= 0) & (seen.generated <= (1, HEIGHT))).all(axis=1)
        generated = int(inside.sum())
        parts.append(f'<path class="made" d="{dots(seen.generated[inside])}"/>')
    words = f"{len(points)} points and {generated} generated ones"
    return (
        f'<svg class="points learning" viewBox="0 0 1000 {1000 * HEIGHT:.0f}" role="img" aria-label="{words}" '
        f'data-count="{len(points)}" data-generated="{generated}">{"".join(parts)}</svg>'
    )


def board_picture(points: np.ndarray, seen: Seen, kind: str) -> PIL.Image.Image:
    """The same as a picture to save, 1000 pixels wide."""
    side = 1000
    image = PIL.Image.new("RGBA", (side, round(side * HEIGHT)), "#faf8f4")
    if seen.field is not None:
        image.alpha_composite(field_picture(seen.field, kind).resize(image.size, PIL.Image.Resampling.BICUBIC))
    brush = PIL.ImageDraw.Draw(image, "RGBA")
    for spots, colour in ((points, "#26221c"), ([] if seen.generated is None else seen.generated, FAKE)):
        for x, y in spots:
            brush.circle((side * float(x), side * (HEIGHT - float(y))), 4, colour)
    return image.convert("RGB")


LEGENDS = {
    GAN: (
        ("ink", "", "data"), ("", FAKE, "generated, from noise by G, and where D expects it"), ("", REAL, "where D expects data"),
    ),
    VAE: (("ink", "", "data"), ("", FAKE, "generated, and how dense the VAE takes the data to be")),
}


def legend(kind: str) -> str:
    """What the colours of the board stand for."""
    marks = (f'<span><i class="{look}" style="background:{colour}"></i>{words}</span>' for look, colour, words in LEGENDS[kind])
    return f'<p class="legend">{"".join(marks)}</p>'


@dataclass
class Frame(Shown):
    """Board or sheet of a run, or of the data before there is one, the losses, and the line under them."""

    text: str
    kind: str
    training: Training | None = None
    seen: Seen = field(default_factory=Seen)
    plan: Sequence[Part] | None = ()
    """How it came about; None: by more changes than a link holds."""
    losses: str = ""
    note: str = ""

    @classmethod
    def of(cls, training: Training, lead: str = "", pace: str = "") -> Frame:
        """What a run looks like now; ``lead`` stands before the number of steps in the line, ``pace`` behind it."""
        seen, plan = look(training), training.plan[:] if len(training.plan) <= live.MAX_PARTS else None
        unlinked = " A link holds only the settings: they were changed too often." * (plan is None)
        note = f"{lead}Step {training.live.steps:,}{pace}. {seen.words}{unlinked}"
        return cls(
            training.text, training.kind, training, seen, plan, charts.losses(training.live.losses, training.live.steps), note
        )

    @property
    def sets(self):
        return {"plan": {"value": live.written(self.plan)}}

    @property
    def nbytes(self):
        if self.training is None:
            return 0
        run = self.training.live
        numbers = sum(part.numel() for part in run.model.parameters())
        return 16 * numbers + 150 * sum(map(len, run.losses.values()))  # with gradients and Adam's two means

    def _sheet(self) -> PIL.Image.Image:
        pictures = self.seen.pictures if self.seen.pictures is not None else live.digits().unit(0, live.SHEET)
        return strip_image([to_pil(picture) for picture in pictures], columns=8)

    def html(self) -> str:
        if self.text != DIGITS:
            return board_svg(planes.given(self.text), self.seen, self.kind) + legend(self.kind) + self.losses
        words = f"digits after {self.training.live.steps} steps" if self.training is not None else "digits of the data set"
        return f'<div class="sheet">{picture_html(png_uri(self._sheet()), words)}</div>{self.losses}'

    def frames(self):
        if self.text == DIGITS:
            return [enlarged(self._sheet(), 4)]
        return [board_picture(planes.given(self.text), self.seen, self.kind)]

    def json(self):
        return {
            "points": self.seen.generated.round(4).tolist(), "found": self.seen.found, "near": self.seen.near,
            "losses": {name: entries[-1][1] for name, entries in self.training.live.losses.items()},
        }  # fmt: skip


def at_hand(run: Frame | None, text: str, kind: str, seed: int, plan: Sequence[Part] | None) -> Training | None:
    """The networks that a page's latest frame keeps, if they lead to this plan; None: the run is to be trained from the start."""
    training = run.training if run is not None else None
    return training if training is not None and training.leads(text, kind, seed, plan) else None


def frames(training: Training, plan: Sequence[Part] | None, goes_on: Callable[[], bool]) -> Iterator[Frame]:
    """What a training looks like several times a second, and in the end; ``plan``: what it goes through, if it is to end then."""
    yield Frame.of(training)
    before, began = training.live.steps, time.monotonic()
    total = before + sum(part.count for part in plan or [])
    for _ in live.trained(training, plan or None, goes_on):
        speed = (training.live.steps - before) / (time.monotonic() - began)
        yield Frame.of(training, pace=f" of {total:,}" if plan else f", {speed:,.0f} a second")
    if not goes_on():
        yield Frame.of(training, "Stopped. ")
    else:
        yield Frame.of(training, "" if plan else f"Paused after {live.LONGEST / 60:.0f} minutes; Start goes on. ")


def untrained(text: str, kind: str) -> Frame:
    """Points or digits before the first step."""
    if text == DIGITS:
        return Frame(text, kind, note="Digits of the data set. Press Start.")
    count = len(planes.given(text))
    there = f"{count} points. Press Start." if count > 1 else "Click on the board, or press and drag, to add points."
    return Frame(text, kind, note=there)
