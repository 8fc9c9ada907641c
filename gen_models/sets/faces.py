"""UTKFace (Zhang, Song, Qi 2017): aligned faces of 128 x 128 with age, sex and ethnicity."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gen_models.data import DataError, DataSet, split_of, square
from gen_models.sets import Record
from gen_models.sets._pictures import archive, in_archive, stacked
from gen_models.sets._traits import background, brightness, side_light, warmth

ARCHIVE = "faces_utk_128.zip"
CLASSES = {
    "age": (*(f"{10 * decade}-{10 * decade + 9}" for decade in range(9)), "90 and over"),
    "gender": ("male", "female"),
    "ethnicity": ("white", "black", "asian", "indian", "other"),
}


def read(split: str, size: int | None, folder: Path | None) -> DataSet:
    """A part, 64 x 64 without a ``size``; a fixed tenth tests, a fixed twentieth validates."""
    images, labels = [], []
    with archive("the faces", ARCHIVE, folder) as files:
        for name, content in ((name, member()) for name, member in in_archive(files, [""]).items()):
            if split_of(content) == split:
                age, gender, ethnicity, *_ = Path(name).name.split("_")
                images.append(np.asarray(square(Image.open(io.BytesIO(content)), size or 64)))
                labels.append((min(int(age) // 10, 9), int(gender), int(ethnicity)))
    if not images:
        raise DataError(f"{ARCHIVE} holds no face for the part {split!r}; fetch it again")
    return DataSet("faces", split, stacked(images), torch.tensor(labels), CLASSES)


RECORD = Record(
    title="Faces",
    card_title="faces",
    what="UTKFace, aligned and cropped, here {size} x {size} colour (Zhang, Song, Qi, CVPR 2017, https://susanqq.github.io/UTKFace/)",
    terms="non-commercial research only; the photos belong to their owners",
    license="license: other\nlicense_name: non-commercial-research",  # weights cannot be freer than the photos they were made from
    hub="UTKFace",
    pictures="faces",
    classes=CLASSES,
    traits={
        "Brightness": brightness, "Side light": side_light, "Background": background, "Warm colours": warmth,
        "Age": lambda pictures, labels: labels[:, 0].float(),
    },
    contrasts={"older": ("age", 1), "younger": ("age", -1), "female": ("gender", 1), "male": ("gender", -1)},
    finder="finder-faces2photos",
    read=read,
)  # fmt: skip
