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


def main_entry(weights: str) -> dict[str, Any] | None:
    """The number that the model is known by, if it was measured of these weights, else the first; None if nothing was."""
    entries = measures_of(weights)
    key = catalog.about(catalog.split_name(weights)[0]).get("headline", "").rpartition("-")[0]
    return next((entry for entry in entries if entry["key"] == key), next(iter(entries), None))


def rivals(weights: str, entry: dict[str, Any]) -> list[tuple[float, str]]:
    """Other weights that were measured in the very same way: their values and names, in ascending order of the values."""
    found = []
    for name in catalog.trained():
        for other in measures_of(name) if name != weights else []:
            if (other["key"], other["protocol"]) == (entry["key"], entry["protocol"]):
                found.append((other["value"], name))
    return sorted(found)


def standing(weights: str) -> tuple[dict[str, Any], list[Standing]]:
    """The number of :func:`main_entry`, and its line among those next to it, the best first; ({}, []) if nothing was measured."""
    entry = main_entry(weights)
    if entry is None:
        return {}, []
    lines = [Standing(title_of(weights), entry["value"], shown(entry["value"], entry["error"]), True)]
    others = rivals(weights, entry)
    below = [pair for pair in others if pair[0] <= entry["value"]][-1:]
    above = [pair for pair in others if pair[0] > entry["value"]][:1]
    lower = entry["better"] == "lower"
    for pairs, better in ((below, lower), (above, not lower)):
        words = {True: "worse than", False: "better than"}[better]
        lines += [Standing(f"{words} {title_of(name, weights)}", value, f"{value:.4g}") for value, name in pairs]
    if "real" in entry:
        lines.append(Standing("real pictures", entry["real"], shown(entry["real"], entry.get("real_error", 0.0))))
    return entry, sorted(lines, key=lambda line: line.value, reverse=not lower)


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
