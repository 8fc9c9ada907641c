"""A room that cannot be laid out says why in its place, and the others open."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from gradio.context import Context

from demos._kit.markup import note_html
from demos._kit.recipes import Room
from demos._server.errors import as_sentence


def laid_out(build: Callable[[], Room], name: str) -> Room | None:
    """The room that ``build`` lays out here; where it fails, None: what it laid out so far is taken away and a sentence put there.

    ``name``: of the room, for the log.
    """
    config = Context.root_block.default_config
    blocks, events, renderables = dict(config.blocks), dict(config.fns), list(config.renderables)
    with gr.Column(elem_classes=["room-place"]) as place:
        try:
            return build()
        except Exception as error:  # whatever damaged weights and pictures make a room do
            sentence = as_sentence(error, f"the room {name}").message
    for part in list(config.blocks):
        if part not in blocks and part != place._id:
            del config.blocks[part]
    config.fns, config.renderables = events, renderables
    place.children.clear()
    with place:
        gr.HTML(f'<header class="room-header" data-room="{name}"></header>{note_html(f"This room cannot be opened. {sentence}")}')
    return None
