"""What a visitor brings: pictures and drawings, checked."""

from __future__ import annotations

import base64
import binascii
import functools
import io
import math
import threading
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import PIL.features
import PIL.Image
from gradio.components.base import server
from gradio.utils import get_upload_folder

from demos._server import memory
from gen_models.data import square
from gen_models.pictures import is_heic, reduced, upright_rgb

MAX_PIXELS, MAX_LENGTH = 25_000_000, 20_000
"""Pictures above this many pixels, in all or along a side, are refused."""
KEPT_PIXELS = 2_000_000
"""Larger pictures are reduced to this many pixels as soon as they are decoded."""
PATIENCE = 30
"""Seconds that a picture waits until it is its turn to be decoded."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", *(("AVIF",) if PIL.features.check("avif") else ()))
NAMES_OF_FORMATS = f"PNG, JPEG, WebP, {'AVIF, ' * ('AVIF' in FORMATS)}BMP, GIF and TIFF"
END_OF_JPEG = b"\xff\xd9"
_PLACES = {True: threading.BoundedSemaphore(), False: threading.BoundedSemaphore()}
"""For decoding: large pictures, small ones."""


PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS


MAX_SIDE, MAX_LAYERS, MAX_BOARDS = 2000, 4, 32
"""Of drawings: pixels of the longer side, layers, and drawings that are sent and not read yet."""


class CheckedImage(gr.Image):
    """The only way for a picture into the gallery: an uploaded file that decodes, upright, on white, within bounds.

    The stock component opens any picture of the server that a payload names, drops alpha, clips 16 bits and says nothing
    when a file cannot be read. This one gives an RGB ``PIL.Image`` or one clear sentence.
    """

    is_template = True

    # Gradio sends the page those settings that the constructor's signature names
    @functools.wraps(gr.Image.__init__)
    def __init__(self, **settings: Any) -> None:
        super().__init__(
            **({"type": "pil", "image_mode": "RGB", "sources": ["upload", "clipboard"], "buttons": ["fullscreen"], "height": 280}
               | settings)
        )  # fmt: skip

    def preprocess(self, payload: Any) -> PIL.Image.Image | None:  # type: ignore[override]
        """The uploaded file as an RGB picture.

        Raises:
            gr.Error: if it is no upload, no picture, damaged or too large.
        """
        if payload is None:
            return None
        path = Path(payload.path or "").resolve()
        if (payload.url or "").startswith("data:") or not path.is_relative_to(Path(self.GRADIO_CACHE).resolve()):
            raise gr.Error("Please upload the picture as a file.")
        if not path.is_file():
            raise gr.Error("This file is no longer here; upload it again.")
        return read_picture(path)


class CheckedNumber(gr.Number):
    """A number field whose bounds are checked by the room, in the room's words; the stock component names no field."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:  # type: ignore[override]
        """What came, whole if it is a number and the field holds whole ones."""
        plain = isinstance(payload, int | float) and not isinstance(payload, bool) and payload == payload and abs(payload) < 2**53
        return round(payload) if plain and self.precision == 0 else payload


def read_picture(file: Path | io.BytesIO) -> PIL.Image.Image:
    """A picture file as upright RGB on white, in sRGB, of at most ``KEPT_PIXELS``; of an animation, the first frame.

    A JPEG that lacks its end is used as far as it goes, with a warning, as browsers do. One large picture is decoded at a time and
    one small one beside it, so a few hundred megabytes are enough for any number of visitors.

    Raises:
        gr.Error: with one sentence for the page.
    """
    try:
        with _opened(file) as image:
            large = image.width * image.height > KEPT_PIXELS
    except PIL.Image.DecompressionBombError as error:
        raise _too_large() from error
    place = _PLACES[large]
    if not place.acquire(timeout=PATIENCE):
        raise gr.Error("Many pictures are being read right now; try again in a moment.")
    try:
        return _decoded(file)
    except gr.Error:
        raise
    except Exception as error:
        raise gr.Error("This picture file is damaged and cannot be read.") from error
    finally:
        if large:  # each thread has a heap of its own: what one leaves there is no use to the next
            memory.trim()
        place.release()


