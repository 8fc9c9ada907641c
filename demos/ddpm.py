"""The DDPM room: noise is taken off while one watches, from noise alone, around what is known, or from a picture under noise."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import gradio as gr
import numpy as np
import PIL.Image
import torch

from demos._families.completions import (
    Board,
    ClassChoice,
    MaskBoard,
    SentMask,
    SentPicture,
    as_bytes,
    as_picture,
    as_pixels,
    kinds_of,
    mask,
    shape_of,
)
from demos._kit.alone import alone
from demos._kit.charts import legend, measured_lines
from demos._kit.checks import integer
from demos._kit.fields import CONTROLS, MORE, Choice, Seed, Slider
from demos._kit.markup import note_html, picture_html, tiles_html
from demos._kit.pictures import png_uri, side_by_side, strip_image
from demos._kit.plan import Action, Api, Plan, Try, View
from demos._kit.shipped import measures_by_key, sheet_tiles
from demos._kit.shown import Html, Shown, Steps
from gen_models import Draws, load, runtime

MODEL = "ddpm"
MAX_COUNT, MAX_STEPS, MAX_GUIDANCE, MAX_REPEATS = 8, 200, 8.0, 5
FRAMES = 50
"""Of more steps than these, not every one is shown and kept."""
NOISE, FILL, REDRAW = MODES = ("From noise", "Fill in", "Redraw")
LEVELS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95)
"""Noise levels that are compared."""
STEPS = "The steps of one picture"
EXPLANATION = r"""
A picture $x_0$ is drowned in Gaussian noise, a little at a time, until after $T = 1000$ steps nothing of it is left. How noisy it
is after $t$ steps is known in advance: a share $\bar\alpha_t$ of the variance still comes from the picture. A **network** is shown
such noisy pictures and learns to predict the noise in them, which amounts to guessing the picture. To make a new picture, we start
from pure noise, ask for the network's guess, take a small step towards it, and ask again.

$$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad
\min_\theta \; \mathbb{E}_{x_0, \epsilon, t} \left\lVert v - v_\theta(x_t, t) \right\rVert^2, \quad
v = \sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0$$

**Fewer steps (DDIM).** From the guesses $\hat x_0$ and $\hat\epsilon$ one can jump straight to any less noisy time $s$. With $\eta
= 0$ no new noise is added and the noise at the start decides the picture; $\eta = 1$ is the sampler of the paper.

$$x_s = \sqrt{\bar\alpha_s}\, \hat x_0 + \sqrt{1 - \bar\alpha_s - \sigma^2}\, \hat\epsilon + \sigma z, \qquad
\sigma^2 = \eta^2\, \frac{1 - \bar\alpha_s}{1 - \bar\alpha_t} \left(1 - \frac{\bar\alpha_t}{\bar\alpha_s}\right)$$

**Guidance.** During training the class is left out now and then. So the network can be asked twice, with the class $y$ and without
it, and the difference be amplified (classifier-free guidance): $v = v_\theta(x_t) + g \, (v_\theta(x_t, y) - v_\theta(x_t))$.

