"""The checkpoint of a training: a kill while it is written leaves the one before, and none is read in which a byte has changed."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import torch

from gen_models.files import replacing

CHECKPOINT = "checkpoint.pt"


def write(state: dict[str, Any], file: Path) -> None:
    """Replace the file by this state: tensors, numbers and text, nested as one likes.

    Raises:
        OSError, RuntimeError: if it cannot be written; the one before is kept then.
    """
    with replacing(file) as part, part.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())


def read(file: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state that :func:`write` wrote, its tensors on ``device``.

    Raises:
        ValueError: if a part of the file is not what it was when it was written. PyTorch itself compares no checksum.
        Exception: whatever PyTorch and zipfile make of other damage.
    """
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f"its part {damaged} is damaged")
    return torch.load(file, map_location=device, weights_only=True)
