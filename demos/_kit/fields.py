"""What a visitor sets: each field is one setting, written once, with its widget, its check, its place in recipes and links, and
what of it depends on the weights.

A field's *value* is what its first component holds and what a recipe keeps; :meth:`Field.check` turns it into what verbs get.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gradio as gr
import PIL.Image
from gradio.components.base import Component

from demos._kit.checks import integer, number, one_of
from demos._kit.events import ROLL_JS
from demos._kit.faces import own_picture
from demos._kit.inputs import CheckedImage, CheckedNumber, drawing, sent_picture
from demos._kit.layout import seed_row
from demos._kit.markup import tiles_html
from demos._kit.pictures import as_text, photo_uri
from demos._kit.recipes import MAX_SEED
from demos._kit.widgets import sketchpad, tiles

CONTROLS, MORE, RESULT, NOWHERE = "controls", "more", "result", ""
"""Where a field stands: beside the main view, in the accordion under it, under the main view, or hidden. Any other place is the
title of a view."""
BROUGHT = ("upload", "drawing")
"""Values of a field of pictures that say that the visitor brought the picture."""
LETTERS = 20_000
"""Characters of a text field's value that are looked at."""
PICTURE_LETTERS = 4500
"""Characters of a picture that fits into a link."""


class Change(NamedTuple):
    """One way in which a visitor changes a field."""

    event: Callable[..., Any]
    """The event of a component."""
    inputs: Sequence[Component] = ()
    """Components whose values ``value`` takes, after the weights; empty: the field's own component holds the value already."""
    value: Callable[..., Any] | None = None
    """(weights, *inputs) -> the field's new value."""
    entire: bool = False
    """All of the field's components are set to that value, by :meth:`Field.updates`, not the first one alone."""
    settled: Callable[..., Any] | None = None
    """An event at which views that stream begin, where they should not at each ``event``."""
    quick: bool = True
    """Answered while it is dragged or typed, beside the queue."""
    js: str | None = None
    """Run in the browser in the place of ``value``, before anything is sent; returns the new value."""


@dataclass
class Field:
    """One setting. ``redo``: views that read it are computed again when it changes; ``kept``: it is in recipes and links.

    ``needs``: other fields whose values (not checked) all of its methods get by name, after the weights and its own; when one of
    these changes, it follows.
    """

    label: str = ""
    default: Any = None
    info: str | None = None
    place: str = CONTROLS
    redo: bool = True
    kept: bool = True
    when: tuple[str, Sequence[str]] | None = None
    """It is shown only while another field, a :class:`Choice`, has one of these values: (its name, values)."""
    needs: tuple[str, ...] = ()
    in_page: str = ""
    """JavaScript, ``(value) => ...``, that is run in the browser when it changes."""

    def settings(self, weights: str) -> dict[str, Any]:
        """What of the first component depends on the weights, as arguments of its constructor; {}: nothing."""
        return {}

    def depends(self, weights: str) -> bool:
        """Whether it begins anew when the weights change."""
        return bool(self.settings(weights))

    def start(self, weights: str) -> Any:
        """The value that it has at first, for these weights."""
        return self.settings(weights).get("value", self.default)

    def build(self, weights: str) -> list[Component]:
        """Make the components; the first one holds the value. Called where they shall stand in the page."""
        raise NotImplementedError

    def extras(self, components: Sequence[Component]) -> Sequence[Component]:
        """Those components besides the first one whose values :meth:`check` takes."""
        return ()

    def check(self, weights: str, value: Any, *extras: Any) -> Any:
        """The value as verbs take it.

        Raises:
            gr.Error: one sentence, if it is none.
        """
        raise NotImplementedError

    def follow(self, weights: str, value: Any, *extras: Any, **needs: Any) -> Any:
        """Its value once the weights, or a field that it needs, have changed; ``extras`` as for :meth:`check`."""
        return self.start(weights)

    def restored(self, weights: str, value: Any) -> Any:
        """Its value when a link or a saved picture holds this one."""
        return value

    def updates(self, weights: str, value: Any, **needs: Any) -> list[Any]:
        """What each component becomes when the field is set to a value, by a link or by an action."""
        return [value]

    def changes(self, components: Sequence[Component]) -> list[Change]:
        """The ways in which a visitor changes it."""
        return [Change(components[0].input)]


