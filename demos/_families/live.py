"""Training in the page: a run that a visitor starts, steers, stops and takes along, and what is shown of it.

A run is decided by its data, its model, its seed and its plan: how many steps were taken with which settings, one after the other.
So a link or a saved picture holds the plan, and whoever opens it trains the same run again. The networks are small and train on the
processor, also where there is a graphics card, so that it is the same run.
"""

from __future__ import annotations

import html
import math
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import PIL.ImageDraw
import torch
from gradio.context import LocalContext
from torch import Tensor

from demos._families import planes
from demos._families.planes import HEIGHT
from demos._kit.checks import integer, number, one_of
from demos._kit.markup import picture_html
from demos._kit.pictures import png_uri, strip_image, to_pil
from demos._kit.running import is_cancelled, visitor_stays
from demos._server import request_log
from demos._server.limits import address_of
from gen_models import Draws, catalog, runtime
from gen_models.data import Batches, DataError, DataSet, data_dir, load_data
from gen_models.live import Diverged, Live

DIGITS = "Digits"
KINDS = GAN, VAE = ("GAN", "VAE")
LOSSES = NON_SATURATING, SATURATING = ("Non-saturating", "Saturating")
CURES = NONE, MINIBATCH, R1 = ("None", "Minibatch", "R1")
PENALTY = {True: 1.0, False: 0.1}
"""Weight of R1 for points and for digits, whose gradients have 784 parts."""
BOTH = "both"
PARTS = (BOTH, "discriminator", "generator")
MAX_GENERATOR_STEPS = 10
RATES = (1e-5, 10.0)
RATE = {True: 3e-3, False: 5e-4}
"""The learning rate with which one begins, for points and for digits."""
BATCH = {True: 128, False: 64}
"""Examples in a batch of points and of digits."""
SLICE = 0.1
"""Seconds of training between two pictures, after which others have their turn at the door."""
LONGEST = 180.0
"""Seconds that a training goes on before it asks to be started again."""
MOST_STEPS = 200_000
BUSY = 3
"""Visitors who train at once."""
KEEP = 8
"""Runs that are kept; the one that was looked at last stays longest."""
IDLE = 15 * 60.0
"""Seconds after which a run that nobody looked at is dropped."""
MAX_PARTS = 40
"""Parts of a plan that a link holds."""
GENERATED = 500
SHEET = 48
GRID = (80, 56)
"""Places across and down at which the discriminator is asked."""
NEAR = 0.03
"""Of the board's width: as close as this, a point counts as found."""
REAL, FAKE = "#2f6fc4", "#d97a2b"


# ---- settings and plans -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """What a visitor may change while it trains."""

    rate: float = 3e-3
    generator_steps: int = 1
    loss: str = NON_SATURATING
    cure: str = NONE

    @classmethod
    def checked(cls, rate: Any, steps: Any, loss: Any, cure: Any) -> Settings:
        """The settings as the page sends them.

        Raises:
            gr.Error: with one sentence.
        """
        return cls(
            number(rate, *RATES, "Learning rate"), integer(steps, 1, MAX_GENERATOR_STEPS, "Generator steps"),
            one_of(loss, LOSSES, "Loss"), one_of(cure, CURES, "Cure"),
        )  # fmt: skip


@dataclass
class Part:
    """So many steps of one kind (``PARTS``) with the same settings."""

    what: str
    count: int
    settings: Settings


def written(plan: list[Part]) -> str:
    """A plan as text for links; nothing if it has too many parts for one."""
    if len(plan) > MAX_PARTS:
        return ""
    words = []
    for part in plan:
        now = part.settings
        words.append(f"{PARTS.index(part.what)}.{part.count}.{now.rate:.6e}.{now.generator_steps}."
                     f"{LOSSES.index(now.loss)}.{CURES.index(now.cure)}")  # fmt: skip
    return ";".join(words)


PART = re.compile(r"([0-2])\.(\d{1,6})\.(\d\.\d{6}e[+-]\d\d)\.(\d{1,2})\.([01])\.([0-2])")


