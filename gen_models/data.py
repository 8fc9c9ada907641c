"""Data sets by name, held in memory as bytes, and batches whose order is a function of (seed, step).

| name | pictures | split |
| --- | --- | --- |
| ``mnist``, ``fashion`` | 28 x 28 grey | the official test set; of the official training set, a fixed twentieth validates |
| ``faces`` | 64 x 64 colour, from 128 x 128 | a fixed tenth tests, a fixed twentieth validates |
| ``folder:PATH`` | a user's own, squared and resized | as for ``faces`` |

A picture's part depends on the SHA-256 of its own bytes alone, so it does not change with the order of the files, and
a copy of a picture falls into the same part as the original.

The data folder is the argument ``data_dir`` or the environment variable ``GALLERY_DATA``; its files are read in place
(IDX ``.gz`` and zips). Without one, ``mnist`` and ``fashion`` come through torchvision's download.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from gen_models.base import Batch

SPLITS = ("train", "validation", "test")
MAX_PIXELS = 100_000_000
"""A picture of a user's folder above this many pixels is skipped."""
FASHION_CLASSES = (
    "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainer", "bag", "ankle boot",
)  # fmt: skip
ETHNICITIES = ("white", "black", "asian", "indian", "other")
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


class DataError(ValueError):
    """A data set cannot be read; the message is one sentence that names the cure."""


@dataclass(frozen=True)
class DataSet:
    """Pictures and labels of one part of a data set.

    ``images``: uint8 (N, C, H, W). ``labels``: int64 (N, T), one column per task. ``classes``: per task the class names; empty for
    a folder without labels.
    """

    name: str
    split: str
    images: Tensor
    labels: Tensor
    classes: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.images)

    def unit(self, first: int = 0, count: int | None = None) -> Tensor:
        """``count`` pictures from ``first`` on as float32 in [0, 1]."""
        return self.images[first : None if count is None else first + count].float() / 255.0


class Batches:
    """Training batches; batch number ``step`` is a function of (seed, step) alone, so a resumed run sees the same ones.

    With several processes each takes its own rows of the same global batch.
    """

    def __init__(
        self, data: DataSet, batch_size: int, seed: int = 0, mirror: bool = False, rank: int = 0, world: int = 1
    ) -> None:
        if batch_size % world:
            raise ValueError(f"a batch of {batch_size} cannot be shared evenly by {world} processes")
        self.data, self.batch_size, self.seed, self.mirror = data, batch_size, seed, mirror
        self.rows = slice(rank * batch_size // world, (rank + 1) * batch_size // world)

    def batch(self, step: int) -> Batch:
        """(pictures in [-1, 1] float32, labels int64) of one process for ``step``."""
        order = np.random.Generator(np.random.Philox(key=[self.seed, step]))
        start = step * self.batch_size
        places = np.arange(start, start + self.batch_size)
        epochs, positions = np.divmod(places, len(self.data))
        indices = np.empty_like(places)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            indices[chosen] = _permutation(self.seed, int(epoch), len(self.data))[positions[chosen]]
        flips = order.random(self.batch_size) < 0.5
        picked = torch.from_numpy(indices[self.rows])
        images = self.data.images[picked].float().div_(127.5).sub_(1.0)
        if self.mirror:
            flip = torch.from_numpy(flips[self.rows])
            images[flip] = images[flip].flip(-1)
        return images, self.data.labels[picked]


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=[seed, 2**62 + epoch])).permutation(count)


def data_dir(given: str | os.PathLike | None = None) -> Path | None:
    """The data folder: the argument, else ``GALLERY_DATA``, else None.

    Raises:
        DataError: if the folder named does not exist.
    """
    named = given or os.environ.get("GALLERY_DATA")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"the data folder {folder} does not exist; give another with --data-dir or GALLERY_DATA")
    return folder


def load_data(name: str, split: str = "train", size: int | None = None, folder: str | os.PathLike | None = None,
              channels: int = 3) -> DataSet:  # fmt: skip
    """One part of a data set in memory.

    Args:
        name: ``mnist``, ``fashion``, ``faces`` or ``folder:PATH``.
        split: ``train``, ``validation`` or ``test``.
        size: side of the pictures; None: the data set's own (28, 28, 64; 64 for a folder).
        folder: the data folder, see :func:`data_dir`.
        channels: 1 or 3, for a user's folder only.

    Raises:
        DataError: with the cure, when the data cannot be found or read.
    """
    if split not in SPLITS:
        raise DataError(f"there is no part {split!r}; the parts are {', '.join(SPLITS)}")
    if name in _READERS:
        return _READERS[name](split, size, data_dir(folder))
    if name.startswith("folder:"):
        return _read_folder(Path(name.removeprefix("folder:")).expanduser(), split, size or 64, channels)
    raise DataError(f"there is no data set {name!r}; choose from {', '.join(_READERS)} or folder:PATH")