def _opened(file: Path | io.BytesIO) -> PIL.Image.Image:
    """The file, looked at and not decoded; refused if it is no picture or too large."""
    if isinstance(file, io.BytesIO):
        file.seek(0)
    try:
        image = PIL.Image.open(file, formats=FORMATS)
    except PIL.Image.DecompressionBombError:
        raise
    except Exception as error:
        if is_heic(_bytes(file)):
            raise gr.Error("This is a HEIC picture, as iPhones take them; save or send it as JPEG first.") from error
        raise gr.Error(f"This file is not a picture that can be read; {NAMES_OF_FORMATS} can.") from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise _too_large()
    if max(image.size) > MAX_LENGTH:
        image.close()
        raise gr.Error(f"A side of this picture has more than {MAX_LENGTH:,} pixels; make it smaller first.")
    return image


def _decoded(file: Path | io.BytesIO) -> PIL.Image.Image:
    """The picture; a JPEG that ends too early is given its end."""
    try:
        return _loaded(file)
    except OSError as error:
        with _opened(file) as image:
            if image.format != "JPEG" or "truncated" not in str(error):
                raise
        picture = _loaded(io.BytesIO(_bytes(file) + END_OF_JPEG))
        gr.Warning("The end of this JPEG is missing; what is there is used.")
        return picture


def _loaded(file: Path | io.BytesIO) -> PIL.Image.Image:
    with _opened(file) as image:
        image.seek(0)
        share = math.sqrt(KEPT_PIXELS / (image.width * image.height))
        if share < 1:  # a JPEG can be decoded at a half, a quarter or an eighth
            image.draft(None, (math.ceil(image.width * share), math.ceil(image.height * share)))
        image.load()
        picture = upright_rgb(reduced(image, KEPT_PIXELS))
        return picture if max(picture.size) > 1 else picture.resize((2, 2))


def _bytes(file: Path | io.BytesIO) -> bytes:
    return file.getvalue() if isinstance(file, io.BytesIO) else file.read_bytes()


def sent_picture(sent: Any, limit: int = 4_000_000) -> PIL.Image.Image:
    """A caller's picture as upright RGB: an upload, as ``gradio_client.handle_file`` sends it, a data URI, or plain base64.

    ``sent``: the text, of which ``limit`` letters are read, or a dictionary with the ``path`` of the upload.

    Raises:
        gr.Error: with one sentence for the page.
    """
    if isinstance(sent, dict) and sent.get("path"):
        return read_picture(uploaded(sent["path"]))
    text = sent.get("url") if isinstance(sent, dict) else sent
    try:
        content = base64.b64decode(str(text)[:limit].rpartition(",")[2], validate=True)
    except (ValueError, binascii.Error) as error:
        raise gr.Error("The picture must be a picture file in base64, or an uploaded one.") from error
    return read_picture(io.BytesIO(content))


def uploaded(path: Any) -> Path:
    """The file of an upload.

    Raises:
        gr.Error: if it is no upload, or is not here any more.
    """
    folder = Path(get_upload_folder()).resolve()
    try:
        file = Path(path).resolve()
        inside = file.is_relative_to(folder) and file != folder
        there = inside and file.is_file()
    except (TypeError, ValueError, OSError) as error:
        raise gr.Error("Please upload the picture as a file.") from error
    if not inside:
        raise gr.Error("Please upload the picture as a file.")
    if not there:
        raise gr.Error("This file is no longer here; upload it again.")
    return file


def _too_large() -> gr.Error:
    return gr.Error(f"This picture has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first.")