def read(text: Any) -> list[Part]:
    """The plan that :func:`written` wrote; [] for an empty text.

    Raises:
        gr.Error: with one sentence, if it is none.
    """
    plan = []
    words = text.split(";") if isinstance(text, str) and len(text) < 60 * MAX_PARTS else ["?"]
    for word in [] if text == "" else words:
        found = PART.fullmatch(word)
        if not found or len(words) > MAX_PARTS:
            raise gr.Error("This training cannot be read; begin again.")
        what, count, rate, steps, loss, cure = found.groups()
        settings = Settings.checked(float(rate), int(steps), LOSSES[int(loss)], CURES[int(cure)])
        plan.append(Part(PARTS[int(what)], int(count), settings))
    if sum(part.count for part in plan) > MOST_STEPS:
        raise gr.Error(f"A training takes at most {MOST_STEPS:,} steps.")
    return plan


# ---- what is trained on what ------------------------------------------------------------------------------------------


def digits_at_hand() -> bool:
    """Whether the data set of digits is in the data folder; it is never fetched for a visitor."""
    try:
        folder = data_dir()
    except DataError:
        return False
    return folder is not None and any((folder / "MNIST" / "raw").glob("train-images-idx3-ubyte*"))


@lru_cache(maxsize=1)
def digits() -> DataSet:
    """The training part of MNIST.

    Raises:
        gr.Error: if it is not at hand.
    """
    if not digits_at_hand():
        raise gr.Error("Training on digits needs the data set: start the app with GALLERY_DATA naming the data folder.")
    return load_data("mnist", "train")


def on_board(points: np.ndarray) -> Tensor:
    """Points of the board (N, 2) as the models know them: its middle is zero, x from -1 to 1."""
    return torch.from_numpy(2 * (points - (0.5, HEIGHT / 2))).float()


def off_board(points: Tensor) -> np.ndarray:
    """The reverse of :func:`on_board`."""
    return points.double().numpy() / 2 + (0.5, HEIGHT / 2)


def batches_of(text: str, seed: int) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Number of the step -> examples of the board or of the digits, as the trainer hands them over."""
    if text == DIGITS:
        return Batches(digits(), BATCH[False], seed).batch
    points = on_board(planes.given(text))

    def batch(step: int) -> tuple[Tensor, Tensor]:
        chance = np.random.Generator(np.random.Philox(key=[seed, step]))
        picked = torch.from_numpy(chance.integers(0, len(points), BATCH[True]))
        return points[picked], torch.zeros(BATCH[True], 0, dtype=torch.int64)

    return batch


def build(text: str, kind: str) -> Any:
    """An untrained model for points or digits."""
    if text == DIGITS:
        small = dict(width=256, latent_dim=64, dropout=0.0) if kind == GAN else dict(width=256, latent_dim=16)
        return catalog.model_class(kind.lower())(size=28, channels=1, **small)
    if kind == GAN:
        from gen_models.gans.gan import PointGAN  # not before the first use

        return PointGAN()
    from gen_models.autoencoders.vae import PointVAE

    return PointVAE()


class Fixed(Draws):
    """Draws that begin anew as often as one likes, at no cost: the samples of a training are of the same noise all along."""

    def __init__(self, seed: int, count: int) -> None:
        super().__init__(seed, count)
        self._drawn: list[Tensor] = []
        self._next = 0

    def anew(self) -> Fixed:
        self._next = 0
        return self

    def normal(self, *shape: int) -> Tensor:
        if self._next == len(self._drawn):
            self._drawn.append(super().normal(*shape))
        self._next += 1
        return self._drawn[self._next - 1]


class Training:
    """One visitor's run."""

    def __init__(self, text: str, kind: str, seed: int) -> None:
        self.text, self.kind, self.seed = text, kind, seed
        self.real = None if text == DIGITS else on_board(planes.given(text))
        self.live = Live(lambda: build(text, kind), batches_of(text, seed), seed)
        self.noise = Fixed(seed, SHEET if text == DIGITS else GENERATED)
        self.latents = Fixed(0, 256)
        self.plan: list[Part] = []
        self.settings = Settings()
        self.applied: Settings | None = None
        self.owner = ""
        """The text of the starter whose work goes on; whoever puts another here ends it."""
        self.lock = Lock()
        self.touched = time.monotonic()

    def is_of(self, text: str, kind: str, seed: int) -> bool:
        return (self.text, self.kind, self.seed) == (text, kind, seed)

    def step(self, what: str = BOTH) -> None:
        """One step with the present settings, which goes into the plan.

        Raises:
            Diverged: as for :class:`Live`.
        """
        now = self.settings
        if now != self.applied:
            self.live.set_rate(now.rate)
            if self.kind == GAN:
                model = self.live.model
                model.generator_steps, model.saturating = now.generator_steps, now.loss == SATURATING
                model.minibatch, model.penalty = now.cure == MINIBATCH, PENALTY[self.text != DIGITS] * (now.cure == R1)
            self.applied = now
        self.live.step(None if what == BOTH else what)
        if self.plan and (self.plan[-1].what, self.plan[-1].settings) == (what, now):
            self.plan[-1].count += 1
        else:
            self.plan.append(Part(what, 1, now))


