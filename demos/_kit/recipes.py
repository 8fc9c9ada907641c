"""Recipes in saved pictures, links, QR codes."""

from __future__ import annotations

import html
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import gradio as gr
import PIL.Image
import PIL.PngImagePlugin
from gradio.components.base import Component

from demos._kit.events import HEAVY, error_boundary
from demos._kit.pictures import data_uri
from demos._server import gpu, request_log
from demos._widgets import script
from gen_models import catalog

MAX_SEED = 2**31 - 1


MAX_QR = 1500
"""Characters of an address that a telephone still reads from a screen."""


RECIPE_KEY = "gallery-recipe"


def weights_digest(controls: Mapping[str, Any]) -> str:
    """SHA-256 of the weights that the controls name; "": they name none."""
    name = controls.get("weights")
    return catalog.config_of(name)["sha256"] if name in catalog.trained() else ""


@dataclass
class Room:
    """A room as the front door sees it."""

    model: str
    """The name of its file, which is its model's, if it has one."""
    controls: dict[str, Component] = field(default_factory=dict)
    """What a recipe holds: key -> component with a plain value."""
    show: Callable[..., Sequence[Any]] | None = None
    """Takes the controls' values and returns what the room shows for them, one value per component of ``shown``."""
    shown: Sequence[Component] = ()
    digest: Callable[[Mapping[str, Any]], str] = weights_digest
    """Takes the controls by key and returns the hash of the weights that they use."""
    migrate: Callable[[dict[str, Any]], dict[str, Any]] = lambda controls: controls
    """Controls of an older link or saved picture, by key -> today's."""
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of controls whose choices depend on others: all values that they may have."""


def recipe_of(
    room: str, keys: Sequence[str], values: Sequence[Any], digest: Callable[[Mapping[str, Any]], str] = weights_digest
) -> dict[str, Any]:
    """What to write into a saved picture: room, controls, and the hash of the weights used."""
    controls = dict(zip(keys, values, strict=True))
    return {"room": room, "controls": controls, "sha256": digest(controls)[:16]}


def rooms() -> list[str]:
    """The names of all rooms, from the files here."""
    return sorted(file.stem for file in Path(__file__).parents[1].glob("[!_]*.py"))


def room_of(weights: str) -> str:
    """The query of the link to the room of trained weights: that of their model, else the first one of its family; "": none."""
    model = weights.partition("-")[0]
    family = catalog.names()[model]
    near = [name for name in rooms() if catalog.names().get(name) == family]
    name = model if model in near else min(near, key=lambda name: catalog.about(name)["year"], default="")
    return "?" + urlencode({"room": name, "state": json.dumps({"weights": weights})}) if name else ""


@request_log.encoding
def png_with_recipe(frames: Sequence[PIL.Image.Image], recipe: dict[str, Any], milliseconds: int = 80) -> bytes:
    """One picture, or several as an animated PNG, with the recipe as text."""
    info = PIL.PngImagePlugin.PngInfo()
    info.add_text(RECIPE_KEY, json.dumps(recipe))
    stream = io.BytesIO()
    first, *rest = frames
    animated = dict(save_all=True, append_images=rest, duration=milliseconds, loop=0) if rest else {}
    first.save(stream, "PNG", pnginfo=info, **animated)
    return stream.getvalue()


def read_recipe(file: str | os.PathLike) -> dict[str, Any]:
    """The recipe of a saved picture.

    Raises:
        gr.Error: if there is none.
    """
    sentence = "This picture carries no recipe: only pictures saved in this gallery do."
    try:
        with PIL.Image.open(file, formats=("PNG",)) as image:
            recipe = json.loads(image.info[RECIPE_KEY])
    except Exception as error:
        raise gr.Error(sentence) from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("controls"), dict) or recipe.get("room") not in rooms():
        raise gr.Error(sentence)
    return recipe


DOWNLOAD_JS = script("download")


def save_button(room: Room, make: Callable[..., Sequence[PIL.Image.Image]], extra: Sequence[Component] = (),
                label: str = "Save picture", view: str = "") -> gr.Button:  # fmt: skip
    """A button that downloads what ``make(*controls, *extra)`` returns, one picture or the frames of an animation."""
    keys, inputs = list(room.controls), [*room.controls.values(), *extra]

    @error_boundary
    @gpu.cpu_only
    def save(*values: Any) -> str:
        controls = values[: len(keys)]
        recipe = recipe_of(room.model, keys, controls, room.digest)
        content = png_with_recipe(make(*values), recipe | ({"view": view} if view else {}))
        stem = "-".join(str(part) for part in (dict(zip(keys, controls, strict=True)).get("weights", room.model), view) if part)
        return f"{stem}.png|{data_uri(content)}"

    button = gr.Button(label, size="sm", elem_classes=["quiet"])
    carrier = gr.Textbox(visible="hidden", show_label=False)
    button.click(save, inputs, carrier, show_progress="hidden", **HEAVY).success(None, carrier, None, js=DOWNLOAD_JS)
    return button


def link_button(room: Room) -> gr.Button:
    """A button that puts the room's state into the address bar and on the clipboard, and one that shows it as a QR code."""
    button = gr.Button("Copy link", size="sm", elem_classes=["quiet"])
    code = gr.Button("QR code", size="sm", elem_classes=["quiet"])
    carrier = gr.Textbox(visible="hidden", show_label=False)
    state = STATE_JS.replace("THE_KEYS", json.dumps(list(room.controls))).replace("THE_ROOM", json.dumps(room.model))
    controls = list(room.controls.values())
    button.click(None, controls, button, js=f"async (...values) => {{ {state} {COPY_JS} }}", api_visibility="private")
    # the link is made in the browser, which alone knows by which address the page is reached, and travels in place of a control
    code.click(
        error_boundary(lambda link, *_: qr_code(link)), [carrier, *controls], carrier,
        js=f"(_, ...values) => {{ {state} return [link.href, ...values]; }}", show_progress="hidden", queue=False,
        trigger_mode="multiple", api_visibility="private",
    ).success(None, carrier, None, js=QR_JS)  # fmt: skip
    return button


STATE_JS = """const keys = THE_KEYS, state = {};
keys.forEach((key, index) => state[key] = values[index]);
const link = new URL(window.location.href);
link.search = ''; link.searchParams.set('room', THE_ROOM); link.searchParams.set('state', JSON.stringify(state));"""


COPY_JS = f"return ({script('copy_link')})(link);"


QR_JS = script("qr")


def qr_code(link: Any) -> str:
    """An address of this page as a QR code, an SVG element with a line of text under it.

    With an address that only this machine understands, the text says so.

    Raises:
        gr.Error: if it is no address or holds too much for a code that a telephone can read.
    """
    import segno

    parts = urlsplit(link if isinstance(link, str) else "")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise gr.Error("There is no address to show.")
    words = "Scan it with a phone to open this room as it is now."
    if parts.hostname in ("127.0.0.1", "localhost", "::1"):
        words = "This address works only on this computer; a phone cannot open it."
    if len(link) > MAX_QR:
        raise gr.Error("What this room shows is too much for a QR code; save the picture or copy the link.")
    code = segno.make(link, error="l", micro=False).svg_inline(scale=8, border=3, dark="#14133a", light="#ffffff", omitsize=True)
    return f"{code}<p>{html.escape(words)}</p>"
