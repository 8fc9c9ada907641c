"""What rooms of autoregressive models share: pictures written pixel by pixel, ranked or weighted, and the bits of each pixel.

A model of these rooms has ``trajectory``, ``log_likelihood``, ``log_weight``, ``conditionals``, ``seen`` and ``to_levels``.
"""

from __future__ import annotations

import base64
import html
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos._families.completions import Board, kinds_of, masked
from demos._kit.checks import integer
from demos._kit.markup import tiles_html
from demos._kit.pictures import heat, png_uri, strip_image, to_pil
from demos._kit.shown import Html, Steps
from demos._widgets import script
from gen_models import Draws, load, runtime

MAX_COUNT = 16
GROUP = 16
"""Pictures written together; more are written by turns, so that no step takes long."""
SLICE = 0.02
"""Seconds of computing before the next visitor may."""
FRAME_PIXELS = 20
"""Pixels by which the pictures grow from one frame to the next, at most."""
ORDERED, WEIGHTED = MODES = ("In reading order", "Weighted proposals")
TINT = (163, 161, 236)
"""Unknown pixels in saved pictures."""


# ---- writing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """What is to be written."""

    model: Any
    picture: Tensor
    unknown: Tensor
    count: int
    temperature: float
    label: int | None
    seed: int
    weighted: bool

    @property
    def mixes(self) -> bool:
        """Whether a likelihood takes a pass per class."""
        return bool(self.model.classes) and self.label is None

    @property
    def proposals(self) -> int:
        """Pictures that are written; of weighted ones more than are shown."""
        return (24 if self.mixes else 64) if self.weighted else self.count

    @property
    def ignored(self) -> int:
        """Known pixels after the first unknown one: reading order does not look ahead to them."""
        flat = self.unknown.flatten()
        return int((~flat[int(flat.int().argmax()) :]).sum())


@dataclass(frozen=True)
class Growth(Steps):
    """Completions as far as they are written."""

    pictures: np.ndarray
    """(N, S, S) uint8, in the order in which they are shown."""
    unknown: np.ndarray
    """(S, S) bool."""
    step: int
    """How many of the unknown pixels are written."""
    captions: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    """Number of each picture before they were ranked."""
    note: str = ""
    done: bool = False
    """Whether they are complete and ranked."""

    unit = "pixels"

    @property
    def steps(self) -> int:
        return int(self.unknown.sum())

    @property
    def nbytes(self) -> int:
        return self.pictures.nbytes + self.unknown.nbytes

    def frame_steps(self):
        return [int(step) for step in np.linspace(0, self.step, min(self.step, 48) + 1).round()]

    def after(self, step: int) -> list[PIL.Image.Image]:
        """The pictures once ``step`` pixels were written; what was unknown then is transparent."""
        rank = np.cumsum(self.unknown).reshape(self.unknown.shape) - 1
        return [masked(picture, self.unknown & (rank >= step)) for picture in self.pictures]

    def at(self, step):
        columns = min(4, max(2, len(self.pictures)))
        shown = tiles_html(self.after(step), self.captions, columns=columns, words="completion", indices=self.indices or None)
        return f'<div class="written">{shown}</div>'

    def sheet(self, step, scale):
        grounds = []
        for picture in self.after(step):
            grounds.append(PIL.Image.new("RGB", picture.size, TINT))
            grounds[-1].paste(picture.convert("RGB"), mask=picture.getchannel("A"))
        return strip_image(grounds, scale, columns=min(4, len(grounds)))

    def json(self):
        if not self.done:
            raise gr.Error(self.note)
        return [png_uri(image.convert("L")) for image in self.after(self.step)]