# ---- the runs of all visitors -----------------------------------------------------------------------------------------

_kept: OrderedDict[str, Training] = OrderedDict()
_busy: dict[str, str] = {}
"""Token of a training -> the address that it works for; "" where nobody knows."""
_lock = Lock()
request_log.counts |= {"training": lambda: len(_busy), "runs": lambda: len(_kept)}


def keep(training: Training) -> str:
    """Keep a run; returns the word by which it is found again."""
    key = uuid.uuid4().hex
    with _lock:
        _kept[key] = training
        _sweep()
    return key


def kept(key: Any) -> Training | None:
    """The run that :func:`keep` kept; None if there is none, or none any more."""
    with _lock:
        _sweep()
        training = _kept.get(key) if isinstance(key, str) else None
        if training is not None:
            training.touched = time.monotonic()
            _kept.move_to_end(key)
        return training


def forget(key: Any) -> None:
    """End a run and let go of all that it holds."""
    with _lock:
        training = _kept.pop(key, None) if isinstance(key, str) else None
        if training is not None:
            training.owner = ""


def _sweep() -> None:
    old = [key for key, training in _kept.items() if not training.owner and time.monotonic() - training.touched > IDLE]
    idle = [key for key, training in _kept.items() if not training.owner and key not in old]
    for key in old + idle[: max(0, len(_kept) - len(old) - KEEP)]:
        del _kept[key]


def trained(token: str, key: str, training: Training, wanted: list[Part] | None) -> Iterator[None]:
    """Train in slices until it is stopped, the page is closed or another start takes over; yields after each slice.

    ``wanted``: the parts of a plan to go through, after which it ends; None: on and on.

    Raises:
        gr.Error: if too many train already, or the training diverges.
    """
    stays, address = visitor_stays(), address_of(LocalContext.request.get(None))
    with _lock:
        if len(_busy) >= BUSY:
            raise gr.Error(f"{BUSY} visitors train on this machine already; try again in a minute.")
        if address and list(_busy.values()).count(address) >= BUSY - 1:
            raise gr.Error(f"{BUSY - 1} trainings from your network are under way; the last place is for others.")
        _busy[token] = address
    training.owner = token
    steps = ((part.what, part.settings) for part in wanted for _ in range(part.count)) if wanted is not None else None
    finished, until = False, time.monotonic() + LONGEST

    def goes_on() -> bool:
        return training.owner == token and not is_cancelled(token) and stays()

    try:
        while goes_on() and not finished and time.monotonic() < until and training.live.steps < MOST_STEPS:
            with training.lock, runtime.training_pass():
                end = time.perf_counter() + SLICE
                while time.perf_counter() < end and goes_on():
                    what = BOTH
                    if steps is not None:
                        found = next(steps, None)
                        if found is None:
                            finished = True
                            break
                        what, training.settings = found
                    training.step(what)
            training.touched = time.monotonic()
            if training.owner == token:
                yield
    except Diverged as error:
        forget(key)
        raise gr.Error(str(error), title="The training diverged") from error
    except GeneratorExit:  # the page was closed
        if training.owner == token:
            forget(key)
        raise
    finally:
        with _lock:
            _busy.pop(token, None)
        if not stays() and training.owner == token:
            forget(key)
        if training.owner == token:
            training.owner = ""


