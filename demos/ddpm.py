"""The DDPM room: noise is taken off while one watches, from noise alone, around what is known, or from a picture under noise."""

from __future__ import annotations

import base64
import binascii
import html
import json
import math
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos import _room
from demos._room import CheckedImage, Room, chosen, guarded, note_html, real, shape_of, token, whole
from gen_models import Draws, catalog, load, runtime

MODEL = "ddpm"
MAX_COUNT, MAX_STEPS, MAX_GUIDANCE, MAX_REPEATS = 8, 200, 8.0, 5
FRAME = 1 / 25
"""Seconds between two frames, however fast the processor is: one should see it."""
FRAMES = 50
"""Of more steps than these, not every one is shown and kept."""
KEEP = 64_000_000
"""Bytes of steps that are kept for all visitors, so that one can go back through them."""
NOISE, FILL, REDRAW = MODES = ("From noise", "Fill in", "Redraw")
ANY = "any"
LEVELS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95)
"""Noise levels that are compared."""
MASKS = {
    "lower half": (0.5, 0, 1, 1), "right half": (0, 0.5, 1, 1), "middle": (0.3, 0.3, 0.7, 0.7), "everything": (0, 0, 1, 1),
    "nothing": (0, 0, 0, 0),
}  # fmt: skip
"""Top, left, bottom, right of what is unknown, as shares of the side."""
TINT = (163, 161, 236)
DENOISING = dict(
    concurrency_id="denoising", concurrency_limit=16, trigger_mode="multiple", show_progress="hidden", api_visibility="private"
)
"""Each step waits for its turn at the door, so that several visitors' pictures may be on their way at once.

Whatever asks for the next ones cancels those before: in the other trigger modes the page would wait for them, in vain.
"""
EXPLANATION = r"""
A picture $x_0$ is drowned in Gaussian noise, a little at a time, until after $T = 1000$ steps nothing of it is left. How noisy it
is after $t$ steps is known in advance: a share $\bar\alpha_t$ of the variance is still picture. A **network** is shown such noisy
pictures and learns to say what noise is in them, which is as good as guessing the picture. To make a new one, we begin with noise
alone, ask for its guess, take a small step towards it, and ask again.

$$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad
\min_\theta \; \mathbb{E}_{x_0, \epsilon, t} \left\lVert v - v_\theta(x_t, t) \right\rVert^2, \quad
v = \sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0$$

**Fewer steps (DDIM).** From the guesses $\hat x_0$ and $\hat\epsilon$ one can go straight to any less noisy time $s$. With
$\eta = 0$ no fresh noise comes in and the first noise decides the picture; $\eta = 1$ is the paper's own way.

$$x_s = \sqrt{\bar\alpha_s}\, \hat x_0 + \sqrt{1 - \bar\alpha_s - \sigma^2}\, \hat\epsilon + \sigma z, \qquad
\sigma^2 = \eta^2\, \frac{1 - \bar\alpha_s}{1 - \bar\alpha_t} \left(1 - \frac{\bar\alpha_t}{\bar\alpha_s}\right)$$

**Guidance.** In training the class is sometimes left out. So the network can be asked twice, with the class $y$ and without, and
what the class changes be exaggerated: $v = v_\theta(x_t) + g \, (v_\theta(x_t, y) - v_\theta(x_t))$.

**Your picture.** *Fill in* puts what is known into every guess, so that the rest comes to fit it. *Redraw* (SDEdit) lays your
picture under noise and takes that off again: little noise keeps nearly everything, much noise keeps the rough shapes only.
"""


# ---- the board --------------------------------------------------------------------------------------------------------


def pack(pixels: np.ndarray, unknown: np.ndarray) -> str:
    """A board as text: pixels (C, S, S) uint8 and what is unknown, (S, S) bool."""
    channels, side, _ = pixels.shape
    parts = pixels.astype(np.uint8).transpose(1, 2, 0).tobytes(), np.packbits(unknown.astype(bool)).tobytes()
    return ".".join([str(channels), str(side), *(base64.b64encode(part).decode() for part in parts)])


def unpack(text: Any, weights: str) -> tuple[np.ndarray, np.ndarray]:
    """The pixels and the mask that :func:`pack` wrote; of an empty text, a black board of which everything is unknown.

    Raises:
        gr.Error: if it is no board, or not one for these weights.
    """
    channels, side = shape_of(weights)
    if not text:
        return np.zeros((channels, side, side), np.uint8), np.ones((side, side), bool)
    try:
        _, _, *parts = str(text)[:40_000].split(".")
        values, bits = (np.frombuffer(base64.b64decode(part, validate=True), np.uint8) for part in parts)
        pixels = values.reshape(side, side, channels).transpose(2, 0, 1)
        unknown = np.unpackbits(bits)[: side * side].astype(bool).reshape(side, side)
    except (ValueError, binascii.Error) as error:
        raise gr.Error("The board cannot be read; clear it and begin again.") from error
    return pixels.copy(), unknown


def mask(name: str, side: int) -> np.ndarray:
    """One of ``MASKS`` as (side, side) bool."""
    top, left, bottom, right = (round(side * share) for share in MASKS[name])
    unknown = np.zeros((side, side), bool)
    unknown[top:bottom, left:right] = True
    return unknown


