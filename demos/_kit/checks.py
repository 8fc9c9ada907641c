"""Checks of what the page, a link or a caller sends: the value, or one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr


class Unusable(gr.Error):
    """What a visitor brought is of no use to the model: views that read it are emptied and say why in one sentence."""


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether ``value`` is a number from ``low`` to ``high``; neither True, nor text, nor NaN is one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def integer(value: Any, low: int, high: int, what: str) -> int:
    """``value`` as an integer between ``low`` and ``high``; what a page's number field sends may be anything."""
    if not is_number(value, low, high):
        raise gr.Error(f"{what} must be a number from {low} to {high}.")
    return int(value)


def number(value: Any, low: float, high: float, what: str) -> float:
    """``value`` as a finite number between ``low`` and ``high``."""
    if not is_number(value, low, high):
        raise gr.Error(f"{what} must be a number from {low:g} to {high:g}.")
    return float(value)


def one_of(value: Any, options: Sequence[str], what: str) -> str:
    """``value`` if it is one of ``options``."""
    if value not in options:
        raise gr.Error(f"{what} must be one of {', '.join(options) or '(none is trained yet)'}.")
    return str(value)
