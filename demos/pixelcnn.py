"""The PixelCNN room, for the plain and the gated model: begin a picture, let them finish it, and see what they saw."""

from __future__ import annotations

import base64
import binascii
import html
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos import _room
from demos._room import CheckedImage, Room, chosen, guarded, note_html, real, to_pil, token, whole
from gen_models import Draws, catalog, load, runtime
from gen_models.sets import record

MODEL = "pixelcnn"
KINDS = {"pixelcnn": "plain", "gated_pixelcnn": "gated"}
"""The models of this room and the word for each."""
SIDE = 28
MAX_COUNT = 16
GROUP = 16
"""Pictures written together; more are written by turns, so that no step takes long."""
SLICE = 0.02
"""Seconds of computing before the next visitor may."""
FRAME, FRAME_PIXELS = 1 / 25, 20
"""Pictures grow by at most so many pixels in so many seconds, however fast the processor is: one should see it."""
MASKS = {"lower half": (14, 0, 28, 28), "right half": (0, 14, 28, 28), "hole": (9, 9, 19, 19), "everything": (0, 0, 28, 28)}
"""Top, left, bottom, right of what is unknown."""
ORDERED, WEIGHTED = MODES = ("In reading order", "Weighted proposals")
ANY = "any"
TINT = (163, 161, 236)
"""Unknown pixels in saved pictures."""
SETS = {name: record(name).pictures for name in ("mnist", record("mnist").opposite)}
"""Those whose likelihoods are compared, and what they show."""
COMPLETING = dict(
    concurrency_id="completions", concurrency_limit=16, trigger_mode="multiple", show_progress="hidden", api_visibility="private"
)
"""Completions compute in short slices, so that many of them may run at once."""
EXPLANATION = r"""
A picture is read like a page, and every pixel $x_t$ gets a **distribution** over its grey levels given all pixels before it. The
product of these is the probability of the whole picture, exactly; training makes that of the training pictures large. To write,
one draws pixel after pixel from those distributions. A convolution whose kernel is cut off at the present pixel gives all of them
at once when the picture is known; that is why training is fast and writing is not.

$$p(x) = \prod_{t=1}^{784} p(x_t \mid x_1, \dots, x_{t-1})$$

**A hole with known pixels after it.** In reading order the pixels $x_{\lt t}$ guide $x_t$, the known ones below and to the right do
not. The right distribution of the hole $h$ given all known pixels $k$ is reached by drawing several proposals $h_i$ in that order
(from $q$) and weighting each with the likelihood of the whole picture (importance sampling):

$$w_i = \frac{p(h_i, k)}{q(h_i)}, \qquad p(h \mid k) \approx \sum_i \frac{w_i}{\sum_j w_j} \, \delta(h - h_i)$$

**The blind spot.** Stacked cut-off kernels never reach some pixels to the upper right. The gated model has one stack of
convolutions for the rows above and one for the present row, and so it sees them; its gates, $\tanh(a) \odot \sigma(b)$, decide
what passes.
"""
PARADOX = """
A density model should find strange pictures improbable. Often it does not: a model of clothes may give *digits*, which it has never
seen, a **higher** likelihood than clothes. Most of a digit is black, black pixels are cheap, and there is little else to pay for;
clothes are full of texture, and every textured pixel costs. A likelihood sums over all pixels, so it says how *simple* a picture is
at least as loudly as what it shows. The other way round the test usually works: clothes are costly to a model of digits.
"""


# ---- the board --------------------------------------------------------------------------------------------------------


def pack(grey: np.ndarray, unknown: np.ndarray) -> str:
    """A board as text: grey values (28, 28) uint8 and the mask (28, 28) bool, each in base64."""
    parts = grey.astype(np.uint8).tobytes(), np.packbits(unknown.astype(bool)).tobytes()
    return ".".join(base64.b64encode(part).decode() for part in parts)


def unpack(text: Any) -> tuple[np.ndarray, np.ndarray]:
    """The grey values and the mask that :func:`pack` wrote.

    Raises:
        gr.Error: if it is no board.
    """
    try:
        grey, bits = (base64.b64decode(part, validate=True) for part in str(text)[:2000].split("."))
        if len(grey) != SIDE * SIDE or len(bits) != SIDE * SIDE // 8:
            raise ValueError("of another size")
    except (ValueError, binascii.Error) as error:
        raise gr.Error("The board cannot be read; clear it and begin again.") from error
    unknown = np.unpackbits(np.frombuffer(bits, np.uint8)).astype(bool)
    return np.frombuffer(grey, np.uint8).reshape(SIDE, SIDE).copy(), unknown.reshape(SIDE, SIDE)


def mask(name: str) -> np.ndarray:
    """One of ``MASKS`` as (28, 28) bool."""
    top, left, bottom, right = MASKS[name]
    unknown = np.zeros((SIDE, SIDE), bool)
    unknown[top:bottom, left:right] = True
    return unknown


def as_tensor(grey: np.ndarray) -> Tensor:
    """Grey values (28, 28) uint8 -> (1, 1, 28, 28) in [0, 1]."""
    return torch.from_numpy(grey.astype(np.float32) / 255)[None, None]


def data_of(weights: str | None) -> str:
    """``gated_pixelcnn-fashion`` -> ``fashion``."""
    return (weights or "").partition("-")[2]


def example_pictures(data: str, count: int = 8) -> list[PIL.Image.Image]:
    """Pictures of a kind that are nobody's: samples that other models of the gallery made, grey, 28 x 28."""
    for model in ("dcgan", "vae", *KINDS):
        found = _room.sheet_tiles(f"{model}-{data}", count)
        if found:
            return [picture.convert("L").resize((SIDE, SIDE)) for picture in found]
    return []


def examples_html(weights: str | None) -> str:
    """The examples to click."""
    return _room.tiles_html(example_pictures(data_of(weights)), words="example")