def complete(
    weights: str, board: Board, count: int, temperature: float, label: int | None, seed: int, mode: str
) -> Iterator[Growth | None]:
    """Completions of the board as they grow, in the end ranked."""
    if not board.hole.any():
        note = "Nothing is marked as unknown: mark what to write, with the brush or a button under the board."
        yield Growth(board.pixels, board.hole, 0, ("\u00a0",), (0,), note)
        return
    model, unknown = load(weights), board.hole
    task = Task(model, board.picture, torch.from_numpy(unknown), count, temperature, label, seed, mode == WEIGHTED)
    shown, growth = min(task.count, task.proposals), None
    pictures = np.zeros((0, *unknown.shape), np.uint8)
    for part in written(task, quota=min(FRAME_PIXELS, math.ceil(unknown.sum() / 8))):
        if part is None:
            yield None
            continue
        pictures, done = part
        note = f"Writing {int(unknown.sum())} pixels." + f" {shown} of {task.proposals} proposals are shown." * task.weighted
        growth = Growth(pictures[:shown], unknown, done, ("\u00a0",) * shown, tuple(range(shown)), note)
        yield growth
    # equal pictures are weighed once; together they count as often as they were drawn
    distinct, first, counts = np.unique(pictures.reshape(len(pictures), -1), axis=0, return_index=True, return_counts=True)
    if task.weighted:
        pictures = distinct.reshape(-1, *unknown.shape)
    scores: list[float] = []
    for more in scored(task, pictures):
        scores += more
        yield None
    yield weighed(task, growth, pictures, first, counts, scores) if task.weighted else ranked(task, growth, scores)


def written(task: Task, quota: int) -> Iterator[tuple[np.ndarray, int] | None]:
    """Write ``task.proposals`` pictures: (N, S, S) uint8 and how many pixels are written, first 1, then ``quota`` more each time.

    Computes for ``SLICE`` seconds at a time, with the processor to itself, and yields None where that was not enough.
    """
    groups = [
        task.model.trajectory(
            Draws(task.seed, min(GROUP, task.proposals - first), first), task.picture, task.unknown, task.temperature, task.label
        )
        for first in range(0, task.proposals, GROUP)
    ]
    latest: list[Tensor] = [torch.empty(0)] * len(groups)
    done = [0] * len(groups)
    total, goal = int(task.unknown.sum()), 1
    while min(done) < total:
        with runtime.forward_pass():
            end = time.perf_counter() + SLICE
            while min(done) < goal:
                behind = done.index(min(done))
                latest[behind] = next(groups[behind])
                done[behind] += 1
                if time.perf_counter() > end:
                    break
        if min(done) < goal:
            yield None
            continue
        # the model steps through whole numbers; what the page shows are grey values
        yield (torch.cat(latest)[:, 0] * 255).round().byte().numpy(), goal
        goal = min(goal + quota, total)


def scored(task: Task, pictures: np.ndarray) -> Iterator[list[float]]:
    """The log-likelihoods, or for weighted proposals the log weights, of the pictures (N, S, S), a few at a time, in nats."""
    size = 1 if task.mixes else 4  # one pass per class takes its time
    for chunk in torch.from_numpy(pictures)[:, None].float().div(255).split(size):
        with runtime.forward_pass():
            if task.weighted:
                found = task.model.log_weight(chunk, task.unknown, task.temperature, task.label)
            else:
                found = task.model.log_likelihood(chunk, label=task.label)
        yield found.cpu().tolist()


def ranked(task: Task, growth: Growth, scores: Sequence[float]) -> Growth:
    """Completions by the likelihood of the entire picture, the best first."""
    order = np.argsort(scores, kind="stable")[::-1]
    note = "Ranked by log p of the entire picture, the likeliest first."
    if task.ignored:
        note += (
            f" Reading order does not look ahead: {task.ignored} known pixels come after the first unknown one, and a pixel was "
            "guided by those before it only. Weighted proposals take all of them into account."
        )
    return replace(
        growth, done=True, pictures=growth.pictures[order], indices=tuple(int(index) for index in order), note=note,
        captions=tuple(nats(scores[index]) for index in order),
    )  # fmt: skip


def weighed(task: Task, growth: Growth, pictures: np.ndarray, first: np.ndarray, counts: np.ndarray, scores: Any) -> Growth:
    """The proposals that fit the known pixels best, each with its share of the weight (importance sampling)."""
    logs = np.asarray(scores) + np.log(counts)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    order = np.argsort(shares, kind="stable")[::-1][: task.count]
    size = 1 / (shares**2).sum()
    note = f"{task.proposals} proposals, {len(pictures)} of them different; effective sample size {size:.1f}. "
    if task.ignored or task.temperature != 1:
        note += "The percentage is the share of the weight: how well a proposal fits all known pixels, also those after the hole."
        if shares.max() > 0.9 and len(pictures) > 1:
            note += " One proposal has nearly all of it: with so large a hole, hardly any proposal fits what comes after."
    else:
        note += "No known pixel comes after the unknown ones, so all proposals weigh the same: reading order is exact here."
    return replace(
        growth, done=True, pictures=pictures[order], indices=tuple(int(first[index]) for index in order), note=note,
        captions=tuple(percent(shares[index]) for index in order),
    )  # fmt: skip


