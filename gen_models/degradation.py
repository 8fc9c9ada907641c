"""How a large picture becomes a small one: shrunk bicubically, or with blur, noise and JPEG too, in training and on the page.

Bicubic is that of the papers: the cubic kernel with a = -1/2 (Keys 1981), stretched by the factor when shrinking, as MATLAB's
``imresize`` has it. With it, shrinking Set5 by four and enlarging it again gives the 28.42 dB that all papers state. The order of
the other damages is that of the classical model: blur, shrink, noise, JPEG (Wang 2021, section 3.1, arXiv 2107.10833).
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from gen_models.base import Draws


@dataclass(frozen=True)
class Damage:
    """What happens to a picture besides shrinking; of each pair (least, most) every picture draws its own value.

    ``blur``: standard deviation of a Gaussian blur before shrinking, in pixels of the small picture. ``noise``: standard deviation
    of Gaussian noise after shrinking, pixels being in [0, 1]. ``quality``: of JPEG at the end, 1 to 95; 100: not compressed.

    Raises:
        ValueError: if a pair is out of order or out of range.
    """

    blur: tuple[float, float] = (0.0, 0.0)
    noise: tuple[float, float] = (0.0, 0.0)
    quality: tuple[int, int] = (100, 100)

    def __post_init__(self) -> None:
        for name, most in (("blur", 4.0), ("noise", 1.0), ("quality", 100)):
            least, greatest = getattr(self, name)
            if not (name == "quality") <= least <= greatest <= most:
                raise ValueError(f"{name} must lie between {int(name == 'quality')} and {most:g}, the smaller number first")

    def __str__(self) -> str:
        parts = ["shrunk bicubically"]
        if self.blur[1]:
            parts.insert(0, f"blurred by {self.blur[0]:g} to {self.blur[1]:g} pixels of the small picture")
        if self.noise[1]:
            parts.append(f"noise of {255 * self.noise[0]:.3g} to {255 * self.noise[1]:.3g} grey levels")
        if self.quality[0] < 100:
            parts.append(f"JPEG of quality {self.quality[0]} to {self.quality[1]}")
        return ", ".join(parts)


BICUBIC = Damage()
REALISTIC = Damage(blur=(0.0, 0.6), noise=(0.0, 0.03), quality=(50, 95))
"""What a photograph went through that was taken by a telephone and sent around."""


def bicubic(images: Tensor, height: int, width: int) -> Tensor:
    """Pictures (B, C, H, W) in [0, 1] resized to (B, C, height, width), float32."""
    resized = interpolate(images.float(), size=(height, width), mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp_(0.0, 1.0)


def upscale(images: Tensor, scale: int) -> Tensor:
    """Pictures (B, C, H, W) in [0, 1] -> (B, C, sH, sW): what a restoration has to be better than."""
    height, width = images.shape[-2:]
    return bicubic(images, height * scale, width * scale)


def degrade(images: Tensor, scale: int, damage: Damage = BICUBIC, draws: Draws | None = None) -> Tensor:
    """Pictures (B, C, sH, sW) in [0, 1] -> (B, C, H, W), rounded to 8 bits as a file of them would be.

    Args:
        images: sides are multiples of ``scale``.
        scale: how many times smaller the sides become.
        damage: ranges; row *i* of ``draws`` decides what picture *i* gets of them.
        draws: as many rows as pictures; may be left out where nothing is by chance.

    Raises:
        ValueError: if the sides are no multiples of the scale, or there are not as many draws as pictures.
    """
    height, width = images.shape[-2:]
    if height % scale or width % scale:
        raise ValueError(f"sides must be multiples of {scale} pixels, not {width} x {height}")
    if damage == BICUBIC:
        return _rounded(bicubic(images, height // scale, width // scale))
    if draws is None or draws.count != len(images):
        raise ValueError(f"{len(images)} pictures need as many draws, not {draws.count if draws else 'none'}")
    places = draws.uniform(3).to(images.device)
    blur, noise, quality = (
        low + (high - low) * place for (low, high), place in zip(vars(damage).values(), places.unbind(1), strict=True)
    )
    small = bicubic(_blurred(images.float(), scale * blur, scale * damage.blur[1]), height // scale, width // scale)
    small = small + noise[:, None, None, None] * draws.normal(*small.shape[1:]).to(small.device)
    return _compressed(_rounded(small), quality.round().int().tolist())


def _rounded(images: Tensor) -> Tensor:
    return images.clamp(0, 1).mul(255).round().div(255)


def _blurred(images: Tensor, spread: Tensor, most: float) -> Tensor:
    """Each picture under a Gaussian of its own; ``most``: of all that could come, so that a row does not depend on the others."""
    count, channels, height, width = images.shape
    reach = min(math.ceil(3 * most), height - 1, width - 1)
    if reach < 1:
        return images
    distance = torch.arange(-reach, reach + 1, device=images.device)
    kernel = torch.exp(-(distance**2) / (2 * spread[:, None].clamp_min(1e-3) ** 2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)[:, None]
    flat = pad(images.reshape(1, count * channels, height, width), (reach,) * 4, mode="reflect")
    for shaped in (kernel[:, :, None], kernel[..., None]):
        flat = conv2d(flat, shaped, groups=count * channels)
    return flat.view(count, channels, height, width)


def _compressed(images: Tensor, quality: list[int]) -> Tensor:
    """Each picture through JPEG, but for those of quality 100."""
    done = images.clone()
    for row, (image, grade) in enumerate(zip((images * 255).round().to(torch.uint8).cpu(), quality, strict=True)):
        if grade >= 100:
            continue
        stream = io.BytesIO()
        pixels = image.permute(1, 2, 0).numpy()
        Image.fromarray(pixels[..., 0] if len(image) == 1 else pixels).save(stream, "JPEG", quality=grade)
        decoded = np.asarray(Image.open(stream), np.float32).reshape(pixels.shape) / 255
        done[row] = torch.from_numpy(decoded).permute(2, 0, 1)
    return done