**Your picture.** *Fill in* (inpainting) puts the known pixels back into every guess, so that the rest comes to fit them. *Redraw*
(SDEdit) adds noise to your picture and removes it again: little noise keeps nearly everything, much noise keeps only the rough
shapes.
"""


# ---- taking the noise off ---------------------------------------------------------------------------------------------


@dataclass
class Denoising(Steps):
    """Pictures as the noise is taken off them, a frame for each step or for every few of them."""

    captions: list[str]
    """Of each picture."""
    note: str = ""
    steps: int = 0
    done: list[int] = field(default_factory=list)
    """Passes through the network before each frame."""
    noisy: list[np.ndarray] = field(default_factory=list)
    """x_t, (N, C, S, S) uint8, a frame each."""
    clean: list[np.ndarray] = field(default_factory=list)
    """The guess at x_0."""

    @property
    def step(self) -> int:
        return self.done[-1]

    @property
    def finished(self) -> bool:
        """Whether noise was taken off, and none is left."""
        return 0 < self.steps == self.step

    @property
    def nbytes(self) -> int:
        return len(self.done) * (self.noisy[0].nbytes + self.clean[0].nbytes)

    def frame(self, step: int) -> int:
        """The last frame that is no later than a step."""
        return max((index for index, done in enumerate(self.done) if done <= step), default=0)

    def frame_steps(self):
        return self.done

    def at(self, step):
        columns = min(4, len(self.captions)) if len(self.captions) != 2 else 1
        sides = (
            ("x<sub>t</sub>: the picture at this step", "noisy picture", self.noisy),
            ("x̂<sub>0</sub>: the network's guess at the end", "picture", self.clean),
        )
        figures = "".join(
            f"<figure><figcaption>{title}</figcaption>"
            + tiles_html([as_picture(one) for one in frames[self.frame(step)]], self.captions, columns=columns, words=words)
            + "</figure>"
            for title, words, frames in sides
        )
        return f'<div class="denoising">{figures}</div>'

    def frames(self):
        return [self.part(self.clean, self.step, 8)]

    def sheet(self, step, scale):
        return side_by_side(*(self.part(side, step, scale).convert("RGB") for side in (self.noisy, self.clean)), gap=8)

    def part(self, side: Sequence[np.ndarray], step: int, scale: int) -> PIL.Image.Image:
        """One side after a step, four pictures to a row."""
        pictures = [as_picture(one) for one in side[self.frame(step)]]
        return strip_image(pictures, scale, columns=min(4, len(pictures)))

    def json(self):
        if not self.finished:
            raise gr.Error(self.note)
        return [png_uri(as_picture(pixels)) for pixels in self.clean[-1]]


def still(pictures: np.ndarray, note: str = "") -> Denoising:
    """Pictures (N, C, S, S) uint8 from which no noise is taken."""
    return Denoising(["\u00a0"] * len(pictures), note, 0, [0], [pictures], [pictures])


def denoise(
    weights: str, mode: str, label: int | None, other: int | None, steps: int, guidance: float, eta: float, count: int,
    strength: float, repeats: int, seed: int, board: Board,
) -> Iterator[Denoising]:  # fmt: skip
    """Pictures from noise, or around what the board knows, or from the board's picture under noise."""
    kinds, hole = kinds_of(weights), board.hole
    labels: list[int | None] | None = [label, other][: len(kinds)] or None
    start = dict(images=None if mode == NOISE else board.picture)
    if mode != NOISE and not any(one is not None for one in labels or []):
        guidance = 0.0  # the picture says what it is; any class drawn would pull it elsewhere
    if mode == FILL:
        start |= dict(unknown=torch.from_numpy(hole), repeats=repeats)
    if mode == REDRAW:
        start |= dict(strength=strength)
    if mode != NOISE and hole.all():
        yield still(board.pixels[None], "There is nothing to start from: draw on the board, use an example or upload a picture.")
        return
    if mode == FILL and not hole.any():
        yield still(board.pixels[None], "Nothing is marked as unknown: mark what to fill in, with the brush or a button under the "
                                        "board.")
        return
    model = load(weights)
    captions = ["\u00a0"] * count
    if guidance:
        with runtime.forward_pass():
            drawn = model.labels(Draws(seed, count), labels).tolist()
        captions = [", ".join(names[index] for (_, names), index in zip(kinds, row, strict=True)) or "\u00a0" for row in drawn]
    run = Denoising(captions, "Removing the noise.")
    states = model.trajectory(Draws(seed, count), steps, eta, guidance, labels, **start)
    while True:
        with runtime.forward_pass():  # others may compute between two steps
            state = next(states, None)
        if state is None:
            return
        run.steps = state.total
        if state.done % math.ceil(state.total / FRAMES) and state.done < state.total:
            yield None
            continue
        run.noisy.append(as_bytes(state.noisy))
        run.clean.append(as_bytes(state.clean))
        run.done.append(state.done)
        if state.done == state.total:
            run.note = words(run, kinds, mode, guidance, strength, hole)
        yield run


