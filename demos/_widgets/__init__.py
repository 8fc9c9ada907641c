"""The scripts, templates and styles of the page, one file per widget, read as they are."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@cache
def text_of(name: str) -> str:
    """A file of this folder."""
    return (FOLDER / name).read_text(encoding="utf-8").strip()


def script(name: str, **constants: Any) -> str:
    """``<name>.js``, with ``constants`` defined before it."""
    lines = [f"const {key} = {json.dumps(value)};" for key, value in constants.items()]
    return "\n".join([*lines, text_of(f"{name}.js")])