def example_pictures(weights: str | None) -> list[np.ndarray]:
    """Pictures that are nobody's, (C, S, S) uint8: the model's own, made when the weights were published."""
    channels, _ = shape_of(weights)
    found = []
    for picture in _room.sheet_tiles(weights or "", 16)[8:]:  # the first ones are what the room starts with
        values = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
        found.append(values[None] if channels == 1 else values.transpose(2, 0, 1))
    return found


def examples_html(weights: str | None) -> str:
    """The examples to click."""
    return _room.tiles_html([as_picture(pixels) for pixels in example_pictures(weights)], words="example")


def first_board(weights: str | None) -> str:
    """An example whose lower half is unknown; without examples, an empty board."""
    found = example_pictures(weights)
    channels, side = shape_of(weights)
    pixels = found[0] if found else np.zeros((channels, side, side), np.uint8)
    return pack(pixels, mask("lower half" if found else "everything", side))


def take_example(event: gr.EventData, weights: str, mode: str, board: str) -> str:
    """The board with an example on it."""
    found = example_pictures(known(weights))
    return on_board(found[whole(event.index, 0, len(found) - 1, "Example")], weights, mode, board)


def take_upload(weights: str, mode: str, board: str, image: PIL.Image.Image | None) -> str:
    """The board with an uploaded picture on it, made as the model knows its pictures."""
    if image is None:
        raise gr.Error("Upload a picture first.")
    return on_board(as_known(image, known(weights)), weights, mode, board)


def as_known(image: PIL.Image.Image, weights: str) -> np.ndarray:
    """A picture as the model knows its pictures, (C, S, S) uint8: digits and clothes light on black, centred and scaled."""
    return as_bytes(_room.picture_for(weights, image))[0]


def on_board(pixels: np.ndarray, weights: str, mode: str, board: str) -> str:
    """Pixels (C, S, S) with the board's mask: to fill in, half of them are unknown where it says nothing; to redraw, none is."""
    unknown = unpack(board, weights)[1]
    if mode == REDRAW:
        unknown = mask("nothing", len(unknown))
    elif unknown.all() or not unknown.any():
        unknown = mask("lower half", len(unknown))
    return pack(pixels, unknown)


# ---- what a visitor asks for ------------------------------------------------------------------------------------------


def known(weights: str) -> str:
    """``weights``, checked."""
    return chosen(weights, catalog.trained(MODEL), "Trained on")


def kinds_of(weights: str | None) -> list[tuple[str, list[str]]]:
    """What the model can be told: the name of each kind of class, and its classes; [] if it cannot be told."""
    try:
        config = catalog.config_of(weights or "")
        counts = [int(count) for count in config["arguments"].get("classes") or []]
        named = list((config.get("classes") or {}).items())
    except (catalog.WeightsError, KeyError, AttributeError, TypeError, ValueError):
        return []  # the page opens all the same, and the first click says what is wrong
    kinds = []
    for place, count in enumerate(counts):
        title, names = named[place] if place < len(named) else (f"class {place + 1}", [])
        kinds.append((title, [str(name) for name in names[:count]] or [str(number) for number in range(count)]))
    return kinds


def class_choice(weights: str | None, place: int, value: str = ANY) -> dict[str, Any]:
    """Settings of the field for one kind of class."""
    kinds = kinds_of(weights)
    title, names = kinds[place] if place < len(kinds) else ("class", list("0123456789"))
    choices = [("Any", ANY), *((name, str(index)) for index, name in enumerate(names))]
    # where there are none the field is hidden; but a link for other weights must find its number among the choices
    value = value if value in [number for _, number in choices] else ANY
    return dict(choices=choices, value=value, label=title.capitalize(), visible=place < len(kinds))


def label_of(weights: str, values: Sequence[Any]) -> list[int | None] | None:
    """The classes that a visitor chose, by number or by name, one for each kind; None in it: any."""
    label: list[int | None] = []
    for (title, names), value in zip(kinds_of(weights), values, strict=False):
        if value in (None, "", ANY):
            label.append(None)
        elif value in names and value not in [str(number) for number in range(len(names))]:
            label.append(names.index(value))
        else:
            label.append(int(chosen(value, [str(number) for number in range(len(names))], title.capitalize())))
    return label or None


@dataclass(frozen=True)
class Task:
    """What is to be made, checked."""

    weights: str
    label: list[int | None] | None
    steps: int
    eta: float
    guidance: float
    count: int
    seed: int
    picture: np.ndarray | None = None
    """What to begin with, (C, S, S) uint8."""
    unknown: np.ndarray | None = None
    strength: float = 1.0
    repeats: int = 1

    def states(self) -> Iterator[Any]:
        """The model's trajectory."""
        return load(self.weights).trajectory(
            Draws(self.seed, self.count), self.steps, self.eta, self.guidance, self.label,
            None if self.picture is None else torch.tensor(self.picture)[None].float() / 255,
            None if self.unknown is None else torch.from_numpy(self.unknown), self.strength, self.repeats,
        )  # fmt: skip

    def captions(self) -> list[str]:
        """The class of each picture, in words; nothing where the network is not told."""
        kinds = kinds_of(self.weights)
        if self.guidance == 0:
            return ["\u00a0"] * self.count
        with runtime.forward_pass():
            labels = load(self.weights).labels(Draws(self.seed, self.count), self.label).tolist()
        return [", ".join(names[index] for (_, names), index in zip(kinds, row, strict=True)) or "\u00a0" for row in labels]


