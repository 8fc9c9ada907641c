"""HTML for what a room shows."""

from __future__ import annotations

import html
from collections.abc import Sequence

import PIL.Image
from torch import Tensor

from demos._kit.pictures import HEAT, LARGE, png_uri


def picture_html(picture: Tensor | PIL.Image.Image | str, words: str) -> str:
    """One picture as large as its column, with crisp pixels if these are few; ``words`` say what it shows."""
    uri = picture if isinstance(picture, str) else png_uri(picture)
    width = 0 if isinstance(picture, str) else picture.shape[-1] if isinstance(picture, Tensor) else picture.width
    large = " large" * (width >= LARGE)
    return f'<img class="picture{large}" src="{uri}" alt="{html.escape(words)}">'


def tiles_html(
    pictures: Sequence[Tensor | PIL.Image.Image | str],
    captions: Sequence[str] = (),
    marks: dict[int, str] | None = None,
    columns: int = 8,
    words: str = "picture",
    indices: Sequence[int] | None = None,
    faded: Sequence[int] = (),
) -> str:
    """Pictures as a grid of buttons.

    ``marks`` puts a badge on some (index -> letters); ``indices`` are their numbers where these are not 0, 1, 2, ...; those of the
    numbers ``faded`` are pale.
    """
    marks = marks or {}
    tiles = []
    for place, picture in enumerate(pictures):
        index = place if indices is None else indices[place]
        uri = picture if isinstance(picture, str) else png_uri(picture)
        caption = f"<span>{html.escape(captions[place])}</span>" if captions else ""
        badge = f"<b>{html.escape(marks[index])}</b>" if index in marks else ""
        label = f"{html.escape(words)} {index}"
        tiles.append(
            f'<button type="button" class="tile{" faded" * (index in faded)}" data-index="{index}" aria-label="{label}">'
            f'<img src="{uri}" alt="{label}">{badge}{caption}</button>'
        )
    return f'<div class="tiles" style="--columns:{columns}">{"".join(tiles)}</div>'


def legend_bar() -> str:
    """The colours of the heat from 0 to 1."""
    colours = ",".join(f"rgb({','.join(str(int(part)) for part in colour)})" for colour in HEAT)
    return f'<i style="width:6em;background:linear-gradient(90deg,{colours})"></i>'


def note_html(*sentences: str) -> str:
    """A line of sentences, those that are empty left out."""
    return f'<p class="note">{html.escape(" ".join(filter(None, sentences)))}</p>'


def size_text(size: tuple[int, int]) -> str:
    """``640 x 480``."""
    return f"{size[0]} x {size[1]}"
