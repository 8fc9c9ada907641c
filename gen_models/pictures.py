"""Picture files as people have them -- turned, transparent, of 16 bits, with a colour profile -- as plain sRGB pictures."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageCms, ImageOps

SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "LAB": "LAB"}
"""The colour space that a profile is for -> the mode of a picture that it can belong to."""


def is_heic(start: bytes) -> bool:
    """Whether a file that starts so, with at least 12 bytes, is a picture of the kind that iPhones take."""
    return start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def upright_rgb(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says, colours in sRGB, 16 bits and floats scaled by their own range, transparency on white; mode RGB."""
    image = to_srgb(upright(image))
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
        low, high = float(values.min()), float(values.max())
        # a constant picture keeps its place between black and white instead of being stretched
        values = (values - low) / (high - low) if high > low else values / max(high, 65535.0)
        image = Image.fromarray((values * 255).round().astype(np.uint8))
    if is_transparent(image):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; with an EXIF that cannot be read, as it is."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # whatever a reader of EXIF raises, the picture itself may be sound
        return image


def is_transparent(image: Image.Image) -> bool:
    """Whether some of it may be transparent."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def to_srgb(image: Image.Image) -> Image.Image:
    """The colours that a browser would show: those of an embedded profile converted to sRGB, without a profile as they are.

    A profile that is damaged or for other modes than the picture's is passed over, as browsers do.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode.startswith(("I", "F")):
        return image
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if is_transparent(image) else "RGB")
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    colours = image.convert({"RGBA": "RGB", "LA": "L", "1": "L"}.get(image.mode, image.mode))
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if SPACES.get(source.profile.xcolor_space.strip().upper()) != colours.mode:
            return image
        if (source.profile.profile_description or "").startswith("sRGB"):
            return image
        found = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if found is None:
        return image
    if alpha is not None:
        found.putalpha(alpha)
    return found


def reduced(image: Image.Image, pixels: int) -> Image.Image:
    """The picture with at most so many pixels, in the same proportions; one that has no more stays as it is.

    It is made smaller before anything else is done to it: the largest copy that this needs is one of its own size.
    """
    share = math.sqrt(pixels / (image.width * image.height))
    if share >= 1:
        return image
    size = max(1, int(image.width * share)), max(1, int(image.height * share))
    info = image.info
    if image.mode in ("1", "P", "PA") or "transparency" in info:
        image = image.convert("RGBA" if is_transparent(image) else "L" if image.mode == "1" else "RGB")
    elif image.mode.startswith("I;16"):
        image = image.convert("I")
    # in numbers that are not clipped, a filter with negative weights would leave the picture's own range
    method = Image.Resampling.BOX if image.mode in ("I", "F") else Image.Resampling.LANCZOS
    found = image.resize(size, method, reducing_gap=2.0)
    found.info = {key: value for key, value in info.items() if key != "transparency"}
    return found
