"""What rooms share in which one draws what is translated: label maps in their palette, pencil lines, pictures of any colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import gradio as gr
import numpy as np
import PIL.Image

from demos._families import translators
from demos._kit.boards import Board, Mode
from demos._kit.pictures import is_empty
from demos._kit.shipped import shape_of
from gen_models import catalog, sets
from gen_models.edges import framed, line_drawing

LABELS, LINES, COLOURS = "labels", "lines", "colours"
"""What one draws: areas in the colours of labels, pencil lines, anything."""
TRACE, DRAWING = UPLOADS = ("A photo: trace its lines", "A drawing")
TOLERANCE = 16
"""A colour is outside the palette if one of its channels is further than this from every label's."""
EMPTY = "The board is empty: draw something, or take an example."


def kind_of(weights: str) -> str:
    """What one draws for these weights."""
    try:
        return sets.record(catalog.config_of(weights)["data"]).drawing or (COLOURS if shape_of(weights)[0] == 3 else LINES)
    except (catalog.WeightsError, KeyError):
        return LABELS  # the page opens all the same, and the first click says what is wrong


def filled(picture: PIL.Image.Image, words: str = EMPTY) -> PIL.Image.Image:
    """A drawing, which must not be empty.

    Raises:
        gr.Error: with these words, if it is.
    """
    if is_empty(picture):
        raise gr.Error(words)
    return picture


@dataclass
class DrawingBoard(Board):
    """A board for what a translator takes; ``labels``: name -> colour, six hexadecimal digits, the ground first."""

    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        inks = {name: f"#{colour}" for name, colour in self.labels.items()}
        ground, *others = inks.values()
        box, brush, eraser = {"box": "Rectangle"}, {"brush": "Brush"}, {"eraser": "Eraser"}
        self.palette = np.array([list(bytes.fromhex(colour)) for colour in self.labels.values()], np.uint8)
        self.modes = {
            LABELS: Mode(box | brush | eraser, inks, ground=ground, ink=others[1], widths=(10, 16), hard=True),
            LINES: Mode({"brush": "Pencil"} | eraser, widths=(1, 8)),
            COLOURS: Mode(brush | box | eraser, picker=True, ink="#3b3a8f"),
        }

    def mode(self, weights):
        return kind_of(weights)

    def examples(self, weights):
        return translators.examples(weights)

    def fit(self, weights, picture):
        return self.fitted_plan(weights, picture)[0] if kind_of(weights) == LABELS else fitted_sheet(weights, picture)

    def fitted_plan(self, weights: str, picture: PIL.Image.Image) -> tuple[PIL.Image.Image, float]:
        """A label map of any shape on the board, and the share of pixels that were outside the palette."""
        ground = tuple(self.palette[0].tolist())
        return snapped(fitted(picture, shape_of(weights)[1], ground, PIL.Image.Resampling.NEAREST), self.palette)

    def ways(self, weights):
        return UPLOADS if kind_of(weights) == LINES else ()

    def uploaded(self, weights, picture, way):
        kind, (_, side), words = kind_of(weights), shape_of(weights), ""
        if kind == LABELS:
            made, outside = self.fitted_plan(weights, picture)
            share = f"{100 * outside:.0f} %" if outside == 0 or outside >= 0.005 else "Less than 1 %"
            words = f"{share} of the pixels had colours outside the palette"
            words += "; each took the nearest label's." if outside else "."
        elif kind == COLOURS:
            made = fitted_sheet(weights, picture)
        elif way == TRACE:
            made, words = traced(picture, side), "The lines are traced in the same way as for the training pictures."
        else:
            made = as_lines(picture, side)
        return filled(made, "This picture is of one colour only; there is nothing in it to start from."), words

    def upload_words(self, weights):
        return {
            LABELS: "A plan in the colours of the labels; other colours become the nearest label's. It is fitted to the square.",
            LINES: "A photo of an object on white, whose lines are traced, or a line drawing. It is fitted to the square.",
            COLOURS: "A picture of the kind that these weights were trained on. It is fitted to the square.",
        }[kind_of(weights)] + " Links and saved pictures carry the drawing made of it, not the picture itself."

    def sent(self, weights: str, picture: PIL.Image.Image | None) -> PIL.Image.Image:
        """A caller's drawing; the first example in the place of none."""
        if picture is None:
            return self.first(weights).picture
        return filled(self.fit(weights, picture), "The picture is empty: send one with something on it.")


def fitted_sheet(weights: str, picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture of any shape on a white board, grey where the weights know one channel."""
    channels, side = shape_of(weights)
    picture = fitted(picture, side)
    return picture.convert("L").convert("RGB") if channels == 1 else picture


def fitted(
    picture: PIL.Image.Image, side: int, ground: tuple[int, int, int] = (255, 255, 255),
    method: PIL.Image.Resampling = PIL.Image.Resampling.LANCZOS,
) -> PIL.Image.Image:  # fmt: skip
    """A picture of any shape in the middle of a square, neither cut nor squashed."""
    if picture.size == (side, side):
        return picture
    ratio = side / max(picture.size)
    small = picture.resize(tuple(max(1, round(length * ratio)) for length in picture.size), method)
    square = PIL.Image.new("RGB", (side, side), ground)
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square


def snapped(picture: PIL.Image.Image, palette: np.ndarray) -> tuple[PIL.Image.Image, float]:
    """A picture with every pixel in the nearest colour of a palette (N, 3), and the share of pixels that were outside of it."""
    pixels = np.asarray(picture.convert("RGB"))
    found, places = np.unique(pixels.reshape(-1, 3) @ np.array([65536, 256, 1]), return_inverse=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    away = np.abs(colours[:, None] - palette[None].astype(int))
    nearest = (away**2).sum(axis=2).argmin(axis=1)
    outside = away.max(axis=2).min(axis=1) > TOLERANCE
    return PIL.Image.fromarray(palette[nearest][places].reshape(pixels.shape)), float(outside[places].mean())


def traced(image: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """The lines of a photograph, framed and found as for the training pictures."""
    small = image.copy()
    small.thumbnail((1024, 1024))
    lines = line_drawing(framed(small, side))
    if is_empty(lines):
        raise gr.Error("No lines were found in this photo; it works best with a single object on a white background.")
    return lines


def as_lines(image: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """Somebody's drawing as black lines on white; light lines on a dark ground are turned round."""
    grey = np.asarray(image.convert("L"))
    if np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])) < 128:
        image = PIL.Image.fromarray(255 - grey)
    values = np.asarray(fitted(image.convert("L").convert("RGB"), side).convert("L"), np.float32)
    if values.max() - values.min() < 16:
        raise gr.Error("The picture is empty: draw or upload something first.")
    values = 255 - (255 - values) * (255 / (255 - values.min()))  # a thin line is pale once it is small
    return PIL.Image.fromarray(values.round().astype(np.uint8)).convert("RGB")
