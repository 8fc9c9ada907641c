"""Grey pictures of 28 x 28 in IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

import numpy as np
import torch

from gen_models.data import DataError, DataSet, split_of


def read_grey(
    name: str, dataset: str, classes: dict[str, tuple[str, ...]], split: str, size: int | None, folder: Path | None
) -> DataSet:
    """A part of the set ``name``, read from ``<folder>/<dataset>/raw``; without a folder, torchvision downloads ``dataset`` first.

    The test part is the official one; of the official training part a fixed twentieth is for validation.
    """
    images, labels = _idx_arrays(dataset, "test" if split == "test" else "train", folder)
    if split != "test":
        chosen = np.array([split_of(image.tobytes(), test=0) == split for image in images])
        images, labels = images[chosen], labels[chosen]
    pictures = torch.from_numpy(images.copy())[:, None]
    if size not in (None, 28):
        pictures = torch.nn.functional.interpolate(pictures.float(), size=(size, size), mode="area")
        pictures = pictures.round().to(torch.uint8)
    return DataSet(name, split, pictures, torch.from_numpy(labels.astype(np.int64))[:, None], classes)


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of unsigned bytes, gzipped or not."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is cut short or damaged ({error}); fetch it again") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(f"{path.name} is not an IDX file of bytes; fetch it again")
    rank = content[3]
    shape = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(rank)]
    body = np.frombuffer(content[4 + 4 * rank :], np.uint8)
    if len(content) < 4 + 4 * rank or body.size != int(np.prod(shape)):
        raise DataError(f"{path.name} is cut short; fetch it again")
    return body.reshape(shape)


def _idx_arrays(dataset: str, part: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    stem = "train" if part == "train" else "t10k"
    names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
    if folder is None:
        folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gallery-data"
        _download(dataset, folder)
    raw = folder / dataset / "raw"
    arrays = []
    for name in names:
        found = next((raw / (name + end) for end in (".gz", "") if (raw / (name + end)).is_file()), None)
        if found is None:
            raise DataError(f"{dataset}/raw/{name}.gz is not in the data folder {folder}; put it there or leave out --data-dir")
        arrays.append(read_idx(found))
    if len(arrays[0]) != len(arrays[1]):
        raise DataError(f"{dataset} has {len(arrays[0])} pictures but {len(arrays[1])} labels; fetch both files again")
    return arrays[0], arrays[1]


def _download(dataset: str, folder: Path) -> None:
    import torchvision.datasets  # takes seconds to import, so only here

    try:
        getattr(torchvision.datasets, dataset)(str(folder), download=True)
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"{dataset} could not be downloaded; name a folder that holds it with --data-dir or GALLERY_DATA"
        ) from error
