"""The home page: a card per room, the line of years, search, and what each model costs on this machine.

A card's picture is a part of the sheet that the model made when its weights were published; the server cuts it out when a browser
asks for it, so that the page itself stays small.
"""

from __future__ import annotations

import html
import importlib
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import quote

import gradio as gr

from demos._kit.events import HEAVY, QUICK, error_boundary
from demos._kit.plan import Start
from demos._server import gpu
from demos._server.covers import COVER, SIDES, headline, main_verb, pictured
from demos._widgets import script
from gen_models import catalog, load, runtime, sets
from gen_models.cards import shown as digits

TIMES = 3
"""Results timed for a card, after one that is not: their median stands there."""
IMPATIENCE = 5.0
"""Seconds after which a model is not asked again for the same card."""

FOUND_BY = "title", "year", "authors", "summary"
"""What the search looks for of a model, besides its keywords and its data."""
_costs: dict[str, str] = {}


# ---- what stands on a card --------------------------------------------------------------------------------------------


def number_words(name: str, number: Mapping[str, Any]) -> str:
    """A number with its unit, what it is, of what, and the same for real pictures, as HTML."""
    if not number:
        return "not measured yet"
    data = name.partition("-")[2]
    value = digits(number["value"], number["error"]).split(" ± ")[0]
    real = f" (real ones: {digits(number['real'], number['real_error']).split(' ± ')[0]})" if "real" in number else ""
    what = f"{number['measure']}, {sets.record(data).title}{real}"
    direction = {"lower": ", lower is better", "higher": ", higher is better"}.get(number.get("better", ""), "")
    return f"<b>{html.escape(value)}{html.escape(' ' + number['unit']).rstrip()}</b> {html.escape(what + direction)}"


def data_words(model: str) -> list[str]:
    """What the sets are called that a model was trained on, and what their pictures show."""
    words = []
    for name in catalog.trained(model):
        data = sets.record(name.partition("-")[2])
        words += [data.title, data.card_title, data.pictures, *data.kinds]
        words += [name for names in data.classes.values() for name in names]
    return words


def card(model: str, family: str, family_title: str) -> str:
    """One room's card as HTML, a link that works without scripts, too."""
    facts = catalog.about(model)
    name, number = headline(model)
    shown = pictured(model)
    words = " ".join([model, family_title, *(str(facts[key]) for key in FOUND_BY), *facts["keywords"], *data_words(model)]).lower()
    sheet = catalog.WEIGHTS / shown / "samples.png"  # not here yet where the weights are still on the Hub
    address = f"cover/{quote(shown)}.webp?{sheet.stat().st_mtime_ns:x}" if shown and sheet.is_file() else ""
    picture = f'<img src="{address}" alt="" loading="lazy" width="{COVER[0]}" height="{COVER[1]}">' if address else "<i></i>"
    about_room = f'data-room="{model}" data-family="{family}" data-words=" {html.escape(words)}"'
    return (
        f'<a class="card" href="{family}?room={model}" {about_room}>'
        f"{picture}<strong>{html.escape(facts['title'])} <small>{facts['year']}</small></strong>"
        f"<span>{html.escape(facts['summary'])}</span><span class=\"number\">{number_words(name, number)}</span>"
        f'<span class="cost" data-cost="{model}"></span></a>'
    )


def line(rooms: Mapping[str, Sequence[str]]) -> str:
    """The rooms, by family, in the order of the years of their papers, as HTML."""
    everything = [(family, model) for family, members in rooms.items() for model in members]
    dated = sorted((catalog.about(model)["year"], catalog.about(model)["title"], family, model) for family, model in everything)
    years = []
    for year, models in groupby(dated, key=lambda entry: entry[0]):
        names = "".join(
            f'<a href="{family}?room={model}" data-room="{model}">{html.escape(title)}</a>' for _, title, family, model in models
        )
        years.append(f"<li><time>{year}</time>{names}</li>")
    return f'<ol class="line" aria-label="By year">{"".join(years)}</ol>'


def starts(rooms: Sequence[str]) -> dict[str, Start]:
    """The rooms that the front page offers to begin with, in their order."""
    modules = {name: importlib.import_module(f"demos.{name}") for name in rooms}
    return {name: module.START for name, module in modules.items() if hasattr(module, "START")}


def start_html(room: str, family: str, start: Start) -> str:
    """A way to begin: a picture that turns into another, and what one does there."""
    pictures = "".join(f'<img class="{side}" src="start/{room}-{side}.webp" alt="" width="512" height="512">' for side in SIDES)
    return (
        f'<a class="start" href="{family}?room={room}" data-room="{room}"><span class="turning">{pictures}</span>'
        f'<strong>{html.escape(start.words)} <span aria-hidden="true">→</span></strong></a>'
    )


