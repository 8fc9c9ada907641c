"""``folder:PATH``: a user's own pictures, those in folders below it too, squared and resized."""

from pathlib import Path

import numpy as np
import torch

from gen_models.data import DataError, DataSet, split_of, square
from gen_models.sets import Record
from gen_models.sets._pictures import SUFFIXES, opened, skipping, stacked


def read(split: str, size: int | None, path: str, channels: int) -> DataSet:
    """A part, 64 x 64 without a ``size``; a fixed tenth tests, a fixed twentieth validates. What cannot be read is skipped."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise DataError(f"the folder {folder} does not exist")
    images = []
    for file in sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES):
        with skipping(file.name):
            content = file.read_bytes()
            if split_of(content) == split:
                images.append(np.asarray(square(opened(content), size or 64, "RGB" if channels == 3 else "L")))
    if not images:
        raise DataError(
            f"the folder {folder} holds no readable picture for the part {split!r}; put more PNG or JPEG files into it"
        )
    return DataSet(f"folder:{folder}", split, stacked(images), torch.zeros(len(images), 1, dtype=torch.int64), {})


RECORD = Record(
    title="folder",
    card_title="a folder of pictures",
    what="the user's own pictures",
    terms="the user's own",
    license="license: other\nlicense_name: as-the-pictures",
    own=True,
    read=read,
)