# ---- what is shown ----------------------------------------------------------------------------------------------------


@dataclass
class View:
    """What a run looks like at one moment."""

    generated: np.ndarray | None = None
    """Points (N, 2) of the board."""
    shown: np.ndarray | None = None
    """(rows, columns) in [0, 1], the first row on top: D(x) of a GAN; the density of a VAE as a share of its largest."""
    pictures: Tensor | None = None
    words: str = ""
    shares: dict[str, float] = field(default_factory=dict)


def places() -> Tensor:
    """The middles of the grid's cells, as the models know them, (rows * columns, 2), from the top."""
    across, down = GRID
    x = (np.arange(across) + 0.5) / across
    y = HEIGHT * (1 - (np.arange(down) + 0.5) / down)
    return on_board(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))


def look(training: Training) -> View:
    """Ask the networks for samples and for their field."""
    model = training.live.model
    with training.lock, runtime.forward_pass():
        model.eval()
        try:
            made = model.sample(training.noise.anew())
            if training.real is None:
                return View(pictures=made, words=read_digits(made))
            if training.kind == GAN:
                shown = model.field(places(), training.real)
            else:
                shown = model.density(places(), training.latents.anew())
                shown = shown / shown.max().clamp_min(1e-12)
        finally:
            model.train()
    distances = 0.5 * torch.cdist(made, training.real)
    found, near = (float((distances.amin(dim=side) < NEAR).float().mean()) for side in (0, 1))
    words = f"{100 * found:.0f} % of the points have a generated one near, {100 * near:.0f} % of the generated lie near a point."
    shares = dict(found=found, near=near)
    return View(off_board(made), shown.numpy().reshape(GRID[::-1]).clip(0, 1), words=words, shares=shares)


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


def board_svg(points: np.ndarray, view: View | None = None, kind: str = GAN, busy: bool = False) -> str:
    """The board: the field, over it real and generated points."""

    def dots(spots: np.ndarray) -> str:
        return "".join(f"M{1000 * x:.0f} {1000 * (HEIGHT - y):.0f}h0" for x, y in spots)

    parts, generated = [], 0
    if view is not None and view.shown is not None:
        parts.append(f'<image href="{png_uri(field_picture(view.shown, kind))}" width="1000" height="{1000 * HEIGHT:.0f}" '
                     'preserveAspectRatio="none"/>')  # fmt: skip
    parts.append(f'<path class="real" d="{dots(points)}"/>')
    if view is not None and view.generated is not None:
        inside = ((view.generated >= 0) & (view.generated <= (1, HEIGHT))).all(axis=1)
        generated = int(inside.sum())
        parts.append(f'<path class="made" d="{dots(view.generated[inside])}"/>')
    words = f"{len(points)} points and {generated} generated ones"
    return (
        f'<svg class="points learning" viewBox="0 0 1000 {1000 * HEIGHT:.0f}" role="img" aria-label="{words}" '
        f'data-count="{len(points)}" data-generated="{generated}" aria-busy="{"true" if busy else "false"}">{"".join(parts)}</svg>'
    )


def board_picture(points: np.ndarray, view: View | None, kind: str) -> PIL.Image.Image:
    """The same as a picture to save, 1000 pixels wide."""
    side = 1000
    image = PIL.Image.new("RGBA", (side, round(side * HEIGHT)), "#faf8f4")
    if view is not None and view.shown is not None:
        image.alpha_composite(field_picture(view.shown, kind).resize(image.size, PIL.Image.Resampling.BICUBIC))
    brush = PIL.ImageDraw.Draw(image, "RGBA")
    marks = [(points, "#26221c", 4)] + ([(view.generated, FAKE, 4)] if view is not None and view.generated is not None else [])
    for spots, colour, reach in marks:
        for x, y in spots:
            left, top = side * float(x), side * (HEIGHT - float(y))
            brush.ellipse((left - reach, top - reach, left + reach, top + reach), colour)
    return image.convert("RGB")


