"""Shop photographs on white, each with a line drawing made from it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from gen_models.data import DataSet, split_of
from gen_models.edges import framed, line_drawing
from gen_models.sets._pairs import SHARES, pair_set
from gen_models.sets._pictures import archive, in_archive


def read_drawn(name: str, folders: tuple[str, ...], things: str, split: str, size: int | None, folder: Path | None) -> DataSet:
    """A part of the set ``name`` from some folders of the fashion products, 128 x 128 without a ``size``; paired."""
    drawings, photos = [], []
    with archive(name, "fashion_products_128.zip", folder) as files:
        for content in (member() for member in in_archive(files, [f"train/{part}/" for part in folders]).values()):
            if split_of(content, **SHARES) == split:
                photo = framed(Image.open(io.BytesIO(content)).convert("RGB"), size or 128)
                photos.append(np.asarray(photo))
                drawings.append(np.asarray(line_drawing(photo)))
    return pair_set(name, split, (drawings, photos), ("line drawings", f"photographs of {things}"), paired=True)