def task_of(
    weights: str, mode: str, label: Any, other: Any, steps: float, guidance: float, eta: float, count: float, strength: float,
    repeats: float, seed: float, board: str,
) -> Task:  # fmt: skip
    """The controls' values as a task.

    Raises:
        gr.Error: with one sentence, if one of them makes no sense.
    """
    task = dict(
        weights=known(weights), label=label_of(weights, (label, other)), steps=whole(steps, 1, MAX_STEPS, "Steps"),
        eta=real(eta, 0, 1, "Eta"), guidance=real(guidance, 0, MAX_GUIDANCE, "Guidance"),
        count=whole(count, 1, MAX_COUNT, "Pictures"), seed=whole(seed, 0, _room.MAX_SEED, "Seed"),
    )  # fmt: skip
    if mode != NOISE and not any(one is not None for one in task["label"] or []):
        task["guidance"] = 0.0  # the picture says what it is; any class drawn would pull it elsewhere
    strength, repeats = real(strength, 0.02, 1, "Noise"), whole(repeats, 1, MAX_REPEATS, "Repeats")
    if chosen(mode, MODES, "Begin") == NOISE:
        return Task(**task)
    pixels, unknown = unpack(board, weights)
    if unknown.all():
        raise gr.Error("There is nothing to begin with: draw on the board, take an example or upload a picture.")
    if mode == REDRAW:
        return Task(**task, picture=pixels, strength=strength)
    if not unknown.any():
        raise gr.Error("Nothing is unknown: mark what is to be painted, with the brush or a button under the board.")
    return Task(**task, picture=pixels, unknown=unknown, repeats=repeats)


# ---- taking the noise off ---------------------------------------------------------------------------------------------


@dataclass
class Run:
    """The steps of one task as far as they are taken, for all who look back at them."""

    controls: tuple
    captions: list[str]
    total: int = 0
    done: list[int] = field(default_factory=list)
    """Passes through the network before each frame."""
    noisy: list[np.ndarray] = field(default_factory=list)
    """x_t, (N, C, S, S) uint8, a frame each."""
    clean: list[np.ndarray] = field(default_factory=list)
    """The guess at x_0."""

    @property
    def finished(self) -> bool:
        """Whether the last frame is the picture itself."""
        return bool(self.done) and self.done[-1] == self.total

    def frame_at(self, step: int) -> int:
        """The last frame that is no later than ``step``."""
        return max((index for index, done in enumerate(self.done) if done <= step), default=0)


def bytes_of(run: Run) -> int:
    """What its frames take."""
    return sum(frame.nbytes for frame in (*run.noisy, *run.clean))


_runs: _room.Kept[Run] = _room.Kept(KEEP, bytes_of)
"""The latest runs."""


def remember(run: Run) -> str:
    """Keep a run; returns the word by which it is found again."""
    key = uuid.uuid4().hex[:12]
    _runs.put(key, run)
    return key


def recalled(key: str | None) -> Run | None:
    """The run that :func:`remember` kept; None if there is none, or none any more."""
    return _runs.get(key)


def as_bytes(pictures: Tensor) -> np.ndarray:
    """(N, C, S, S) in [0, 1] -> uint8."""
    return (pictures * 255).round().byte().cpu().numpy()


def taken(task: Task, run: Run) -> Iterator[None]:
    """Take the task's steps into ``run``, one by one, the door held for each; yields after every frame that is kept."""
    states = task.states()
    while True:
        with runtime.forward_pass():
            state = next(states, None)
        if state is None:
            return
        run.total = state.total
        if state.done % math.ceil(state.total / FRAMES) and state.done < state.total:
            continue
        run.noisy.append(as_bytes(state.noisy))
        run.clean.append(as_bytes(state.clean))
        run.done.append(state.done)
        yield


def finished(task: Task, controls: tuple = ()) -> Run:
    """All steps of a task."""
    run = Run(controls, task.captions())
    for _ in taken(task, run):
        pass
    return run


def as_picture(pixels: np.ndarray) -> PIL.Image.Image:
    """(C, S, S) uint8 as a picture."""
    return PIL.Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def run_html(run: Run, frame: int, busy: bool) -> str:
    """One frame: what there is, and what the network takes it for; as long as more are coming, the page is told it is busy."""
    columns = min(4, len(run.captions)) if len(run.captions) != 2 else 1
    sides = (
        ("x<sub>t</sub>: what there is", "noisy picture", run.noisy),
        ("x̂<sub>0</sub>: what it is taken for", "picture", run.clean),
    )
    figures = "".join(
        f"<figure><figcaption>{title}</figcaption>"
        + _room.tiles_html([as_picture(one) for one in frames[frame]], run.captions, columns=columns, words=words)
        + "</figure>"
        for title, words, frames in sides
    )
    return f'<div class="denoising" aria-busy="{"true" if busy else "false"}">{figures}</div>'


def told(task: Task, run: Run) -> str:
    """What it took, in a line."""
    double = bool(kinds_of(task.weights)) and task.guidance not in (0, 1)
    words = f"{run.total} steps, each {'two passes' if double else 'one pass'} through the network."
    if task.picture is not None and task.guidance == 0 and kinds_of(task.weights):
        words += " It was told no class, so that your picture alone decides; choose one to guide it."
    if task.strength < 1:
        words += f" Your picture was laid under the noise of {100 * task.strength:.0f} % of all steps."
    if task.unknown is not None:
        words += f" {int(task.unknown.sum())} of {task.unknown.size} pixels were painted, the others are yours."
    return words


