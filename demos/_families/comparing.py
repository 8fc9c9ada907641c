"""What several models do side by side: one task for all, and baselines beside them where few can do it."""

from __future__ import annotations

import importlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from demos._kit import shipped
from demos._kit.inputs import as_input
from demos._kit.lineup import BUSY, DONE, FAILED, PUBLISHED, Entry
from demos._kit.pictures import heat, to_pil
from gen_models import Draws, catalog, load, runtime
from gen_models.base import Model
from gen_models.degradation import bicubic, degrade, upscale
from gen_models.measures.fidelity import luma, noise_ratios

SHARP = 128
"""Side of a picture that is shrunk and enlarged again."""
SLICE = 0.1
"""Seconds of computing before it is the next model's turn."""
BRIEF, REPEATS = 0.1, 3
"""What takes fewer seconds is done so many times, and the fastest counts: the first time also sets up the network."""
TINTS = np.array([(198, 197, 245), (163, 161, 236)], np.uint8)
"""Stripes where a picture is unknown."""


@dataclass(frozen=True)
class Task:
    """What every model is to do."""

    what: str
    seed: int
    count: int
    part: float
    x: float
    y: float
    picture: PIL.Image.Image | None
    shape: tuple[int, int] = (1, 28)
    """Channels and side of the largest pictures that are made for it."""
    code: int = 1
    """How many numbers of a picture a model keeps at most."""

    @property
    def kind(self) -> Kind:
        """What is asked for."""
        return KINDS[self.what]

    def images(self, channels: int, size: int) -> Tensor:
        """The picture for a model, (1, C, size, size) in [0, 1]."""
        return torch.from_numpy(as_input(self.picture, size, channels, centre=False))[None]

    def small(self, channels: int) -> Tensor:
        """The picture to enlarge, (1, C, H, W) in [0, 1]."""
        return degrade(self.images(channels, SHARP), self.kind.scale)

    def unknown(self, size: int) -> np.ndarray:
        """What the models are to make up, (size, size) bool."""
        return hole(self.what, size, self.part, self.x, self.y)

    def steps(self, name: str, model: Model | None) -> Iterator[Tensor]:
        """What a model, or without one a baseline, does for it, stage by stage; the last (N, C, H, W) in [0, 1] are finished."""
        if model is None:
            yield next(one for one in self.kind.baselines if one.name == name).make(self, *self.shape)
            return
        channels, size = shipped.shape_of(name)
        if self.what in DRAWN:
            draws = Draws(self.seed, self.count, device=runtime.device())
            given = () if self.what == SAMPLE else (self.images(channels, size), torch.from_numpy(self.unknown(size)))
            yield from model.sample_steps(draws, *given)
        else:
            yield model.upscale(self.small(channels)) if self.kind.scale else model.reconstruct(self.images(channels, size))

    def finished(self, made: Tensor) -> tuple[list[PIL.Image.Image], str]:
        """What a row shows of pictures (N, C, H, W); where there is a true one, the difference from it, too, and this in words."""
        pictures = [to_pil(picture) for picture in made]
        if self.what in DRAWN:
            return pictures, ""
        true = self.images(*made.shape[1:3])
        squares = (made.float() - true).square()[0].mean(dim=0)
        words = f"mean squared difference {float(squares.mean()):.4f}"
        if self.kind.scale:
            one, other = (luma(part[0].clamp(0, 1).mul(255).round())[None] for part in (made, true))
            words = f"{float(noise_ratios(one, other)):.1f} dB for this picture"
        return [*pictures, heat(squares.sqrt().numpy())], words

    def given(self) -> list[Entry]:
        """The row of what is given; of a picture to enlarge, that of the true one, too."""
        if self.picture is None:
            return []
        shown = {"Given": hatched(self.picture, self.unknown(self.picture.width))}
        if self.kind.scale:
            small = interpolate(self.small(3), scale_factor=self.kind.scale)[0]
            shown = {"Given": to_pil(small), "The true picture": to_pil(self.images(3, SHARP)[0])}
        rows = [Entry(title, title, state=PUBLISHED) for title in shown]
        for row in rows:
            row.show([shown[row.title]])
        return rows


def hole(what: str, side: int, part: float, x: float, y: float) -> np.ndarray:
    """What is unknown of a picture, (side, side) bool: the lower ``part`` of it, or a square of the side ``part`` around (x, y)."""
    unknown = np.zeros((side, side), bool)
    long = min(max(round(part * side), 1), side - 1)
    if what == COMPLETE:
        unknown[side - long :] = True
    elif what == FILL:
        left, top = (min(max(round(middle * side - long / 2), 0), side - long) for middle in (x, y))
        unknown[top : top + long, left : left + long] = True
    return unknown