def first_board(weights: str | None) -> str:
    """An example whose lower half is unknown; without examples, an empty board."""
    found = example_pictures(data_of(weights), 1)
    grey = np.asarray(found[0]) if found else np.zeros((SIDE, SIDE), np.uint8)
    return pack(grey, mask("lower half" if found else "everything"))


def take_example(event: gr.EventData, weights: str, board: str) -> str:
    """The board with an example on it; what is unknown stays so, and is the lower half if nothing was."""
    found = example_pictures(data_of(chosen(weights, names(), "Trained on")))
    picture = found[whole(event.index, 0, len(found) - 1, "Example")]
    _, unknown = unpack(board)
    return pack(np.asarray(picture), unknown if unknown.any() else mask("lower half"))


def take_upload(weights: str, board: str, image: PIL.Image.Image | None) -> str:
    """The board with an uploaded picture on it, centred and scaled as the model knows its pictures."""
    if image is None:
        raise gr.Error("Upload a picture first.")
    fill = 20 / 28 if known(weights).binary else 1.0  # digits have a margin, clothes fill their frame
    values = _room.as_input(image, SIDE, 1, centre=True, fill=fill)[0]
    values = values / max(float(values.max()), 1e-6)  # a thin line is pale once it is small
    return pack((255 * values).round(), unpack(board)[1])


# ---- what a visitor asks for ------------------------------------------------------------------------------------------


def names() -> list[str]:
    """The weights of this room."""
    return [name for kind in KINDS for name in catalog.trained(kind)]


def known(weights: str) -> Any:
    """The model called ``weights``, checked."""
    model = load(chosen(weights, names(), "Trained on"))
    if model.size != SIDE:
        raise gr.Error(f"This room is for pictures of {SIDE} x {SIDE} pixels; these weights are for {model.size} x {model.size}.")
    return model


def class_names(weights: str | None) -> list[str]:
    """What the model can be told to write; [] if it cannot be told."""
    try:
        config = catalog.config_of(weights or "")
        count = int(config["arguments"].get("classes") or 0)
    except (catalog.WeightsError, KeyError, AttributeError, TypeError, ValueError):
        return []  # the page opens all the same, and the first click says what is wrong
    told = next(iter((config.get("classes") or {}).values()), [])
    return [str(name) for name in told[:count]] or [str(index) for index in range(count)]


def class_choice(weights: str | None, value: str = ANY) -> dict[str, Any]:
    """Settings of the field for the class."""
    told = class_names(weights)
    # where there are none the field is hidden; but a link for other weights must find its number among the choices
    choices = [("Any", ANY), *((name, str(index)) for index, name in enumerate(told or "0123456789"))]
    return dict(choices=choices, value=value if value in [number for _, number in choices] else ANY, visible=bool(told))


def label_of(weights: str, value: Any) -> int | None:
    """The class that a visitor chose by number or by name; None: any."""
    told = class_names(weights)
    if not told or value in (None, "", ANY):
        return None
    if value in told:
        return told.index(value)
    return int(chosen(value, [str(index) for index in range(len(told))], "Class"))


@dataclass(frozen=True)
class Task:
    """What is to be written, checked."""

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


def task_of(weights: str, board: str, count: float, temperature: float, label: str, seed: float, mode: str) -> Task:
    """The controls' values as a task.

    Raises:
        gr.Error: with one sentence, if one of them makes no sense.
    """
    model = known(weights)
    grey, unknown = unpack(board)
    if not unknown.any():
        raise gr.Error("Nothing is unknown: mark what is to be written, with the brush or a button under the board.")
    return Task(
        model, as_tensor(grey), torch.from_numpy(unknown), whole(count, 1, MAX_COUNT, "Completions"),
        real(temperature, 0.05, 2, "Temperature"), label_of(weights, label), whole(seed, 0, _room.MAX_SEED, "Seed"),
        chosen(mode, MODES, "Mode") == WEIGHTED,
    )  # fmt: skip


# ---- writing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Growth:
    """Completions as far as they are written, as the page remembers them."""

    pictures: np.ndarray
    """(N, 28, 28) uint8, in the order in which they are shown."""
    unknown: np.ndarray
    """(28, 28) bool."""
    written: int
    """How many of the unknown pixels are written."""
    controls: tuple = ()
    """What they were made of."""
    captions: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    """Number of each picture before they were ranked."""
    note: str = ""
    done: bool = False
    """Whether they are complete and ranked."""

    @property
    def total(self) -> int:
        """Unknown pixels."""
        return int(self.unknown.sum())

    def at(self, step: int) -> list[PIL.Image.Image]:
        """The pictures once ``step`` pixels were written; what was unknown then is transparent."""
        rank = np.cumsum(self.unknown).reshape(SIDE, SIDE) - 1
        alpha = np.where(self.unknown & (rank >= step), 0, 255).astype(np.uint8)
        return [PIL.Image.fromarray(np.stack([np.where(alpha, picture, 0), alpha], axis=-1)) for picture in self.pictures]


