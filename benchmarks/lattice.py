"""Grids of dots that networks leave in pictures: ``python -m benchmarks.lattice [--quick] [names]``.

A network that enlarges its feature maps may treat pixels of even and of odd rows with different weights, and then there is a
regular lattice in what it makes, seen best in smooth skies. In the mean power spectrum of pictures (mean of the colours, Hann
window) it stands out as peaks at multiples of a quarter of the sampling frequency, since the last two enlargements double the side.
Printed is the strongest of them, in decibels over the power that real pictures have around the same place of the spectrum (its
median; over a blurred picture's own, which is next to nothing, a lattice would stand out that nobody sees): of what translators and
restorers make of held-back pictures, and of the real pictures that it should look like.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks._report import Bar, report
from gen_models import Draws, catalog, load, runtime
from gen_models.base import Model
from gen_models.data import DataError, load_data
from gen_models.verbs import Translates, TranslatesBack, Upscales

MOST = 2.0
"""Decibels by which a peak may stand out more than in real pictures."""
PICTURES, QUICK = 60, 8
NEAR, FAR = 3, 10
"""The ring around a peak from which the background is taken, in steps of the spectrum."""
REACH = FAR + 1
SIDE = 128
"""At least so large must a picture be, for there to be such a ring."""


class Pair(NamedTuple):
    """What weights make, (N, C, H, W) in [0, 1], and what they should make it look like."""

    name: str
    made: Tensor
    real: Tensor


def spectrum(pictures: Tensor) -> Tensor:
    """Mean power (H, W) of pictures (N, C, H, W)."""
    grey = pictures.mean(dim=1).double()
    _, height, width = grey.shape
    windowed = (grey - grey.mean(dim=(1, 2), keepdim=True)) * torch.hann_window(height)[:, None] * torch.hann_window(width)
    return torch.fft.fft2(windowed).abs().square().mean(dim=0)


def peak(pictures: Tensor, real: Tensor) -> float:
    """The strongest peak at multiples of a quarter of the sampling frequency, in dB over what real pictures have around it."""
    found, usual = spectrum(pictures), spectrum(real)
    height, width = found.shape
    offset = torch.arange(-REACH, REACH + 1)
    away = torch.hypot(offset[:, None].double(), offset.double())
    strongest = -math.inf
    for down, across in product(range(4), repeat=2):
        if down or across:
            middle = REACH - round(down * height / 4), REACH - round(across * width / 4)
            here, there = (power.roll(middle, (0, 1))[: len(offset), : len(offset)] for power in (found, usual))
            background = there[(away > NEAR) & (away <= FAR)].median()
            strongest = max(strongest, 10 * math.log10(float(here[away <= 1].mean() / background)))
    return strongest


def pairs(name: str, count: int, folder: str | None) -> Iterator[Pair]:
    """What the weights of a translator or a restorer make of held-back pictures."""
    model, data = load(name), catalog.config_of(name)["data"]
    channels = model.image_shape[0] if isinstance(model, Translates) else 3
    held = load_data(data, "test", model.config.get("size"), folder, channels)
    if isinstance(model, Translates):
        inputs, partners = held.unit(0, count), held.partners[:count].float() / 255
        yield Pair(name, made(model.translate, inputs), partners)
        if isinstance(model, TranslatesBack):
            back = made(lambda images: model.cycle(images, backwards=True)[0], partners)
            yield Pair(f"{name}, back", back, inputs)
    else:
        real = held.unit(0, count)
        yield Pair(name, made(lambda images: model.upscale(small(model, images)), real), real)


def small(model: Model, images: Tensor) -> Tensor:
    """Pictures as the restorer takes them."""
    return model.downscale(images, Draws(0, len(images)))


def made(verb: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """A verb over pictures, a few at a time."""
    with runtime.forward_pass():
        return torch.cat([verb(few).cpu() for few in images.split(4)])


def main() -> int:
    """Print the table and the bars."""
    parse = argparse.ArgumentParser("python -m benchmarks.lattice", description=__doc__.splitlines()[0])
    parse.add_argument("names", nargs="*", help="weights; all translators and restorers without")
    parse.add_argument("--quick", action="store_true", help=f"{QUICK} pictures of each, under a minute")
    parse.add_argument("--data-dir", help="folder of the data sets")
    given = parse.parse_args()
    names = given.names or [name for model in catalog.names() for name in catalog.trained(model) if able(model)]
    bars = []
    print(f"{'weights':<28}{'made':>9}{'real':>9}  (strongest peak, dB)")
    for name in names:
        try:
            for pair in pairs(name, QUICK if given.quick else PICTURES, given.data_dir):
                if min(pair.made.shape[-2:]) < SIDE:
                    print(f"{pair.name:<28}its pictures are smaller than {SIDE} pixels")
                    continue
                found, floor = peak(pair.made, pair.real), peak(pair.real, pair.real)
                print(f"{pair.name:<28}{found:>9.1f}{floor:>9.1f}", flush=True)
                bars.append(Bar(f"{pair.name}, more than real pictures", found - floor, MOST, " dB"))
        except (DataError, catalog.WeightsError) as error:
            print(f"{name:<28}{error}")
    if not bars:
        print("nothing could be measured")
        return 1
    return report(bars)


def able(model: str) -> bool:
    """Whether a model makes pictures of pictures."""
    kind = catalog.model_class(model)
    return issubclass(kind, Translates) or issubclass(kind, Upscales)


if __name__ == "__main__":
    raise SystemExit(main())
