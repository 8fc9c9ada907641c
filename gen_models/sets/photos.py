"""Landscapes, paintings, textures and flowers, 256 x 256: what super-resolution learns from."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gen_models.data import DataError, DataSet, split_of
from gen_models.sets import Record
from gen_models.sets._pictures import archive, in_archive, picture, stacked

ARCHIVES = ("monet2photo_256.zip", "textures_dtd_256.zip", "flowers102_64.zip")
PAPERS = "sr_set5_set14.zip"


def read(split: str, size: int | None, folder: Path | None) -> DataSet:
    """A part, 256 x 256 without a ``size``; that to train on holds mosaics too. A fixed tenth tests, a fixed twentieth validates.

    Halved pictures are sharper, show the same things smaller, and have lost the traces of JPEG; flowers are small as they are.
    """
    size = size or 256
    found: list[list[np.ndarray]] = []
    for file, side in zip(ARCHIVES, (size, size, size // 4), strict=True):
        with archive("photos", file, folder) as files:
            contents = [member() for member in in_archive(files, ["train/"]).values()]
            found.append([picture(content, side, "RGB") for content in contents if split_of(content) == split])
    pictures = found[0] + found[1]
    if split == "train":
        halves = [np.asarray(Image.fromarray(pixels).resize((size // 2,) * 2, Image.Resampling.BOX)) for pixels in pictures]
        pictures = pictures + _mosaics(halves, 2) + _mosaics(found[2], 4)
    if not pictures:
        raise DataError(f"the archives of photos hold no picture for the part {split!r}; fetch them again")
    images = stacked(pictures)
    return DataSet("photos", split, images, torch.zeros(len(images), 1, dtype=torch.int64), {})


def _mosaics(pictures: list[np.ndarray], across: int) -> list[np.ndarray]:
    """Squares of ``across`` times ``across`` pictures; what is left over is left out."""
    groups = [pictures[first : first + across**2] for first in range(0, len(pictures) - across**2 + 1, across**2)]
    rows = range(0, across**2, across)
    return [np.concatenate([np.concatenate(group[first : first + across], axis=1) for first in rows]) for group in groups]


def read_papers(name: str, inside: str, folder: Path | None) -> dict[str, Tensor]:
    """The pictures of a benchmark in their own sizes: name -> uint8 (C, H, W), C = 1 where the picture is grey.

    Raises:
        DataError: if the archive is not at hand or damaged.
    """
    pictures = {}
    with archive(name, PAPERS, folder) as files:
        for title, member in in_archive(files, [inside]).items():
            with Image.open(io.BytesIO(member())) as image:
                pixels = np.array(image.convert("L" if image.mode in ("L", "1", "I", "I;16") else "RGB"))
            pictures[title] = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1).contiguous()
    if not pictures:
        raise DataError(f"{PAPERS} holds no picture of {name}; fetch it again")
    return pictures


RECORD = Record(
    title="Clean photos",
    card_title="photographs, paintings and textures",
    what="landscapes and paintings by Monet of monet2photo (Zhu et al. 2017) and ten kinds of the Describable Textures Dataset "
         "(Cimpoi et al. 2014), 256 x 256; to train on also four of these halved, or 16 of Oxford 102 Flowers (Nilsback, Zisserman "
         "2008), in one picture",
    terms="the paintings are in the public domain; the photographs belong to their photographers, for research and teaching only; "
          "Set5 and Set14, by which it is judged, are no part of it",
    license="license: other\nlicense_name: research-only",
    read=read,
    benchmarks={  # Bevilacqua 2012, Zeyde 2010
        "set5": partial(read_papers, "set5", "Set5/"), "set14": partial(read_papers, "set14", "Set14/"),
    },
)  # fmt: skip
