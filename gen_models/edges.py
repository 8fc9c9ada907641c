"""Line drawings from photographs of things on white: what a model for hand drawings is trained on.

A drawing by hand has few lines: an outline that closes, the main parts, no shading, no fabric. So the outline is that of the
silhouette instead of an edge detector's, which breaks off where a thing is pale; inside it stand the edges (Canny 1986) of a
picture whose texture a median filter has taken away, short pieces left out; and all lines are one pencil wide.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

WHITE = 244
"""A pixel whose darkest channel is above this belongs to the background, if background connects it to the border."""
MARGIN = 0.1
"""White around a framed thing, as a fraction of its longer side."""
SHORTEST = 16
"""Inner lines of fewer pixels are left out."""


def silhouette(pixels: np.ndarray) -> np.ndarray:
    """Where the thing is, bool (H, W); uint8 (H, W, 3) pixels. Specks and threads one pixel wide do not count."""
    from scipy import ndimage  # comes with scikit-image

    background, _ = ndimage.label(pixels.min(axis=2) > WHITE)
    border = np.unique(np.concatenate([background[0], background[-1], background[:, 0], background[:, -1]]))
    inside = ndimage.binary_opening(~np.isin(background, border[border > 0]))
    parts, _ = ndimage.label(inside)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (sizes >= max(40, sizes.max() / 20))[parts]


def framed(image: Image.Image, size: int) -> Image.Image:
    """The thing of an RGB picture in the middle of a white square of ``size`` pixels, as large as its margin allows."""
    rows, columns = np.nonzero(silhouette(np.asarray(image)))
    if not len(rows):
        return image.resize((size, size), Image.Resampling.LANCZOS)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    half = max(right - left, bottom - top) * (0.5 + MARGIN)
    around = int(half) + 1
    wide = Image.new("RGB", (image.width + 2 * around, image.height + 2 * around), "white")
    wide.paste(image, (around, around))
    across, down = (left + right) / 2 + around, (top + bottom) / 2 + around
    box = (across - half, down - half, across + half, down + half)
    return wide.resize((size, size), Image.Resampling.LANCZOS, box=box)


def line_drawing(image: Image.Image) -> Image.Image:
    """The lines of an RGB picture of a thing on white, black on white with soft borders, RGB of the same size."""
    from scipy import ndimage
    from skimage import feature, morphology

    inside = ndimage.gaussian_filter(silhouette(np.asarray(image)).astype(np.float32), 0.8) > 0.5  # a hand draws no stairs
    smooth = np.asarray(image.convert("L").filter(ImageFilter.MedianFilter(5)), np.float32) / 255
    lines = feature.canny(smooth, sigma=1.5, low_threshold=0.06, high_threshold=0.14)
    lines &= ndimage.binary_erosion(inside, iterations=3)  # nearer to it, they would double the outline
    pieces, _ = ndimage.label(lines, np.ones((3, 3)))
    lengths = np.bincount(pieces.ravel())
    lengths[0] = 0
    lines = (lengths >= SHORTEST)[pieces]
    lines = morphology.skeletonize(lines | (inside & ~ndimage.binary_erosion(inside)))
    if not lines.any():
        return Image.new("RGB", image.size, "white")
    grey = np.clip(ndimage.distance_transform_edt(~lines) - 0.4, 0, 1)  # a pencil of about a pixel and a half
    return Image.fromarray((grey * 255).round().astype(np.uint8)).convert("RGB")
