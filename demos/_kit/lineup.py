"""Several makers at one task: a row for each, which fills as it works, turn by turn; shown, saved as one picture, and sent."""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from demos._kit.measured import Score
from demos._kit.pictures import LARGE, enlarged, png_uri
from demos._kit.shown import Shown

WAITING, BUSY, DONE, STOPPED, FAILED, PUBLISHED = "waiting", "busy", "done", "stopped", "failed", "published"
WIDTH, MARGIN, COLUMN, GAP = 1280, 28, 290, 4
"""Of a saved picture in pixels: its width, its edge, the words of a row, the space between two pictures."""
LETTERS = 36
"""Characters that stand side by side in the words of a row."""
PAPER, INK, GREY, ACCENT, LINE = "#ffffff", "#1c1917", "#57534e", "#3b3a8f", "#e7e5e4"
ALIKE = "the same picture every time, so it is shown once"


@dataclass
class Entry:
    """One that takes part, and what it has made so far."""

    name: str
    title: str
    year: int | None = None
    link: str = ""
    """Address of its own room."""
    numbers: int | None = None
    """How many numbers it was trained to have; None: nobody knows."""
    facts: Sequence[str] = ()
    """What else is known of it, a line each; its time stands behind the first."""
    score: Score = field(default_factory=Score)
    memory: int = 0
    """Bytes that it takes in use."""
    pictures: list[PIL.Image.Image] = field(default_factory=list)
    seconds: float | None = None
    """Of computing so far."""
    state: str = WAITING
    """``waiting``, ``busy``, ``done``, ``stopped``, ``failed``, or ``published``: not made here."""
    words: str = ""
    """What is to be said of its pictures."""
    uris: list[str] = field(default_factory=list)
    """The pictures as the page has them."""

    def show(self, pictures: Sequence[PIL.Image.Image]) -> None:
        """Other pictures."""
        self.pictures, self.uris = list(pictures), [png_uri(picture) for picture in pictures]

    @property
    def is_alike(self) -> bool:
        """Whether it was asked for several pictures and made one, again and again."""
        return self.state in (DONE, PUBLISHED) and len(self.uris) > 1 and len(set(self.uris)) == 1

    @property
    def time(self) -> str:
        """``12 ms``, and whether that is all."""
        if self.state == FAILED or not self.seconds:
            return self.state if self.state in (WAITING, STOPPED, FAILED) else ""
        milliseconds = 1000 * self.seconds
        places = 0 if milliseconds >= 10 else 1 if milliseconds >= 1 else 2
        took = f"{milliseconds:.{places}f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
        return took + {BUSY: " so far", STOPPED: ", then stopped"}.get(self.state, "")

    @property
    def lines(self) -> list[str]:
        """What stands under its title, but for its score."""
        first = " · ".join(filter(None, [*self.facts[:1], self.time]))
        return [*filter(None, [first, *self.facts[1:], self.words, ALIKE * self.is_alike])]

    def json(self) -> dict[str, Any]:
        """It for callers of the API."""
        return {
            "weights": self.name, "title": self.title, "year": self.year, "parameters": self.numbers,
            "milliseconds": None if self.seconds is None else round(1000 * self.seconds, 2), self.score.key: self.score.value,
            "remark": self.score.remark, "words": self.words, "pictures": self.uris,
        }  # fmt: skip