def as_input(image: PIL.Image.Image, size: int, channels: int, centre: bool, fill: float = 20 / 28) -> np.ndarray:
    """A user's picture as a model sees it: (C, size, size) float32 in [0, 1].

    With ``centre`` (grey sets of things on black): dark on light is turned round, and the figure is scaled to the part ``fill`` of
    the side with its centre of mass in the centre, as MNIST's authors did (20 of 28 pixels).
    """
    if not centre:
        values = np.asarray(square(image, size, "RGB" if channels == 3 else "L"), np.float32) / 255
        return values[None] if channels == 1 else values.transpose(2, 0, 1)
    grey = np.asarray(image.convert("L"), np.float32) / 255
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) > 0.5:
        grey = 1 - grey
    rows, columns = np.nonzero(grey > 0.2)
    if len(rows) == 0:
        raise gr.Error("The picture is empty: draw or upload something first.")
    figure = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    box = size * fill
    ratio = box / max(figure.shape)
    shape = (max(1, round(figure.shape[1] * ratio)), max(1, round(figure.shape[0] * ratio)))
    small = PIL.Image.fromarray((figure * 255).astype(np.uint8)).resize(shape, PIL.Image.Resampling.BOX if ratio < 1 else 2)
    values = np.asarray(small, np.float32) / 255
    total = values.sum() or 1.0
    top = round(size / 2 - (values.sum(1) * (np.arange(len(values)) + 0.5)).sum() / total)
    left = round(size / 2 - (values.sum(0) * (np.arange(values.shape[1]) + 0.5)).sum() / total)
    top = min(max(top, 0), size - values.shape[0])
    left = min(max(left, 0), size - values.shape[1])
    padded = np.zeros((1, size, size), np.float32)
    padded[0, top : top + values.shape[0], left : left + values.shape[1]] = values
    return padded


def drawing(board: dict | None) -> PIL.Image.Image:
    """What a visitor drew on a :func:`sketchpad`, as upright RGB.

    Raises:
        gr.Error: with one sentence, if there is nothing on it.
    """
    image = None if not board else board.get("composite")
    if image is None:
        raise gr.Error("Draw or upload a picture first.")
    if not isinstance(image, PIL.Image.Image):
        image = PIL.Image.fromarray(np.asarray(image))
    if max(image.size) > MAX_SIDE:
        raise gr.Error("The drawing is too large.")
    image = upright_rgb(image)
    if all(low == high for low, high in image.getextrema()):
        raise gr.Error("The picture is empty: draw or upload something first.")
    return image


class CheckedBoard(gr.ImageEditor):
    """A drawing board that holds neither more parts nor larger ones than a drawing has.

    The page sends the parts before the event that reads them. The stock component keeps those that no event ever reads, of any
    number, and makes a list as long as a caller says.
    """

    is_template = True

    @server
    def accept_blobs(self, data: Any) -> None:
        """Keep a part until it is read.

        Raises:
            gr.Error: if it is not one that the page sends.
        """
        kind, index, name = (data.data.get(key) for key in ("type", "index", "id"))
        layer = str(index) in ("null", "", "None") or str(index).isdecimal() and len(str(index)) < 4 and int(index) < MAX_LAYERS
        if not isinstance(name, str) or not 0 < len(name) <= 100 or not isinstance(kind, str) or not layer or not data.files:
            raise gr.Error("This drawing cannot be read.")
        super().accept_blobs(data)
        self.blob_storage[name] = self.blob_storage.pop(name)  # the latest last
        while len(self.blob_storage) > MAX_BOARDS:
            self.blob_storage.pop(next(iter(self.blob_storage)), None)

    def convert_and_format_image(self, file: Any, flatten_on_white: bool = False) -> Any:
        """A part as a picture.

        Raises:
            gr.Error: if it is none, or a large one.
        """
        if file is None:
            return None
        try:
            with PIL.Image.open(io.BytesIO(file) if isinstance(file, bytes) else file.path) as image:
                small = max(image.size) <= MAX_SIDE
            found = super().convert_and_format_image(file, flatten_on_white) if small else None
        except Exception as error:
            raise gr.Error("This drawing cannot be read.") from error
        if not small:
            raise gr.Error("The drawing is too large.")
        return found