def denoise(*controls: Any) -> Iterator[list]:
    """The pictures, the scrubber, the line under them and the word for the run, again and again as noise is taken off."""
    task = task_of(*controls)
    run = Run(controls, task.captions())
    key, due, fresh = remember(run), time.perf_counter(), True
    for _ in taken(task, run):
        # the whole setting once, then the number alone: the page has less to do
        step = gr.Slider(maximum=run.total, value=run.done[-1], interactive=True) if fresh else run.done[-1]
        words = note_html(told(task, run)) if run.finished else note_html("Taking the noise off.") if fresh else gr.skip()
        fresh = False
        yield [run_html(run, -1, busy=not run.finished), step, words, key]
        due = max(due + FRAME, time.perf_counter() - FRAME)
        time.sleep(max(0.0, due - time.perf_counter()))
    _runs.put(key, run)  # as large as it has become; and where it was made may be another process than the page's


# ---- handlers ---------------------------------------------------------------------------------------------------------


def stopped(key: str | None) -> list:
    """What is done so far, where the scrubber stands, and the line under it."""
    run = recalled(key)
    if run is None or run.finished or not run.done:
        return [gr.skip()] * 3
    return [run_html(run, -1, busy=False), run.done[-1], note_html(f"Stopped after {run.done[-1]} of {run.total} steps.")]


def scrub(step: float, key: str | None) -> Any:
    """The pictures as they were after some steps."""
    step = whole(step, 0, MAX_STEPS * MAX_REPEATS, "Step")
    if key is None:
        return gr.skip()
    run = recalled(key)
    if run is None or not run.done:
        raise gr.Error("These steps are not kept any more; sample again.")
    return run_html(run, run.frame_at(step), busy=False)


def first_sight(weights: str | None) -> str:
    """Samples of the model, made when the weights were published, as a run that has ended."""
    pictures = _room.sheet_tiles(weights or "", MAX_COUNT)
    if not pictures:
        return note_html("These weights are not trained yet, so there is nothing to show.") if weights is None else ""
    pixels = np.stack([np.asarray(picture).reshape(picture.height, picture.width, -1).transpose(2, 0, 1) for picture in pictures])
    return run_html(Run((), ["\u00a0"] * len(pixels), 0, [0], [pixels], [pixels]), 0, busy=False)


def editor(weights: str, mode: str, strength: float, seed: float, board: str, **kept: Any) -> list:
    """What is shown for a way to begin: the board's part, its sliders, the board, the picture under noise.

    ``kept``: what the second slider holds, if not what it held.
    """
    filled = board or (first_board(weights) if mode != NOISE else "")
    if mode != NOISE:
        pixels, unknown = unpack(filled, weights)
        if not unknown.all():  # an empty board stays so
            filled = on_board(pixels, weights, mode, filled)
    return [
        gr.Column(visible=mode != NOISE, elem_classes=["whole"] if mode == REDRAW else []),
        gr.Slider(visible=mode == REDRAW, value=strength), gr.Slider(visible=mode == FILL, **kept), filled,
        noised(weights, mode, strength, seed, filled),
    ]  # fmt: skip


def begin_with(weights: str, mode: str, strength: float, seed: float, board: str) -> list:
    """Another way to begin."""
    return editor(known(weights), chosen(mode, MODES, "Begin"), strength, seed, board)


def noised(weights: str, mode: str, strength: float, seed: float, board: str) -> str:
    """The board's picture under as much noise as the slider says; nothing unless it is to be redrawn."""
    if mode != REDRAW or not board:
        return ""
    strength, seed = real(strength, 0.02, 1, "Noise"), whole(seed, 0, _room.MAX_SEED, "Seed")
    pixels, _ = unpack(board, known(weights))
    with runtime.forward_pass():
        made = load(weights).noisy(torch.from_numpy(pixels)[None].float() / 255, Draws(seed, 1), strength)
    return _room.picture_html(as_picture(as_bytes(made)[0]), "your picture under noise, from which the first result begins")


def switch(weights: str, mode: str, strength: float, seed: float) -> list:
    """Other weights: their samples, classes, examples and board; the views of those before are cleared."""
    known(weights), chosen(mode, MODES, "Begin")
    return [
        first_sight(weights), gr.Slider(value=0, interactive=False), "", None,
        *(gr.Dropdown(**class_choice(weights, place)) for place in (0, 1)),
        *editor(weights, mode, strength, seed, ""), examples_html(weights), "", "", curve_html(weights),
    ]  # fmt: skip


def restored(*controls: Any) -> list:
    """The room as a link or a saved picture describes it; the page then begins by itself."""
    weights, mode, label, other, *_, strength, repeats, seed, board = controls
    task = task_of(*controls)
    blank = np.zeros((task.count, *([shape_of(weights)[0]] + [shape_of(weights)[1]] * 2)), np.uint8)
    waiting = Run((), ["\u00a0"] * task.count, 0, [0], [blank], [blank])
    return [
        run_html(waiting, 0, busy=True), gr.Slider(value=0, interactive=False), "", None,
        *(gr.Dropdown(**class_choice(weights, place, value)) for place, value in enumerate((label, other))),
        *editor(weights, mode, strength, seed, board, value=repeats), examples_html(weights), curve_html(weights), token(),
    ]  # fmt: skip


def shown_or_made(*values: Any) -> Run:
    """What is on the page if it was made of the present controls, else what these make."""
    *controls, key = values
    run = recalled(key)
    if run is not None and run.finished and run.controls == tuple(controls):
        return run
    return finished(task_of(*controls), tuple(controls))


