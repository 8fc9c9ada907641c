"""What rooms share in which a picture is begun and a model finishes it: a board with a picture and a mask, classes, the runs.

A *mask* says which pixels are unknown. Weights of these rooms have pictures of C channels and S x S pixels.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos._kit.boards import MASKED
from demos._kit.checks import integer, one_of
from demos._kit.faces import own_picture
from demos._kit.fields import Change, Choice, Field
from demos._kit.inputs import CheckedImage, sent_picture
from demos._kit.markup import tiles_html
from demos._kit.shipped import picture_for
from demos._kit.widgets import board, tiles
from gen_models import catalog

ANY = "any"
MASKS = {
    "lower half": ("Lower half", 1 / 2, 0, 1, 1), "right half": ("Right half", 0, 1 / 2, 1, 1),
    "middle": ("Middle", 0.3, 0.3, 0.7, 0.7), "hole": ("A hole", 9 / 28, 9 / 28, 19 / 28, 19 / 28),
    "everything": ("Everything", 0, 0, 1, 1), "nothing": ("Nothing", 0, 0, 0, 0),
}  # fmt: skip
"""Name -> label, and top, left, bottom, right of what is unknown as shares of the side."""
LETTERS = 40_000
"""Characters of a board as text that are looked at."""


def shape_of(weights: str) -> tuple[int, int]:
    """Channels and side of the pictures of these weights; read from the configuration, without the model."""
    try:
        arguments = catalog.config_of(weights)["arguments"]
        return int(arguments["channels"]), int(arguments["size"])
    except (catalog.WeightsError, KeyError, TypeError, ValueError):
        return 1, 28  # the page opens all the same, and the first click says what is wrong


def mask(name: str, side: int) -> np.ndarray:
    """One of ``MASKS`` as (side, side) bool."""
    top, left, bottom, right = (round(side * share) for share in MASKS[name][1:])
    unknown = np.zeros((side, side), bool)
    unknown[top:bottom, left:right] = True
    return unknown


def as_bytes(pictures: Tensor) -> np.ndarray:
    """Pictures (N, C, S, S) in [0, 1] -> uint8."""
    return (pictures * 255).round().byte().cpu().numpy()


def as_pixels(picture: PIL.Image.Image, channels: int) -> np.ndarray:
    """A picture of S x S pixels -> (C, S, S) uint8."""
    values = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return values[None] if channels == 1 else values.transpose(2, 0, 1)


def as_picture(pixels: np.ndarray) -> PIL.Image.Image:
    """(C, S, S) uint8 as a picture."""
    return PIL.Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


# ---- the board --------------------------------------------------------------------------------------------------------


class Board(NamedTuple):
    """A picture, and what of it is unknown."""

    pixels: np.ndarray
    """(C, S, S) uint8."""
    unknown: np.ndarray | None
    """(S, S) bool; None: there is no mask, as nothing is to be unknown."""
    example: str = ""
    """Number of the example that it is; "": it is none."""

    @property
    def hole(self) -> np.ndarray:
        """What is unknown, (S, S) bool."""
        return np.zeros(self.pixels.shape[1:], bool) if self.unknown is None else self.unknown

    @property
    def picture(self) -> Tensor:
        """The picture, (1, C, S, S) in [0, 1]."""
        return torch.tensor(self.pixels)[None].float() / 255

    @property
    def text(self) -> str:
        """The board as text: channels, side, pixels and mask in base64, the number of the example if it is one."""
        channels, side, _ = self.pixels.shape
        bits = b"" if self.unknown is None else np.packbits(self.unknown.astype(bool)).tobytes()
        parts = (base64.b64encode(part).decode() for part in (self.pixels.transpose(1, 2, 0).astype(np.uint8).tobytes(), bits))
        return ".".join([str(channels), str(side), *parts, *([self.example] if self.example else [])])


def board_of(weights: str, text: Any) -> Board:
    """The board that :attr:`Board.text` describes.

    Raises:
        gr.Error: if it is no board, or not one for these weights.
    """
    channels, side = shape_of(weights)
    try:
        if not isinstance(text, str) or len(text) > LETTERS:
            raise ValueError("no text of a board")
        depth, width, pixels, bits, *example = text.split(".")
        if (depth, width) != (str(channels), str(side)) or len(example) > 1 or not "".join(example).isascii():
            raise ValueError("a board of another shape")
        values, marks = (np.frombuffer(base64.b64decode(part, validate=True), np.uint8) for part in (pixels, bits))
        if len(marks) not in (0, -(-side * side // 8)):
            raise ValueError("a mask of another shape")
        unknown = np.unpackbits(marks)[: side * side].astype(bool).reshape(side, side) if len(marks) else None
        return Board(values.reshape(side, side, channels).transpose(2, 0, 1).copy(), unknown, "".join(example)[:4])
    except (ValueError, binascii.Error) as error:
        raise gr.Error("The board cannot be read; clear it and begin again.") from error


def as_known(weights: str, image: PIL.Image.Image) -> np.ndarray:
    """A visitor's picture as the model knows its pictures, (C, S, S) uint8: things on black centred and scaled, a face upright."""
    values = picture_for(weights, own_picture(weights, image))
    if values.shape[1] == 1:
        values = values / values.max().clamp_min(1e-6)  # a thin line is pale once it is small
    return as_bytes(values)[0]


