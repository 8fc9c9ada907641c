"""What rooms of restorers share: a picture made larger step by step, its faces framed, before and after, versions held together."""

from __future__ import annotations

import functools
import hashlib
import html
import importlib.util
import inspect
import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos._kit.fields import Picture
from demos._kit.markup import legend_bar, note_html, tiles_html
from demos._kit.pictures import as_tensor, heat, photo_uri, reduced, strip_image, to_pil
from demos._kit.running import Cache
from demos._kit.shown import BeforeAfter, Figures, Shown
from demos._kit.widgets import compare
from demos._widgets import script, text_of
from gen_models import Draws, runtime
from gen_models.base import Restorer
from gen_models.degradation import Damage, degrade
from gen_models.faces import Face, paste, restore
from gen_models.measures.fidelity import fidelities, luma, noise_ratios

SIZES = ("256", "512", "768", "1024")
"""Longest sides that larger pictures are reduced to before they are enlarged, in pixels."""
PREVIEW = 1280
"""Longest side of what the border is drawn over; saved pictures have all pixels."""
TOP = 48
"""Grey levels that have the brightest colour of the map of what was added."""
BORDER = 4
"""Pixels at each edge that are not measured."""
SHARP = 768
"""Longest side of a picture that is shrunk, in pixels."""
BUNDLED = {"astronaut.png": (0, 0, 400, 400), "chelsea.png": None, "coffee.png": None, "rocket.jpg": None}
"""Photographs that scikit-image brings along, the first (NASA) and the last (SpaceX) in the public domain, the others CC0; what of
them is shown.
"""
PAPER = (243, 238, 228)
ALL, NONE = "all", "none"
"""Which faces, if not some by their numbers."""
WARNING = (
    "A face made sharper is invented, not recovered. It is a likely face for these few pixels, drawn from other people's; it says "
    "nothing about who is in the picture."
)
PROTOCOL = (
    f"Both pictures in 8 bits, without {BORDER} pixels at each edge. Y: brightness from 16 to 235, as the papers have it; RGB: all "
    "three channels. SSIM: window 11 x 11, Gaussian of 1.5 pixels."
)
_made: Cache[tuple[PIL.Image.Image, int]] = Cache(40_000_000, lambda made: made[0].width * made[0].height)
"""The latest enlargements, and the passes that each took, so that another choice of faces need not make them again."""
_restored: Cache[PIL.Image.Image] = Cache(40_000_000, lambda made: made.width * made.height)
"""The latest pictures with their faces restored."""


# ---- a picture, and how it is enlarged --------------------------------------------------------------------------------------


class Given(NamedTuple):
    """A picture to restore."""

    picture: PIL.Image.Image
    """RGB."""
    uploaded: bool
    """Whether a visitor brought it; examples are sharp, so they are shrunk first."""


@dataclass
class Source(Picture):
    """The picture to restore, of any shape; verbs get a :class:`Given`."""

    label: str = "Your picture, of any shape"

    def tiles(self, weights: str, **needs: Any) -> str:
        """The middle squares of the examples as HTML."""
        side, small = 128, []
        for picture in self.examples(weights, **needs) if weights else []:
            cut = min(picture.size)
            left, top = (picture.width - cut) // 2, (picture.height - cut) // 2
            small.append(picture.resize((side, side), PIL.Image.Resampling.LANCZOS, (left, top, left + cut, top + cut)))
        return tiles_html([photo_uri(picture) for picture in small], columns=self.columns, words="example")

    def own(self, weights, picture, **needs):
        return picture

    def check(self, weights, value, upload=None, board=None, **needs):
        return Given(super().check(weights, value, upload, board, **needs), value == "upload")


@cache
def bundled(file: str) -> PIL.Image.Image | None:
    """A photograph that scikit-image brings along; None if it does not."""
    found = importlib.util.find_spec("skimage")
    path = Path(next(iter(found.submodule_search_locations or [""]))) / "data" / file if found else Path()
    if not path.is_file():
        return None
    with PIL.Image.open(path) as image:
        return image.convert("RGB").crop(BUNDLED[file])