def sheet(*values: Any) -> list[PIL.Image.Image]:
    """The pictures as one, to save."""
    return [sheet_of(shown_or_made(*values).clean[-1], 8)]


def sheet_of(pictures: np.ndarray, scale: int) -> PIL.Image.Image:
    """Pictures (N, C, S, S) uint8, four to a row, each pixel ``scale`` times as large."""
    return _room.strip_image([as_picture(one) for one in pictures], scale, columns=min(4, len(pictures)))


def animation(*values: Any) -> list[PIL.Image.Image]:
    """What there is and what it is taken for, side by side, as frames to save; the last one stays for a while."""
    run = shown_or_made(*values)
    frames = []
    for sides in zip(run.noisy, run.clean, strict=True):
        frames.append(_room.side_by_side(*(sheet_of(pictures, 4).convert("RGB") for pictures in sides), gap=8))
    return frames + frames[-1:] * 12


# ---- the steps of one picture -----------------------------------------------------------------------------------------


def steps_of(event: gr.EventData, key: str | None) -> list:
    """Ten steps of the picture that was clicked, and their tab."""
    run = recalled(key)
    if run is None or not run.finished:
        raise gr.Error("Sample first and let it end: these pictures were made without keeping their steps.")
    index = whole(event.index, 0, len(run.captions) - 1, "Picture")
    frames = np.unique(np.linspace(0, len(run.done) - 1, 10).round().astype(int))
    rows = [
        strip_html([as_picture(kept[frame][index]) for frame in frames], words)
        for words, kept in (("what there is", run.noisy), ("what it is taken for", run.clean))
    ]
    numbers = [f"step {run.done[frame]}" for frame in frames]
    return [f'<div class="strips">{rows[0]}{rows[1]}{labels_html(numbers)}</div>', gr.Tabs(selected="steps")]


def strip_html(pictures: Sequence[PIL.Image.Image], words: str) -> str:
    """Pictures in a row."""
    images = "".join(f'<img src="{_room.png_uri(picture)}" alt="{html.escape(words)} {i}">' for i, picture in enumerate(pictures))
    return f'<div style="--columns:{len(pictures)}">{images}</div>'


def labels_html(labels: Sequence[str]) -> str:
    """What stands under the columns of a strip."""
    return f'<div style="--columns:{len(labels)}">' + "".join(f"<span>{html.escape(label)}</span>" for label in labels) + "</div>"


# ---- every noise level ------------------------------------------------------------------------------------------------


def levels_view(*controls: Any) -> Iterator[str]:
    """The board's picture, or without one the first sample, redrawn from several noise levels, one after the other."""
    weights, _, *middle, _, repeats, seed, board = controls
    board = board or first_board(known(weights))
    rows: list[list[PIL.Image.Image]] = [[], []]
    for level in LEVELS:
        run = finished(replace(task_of(weights, REDRAW, *middle, level, repeats, seed, board), count=1))
        for row, pixels in zip(rows, (run.noisy[0][0], run.clean[-1][0]), strict=True):
            row.append(as_picture(pixels))
        pending = len(LEVELS) - len(rows[0])
        numbers = [f"{100 * one:.0f} %" for one in LEVELS]
        blank = PIL.Image.new("L", rows[0][0].size, 128)
        shown = [strip_html(row + [blank] * pending, words) for row, words in zip(rows, ("under noise", "redrawn"), strict=True)]
        yield f'<div class="strips" aria-busy="{"true" if pending else "false"}">{shown[0]}{shown[1]}{labels_html(numbers)}</div>'


# ---- steps and quality ------------------------------------------------------------------------------------------------


def curve_html(weights: str | None) -> str:
    """The card's distances against the number of steps, without and with fresh noise, and those of average and last weights."""
    try:
        stored = json.loads((catalog.WEIGHTS / (weights or "") / "evaluation.json").read_text(encoding="utf-8"))
        found = {entry["key"]: (float(entry["value"]), float(entry["error"])) for entry in stored["measures"]}
    except (OSError, ValueError, KeyError, TypeError):
        found = {}
    steps = sorted({int(key.rpartition("-")[2]) for key in found if key.startswith("kernel-eta")})
    if not steps:
        return note_html("These weights were not measured yet.")
    lines = [[found[f"kernel-eta{eta}-{count}"] for count in steps] for eta in (0, 1)]
    words = ""
    if {"kernel-average", "kernel-last"} <= found.keys():
        average, last = (f"{found[key][0]:.4f} ± {found[key][1]:.4f}" for key in ("kernel-average", "kernel-last"))
        words = f"<p>Moving average of the weights: {average}. The last weights of the training: {last}.</p>"
    return f"<div>{curve(steps, lines)}</div>{words}"