@dataclass
class Lineup(Shown):
    """A row for each entry, under those of what they were given."""

    title: str
    entries: Sequence[Entry]
    task: str = ""
    """What the rows are of, by which the page knows them."""
    given: Sequence[Entry] = ()
    words: Sequence[str] = ("picture",)
    """What the pictures of a row are, one for all or one for each."""
    columns: int = 8
    busy: bool = False
    note: str = ""

    @property
    def best(self) -> float | None:
        """The best of the scores that can be compared, if there are two or more."""
        scores = [entry.score for entry in self.entries if entry.score.value is not None and not entry.score.remark]
        values = [score.value for score in scores]
        return (max if scores[0].better == "higher" else min)(values) if len(values) > 1 else None

    def html(self) -> str:
        rows = "".join(self.row(entry, entry in self.given) for entry in [*self.given, *self.entries])
        return f'<div class="lineup" data-task="{html.escape(self.task)}" aria-busy="{str(self.busy).lower()}">{rows}</div>'

    def row(self, entry: Entry, given: bool) -> str:
        """A row as HTML."""
        name, score = html.escape(entry.title), html.escape(entry.score.line)
        if entry.link:
            name = f'<a href="{html.escape(entry.link)}">{name}</a>'
        if entry.year:
            name += f" <small>{entry.year}</small>"
        if not entry.score.remark and entry.score.value is not None and entry.score.value == self.best:
            score = f"<b>{score}</b>"
        lines = [*(f"<span>{html.escape(line)}</span>" for line in entry.lines), *([f"<span>{score}</span>"] if score else [])]
        words = [entry.title.lower()] if given else self.words
        images = "".join(
            f'<img src="{uri}" alt="{html.escape(words[min(place, len(words) - 1)])} {place}">'
            for place, uri in enumerate(entry.uris[:1] if entry.is_alike else entry.uris)
        )
        smooth = " smooth" * bool(entry.pictures and entry.pictures[0].width >= LARGE)
        known = "" if given else f' data-weights="{html.escape(entry.name)}" data-state="{entry.state}"'
        return (f'<div class="entry"{known}><div class="who"><strong>{name}</strong>{"".join(lines)}</div>'
                f'<div class="answers{smooth}" style="--columns:{self.columns}">{images}</div></div>')  # fmt: skip

    def frames(self):
        """Rows of words and pictures on white, 1280 pixels wide."""
        large, medium, small = (PIL.ImageFont.load_default(size) for size in (30, 22, 16))
        rows = [(entry, entry.pictures[: 1 if entry.is_alike else None]) for entry in [*self.given, *self.entries]]
        count = max([1, *(len(pictures) for _, pictures in rows)])
        side = min((WIDTH - 2 * MARGIN - COLUMN - (count - 1) * GAP) // count, 160)
        words = [[part for line in [*entry.lines, entry.score.line] for part in wrap(line, LETTERS)] for entry, _ in rows]
        fitted = [[scaled(picture, side) for picture in pictures] for _, pictures in rows]
        heights = [
            16 + max(30 + 20 * len(lines), *(picture.height for picture in own), 0)
            for lines, own in zip(words, fitted, strict=True)
        ]
        foot = wrap(self.note, LETTERS * (WIDTH - 2 * MARGIN) // COLUMN)
        sheet = PIL.Image.new("RGB", (WIDTH, 2 * MARGIN + 70 + sum(heights) + 20 * len(foot)), PAPER)
        brush, top = PIL.ImageDraw.Draw(sheet), MARGIN + 60
        brush.text((MARGIN, MARGIN), self.title, INK, large)
        for (entry, _), lines, own, height in zip(rows, words, fitted, heights, strict=True):
            brush.line((MARGIN, top - 8, WIDTH - MARGIN, top - 8), LINE)
            brush.text((MARGIN, top), entry.title, ACCENT, medium)
            brush.text((MARGIN + medium.getlength(entry.title) + 10, top + 6), str(entry.year or ""), GREY, small)
            brush.multiline_text((MARGIN, top + 30), "\n".join(lines), GREY, small, spacing=4)
            for column, picture in enumerate(own):
                sheet.paste(picture, (MARGIN + COLUMN + column * (side + GAP), top))
            top += height
        brush.multiline_text((MARGIN, top + 10), "\n".join(foot), GREY, small, spacing=4)
        return [sheet]

    def json(self):
        return [entry.json() for entry in self.entries]


def scaled(picture: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """The picture in a square of ``side``: each pixel a whole number of times as large, or smoothly if it would stay as it is."""
    picture = picture.convert("RGB")
    times = side // picture.width
    return enlarged(picture, times) if times > 1 else picture.resize((side, side), PIL.Image.Resampling.LANCZOS)


def by_turns(entries: Sequence[Entry], work: Callable[[Entry], Iterator[bool]], budget: int) -> Iterator[bool]:
    """Let entries work a slice at a time, in turns; yields whether one of them was done, again and again.

    ``work`` yields whether it is done. Those at work together take at most ``budget`` bytes, but for a single one; the others wait
    in their order.
    """
    waiting, active = deque(entries), []
    while waiting or active:
        taken = sum(entry.memory for entry, _ in active)
        while waiting and (not active or taken + waiting[0].memory <= budget):
            entry = waiting.popleft()
            taken += entry.memory
            active.append((entry, work(entry)))
        for entry, slices in list(active):
            done = next(slices, True)
            if done:
                active.remove((entry, slices))
            yield done