@dataclass
class Slider(Field):
    """A number; whole if the step is. ``live``: answered while it is dragged, else when it is let go. ``bounds``: what links and
    callers of the API may give, where that is more than the slider shows.
    """

    low: float = 0
    high: float = 1
    step: float = 0.01
    live: bool = True
    bounds: tuple[float, float] | None = None

    def build(self, weights):
        look = dict(step=self.step, label=self.label, info=self.info, min_width=140) | self.settings(weights)
        return [gr.Slider(self.low, self.high, self.default, **look)]

    def updates(self, weights, value, **needs):
        settings = self.settings(weights)
        return [gr.update(value=value, **settings) if settings else value]

    def check(self, weights, value):
        low, high = self.bounds or (self.low, self.high)
        return (integer if self.step == int(self.step) else number)(value, low, high, self.label)

    def changes(self, components):
        slider = components[0]
        return [Change(slider.input, settled=slider.release) if self.live else Change(slider.release, quick=False)]


@dataclass
class Number(Slider):
    """A number to type, taken at Enter or when the field is left; for one that spans magnitudes."""

    def build(self, weights):
        return [CheckedNumber(self.default, label=self.label, info=self.info, minimum=self.low, maximum=self.high, min_width=140)]

    def changes(self, components):
        return [Change(components[0].submit), Change(components[0].blur)]


@dataclass
class Hidden(Slider):
    """A whole number that the page keeps and nobody sees, such as which of several results is shown large; an action sets it."""

    step: float = 1
    place: str = NOWHERE

    def build(self, weights):
        return [gr.Number(self.default, minimum=self.low, maximum=self.high, visible="hidden", show_label=False)]

    def changes(self, components):
        return []


@dataclass
class Choice(Field):
    """One of several, as chips or, if ``many``, as a list to open. ``of`` gives choices and value that depend on the weights."""

    options: Sequence[str] | Sequence[tuple[str, str]] = ()
    of: Callable[[str], dict[str, Any]] | None = None
    """Weights -> ``choices``, ``value`` and whatever else of the component depends on these."""
    many: bool = False

    def settings(self, weights):
        return self.of(weights) if self.of else {}

    def build(self, weights):
        shown = dict(choices=list(self.options), value=self.default) | self.settings(weights)
        kind = gr.Dropdown if self.many else gr.Radio
        look = {} if self.many else dict(elem_classes=["chips"])
        return [kind(**dict(label=self.label, info=self.info, min_width=140) | look | shown)]

    def check(self, weights, value):
        options = self.settings(weights).get("choices", self.options)
        return one_of(value, [option[1] if isinstance(option, tuple) else option for option in options], self.label)

    def updates(self, weights, value, **needs):
        kind = gr.Dropdown if self.many else gr.Radio
        return [kind(**(self.settings(weights) | {"value": value})) if self.of else value]


@dataclass
class Check(Field):
    """Yes or no."""

    default: bool = False

    def build(self, weights):
        return [gr.Checkbox(self.default, label=self.label, info=self.info)]

    def check(self, weights, value):
        if not isinstance(value, bool):
            raise gr.Error(f"{self.label} is either on or off.")
        return value


@dataclass
class Seed(Field):
    """A seed with dice beside it."""

    label: str = "Seed"
    default: int = 0

    def build(self, weights):
        return list(seed_row(self.default))

    def check(self, weights, value):
        return integer(value, 0, MAX_SEED, self.label)

    def updates(self, weights, value, **needs):
        return [value, gr.skip()]

    def changes(self, components):
        seed, dice = components
        return [Change(seed.submit), Change(dice.click, js=ROLL_JS)]


@dataclass
class Text(Field):
    """A text that the page keeps and nobody sees, such as latents; ``read`` makes of it what verbs get."""

    default: str = ""
    place: str = NOWHERE
    read: Callable[[str, str], Any] = lambda weights, text: text
    """(weights, text) -> what verbs get; raises gr.Error with one sentence."""

    def build(self, weights):
        return [gr.Textbox(self.start(weights), visible="hidden", show_label=False)]

    def check(self, weights, value):
        if not isinstance(value, str | None) or len(value or "") > LETTERS:
            raise gr.Error(f"{self.label or 'This'} cannot be read.")
        return self.read(weights, value or "")

    def changes(self, components):
        return []


