"""Samples as a picture file: ``python -m gen_models.sample dcgan-faces --seed 7 --count 16 out.png``.

Picture *i* of a seed is the same one as in the page, in any batch and on any device.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from PIL import Image

from gen_models import catalog, runtime
from gen_models.base import Draws
from gen_models.verbs import Samples

MOST = 10_000
"""Samples of one call."""
BATCH = 64


class SampleError(ValueError):
    """The samples cannot be made; the message is one sentence that names the cure."""


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    make = argparse.ArgumentParser("python -m gen_models.sample", description="Write samples of a model as one PNG.")
    make.add_argument("name", help="weights, such as dcgan-faces, or OWNER/NAME@COMMIT on the Hub")
    make.add_argument("file", type=Path, help="the picture to write, a .png")
    make.add_argument("--seed", type=int, default=0)
    make.add_argument("--count", type=int, default=16, help=f"samples, 1 to {MOST:,} (default: 16)")
    make.add_argument("--columns", type=int, default=8, help="samples in a row (default: 8)")
    given = make.parse_args(arguments)
    try:
        sheet(sample(given.name, given.seed, given.count), given.columns).save(given.file, "PNG")
    except (SampleError, KeyError, catalog.WeightsError) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {given.file} cannot be written ({error.strerror or error})", file=sys.stderr)
        return 1
    print(f"{given.count} samples of {given.name}, seed {given.seed}, in {given.file}")
    return 0


def sample(name: str, seed: int, count: int) -> torch.Tensor:
    """The first ``count`` samples of a seed, (count, C, H, W) in [0, 1] on the CPU.

    Raises:
        SampleError: if the model makes no samples, or so many or such a seed do not exist.
        KeyError, WeightsError: if there are no such weights.
    """
    if not 1 <= count <= MOST or seed < 0:
        raise SampleError(f"--count must be from 1 to {MOST:,} and --seed not negative")
    model = catalog.load(name)
    if not isinstance(model, Samples):
        raise SampleError(f"{model.title} makes no samples; choose the weights of a model that does, such as dcgan-faces")
    made = []
    for first in range(0, count, BATCH):
        draws = Draws(seed, min(BATCH, count - first), first, runtime.device())
        with runtime.forward_pass():
            made.append(model.sample(draws).cpu())
    return torch.cat(made)


def sheet(pictures: torch.Tensor, columns: int) -> Image.Image:
    """Pictures (N, C, H, W) in [0, 1] side by side, ``columns`` in a row; what is left of the last row is black.

    Raises:
        SampleError: if there is no column.
    """
    if columns < 1:
        raise SampleError("--columns must be at least 1")
    count, channels, height, width = pictures.shape
    columns = min(columns, count)
    made = Image.new("L" if channels == 1 else "RGB", (columns * width, -(-count // columns) * height))
    for place, values in enumerate((pictures * 255).round().byte().permute(0, 2, 3, 1).numpy()):
        picture = Image.fromarray(values[..., 0] if channels == 1 else values)
        made.paste(picture, (place % columns * width, place // columns * height))
    return made


if __name__ == "__main__":
    sys.exit(main())
