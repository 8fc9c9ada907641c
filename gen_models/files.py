"""Files that are replaced, never half written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path beside ``file`` to write to; what is written there then takes the place of ``file`` in one step.

    A kill or an error leaves ``file`` as it was before, and after an error nothing else.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        yield part
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Replace ``file`` by a text in UTF-8.

    A name with an umlaut reaches Python as its bare bytes where the locale is ASCII; in the file it stands as it was typed.
    """
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape")