def page_html(
    rooms: Mapping[str, Sequence[str]], titles: Mapping[str, str], shared: Mapping[str, tuple[str, str]] | None = None
) -> str:
    """The whole page: line, rooms of several models, search, families, cards."""
    kinds = [("", "All"), *((family, titles[family]) for family in rooms)]
    chips = "".join(
        f'<button type="button" data-filter="{family}" aria-pressed="{"false" if family else "true"}">{html.escape(title)}</button>'
        for family, title in kinds
    )
    ways = "".join(
        f'<a class="way" href="{name}" data-room="{name}"><strong>{html.escape(title)}</strong> {html.escape(summary)}</a>'
        for name, (title, summary) in (shared or {}).items()
    )
    cards = "".join(card(model, family, titles[family]) for family, members in rooms.items() for model in members)
    offered = starts([model for members in rooms.values() for model in members])
    family_of = {model: family for family, members in rooms.items() for model in members}
    begin = "".join(start_html(room, family_of[room], start) for room, start in offered.items())
    return (
        f'<div class="home"><div class="starts">{begin}</div>{line(rooms)}{ways}'
        '<div class="find"><input type="search" placeholder="Search" aria-label="Search the rooms">'
        f'<div class="chips" role="group" aria-label="Family">{chips}</div></div>'
        f'<div class="cards">{cards}</div><p class="note nothing" hidden>No room matches all of these words.</p>'
        '<p class="note keys">Keys: <kbd>←</kbd> <kbd>→</kbd> the previous and the next room, <kbd>R</kbd> a new seed, '
        "<kbd>F</kbd> full screen, <kbd>space</kbd> stop.</p></div>"
    )


FIND_JS = script("search")

COST_JS = script("costs")


# ---- what a model costs here ------------------------------------------------------------------------------------------


def cost(model: str) -> str:
    """Milliseconds for a result on this machine, numbers in the network, as one line."""
    name, _ = headline(model)
    loaded = load(name)
    verb, what = main_verb(loaded)
    times: list[float] = []
    while len(times) <= TIMES and sum(times) < IMPATIENCE:
        with runtime.forward_pass():
            start = time.perf_counter()
            verb()
            times.append(time.perf_counter() - start)
    milliseconds = 1000 * statistics.median(times[1:] or times)
    # what is fitted without gradients has buffers only
    size = sum(numbers.numel() for numbers in list(loaded.parameters()) or loaded.buffers())
    took = f"{milliseconds:.{0 if milliseconds >= 10 else 1}f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
    return f"{took} for {what}, {size / 1e6:.{1 if size >= 1e5 else 2}f} million parameters"


def measure_costs(rooms: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Measure one room after the other; what is known so far for the cards, and how far it is."""
    for place, model in enumerate(rooms):
        yield json.dumps(_costs), f"{catalog.about(model)['title']}, {place + 1} of {len(rooms)} …"
        _costs[model] = cost(model)
    yield json.dumps(_costs), "Measured on this machine just now, one result at a time."


# ---- the page ---------------------------------------------------------------------------------------------------------


def home(
    rooms: Mapping[str, Sequence[str]], titles: Mapping[str, str], shared: Mapping[str, tuple[str, str]] | None = None
) -> None:
    """Lay out the page; ``titles``: of the families; ``shared``: rooms of several models -> title and one sentence."""
    everything = [model for members in rooms.values() for model in members]
    gr.HTML(page_html(rooms, titles, shared), js_on_load=FIND_JS)
    with gr.Row(elem_classes=["keep"]):
        measure = gr.Button("What do they cost on this machine?", size="sm", elem_classes=["quiet"], min_width=240)
        stop = gr.Button("Stop", variant="stop", size="sm", elem_classes=["quiet"])
    note = gr.HTML("", elem_classes=["note"])
    carrier = gr.HTML("", html_template="", js_on_load=COST_JS, visible="hidden")

    @error_boundary
    @gpu.cpu_only
    def measured() -> Iterator[tuple[str, str]]:
        yield from measure_costs(everything)

    running = measure.click(measured, None, [carrier, note], show_progress="hidden", trigger_mode="multiple", **HEAVY)
    stop.click(lambda: "", None, note, cancels=[running], queue=False, show_progress="hidden", api_visibility="private")
    carrier.ask(lambda: json.dumps(_costs), None, carrier, **QUICK)