@dataclass
class MaskBoard(Field):
    """A drawing board with a mask, examples to click and an upload under it. Verbs get a :class:`Board`.

    ``examples``: weights -> pictures (C, S, S) uint8. ``masks``: names of those with a button. ``empty``: at first its value is "",
    which stands for the first example without its lower half, but is short in a link.
    """

    label: str = "The board"
    examples: Callable[[str], list[np.ndarray]] = lambda weights: []
    masks: Sequence[str] = ("lower half", "nothing")
    upload: str = "A picture"
    empty: bool = False

    def depends(self, weights):
        return True

    def first(self, weights: str) -> Board:
        """The first example without its lower half; without examples an empty board."""
        channels, side = shape_of(weights)
        found = self.examples(weights)
        if not found:
            return Board(np.zeros((channels, side, side), np.uint8), mask("everything", side))
        return Board(found[0], mask("lower half", side), "0")

    def start(self, weights):
        return "" if self.empty else self.first(weights).text

    def build(self, weights):
        sheet = board(self.start(weights), {"mask": asdict(MASKED)}, {name: MASKS[name] for name in self.masks})
        shown = tiles(self.strip(weights), elem_classes=["strip"])
        with gr.Accordion("Upload a picture", open=False):
            upload = CheckedImage(label=self.upload, height=180)
        return [sheet, shown, upload]

    def strip(self, weights: str) -> str:
        """The examples to click."""
        return tiles_html([as_picture(pixels) for pixels in self.examples(weights)], words="example")

    def check(self, weights, value):
        return self.first(weights) if value in ("", None) else board_of(weights, value)

    def updates(self, weights, value, **needs):
        return [value, self.strip(weights), gr.skip()]

    def follow(self, weights, value, **needs):
        if not value or not isinstance(value, str):
            return self.start(weights)
        bits, number = ["", "", *value.split(".")][-2:]
        found = self.examples(weights)
        try:  # a drawing stays, of an example the one in the same place comes instead
            if not number.isdecimal() or int(number) >= len(found):
                return board_of(weights, value).text
            channels, side = shape_of(weights)
            shape = f"{channels}.{side}.{base64.b64encode(bytes(channels * side * side)).decode()}.{bits}"
            return board_of(weights, shape)._replace(pixels=found[int(number)], example=number).text
        except gr.Error:
            return self.first(weights).text

    def restored(self, weights, value):
        return value or self.start(weights)

    def put(self, weights: str, text: Any, pixels: np.ndarray, example: str = "") -> str:
        """A picture on the board, which keeps its mask; the lower half is unknown where the mask said nothing."""
        unknown = self.check(weights, text).unknown
        if unknown is not None and (unknown.all() or not unknown.any()):
            unknown = mask("lower half", len(unknown))
        return Board(pixels, unknown, example).text

    def changes(self, components):
        sheet, shown, upload = components

        def example(weights: str, text: str, event: gr.EventData) -> str:
            found = self.examples(weights)
            number = integer(event.index, 0, len(found) - 1, "Example")
            return self.put(weights, text, found[number], str(number))

        def uploaded(weights: str, text: str, image: PIL.Image.Image | None) -> str:
            if image is None:
                raise gr.Error("Upload a picture first.")
            return self.put(weights, text, as_known(weights, image))

        sent = Change(upload.upload, [sheet, upload], uploaded, quick=False)
        return [Change(sheet.drawn), Change(shown.pick, [sheet], example), sent]