def written(task: Task, quota: int) -> Iterator[tuple[np.ndarray, int] | None]:
    """Write ``task.proposals`` pictures: (N, 28, 28) uint8 and how many pixels are written, first 1, then ``quota`` more each time.

    Computes for ``SLICE`` seconds at a time with the door held, and yields None where that was not enough.
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
    """The log-likelihoods, or for weighted proposals the log weights, of the pictures (N, 28, 28), a few at a time, in nats."""
    size = 1 if task.mixes else 4  # one pass per class takes its time
    for chunk in torch.from_numpy(pictures)[:, None].float().div(255).split(size):
        with runtime.forward_pass():
            if task.weighted:
                found = task.model.log_weight(chunk, task.unknown, task.temperature, task.label)
            else:
                found = task.model.log_likelihood(chunk, label=task.label)
        yield found.cpu().tolist()


def grown(task: Task, controls: tuple = (), quota: int = SIDE * SIDE) -> Iterator[Growth | None]:
    """A task's completions as they grow, in the end ranked; None where there is nothing new to see yet."""
    unknown, growth = task.unknown.numpy(), None
    shown, blank = min(task.count, task.proposals), "\u00a0"
    pictures = np.zeros((0, SIDE, SIDE), np.uint8)
    for part in written(task, quota):
        if part is None:
            yield None
            continue
        pictures, done = part
        note = f"Writing {int(unknown.sum())} pixels." + f" {shown} of {task.proposals} proposals are shown." * task.weighted
        growth = Growth(pictures[:shown], unknown, done, controls, (blank,) * shown, tuple(range(shown)), note)
        yield growth
    # equal pictures are weighed once; together they count as often as they were drawn
    distinct, first, counts = np.unique(pictures.reshape(len(pictures), -1), axis=0, return_index=True, return_counts=True)
    if task.weighted:
        pictures = distinct.reshape(-1, SIDE, SIDE)
    scores: list[float] = []
    for more in scored(task, pictures):
        scores += more
        yield None
    yield weighed(task, growth, pictures, first, counts, scores) if task.weighted else ranked(task, growth, scores)


def ranked(task: Task, growth: Growth, scores: Sequence[float]) -> Growth:
    """Completions by the likelihood of the whole picture, the best first."""
    order = np.argsort(scores, kind="stable")[::-1]
    note = "Ranked by log p of the whole picture, the likeliest first."
    if task.ignored:
        note += (
            f" Reading order did not look ahead: {task.ignored} known pixels come after the first unknown one, and a pixel was "
            "guided by those before it only. Weighted proposals take all of them into account."
        )
    return replace(
        growth, done=True, pictures=growth.pictures[order], indices=tuple(int(index) for index in order), note=note,
        captions=tuple(nats(scores[index]) for index in order),
    )  # fmt: skip


def weighed(task: Task, growth: Growth, pictures: np.ndarray, first: np.ndarray, counts: np.ndarray, scores: Any) -> Growth:
    """The proposals that the known pixels speak for most, each with its share of the weight."""
    logs = np.asarray(scores) + np.log(counts)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    order = np.argsort(shares, kind="stable")[::-1][: task.count]
    worth = 1 / (shares**2).sum()
    note = f"{task.proposals} proposals, {len(pictures)} of them different, with weights that are worth {worth:.1f} equal ones. "
    if task.ignored or task.temperature != 1:
        note += "The percentage is the share of the weight: how much all known pixels, those after the hole included, speak for it."
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


def finished(task: Task, controls: tuple = ()) -> Growth:
    """A task's completions in the end."""
    *_, last = grown(task, controls)
    return last


# ---- handlers ---------------------------------------------------------------------------------------------------------


def growth_html(growth: Growth, step: int, stopped: bool = False) -> str:
    """The completions once ``step`` pixels were written; as long as they grow, the page is told that they are busy."""
    count = len(growth.pictures)
    tiles = _room.tiles_html(
        growth.at(step), growth.captions, columns=min(4, max(2, count)), words="completion", indices=growth.indices
    )
    busy = "false" if growth.done or stopped else "true"
    return f'<div class="written" aria-busy="{busy}">{tiles}</div>'


def complete(*controls: Any) -> Iterator[list]:
    """Completions, the scrubber, the line under them and what the page remembers, again and again as they grow."""
    task = task_of(*controls)
    total = int(task.unknown.sum())
    due, fresh = time.perf_counter(), True
    for growth in grown(task, controls, quota=min(FRAME_PIXELS, math.ceil(total / 8))):
        if growth is None:
            yield [gr.skip()] * 4
            continue
        # the whole setting once, then the number alone: the page has less to do
        step = gr.Slider(maximum=total, value=growth.written, interactive=True) if fresh else growth.written
        words = note_html(growth.note) if fresh or growth.done else gr.skip()
        fresh = False
        yield [growth_html(growth, growth.written), step, words, growth]
        due = max(due + FRAME, time.perf_counter() - FRAME)
        time.sleep(max(0.0, due - time.perf_counter()))


def stopped(growth: Growth | None) -> list:
    """What is written so far, where the scrubber stands, and the line under them."""
    if growth is None or growth.done:
        return [gr.skip()] * 3
    words = f"Stopped after {growth.written} of {growth.total} pixels."
    return [growth_html(growth, growth.written, stopped=True), growth.written, note_html(words)]


def scrub(step: float, growth: Growth | None) -> Any:
    """The completions as they were after ``step`` pixels."""
    if growth is None:
        return gr.skip()
    return growth_html(growth, min(whole(step, 0, SIDE * SIDE, "Pixels"), growth.written), stopped=True)


def samples_html(weights: str | None) -> str:
    """The first sight: samples of the model, made when the weights were published."""
    return _room.tiles_html(_room.sheet_tiles(weights or "", 8), columns=4, words="completion")


def waiting(weights: str, board: str, count: float) -> str:
    """The board as tiles on which nothing is written yet."""
    grey, unknown = unpack(board)
    seen = known(weights).seen(as_tensor(grey))[0, 0].cpu().numpy()
    count = whole(count, 1, MAX_COUNT, "Completions")
    still = Growth(np.repeat((seen[None] * 255).round().astype(np.uint8), count, 0), unknown, 0,
                   captions=("\u00a0",) * count, indices=tuple(range(count)))  # fmt: skip
    return growth_html(still, 0)


def switch(weights: str, board: str) -> list:
    """Other weights: their samples and examples; the board too, unless the visitor drew on it."""
    chosen(weights, names(), "Trained on")
    grey, unknown = unpack(board)
    for data in SETS:
        for place, picture in enumerate(example_pictures(data)):
            if data != data_of(weights) and np.array_equal(np.asarray(picture), grey):
                found = example_pictures(data_of(weights))
                if place < len(found):
                    board = pack(np.asarray(found[place]), unknown)
    return [
        samples_html(weights), gr.Slider(value=0, interactive=False), "", None, gr.Dropdown(**class_choice(weights)), board,
        examples_html(weights), "", "", "",
    ]  # fmt: skip


