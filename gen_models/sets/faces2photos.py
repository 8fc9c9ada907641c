"""The sets ``faces`` and ``photos`` side by side, unpaired: pictures of a face, and pictures without one."""

from pathlib import Path

import torch

from gen_models.data import DataSet
from gen_models.sets import Record, faces, photos

DOMAINS = ("photographs of faces", "photographs, paintings and textures")


def read(split: str, size: int | None, folder: Path | None) -> DataSet:
    """The same part of both, 128 x 128 without a ``size``; Monet painted a few faces."""
    both = [record.read(split, size or 128, folder).images for record in (faces.RECORD, photos.RECORD)]
    return DataSet("faces2photos", split, both[0], torch.zeros(len(both[0]), 1, dtype=torch.int64), {}, both[1], DOMAINS)


RECORD = Record(
    title="Faces and other pictures",
    card_title="faces and pictures without a face",
    what=f"{faces.RECORD.what}; without a face: landscapes and paintings by Monet of monet2photo (Zhu et al. 2017), ten kinds of "
         "the Describable Textures Dataset (Cimpoi et al. 2014) and Oxford 102 Flowers (Nilsback, Zisserman 2008)",
    terms=faces.RECORD.terms,  # the stricter of the two
    license=faces.RECORD.license,
    kinds=("face", "picture"),
    read=read,
)  # fmt: skip
