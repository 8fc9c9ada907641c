"""What verbs return. A shown value knows its HTML for the page, its frames to save and its JSON for callers of the API."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import PIL.Image
from torch import Tensor

from demos._kit import charts
from demos._kit.markup import picture_html, tiles_html
from demos._kit.pictures import LARGE, data_uri, enlarged, photo_uri, png_uri, strip_image, to_pil
from demos._kit.recipes import png_with_recipe

Pixels = Tensor | PIL.Image.Image
"""A picture: (C, H, W) in [0, 1], or Pillow's."""


def pil(picture: Pixels) -> PIL.Image.Image:
    """The picture as Pillow's."""
    return to_pil(picture) if isinstance(picture, Tensor) else picture


class Shown:
    """Anything a verb returns. ``note``: sentences under it."""

    note: str = ""
    sets: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """Field of ``View.sets`` -> settings of its first component, such as ``value``, that go with what is shown."""

    @property
    def nbytes(self) -> int:
        """Roughly what it takes to keep it."""
        return 1_000_000

    def html(self) -> str:
        """What the component of its view gets as its value; HTML unless the view has a component of its own."""
        raise NotImplementedError

    @property
    def is_saved(self) -> bool:
        """Whether it has frames to save."""
        return type(self).frames is not Shown.frames

    def frames(self) -> list[PIL.Image.Image]:
        """One picture to save, or the frames of an animation; pixels of small pictures enlarged, edges crisp."""
        raise NotImplementedError(f"{type(self).__name__} is not saved")

    def json(self) -> Any:
        """What a caller of the API gets."""
        raise NotImplementedError(f"{type(self).__name__} is not sent")


class Steps(Shown):
    """What came about step by step, and can be looked at after each of them: for a view with ``scrub`` or ``film``."""

    step: int
    """How many are done."""
    steps: int
    """How many there are."""
    unit: str = "steps"

    def sheet(self, step: int, scale: int) -> PIL.Image.Image:
        """It after a step as one picture, each pixel ``scale`` times as large."""
        raise NotImplementedError

    def at(self, step: int) -> str:
        """Its HTML after a step."""
        raise NotImplementedError

    def frame_steps(self) -> Sequence[int]:
        """The steps that are frames of the animation."""
        return range(self.step + 1)

    def html(self) -> str:
        return self.at(self.step)

    def frames(self):
        return [self.sheet(self.step, 8)]

    def film(self) -> list[PIL.Image.Image]:
        """The frames of an animation to save; the last one stays for a while."""
        frames = [self.sheet(step, 4) for step in self.frame_steps()]
        return frames + frames[-1:] * 12


