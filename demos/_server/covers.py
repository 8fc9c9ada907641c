"""Pictures of rooms for cards and talks, and what a room is known for; made on request, so that the page stays small."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable, Container, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageOps
import torch
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gen_models import catalog, hub
from gen_models.base import Draws, GenerativeModel, Model, Restorer, Translator

log = logging.getLogger("gallery")

COVER = (384, 256)
"""Pixels of a card's picture."""
START = (512, 512)
"""Pixels of the two pictures of a room with which one may begin."""
SIDES = ("before", "after")
Pair = tuple[PIL.Image.Image, PIL.Image.Image]
"""These two."""
PREVIEW = (1200, 630)
"""Pixels of the picture that a preview of a link shows."""


def headline(model: str) -> tuple[str, dict[str, Any]]:
    """The weights that a room is known for, and their number: what the class names as ``headline``, else the first one measured."""
    key, _, data = catalog.about(model).get("headline", "").rpartition("-")
    at_hand = catalog.trained(model)
    name = f"{model}-{data}" if f"{model}-{data}" in at_hand else next(iter(at_hand), "")
    try:
        numbers = [number for number in hub.read_json(catalog.WEIGHTS / name / "evaluation.json")["measures"] if is_measure(number)]
    except (OSError, ValueError, KeyError, TypeError):
        return name, {}
    return name, next((number for number in numbers if number["key"] == key), numbers[0] if numbers else {})


def is_measure(number: Any) -> bool:
    """Whether an entry of ``evaluation.json`` has what is shown of it."""
    if not isinstance(number, dict):
        return False
    values = [number.get(key) for key in ("value", "error", *(("real", "real_error") if "real" in number else ()))]
    words = [number.get(key) for key in ("key", "measure", "unit")]
    return all(isinstance(word, str) for word in words) and all(
        isinstance(value, int | float) and math.isfinite(value) for value in values
    )


def sheet_of(path: Path) -> PIL.Image.Image | None:
    """The pictures on a sheet beside weights, decoded; None if there is no sheet or it cannot be read, which the log says.

    Of those that Git LFS did not fetch, the program says at its start how many there are.
    """
    if not path.is_file():
        return None
    try:
        with PIL.Image.open(path) as sheet:
            sheet.load()
            return sheet
    except Exception as error:  # whatever a decoder raises
        if not catalog.is_pointer(path):
            log.warning("%s/%s cannot be read: %s", path.parent.name, path.name, type(error).__name__)
        return None


def in_colour(name: str) -> bool:
    """Whether the pictures on the sheet of weights have colours; without one they have none."""
    sheet = sheet_of(catalog.WEIGHTS / name / "samples.png")
    return sheet is not None and sheet.mode != "L"


def pictured(model: str) -> str:
    """The weights that a card shows a picture of: those with colours, the ones that the room is known for before others."""
    known, _ = headline(model)
    return next(filter(in_colour, [known, *catalog.trained(model)]), known)


def part_of_sheet(name: str, size: tuple[int, int]) -> PIL.Image.Image | None:
    """A part of ``weights/<name>/samples.png`` in this size, pixels crisp where they are few; None if there is no such sheet."""
    sheet = sheet_of(catalog.WEIGHTS / name / "samples.png")
    side = 0 if sheet is None else sheet.width // 8
    if not side:
        return None
    across = 3 if side >= 64 else 6
    width, height = across * side, min(sheet.height, across * side * size[1] // size[0])
    part = sheet.crop((0, 0, width, height)).convert("RGB")
    return part.resize(size, PIL.Image.Resampling.NEAREST if side < 64 else PIL.Image.Resampling.LANCZOS)


@lru_cache(maxsize=256)
def cover(name: str) -> bytes:
    """The card's picture of weights as WebP, ``COVER`` pixels; b"" if they have no sheet."""
    part = part_of_sheet(name, COVER)
    return as_webp(part) if part else b""


@lru_cache(maxsize=64)
def preview(rooms: tuple[str, ...]) -> bytes:
    """The sheets of up to six rooms beside each other as PNG, those in colour first, ``PREVIEW`` pixels; b"" if there is none."""
    modes = {}
    for name, _ in map(headline, rooms):
        sheet = sheet_of(catalog.WEIGHTS / name / "samples.png")
        if sheet is not None and sheet.width >= 8:
            modes[name] = sheet.mode
    sheets = sorted(modes, key=lambda name: modes[name] == "L")[: 6 if len(modes) > 5 else 4 if len(modes) > 3 else 3]
    if not sheets:
        return b""
    down = 2 if len(sheets) > 3 else 1
    across = len(sheets) // down
    size = PREVIEW[0] // across, PREVIEW[1] // down
    picture = PIL.Image.new("RGB", PREVIEW)
    for place, name in enumerate(sheets):
        picture.paste(part_of_sheet(name, size), (place % across * size[0], place // across * size[1]))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def as_webp(picture: PIL.Image.Image) -> bytes:
    """The picture as WebP, a little smaller than it could be."""
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=82)
    return stream.getvalue()


async def send_cover(request: Request) -> Response:
    """``GET /cover/<weights>.webp``"""
    return await send_webp(cover, request.path_params["name"], catalog.trained())


def send_start(starts: Callable[[], Mapping[str, Callable[[], Pair | None]]]) -> Callable:
    """``GET /start/<room>-<before or after>.webp``; ``starts``: room -> what makes its two pictures, asked for when one is."""

    @lru_cache(maxsize=64)
    def pair(room: str) -> Pair | None:
        return starts()[room]()

    @lru_cache(maxsize=64)
    def made(name: str) -> bytes:
        room, _, side = name.rpartition("-")
        found = pair(room) if room in starts() and side in SIDES else None
        if found is None:
            return b""
        picture = found[SIDES.index(side)].convert("RGB")
        crisp = PIL.Image.Resampling.NEAREST if picture.width < START[0] // 4 else PIL.Image.Resampling.LANCZOS
        return as_webp(PIL.ImageOps.fit(picture, START, crisp))

    def at_hand(name: str) -> bytes:
        try:
            return made(name)
        except catalog.WeightsError as error:  # not kept: they may be here later
            log.warning("no pictures to begin with: %s", error)
            return b""

    async def send(request: Request) -> Response:
        return await send_picture(at_hand, request.path_params["name"], "image/webp")

    return send


async def send_webp(make: Callable[[str], bytes], name: str, names: Container[str]) -> Response:
    """The picture that ``make`` has of one of these names."""
    return await send_picture(make if name in names else lambda _: b"", name, "image/webp")


async def send_picture(make: Callable[[Any], bytes], what: Any, kind: str) -> Response:
    """The picture that ``make`` has of something, which a browser may keep for a day."""
    content = await run_in_threadpool(make, what)
    if not content:
        return Response("There is no such picture.", 404, media_type="text/plain")
    return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=86400"})


def main_verb(model: Model) -> tuple[Callable[[], Any], str]:
    """What a room of this kind does most of all, once, and what to call its result."""
    channels, height, width = model.image_shape
    if isinstance(model, Restorer):
        small = torch.full((1, channels, 64, 64), 0.5)
        return lambda: model.upscale(small), f"64 × 64 pixels made {model.scale} times as large"
    if isinstance(model, Translator):
        picture = torch.full((1, channels, height, width), 0.5)
        return lambda: model.translate(picture), f"a picture of {width} × {height}"
    if isinstance(model, GenerativeModel):
        return lambda: model.sample(Draws(0, 1)), "a sample"
    raise TypeError(f"{model.title} makes no pictures")