def page_of(faces: Sequence[PIL.Image.Image], columns: int = 4) -> PIL.Image.Image:
    """Faces on a sheet of paper, as in a yearbook."""
    side = faces[0].width
    gap, rows = side // 4, -(-len(faces) // columns)
    page = PIL.Image.new("RGB", (columns * (side + gap) + gap, rows * (side + gap) + gap), PAPER)
    for number, face in enumerate(faces):
        page.paste(face, (gap + number % columns * (side + gap), gap + number // columns * (side + gap)))
    return page


def photographs() -> list[PIL.Image.Image]:
    """Those of :data:`BUNDLED` that are here."""
    return [picture for picture in map(bundled, BUNDLED) if picture is not None]


@dataclass(frozen=True)
class Prepared:
    """A picture as it goes through a network."""

    small: PIL.Image.Image
    """RGB."""
    came: tuple[int, int]
    """Width and height of the picture as it came."""
    uploaded: bool
    sharp: PIL.Image.Image | None = None
    """What was shrunk, if it was."""
    damage: str = ""
    """What was done to it."""

    @cached_property
    def key(self) -> tuple[tuple[int, int], str]:
        """What tells it from others."""
        return self.small.size, hashlib.sha256(self.small.tobytes()).hexdigest()


def prepared(source: Given, side: int, channels: int, scale: int, damage: Damage | None, seed: int) -> Prepared:
    """A picture with no side longer than ``side`` or, with some ``damage``, shrunk to 1 / ``scale`` and damaged.

    Raises:
        gr.Error: with one sentence, if it is too small to be shrunk.
    """
    picture, uploaded = source
    if damage is None:
        return Prepared(reduced(picture, side, channels), picture.size, uploaded)
    sharp = reduced(picture, SHARP, channels)
    across, down = (length // scale * scale for length in sharp.size)
    if not across or not down:
        raise gr.Error(f"To be shrunk {scale} times, a picture needs {scale} pixels each way; this one has fewer.")
    sharp = sharp.crop((0, 0, across, down))
    small = as_picture(degrade(as_tensor(sharp), scale, damage, Draws(seed, 1)))
    return Prepared(small, picture.size, uploaded, sharp, str(damage))


def made_of(make: Callable[..., Any]) -> Callable[[Callable[[Any], Any]], Callable[..., Any]]:
    """A decorator of verbs that take one thing, which ``make`` makes of fields: the verb reads these."""

    def decorator(verb: Callable[[Any], Any]) -> Callable[..., Any]:
        @functools.wraps(verb)
        def call(*values: Any, **fields: Any) -> Any:
            return verb(make(*values, **fields))

        call.__signature__ = inspect.signature(make).replace(return_annotation=inspect.signature(verb).return_annotation)
        return call

    return decorator


def as_picture(images: Tensor) -> PIL.Image.Image:
    """The first of pictures (B, C, H, W) in [0, 1], RGB."""
    return to_pil(images[0]).convert("RGB")


def steps(
    key: Hashable, begin: Callable[[], Iterator[tuple[Tensor, int, int]]], before: PIL.Image.Image, ways: int = 1
) -> Iterator[tuple[PIL.Image.Image, int, int]]:
    """A restoration as far as it has come, RGB, the rest as in ``before``; passes done and in all.

    ``key``: what decides the result, which is cached; ``begin`` gives a model's steps: (B, C, H, W) in [0, 1], passes done, in all;
    ``ways``: passes that a tile takes.
    """
    kept = _made.get(key)
    if kept is not None:
        yield kept[0], kept[1], kept[1]
        return
    under_way, made = begin(), before
    while True:
        with runtime.fast_pass():  # one by one: others need not wait for a whole picture
            step = next(under_way, None)
        if step is None:
            break
        done, total = step[1:]
        if done % ways == 0:  # a tile is there
            made = as_picture(step[0])
        yield made, done, total
    _made.put(key, (made, total))


# ---- faces ------------------------------------------------------------------------------------------------------------------


def numbers_of(weights: str, picked: str) -> str:
    """``all``, ``none`` or numbers of faces, checked."""
    numbers = [] if picked in (ALL, NONE) else picked.split(",")
    if not all(number.isascii() and number.isdecimal() and len(number) < 3 for number in numbers):
        raise gr.Error("Faces must be all, none, or numbers with commas between.")
    return picked


def choose(weights: str, chosen: Any) -> dict[str, str]:
    """The faces that are ticked."""
    return {"picked": numbers_of(weights, str(chosen))}


def all_faces() -> dict[str, str]:
    """Another picture: all its faces."""
    return {"picked": ALL}


def with_faces(
    key: Hashable, picture: PIL.Image.Image, small: PIL.Image.Image, models: Mapping[Face, Restorer]
) -> Iterator[PIL.Image.Image]:
    """The enlarged ``picture`` with more and more of the faces in the small one restored, each by its model.

    ``key``: what decides the result together with the faces.
    """
    key = key, *models
    kept = _restored.get(key)
    if kept is not None:
        yield kept
        return
    pixels, seen, scale = np.array(picture), as_tensor(small), picture.width // small.width
    for face, model in models.items():
        with runtime.forward_pass():
            paste(pixels, restore(model, seen, face, scale), face, scale)
        picture = PIL.Image.fromarray(pixels)
        yield picture
    _restored.put(key, picture)


# ---- before and after, with frames around faces -------------------------------------------------------------------------------


def preview(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture to look at as a whole."""
    return reduced(picture, PREVIEW)


class Mark(NamedTuple):
    """A face that was found."""

    number: int
    face: Face
    fit: bool
    """Whether there is a model for faces of its size."""
    on: bool
    """Whether it is restored by that."""


@dataclass
class Restoration(BeforeAfter):
    """Before and after, and under them the faces in the picture; for a view whose component is :func:`restoration`."""

    marks: Sequence[Mark] | None = None
    """The faces; None: they are not looked for yet."""
    size: tuple[int, int] = (1, 1)
    """Width and height of the picture in which the faces are."""
    warning: str = ""
    """Shown where there is a face that can be restored."""
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return 6 * self.after.width * self.after.height

    def html(self) -> str:
        seen = BeforeAfter(preview(self.before), preview(self.after), self.names, self.busy, self.strength)
        shown = json.loads(seen.html())
        width, height = self.size
        if self.marks is None:
            return json.dumps(shown)
        places = [mark.face.inside(width, height) for mark in self.marks]
        marks = [
            dict(number=mark.number, side=mark.face.side, fit=mark.fit, on=mark.on,
                 box=[100 * left / width, 100 * top / height, 100 * (right - left) / width, 100 * (below - top) / height])
            for mark, (left, top, right, below) in zip(self.marks, places, strict=True)
        ]  # fmt: skip
        restored = [mark.face for mark in self.marks if mark.fit and mark.on]
        if restored and not self.busy:
            shown["spot"] = spot_of(restored, self.size)
        return json.dumps(shown | dict(marks=marks, ratio=width / height, warning=self.warning))

    def frames(self):
        return [self.after]


def spot_of(faces: Sequence[Face], size: tuple[int, int]) -> tuple[float, float, float]:
    """The middle (x, y), in shares of a picture's width and height, and the zoom at which these faces fill what is seen."""
    boxes = [face.inside(*size) for face in faces]
    left, top, right, below = (most(edge) for most, edge in zip((min, min, max, max), zip(*boxes, strict=True), strict=True))
    zoom = 0.75 * min(size[0] / max(1, right - left), size[1] / max(1, below - top))
    return (left + right) / 2 / size[0], (top + below) / 2 / size[1], max(1.0, min(8.0, zoom))


def restoration(value: str = "", **settings: Any) -> gr.HTML:
    """A comparison with the faces in the picture under it; its ``pick`` event carries ``chosen``: all, none or their numbers."""
    made = compare(value, **settings)
    made.html_template += text_of("faces.html")
    made.js_on_load += "\n" + script("faces")
    return made


# ---- versions of a picture -----------------------------------------------------------------------------------------------------


@dataclass
class Panes(Shown):
    """Versions of one picture, the same spot of each; for a view whose component is :func:`panes`."""

    versions: Sequence[tuple[str, PIL.Image.Image]]
    """Name and picture, all of one size."""
    small: tuple[str, PIL.Image.Image]
    """The version whose pixels are those of a smaller picture, and that: the page enlarges it."""
    faces: Sequence[Face] = ()
    """In the small picture; the first one is looked at first."""
    numbers: str = ""
    """HTML under them."""
    note: str = ""

    def html(self) -> str:
        name, small = self.small
        panes_ = [
            {"name": each, "source": photo_uri(small if each == name else picture), "crisp": each == name}
            for each, picture in self.versions
        ]
        spot = spot_of(self.faces[:1], small.size) if self.faces else (0.5, 0.5, 1.0)
        of = hashlib.sha256(small.tobytes()).hexdigest()
        return json.dumps(dict(panes=panes_, spot=spot, of=of, ratio=small.width / small.height, numbers=self.numbers))

    def frames(self):
        return [strip_image([picture for _, picture in self.versions], columns=3)]


def panes(value: str = "", **settings: Any) -> gr.HTML:
    """The same spot of several pictures; its value comes from :class:`Panes`."""
    js = script("zoom") + "\n" + script("panes")
    return gr.HTML(value, html_template=text_of("panes.html"), js_on_load=js, elem_classes=["result"], **settings)


def fidelity_table(
    true: PIL.Image.Image, versions: Sequence[tuple[str, PIL.Image.Image]], faces: Sequence[tuple[int, int, int, int]] = ()
) -> str:
    """PSNR and SSIM of each version against the sharp picture as HTML, and PSNR within ``faces`` (left, top, right, below)."""
    if min(true.size) < 2 * BORDER + 11:
        return note_html("The picture is too small to be measured: a window of 11 pixels must fit.")
    rows = []
    for name, picture in versions:
        if picture is true:
            continue
        one, other = (torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in (picture, true))
        psnr_y, ssim_y, psnr, ssim = fidelities(one, other, BORDER).tolist()
        cells = [f"{psnr_y:.2f} dB", f"{ssim_y:.3f}", f"{psnr:.2f} dB", f"{ssim:.3f}"]
        if faces:
            parts = [
                torch.cat([luma(image)[:, top:below, left:right].flatten() for left, top, right, below in faces])[None]
                for image in (one, other)
            ]
            cells.append(f"{float(noise_ratios(*parts)):.2f} dB")
        rows.append(f"<tr><td>{html.escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heads = ["", "PSNR, Y", "SSIM, Y", "PSNR, RGB", "SSIM, RGB", *["PSNR in the faces, Y"] * bool(faces)]
    head = "".join(f"<td>{text}</td>" for text in heads)
    return f'<div class="scores"><table class="facts"><tr>{head}</tr>{"".join(rows)}</table></div>{note_html(PROTOCOL)}'


def added(before: PIL.Image.Image, after: PIL.Image.Image) -> Figures:
    """How far each pixel is from what it was, as a map."""
    one, other = (np.asarray(preview(picture), np.float32) for picture in (before, after))
    error = np.abs(other - one).mean(axis=2)
    legend = f'<p class="legend"><span>0 {legend_bar()} {TOP} grey levels or more</span></p>'
    words = f"On average a channel of a pixel was changed by {error.mean():.1f} of 255 grey levels."
    return Figures([heat(error / TOP)], ["what was added"], legend, words)
