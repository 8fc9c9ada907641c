"""Small charts as HTML and SVG, in the page's own colours, light and dark: bars, lines, a curve, ranked shares.

They are drawn here because some are drawn again at every frame of a run: each is a few kilobytes that the page shows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT, LEFT, BASE = 640, 240, 44, 200


@dataclass(frozen=True)
class Bar:
    """A bar from ``low`` to ``high``, on a scale from 0 to 1."""

    name: str
    high: float
    text: str
    """After the bar: its value."""
    low: float = 0.0
    mark: float | None = None
    """Where a line crosses it."""
    colour: str = ""
    """CSS; "": the page's own."""
    faded: bool = False

    def html(self) -> str:
        """The row of the bar."""
        colour = f";background:{self.colour}" if self.colour else ""
        mark = "" if self.mark is None else f'<div class="mean" style="left:{100 * self.mark:.1f}%"></div>'
        return (
            f'<div class="row{" unused" * self.faded}"><span>{escape(self.name)}</span><div class="track"><div class="fill" '
            f'style="left:{100 * self.low:.1f}%;width:{100 * (self.high - self.low):.1f}%{colour}"></div>{mark}</div>'
            f"<span>{escape(self.text)}</span></div>"
        )


def bars(rows: Sequence[Bar], wide: bool = False) -> str:
    """Bars under each other; ``wide``: in several columns where there is room."""
    used = sum(not row.faded for row in rows)
    return f'<div class="bars{" wide" * wide}" data-used="{used}">{"".join(row.html() for row in rows)}</div>'


def shares(named: Sequence[tuple[str, float]]) -> str:
    """Names with their shares, from 0 to 1, as bars."""
    return bars([Bar(name, share, f"{100 * share:.1f} %") for name, share in named])


def signed(value: float, digits: int) -> str:
    """A number with a true minus."""
    return f"{value:,.{digits}f}".replace("-", "−")


def curve(values: Sequence[float], at: int, what: str, unit: str) -> str:
    """Values over the iterations as a curve, with a mark at iteration ``at``; nothing for fewer than two values."""
    if len(values) < 2:
        return ""
    left, right, top, bottom = 110, 985, 44, 160
    low, high, last = min(values), max(values), len(values) - 1
    across = [left + (right - left) * index / last for index in range(last + 1)]
    down = [bottom - (bottom - top) * (value - low) / ((high - low) or 1.0) for value in values]
    digits, at = 2 if high - low < 20 else 0, min(max(at, 0), last)
    ticks = "".join(
        f'<text x="{left - 8}" y="{place + 6}" text-anchor="end">{signed(value, digits)}</text>'
        for value, place in ((high, top), (low, bottom))
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    return (
        f'<svg class="curve" viewBox="0 0 1000 200" role="img" '
        f'aria-label="{what} after each iteration, from {low:.3f} to {high:.3f}">'
        f'<text x="{left}" y="24">{what}: <tspan class="now">{signed(values[at], max(digits, 1) + 1)}</tspan> {unit}</text>{ticks}'
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/><polyline points="{line}"/>'
        f'<circle cx="{across[at]:.1f}" cy="{down[at]:.1f}" r="8"/>'
        f'<text x="{left}" y="194">0</text><text x="{right}" y="194" text-anchor="end">iteration {last}</text></svg>'
    )


def ranked(values: np.ndarray, used: np.ndarray, what: str, words: str) -> str:
    """Many shares (K,) as upright bars, the largest first; those that are not ``used`` (K,) are pale. ``words`` stand below."""
    left, right, top, bottom = 110, 990, 30, 170
    high, step = float(values.max()) or 1.0, (right - left) / len(values)
    upright = []
    for place, k in enumerate(np.argsort(-values, kind="stable")):
        tall = max((bottom - top) * float(values[k]) / high, 2)
        upright.append(
            f'<rect class="{"used" if used[k] else "unused"}" x="{left + (place + 0.1) * step:.1f}" y="{bottom - tall:.1f}" '
            f'width="{0.8 * step:.1f}" height="{tall:.1f}"/>'
        )
    return (
        f'<svg class="weights" viewBox="0 0 1000 215" role="img" aria-label="{what}" data-used="{int(used.sum())}">'
        f'{"".join(upright)}<text x="{left - 8}" y="{top + 8}" text-anchor="end">{100 * high:.1f} %</text>'
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/><text x="{left}" y="208">{words}</text></svg>'
    )


def line_chart(places: Sequence[str], lines: Sequence[tuple[str, Sequence[float]]], axis: str, at_least: float = 1e-9) -> str:
    """Lines over places on an axis, from zero up; a line may end early while it grows.

    ``places``: labels of the axis; ``lines``: (name, values); ``axis``: what it shows; ``at_least``: the highest value is drawn no
    lower than this.
    """
    top = max(at_least, *(float(value) for _, values in lines for value in values), 1e-9)
    step = (WIDTH - LEFT - 20) / max(1, len(places) - 1)

    def place(index: int, value: float) -> str:
        return f"{LEFT + index * step:.1f},{BASE - float(value) / top * (BASE - 16):.1f}"

    drawn = "".join(
        f'<polyline class="set{kind}" points="{" ".join(place(index, value) for index, value in enumerate(values))}"/>'
        for kind, (_, values) in enumerate(lines)
    )
    marks = "".join(
        f'<text x="{LEFT + index * step:.1f}" y="{BASE + 18}" text-anchor="middle">{escape(label)}</text>'
        for index, label in enumerate(places)
    )
    scale = "".join(
        f'<text x="{LEFT - 6}" y="{BASE - part * (BASE - 16) + 4:.1f}" text-anchor="end">{top * part:.3g}</text>'
        for part in (0, 0.5, 1)
    )
    legend = "".join(f'<span><i class="set{kind}"></i>{escape(name)}</span>' for kind, (name, _) in enumerate(lines))
    return (
        f'<svg class="histograms" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(axis)}">'
        f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{BASE}" y2="{BASE}"/>{drawn}{marks}{scale}'
        f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(axis)}</text></svg>'
        f'<p class="legend">{legend}</p>'
    )