def curve(steps: Sequence[int], lines: Sequence[Sequence[tuple[float, float]]]) -> str:
    """Two lines of (value, error) over the number of steps as an SVG."""
    width, height, left, base = 640, 260, 70, 214
    top = max(value + error for line in lines for value, error in line) or 1.0

    def across(index: int) -> float:
        return left + 30 + index * (width - left - 80) / max(1, len(steps) - 1)

    def up(value: float) -> float:
        return base - max(0.0, value) / top * (base - 14)

    drawn = ""
    for kind, line in enumerate(lines):
        places = [(across(index) + 5 * kind, value, error) for index, (value, error) in enumerate(line)]
        points = " ".join(f"{x:.1f},{up(value):.1f}" for x, value, _ in places)
        drawn += f'<polyline class="set{kind}" points="{points}"/>'
        drawn += "".join(
            f'<path class="set{kind}" d="M{x:.1f},{up(value - error):.1f}V{up(value + error):.1f}"/>'
            f'<circle class="set{kind}" cx="{x:.1f}" cy="{up(value):.1f}" r="4"><title>{value:.4f} ± {error:.4f}</title></circle>'
            for x, value, error in places
        )
    marks = "".join(
        f'<text x="{across(index):.1f}" y="{base + 18}" text-anchor="middle">{count}</text>' for index, count in enumerate(steps)
    )
    scale = "".join(
        f'<text x="{left - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>' for value in (0, top / 2, top)
    )
    return (
        f'<svg class="histograms" viewBox="0 0 {width} {height}" role="img" aria-label="kernel distance over the number of steps">'
        f'<line x1="{left}" x2="{width - 10}" y1="{base}" y2="{base}"/>{drawn}{marks}{scale}'
        f'<text x="{(width + left) / 2}" y="{height - 6}" text-anchor="middle">steps</text></svg>'
        '<p class="legend"><span><i class="set0"></i>no fresh noise (eta 0)</span>'
        '<span><i class="set1"></i>fresh noise at every step (eta 1)</span><span>Kernel distance; lower is better</span></p>'
    )


# ---- verbs for the API ------------------------------------------------------------------------------------------------


def uris(task: Task) -> list[str]:
    """A task's pictures as PNG data URIs."""
    return [_room.png_uri(as_picture(pixels)) for pixels in finished(task).clean[-1]]


@guarded
def ddpm_sample(
    weights: str = "ddpm-mnist", seed: int = 7, count: int = 4, steps: int = 50, guidance: float = 2.0, eta: float = 0.0,
    label: str = "any", other: str = "any",
) -> list[str]:  # fmt: skip
    """Pictures from noise. A seed always gives the same pictures, whatever the count.

    steps: 1 to 200. guidance: 1 none, 0 as if the class were not told, up to 8. eta: fresh noise at each step, 0 to 1. label: a
    class by its name or number, or any; other: the second kind of class (faces: male or female). Returns PNG data URIs.
    """
    return uris(task_of(weights, NOISE, label, other, steps, guidance, eta, count, 1, 1, seed, ""))


@guarded
def ddpm_fill(
    weights: str = "ddpm-mnist", picture: str = "", unknown: str = "lower half", seed: int = 7, count: int = 4, steps: int = 50,
    guidance: float = 2.0, eta: float = 0.0, label: str = "any", other: str = "any", repeats: int = 1,
) -> list[str]:  # fmt: skip
    """Paint what is unknown of a picture. picture: a picture file in base64 or a data URI, squared and reduced.

    Unless a class is given, none is told and guidance does nothing.
    unknown: lower half, right half, middle, or zeros and ones, row by row, 1 where it is to be painted. repeats: 1 to 5, how often
    each step is taken. The others as for ddpm_sample. Returns PNG data URIs.
    """
    pixels, side = sent(weights, picture), shape_of(known(weights))[1]
    if isinstance(unknown, str) and len(unknown) == side * side and set(unknown) <= {"0", "1"}:
        hole = np.array([letter == "1" for letter in unknown]).reshape(side, side)
    else:
        hole = mask(chosen(unknown, [name for name in MASKS if name not in ("everything", "nothing")], "Unknown"), side)
    return uris(task_of(weights, FILL, label, other, steps, guidance, eta, count, 1, repeats, seed, pack(pixels, hole)))


@guarded
def ddpm_redraw(
    weights: str = "ddpm-mnist", picture: str = "", strength: float = 0.6, seed: int = 7, count: int = 4, steps: int = 50,
    guidance: float = 2.0, eta: float = 0.0, label: str = "any", other: str = "any",
) -> list[str]:  # fmt: skip
    """Lay a picture under noise and take the noise off (SDEdit). picture: a picture file in base64 or a data URI.

    Unless a class is given, none is told and guidance does nothing.
    strength: 0.02 to 1, the noise as a share of all steps; more of it keeps less of the picture. The others as for ddpm_sample.
    Returns PNG data URIs.
    """
    pixels = sent(weights, picture)
    board = pack(pixels, np.zeros(pixels.shape[1:], bool))
    return uris(task_of(weights, REDRAW, label, other, steps, guidance, eta, count, strength, 1, seed, board))


def sent(weights: str, picture: str) -> np.ndarray:
    """A caller's picture as the model knows its pictures, (C, S, S) uint8."""
    return as_known(_room.sent_picture(picture), known(weights))


# ---- the room ---------------------------------------------------------------------------------------------------------

BOARD_HTML = """<div class="board">
<canvas aria-label="drawing board; hatched: unknown"></canvas>
<div class="chips" role="group" aria-label="Brush">
<button type="button" data-tool="#ffffff" aria-pressed="true">White</button>
<button type="button" data-tool="#808080" aria-pressed="false">Grey</button>
<button type="button" data-tool="#000000" aria-pressed="false">Black</button>
<input type="color" value="#c98b6b" aria-label="Colour">
<button type="button" data-tool="" aria-pressed="false" class="hatch">Unknown</button>
<button type="button" data-do="undo">Undo</button>
<button type="button" data-do="clear">Clear</button>
</div>
<div class="chips" role="group" aria-label="Take away"><span>Take away</span>
<button type="button" data-mask="lower half">Lower half</button>
<button type="button" data-mask="right half">Right half</button>
<button type="button" data-mask="middle">Middle</button>
<button type="button" data-mask="nothing">Nothing</button>
</div></div>"""

