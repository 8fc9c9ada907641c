"""Pictures between tensors, Pillow and the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from demos._server import request_log

LARGE = 128
"""Pictures of this width or more are scaled smoothly."""


def as_tensor(picture: PIL.Image.Image, channels: int = 3) -> Tensor:
    """A picture as (1, channels, H, W) in [0, 1]; of grey pictures all channels are the same."""
    values = np.asarray(picture.convert("RGB"), np.float32).transpose(2, 0, 1) / 255
    return torch.from_numpy(values)[None, :channels]


def to_pil(picture: Tensor) -> PIL.Image.Image:
    """(C, H, W) in [0, 1] -> 8-bit picture, grey or colour."""
    values = (picture.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    return PIL.Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0)))


@request_log.encoding
def png_uri(picture: Tensor | PIL.Image.Image, level: int = 1) -> str:
    """A picture as a PNG data URI; fast rather than small, unless ``level`` is nearer 9."""
    image = to_pil(picture) if isinstance(picture, Tensor) else picture
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=level)
    return data_uri(stream.getvalue())


def data_uri(content: bytes, kind: str = "png") -> str:
    """A picture file's bytes as a data URI."""
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()


@request_log.encoding
def photo_uri(picture: PIL.Image.Image) -> str:
    """A picture to look at as a data URI: a JPEG, of a fraction of a PNG's bytes; small ones to the last bit."""
    if picture.width < LARGE:
        return png_uri(picture)
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=92, subsampling=0)
    return data_uri(stream.getvalue(), "jpeg")


def as_text(picture: PIL.Image.Image, letters: int) -> str:
    """A picture's file in base64, of at most so many letters: if need be with losses, and at last smaller."""
    while True:
        for kind, settings in (("PNG", {}), *(("WEBP", {"quality": quality, "method": 6}) for quality in (90, 75, 60, 45, 30))):
            stream = io.BytesIO()
            picture.save(stream, kind, **settings)
            if 4 * -(-stream.tell() // 3) <= letters:
                return base64.b64encode(stream.getvalue()).decode()
        picture = picture.resize((picture.width // 2, picture.height // 2), PIL.Image.Resampling.BOX)


def strip_image(pictures: Sequence[PIL.Image.Image], scale: int = 1, columns: int | None = None) -> PIL.Image.Image:
    """Pictures side by side, ``columns`` in a row, each pixel ``scale`` times as large."""
    columns = columns or len(pictures)
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = PIL.Image.new(pictures[0].mode, (columns * width, rows * height))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * width, index // columns * height))
    return enlarged(sheet, scale)


def side_by_side(left: PIL.Image.Image, right: PIL.Image.Image, gap: int = 16) -> PIL.Image.Image:
    """Two pictures of one mode on white with a gap between them."""
    sheet = PIL.Image.new(left.mode, (left.width + gap + right.width, max(left.height, right.height)), "white")
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + gap, 0))
    return sheet


def enlarged(picture: PIL.Image.Image, scale: int) -> PIL.Image.Image:
    """The picture with each pixel ``scale`` times as large, edges crisp."""
    return picture.resize((picture.width * scale, picture.height * scale), PIL.Image.Resampling.NEAREST)


def reduced(picture: PIL.Image.Image, side: int, channels: int = 3) -> PIL.Image.Image:
    """RGB, no side longer than ``side``, smaller pictures as they are; grey where a model knows one channel."""
    ratio = side / max(picture.size)
    if ratio < 1:
        width, height = (max(1, round(length * ratio)) for length in picture.size)
        picture = picture.resize((width, height), PIL.Image.Resampling.LANCZOS)
    return (picture.convert("L") if channels == 1 else picture).convert("RGB")


def is_empty(picture: PIL.Image.Image) -> bool:
    """Whether a picture is of one colour only."""
    return picture.convert("RGB").getcolors(1) is not None


HEAT = np.array([(18, 16, 34), (74, 40, 122), (190, 60, 96), (245, 140, 50), (255, 238, 150)], np.float32)


def heat(share: np.ndarray) -> PIL.Image.Image:
    """Numbers in [0, 1] as colours from night to flame."""
    place = share.clip(0, 1) * (len(HEAT) - 1)
    low = np.minimum(place.astype(int), len(HEAT) - 2)
    part = (place - low)[..., None]
    return PIL.Image.fromarray(((1 - part) * HEAT[low] + part * HEAT[low + 1]).round().astype(np.uint8))