def restored(*controls: Any) -> list:
    """The room as a link or a saved picture describes it; the page then begins to write by itself."""
    weights, board, count, _, label, *_ = controls
    task_of(*controls)
    return [
        waiting(weights, board, count), gr.Slider(value=0, interactive=False), "", None,
        gr.Dropdown(**class_choice(weights, label)), examples_html(weights), token(),
    ]  # fmt: skip


def shown_or_made(*values: Any) -> Growth:
    """What is on the page if it was made of the present controls, else what these make."""
    *controls, growth = values
    if growth is not None and growth.controls == tuple(controls):
        return growth
    return finished(task_of(*controls), tuple(controls))


def opaque(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture whose transparent pixels are tinted instead."""
    ground = PIL.Image.new("RGB", picture.size, TINT)
    ground.paste(picture.convert("RGB"), mask=picture.getchannel("A"))
    return ground


def frame(growth: Growth, step: int, scale: int) -> PIL.Image.Image:
    """All completions after ``step`` pixels as one picture."""
    count = len(growth.pictures)
    return _room.strip_image([opaque(picture) for picture in growth.at(step)], scale, columns=min(4, count))


def sheet(*values: Any) -> list[PIL.Image.Image]:
    """The completions as one picture to save."""
    growth = shown_or_made(*values)
    return [frame(growth, growth.written, 8)]


def animation(*values: Any) -> list[PIL.Image.Image]:
    """The completions as they grow, as frames to save; the last one stays for a while."""
    growth = shown_or_made(*values)
    steps = np.linspace(0, growth.written, min(growth.written, 48) + 1).round().astype(int)
    frames = [frame(growth, int(step), 4) for step in steps]
    return frames + frames[-1:] * 12


# ---- surprise ---------------------------------------------------------------------------------------------------------

def surprise_of_board(weights: str, board: str, label: str) -> str:
    """:func:`surprise` of the board's picture; hatched pixels count as what lies beneath."""
    known(weights)
    return surprise(weights, as_tensor(unpack(board)[0]), label_of(weights, label), "the board")


def surprise_of_pick(event: gr.EventData, weights: str, label: str, growth: Growth | None) -> list:
    """:func:`surprise` of the clicked completion, or of the clicked sample of the first sight; and its tab."""
    return [picked(event, weights, label, growth), gr.Tabs(selected="surprise")]


def picked(event: gr.EventData, weights: str, label: str, growth: Growth | None) -> str:
    """:func:`surprise` of one of the tiles."""
    known(weights)
    if growth is None:
        pictures = [np.asarray(picture.convert("L")) for picture in _room.sheet_tiles(weights, 8)]
        index = whole(event.index, 0, len(pictures) - 1, "Sample number")
        return surprise(weights, as_tensor(pictures[index]), label_of(weights, label), f"sample {index}")
    number = whole(event.index, 0, 10**4, "Completion")
    if number not in growth.indices:
        raise gr.Error("This completion is not on the page any more.")
    if growth.written < growth.total:
        raise gr.Error("This completion is not finished.")
    picture = growth.pictures[growth.indices.index(number)]
    return surprise(weights, as_tensor(picture), label_of(weights, label), f"completion {number}")


def surprise(weights: str, picture: Tensor, label: int | None, words: str) -> str:
    """Bits per pixel as a heat map beside the picture, with the distributions of all pixels for the pointer."""
    model = load(weights)
    with runtime.forward_pass():
        levels = model.to_levels(model.seen(picture))[0].cpu()
        every = -model.conditionals(picture, label)[0].cpu() / math.log(2)  # (levels, 28, 28) bits
    own = every.gather(0, levels[None])[0].numpy()
    grey = to_pil(model.seen(picture)[0])
    top = max(1.0, float(own.max()))
    data = base64.b64encode((every.numpy() * 1000).clip(0, 65535).astype("<u2").tobytes()).decode()
    true = base64.b64encode(levels.numpy().astype(np.uint8).tobytes()).decode()
    bits = float(own.sum())
    first = int(own.argmax())
    maps = "".join(
        f'<figure><div class="map" tabindex="0"><img src="{_room.png_uri(image)}" alt="{alt}"><i></i></div>'
        f"<figcaption>{alt}</figcaption></figure>"
        for image, alt in ((grey, f"{words}, as the model sees it"), (_room.heat(own / top), f"bits per pixel, 0 to {top:.1f}"))
    )
    given = "" if label is None else f", told “{html.escape(class_names(weights)[label])}”"
    return (
        f'<div class="surprise" data-levels="{model.levels}" data-bits="{data}" data-true="{true}" data-first="{first}">'
        f"<p>{html.escape(words[0].upper() + words[1:])}{given}: <b>{bits:,.1f} bits</b> = {bits * math.log(2):,.1f} nats, "
        f'{bits / own.size:.3f} bits per pixel.</p><div class="maps">{maps}</div>'
        '<p class="where"></p><div class="bars"></div></div>'
    )


# ---- what a pixel sees ------------------------------------------------------------------------------------------------

SEEN, BLIND, FAR, LATER, HERE = (96, 94, 224), (238, 122, 38), (120, 116, 110), (36, 34, 32), (255, 255, 255)


@lru_cache(maxsize=8)
def skeleton(kind: str, arguments: str) -> Any:
    """A model without weights: what it sees depends on its shape alone."""
    with torch.device("meta"):
        return catalog.model_class(kind)(**json.loads(arguments))


def shape_of(kind: str, data: str) -> str:
    """The constructor's arguments of the trained weights, or of the recipe where there are none for this room, as JSON."""
    name = f"{kind}-{data}"
    if name in names():
        arguments = catalog.config_of(name)["arguments"]
        if arguments.get("size") == SIDE:
            return json.dumps(arguments)
    recipes = catalog.model_class(kind).recipes
    return json.dumps(recipes.get(data, recipes["mnist"]).arguments)


def sees(weights: str, board: str, row: float = 15, column: float = 11) -> str:
    """Both models' receptive fields of one pixel, drawn over the board's picture."""
    row, column = (whole(place, 0, SIDE - 1, "The pixel") for place in (row, column))
    grey, _ = unpack(board)
    before = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) < row * SIDE + column
    figures = []
    for kind in KINDS:
        field = skeleton(kind, shape_of(kind, data_of(weights))).receptive_field(row, column).numpy()
        title = catalog.about(kind)["title"]
        blind = before & ~field & reached(field)
        alt = f"what the {title} sees for row {row}, column {column}"
        drawn = _room.png_uri(field_picture(grey, field, blind, before, row, column))
        figures.append(
            f'<figure><div class="map"><img src="{drawn}" '
            f'alt="{alt}"></div><figcaption><b>{title}</b>: sees {int(field.sum())} of the {int(before.sum())} pixels before it, '
            f"{int(blind.sum())} are in its blind spot, {int((before & ~field & ~blind).sum())} too far away</figcaption></figure>"
        )
    legend = "".join(
        f'<span><i style="background:rgb{colour}"></i>{words}</span>'
        for colour, words in (
            (SEEN, "seen"), (BLIND, "the blind spot: near enough, never seen"), (FAR, "too far away"), (LATER, "not written yet"),
        )
    )
    return f'<div class="maps">{"".join(figures)}</div><p class="legend">{legend}</p>'


