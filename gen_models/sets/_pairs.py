"""Sets of pictures of two kinds, A and B: pairs, or two sets that have nothing to do with each other.

They are small, so 15 percent test and 5 validate. A pair belongs to the part that the bytes of its A belong to.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import ImageOps

from gen_models.data import DataError, DataSet, split_of
from gen_models.sets._pictures import Files, archive, in_archive, in_folder, opened, picture, skipping, squared, stacked

SHARES = {"test": 15, "validation": 5}
"""In percent."""


def read_archive(
    name: str, file: str, kinds: tuple[str, str], domains: tuple[str, str], paired: bool, side: int,
    split: str, size: int | None, folder: Path | None,
) -> DataSet:  # fmt: skip
    """A part of the set ``name`` from a zip with the kinds A and B in the folders ``kinds``, their sides ``side`` pixels long."""
    with archive(name, file, folder) as zipped:
        sides = [in_archive(zipped, [kind]) for kind in kinds]
        if paired:
            both = read_paired(name, *sides, split, size or side, "RGB", strict=True)
        else:
            both = tuple(read_side(pictures, split, size or side, "RGB", strict=True) for pictures in sides)
    return pair_set(name, split, both, domains, paired)


def read_folders(paired: bool, split: str, size: int | None, path: str, channels: int) -> DataSet:
    """A part of a user's own pictures, 128 x 128 without a ``size``: ``paired:PATH`` or ``unpaired:PATH``."""
    folder, side, mode = Path(path).expanduser(), size or 128, "RGB" if channels == 3 else "L"
    if not folder.is_dir():
        raise DataError(f"the folder {folder} does not exist")
    if (folder / "A").is_dir() and (folder / "B").is_dir():
        sides = [in_folder(folder / kind) for kind in "AB"]
        if paired:
            both = read_paired(str(folder), *sides, split, side, mode)
        else:
            both = tuple(read_side(pictures, split, side, mode) for pictures in sides)
    elif paired:
        both = read_halves(folder, split, side, mode)
    else:
        raise DataError(f"the folder {folder} needs two folders, A/ and B/, one for each kind of picture")
    return pair_set(f"{'paired' if paired else 'unpaired'}:{path}", split, both, ("A", "B"), paired)


def read_paired(
    place: str, first: Files, second: Files, split: str, size: int, mode: str, strict: bool = False
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pictures of the same name from two places."""
    alone = sorted(first.keys() ^ second.keys())
    if alone:
        shown = ", ".join(f"{'A' if stem in first else 'B'}/{stem}" for stem in alone[:3]) + (", ..." if len(alone) > 3 else "")
        raise DataError(
            f"{len(alone)} pictures in {place} have no partner of the same name in the other folder ({shown}); "
            "name both alike, take them out, or train on unpaired pictures"
        )
    found = []
    for stem, read in first.items():
        content = read()
        if split_of(content, **SHARES) == split:
            with skipping(stem, strict):
                found.append((picture(content, size, mode), picture(second[stem](), size, mode)))
    return [one for one, _ in found], [other for _, other in found]


def read_halves(path: Path, split: str, size: int, mode: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Left and right halves of pictures."""
    found = []
    for stem, read in in_folder(path).items():
        content = read()
        narrow = None
        with skipping(stem):
            image = ImageOps.exif_transpose(opened(content))
            narrow = image.width % 2 == 1 or image.width < 1.2 * image.height
            if not narrow and split_of(content, **SHARES) == split:
                middle = image.width // 2
                halves = image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))
                found.append(tuple(squared(half, size, mode) for half in halves))
        if narrow:
            raise DataError(
                f"{stem} in {path} is {image.width} x {image.height} pixels, which is not two pictures side by side; "
                "a paired set is two folders A/ and B/ with pictures of the same names, or pictures with both halves"
            )
    return [left for left, _ in found], [right for _, right in found]


def read_side(pictures: Files, split: str, size: int, mode: str, strict: bool = False) -> list[np.ndarray]:
    """The pictures of one kind, for an unpaired set."""
    found = []
    for stem, read in pictures.items():
        content = read()
        if split_of(content, **SHARES) == split:
            with skipping(stem, strict):
                found.append(picture(content, size, mode))
    return found


def pair_set(
    name: str, split: str, both: tuple[list[np.ndarray], list[np.ndarray]], domains: tuple[str, str], paired: bool
) -> DataSet:
    """Pictures of kind A and of kind B, each uint8 (H, W, 3) or (H, W), as a set that is called ``name``.

    Raises:
        DataError: if there is none of a kind.
    """
    for kind, images in zip("AB", both, strict=True):
        if not images:
            raise DataError(f"{name} holds no readable picture of kind {kind} for the part {split!r}; put more of them there")
    images, partners = map(stacked, both)
    return DataSet(name, split, images, torch.zeros(len(images), 1, dtype=torch.int64), {}, partners, domains, paired)
