"""What a room is about, which a visitor chooses first: trained weights, or in a room without any of its own something else."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demos._kit.layout import explanation, header, weights_choice
from demos._kit.recipes import weights_digest
from gen_models import catalog


@dataclass(frozen=True)
class Trained:
    """The weights of one model, or of several with the word that tells each from the others; see :class:`Plan` for the rest."""

    models: str | Mapping[str, str]
    first: str
    offers: Callable[[str], bool]
    titles: Mapping[str, str]
    key = "weights"
    label = "Trained on"
    digest = staticmethod(weights_digest)

    @property
    def kinds(self) -> Sequence[str]:
        """The models, the one that the room is called by first."""
        return [self.models] if isinstance(self.models, str) else list(self.models)

    @property
    def room(self) -> str:
        """The name of the room."""
        return self.kinds[0]

    def names(self) -> list[str]:
        """Those that can be chosen."""
        return [name for kind in self.kinds for name in catalog.trained(kind) if self.offers(name)]

    def header(self) -> None:
        """Lay out what stands above the room."""
        header(*self.kinds)

    def choice(self) -> gr.Radio:
        """Lay out the choice."""
        return weights_choice(self.models, self.first, self.offers, self.titles)

    def explain(self, text: str) -> None:
        """Lay out how it works, and what was measured."""
        explanation(self.kinds, text)


@dataclass(frozen=True)
class Subjects:
    """What has a choice in the place of weights, such as data sets with all that is trained on them.

    It goes wherever ``weights`` go: into the methods of fields, into recipes, and under the name ``key`` into verbs.
    """

    room: str
    """The name of its file."""
    title: str
    summary: str
    key: str
    label: str
    offered: Callable[[], Mapping[str, str]]
    """Their names -> titles; the first is chosen at first."""
    digest: Callable[[Mapping[str, Any]], str]
    """The controls -> the hash of all weights that they use."""
    measured: Callable[[], str]
    """Markdown under "Measured"."""

    def names(self) -> list[str]:
        """Those that can be chosen."""
        return list(self.offered())

    def header(self) -> None:
        """Lay out what stands above the room."""
        words = f"<div><h2>{html.escape(self.title)}</h2><p>{html.escape(self.summary)}</p></div>"
        gr.HTML(f'<header class="room-header" data-room="{self.room}">{words}</header>', elem_classes=["flush"])

    def choice(self) -> gr.Radio:
        """Lay out the choice."""
        choices = [(title, name) for name, title in self.offered().items()]
        return gr.Radio(choices, value=choices[0][1] if choices else None, label=self.label, elem_classes=["chips"])

    def explain(self, text: str) -> None:
        """Lay out how it works, and what was measured."""
        explanation([], text, self.measured)
