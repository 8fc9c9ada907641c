"""How the weights of a room stand: beside those that are next better and next worse, and beside real pictures."""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from demos._kit import charts
from gen_models import catalog
from gen_models.cards import measures_of, shown

DIRECTION = {"lower": "lower is better", "higher": "higher is better", "near 1": "1 is right"}


class Standing(NamedTuple):
    """One line: what is measured there, and its value."""

    words: str
    value: float
    text: str
    own: bool = False


def title_of(weights: str, beside: str = "") -> str:
    """A model's title and year; ``beside`` weights of the same model the name of these."""
    model, _ = catalog.split_name(weights)
    facts = catalog.about(model)
    return weights if model == beside.partition("-")[0] else f"{facts['title']}, {facts['year']}"


def entries_of(weights: str) -> list[dict[str, Any]]:
    """What was measured of these weights, the number that the model is known by first."""
    key = catalog.about(catalog.split_name(weights)[0]).get("headline", "").rpartition("-")[0]
    return sorted(measures_of(weights), key=lambda entry: entry["key"] != key)


def rivals(weights: str, entry: dict[str, Any]) -> list[tuple[float, str]]:
    """Other weights that were measured in the very same way: their values and titles, in ascending order of the values."""
    found = []
    for name in catalog.trained():
        for other in measures_of(name) if name != weights else []:
            if (other["key"], other["protocol"]) == (entry["key"], entry["protocol"]):
                found.append((other["value"], title_of(name, weights)))
    return sorted(found)


def baselines(weights: str, entry: dict[str, Any]) -> list[tuple[float, str]]:
    """The same for what these weights were compared with, such as bicubic enlargement: its measures are called by ``entry``'s, and
    more."""
    found = []
    for other in measures_of(weights):
        words = other["measure"].removeprefix(entry["measure"])
        if other["protocol"] == entry["protocol"] and words not in ("", other["measure"]):
            found.append((other["value"], words.removeprefix(",").strip().removeprefix("of ")))
    return sorted(found)


def standing(weights: str) -> tuple[dict[str, Any], list[Standing]]:
    """The first of :func:`entries_of` that others can be held against, else the first, and its line among those next to it, the
    best first; ({}, []) if nothing was measured."""
    found = ((entry, lines_of(weights, entry)) for entry in entries_of(weights))
    known_by = next(found, ({}, []))
    return known_by if len(known_by[1]) > 1 else next((pair for pair in found if len(pair[1]) > 1), known_by)


def lines_of(weights: str, entry: dict[str, Any]) -> list[Standing]:
    """The line of a number, among the next better, the next worse and that of real pictures, the best first."""
    lines = [Standing(title_of(weights), entry["value"], shown(entry["value"], entry["error"]), True)]
    # of each side the nearest, a model before a baseline
    others = [*((pair, False) for pair in rivals(weights, entry)), *((pair, True) for pair in baselines(weights, entry))]
    lower = entry["better"] == "lower"
    for below in (True, False):
        side = [(plain, abs(value - entry["value"]), value, title) for (value, title), plain in others
                if (value <= entry["value"]) is below]  # fmt: skip
        words = "worse than" if below is lower else "better than"
        lines += [Standing(f"{words} {title}", value, f"{value:.4g}") for _, _, value, title in sorted(side)[:1]]
    if "real" in entry:
        lines.append(Standing("real pictures", entry["real"], shown(entry["real"], entry.get("real_error", 0.0))))
    return sorted(lines, key=lambda line: line.value, reverse=not lower)


def standing_html(weights: str) -> str:
    """The same as bars under what is measured; "" if nothing was."""
    entry, lines = standing(weights)
    if not entry:
        return ""
    top = max((abs(line.value) for line in lines), default=0.0) or 1.0
    pale = "var(--body-text-color-subdued)"
    rows = [charts.Bar(line.words, abs(line.value) / top, line.text, colour="" if line.own else pale) for line in lines]
    unit = f" in {entry['unit']}" if entry["unit"] else ""
    words = f"{entry['measure']}{unit}, {DIRECTION[entry['better']]}"
    return f'<div class="standing"><p class="over"><b>{escape(weights)}</b> {escape(words)}</p>{charts.bars(rows)}</div>'