def nats(value: float) -> str:
    """-87.31 -> −87.3 nats."""
    return f"{value:.1f} nats".replace("-", "−")


def percent(share: float) -> str:
    """0.123 -> 12 %."""
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %"


# ---- surprise ---------------------------------------------------------------------------------------------------------


def surprise_of_board(weights: str, board: Board, label: int | None) -> Html:
    """:func:`surprise` of the board's pixels before the first unknown one, as no pixel after it has a likelihood of its own."""
    hole = board.hole.flatten()
    measured = int(hole.argmax()) if hole.any() else hole.size
    if not measured:
        raise gr.Error("The first pixel of the board is unknown, so nothing can be measured: complete it and click a completion.")
    return surprise(weights, board.picture, label, "the board", measured)


def surprise_of_pick(index: int, weights: str, label: int | None, growth: Growth | None) -> Html:
    """:func:`surprise` of a completion by its number."""
    place = integer(index, 0, 10**4, "Completion")
    if growth is None or place not in growth.indices:
        raise gr.Error("This completion is not on the page any more.")
    if growth.step < growth.steps or not growth.steps:
        raise gr.Error("This completion is not finished.")
    picture = torch.from_numpy(growth.pictures[growth.indices.index(place)])[None, None].float() / 255
    return surprise(weights, picture, label, f"completion {place}", growth.unknown.size)


def surprise(weights: str, picture: Tensor, label: int | None, words: str, measured: int) -> Html:
    """Bits per pixel as a heat map beside the picture, with the distributions of the first ``measured`` pixels for the pointer."""
    model = load(weights)
    with runtime.forward_pass():
        levels = model.to_levels(model.seen(picture))[0].cpu()
        every = -model.conditionals(picture, label)[0].cpu() / math.log(2)  # (levels, S, S) bits
        grey = to_pil(model.seen(picture)[0])
    own = every.gather(0, levels[None])[0].numpy()
    later = np.arange(own.size).reshape(own.shape) >= measured
    own = np.where(later, 0, own)
    top, bits = max(1.0, float(own.max())), float(own.sum())
    data = base64.b64encode((every.numpy() * 1000).clip(0, 65535).astype("<u2").tobytes()).decode()
    true = base64.b64encode(levels.numpy().astype(np.uint8).tobytes()).decode()
    shown = heat(own / top)
    shown.paste((120, 116, 110), mask=PIL.Image.fromarray(later))
    maps = "".join(
        f'<figure><div class="map" tabindex="0"><img src="{png_uri(image)}" alt="{alt}"><i></i></div>'
        f"<figcaption>{alt}</figcaption></figure>"
        for image, alt in ((grey, f"{words}, as the model sees it"), (shown, f"bits per pixel, 0 to {top:.1f}"))
    )
    given = "" if label is None else f", given the class “{html.escape(kinds_of(weights)[0][1][label])}”"
    part = "" if measured == own.size else f", its {measured} pixels before the first unknown one"
    return Html(
        f'<div class="surprise" data-levels="{model.levels}" data-side="{len(own)}" data-measured="{measured}" data-bits="{data}" '
        f'data-true="{true}" data-first="{int(own.argmax())}"><p>{html.escape(words[0].upper() + words[1:])}{part}{given}: '
        f"<b>{bits:,.1f} bits</b> = {bits * math.log(2):,.1f} nats, {bits / measured:.3f} bits per pixel.</p>"
        f'<div class="maps">{maps}</div><p class="where"></p><div class="bars"></div></div>'
    )


def surprise_map(value: str = "", **settings: Any) -> gr.HTML:
    """A component for :func:`surprise`, in which a pixel's distribution is shown under the pointer."""
    return gr.HTML(value, js_on_load=script("surprise"), **settings)