@dataclass
class Picks(Text):
    """Numbers of tiles, 0 to ``most`` - 1, with commas between them; verbs get a list."""

    most: int = 64

    def check(self, weights, value):
        parts = str(value)[:100].split(",")
        if len(parts) != len(self.default.split(",")):
            raise gr.Error("This names too many or too few pictures.")
        return [integer(int(part) if part.isdecimal() else None, 0, self.most - 1, "Sample number") for part in parts]


@dataclass
class Sliders(Text):
    """Many sliders behind one text, such as the latents of a VAE.

    ``shown`` gives the settings of each slider for a value of the text; ``moved`` the text after one of them moved. The first
    ``visible`` stand beside the main view, the others in an accordion with the title ``rest``.
    """

    place: str = CONTROLS
    count: int = 16
    visible: int = 8
    rest: str = "More"
    low: float = -3
    high: float = 3
    shown: Callable[[str, str], list[dict[str, Any]]] = lambda weights, text: []
    moved: Callable[[str, str, int, Any], str] = lambda weights, text, rank, value: text
    begin: Callable[[str], str] = lambda weights: ""
    """Weights -> the text at first."""
    ends: Callable[[str], str] = lambda weights: ""
    """Weights -> the address of a row of square pictures: what the lower ends of all sliders give, then their upper ends."""
    number: int = field(default_factory=itertools.count().__next__)
    """What tells its sliders from those of other rooms on the page."""

    def depends(self, weights):
        return True

    def start(self, weights):
        return self.begin(weights)

    def build(self, weights):
        def sliders(first: int, last: int | None = None) -> list[Component]:
            look = [["ends", f"ends-{self.number}", f"end-{rank}"] for rank in range(self.count)]
            shown = list(zip(self.shown(weights, self.start(weights)), look, strict=True))[first:last]
            return [gr.Slider(self.low, self.high, step=0.05, elem_classes=classes, **settings) for settings, classes in shown]

        made = sliders(0, self.visible)
        with gr.Accordion(self.rest, open=False):
            made += sliders(self.visible)
        return [*super().build(weights), *made, gr.HTML(self.style(weights), visible="hidden")]

    def style(self, weights: str) -> str:
        """The pictures at the ends of the sliders, as a style sheet."""
        row = self.ends(weights) if weights else ""
        if not row:
            return ""
        places = "".join(f".ends-{self.number}.end-{rank}{{--rank:{rank}}}" for rank in range(self.count))
        return f'<style>.ends-{self.number}{{--row:url("{row}");--thumb:44px;--count:{self.count}}}{places}</style>'

    def updates(self, weights, value, **needs):
        return [value, *(gr.Slider(**settings) for settings in self.shown(weights, value)), self.style(weights)]

    def changes(self, components):
        text, *sliders, _ = components

        def mover(rank: int) -> Callable[[str, str, Any], str]:
            return lambda weights, before, value: self.moved(weights, before, rank, value)

        return [Change(slider.input, [text, slider], mover(rank)) for rank, slider in enumerate(sliders)]


