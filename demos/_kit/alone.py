"""A room alone in its page, for those who write it: ``python -m demos.<model>``."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demos._kit.glossary import glossary
from demos._kit.plan import Plan
from demos._server import limits
from demos._widgets import FOLDER, text_of


def look() -> dict[str, Any]:
    """Arguments of ``launch`` that give every page of the gallery its look and its script."""
    return dict(theme=theme(), css_paths=FOLDER / "page.css", js=text_of("page.js").replace("MAX_UPLOAD", str(limits.MAX_UPLOAD)))


def theme() -> gr.themes.Base:
    """Paper and ink, one accent, the reader's own fonts."""
    sans = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo, neutral_hue=gr.themes.colors.stone, font=sans,
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"], radius_size=gr.themes.sizes.radius_md,
    ).set(
        body_background_fill="#faf8f4", body_background_fill_dark="#14130f", block_background_fill="#ffffff",
        block_background_fill_dark="#1e1c18", block_border_width="1px", block_shadow="none", block_label_text_weight="500",
        body_text_color_subdued="#6b655d", body_text_color_subdued_dark="#a8a299", block_info_text_color="#6b655d",
        block_info_text_color_dark="#a8a299",
        button_primary_background_fill="#3b3a8f", button_primary_background_fill_hover="#4b4ab0",
        button_primary_background_fill_dark="#5d5bce", button_primary_background_fill_hover_dark="#6866dc",
        button_primary_text_color="#ffffff", color_accent="#4b4ab0", slider_color="#4b4ab0", slider_color_dark="#8584ee",
        checkbox_background_color_selected_dark="#6f6ee0", checkbox_border_color_selected_dark="#6f6ee0",
    )  # fmt: skip


def alone(plan: Plan) -> None:
    """Serve a room by itself, at the first free port."""
    with limits.Page(title=plan.name, analytics_enabled=False) as page:
        gr.HTML(f'<i class="rooms" data-rooms="{plan.name}"></i>', visible="hidden")
        glossary()
        plan.lay_out()
    page.queue()
    page.launch(**look())
