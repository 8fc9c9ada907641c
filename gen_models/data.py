"""Data sets by name, held in memory as bytes, and batches whose order is a function of (seed, step).

| name | pictures | split |
| --- | --- | --- |
| ``mnist``, ``fashion`` | 28 x 28 grey | the official test set; of the official training set, a fixed twentieth validates |
| ``faces`` | 64 x 64 colour, from 128 x 128, which they may stay | a fixed tenth tests, a fixed twentieth validates |
| ``photos`` | 256 x 256 colour: landscapes, paintings, textures; to train on, mosaics of smaller ones too | as for ``faces`` |
| ``folder:PATH`` | a user's own, squared and resized | as for ``faces`` |

Pictures to judge super-resolution by, each in its own size and never trained on: :func:`benchmark` reads ``set5`` and ``set14``.

Sets of pairs, for models that translate pictures of kind A into kind B:

| name | A | B | |
| --- | --- | --- | --- |
| ``facades`` | label map | photograph | paired, 256 pixels |
| ``edges2shoes``, ``edges2bags`` | line drawing (``edges.py``) | shop photograph on white | paired, 128 pixels |
| ``monet2photo`` | painting by Monet | photograph of a landscape | unpaired, 256 pixels |
| ``faces2photos`` | photograph of a face | picture without one | unpaired, 128 pixels; the sets ``faces`` and ``photos`` |
| ``faces2portraits`` | photograph of a face | portrait in the style of a game | unpaired, 128 pixels |
| ``paired:PATH`` | ``PATH/A/x.png``, or the left half of ``PATH/x.png`` | ``PATH/B/x.jpg``, or the right half | a user's own |
| ``unpaired:PATH`` | ``PATH/A/*`` | ``PATH/B/*`` | a user's own |

They are small, so 15 percent test and 5 validate.

A picture's part depends on the SHA-256 of its own bytes alone (of a pair: of A's; of line drawings: of the photograph's; of both
halves: of the file's), so it does not change with the order of the files, and a copy falls into the same part as the original.

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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from gen_models.base import Batch
from gen_models.catalog import nearest
from gen_models.edges import framed, line_drawing
from gen_models.pictures import upright_rgb

SPLITS = ("train", "validation", "test")
MAX_PIXELS = 100_000_000
"""A picture of a user's folder above this many pixels is skipped."""
FASHION_CLASSES = (
    "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainer", "bag", "ankle boot",
)  # fmt: skip
ETHNICITIES = ("white", "black", "asian", "indian", "other")
FACADE_LABELS = {
    "background": "0000dd", "facade": "0030ff", "window": "007fff", "door": "00cdff", "cornice": "20ffde", "sill": "70ff8f",
    "balcony": "c0ff3f", "blind": "ffef00", "deco": "ff9f00", "molding": "ff5000", "pillar": "ff0000", "shop": "ac0000",
}  # fmt: skip
"""Labels of the facades and their colours in a label map."""
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


class DataError(ValueError):
    """A data set cannot be read; the message is one sentence that names the cure."""


@dataclass(frozen=True)
class DataSet:
    """Pictures and labels of one part of a data set.

    ``images``: uint8 (N, C, H, W). ``labels``: int64 (N, T), one column per task. ``classes``: per task the class names; empty for
    a folder without labels. A set of pairs has its pictures of kind A as ``images``, those of kind B as ``partners``, uint8
    (M, C, H, W), and what the two kinds are called as ``domains``; if ``paired``, M = N and picture *i* goes with partner *i*.
    """

    name: str
    split: str
    images: Tensor
    labels: Tensor
    classes: dict[str, tuple[str, ...]]
    partners: Tensor | None = None
    domains: tuple[str, ...] = ()
    paired: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def unit(self, first: int = 0, count: int | None = None) -> Tensor:
        """``count`` pictures from ``first`` on as float32 in [0, 1]."""
        return self.images[first : None if count is None else first + count].float() / 255.0