def hatched(picture: PIL.Image.Image, unknown: np.ndarray) -> PIL.Image.Image:
    """The picture, RGB, with stripes where it is unknown."""
    values = np.array(picture.convert("RGB"))
    rows, columns = np.nonzero(unknown)
    values[unknown] = TINTS[(rows + columns) // 2 % 2]
    return PIL.Image.fromarray(values)


# ---- what is done without a model ------------------------------------------------------------------------------------------


class Baseline(NamedTuple):
    """What stands beside the models where few can do a task."""

    name: str
    title: str
    make: Callable[[Task, int, int], Tensor]
    """Task, channels and side -> (1, C, H, W) in [0, 1]."""
    key: str = ""
    """The number that was measured of it beside those of the models."""
    library: str = "torch"
    """What it imports, which takes a while and is no part of its time."""


def shrunk(task: Task, channels: int, size: int) -> Tensor:
    """The picture made so small that its pixels are no more numbers than a model's code, and enlarged again."""
    side = max(1, math.isqrt(task.code // channels))
    return bicubic(bicubic(task.images(channels, size), side, side), size, size)


def frequencies(task: Task, channels: int, size: int) -> Tensor:
    """The lowest frequencies of the picture's cosine transform, as JPEG keeps them, no more numbers than a model's code."""
    from scipy.fft import dctn, idctn  # not while the page opens

    frequency = np.add.outer(np.arange(size), np.arange(size))
    kept = np.argsort(np.argsort(frequency, axis=None, kind="stable")).reshape(size, size) < max(1, task.code // channels)
    coefficients = dctn(task.images(channels, size).numpy(), axes=(2, 3), norm="ortho") * kept
    return torch.from_numpy(idctn(coefficients, axes=(2, 3), norm="ortho")).float().clamp(0, 1)


def smooth(task: Task, channels: int, size: int) -> Tensor:
    """What is known goes on as smoothly as it can (biharmonic equation)."""
    from skimage.restoration import inpaint_biharmonic  # not while the page opens

    filled = inpaint_biharmonic(task.images(channels, size)[0].numpy(), task.unknown(size), channel_axis=0)
    return torch.from_numpy(filled)[None].float().clamp(0, 1)


def nearest(task: Task, channels: int, size: int) -> Tensor:
    """Every pixel a square."""
    return interpolate(task.small(channels), scale_factor=task.kind.scale)


def cubic(task: Task, channels: int, size: int) -> Tensor:
    """What a picture program does."""
    return upscale(task.small(channels), task.kind.scale)


class Kind(NamedTuple):
    """What may be asked for."""

    verb: str
    """Of the models."""
    baselines: Sequence[Baseline] = ()
    scale: int = 0
    """How many times larger pictures become; 0: they do not."""
    measure: tuple[str, str] = ("frechet", "Frechet distance of samples")
    """Key and title of the number beside each model."""


SAMPLE, RECONSTRUCT, COMPLETE, FILL = ("Sample", "Reconstruct", "Complete", "Fill in")
DRAWN = (SAMPLE, COMPLETE, FILL)
"""Tasks with a seed: each picture of it is another one."""
NOISE = "psnr-y", "Signal-to-noise ratio of test pictures"
CODES = Baseline("shrunk", "Shrunk", shrunk), Baseline("frequencies", "Lowest frequencies", frequencies, library="scipy.fft")
SIZES = Baseline("nearest", "Nearest pixel", nearest), Baseline("bicubic", "Bicubic", cubic, "psnr-y-bicubic")
FILLS = (Baseline("smooth", "Smooth continuation", smooth, library="skimage.restoration"),)
KINDS = {
    SAMPLE: Kind("sample"), RECONSTRUCT: Kind("reconstruct", CODES),
    COMPLETE: Kind("complete", FILLS), FILL: Kind("complete", FILLS),
    **{f"Enlarge {scale} times": Kind("upscale", SIZES, scale, NOISE) for scale in (4, 8)},
}  # fmt: skip


# ---- doing it --------------------------------------------------------------------------------------------------------------


def work(task: Task, entry: Entry) -> Iterator[bool]:
    """One model's work, a slice at a time; yields whether it is done."""
    baseline, model = next((one for one in task.kind.baselines if one.name == entry.name), None), None
    try:
        if baseline is None:
            model = load(entry.name)  # before the door: nobody should wait for it
        else:
            importlib.import_module(baseline.library)
    except catalog.WeightsError as error:
        entry.state, entry.words = FAILED, str(error)
        yield True
        return
    entry.state, entry.seconds = BUSY, 0.0
    steps, slices = task.steps(entry.name, model), 0
    while entry.state == BUSY:
        made = None
        with runtime.forward_pass():
            began = time.perf_counter()
            while (passed := time.perf_counter() - began) < SLICE or made is None:
                made, before = next(steps, None), made
                if made is None:
                    made, entry.state = before, DONE
                    break
            passed = time.perf_counter() - began
            slices += 1
            if entry.state == DONE and slices == 1 and passed < BRIEF:
                passed = min([passed, *(timed(task.steps(entry.name, model)) for _ in range(REPEATS - 1))])
            made = made if made is None else made.cpu()
        entry.seconds += passed
        if made is not None:
            pictures, entry.words = task.finished(made)
            entry.show(pictures)
        yield entry.state == DONE


def timed(steps: Iterator[Tensor]) -> float:
    """Seconds that some work takes."""
    began = time.perf_counter()
    deque(steps, maxlen=0)
    return time.perf_counter() - began
