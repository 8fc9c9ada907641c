"""Talk mode, ``python app.py --talk --path vae,pixelcnn``: a page that a speaker trusts.

The type is large and the picture comes first; the rooms of the path follow each other at the press of a clicker (Page Down and Page
Up; B or . makes the screen dark); nothing is asked of the network. Their models have worked before the page answers at all. Where a
live result is late, a prepared one stands in its place, marked as such, until it comes.
"""

from __future__ import annotations

import html
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import gradio as gr
import PIL.Image
from starlette.requests import Request
from starlette.responses import Response

from demos._server.covers import as_webp, headline, main_verb, send_webp, sheet_of
from demos._widgets import script
from gen_models import catalog, load, runtime

LATE = 1500
"""Milliseconds without a word of a result after which the prepared one is shown."""
WIDTH = 1024
"""Pixels across of a prepared result, at most."""
MARK = "Prepared in advance: the live result is late."
STAGE_JS = script("stage")


class PathError(ValueError):
    """A path that cannot be walked; the message is one sentence that names the cure."""


def path_of(text: str | None, rooms: Mapping[str, Sequence[str]]) -> list[str]:
    """``vae,pixelcnn`` -> the rooms in that order; None: all of them, as the page has them.

    Raises:
        PathError: if a room is named that is not there, or none.
    """
    there = [name for members in rooms.values() for name in members]
    if text is None:
        return there
    path = [name.strip() for name in text.split(",") if name.strip()]
    for name in path:
        if name not in there:
            raise PathError(f"there is no room {name!r}{catalog.nearest(name, there)}; there are {', '.join(there)}")
    if not path:
        raise PathError("the path names no room; write them as in --path vae,pixelcnn")
    if len(set(path)) < len(path):
        raise PathError("the path leads through a room twice; name each room once")
    return path


def warmed(path: Sequence[str]) -> Iterator[str]:
    """Let the models of each room work once, and prepare a result; says how long each took the second time, room by room."""
    for room in path:
        if room not in catalog.names():
            continue  # a room of several models loads each when it is its turn
        for name in catalog.trained(room):
            verb, what = main_verb(load(name))
            for _ in range(2):
                began = time.perf_counter()
                with runtime.forward_pass():
                    verb()
                took = time.perf_counter() - began
            yield f"{name}: {what} in {1000 * took:.0f} ms"
        prepared(room)


@lru_cache(maxsize=64)
def prepared(room: str) -> bytes:
    """The sheet of samples of a room's best known weights as WebP; b"" if there is none."""
    name, _ = headline(room)
    sheet = catalog.WEIGHTS / name / "samples.png"
    picture = sheet_of(sheet) if name else None
    if picture is None:
        return b""
    factor = max(1, WIDTH // picture.width)
    shown = picture.convert("RGB").resize((factor * picture.width, factor * picture.height), PIL.Image.Resampling.NEAREST)
    shown.thumbnail((WIDTH, WIDTH))
    return as_webp(shown)


async def send_prepared(request: Request) -> Response:
    """``GET /prepared/<room>.webp``"""
    return await send_webp(prepared, request.path_params["room"], catalog.names())


def stage() -> None:
    """What tells the page that it stands on a stage."""
    mark = f'<i data-late="{LATE}" data-mark="{html.escape(MARK)}"></i>'
    gr.HTML(mark, js_on_load=STAGE_JS, visible="hidden")