BOARD_JS = """const MASKS = THE_MASKS;
const canvas = element.querySelector('canvas'), context = canvas.getContext('2d'), palette = element.querySelector('input');
let side = 28, channels = 1, pixels = new Uint8ClampedArray(28 * 28 * 3), unknown = new Uint8Array(28 * 28).fill(1);
let tool = '#ffffff', last = null, text = '';
const past = [];
const bytes = part => Uint8Array.from(atob(part), letter => letter.charCodeAt(0));
const base64 = values => btoa(Array.from(values, value => String.fromCharCode(value)).join(''));
const show = () => {
  canvas.width = canvas.height = side;
  const image = context.createImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    image.data.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = unknown[i] ? 0 : 255;  // the hatching behind the canvas shows through
  }
  context.putImageData(image, 0, 0);
  palette.hidden = channels === 1;
};
const read = value => {
  const [depth, width, colours, bits] = value.split('.');
  channels = Number(depth); side = Number(width);
  const values = bytes(colours), marks = bytes(bits);
  pixels = Uint8ClampedArray.from({length: 3 * side * side}, (_, i) => values[channels === 1 ? Math.floor(i / 3) : i]);
  unknown = Uint8Array.from({length: side * side}, (_, i) => marks[i >> 3] >> (7 - (i & 7)) & 1);
  text = value;
  show();
};
const tell = () => {
  const marks = new Uint8Array(Math.ceil(side * side / 8));
  unknown.forEach((on, i) => { if (on) marks[i >> 3] |= 1 << (7 - (i & 7)); });
  const colours = channels === 1 ? pixels.filter((_, i) => i % 3 === 0) : pixels;
  text = [channels, side, base64(colours), base64(marks)].join('.');
  show();
  props.value = text;
  trigger('drawn');
};
const remember = () => { if (text) past.push(text); if (past.length > 50) past.shift(); };
const choose = chosen => {
  tool = chosen;
  element.querySelectorAll('[data-tool]').forEach(button => button.setAttribute('aria-pressed', button.dataset.tool === tool));
};
const dab = (x, y) => {
  const reach = (tool && tool !== '#000000' ? 1.6 : 2.2) * side / 28;
  const colour = [1, 3, 5].map(at => parseInt(tool.slice(at, at + 2), 16));
  for (let row = Math.max(0, Math.floor(y - reach)); row < Math.min(side, y + reach); row++)
    for (let column = Math.max(0, Math.floor(x - reach)); column < Math.min(side, x + reach); column++) {
      const ink = Math.min(1, Math.max(0, reach - Math.hypot(column + 0.5 - x, row + 0.5 - y))), i = side * row + column;
      if (!tool) { if (ink > 0.5) unknown[i] = 1; continue; }
      if (unknown[i]) {  // a stroke over the unknown makes it known
        if (ink < 0.5) continue;
        unknown[i] = 0; pixels.fill(0, 3 * i, 3 * i + 3);
      }
      colour.forEach((value, part) => { pixels[3 * i + part] += (value - pixels[3 * i + part]) * ink; });
    }
};
const stroke = event => {
  const box = canvas.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * side, y = (event.clientY - box.top) / box.height * side;
  const from = last || [x, y], steps = Math.max(1, Math.ceil(Math.hypot(x - from[0], y - from[1])));
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
palette.addEventListener('input', () => choose(palette.value));
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (!button) return;
  const wanted = button.dataset;
  if ('tool' in wanted) choose(wanted.tool);
  else if (wanted.mask) {
    remember();
    const [top, left, bottom, right] = MASKS[wanted.mask].map(share => Math.round(share * side));
    unknown = unknown.map((_, i) => {
      const row = Math.floor(i / side), column = i % side;
      return row >= top && row < bottom && column >= left && column < right;
    });
    tell();
  } else if (wanted.do === 'clear') {
    remember(); pixels.fill(0); unknown.fill(0); tell();
  } else if (past.length) {
    read(past.pop()); props.value = text; trigger('drawn');
  }
});
const arrived = () => { if (props.value && props.value !== text) { remember(); read(props.value); } };
watch('value', arrived);
arrived();""".replace("THE_MASKS", json.dumps(MASKS))


