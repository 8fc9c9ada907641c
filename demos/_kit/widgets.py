"""The components with scripts of their own; the scripts lie in ``demos/_widgets``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
import PIL.Image

from demos._kit.inputs import CheckedBoard
from demos._kit.pictures import LARGE, photo_uri
from demos._widgets import script, text_of

TILE_JS = script("tiles")


def tiles(value: str = "", **settings: Any) -> gr.HTML:
    """A grid from :func:`tiles_html`; its ``pick`` event carries ``index``."""
    classes = ["result", *settings.pop("elem_classes", [])]
    return gr.HTML(value, js_on_load=TILE_JS, elem_classes=classes, **settings)


COMPARE_HTML = text_of("before_after.html")


COMPARE_JS = script("zoom") + "\n" + script("before_after", LARGE=LARGE)


def starter(run: str = "") -> gr.HTML:
    """Nothing to see; a new text in it triggers ``submit``, so that what an event changed in the page is there when work begins.

    ``run``: the id of the view that the work fills; the text is the token of its latest run, and what older runs send is dropped.
    """
    name = f"{run}-run" if run else None
    return gr.HTML("", html_template="", js_on_load=script("starter", RUN=run), visible="hidden", elem_id=name)


def guarded_html(component: Callable[..., gr.HTML], run: str, value: str = "", **settings: Any) -> gr.HTML:
    """A component with the id ``run`` that shows nothing of an older run than its view's latest."""
    made = component(value, elem_id=run, **settings)
    made.js_on_load = script("guard", RUN=run) + "\n" + (made.js_on_load or "")
    return made


def note_line(run: str, value: str = "") -> gr.HTML:
    """The line under a view, which knows whether the view's latest run is still at work."""
    return gr.HTML(value, js_on_load=script("guard", RUN=run), elem_classes=["flush"])


BEGIN_JS = "() => String(Math.random())"
"""A new text for a :func:`starter`."""


def compare(value: str = "", **settings: Any) -> gr.HTML:
    """Two pictures one over the other with a border to drag; its value comes from :func:`compared`, "": nothing is shown.

    The border stays where it is when the pictures change. A ``spot`` in the value, (x, y, zoom), is what is looked at
    first. The CSS variable ``--strength`` of its frame says how much of the second picture is mixed with the first.
    """
    classes = ["result", *settings.pop("elem_classes", [])]
    return gr.HTML(value, html_template=COMPARE_HTML, js_on_load=COMPARE_JS, elem_classes=classes, **settings)


def compared(before: PIL.Image.Image, after: PIL.Image.Image, names: Sequence[str], busy: bool = False, **more: Any) -> str:
    """What :func:`compare` shows: pictures of one size, their names, whether the second still changes; ``strength``, if given."""
    state = dict(before=photo_uri(before), after=photo_uri(after), names=list(names), busy="true" if busy else "false")
    return json.dumps(state | more)


def spot(value: str = "", **settings: Any) -> gr.HTML:
    """A picture into which one points; its event ``place`` carries ``across`` and ``down``, shares of its sides."""
    return gr.HTML(value, js_on_load=script("spot"), elem_classes=["spot", *settings.pop("elem_classes", [])], **settings)


def board(value: str, modes: Mapping[str, Any], masks: Mapping[str, Sequence[Any]] | None = None, **settings: Any) -> gr.HTML:
    """A drawing board; its event ``drawn`` follows each stroke. ``board.js`` says what its value is.

    ``modes``: name -> what one draws with, a :class:`~demos._kit.boards.Mode` as a dictionary; ``masks``: name -> label of the
    button, and top, left, bottom, right of what is then unknown as shares of the side.
    """
    js = script("board", MODES=modes, MASKS=masks or {})
    return gr.HTML(value, html_template=text_of("board.html"), js_on_load=js, **settings)


def sketchpad() -> CheckedBoard:
    """A black drawing board of 280 x 280 that is ready for the first stroke."""
    board = PIL.Image.new("RGB", (280, 280), "black")
    return CheckedBoard(
        {"background": board, "layers": [], "composite": board}, type="pil", show_label=False, layers=False, height=380,
        canvas_size=(280, 280), brush=gr.Brush(default_size=18, colors=["#ffffff", "#b0b0b0", "#606060"], color_mode="fixed"),
        eraser=gr.Eraser(default_size=18), transforms=(), sources=(), buttons=[],
    )  # fmt: skip
