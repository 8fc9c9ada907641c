"""Header, choice of weights, seed, explanation: parts that every room has."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from types import MappingProxyType

import gradio as gr

from demos._kit.events import QUICK, error_boundary
from demos._kit.inputs import CheckedNumber
from demos._kit.measured import standing_html
from demos._kit.recipes import MAX_SEED
from gen_models import catalog, sets


def header(*models: str) -> None:
    """Title, year, the one sentence, authors and paper of each model, read from its file without importing it."""
    parts = []
    for model in models:
        facts = catalog.about(model)
        parts.append(
            f'<div><h2>{html.escape(facts["title"])} <small>{facts["year"]}</small></h2>'
            f"<p>{html.escape(facts['summary'])}</p>"
            f'<p class="byline">{html.escape(facts["authors"])} · <a href="{html.escape(facts["paper"])}" target="_blank" '
            'rel="noopener">the paper</a></p></div>'
        )
    gr.HTML(f'<header class="room-header" data-room="{models[0]}">{"".join(parts)}</header>', elem_classes=["flush"])


def weights_choice(
    models: str | Mapping[str, str], first: str, offers: Callable[[str], bool] = lambda weights: True,
    titles: Mapping[str, str] = MappingProxyType({}),
) -> gr.Radio:  # fmt: skip
    """Which trained weights to use, those of the data set ``first`` at first; a user's own appear by their name.

    ``models``: a model's name, or several, each with the word that tells it from the others; ``offers``: which of their weights;
    ``titles``: of those that are not named after a data set.
    """
    kinds = {models: ""} if isinstance(models, str) else models
    choices = []
    for kind, word in kinds.items():
        for name in filter(offers, catalog.trained(kind)):
            data = name.partition("-")[2]
            choices.append((" · ".join(filter(None, (titles.get(data) or sets.record(data).title, word))), name))
    choices.sort(key=lambda choice: choice[1].partition("-")[2] != first)
    names = [name for _, name in choices]
    preferred = next((name for name in names if name.partition("-")[2] == first), names[0] if names else None)
    return gr.Radio(choices, value=preferred, label="Trained on", elem_classes=["chips"])


def seed_row(value: int = 7) -> tuple[gr.Number, gr.Button]:
    """A seed field and the dice beside it."""
    with gr.Row(elem_classes=["seed-row"]):
        seed = CheckedNumber(value, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=90, scale=3)
        dice = gr.Button("New seed", min_width=100, scale=1, size="md", elem_classes=["dice"])
    return seed, dice


def explanation(models: str | Sequence[str], text: str, numbers: Callable[[], str] | None = None) -> None:
    """"How it works" with its formula, what is done differently, and the measured numbers, in accordions.

    They are closed, and hold more than all the rest of the page: each is written when it is opened. The numbers begin with how the
    weights stand; the table is a click further.

    ``numbers``: says what is shown as measured in place of the models' cards.
    """
    models = [models] if isinstance(models, str) else models

    def explained() -> str:
        parts = [text]
        for model in models:
            facts = catalog.about(model)
            where = "the paper" if len(models) == 1 else f"the paper: {facts['title']}"
            differences = "\n".join(f"- {line}" for line in facts["differences"])
            parts.append(f"{facts['authors']}, {facts['year']}: [{facts['title']}]({facts['paper']})")
            parts.append(f"**What we do differently from {where}**\n\n{differences}")
        return "\n\n".join(parts)

    def cards() -> tuple[str, str]:
        names = [name for model in models for name in catalog.trained(model)]
        if numbers:
            return "", numbers()
        return "".join(map(standing_html, names)), "\n\n".join(map(measured, names)) or "Nothing is trained yet."

    latex = [{"left": "$$", "right": "$$", "display": True}, {"left": "$", "right": "$", "display": False}]
    with gr.Accordion("How it works", open=False) as works:
        words = gr.Markdown(latex_delimiters=latex)
    works.expand(error_boundary(explained), None, words, **QUICK)
    with gr.Accordion("Measured", open=False) as numbered:
        lines = gr.HTML("", elem_classes=["flush"])
        with nullcontext() if numbers else gr.Accordion("Every number, and how it was measured", open=False):
            table = gr.Markdown()
    numbered.expand(error_boundary(cards), None, [lines, table], **QUICK)


def measured(name: str) -> str:
    """The card's table of numbers."""
    from gen_models.cards import numbers_table

    return f"**{name}**\n\n{numbers_table(name)}"
