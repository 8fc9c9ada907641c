"""The drawing board: what one draws with, and the field whose value is a drawing."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import gradio as gr
import PIL.Image

from demos._kit.checks import integer, is_number, one_of
from demos._kit.fields import Change, Field
from demos._kit.inputs import CheckedImage, sent_picture
from demos._kit.markup import tiles_html
from demos._kit.pictures import png_uri
from demos._kit.widgets import board, tiles

LONGEST = 6000
"""Letters of a drawing that a link can hold."""
LARGEST = 6_000_000
"""Letters of a board that are looked at."""
UNREADABLE = "The board cannot be read; clear it and begin again."


@dataclass(frozen=True)
class Mode:
    """What one draws with. Colours are ``#rrggbb``."""

    tools: Mapping[str, str] = field(default_factory=lambda: {"brush": "Brush", "eraser": "Eraser"})
    """``box``, ``brush``, ``eraser`` -> its name in the page; the first one is at hand."""
    inks: Mapping[str, str] = field(default_factory=dict)
    """Name -> colour; "" makes pixels unknown, where the board has a mask."""
    picker: bool = False
    """Any colour can be chosen, where pictures have colours."""
    ground: str = "#ffffff"
    """The colour of an empty board."""
    ink: str = "#000000"
    """The colour at first."""
    widths: tuple[int, int] = (5, 16)
    """Of brush and eraser at first, in pixels of the picture."""
    reach: tuple[float, ...] = ()
    """Radius of the brush, and of what makes black or unknown, as shares of the side, where one cannot choose the width."""
    hard: bool = False
    """Pictures hold the inks and no other colours, so strokes have no soft edges."""


MASKED = Mode(
    {"brush": "Brush"}, {"White": "#ffffff", "Grey": "#808080", "Black": "#000000", "Unknown": ""}, picker=True, ground="#000000",
    ink="#ffffff", reach=(1.6 / 28, 2.2 / 28),
)  # fmt: skip
"""For pictures of which a part is unknown; its name is ``mask``."""


@dataclass(frozen=True)
class Drawing:
    """What is on a board."""

    picture: PIL.Image.Image
    """RGB, in the size of the weights."""
    example: int = -1
    """Which of the examples it is; -1: none."""
    words: str = ""
    """What was done to an upload."""

    @property
    def text(self) -> str:
        """It as few letters, for links and saved pictures; "" if they would be too many."""
        return f"example {self.example}" if self.example >= 0 else _text(self.picture.size, self.picture.tobytes())


@lru_cache(maxsize=8)  # a stroke asks for it twice
def _text(size: tuple[int, int], pixels: bytes) -> str:
    stream = io.BytesIO()
    PIL.Image.frombytes("RGB", size, pixels).save(stream, "WEBP", lossless=True, quality=50, method=2)
    text = base64.urlsafe_b64encode(stream.getvalue()).decode()
    return text if len(text) <= LONGEST else ""