def reached(field: np.ndarray) -> np.ndarray:
    """The rows and columns over which a receptive field (28, 28) extends: what is outside is too far away to be a blind spot."""
    return field.any(axis=1)[:, None] & field.any(axis=0)[None]


def field_picture(
    grey: np.ndarray, field: np.ndarray, blind: np.ndarray, before: np.ndarray, row: int, column: int
) -> PIL.Image.Image:
    """The picture (28, 28) uint8 coloured by what is seen, the blind spot, what is too far away and what comes later."""
    kinds = [part[..., None] for part in (field, blind, before)]
    colours = np.select(kinds, [np.array(colour, np.float32) for colour in (SEEN, BLIND, FAR)], np.array(LATER, np.float32))
    strength = np.where(before, 0.62, 0.85)[..., None]
    values = strength * colours + (1 - strength) * grey[..., None]
    values[row, column] = HERE
    return PIL.Image.fromarray(values.round().astype(np.uint8))


def look(event: gr.EventData, weights: str, board: str) -> str:
    """:func:`sees` for the pixel that was touched."""
    return sees(weights, board, event.row, event.column)


# ---- pictures of another kind -----------------------------------------------------------------------------------------

_told: dict[tuple[str, int | None], dict[str, list[float]]] = {}
"""Log-likelihoods of the example pictures; they never change while the program runs."""


def others(weights: str, label: str) -> Iterator[str]:
    """The likelihoods of digits and clothes under the model as histograms, as they come in."""
    model, told = known(weights), label_of(weights, label)
    key = (weights, told)
    count = 24 if model.classes and told is None else 64
    sets = {data: example_pictures(data, count) for data in SETS}
    sets = {data: pictures for data, pictures in sets.items() if pictures}
    if len(sets) < 2:
        raise gr.Error("There are no pictures of another kind to compare with: the sample sheets of the other models are missing.")
    if key not in _told:
        found: dict[str, list[float]] = {data: [] for data in sets}
        for start in range(0, max(map(len, sets.values())), 2):
            for data, pictures in sets.items():
                chunk = [np.asarray(picture, np.float32)[None] / 255 for picture in pictures[start : start + 2]]
                if chunk:
                    with runtime.forward_pass():
                        found[data] += model.log_likelihood(torch.from_numpy(np.stack(chunk)), label=told).cpu().tolist()
            yield compared(weights, found)
        _told[key] = found
    yield compared(weights, _told[key])


def compared(weights: str, found: dict[str, list[float]]) -> str:
    """Two histograms over the same axis, and in words what they say."""
    own = catalog.config_of(weights)["data"]
    means = {data: sum(values) / len(values) for data, values in found.items()}
    rows = "".join(
        f"<tr><td>{len(found[data])} pictures of {SETS[data]}{', its own kind' * (data == own)}</td>"
        f"<td>{nats(mean)} on average</td></tr>"
        for data, mean in means.items()
    )
    words = ""
    if own in means:
        (other,) = (data for data in means if data != own)
        if means[other] > means[own]:
            words = f"The paradox: it was trained on {SETS[own]} and finds {SETS[other]} likelier."
        else:
            words = f"Here likelihood tells them apart: {SETS[other]} are less likely than the {SETS[own]} it was trained on."
    stored = stored_other(weights)
    return f"{histograms(found)}<table class='facts'>{rows}{stored}</table><p>{words}</p>"


def stored_other(weights: str) -> str:
    """The number on the card for real test pictures of the other kind, as a row; nothing if it was not measured."""
    try:
        stored = json.loads((catalog.WEIGHTS / weights / "evaluation.json").read_text(encoding="utf-8"))
        entry = next(entry for entry in stored["measures"] if entry["key"] == "nll-other")
        value = f"{entry['value']:.1f} ± {entry['error']:.1f} {entry['unit']}"
        return f"<tr><td>{html.escape(entry['measure'])}</td><td>{html.escape(value)}</td></tr>"
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return ""