@dataclass
class SentPicture(Field):
    """A picture that a caller of the API sends in base64. Verbs get (C, S, S) uint8.

    ``centre``: things on black are centred and scaled. ``black``: no picture is a black one.
    """

    default: str = ""
    centre: bool = True
    black: bool = False

    def check(self, weights, value):
        if self.black and value == "":
            channels, side = shape_of(weights)
            return np.zeros((channels, side, side), np.uint8)
        return as_bytes(picture_for(weights, own_picture(weights, sent_picture(value)), self.centre))[0]


@dataclass
class SentMask(Field):
    """A mask that a caller of the API names, or sends as zeros and ones, row by row. Verbs get (S, S) bool."""

    default: str = "lower half"
    names: Sequence[str] = ()

    def check(self, weights, value):
        _, side = shape_of(weights)
        if isinstance(value, str) and len(value) == side * side and set(value) <= {"0", "1"}:
            return np.array([letter == "1" for letter in value]).reshape(side, side)
        if value not in list(self.names):
            raise gr.Error(f"Unknown must be one of {', '.join(self.names)}, or {side * side} zeros and ones.")
        return mask(value, side)


# ---- classes ----------------------------------------------------------------------------------------------------------


def kinds_of(weights: str) -> list[tuple[str, list[str]]]:
    """The name of each kind of class that the model is conditioned on, and its classes; [] if it is not."""
    try:
        config = catalog.config_of(weights)
        counts = config["arguments"].get("classes") or []
        counts = [int(count) for count in (counts if isinstance(counts, list) else [counts])]
        named = list((config.get("classes") or {}).items())
    except (catalog.WeightsError, KeyError, AttributeError, TypeError, ValueError):
        return []  # the page opens all the same, and the first click says what is wrong
    kinds = []
    for place, count in enumerate(counts):
        title, names = named[place] if place < len(named) else (f"class {place + 1}", [])
        kinds.append((title, [str(name) for name in names[:count]] or [str(number) for number in range(count)]))
    return kinds


@dataclass
class ClassChoice(Choice):
    """A class of one kind that the model may be asked for, hidden where there is none. Verbs get its number, None for any.

    Callers may give its name. ``rank``: which of the kinds.
    """

    label: str = "Class"
    default: str = ANY
    many: bool = True
    rank: int = 0

    def __post_init__(self) -> None:
        self.of = partial(self.choices, place=self.rank)

    @staticmethod
    def choices(weights: str, place: int) -> dict[str, Any]:
        """Settings of the component."""
        kinds = kinds_of(weights)
        # where there are none the field is hidden; but a link for other weights must find its number among the choices
        title, names = kinds[place] if place < len(kinds) else ("class", list("0123456789"))
        choices = [("Any", ANY), *((name, str(index)) for index, name in enumerate(names))]
        return dict(choices=choices, value=ANY, label=title.capitalize(), visible=place < len(kinds))

    @staticmethod
    def unused(weights: str) -> list[str]:
        """Names of classes of the pictures that the model was trained on, which it was not conditioned on."""
        return [name for names in (catalog.config_of(weights).get("classes") or {}).values() for name in names]

    def check(self, weights, value):
        settings = self.settings(weights)
        if not settings["visible"] and value in self.unused(weights):
            return None
        names = {name: number for name, number in settings["choices"][1:]}
        if isinstance(value, str) and value in names and value not in names.values():
            value = names[value]
        number = one_of(value, [number for _, number in settings["choices"]], self.label)
        return int(number) if number != ANY and settings["visible"] else None


def masked(picture: np.ndarray, hidden: np.ndarray) -> PIL.Image.Image:
    """A grey picture (S, S) uint8 whose ``hidden`` pixels are transparent."""
    alpha = np.where(hidden, 0, 255).astype(np.uint8)
    return PIL.Image.fromarray(np.stack([np.where(alpha, picture, 0), alpha], axis=-1))

