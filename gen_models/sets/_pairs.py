"""Sets of pictures of two kinds, A and B: pairs, or two sets that have nothing to do with each other.

They are small, so 15 percent test and 5 validate. A pair belongs to the part that the bytes of its A belong to.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gen_models.data import DataError, DataSet, split_of, summary
from gen_models.pictures import upright
from gen_models.sets._own import OwnFolder, Paths
from gen_models.sets._pictures import Files, archive, in_archive, picture, squared, stacked

SHARES = {"test": 15, "validation": 5}
"""In percent."""
LAYOUTS = (
    ("A", "B"), ("trainA", "trainB"), ("train_A", "train_B"), ("input", "target"), ("inputs", "targets"), ("source", "target"),
)  # fmt: skip
"""What users call their folders of the two kinds, whatever the case."""
KNOWN = ", ".join(f"{first}/ and {second}/" for first, second in LAYOUTS[1:])
NARROW = "not two pictures side by side"


def read_archive(
    name: str, file: str, kinds: tuple[str, str], domains: tuple[str, str], paired: bool, side: int,
    split: str, size: int | None, folder: Path | None,
) -> DataSet:  # fmt: skip
    """A part of the set ``name`` from a zip with the kinds A and B in the folders ``kinds``, their sides ``side`` pixels long."""
    with archive(name, file, folder) as zipped:
        first, second = (in_archive(zipped, [kind]) for kind in kinds)
        if paired and first.keys() != second.keys():
            raise DataError(f"some pictures in {file} have no partner; fetch it again")

        def in_part(files: Files) -> dict[str, bytes]:
            return {stem: content for stem, read in files.items() if split_of(content := read(), **SHARES) == split}

        chosen = in_part(first)
        others = {stem: second[stem]() for stem in chosen} if paired else in_part(second)
        both = [[picture(content, size or side, "RGB") for content in kind.values()] for kind in (chosen, others)]
    return pair_set(name, split, both, domains, paired)


def read_folders(paired: bool, split: str, size: int | None, path: str, channels: int) -> DataSet:
    """A part of a user's own pictures, 128 x 128 without a ``size``: ``paired:PATH`` or ``unpaired:PATH``."""
    own, side, mode = OwnFolder(path, split, **SHARES), size or 128, "RGB" if channels == 3 else "L"

    def decode(*images: Image.Image) -> tuple[np.ndarray, ...]:
        return tuple(squared(image, side, mode) for image in images)

    def decode_halves(image: Image.Image) -> tuple[np.ndarray, ...]:
        image = upright(image)
        middle = image.width // 2
        return decode(image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height)))

    kinds = kind_folders(own)
    if kinds is None and (own.folders() or not paired):
        seen = ", ".join(f"{name}/" for name in own.folders()) or "no folders"
        raise DataError(
            f"the folder {own.path} needs two folders, A/ and B/, one for each kind of picture (or {KNOWN}); it has {seen}"
            + paired * "; of pictures with both halves, name the very folder in which they are"
        )
    if kinds and not paired:
        both = [[image for (image,) in own.read(own.files(kind), decode, name)] for kind, name in zip(kinds, "AB", strict=True)]
    else:
        found = own.read(pairs(own, *kinds), decode) if kinds else own.read(with_halves(own), decode_halves)
        both = [[pair[kind] for pair in found] for kind in (0, 1)]
    return pair_set(f"{'paired' if paired else 'unpaired'}:{path}", split, both, ("A", "B"), paired, **own.facts)


def kind_folders(own: OwnFolder) -> tuple[Path, Path] | None:
    """The folders of kind A and of kind B, by their names, in a user's folder or in its folder ``train``.

    What is beside them is left out.
    """
    for place in (Path(), Path("train")):
        if not (own.path / place).is_dir():
            continue
        names = {name.lower(): name for name in reversed(own.folders(place))}
        for first, second in LAYOUTS:
            if first.lower() not in names or second.lower() not in names:
                continue
            kinds = place / names[first.lower()], place / names[second.lower()]
            for inside in dict.fromkeys((Path(), place)):
                for other in (inside / name for name in own.entries(inside)):
                    if other not in (place, *kinds):
                        own.leave_out(f"beside {kinds[0].as_posix()}/ and {kinds[1].as_posix()}/", own.path / other)
            return kinds
    return None


def pairs(own: OwnFolder, *kinds: Path) -> Paths:
    """Pictures of the same name in two folders, else of names that differ in case and ending alone; a picture alone is left out.

    Raises:
        DataError: if all are alone.
    """
    sides = [own.files(kind) for kind in kinds]
    partner = {name: name for name in sides[0] if name in sides[1]}
    stems: list[dict[str, list[str]]] = [defaultdict(list), defaultdict(list)]
    for side, files in zip(stems, sides, strict=True):
        for name in files:
            if name not in partner:
                # macOS writes an umlaut as two characters, other systems as one; to either case means little
                side[unicodedata.normalize("NFC", str(Path(name).with_suffix(""))).casefold()].append(name)
    for stem, names in stems[0].items():
        others = stems[1].get(stem, [])
        if len(names) == len(others) == 1:
            partner[names[0]] = others[0]
    if not partner and all(sides):
        some = ", ".join(f"{kind.as_posix()}/{next(iter(files))}" for kind, files in zip(kinds, sides, strict=True))
        raise DataError(
            f"no two pictures in {own.path} have the same name, such as {some}; name the two of a pair alike, or train on "
            "unpaired pictures"
        )
    for files, used in zip(sides, (partner, set(partner.values())), strict=True):
        for name in files:
            if name not in used:
                own.leave_out("no single partner of the same name", *files[name])
    return {name: sides[0][name] + sides[1][partner[name]] for name in sides[0] if name in partner}


def with_halves(own: OwnFolder) -> Paths:
    """Pictures that can be cut into two halves; the others are left out.

    Raises:
        DataError: if none can.
    """
    files = own.files(fault=narrow)
    if not files and NARROW in own.left_out:
        raise DataError(
            f"the pictures in {own.path} are {NARROW}; a paired set is two folders A/ and B/ with pictures of the same names, "
            "or pictures with both halves"
        )
    return files


def narrow(image: Image.Image) -> str:
    """Why a picture cannot be cut into two halves; empty if it can."""
    width, height = upright(image).size
    return NARROW if width % 2 == 1 or width < 1.2 * height else ""


def pair_set(
    name: str, split: str, both: Sequence[list[np.ndarray]], domains: tuple[str, str], paired: bool, **facts: Any
) -> DataSet:
    """Pictures of kind A and of kind B, each uint8 (H, W, 3) or (H, W), as a set that is called ``name``.

    ``facts``: what else is known of it, see :class:`DataSet`.

    Raises:
        DataError: if there is none of a kind.
    """
    for kind, images in zip("AB", both, strict=True):
        if not images:
            raise DataError(
                f"{name} holds no readable picture of kind {kind} for the part {split!r}{summary(facts.get('left_out', {}))}; put "
                "more of them there"
            )
    images, partners = map(stacked, both)
    labels = torch.zeros(len(images), 1, dtype=torch.int64)
    return DataSet(name, split, images, labels, {}, partners, domains, paired, **facts)
