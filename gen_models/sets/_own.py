"""A user's own folder: what in it is a picture, which of them belong to a part, and what is left out and why."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from gen_models.data import DataError, split_of
from gen_models.pictures import is_heic

try:
    from pillow_heif import register_heif_opener
except ImportError:
    pass
else:
    register_heif_opener()

MAX_PIXELS = 100_000_000
"""A picture with more pixels is left out."""
SHADOWS = {"__macosx", "@eadir", "thumbs.db", "desktop.ini", "icon\r"}
"""What macOS, Windows and Synology put beside pictures and do not show, in lower case."""
HEIC = "HEIC while pillow-heif is not installed"
Paths = dict[str, tuple[Path, ...]]
"""A name -> the file, or the two files of a pair."""


class OwnFolder:
    """A part of the pictures in a user's folder; what is found and not used is kept in ``left_out``: reason -> names."""

    def __init__(self, path: str, split: str, **shares: int) -> None:
        """``shares``: as for :func:`gen_models.data.split_of`.

        Raises:
            DataError: if there is no such folder, or it cannot be opened.
        """
        self.path, self.split, self.shares = Path(os.path.expanduser(path)), split, shares
        self.left_out: defaultdict[str, list[str]] = defaultdict(list)
        self.sources: list[str] = []
        self.others = 0
        if not self.path.exists():
            raise DataError(f"the folder {self.path} does not exist")
        try:
            os.listdir(self.path)
        except OSError as error:
            raise DataError(f"the folder {self.path} cannot be opened ({error.strerror})") from error

    @property
    def facts(self) -> dict[str, Any]:
        """What a ``DataSet`` says of the folder that it was read from."""
        return {"sources": tuple(self.sources), "others": self.others, "left_out": dict(self.left_out)}

    def entries(self, inside: Path = Path()) -> list[str]:
        """The names in a folder, without those that nobody sees."""
        return sorted(name for name in os.listdir(self.path / inside) if not is_shadow(name))

    def folders(self, inside: Path = Path()) -> list[str]:
        """The names of the folders in a folder."""
        return [name for name in self.entries(inside) if (self.path / inside / name).is_dir() and not has_picture_ending(name)]

    def leave_out(self, reason: str, file: Path) -> None:
        """Note what is not used."""
        self.left_out[reason].append(file.relative_to(self.path).as_posix() + "/" * os.path.isdir(file))

    def files(self, inside: Path = Path(), fault: Callable[[Image.Image], str] = lambda image: "") -> Paths:
        """The pictures below a folder by their names within it, sorted; their content makes them pictures, not the ending.

        Links are followed, to each folder once. ``fault``: why a picture that is opened, not decoded, is not used; empty: it is.
        """
        top = self.path / inside
        found, visited = [], set()
        for place, folders, names in os.walk(top, onerror=self._closed, followlinks=True):
            real = os.path.realpath(place)
            if real in visited:
                folders.clear()
                continue
            visited.add(real)
            visible = sorted(name for name in folders if not is_shadow(name))
            folders[:] = [name for name in visible if not has_picture_ending(name)]
            for name in filter(has_picture_ending, visible):
                self.leave_out("a folder named like a picture", Path(place, name))
            found += [Path(place, name) for name in names if not is_shadow(name)]
        usable = {}
        for file in sorted(found):
            reason = _unfit(file, fault)
            if reason:
                self.leave_out(reason, file)
            else:
                usable[file.relative_to(top).as_posix()] = (file,)
        return usable

    def _closed(self, error: OSError) -> None:
        self.leave_out(f"cannot be opened ({error.strerror})", Path(error.filename))

    def read(self, files: Paths, decode: Callable[..., tuple[np.ndarray, ...]], kind: str = "") -> list[tuple[np.ndarray, ...]]:
        """What ``decode`` makes of the pictures that belong to the part, as the bytes of a pair's first file say.

        What cannot be decoded is left out, and with it the other of its pair. ``kind``: what each of the ``sources`` begins with;
        the same picture is another one where it is of another kind.
        """
        found = []
        for paths in files.values():
            images: list[Image.Image] = []
            try:
                contents = [path.read_bytes() for path in paths]
                if split_of(contents[0], **self.shares) != self.split:
                    self.others += 1
                    continue
                for content in contents:
                    image = Image.open(io.BytesIO(content))
                    image.load()
                    images.append(image)
                found.append(decode(*images))
                self.sources.append(kind + hashlib.sha256(b"".join(contents)).hexdigest()[:16])
            except Exception:  # whatever a decoder raises, one bad file must not end a training on a user's own pictures
                self.leave_out("damaged", paths[min(len(images), len(paths) - 1)])
        return found


def is_shadow(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or the operating system's own."""
    return name.startswith(".") or name.lower() in SHADOWS


def has_picture_ending(name: str) -> bool:
    """Whether a name ends as that of a picture does."""
    return Path(name).suffix.lower() in {*Image.registered_extensions(), ".heic", ".heif"}


def _unfit(file: Path, fault: Callable[[Image.Image], str]) -> str:
    """Why a file is not used, as far as it shows before it is decoded; empty: it is."""
    too_large = f"more than {MAX_PIXELS:,} pixels"
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe would have to be waited for
            return "neither a file nor a folder"
        with Image.open(file) as image:
            return too_large if image.width * image.height > MAX_PIXELS else fault(image)
    except FileNotFoundError:
        return "a link that leads nowhere"
    except Image.DecompressionBombError:
        return too_large
    except UnidentifiedImageError:
        with file.open("rb") as stream:
            return HEIC if is_heic(stream.read(12)) else "no picture that can be read"
    except OSError as error:
        return f"cannot be opened ({error.strerror})" if error.strerror else "damaged"
    except Exception:  # as in ``read``
        return "damaged"