def room() -> Room:
    """Lay out the widgets."""
    _room.header(MODEL)
    with gr.Row(elem_classes=["room", "in-order"]):
        with gr.Column(scale=4, min_width=300):
            weights = _room.weights_choice(MODEL, "mnist")
            mode = gr.Radio(list(MODES), value=NOISE, label="Begin", elem_classes=["chips"])
            with gr.Column(visible=False) as part:
                board = gr.HTML("", html_template=BOARD_HTML, js_on_load=BOARD_JS)
                examples = _room.tiles(examples_html(weights.value), elem_classes=["strip"])
                with gr.Accordion("Upload a picture", open=False):
                    upload = CheckedImage(label="A drawing, a piece of clothing, a face", height=180)
                strength = gr.Slider(
                    0.02, 1, 0.6, step=0.01, label="Noise", visible=False,
                    info="Under which your picture is laid. Little keeps nearly all of it, much the rough shapes only.",
                )  # fmt: skip
                under = gr.HTML("", js_on_load=None, elem_classes=["small"])
                repeats = gr.Slider(
                    1, MAX_REPEATS, 1, step=1, label="Repeats", visible=False,
                    info="How often each step is taken, its noise put back in between: what is painted fits better.",
                )  # fmt: skip
            label = gr.Dropdown(**class_choice(weights.value, 0))
            with gr.Row():
                steps = gr.Slider(1, MAX_STEPS, 50, step=1, label="Steps", min_width=140, info="few: fast")
                guidance = gr.Slider(0, MAX_GUIDANCE, 2, step=0.1, label="Guidance", min_width=140, info="1: none")
            with gr.Accordion("More", open=False):
                other = gr.Dropdown(**class_choice(weights.value, 1))
                eta = gr.Slider(0, 1, 0, step=0.05, label="Eta", info="Fresh noise at every step. 0: none, 1: the paper's way")
                count = gr.Slider(1, MAX_COUNT, MAX_COUNT, step=1, label="Pictures")
            seed, dice = _room.seed_row(7)
        with gr.Column(scale=6, min_width=300):
            with gr.Row(elem_classes=["keep"]):
                go = gr.Button("Sample", variant="primary", elem_classes=["quiet"])
                stop = gr.Button("Stop", variant="stop", elem_classes=["quiet"])
            grid = _room.tiles(first_sight(weights.value), min_height=160)
            step = gr.Slider(0, 50, 0, step=1, label="Back to any step", interactive=False)
            note = gr.HTML("", js_on_load=None)
            keep = gr.Row(elem_classes=["keep"])
    run = gr.State(None)
    begin, begin_levels = _room.starter(), _room.starter()
    controls = dict(
        weights=weights, mode=mode, label=label, other=other, steps=steps, guidance=guidance, eta=eta, count=count,
        strength=strength, repeats=repeats, seed=seed, board=board,
    )  # fmt: skip
    room_ = Room(MODEL, controls)
    with keep:
        _room.save_button(room_, sheet, [run])
        _room.save_button(room_, animation, [run], label="Save the steps", view="steps")
        _room.link_button(room_)
    with gr.Tabs(elem_classes=["views"]) as views:
        with gr.Tab("The steps of one picture", id="steps"):
            gr.Markdown("Click a picture above: how it came out of the noise, and what the network took it for on the way.")
            walk = gr.HTML("", js_on_load=None)
        with gr.Tab("Every noise level"):
            gr.Markdown(
                "A picture laid under more and more noise, and what is made of it each time: the one on the board, or an example "
                "([Meng et al. 2022](https://arxiv.org/abs/2108.01073))."
            )
            compare = gr.Button("Redraw it from every noise level", size="sm", elem_classes=["quiet"], min_width=240)
            compared = gr.HTML("", js_on_load=None)
        with gr.Tab("Steps and quality"):
            gr.Markdown(
                "How far the pictures are from real ones when they are made in fewer steps, with and without fresh noise "
                "([Song et al. 2021](https://arxiv.org/abs/2010.02502), table 1). Measured in advance; the protocol is below."
            )
            quality = gr.HTML(curve_html(weights.value), js_on_load=None)
    _room.explanation(MODEL, EXPLANATION)

    inputs, outputs = list(controls.values()), [grid, step, note, run]
    taking = begin.submit(guarded(_room.haltable(denoise)), [begin, *inputs], outputs, **DENOISING)
    leveling = begin_levels.submit(guarded(_room.haltable(levels_view)), [begin_levels, *inputs], compared, **DENOISING)
    _room.begins(compare.click, begin_levels, [leveling])
    # whoever asks for the next pictures does not wait for those before
    asked = [go.click, seed.submit, label.input, other.input, steps.release, guidance.release, eta.release, count.release]
    _room.begins(partial(gr.on, [*asked, strength.release, repeats.release]), begin, [taking])
    _room.begins(dice.click(None, None, seed, js=_room.ROLL_JS, api_visibility="private").then, begin, [taking])
    # the page goes through the listeners of a click one by one; what ends the computation comes first
    for event in (stop.click, weights.input):
        _room.ends(event, begin, [taking, leveling])
        _room.ends(event, begin_levels)
    stop.click(guarded(stopped), run, [grid, step, note], **_room.BESIDE)
    step.input(guarded(scrub), [step, run], grid, **_room.QUICK)
    edited = [part, strength, repeats, board, under]
    mode.input(guarded(begin_with), [weights, mode, strength, seed, board], edited, **_room.QUICK)
    looked = [weights, mode, strength, seed, board]
    strength.input(guarded(noised), looked, under, **_room.QUICK)
    board.drawn(guarded(noised), looked, under, **_room.QUICK)
    examples.pick(guarded(take_example), [weights, mode, board], board, **_room.QUICK).success(
        guarded(noised), looked, under, **_room.QUICK
    )
    upload.upload(guarded(take_upload), [weights, mode, board, upload], board, **_room.QUICK).success(
        guarded(noised), looked, under, **_room.QUICK
    )
    weights.input(
        guarded(switch), [weights, mode, strength, seed],
        [*outputs, label, other, *edited, examples, walk, compared, quality], **_room.QUICK,
    )  # fmt: skip
    room_.show, room_.shown = restored, [*outputs, label, other, *edited, examples, quality, begin]
    grid.pick(guarded(steps_of), run, [walk, views], **_room.QUICK)
    for verb in (ddpm_sample, ddpm_fill, ddpm_redraw):
        gr.api(verb, api_name=verb.__name__, concurrency_id="models")
    return room_