def words(run: Denoising, kinds: list, mode: str, guidance: float, strength: float, hole: np.ndarray) -> str:
    """What a run took, in a line."""
    found = f"{run.steps} steps, each {'two passes' if kinds and guidance not in (0, 1) else 'one pass'} through the network."
    if mode != NOISE and guidance == 0 and kinds:
        found += " No class was chosen, so your picture alone decides; choose one to guide it."
    if mode == REDRAW:
        found += f" Your picture was given the noise of {100 * strength:.0f} % of all steps."
    if mode == FILL:
        found += f" {int(hole.sum())} of {hole.size} pixels were filled in, the others are yours."
    return found


def sight(weights: str, mode: str) -> Denoising | None:
    """Samples of the model, made when the weights were published."""
    pictures = sheet_tiles(weights, MAX_COUNT)
    return still(np.stack([as_pixels(one, shape_of(weights)[0]) for one in pictures])) if pictures and mode == NOISE else None


# ---- the board --------------------------------------------------------------------------------------------------------


def example_pictures(weights: str) -> list[np.ndarray]:
    """Samples of the model itself, (C, S, S) uint8, made when the weights were published: pictures of no real person."""
    return [as_pixels(one, shape_of(weights)[0]) for one in sheet_tiles(weights, 16)[8:]]  # the first ones are the first sight


def begin_with(mode: str, board: Board) -> dict[str, str]:
    """Another way to begin: what is filled in needs a mask, what is redrawn has none."""
    if mode == NOISE:
        return {}
    hole = board.hole
    kept = hole if hole.any() and not hole.all() else mask("lower half", len(hole))
    return {"board": board._replace(unknown=kept if mode == FILL else None).text}


def noised(weights: str, mode: str, strength: float, seed: int, board: Board) -> Html:
    """The board's picture under as much noise as the slider says; nothing unless it is to be redrawn."""
    if mode != REDRAW:
        return Html("<i hidden></i>")
    with runtime.forward_pass():
        made = load(weights).noisy(board.picture, Draws(seed, 1), strength)
    shown = picture_html(as_picture(as_bytes(made)[0]), "your picture with noise, from which the first result starts")
    return Html(f'<div class="small">{shown}</div>')


# ---- look inside ------------------------------------------------------------------------------------------------------


def strips(rows: dict[str, list[PIL.Image.Image]], labels: Sequence[str]) -> str:
    """Pictures in rows, each row with words for it, and a label under each column."""
    cells = ["".join(f'<img src="{png_uri(picture)}" alt="{html.escape(words)} {i}">' for i, picture in enumerate(row))
             for words, row in rows.items()]  # fmt: skip
    cells.append("".join(f"<span>{html.escape(label)}</span>" for label in labels))
    return f'<div class="strips">{"".join(f"""<div style="--columns:{len(labels)}">{row}</div>""" for row in cells)}</div>'


def steps_of(index: int, run: Denoising | None) -> Html:
    """Ten steps of the picture that was clicked."""
    if run is None or not run.finished:
        raise gr.Error("Press Sample and let it finish: the steps of these pictures were not kept.")
    index = integer(index, 0, len(run.captions) - 1, "Picture")
    frames = np.unique(np.linspace(0, len(run.done) - 1, 10).round().astype(int))
    sides = {"the picture at this step": run.noisy, "the guess at the end": run.clean}
    rows = {words: [as_picture(kept[frame][index]) for frame in frames] for words, kept in sides.items()}
    return Html(strips(rows, [f"step {run.done[frame]}" for frame in frames]))


def steps_of_first(run: Denoising | None) -> Html:
    """Ten steps of the first picture, if there are any."""
    return steps_of(0, run) if run is not None and run.finished else Html(note_html("Nothing has been sampled yet."))


