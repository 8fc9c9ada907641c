"""How weights stand beside others: those that are next better and next worse, all that do the same task, and real pictures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from demos._kit import charts
from demos._kit.shipped import shape_of
from demos._server.covers import is_measure
from gen_models import catalog
from gen_models.cards import measures_of, shown
from gen_models.measures._measure import QUICK

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


# ---- like with like -----------------------------------------------------------------------------------------------------------


COUNT = re.compile(r"\b\d+\b")
"""How many pictures a protocol says, among other numbers."""


class Score(NamedTuple):
    """A number of weights that is shown beside those of others."""

    key: str = ""
    measure: str = ""
    value: float | None = None
    text: str = ""
    """The value with the digits that its error leaves."""
    remark: str = ""
    """Why it is not shown; "": it can be compared with the others'."""
    protocol: str = ""
    real: str = ""
    """The same for real pictures."""
    better: str = "lower"

    @property
    def line(self) -> str:
        """It in words."""
        return f"{self.measure}: {self.remark}" if self.remark else f"{self.measure} {self.text}".strip()


def scores(names: Sequence[str], key: str, measure: str) -> dict[str, Score]:
    """A number of each of these weights, compared under the protocol and size of pictures that most of them share.

    Where that protocol took more pictures of some of them than of others, all numbers are those of the quick measurement, which
    takes as many of each. ``measure``: what it is called.
    """
    needed = {"protocol", "better", "quick"}
    entries = {
        name: entry for name in names for entry in measures_of(name)
        if is_measure(entry) and needed <= entry.keys() and entry["key"] == key
    }  # fmt: skip
    ways = {name: (tuple(clauses(COUNT.sub("#", entry["protocol"]))), shape_of(name)[1]) for name, entry in entries.items()}
    shared, side = Counter(ways.values()).most_common(1)[0][0] if ways else ((), 0)
    counts = {entry["protocol"] for name, entry in entries.items() if ways[name] == (shared, side)}
    found = {}
    for name in names:
        if name not in entries:
            found[name] = Score(key, measure, remark="not measured")
            continue
        entry = entries[name]
        own, size = ways[name]
        odd = [words for words, way in zip(clauses(entry["protocol"]), own, strict=True) if way not in shared]
        odd += [f"pictures of {size} x {size} pixels"] * (size != side)
        number, protocol, real = entry, entry["protocol"], shown(entry["real"], entry["real_error"]) if "real" in entry else ""
        if len(counts) > 1:
            number, real = entry["quick"], ""
            protocol = f"{QUICK.samples} samples of each against {QUICK.real} unseen pictures, as not all were measured with more."
        unit = f" {entry['unit']}" if entry["unit"] else ""
        value, floor = (text.partition(" ± ")[0] for text in (shown(number["value"], number["error"]), real))
        remark = f"not comparable ({odd[0]})" if odd else ""
        found[name] = Score(key, measure, number["value"], value + unit, remark, protocol, floor, entry["better"])
    return found


def clauses(protocol: str) -> list[str]:
    """The parts of a protocol between commas, semicolons and brackets."""
    return [part.strip(" .") for part in re.split("[,;()]", protocol) if part.strip(" .")]