def sheet(pictures: Tensor) -> PIL.Image.Image:
    """Pictures of digits on one sheet, eight to a row."""
    return strip_image([to_pil(picture) for picture in pictures], columns=8)


def sheet_html(pictures: Tensor, words: str, busy: bool = False) -> str:
    """The sheet, its pixels crisp."""
    uri = png_uri(sheet(pictures))
    return f'<div class="sheet" aria-busy="{"true" if busy else "false"}">{picture_html(uri, words)}</div>'


def losses_svg(live: Live) -> str:
    """The losses over the steps, a curve for each optimizer; nothing before the second step."""
    if live.steps < 2:
        return ""
    left, right, top, bottom, bins = 110, 985, 44, 160, 200
    curves = {}
    for name, entries in live.losses.items():
        values = np.array(entries)
        slots = np.minimum((values[:, 0] * bins / live.steps).astype(int), bins - 1)
        counts = np.bincount(slots, minlength=bins)
        filled = counts > 0
        means = np.bincount(slots, values[:, 1], minlength=bins)[filled] / counts[filled]
        curves[name] = ((np.arange(bins)[filled] + 0.5) / bins, means)
    everything = np.concatenate([means for _, means in curves.values()])
    low, high = np.quantile(everything, (0.01, 0.99)).tolist()
    span = (high - low) or 1.0
    lines, told = [], []
    for place, (name, (where, means)) in enumerate(curves.items()):
        heights = bottom - (bottom - top) * ((means - low) / span).clip(-0.08, 1.08)
        line = " ".join(f"{left + (right - left) * x:.1f},{y:.1f}" for x, y in zip(where, heights, strict=True))
        lines.append(f'<polyline class="set{place}" points="{line}"/>')
        words = "loss" if len(curves) == 1 else name
        told.append(f'<tspan class="set{place}">{words} {signed(means[-1])}</tspan>')
    ticks = "".join(
        f'<text x="{left - 8}" y="{height + 6}" text-anchor="end">{signed(value)}</text>'
        for value, height in ((high, top), (low, bottom))
    )
    return (
        f'<svg class="curve losses" viewBox="0 0 1000 200" role="img" aria-label="losses over {live.steps} steps">'
        f'<text x="{left}" y="24">Loss: {" · ".join(told)}</text>{ticks}'
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>{"".join(lines)}'
        f'<text x="{left}" y="194">0</text><text x="{right}" y="194" text-anchor="end">step {live.steps:,}</text></svg>'
    )


def signed(value: float) -> str:
    """A number with two digits and a true minus."""
    return f"{value:.2f}".replace("-", "−")


def note(words: str) -> str:
    """A line of words under the board."""
    return f'<p class="note">{html.escape(words)}</p>'


def frame(training: Training, busy: bool = False, lead: str = "", speed: float = 0.0) -> list[str]:
    """Board or sheet, the losses and the line under them."""
    view = look(training)
    if view.pictures is not None:
        shown = sheet_html(view.pictures, f"digits after {training.live.steps} steps", busy)
    else:
        shown = board_svg(planes.given(training.text), view, training.kind, busy)
    pace = f", {speed:,.0f} a second" if speed and math.isfinite(speed) else ""
    unlinked = " A link holds only the settings: they were changed too often." if len(training.plan) > MAX_PARTS else ""
    return [shown, losses_svg(training.live), note(f"{lead}Step {training.live.steps:,}{pace}. {view.words}{unlinked}")]


def untrained(text: str) -> list[str]:
    """Board or sheet, losses and the line under them before the first step."""
    if text == DIGITS:
        return [sheet_html(digits().unit(0, SHEET), "digits of the data set"), "", note("Digits of the data set. Press Start.")]
    points = planes.given(text)
    there = f"{len(points)} points. Press Start." if len(points) > 1 else "Click on the board, or press and drag, to add points."
    return [board_svg(points), "", note(there)]
