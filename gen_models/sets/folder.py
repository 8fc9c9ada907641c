"""``folder:PATH``: a user's own pictures, those in folders below it too, squared and resized."""

import numpy as np
import torch
from PIL import Image

from gen_models.data import DataError, DataSet, square, summary
from gen_models.sets import Record
from gen_models.sets._own import OwnFolder
from gen_models.sets._pictures import stacked


def read(split: str, size: int | None, path: str, channels: int) -> DataSet:
    """A part, 64 x 64 without a ``size``; a fixed tenth tests, a fixed twentieth validates."""
    own = OwnFolder(path, split)

    def decode(image: Image.Image) -> tuple[np.ndarray]:
        return (np.asarray(square(image, size or 64, "RGB" if channels == 3 else "L")),)

    images = [image for (image,) in own.read(own.files(), decode)]
    if not images:
        raise DataError(
            f"the folder {own.path} holds no readable picture for the part {split!r}{summary(own.left_out)}; "
            "put more pictures into it"
        )
    labels = torch.zeros(len(images), 1, dtype=torch.int64)
    return DataSet(f"folder:{path}", split, stacked(images), labels, {}, **own.facts)


RECORD = Record(
    title="folder",
    card_title="a folder of pictures",
    what="the user's own pictures",
    terms="the user's own",
    license="license: other\nlicense_name: as-the-pictures",
    own=True,
    read=read,
)
