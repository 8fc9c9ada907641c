"""Training in the page: a run that a visitor starts, steers, stops and takes along.

A run is decided by its data, its model, its seed and its plan: how many steps were taken with which settings, one after the other.
So a link or a saved picture holds the plan, and whoever opens it trains the same run again. The networks are small and train on the
processor, also where there is a graphics card, so that it is the same run. The page keeps the plan of what it shows, and the latest
frame keeps the networks: Start goes on with these if they are on the way to that plan or past it, and trains them again if not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, repeat
from pathlib import Path
from threading import Lock
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import torch
from gradio.context import LocalContext
from torch import Tensor

from demos._families import planes
from demos._families.planes import HEIGHT
from demos._kit.checks import integer, number
from demos._server import request_log
from demos._server.limits import address_of
from gen_models import Draws, catalog, runtime
from gen_models.data import Batches, DataSet
from gen_models.live import Diverged, Live

FIRST, DIGITS = "Eight clusters", "Digits"
KINDS = GAN, VAE = ("GAN", "VAE")
LOSSES = NON_SATURATING, SATURATING = ("Non-saturating", "Saturating")
CURES = NONE, MINIBATCH, R1 = ("None", "Minibatch", "R1")
PENALTY = {True: 1.0, False: 0.1}
"""Weight of R1 for points and for digits, whose gradients have 784 parts."""
BOTH = "both"
PARTS = (BOTH, "discriminator", "generator")
MOST_OF_G = 10
"""Steps of the generator for one of the discriminator."""
RATES = (1e-5, 10.0)
RATE = {True: 3e-3, False: 5e-4}
"""The learning rate with which one begins, for points and for digits."""
CURE = {True: MINIBATCH, False: NONE}
"""The cure with which one begins: without one, a run on points in twelve collapses by itself."""
BATCH = {True: 128, False: 64}
"""Examples in a batch of points and of digits."""
SLOW = 0.25
"""Seconds between two steps in slow motion."""
SLICE = 0.1
"""Seconds of training between two pictures, after which others have their turn at the door."""
LONGEST = 180.0
"""Seconds that a training goes on before it asks to be started again."""
MOST_STEPS = 200_000
BUSY = 3
"""Visitors who train at once."""
MAX_PARTS = 75
"""Parts of a plan that a link holds."""
NO_PLAN = "-"
"""In the place of a plan that has more."""
GENERATED = 500
SHEET = 48


# ---- settings and plans -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """What a visitor may change while it trains."""

    rate: float = RATE[True]
    generator_steps: int = 1
    loss: str = NON_SATURATING
    cure: str = NONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", float(f"{self.rate:.6e}"))  # as exact as a plan says it


@dataclass(frozen=True)
class Part:
    """So many steps of one kind (``PARTS``) with the same settings."""

    what: str
    count: int
    settings: Settings


def written(plan: Sequence[Part] | None) -> str:
    """A plan as text for links; ``NO_PLAN`` if it has too many parts for one."""
    if plan is None or len(plan) > MAX_PARTS:
        return NO_PLAN
    return ";".join(
        f"{PARTS.index(part.what)}.{part.count}.{part.settings.rate:.6e}.{part.settings.generator_steps}."
        f"{LOSSES.index(part.settings.loss)}.{CURES.index(part.settings.cure)}"
        for part in plan
    )


PART = re.compile(r"([0-2])\.(\d{1,6})\.(\d\.\d{6}e[+-]\d\d)\.(\d{1,2})\.([01])\.([0-2])")


def read(text: str) -> list[Part] | None:
    """The plan that :func:`written` wrote; [] for an empty text, None for ``NO_PLAN``.

    Raises:
        gr.Error: with one sentence, if it is none.
    """
    if text in ("", NO_PLAN):
        return None if text else []
    words = text.split(";")
    found = [PART.fullmatch(word) for word in words[: MAX_PARTS + 1]]
    if len(words) > MAX_PARTS or not all(found):
        raise gr.Error("This training cannot be read; begin again.")
    plan = []
    for what, count, rate, steps, loss, cure in (part.groups() for part in found):
        steps = integer(int(steps), 1, MOST_OF_G, "Generator steps")
        settings = Settings(number(float(rate), *RATES, "Learning rate"), steps, LOSSES[int(loss)], CURES[int(cure)])
        plan.append(Part(PARTS[int(what)], int(count), settings))
    if sum(part.count for part in plan) > MOST_STEPS:
        raise gr.Error(f"A training takes at most {MOST_STEPS:,} steps.")
    return plan


def rest(plan: Sequence[Part], done: Sequence[Part]) -> list[Part] | None:
    """What of a plan comes after that part of it which is ``done``; None if this is no beginning of it."""
    if not done:
        return list(plan)
    last = len(done) - 1
    if len(plan) <= last or list(plan[:last]) != list(done[:last]) or plan[last].count < done[last].count:
        return None
    if replace(plan[last], count=done[last].count) != done[last]:
        return None
    left = plan[last].count - done[last].count
    return [*([replace(done[last], count=left)] if left else []), *plan[last + 1 :]]


# ---- what is trained on what ------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def digits() -> DataSet:
    """The digits that ship with the gallery; ``digits.md`` says what they are."""
    with PIL.Image.open(Path(__file__).with_name("digits.webp")) as sheet:
        pixels = np.asarray(sheet.convert("L"))
    rows, columns = (length // 28 for length in pixels.shape)
    images = torch.from_numpy(pixels.reshape(rows, 28, columns, 28).swapaxes(1, 2).reshape(-1, 1, 28, 28).copy())
    return DataSet(DIGITS, "train", images, torch.zeros(len(images), 0, dtype=torch.int64), {})


def enough(text: str) -> None:
    """Refuse to train on fewer than two points."""
    if text != DIGITS:
        planes.at_least(planes.given(text), 2, "Training needs")


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
        self.noise, self.latents = Fixed(seed, SHEET if text == DIGITS else GENERATED), Fixed(0, 256)
        self.plan: list[Part] = []
        self.settings = Settings()
        self.applied: Settings | None = None
        self.slow = False
        """Whether it takes a step at a time, slowly enough to be watched."""
        self.owner: object = None
        """Whose work goes on; whoever puts another here ends it."""
        self.diverged = False
        self.lock = Lock()

    def leads(self, text: str, kind: str, seed: int, plan: Sequence[Part] | None) -> bool:
        """Whether one can go on with it to a plan, or from one that is behind it; if not, the run is trained from the start."""
        if self.diverged or (self.text, self.kind, self.seed) != (text, kind, seed) or plan == []:
            return False
        return plan is None or rest(plan, self.plan) is not None or rest(self.plan, plan) is not None

    def cancel(self) -> list[Part]:
        """End what trains it; how far it came."""
        self.owner = None
        with self.lock:
            return self.plan[:]

    def step(self, what: str = BOTH) -> None:
        """One step with the present settings, which goes into the plan.

        Raises:
            Diverged: as for :class:`Live`.
        """
        now, what = self.settings, what if self.kind == GAN else BOTH
        if now != self.applied:
            self.live.set_rate(now.rate)
            if self.kind == GAN:
                model = self.live.model
                model.generator_steps, model.saturating = now.generator_steps, now.loss == SATURATING
                model.minibatch, model.penalty = now.cure == MINIBATCH, PENALTY[self.text != DIGITS] * (now.cure == R1)
            self.applied = now
        self.live.step(None if what == BOTH else what)
        last = self.plan[-1] if self.plan else None
        if last is not None and (last.what, last.settings) == (what, now):
            self.plan[-1] = replace(last, count=last.count + 1)
        else:
            self.plan.append(Part(what, 1, now))


# ---- training of all visitors -----------------------------------------------------------------------------------------

_busy: list[str] = []
"""The addresses for which a training goes on; "" where nobody knows."""
_lock = Lock()
request_log.counts |= {"training": lambda: len(_busy)}


@contextmanager
def _place() -> Iterator[None]:
    """One of the few places for a training.

    Raises:
        gr.Error: if there is none.
    """
    address = address_of(LocalContext.request.get(None))
    with _lock:
        if len(_busy) >= BUSY:
            raise gr.Error(f"{BUSY} visitors train on this machine already; try again in a minute.")
        if address and _busy.count(address) >= BUSY - 1:
            raise gr.Error(f"{BUSY - 1} trainings from your network are under way; the last place is for others.")
        _busy.append(address)
    try:
        yield
    finally:
        with _lock:
            _busy.remove(address)


def trained(
    training: Training, plan: Sequence[Part] | None = None, goes_on: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """Train in slices as long as it ``goes_on`` and nobody else takes the networks over; yields after each slice.

    ``plan``: the parts to go through, after which it ends; None: on and on, for ``LONGEST`` seconds. A single step needs no place.

    Raises:
        gr.Error: if too many train already, or the training diverges.
    """
    me, until = object(), time.monotonic() + LONGEST
    steps = repeat((BOTH, None)) if plan is None else chain(*(repeat((part.what, part.settings), part.count) for part in plan))

    def on() -> bool:
        return training.owner is me and goes_on()

    with _place() if plan is None or sum(part.count for part in plan) > 1 else nullcontext():
        training.owner, finished = me, False
        while not finished and on() and time.monotonic() < until and training.live.steps < MOST_STEPS:
            with training.lock, runtime.training_pass():
                end, finished = time.perf_counter() + SLICE, True
                for what, settings in steps:
                    training.settings = settings or training.settings
                    try:
                        training.step(what)
                    except Diverged as error:
                        training.diverged = True
                        raise gr.Error(str(error), title="The training diverged") from error
                    if training.slow or time.perf_counter() > end or not on():
                        finished = False
                        break
            yield
            if training.slow and on():
                time.sleep(SLOW)