def histograms(found: dict[str, list[float]], bins: int = 30) -> str:
    """Log-likelihoods of the two sets as an SVG, one over the other."""
    every = np.concatenate([np.asarray(values) for values in found.values()])
    low, high = float(every.min()), float(every.max())
    high = high if high > low else low + 1
    width, height = 640, 84
    bars, labels = [], []
    for place, (data, values) in enumerate(found.items()):
        counts, _ = np.histogram(values, bins, (low, high))
        base = (place + 1) * height
        labels.append(f'<text x="4" y="{base - height + 16}" class="set{place}">{SETS[data]}</text>')
        for index, number in enumerate(counts):
            tall = number / max(1, counts.max()) * (height - 24)
            if number:
                bars.append(
                    f'<rect class="set{place}" x="{index * width / bins + 1:.1f}" y="{base - tall:.1f}" '
                    f'width="{width / bins - 2:.1f}" height="{tall:.1f}"/>'
                )
        bars.append(f'<line x1="0" x2="{width}" y1="{base}" y2="{base}"/>')
    ticks = "".join(
        f'<text x="{share * width:.0f}" y="{2 * height + 17}" text-anchor="{anchor}">'
        f"{f'{low + share * (high - low):.0f}'.replace('-', '−')}</text>"
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    return (
        f'<svg class="histograms" viewBox="0 0 {width} {2 * height + 40}" role="img" aria-label="log-likelihood of the pictures">'
        f'{"".join(bars)}{"".join(labels)}{ticks}<text x="{width / 2}" y="{2 * height + 35}" text-anchor="middle">'
        "log p of the picture, nats (right: likelier)</text></svg>"
    )


# ---- verbs for the API ------------------------------------------------------------------------------------------------


def picture_of(text: str) -> np.ndarray:
    """A caller's picture, a data URI or plain base64 of a picture file, as grey values (28, 28); black for an empty text."""
    if not text:
        return np.zeros((SIDE, SIDE), np.uint8)
    image = _room.sent_picture(text)
    return (_room.as_input(image, SIDE, 1, centre=False)[0] * 255).round().astype(np.uint8)


def mask_of(text: str) -> np.ndarray:
    """A caller's mask: a name out of ``MASKS``, or 784 zeros and ones."""
    if isinstance(text, str) and len(text) == SIDE * SIDE and set(text) <= {"0", "1"}:
        return np.array([letter == "1" for letter in text]).reshape(SIDE, SIDE)
    if text not in list(MASKS):  # what a caller sends need not have a hash
        raise gr.Error(f"Unknown must be one of {', '.join(MASKS)}, or {SIDE * SIDE} zeros and ones.")
    return mask(text)


@guarded
def pixelcnn_sample(
    weights: str = "pixelcnn-mnist", seed: int = 7, count: int = 4, temperature: float = 1.0, label: str = "any"
) -> list[str]:
    """Write whole pictures with a PixelCNN or Gated PixelCNN, the likeliest first. A seed always gives the same pictures.

    label: a class by its name or number, for the gated model. Returns PNG data URIs.
    """
    return pixelcnn_complete(weights, "", "everything", seed, count, temperature, label)


@guarded
def pixelcnn_complete(
    weights: str = "pixelcnn-mnist", picture: str = "", unknown: str = "lower half", seed: int = 7, count: int = 4,
    temperature: float = 1.0, label: str = "any", mode: str = "In reading order",
) -> list[str]:  # fmt: skip
    """Complete a picture. picture: a picture file in base64 or a data URI, made grey and 28 x 28; none: black.

    unknown: lower half, right half, hole, everything, or 784 zeros and ones, row by row, 1 where a pixel is to be written.
    mode: In reading order, or Weighted proposals. Returns PNG data URIs, the likeliest or weightiest first.
    """
    board = pack(picture_of(picture), mask_of(unknown))
    growth = finished(task_of(weights, board, count, temperature, label, seed, mode))
    return [_room.png_uri(image.convert("L")) for image in growth.at(growth.total)]


@guarded
def pixelcnn_bits(weights: str = "pixelcnn-mnist", picture: str = "", label: str = "any") -> list[list[float]]:
    """Bits that every pixel of a picture costs, 28 rows of 28; the sum is -log2 of the picture's probability.

    picture: a picture file in base64 or a data URI, made grey and 28 x 28; none: black.
    """
    model = known(weights)
    grey = as_tensor(picture_of(picture))
    with runtime.forward_pass():
        bits = -model.pixel_log_likelihood(grey, label_of(weights, label))[0].cpu() / math.log(2)
    return [[round(value, 4) for value in row] for row in bits.tolist()]


# ---- the room ---------------------------------------------------------------------------------------------------------

BOARD_HTML = """<div class="board">
<canvas width="28" height="28" aria-label="drawing board of 28 by 28 pixels; hatched: unknown"></canvas>
<div class="chips" role="group" aria-label="Brush">
<button type="button" data-tool="white" aria-pressed="true">White</button>
<button type="button" data-tool="grey" aria-pressed="false">Grey</button>
<button type="button" data-tool="black" aria-pressed="false">Black</button>
<button type="button" data-tool="unknown" aria-pressed="false" class="hatch">Unknown</button>
<button type="button" data-do="undo">Undo</button>
<button type="button" data-do="clear">Clear</button>
</div>
<div class="chips" role="group" aria-label="Take away"><span>Take away</span>
<button type="button" data-mask="lower half">Lower half</button>
<button type="button" data-mask="right half">Right half</button>
<button type="button" data-mask="hole">A hole</button>
<button type="button" data-mask="everything">Everything</button>
<button type="button" data-mask="nothing">Nothing</button>
</div></div>"""

BOARD_JS = """const SIDE = 28, MASKS = THE_MASKS;
const canvas = element.querySelector('canvas'), context = canvas.getContext('2d');
let grey = new Uint8ClampedArray(SIDE * SIDE), unknown = new Uint8Array(SIDE * SIDE);
let tool = 'white', last = null, text = '';
const past = [];
const bytes = part => Uint8Array.from(atob(part), letter => letter.charCodeAt(0));
const base64 = values => btoa(String.fromCharCode(...values));
const show = () => {
  const image = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) {
    image.data.fill(grey[i], 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = unknown[i] ? 0 : 255;  // the hatching behind the canvas shows through
  }
  context.putImageData(image, 0, 0);
};
const read = value => {
  const [values, bits] = value.split('.').map(bytes);
  grey = new Uint8ClampedArray(values);
  unknown = Uint8Array.from(grey, (_, i) => bits[i >> 3] >> (7 - (i & 7)) & 1);
  text = value;
  show();
};
const tell = () => {
  const bits = new Uint8Array(SIDE * SIDE / 8);
  unknown.forEach((on, i) => { if (on) bits[i >> 3] |= 1 << (7 - (i & 7)); });
  text = base64(grey) + '.' + base64(bits);
  show();
  props.value = text;
};
const remember = () => { past.push(text); if (past.length > 50) past.shift(); };
const dab = (x, y) => {
  const reach = tool === 'unknown' || tool === 'black' ? 2.2 : 1.6;
  for (let row = Math.max(0, Math.floor(y - 3)); row < Math.min(SIDE, y + 3); row++)
    for (let column = Math.max(0, Math.floor(x - 3)); column < Math.min(SIDE, x + 3); column++) {
      const ink = Math.min(1, Math.max(0, reach - Math.hypot(column + 0.5 - x, row + 0.5 - y))), i = SIDE * row + column;
      if (tool === 'unknown') { if (ink > 0.5) unknown[i] = 1; continue; }
      if (unknown[i]) {  // a stroke over the unknown makes it known
        if (ink < 0.5) continue;
        unknown[i] = 0; grey[i] = 0;
      }
      if (tool === 'black') grey[i] = Math.min(grey[i], 255 * (1 - ink));
      else grey[i] = tool === 'white' ? Math.max(grey[i], 255 * ink) : grey[i] + (128 - grey[i]) * ink;
    }
};
const stroke = event => {
  const box = canvas.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * SIDE, y = (event.clientY - box.top) / box.height * SIDE;
  const from = last || [x, y], steps = Math.max(1, Math.ceil(2 * Math.hypot(x - from[0], y - from[1])));
  for (let step = 1; step <= steps; step++) dab(from[0] + (x - from[0]) * step / steps, from[1] + (y - from[1]) * step / steps);
  last = [x, y];
  show();
};
canvas.addEventListener('pointerdown', event => {
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  remember(); last = null; stroke(event);
});
canvas.addEventListener('pointermove', event => { if (last) stroke(event); });
for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => { if (last) { last = null; tell(); } });
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (!button) return;
  const wanted = button.dataset;
  if (wanted.tool) {
    tool = wanted.tool;
    element.querySelectorAll('[data-tool]').forEach(other => other.setAttribute('aria-pressed', other === button));
  } else if (wanted.mask) {
    remember();
    const [top, left, bottom, right] = MASKS[wanted.mask] || [0, 0, 0, 0];
    unknown = unknown.map((_, i) => {
      const row = Math.floor(i / SIDE), column = i % SIDE;
      return row >= top && row < bottom && column >= left && column < right;
    });
    tell();
  } else if (wanted.do === 'clear') {
    remember(); grey.fill(0); unknown.fill(0); tell();
  } else if (past.length) {
    read(past.pop()); props.value = text;
  }
});
const arrived = () => { if (props.value && props.value !== text) { if (text) remember(); read(props.value); } };
watch('value', arrived);
arrived();""".replace("THE_MASKS", json.dumps(MASKS))

SURPRISE_JS = """let here = null;
const bytes = part => Uint8Array.from(atob(part), letter => letter.charCodeAt(0));
const show = place => {
  const shown = element.querySelector('.surprise');
  if (!shown) return;
  const levels = Number(shown.dataset.levels), bits = new Uint16Array(bytes(shown.dataset.bits).buffer);
  const own = bytes(shown.dataset.true)[place], side = 28, cells = side * side;
  here = place;
  const row = Math.floor(place / side), column = place % side;
  shown.querySelectorAll('.map i').forEach(mark => {
    mark.style.left = 100 * column / side + '%';
    mark.style.top = 100 * row / side + '%';
  });
  const shares = Array.from({length: levels}, (_, level) => 2 ** (-bits[level * cells + place] / 1000));
  shown.querySelector('.where').textContent =
    `Row ${row}, column ${column}: this pixel cost ${(bits[own * cells + place] / 1000).toFixed(2)} bits.`;
  shown.querySelector('.bars').innerHTML = shares.map((share, level) => {
    const grey = Math.round(255 * level / (levels - 1)), name = levels === 2 ? ['black', 'white'][level] : 'grey ' + level;
    const percent = 100 * share, told = percent >= 10 ? percent.toFixed(0) : percent.toPrecision(percent < 0.1 ? 1 : 2);
    return `<div class="row${level === own ? ' true' : ''}">` +
      `<span><i style="background:rgb(${grey},${grey},${grey})"></i>${name}</span>` +
      `<div class="track"><div class="fill" style="left:0;width:${percent.toFixed(2)}%"></div></div><span>${told} %</span></div>`;
  }).join('');
};
const at = event => {
  const map = event.target.closest('.map');
  if (!map) return;
  const box = map.getBoundingClientRect();
  const part = (value, size) => Math.min(27, Math.max(0, Math.floor(28 * value / size)));
  show(28 * part(event.clientY - box.top, box.height) + part(event.clientX - box.left, box.width));
};
element.addEventListener('pointermove', at);
element.addEventListener('pointerdown', at);
element.addEventListener('keydown', event => {
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -28, ArrowDown: 28}[event.key];
  if (!step || here === null || !event.target.closest('.map')) return;
  event.preventDefault();
  show(Math.min(783, Math.max(0, here + step)));
});
const first = () => { const shown = element.querySelector('.surprise'); if (shown) show(Number(shown.dataset.first)); };
watch('value', () => { first(); if (props.value) element.scrollIntoView({block: 'nearest', behavior: 'smooth'}); });
first();"""

LOOK_JS = """let down = false, told = '';
const at = event => {
  const map = event.target.closest('.map');
  if (!map) return;
  const box = map.getBoundingClientRect();
  const part = (value, size) => Math.min(27, Math.max(0, Math.floor(28 * value / size)));
  const row = part(event.clientY - box.top, box.height), column = part(event.clientX - box.left, box.width);
  if (told !== row + ',' + column) { told = row + ',' + column; trigger('look', {row, column}); }
};
element.addEventListener('pointerdown', event => { down = true; told = ''; at(event); });
element.addEventListener('pointermove', event => { if (down) at(event); });
window.addEventListener('pointerup', () => { down = false; });
window.addEventListener('pointercancel', () => { down = false; });"""


def room() -> Room:
    """Lay out the widgets."""
    _room.header(*KINDS)
    with gr.Row(elem_classes=["room", "in-order"]):
        with gr.Column(scale=4, min_width=300):
            weights = _room.weights_choice(KINDS, "mnist")
            board = gr.HTML(first_board(weights.value), html_template=BOARD_HTML, js_on_load=BOARD_JS)
            examples = _room.tiles(examples_html(weights.value), elem_classes=["strip"])
            with gr.Accordion("Upload a picture", open=False):
                upload = CheckedImage(label="A drawing, a digit, a piece of clothing", height=180)
        with gr.Column(scale=5, min_width=300):
            with gr.Row(elem_classes=["keep"]):
                run = gr.Button("Complete", variant="primary", elem_classes=["quiet"])
                stop = gr.Button("Stop", variant="stop", elem_classes=["quiet"])
            grid = _room.tiles(samples_html(weights.value), min_height=160)
            step = gr.Slider(0, SIDE * SIDE, 0, step=1, label="Back to any pixel", interactive=False)
            note = gr.HTML("", js_on_load=None)
            with gr.Row():
                count = gr.Slider(1, MAX_COUNT, 8, step=1, label="Completions", min_width=140)
                temperature = gr.Slider(0.05, 2, 1, step=0.05, label="Temperature", info="Smaller: safer", min_width=140)
                label = gr.Dropdown(label="Class", info="What to write", min_width=140, **class_choice(weights.value))
            mode = gr.Radio(
                list(MODES), value=ORDERED, label="A hole with known pixels after it", elem_classes=["chips"],
                info="In reading order, a pixel follows those before it; known ones further on do not guide it: an approximation. "
                "Weighted proposals are better: many are written, and those count that fit the whole picture.",
            )  # fmt: skip
            seed, dice = _room.seed_row(0)
            growth = gr.State(None)
            begin = _room.starter()
            controls = dict(weights=weights, board=board, count=count, temperature=temperature, label=label, seed=seed, mode=mode)
            room_ = Room(MODEL, controls)
            with gr.Row(elem_classes=["keep"]):
                _room.save_button(room_, sheet, [growth])
                _room.save_button(room_, animation, [growth], label="Save the growth", view="growth")
                _room.link_button(room_)
    with gr.Tabs(elem_classes=["views"]) as views:
        with gr.Tab("Surprise", id="surprise"):
            gr.Markdown("How many bits each pixel cost. Click a completion above, or measure the board; then point at a pixel.")
            measure = gr.Button("Measure the board", size="sm", elem_classes=["quiet"])
            costs = gr.HTML("", js_on_load=SURPRISE_JS)
        with gr.Tab("What a pixel sees") as sight:
            gr.Markdown("Touch a pixel: which ones each network looks at before it decides on it.")
            fields = gr.HTML("", js_on_load=LOOK_JS)
        with gr.Tab("Pictures of another kind"):
            gr.Markdown("Does the model find pictures improbable that are of another kind than those it learned from?")
            compare = gr.Button("Compare digits and clothes", size="sm", elem_classes=["quiet"])
            histogram = gr.HTML("", js_on_load=None)
            gr.Markdown(PARADOX)
    _room.explanation(list(KINDS), EXPLANATION)

    inputs, outputs = list(controls.values()), [grid, step, note, growth]
    running = begin.submit(guarded(_room.haltable(complete)), [begin, *inputs], outputs, **COMPLETING)
    # the page goes through the listeners of an event one by one; what ends the computation comes first
    for event in (stop.click, weights.input):
        _room.ends(event, begin, [running])
    picked = examples.pick(guarded(take_example), [weights, board], board, **_room.QUICK)
    rolled = dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private")
    for event in (partial(gr.on, [run.click, seed.submit]), picked.success, rolled.then):
        _room.begins(event, begin, [running])
    stop.click(guarded(stopped), growth, [grid, step, note], **_room.BESIDE)
    step.input(guarded(scrub), [step, growth], grid, **_room.QUICK)
    # through the queue: a refusal outside of it is not shown
    upload.upload(guarded(take_upload), [weights, board, upload], board, show_progress="hidden", **_room.HEAVY)
    weights.input(
        guarded(switch), [weights, board], [*outputs, label, board, examples, costs, fields, histogram], **_room.QUICK
    )
    room_.show, room_.shown = restored, [*outputs, label, examples, begin]
    measure.click(guarded(surprise_of_board), [weights, board, label], costs, **_room.HEAVY)
    grid.pick(guarded(surprise_of_pick), [weights, label, growth], [costs, views], **_room.HEAVY)
    sight.select(guarded(sees), [weights, board], fields, **_room.QUICK)
    fields.look(guarded(look), [weights, board], fields, **_room.QUICK)
    compare.click(guarded(others), [weights, label], histogram, **COMPLETING)
    for verb in (pixelcnn_sample, pixelcnn_complete, pixelcnn_bits):
        gr.api(verb, api_name=verb.__name__, concurrency_id="models")
    return room_