class Batches:
    """Training batches; batch number ``step`` is a function of (seed, step) alone, so a resumed run sees the same ones.

    With several processes each takes its own rows of the same global batch. Pictures larger than ``side`` are cut to it at random
    places; with ``mirror`` half of them are flipped, with ``turn`` each is turned by a random multiple of 90 degrees. The pictures
    of a set of pairs are (B, 2C, H, W), A's channels first: cut, mirrored and turned alike if they are paired, else each on its own
    and the pictures of kind B in an order of their own.
    """

    def __init__(
        self, data: DataSet, batch_size: int, seed: int = 0, mirror: bool = False, rank: int = 0, world: int = 1,
        side: int | None = None, turn: bool = False,
    ) -> None:  # fmt: skip
        if batch_size % world:
            raise DataError(f"a batch of {batch_size} cannot be shared evenly by {world} processes; choose another --batch-size")
        self.data, self.batch_size, self.seed, self.mirror = data, batch_size, seed, mirror
        self.rows = slice(rank * batch_size // world, (rank + 1) * batch_size // world)
        self.side, self.turn = side, turn

    def batch(self, step: int) -> Batch:
        """(pictures in [-1, 1] float32, labels int64) of one process for ``step``."""
        order = np.random.Generator(np.random.Philox(key=[self.seed, step]))
        picked = self._indices(step, len(self.data), 2**62)
        augment = self._augmentation(order, self.data.images)
        images = augment(self.data.images[picked])
        if self.data.partners is not None:
            others = picked
            if not self.data.paired:
                others = self._indices(step, len(self.data.partners), 2**61)
                augment = self._augmentation(order, self.data.partners)
            images = torch.cat([images, augment(self.data.partners[others])], dim=1)
        return images, self.data.labels[picked]

    def _indices(self, step: int, count: int, stream: int) -> Tensor:
        """Which of ``count`` pictures stand in this process' rows."""
        start = step * self.batch_size
        epochs, positions = np.divmod(np.arange(start, start + self.batch_size)[self.rows], count)
        return torch.tensor(
            [_permutation(self.seed, int(epoch), count, stream)[place] for epoch, place in zip(epochs, positions, strict=True)]
        )

    def _augmentation(self, order: np.random.Generator, images: Tensor) -> Callable[[Tensor], Tensor]:
        """What happens to bytes (B, C, H, W) on their way into a batch: cut, mirrored, turned as ``order`` draws, in [-1, 1]."""
        flips = order.random(self.batch_size)[self.rows] < 0.5
        height, width = images.shape[-2:]
        side = self.side
        places = order.random((self.batch_size, 2))[self.rows] if side and (height, width) != (side, side) else None
        turns = order.integers(0, 4, self.batch_size)[self.rows].tolist() if self.turn else None

        def augment(pictures: Tensor) -> Tensor:
            if places is not None:
                corners = (places * (height - side + 1, width - side + 1)).astype(int)
                pictures = torch.stack(
                    [picture[:, top : top + side, left : left + side]
                     for picture, (top, left) in zip(pictures, corners, strict=True)]
                )  # fmt: skip
            ready = pictures.float().div_(127.5).sub_(1.0)
            if self.mirror:
                flip = torch.from_numpy(flips)
                ready[flip] = ready[flip].flip(-1)
            if turns is not None:
                ready = torch.stack([picture.rot90(times, (-2, -1)) for picture, times in zip(ready, turns, strict=True)])
            return ready

        return augment


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int, stream: int = 2**62) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=[seed, stream + epoch])).permutation(count)


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
        name: one of the tables at the top of this file.
        split: ``train``, ``validation`` or ``test``.
        size: side of the pictures; None: the data set's own (28, 28, 64, 256; 64 for a folder, 128 for folders of pairs).
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
    if name.startswith(("paired:", "unpaired:")):
        return _read_folders(name, split, size or 128, channels)
    raise DataError(
        f"there is no data set {name!r}{nearest(name, _READERS)}; choose from {', '.join(_READERS)}, folder:PATH, paired:PATH or "
        "unpaired:PATH"
    )


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