@dataclass
class Board(Field):
    """A drawing board with examples to click and an upload under it; rooms say what is drawn. Verbs get a :class:`Drawing`.

    What is kept is its text; a drawing with too much detail for that has none.
    """

    label: str = "The board"
    default: str = "example 0"
    modes: Mapping[str, Mode] = field(default_factory=dict)

    def mode(self, weights: str) -> str:
        """The name of the mode."""
        raise NotImplementedError

    def examples(self, weights: str) -> list[PIL.Image.Image]:
        """Drawings to begin with."""
        return []

    def fit(self, weights: str, picture: PIL.Image.Image) -> PIL.Image.Image:
        """A picture in the size and the colours that the weights know, RGB."""
        raise NotImplementedError

    def ways(self, weights: str) -> Sequence[str]:
        """What an upload may be, if that is open."""
        return ()

    def uploaded(self, weights: str, picture: PIL.Image.Image, way: str) -> tuple[PIL.Image.Image, str]:
        """An upload as a drawing, and a sentence on what was done to it; ``way``: one of the ways, if there are any."""
        return self.fit(weights, picture), ""

    def upload_words(self, weights: str) -> str:
        """What may be uploaded."""
        return ""

    # ---- drawings and their texts -------------------------------------------------------------------------------------

    def first(self, weights: str) -> Drawing:
        """The first example; without examples an empty board."""
        found = self.examples(weights)
        blank = PIL.Image.new("RGB", (1, 1), self.modes[self.mode(weights)].ground)
        return Drawing(found[0], 0) if found else Drawing(self.fit(weights, blank))

    def packed(self, weights: str, drawing: Drawing) -> str:
        """A drawing as the board takes it."""
        name, picture = self.mode(weights), drawing.picture
        if self.modes[name].hard:  # a third as large, and the first one is in the page
            few = PIL.Image.new("P", (1, 1))
            few.putpalette(bytes.fromhex("".join(colour[1:] for colour in self.modes[name].inks.values())))
            picture = picture.quantize(palette=few, dither=PIL.Image.Dither.NONE)
        sent = {"mode": name, "picture": png_uri(picture, 9), "example": drawing.example}
        return json.dumps(sent | ({"words": drawing.words} if drawing.words else {}))

    def unpacked(self, weights: str, text: str) -> Drawing:
        """The drawing that a board holds.

        Raises:
            gr.Error: if it is no board.
        """
        try:
            sent = json.loads(text[:LARGEST])
            picture, example, words = sent["picture"], sent.get("example", -1), str(sent.get("words", ""))[:300]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise gr.Error(UNREADABLE) from error
        example = int(example) if is_number(example, -1, len(self.examples(weights)) - 1) else -1
        return Drawing(self.fit(weights, sent_picture(picture, LARGEST)), example, words)

    def read(self, weights: str, text: str) -> Drawing:
        """The drawing that :attr:`Drawing.text` describes.

        Raises:
            gr.Error: if it describes none.
        """
        word, _, number = text.partition(" ")
        if word != "example":
            return Drawing(self.fit(weights, sent_picture(text.replace("-", "+").replace("_", "/"), LONGEST)))
        found = self.examples(weights)
        place = int(number) if number.isdecimal() and len(number) < 3 else None
        index = integer(place, 0, max(len(found) - 1, 0), "Example")
        return Drawing(found[index], index) if found else self.first(weights)

    # ---- as a field ---------------------------------------------------------------------------------------------------

    def depends(self, weights):
        return True

    def build(self, weights):
        first = self.first(weights)
        text = gr.Textbox(first.text, visible="hidden", show_label=False)
        sheet = board(self.packed(weights, first), {name: asdict(mode) for name, mode in self.modes.items()})
        shown = tiles(self.strip(weights), elem_classes=["strip", "smooth"])
        with gr.Accordion("Upload a picture", open=False):
            words = gr.Markdown(self.upload_words(weights))
            way = gr.Radio(label="The picture", elem_classes=["chips"], **self.choice(weights))
            upload = CheckedImage(show_label=False, height=180)
        return [text, sheet, shown, words, way, upload]

    def strip(self, weights: str) -> str:
        """The examples to click."""
        return tiles_html(self.examples(weights), words="example")

    def choice(self, weights: str) -> dict[str, Any]:
        """Settings of the choice of what an upload is."""
        ways = list(self.ways(weights))
        return dict(choices=ways, value=ways[0] if ways else None, visible=bool(ways))

    def extras(self, components):
        return components[1:2]

    def check(self, weights, value, sheet=None):
        """A text in braces is a board; else what the board holds goes before the text."""
        if not isinstance(value, str):
            raise gr.Error(UNREADABLE)
        if value.startswith("{") or sheet:
            return self.unpacked(weights, value if value.startswith("{") else str(sheet))
        return self.read(weights, value)

    def start(self, weights):
        return self.first(weights).text

    def follow(self, weights, value, sheet=None, **needs):
        """A visitor's own drawing stays if these weights know its like."""
        try:
            sent = json.loads(str(sheet)[:LARGEST])
            alike = sent["mode"] == self.mode(weights) and sent["example"] == -1
            drawing = self.unpacked(weights, str(sheet)) if alike else None
        except (ValueError, KeyError, TypeError, RecursionError, gr.Error):
            drawing = None
        return self.packed(weights, drawing or self.first(weights))

    def restored(self, weights, value):
        if value:
            return value
        gr.Warning("The drawing had too much detail for the link; here is an example instead.")
        return self.start(weights)

    def updates(self, weights, value, **needs):
        drawing = self.check(weights, value)
        choice = gr.Radio(**self.choice(weights))
        return [drawing.text, self.packed(weights, drawing), self.strip(weights), self.upload_words(weights), choice, gr.skip()]

    def changes(self, components):
        text, sheet, shown, _, way, upload = components

        def drawn(weights: str, held: str) -> str:
            return self.unpacked(weights, str(held)).text

        def example(weights: str, event: gr.EventData) -> str:
            found = self.examples(weights)
            index = integer(event.index, 0, len(found) - 1, "Example")
            return self.packed(weights, Drawing(found[index], index))

        def uploaded(weights: str, image: PIL.Image.Image | None, chosen: str | None) -> str:
            if image is None:
                raise gr.Error("Upload a picture first.")
            ways = self.ways(weights)
            picture, said = self.uploaded(weights, image, one_of(chosen, ways, "The picture") if ways else "")
            return self.packed(weights, Drawing(picture, words=said))

        def again(weights: str, held: str, image: PIL.Image.Image | None, chosen: str | None) -> str:
            return str(held) if image is None else uploaded(weights, image, chosen)

        return [
            Change(sheet.drawn, [sheet], drawn), Change(shown.pick, [], example, entire=True),
            # through the queue: what is refused without it leaves an error in the browser's log
            Change(upload.upload, [upload, way], uploaded, entire=True, quick=False),
            Change(way.input, [sheet, upload, way], again, entire=True, quick=False),
        ]  # fmt: skip