def levels(
    weights: str, label: int | None, other: int | None, steps: int, guidance: float, eta: float, seed: int, board: Board
) -> Iterator[Html | None]:
    """The board's picture, or without one the first example, redrawn from several noise levels, one after the other."""
    rows: dict[str, list[PIL.Image.Image]] = {"under noise": [], "redrawn": []}
    for done, level in enumerate(LEVELS, 1):
        run = None
        for frame in denoise(weights, REDRAW, label, other, steps, guidance, eta, 1, level, 1, seed, board):
            run = frame or run
            yield None
        if not run.finished:
            raise gr.Error(run.note)
        for row, pixels in zip(rows.values(), (run.noisy[0][0], run.clean[-1][0]), strict=True):
            row.append(as_picture(pixels))
        blank = [PIL.Image.new("L", rows["redrawn"][0].size, 128)] * (len(LEVELS) - done)
        yield Html(strips({words: row + blank for words, row in rows.items()}, [f"{100 * one:.0f} %" for one in LEVELS]))


def quality(weights: str) -> Html:
    """The card's distances against the number of steps, without and with fresh noise, and those of average and last weights."""
    found = {key: (float(entry["value"]), float(entry["error"])) for key, entry in measures_by_key(weights).items()
             if key.startswith("kernel-")}  # fmt: skip
    steps = sorted({int(key.rpartition("-")[2]) for key in found if key.startswith("kernel-eta")})
    if not steps:
        return Html(note_html("These weights have not been measured yet."))
    titles = ("no new noise (eta 0)", "new noise at every step (eta 1)")
    lines = {title: [found[f"kernel-eta{eta}-{count}"] for count in steps] for eta, title in enumerate(titles)}
    shown = measured_lines(steps, lines, "steps", "kernel distance over the number of steps")
    shown += legend(*titles, words="Kernel distance; lower is better")
    if {"kernel-average", "kernel-last"} <= found.keys():
        average, last = ("{:.4f} ± {:.4f}".format(*found[key]) for key in ("kernel-average", "kernel-last"))
        shown += f"<p>Moving average of the weights: {average}. The last weights of the training: {last}.</p>"
    return Html(shown)


# ---- verbs of the API -------------------------------------------------------------------------------------------------


def sample(
    weights: str, seed: int, count: int, steps: int, guidance: float, eta: float, label: int | None, other: int | None, board: Board
) -> Iterator[Shown]:
    """Pictures from noise. A seed always gives the same pictures, whatever the count.

    steps: 1 to 200. guidance: 1 none, 0 as if the class were unknown, up to 8. eta: fresh noise at each step, 0 to 1. label: a
    class by its name or number, or any; other: the second kind of class (faces: male or female). Returns PNG data URIs.
    """
    return denoise(weights, NOISE, label, other, steps, guidance, eta, count, 1, 1, seed, board)


def fill(
    weights: str, picture: np.ndarray, unknown: np.ndarray, seed: int, count: int, steps: int, guidance: float, eta: float,
    label: int | None, other: int | None, repeats: int,
) -> Iterator[Shown]:  # fmt: skip
    """Paint what is unknown of a picture. picture: a picture file in base64 or a data URI, squared and reduced; for
    weights of faces, a face in it is found and set upright.

    Unless a class is given, guidance does nothing.
    unknown: lower half, right half, middle, or zeros and ones, row by row, 1 where it is to be painted. repeats: 1 to 5, how often
    each step is taken. The others as for ddpm_sample. Returns PNG data URIs.
    """
    return denoise(weights, FILL, label, other, steps, guidance, eta, count, 1, repeats, seed, Board(picture, unknown))


def redraw(
    weights: str, picture: np.ndarray, strength: float, seed: int, count: int, steps: int, guidance: float, eta: float,
    label: int | None, other: int | None,
) -> Iterator[Shown]:  # fmt: skip
    """Lay a picture under noise and take the noise off (SDEdit). picture: as for ddpm_fill.

    Unless a class is given, guidance does nothing.
    strength: 0.02 to 1, the noise as a share of all steps; more of it keeps less of the picture. The others as for ddpm_sample.
    Returns PNG data URIs.
    """
    return denoise(weights, REDRAW, label, other, steps, guidance, eta, count, strength, 1, seed, Board(picture, None))


