"""Pictures from zips and folders, squared and resized."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gen_models.data import DataError, square
from gen_models.pictures import upright_rgb

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
"""What the pictures of an archive end in."""
Files = dict[str, Callable[[], bytes]]
"""A picture's name without its ending -> a function that reads the file."""


@contextmanager
def archive(name: str, file: str, folder: Path | None) -> Iterator[zipfile.ZipFile]:
    """The zip ``file`` of the data folder, opened; ``name``: what it is needed for.

    Raises:
        DataError: if it is missing, or if it or what is read from it is damaged.
    """
    if folder is None or not (folder / file).is_file():
        raise DataError(f"{file} is needed for {name}; name the folder that holds it with --data-dir or GALLERY_DATA")
    try:
        with zipfile.ZipFile(folder / file) as files:
            yield files
    except DataError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{file} is cut short or damaged ({error}); fetch it again") from error


def in_archive(files: zipfile.ZipFile, folders: list[str]) -> Files:
    """The pictures below some folders of a zip, by their names within these folders."""
    return {
        str(Path(name.removeprefix(folder)).with_suffix("")): partial(files.read, name)
        for folder in folders
        for name in sorted(files.namelist())
        if name.startswith(folder) and Path(name).suffix.lower() in SUFFIXES
    }


def picture(content: bytes, size: int, mode: str) -> np.ndarray:
    """A file's bytes as :func:`squared`."""
    return squared(Image.open(io.BytesIO(content)), size, mode)


def squared(image: Image.Image, size: int, mode: str) -> np.ndarray:
    """As :func:`square`, uint8 (size, size, 3), or (size, size) if ``mode`` is L; a label map's colours are not mixed."""
    plain = upright_rgb(image)
    colours = plain.getcolors(32)  # None: more than that
    labels = colours is not None and len(colours) > 2  # two are a drawing, whose lines may be soft
    return np.asarray(square(plain, size, mode, Image.Resampling.NEAREST if labels else Image.Resampling.LANCZOS))


def stacked(pictures: list[np.ndarray]) -> Tensor:
    """Pictures (H, W, 3) or (H, W) as one tensor uint8 (N, C, H, W)."""
    images = torch.from_numpy(np.stack(pictures))
    return images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
