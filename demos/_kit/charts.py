"""Charts as SVG, in the page's own colours, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BASE = 640, 240, 44, 200


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
