"""Small charts as HTML and SVG, in the page's own colours, light and dark: bars, lines, a curve, ranked shares.

They are drawn here because some are drawn again at every frame of a run: each is a few kilobytes that the page shows at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from demos._kit.pictures import data_uri

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


ACROSS, DOWN = (110, 985), (44, 160)
"""Where a chart over time has its left and right end, its top and its base."""


def _over_time(title: str, words: str, drawn: str, bounds: tuple[str, str], last: str, kind: str = "curve") -> str:
    """What is drawn over time, between its highest and lowest value, from 0 to ``last``."""
    (left, right), bottom = ACROSS, DOWN[1]
    ticks = "".join(
        f'<text x="{left - 8}" y="{place + 6}" text-anchor="end">{value}</text>' for value, place in zip(bounds, DOWN, strict=True)
    )
    return (
        f'<svg class="{kind}" viewBox="0 0 1000 200" role="img" aria-label="{words}">'
        f'<text x="{left}" y="24">{title}</text>{ticks}<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>{drawn}'
        f'<text x="{left}" y="194">0</text><text x="{right}" y="194" text-anchor="end">{last}</text></svg>'
    )


def curve(values: Sequence[float], at: int, what: str, unit: str) -> str:
    """Values over the iterations as a curve, with a mark at iteration ``at``; nothing for fewer than two values."""
    if len(values) < 2:
        return ""
    (left, right), (top, bottom) = ACROSS, DOWN
    low, high, last = min(values), max(values), len(values) - 1
    across = [left + (right - left) * index / last for index in range(last + 1)]
    down = [bottom - (bottom - top) * (value - low) / ((high - low) or 1.0) for value in values]
    digits, at = 2 if high - low < 20 else 0, min(max(at, 0), last)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    return _over_time(
        f'{what}: <tspan class="now">{signed(values[at], max(digits, 1) + 1)}</tspan> {unit}',
        f"{what} after each iteration, from {low:.3f} to {high:.3f}",
        f'<polyline points="{line}"/><circle cx="{across[at]:.1f}" cy="{down[at]:.1f}" r="8"/>',
        (signed(high, digits), signed(low, digits)), f"iteration {last}",
    )  # fmt: skip


def losses(named: Mapping[str, Sequence[tuple[int, float]]], steps: int, bins: int = 200) -> str:
    """Losses of a training, name -> (step, loss), as curves of their means over so many bins; nothing before the second step.

    One loss alone needs no name. Of outliers, a hundredth at either end, the heights are cut.
    """
    if steps < 2:
        return ""
    (left, right), (top, bottom), curves = ACROSS, DOWN, []
    for entries in named.values():
        values = np.array(entries)
        slots = np.minimum((values[:, 0] * bins / steps).astype(int), bins - 1)
        counts = np.bincount(slots, minlength=bins)
        filled = np.flatnonzero(counts)
        curves.append((filled, np.bincount(slots, values[:, 1], minlength=bins)[filled] / counts[filled]))
    low, high = np.quantile(np.concatenate([means for _, means in curves]), (0.01, 0.99)).tolist()
    digits = 2 if max(-low, high) < 20 else 0
    drawn, latest = [], []
    for place, (name, (filled, means)) in enumerate(zip(named, curves, strict=True)):
        across = left + (right - left) * (filled + 0.5) / bins
        heights = bottom - (bottom - top) * ((means - low) / ((high - low) or 1.0)).clip(-0.08, 1.08)
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, heights, strict=True))
        drawn.append(f'<polyline class="set{place}" points="{line}"/>')
        words = f"{escape(name)} " if len(named) > 1 else ""
        latest.append(f'<tspan class="set{place}">{words}{signed(means[-1], digits)}</tspan>')
    return _over_time(
        f"Loss: {' · '.join(latest)}", f"losses over {steps} steps", "".join(drawn), (signed(high, digits), signed(low, digits)),
        f"step {steps:,}", "curve losses",
    )  # fmt: skip


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


def legend(*names: str, words: str = "") -> str:
    """What the colours of a chart with several sets stand for, and ``words`` behind them."""
    marks = "".join(f'<span><i class="set{place}"></i>{escape(name)}</span>' for place, name in enumerate(names))
    return f'<p class="legend">{marks}{f"<span>{escape(words)}</span>" if words else ""}</p>'


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
    ) + "".join(
        '<circle class="set{}" cx="{}" cy="{}" r="4"/>'.format(kind, *place(index, value).split(","))
        for kind, (_, values) in enumerate(lines)
        for index, value in enumerate(values)
    )
    marks = "".join(
        f'<text x="{LEFT + index * step:.1f}" y="{BASE + 18}" text-anchor="middle">{escape(label)}</text>'
        for index, label in enumerate(places)
    )
    scale = "".join(
        f'<text x="{LEFT - 6}" y="{BASE - part * (BASE - 16) + 4:.1f}" text-anchor="end">{top * part:.3g}</text>'
        for part in (0, 0.5, 1)
    )
    return (
        f'<svg class="histograms" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(axis)}">'
        f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{BASE}" y2="{BASE}"/>{drawn}{marks}{scale}'
        f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(axis)}</text></svg>'
        + legend(*(name for name, _ in lines))
    )


def histograms(sets: Mapping[str, Sequence[float]], axis: str, words: str, bins: int = 30) -> str:
    """Numbers of several sets, title -> numbers, one histogram over the other on the same axis; ``words`` say what it shows."""
    every = np.concatenate([np.asarray(values) for values in sets.values()])
    low, high = float(every.min()), float(every.max())
    high = high if high > low else low + 1
    width, height = 640, 84
    drawn = []
    for place, (title, values) in enumerate(sets.items()):
        counts, _ = np.histogram(values, bins, (low, high))
        base = (place + 1) * height
        for index in np.flatnonzero(counts):
            tall = counts[index] / counts.max() * (height - 24)
            drawn.append(f'<rect class="set{place}" x="{index * width / bins + 1:.1f}" y="{base - tall:.1f}" '
                         f'width="{width / bins - 2:.1f}" height="{tall:.1f}"/>')  # fmt: skip
        drawn.append(f'<line x1="0" x2="{width}" y1="{base}" y2="{base}"/>')
        drawn.append(f'<text x="4" y="{base - height + 16}" class="set{place}">{escape(title)}</text>')
    base = len(sets) * height
    for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end")):
        value = f"{low + share * (high - low):.0f}".replace("-", "−")
        drawn.append(f'<text x="{share * width:.0f}" y="{base + 17}" text-anchor="{anchor}">{value}</text>')
    drawn.append(f'<text x="{width / 2}" y="{base + 35}" text-anchor="middle">{escape(axis)}</text>')
    frame = f'viewBox="0 0 {width} {base + 40}" role="img" aria-label="{escape(words)}"'
    return f'<svg class="histograms" {frame}>{"".join(drawn)}</svg>'


def measured_lines(across: Sequence[float], lines: Mapping[str, Sequence[tuple[float, float]]], axis: str, words: str) -> str:
    """Lines through measured values, title -> (value, standard error) at each place ``across``, these evenly spaced."""
    width, height, left, base = 640, 260, 70, 214
    top = max(value + error for line in lines.values() for value, error in line) or 1.0
    gap = (width - left - 80) / max(1, len(across) - 1)

    def up(value: float) -> float:
        return base - max(0.0, value) / top * (base - 14)

    drawn = f'<line x1="{left}" x2="{width - 10}" y1="{base}" y2="{base}"/>'
    for kind, line in enumerate(lines.values()):
        places = [(left + 30 + index * gap + 5 * kind, value, error) for index, (value, error) in enumerate(line)]
        points = " ".join(f"{x:.1f},{up(value):.1f}" for x, value, _ in places)
        drawn += f'<polyline class="set{kind}" points="{points}"/>'
        drawn += "".join(
            f'<path class="set{kind}" d="M{x:.1f},{up(value - error):.1f}V{up(value + error):.1f}"/>'
            f'<circle class="set{kind}" cx="{x:.1f}" cy="{up(value):.1f}" r="4"><title>{value:.4f} ± {error:.4f}</title></circle>'
            for x, value, error in places
        )
    for index, place in enumerate(across):
        drawn += f'<text x="{left + 30 + index * gap:.1f}" y="{base + 18}" text-anchor="middle">{place:g}</text>'
    for value in (0, top / 2, top):
        drawn += f'<text x="{left - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
    drawn += f'<text x="{(width + left) / 2}" y="{height - 6}" text-anchor="middle">{escape(axis)}</text>'
    frame = f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}"'
    return f'<svg class="histograms" {frame}>{drawn}</svg>'


CELL, BOX = (158, 74), (132, 46)
"""Width and height of a place of a diagram, and of the box in it."""
LOOKS = {"net": ("#e5e4fb", "#3b3a8f"), "real": ("#dfeaf8", "#2f6fc4"), "made": ("#fbe6d4", "#a9520d"), "": ("#f4f2ec", "#6b6257")}
"""What a box stands for, a network, data, something made or else -> its colour and that of its frame, seen on light and dark."""


def diagram(words: str, boxes: Mapping[str, tuple[float, float, str]], arrows: Sequence[tuple[str, ...]]) -> str:
    """Networks and what goes through them, as a picture for an explanation.

    ``boxes``: text -> column, row and one of ``LOOKS``. ``arrows``: from box, to box, for data that flows; with a third word, that
    word along a dashed way back under both, for gradients and comparisons.
    """
    (across, down), (wide, tall) = CELL, BOX
    places = {text: (6 + column * across, 6 + row * down) for text, (column, row, _) in boxes.items()}
    drawn, height = [], 12 + max(y for _, y in places.values()) + tall
    for start, end, *back in arrows:
        (x, y), (to, at) = places[start], places[end]
        if back:
            under = max(y, at) + tall + 26
            drawn.append(f'<path d="M{x + wide / 2} {y + tall}V{under}H{to + wide / 2}V{at + tall + 7}" stroke-dasharray="5 4"/>')
            drawn.append(f'<text x="{(x + to + wide) / 2}" y="{under - 6}">{escape(back[0])}</text>')
            height = max(height, under + 12)
        else:
            x, y, at = x + wide, y + tall / 2, at + tall / 2
            drawn.append(f'<path d="M{x} {y}C{x + 16} {y} {to - 22} {at} {to - 7} {at}"/>')
    for text, (_, _, look) in boxes.items():
        (x, y), (fill, frame), lines = places[text], LOOKS[look], text.split("\n")
        drawn.append(f'<rect x="{x}" y="{y}" width="{wide}" height="{tall}" rx="8" fill="{fill}" stroke="{frame}"/>')
        y += tall / 2 + 6 - 9 * (len(lines) - 1)
        drawn += [f'<text x="{x + wide / 2}" y="{y + 18 * place}">{escape(line)}</text>' for place, line in enumerate(lines)]
    width = 6 + max(x for x, _ in places.values()) + wide
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"><style>'
        "text{font:16px sans-serif;text-anchor:middle;fill:#26221c}path{fill:none;stroke:#6b6257;stroke-width:2;marker-end:url(#a)}"
        '</style><marker id="a" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="5" markerHeight="5" orient="auto">'
        '<path d="M0 0L8 4L0 8z" style="fill:#6b6257;stroke:none"/></marker>'
        f'<rect width="{width}" height="{height}" rx="10" fill="#faf8f4"/>{"".join(drawn)}</svg>'
    )
    return f'<img class="diagram" alt="{escape(words)}" src="{data_uri(svg.encode(), "svg+xml")}">'