@dataclass
class Picture(Field):
    """A picture: one of the examples, an upload and, with ``draw``, a drawing. Verbs get an RGB picture.

    Its value is ``example 0``, ``upload`` or ``drawing``: what a visitor brought cannot be in a link.
    """

    label: str = "Your picture"
    default: str = "example 0"
    examples: Callable[..., list[PIL.Image.Image]] = lambda weights: []
    """(weights, and what it needs by name) -> pictures."""
    examples_words: str = ""
    """A sentence above the examples: what they are."""
    draw: bool = False
    columns: int = 4

    def depends(self, weights):
        return True

    def build(self, weights):
        # a column that is shown again shows what is hidden in it, too
        source = gr.Textbox(self.default, visible="hidden", show_label=False, elem_classes=["never"])
        with gr.Tabs(elem_classes=["sources"]):
            with gr.Tab("Examples"):
                if self.examples_words:
                    gr.Markdown(self.examples_words)
                shown = tiles(self.tiles(weights, **self.at_first(weights)), elem_classes=["smooth", "flush"])
            if self.draw:
                with gr.Tab("Draw"):  # not the first: a drawing board repaints all the time, and only an open tab is in the page
                    board = sketchpad()
                    look = gr.Button("Look at my drawing", variant="primary")
            with gr.Tab("Upload"):
                upload = CheckedImage(label=self.label, height=170)
        return [source, shown, upload, *([board, look] if self.draw else [])]

    def at_first(self, weights: str) -> dict[str, Any]:
        """The values of the fields that it needs before anybody set them."""
        return {}

    def tiles(self, weights: str, **needs: Any) -> str:
        """The examples as HTML."""
        pictures = self.examples(weights, **needs) if weights else []
        small = [p.resize((128, max(1, round(128 * p.height / p.width)))) if p.width > 128 else p for p in pictures]
        return tiles_html([photo_uri(picture) for picture in small], columns=self.columns, words="example")

    def extras(self, components):
        return [components[2], *components[3:4]]

    def check(self, weights, value, upload=None, board=None, **needs):
        word, _, place = str(value).partition(" ")
        if word == "example" and place.isdecimal() and len(place) < 4:
            found = self.examples(weights, **needs)
            if not found:
                raise gr.Error("There are no examples for these weights: upload a picture.")
            return found[integer(int(place), 0, len(found) - 1, "Example")].convert("RGB")
        if value == "drawing":
            return self.own(weights, drawing(board), **needs)
        if value != "upload" or upload is None:
            raise gr.Error("Upload a picture first, or take an example.")
        return self.own(weights, upload, **needs)

    def own(self, weights: str, picture: PIL.Image.Image, **needs: Any) -> PIL.Image.Image:
        """A picture that the visitor brought, as verbs get it."""
        return own_picture(weights, picture)

    def follow(self, weights, value, *extras, **needs):
        word, _, place = str(value).partition(" ")
        if value in BROUGHT:
            return value  # what the visitor brought stays
        if word != "example" or not place.isdecimal():
            return self.default
        return f"example {max(0, min(int(place), len(self.examples(weights, **needs)) - 1))}"

    def restored(self, weights, value):
        if value not in BROUGHT:
            return value
        gr.Warning("This was made from a visitor's own picture, which is not part of the link; here is an example instead.")
        return self.default

    def updates(self, weights, value, **needs):
        return [value, self.tiles(weights, **needs), *[gr.skip()] * (3 if self.draw else 1)]

    def changes(self, components):
        shown, upload = components[1:3]

        def taken(weights: str, event: gr.EventData) -> str:
            return f"example {integer(event.index, 0, 999, 'Example')}"

        found = [Change(shown.pick, [], taken), Change(upload.upload, [], lambda weights: "upload", quick=False)]
        if self.draw:
            found.append(Change(components[4].click, [], lambda weights: "drawing", quick=False))
        return found


@dataclass
class SmallPicture(Picture):
    """A picture that links and saved pictures hold even if a visitor brought it, because it is kept small.

    Its value is ``example 0``, or the picture's file as text.
    """

    small: Callable[[str, PIL.Image.Image], PIL.Image.Image] = lambda weights, picture: picture
    """(weights, what a visitor brought) -> what is kept of it."""

    def extras(self, components):
        return ()

    def check(self, weights, value, upload=None, board=None, **needs):
        if value == "upload" and upload is not None:
            return self.small(weights, upload)
        if not isinstance(value, str) or value == "upload" or value.startswith("example "):
            return super().check(weights, value, **needs)
        if len(value) > PICTURE_LETTERS:
            raise gr.Error("This picture is too large for a link; upload it.")
        return sent_picture(value)

    def follow(self, weights, value, *extras, **needs):
        brought = isinstance(value, str) and value and not value.startswith("example ")
        return value if brought else super().follow(weights, value, *extras, **needs)

    def restored(self, weights, value):
        return value or self.default

    def changes(self, components):
        picked, brought = super().changes(components)

        def kept(weights: str, picture: PIL.Image.Image) -> str:
            return as_text(self.check(weights, "upload", picture), PICTURE_LETTERS)

        return [picked, brought._replace(inputs=[components[2]], value=kept)]