def square(
    image: Image.Image, size: int, mode: str = "RGB", method: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """The middle square of a picture as :func:`upright_rgb` reads it, resized and converted."""
    return ImageOps.fit(upright_rgb(image).convert(mode), (size, size), method)


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


def _photos(split: str, size: int | None, folder: Path | None) -> DataSet:
    """Photographs, paintings and textures; the part to train on holds mosaics too.

    Halved pictures are sharper, show the same things smaller, and have lost the traces of JPEG; flowers are small as they are.
    """
    size = size or 256
    sets = (("monet2photo_256.zip", "train/"), ("textures_dtd_256.zip", "train/"), ("flowers102_64.zip", "train/"))
    found: list[list[np.ndarray]] = []
    for (archive, inside), side in zip(sets, (size, size, size // 4), strict=True):
        with _archive("photos", archive, folder) as files:
            contents = [read() for read in _members(files, [inside]).values()]
            found.append([_picture(content, side, "RGB") for content in contents if split_of(content) == split])
    pictures = found[0] + found[1]
    if split == "train":
        halves = [np.asarray(Image.fromarray(picture).resize((size // 2,) * 2, Image.Resampling.BOX)) for picture in pictures]
        pictures = pictures + _mosaics(halves, 2) + _mosaics(found[2], 4)
    if not pictures:
        raise DataError(f"the archives of photos hold no picture for the part {split!r}; fetch them again")
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return DataSet("photos", split, images, torch.zeros(len(images), 1, dtype=torch.int64), {})


def _faces_and_photos(split: str, size: int | None, folder: Path | None) -> DataSet:
    """The faces, and pictures without faces (but for a few that Monet painted)."""
    faces, photos = (reader(split, size or 128, folder) for reader in (_faces, _photos))
    labels = torch.zeros(len(faces), 1, dtype=torch.int64)
    domains = ("photographs of faces", "photographs, paintings and textures")
    return DataSet("faces2photos", split, faces.images, labels, {}, photos.images, domains, False)


def _mosaics(pictures: list[np.ndarray], across: int) -> list[np.ndarray]:
    """Squares of ``across`` times ``across`` pictures; what is left over is left out."""
    groups = [pictures[first : first + across**2] for first in range(0, len(pictures) - across**2 + 1, across**2)]
    rows = range(0, across**2, across)
    return [np.concatenate([np.concatenate(group[first : first + across], axis=1) for first in rows]) for group in groups]


def benchmark(name: str, folder: str | os.PathLike | None = None) -> dict[str, Tensor]:
    """``set5`` (Bevilacqua 2012) or ``set14`` (Zeyde 2010): name -> bytes (C, H, W), C = 1 where the picture is grey.

    Raises:
        DataError: if the archive is not at hand or damaged.
    """
    inside = {"set5": "Set5/", "set14": "Set14/"}[name]
    pictures = {}
    with _archive(name, "sr_set5_set14.zip", data_dir(folder)) as files:
        for title, read in _members(files, [inside]).items():
            with Image.open(io.BytesIO(read())) as image:
                pixels = np.array(image.convert("L" if image.mode in ("L", "1", "I", "I;16") else "RGB"))
            pictures[title] = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1).contiguous()
    if not pictures:
        raise DataError(f"sr_set5_set14.zip holds no picture of {name}; fetch it again")
    return pictures


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


# ---- pairs ------------------------------------------------------------------------------------------------------------

PAIR_SHARES = {"test": 15, "validation": 5}
"""In percent."""
Files = dict[str, Callable[[], bytes]]
"""A picture's name without its ending -> a function that reads the file."""


def _archive_reader(
    name: str, archive: str, kinds: tuple[str, str], domains: tuple[str, str], size: int, paired: bool
) -> Callable[..., DataSet]:
    """Reader of a zip with the pictures of kind A and B in the folders ``kinds``."""

    def read(split: str, wanted: int | None, folder: Path | None) -> DataSet:
        with _archive(name, archive, folder) as files:
            sides = [_members(files, [kind]) for kind in kinds]
            if paired:
                both = _read_paired(name, *sides, split, wanted or size, "RGB", strict=True)
            else:
                both = [_read_side(side, split, wanted or size, "RGB", strict=True) for side in sides]
        return _pair_set(name, split, both, domains, paired)

    return read


def _drawing_reader(name: str, folders: tuple[str, ...], thing: str) -> Callable[..., DataSet]:
    """Reader of shop photographs in ``folders`` of the fashion products, each with its line drawing."""

    def read(split: str, size: int | None, folder: Path | None) -> DataSet:
        drawings, photos = [], []
        with _archive(name, "fashion_products_128.zip", folder) as files:
            for content in (member() for member in _members(files, [f"train/{part}/" for part in folders]).values()):
                if split_of(content, **PAIR_SHARES) == split:
                    photo = framed(Image.open(io.BytesIO(content)).convert("RGB"), size or 128)
                    photos.append(np.asarray(photo))
                    drawings.append(np.asarray(line_drawing(photo)))
        return _pair_set(name, split, (drawings, photos), ("line drawings", f"photographs of {thing}"), paired=True)

    return read


@contextmanager
def _archive(name: str, archive: str, folder: Path | None) -> Iterator[zipfile.ZipFile]:
    if folder is None or not (folder / archive).is_file():
        raise DataError(f"{archive} is needed for {name}; name the folder that holds it with --data-dir or GALLERY_DATA")
    try:
        with zipfile.ZipFile(folder / archive) as files:
            yield files
    except (zipfile.BadZipFile, zlib.error, OSError, SyntaxError) as error:
        raise DataError(f"{archive} is cut short or damaged ({error}); fetch it again") from error


def _members(files: zipfile.ZipFile, folders: list[str]) -> Files:
    """The pictures below some folders of a zip, by their names within these folders."""
    return {
        str(Path(name.removeprefix(folder)).with_suffix("")): partial(files.read, name)
        for folder in folders
        for name in sorted(files.namelist())
        if name.startswith(folder) and Path(name).suffix.lower() in PICTURE_SUFFIXES
    }


def _read_folders(name: str, split: str, size: int, channels: int) -> DataSet:
    """``paired:PATH`` and ``unpaired:PATH``."""
    layout, _, given = name.partition(":")
    path, mode, paired = Path(given).expanduser(), "RGB" if channels == 3 else "L", layout == "paired"
    if not path.is_dir():
        raise DataError(f"the folder {path} does not exist")
    if (path / "A").is_dir() and (path / "B").is_dir():
        sides = [_files(path / kind) for kind in "AB"]
        if paired:
            both = _read_paired(str(path), *sides, split, size, mode)
        else:
            both = tuple(_read_side(side, split, size, mode) for side in sides)
    elif paired:
        both = _read_halves(path, split, size, mode)
    else:
        raise DataError(f"the folder {path} needs two folders, A/ and B/, one for each kind of picture")
    return _pair_set(name, split, both, ("A", "B"), paired)


def _files(folder: Path) -> Files:
    """The pictures below a folder, by their names within it."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURE_SUFFIXES)
    return {str(file.relative_to(folder).with_suffix("")): file.read_bytes for file in files}


def _read_paired(
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
        if split_of(content, **PAIR_SHARES) == split:
            with _skipping(stem, strict):
                found.append((_picture(content, size, mode), _picture(second[stem](), size, mode)))
    return [one for one, _ in found], [other for _, other in found]


def _read_halves(path: Path, split: str, size: int, mode: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Left and right halves of pictures."""
    found = []
    for stem, read in _files(path).items():
        content = read()
        narrow = None
        with _skipping(stem):
            image = ImageOps.exif_transpose(_opened(content))
            narrow = image.width % 2 == 1 or image.width < 1.2 * image.height
            if not narrow and split_of(content, **PAIR_SHARES) == split:
                middle = image.width // 2
                halves = image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))
                found.append(tuple(_squared(half, size, mode) for half in halves))
        if narrow:
            raise DataError(
                f"{stem} in {path} is {image.width} x {image.height} pixels, which is not two pictures side by side; "
                "a paired set is two folders A/ and B/ with pictures of the same names, or pictures with both halves"
            )
    return [left for left, _ in found], [right for _, right in found]


def _read_side(files: Files, split: str, size: int, mode: str, strict: bool = False) -> list[np.ndarray]:
    """The pictures of one kind, for an unpaired set."""
    found = []
    for stem, read in files.items():
        content = read()
        if split_of(content, **PAIR_SHARES) == split:
            with _skipping(stem, strict):
                found.append(_picture(content, size, mode))
    return found


@contextmanager
def _skipping(name: str, strict: bool = False) -> Iterator[None]:
    """Whatever a decoder raises, one bad file must not end a training on a user's own pictures."""
    try:
        yield
    except Exception as error:
        if strict:
            raise
        warnings.warn(f"skipped {name}: {error}", stacklevel=3)


def _opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"more than {MAX_PIXELS} pixels")
    return image


def _picture(content: bytes, size: int, mode: str) -> np.ndarray:
    return _squared(_opened(content), size, mode)


def _squared(image: Image.Image, size: int, mode: str) -> np.ndarray:
    """As :func:`square`; the colours of a label map are not mixed where two labels meet."""
    colours = image.convert("RGB").getcolors(32)  # None: more than that
    labels = colours is not None and len(colours) > 2  # two are a drawing, whose lines may be soft
    return np.asarray(square(image, size, mode, Image.Resampling.NEAREST if labels else Image.Resampling.LANCZOS))


def _pair_set(
    name: str, split: str, both: tuple[list[np.ndarray], list[np.ndarray]], domains: tuple[str, str], paired: bool
) -> DataSet:
    for kind, images in zip("AB", both, strict=True):
        if not images:
            raise DataError(f"{name} holds no readable picture of kind {kind} for the part {split!r}; put more of them there")
    stacked = [torch.from_numpy(np.stack(images)) for images in both]
    stacked = [images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous() for images in stacked]
    labels = torch.zeros(len(stacked[0]), 1, dtype=torch.int64)
    return DataSet(name, split, stacked[0], labels, {}, stacked[1], domains, paired)


_READERS: dict[str, Callable[[str, int | None, Path | None], DataSet]] = {
    "mnist": _grey_reader("mnist", "MNIST", "digit", tuple("0123456789")),
    "fashion": _grey_reader("fashion", "FashionMNIST", "garment", FASHION_CLASSES),
    "faces": _faces,
    "photos": _photos,
    "facades": _archive_reader(
        "facades", "facades_256.zip", ("train/B/", "train/A/"), ("label maps", "photographs of facades"), 256, paired=True
    ),
    "edges2shoes": _drawing_reader("edges2shoes", ("shoes", "sandal", "flip_flops"), "shoes"),
    "edges2bags": _drawing_reader("edges2bags", ("bags", "wallets"), "bags"),
    "monet2photo": _archive_reader(
        "monet2photo", "monet2photo_256.zip", ("train/A/", "train/B/"), ("paintings by Monet", "photographs of landscapes"), 256,
        paired=False,
    ),
    "faces2photos": _faces_and_photos,
    "faces2portraits": _archive_reader(
        "faces2portraits", "face2genshin_128.zip", ("train/A/", "train/B/"), ("photographs of faces", "game portraits"), 128,
        paired=False,
    ),
}  # fmt: skip