def split_of(content: bytes, test: int = 10, validation: int = 5) -> str:
    """The part that a picture with these bytes belongs to; ``test`` and ``validation`` in percent."""
    place = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % 100
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


# ---- grey 28 x 28 -----------------------------------------------------------------------------------------------------


def _read_idx(path: Path) -> np.ndarray:
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
        arrays.append(_read_idx(found))
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


def _grey_reader(name: str, dataset: str, task: str, classes: tuple[str, ...]) -> Callable[..., DataSet]:
    def read(split: str, size: int | None, folder: Path | None) -> DataSet:
        images, labels = _idx_arrays(dataset, "test" if split == "test" else "train", folder)
        if split != "test":
            chosen = np.array([split_of(image.tobytes(), test=0) == split for image in images])
            images, labels = images[chosen], labels[chosen]
        pictures = torch.from_numpy(images.copy())[:, None]
        if size not in (None, 28):
            pictures = torch.nn.functional.interpolate(pictures.float(), size=(size, size), mode="area")
            pictures = pictures.round().to(torch.uint8)
        return DataSet(name, split, pictures, torch.from_numpy(labels.astype(np.int64))[:, None], {task: classes})

    return read


# ---- colour -----------------------------------------------------------------------------------------------------------


def square(image: Image.Image, size: int, mode: str = "RGB") -> Image.Image:
    """Turn upright, lay transparency on white, crop the middle square, resize, convert.

    16-bit and float pictures are scaled by their own range.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
        low, high = float(values.min()), float(values.max())
        image = Image.fromarray(((values - low) / max(high - low, 1e-9) * 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return ImageOps.fit(image.convert(mode), (size, size), Image.Resampling.LANCZOS)


def _faces(split: str, size: int | None, folder: Path | None) -> DataSet:
    size = size or 64
    archive = None if folder is None else folder / "faces_utk_128.zip"
    if archive is None or not archive.is_file():
        raise DataError("faces_utk_128.zip is needed for the faces; name the folder that holds it with --data-dir or GALLERY_DATA")
    images, labels = [], []
    try:
        with zipfile.ZipFile(archive) as files:
            for name in sorted(files.namelist()):
                if not name.endswith(".jpg"):
                    continue
                content = files.read(name)
                if split_of(content) != split:
                    continue
                age, gender, ethnicity, *_ = Path(name).stem.split("_")
                images.append(np.asarray(square(Image.open(io.BytesIO(content)), size)))
                labels.append((min(int(age) // 10, 9), int(gender), int(ethnicity)))
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError) as error:
        raise DataError(f"{archive.name} is cut short or damaged ({error}); fetch it again") from error
    if not images:
        raise DataError(f"{archive.name} holds no face for the part {split!r}; fetch it again")
    decades = tuple(f"{10 * decade}-{10 * decade + 9}" for decade in range(9)) + ("90 and over",)
    return DataSet(
        "faces", split, torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels),
        {"age": decades, "gender": ("male", "female"), "ethnicity": ETHNICITIES},
    )  # fmt: skip


def _read_folder(path: Path, split: str, size: int, channels: int) -> DataSet:
    if not path.is_dir():
        raise DataError(f"the folder {path} does not exist")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURE_SUFFIXES)
    images = list(_pictures(files, split, size, "RGB" if channels == 3 else "L"))
    if not images:
        raise DataError(f"the folder {path} holds no readable picture for the part {split!r}; put more PNG or JPEG files into it")
    stacked = torch.from_numpy(np.stack(images))
    stacked = stacked[:, None] if channels == 1 else stacked.permute(0, 3, 1, 2).contiguous()
    return DataSet(f"folder:{path}", split, stacked, torch.zeros(len(images), 1, dtype=torch.int64), {})


def _pictures(files: Iterable[Path], split: str, size: int, mode: str) -> Iterable[np.ndarray]:
    for file in files:
        try:
            content = file.read_bytes()
            if split_of(content) != split:
                continue
            image = Image.open(io.BytesIO(content))
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"more than {MAX_PIXELS} pixels")
            yield np.asarray(square(image, size, mode))
        except Exception as error:  # whatever a decoder raises, one bad file must not end a training
            warnings.warn(f"skipped {file.name}: {error}", stacklevel=2)


_READERS: dict[str, Callable[[str, int | None, Path | None], DataSet]] = {
    "mnist": _grey_reader("mnist", "MNIST", "digit", tuple("0123456789")),
    "fashion": _grey_reader("fashion", "FashionMNIST", "garment", FASHION_CLASSES),
    "faces": _faces,
}