def migrate(controls: dict) -> dict:
    """In older links, a picture that is to be redrawn has a mask of which nothing is unknown."""
    board = controls.get("board")
    if controls.get("mode") == REDRAW and isinstance(board, str) and board.count(".") == 3:
        return controls | {"board": board.rpartition(".")[0] + "."}
    return controls


GIVEN = dict(seed=7, count=4, steps=50, guidance=2.0, eta=0.0, label="any", other="any")
SENT = dict(picture=SentPicture("Picture"), unknown=SentMask("Unknown", names=("lower half", "right half", "middle")))
DENOISING = dict(group="denoising", limit=16)

PLAN = Plan(
    MODEL, "mnist", explanation=EXPLANATION,
    fields=dict(
        mode=Choice("Begin", NOISE, options=MODES),
        board=MaskBoard(
            examples=example_pictures, masks=("lower half", "right half", "middle", "nothing"), empty=True,
            upload="A drawing, a piece of clothing, a face", when=("mode", (FILL, REDRAW)),
        ),
        repeats=Slider("Repeats", 3, "How often each step is repeated, noise put back in between: the filled part fits better.",
                       low=1, high=MAX_REPEATS, step=1, when=("mode", (FILL,))),
        label=ClassChoice(),
        steps=Slider("Steps", 50, "Fewer are faster", low=1, high=MAX_STEPS, step=1),
        guidance=Slider("Guidance", 2, "1: none. Higher: closer to the class, less varied", low=0, high=MAX_GUIDANCE, step=0.1),
        seed=Seed(default=7),
        strength=Slider("Noise", 0.6, "Added to your picture. A little keeps nearly all of it, a lot only its rough shapes.",
                        low=0.02, high=1, when=("mode", (REDRAW,))),
        other=ClassChoice("Second class", rank=1, place=MORE),
        eta=Slider("Eta", 0, "New noise at every step. 0: none, 1: as in the paper", low=0, high=1, step=0.05, place=MORE),
        count=Slider("Pictures", MAX_COUNT, low=1, high=MAX_COUNT, step=1, place=MORE),
    ),
    order=["weights", "mode", "label", "other", "steps", "guidance", "eta", "count", "strength", "repeats", "seed", "board"],
    tour=[
        Try("Sample, and watch noise become pictures.", ""),
        Try("Sample with 5 steps, then with 200.", "steps"),
        Try("Break it: raise the guidance to 8.", "guidance"),
    ],
    views=[
        View("", denoise, "Sample", live=True, keep="Save picture", film="Save the steps", scrub="Back to any step", pace=1 / 25,
             pick=steps_of, into=STEPS, sight=sight, **DENOISING),
        View("Under noise", noised, live=True, within=CONTROLS),
        View(STEPS, steps_of_first,
             intro="Click a picture above to see how it emerged from the noise, and the network's guesses on the way."),
        View("Every noise level", levels, "Redraw it from every noise level", **DENOISING,
             intro="A picture with more and more noise, and what the model makes of it: the one on the board, or an example "
             "([Meng et al. 2022](https://arxiv.org/abs/2108.01073))."),
        View("Steps and quality", quality, live=True,
             intro="How far samples are from real pictures when they are made in fewer steps, with and without new noise "
             "([Song et al. 2021](https://arxiv.org/abs/2010.02502), table 1). Measured in advance; the protocol is below."),
    ],
    actions=[Action(begin_with, ["board"], on="mode")],
    api=[
        Api("ddpm_sample", sample, dict(weights="ddpm-mnist") | GIVEN, returns=list[str]),
        Api("ddpm_fill", fill, dict(weights="ddpm-mnist", picture="", unknown="lower half") | GIVEN | dict(repeats=1),
            returns=list[str], fields=SENT),
        Api("ddpm_redraw", redraw, dict(weights="ddpm-mnist", picture="", strength=0.6) | GIVEN, returns=list[str], fields=SENT),
    ],
    migrate=migrate,
)  # fmt: skip
room = PLAN.lay_out

if __name__ == "__main__":
    alone(PLAN)