@dataclass
class Tiles(Shown):
    """Pictures as a grid of buttons; see :func:`tiles_html` for the rest."""

    pictures: Sequence[Pixels]
    captions: Sequence[str] = ()
    words: str = "picture"
    columns: int = 8
    indices: Sequence[int] | None = None
    marks: Mapping[int, str] | None = None
    faded: Sequence[int] = ()
    title: str = ""
    """Above them."""
    note: str = ""

    def html(self) -> str:
        grid = tiles_html(
            list(self.pictures), self.captions, columns=self.columns, words=self.words, indices=self.indices,
            marks=dict(self.marks or {}), faded=self.faded,
        )  # fmt: skip
        return f'<p class="over">{html.escape(self.title)}</p>{grid}' if self.title else grid

    def frames(self):
        made = [pil(picture) for picture in self.pictures]
        return [strip_image(made, max(1, 128 // made[0].width), min(self.columns, len(made)))]

    def json(self):
        return [png_uri(picture) for picture in self.pictures]


@dataclass
class Single(Shown):
    """One picture as large as its column."""

    picture: Pixels
    words: str
    after: str = ""
    """HTML under it."""
    note: str = ""

    def html(self) -> str:
        return picture_html(self.picture, self.words) + self.after

    def frames(self):
        made = pil(self.picture)
        return [enlarged(made, max(1, 512 // made.width))]

    def json(self):
        return png_uri(self.picture)


@dataclass
class Film(Shown):
    """Pictures that follow each other, shown moving there and back, with a strip of eight of them."""

    pictures: Sequence[Pixels]
    words: str
    strip: bool = True
    note: str = ""

    def _there_and_back(self) -> list[PIL.Image.Image]:
        made = [pil(picture) for picture in self.pictures]
        return [*made, *made[-2:0:-1]]

    def html(self) -> str:
        moving = picture_html(data_uri(png_with_recipe(self._there_and_back(), {})), self.words)
        few = [self.pictures[round(step * (len(self.pictures) - 1) / 7)] for step in range(8)]
        return f'<div class="small">{moving}</div>' + (Tiles(few, words="step").html() if self.strip else "")

    def frames(self):
        made = self._there_and_back()
        return [enlarged(frame, max(1, 256 // frame.width)) for frame in made]


@dataclass
class Figures(Shown):
    """Large pictures side by side, each with its caption; ``after``: HTML under them, a legend for instance."""

    pictures: Sequence[PIL.Image.Image]
    captions: Sequence[str]
    after: str = ""
    note: str = ""

    def html(self) -> str:
        figures = "".join(
            f'<figure><img src="{photo_uri(picture)}" alt="{html.escape(caption)}"><figcaption>{html.escape(caption)}</figcaption>'
            "</figure>"
            for picture, caption in zip(self.pictures, self.captions, strict=True)
        )
        few = " few" * (self.pictures[0].width < LARGE)
        return f'<div class="figures{few}">{figures}</div>{self.after}'

    def frames(self):
        return [strip_image([picture.convert("RGB") for picture in self.pictures])]


@dataclass
class BeforeAfter(Shown):
    """Two pictures of one size over each other with a border to drag; for a view whose component is ``widgets.compare``."""

    before: PIL.Image.Image
    after: PIL.Image.Image
    names: Sequence[str]
    busy: bool = False
    """More is to come."""
    strength: float | None = None
    """How much of the second picture is mixed with the first, 0 to 1."""
    note: str = ""

    def html(self) -> str:
        state = dict(before=photo_uri(self.before), after=photo_uri(self.after), names=list(self.names))
        more = {} if self.strength is None else dict(strength=self.strength)
        return json.dumps(state | dict(busy="true" if self.busy else "false") | more)

    def frames(self):
        return [PIL.Image.blend(self.before, self.after, 1.0 if self.strength is None else self.strength)]

    def json(self):
        return png_uri(self.frames()[0])


@dataclass
class Bars(Shown):
    """Names with their shares, 0 to 1."""

    shares: Sequence[tuple[str, float]]
    title: str = ""
    note: str = ""

    def html(self) -> str:
        return (f'<p class="over">{html.escape(self.title)}</p>' if self.title else "") + charts.shares(self.shares)

    def json(self):
        return dict(self.shares)


@dataclass
class Html(Shown):
    """Anything else, as HTML: a chart, a table, a drawing; ``pictures`` are what is saved of it."""

    content: str
    pictures: Sequence[PIL.Image.Image] = ()
    data: Any = None
    """For callers of the API."""
    note: str = ""

    def html(self) -> str:
        return self.content

    @property
    def is_saved(self) -> bool:
        return bool(self.pictures)

    def frames(self):
        return list(self.pictures) or super().frames()

    def json(self):
        return self.data if self.data is not None else super().json()


@dataclass
class Columns(Shown):
    """Shown values side by side, under each other on a phone; saved as one picture."""

    parts: Sequence[Shown]
    titles: Sequence[str] = ()
    """One over each part, or none."""
    note: str = ""
    widths: Sequence[int] = field(default_factory=tuple)
    """Relative widths of the parts; equal if none are given."""

    def html(self) -> str:
        titles = [f'<p class="over">{html.escape(title)}</p>' for title in self.titles] or [""] * len(self.parts)
        widths = self.widths or [1] * len(self.parts)
        columns = "".join(
            f'<div style="flex:{width} 1 {140 * width}px">{title}{part.html()}</div>'
            for title, part, width in zip(titles, self.parts, widths, strict=True)
        )
        return f'<div class="side-by-side">{columns}</div>'

    def frames(self):
        sheets = [part.frames()[0].convert("RGB") for part in self.parts]
        width, height = sum(sheet.width + 16 for sheet in sheets) - 16, max(sheet.height for sheet in sheets)
        sheet = PIL.Image.new("RGB", (width, height), "white")
        left = 0
        for made in sheets:
            sheet.paste(made, (left, 0))
            left += made.width + 16
        return [sheet]

    def json(self):
        return [part.json() for part in self.parts]


@dataclass
class Rows(Shown):
    """Shown values under each other; the frames are those of the first one that is saved."""

    parts: Sequence[Shown]
    note: str = ""

    def html(self) -> str:
        return "".join(part.html() for part in self.parts)

    @property
    def is_saved(self) -> bool:
        return any(part.is_saved for part in self.parts)

    def frames(self):
        return next((part.frames() for part in self.parts if part.is_saved), None) or super().frames()

    def json(self):
        return [part.json() for part in self.parts]
