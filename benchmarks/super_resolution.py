"""Seconds and memory to enlarge a picture four times, our way against the plain one: ``python -m benchmarks.super_resolution``.

The plain way runs the same network with the same weights over the whole picture at once, in float32 and the default memory layout,
in evaluation mode under ``no_grad``. Ours goes tile by tile, in ``channels_last``, in bfloat16 where the processor multiplies it.
Each runs in a process of its own, in turns; memory is what the process takes at most above what it took before the first picture.
Pictures must agree to 1/255, and in float32 a tiled picture must be the whole one. Without published weights the network has random
ones, which cost the same.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from benchmarks._report import Bar, report
from gen_models import catalog, load, runtime
from gen_models.degradation import upscale
from gen_models.layers import from_unit
from gen_models.restoration._restorer import TiledRestorer

NAME = "edsr-photos"
SIZES = [(256, 256), (512, 512), (1024, 1024), (4000, 3000)]
"""Width and height of the results; the last has twelve megapixels."""
MEMORY = 1000
"""MB that ours may take for the largest."""


def model_of() -> tuple[TiledRestorer, str]:
    """The published model, or one with random weights, and its name."""
    if NAME in catalog.trained("edsr"):
        return load(NAME), NAME
    torch.manual_seed(0)
    kind = catalog.model_class("edsr")
    model = kind(**kind.recipes["photos"].arguments)
    with torch.no_grad():
        model.network.tail[-1].weight.mul_(0.3)  # so that results are not clipped, which would agree too easily
    model = model.to(runtime.device(), memory_format=torch.channels_last)
    return model.eval().requires_grad_(False), f"{NAME} (random weights)"


def plain(model: TiledRestorer) -> Callable[[Tensor], Tensor]:
    """The whole picture at once, in the common style."""
    network = copy.deepcopy(model.network).to(memory_format=torch.contiguous_format).eval()

    def run(images: Tensor) -> Tensor:
        with torch.no_grad():
            return (upscale(images, model.scale) + network(from_unit(images)) / 2).clamp(0, 1)

    return run


def ours(model: TiledRestorer) -> Callable[[Tensor], Tensor]:
    """As the room does it."""

    def run(images: Tensor) -> Tensor:
        with runtime.fast_pass():
            return model.upscale(images)

    return run


def picture(width: int, height: int) -> Tensor:
    """A small picture (1, 3, height, width) in [0, 1] with detail of all sizes."""
    torch.manual_seed(1)
    layers = [upscale(torch.rand(1, 3, -(-height // size), -(-width // size)), size)[..., :height, :width] for size in (1, 4, 16)]
    return sum(layers) / len(layers)


def child(way: str, width: int, height: int, turns: int, out: Path) -> None:
    """Measure one way in this process; writes the picture to ``out`` and prints the figures as JSON."""
    torch.set_num_threads(runtime.cores())
    model, _ = model_of()
    run = {"plain": plain, "ours": ours}[way](model)
    images = picture(width // model.scale, height // model.scale)
    run(images[..., :16, :16])
    rest = psutil.Process().memory_info().rss
    seconds = []
    for _ in range(turns):
        start = time.perf_counter()
        made = run(images)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    np.save(out, made.cpu().numpy())
    print(json.dumps({"seconds": seconds, "memory": (peak - rest) / 1e6}))


def measured(way: str, width: int, height: int, turns: int, out: Path) -> dict[str, list[float] | float]:
    """The figures of a process of its own.

    Raises:
        RuntimeError: if it did not end well, as where memory does not suffice.
    """
    words = ["--way", way, "--width", str(width), "--height", str(height), "--turns", str(turns), "--out", str(out)]
    done = subprocess.run([sys.executable, "-m", "benchmarks.super_resolution", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{way}, {width} x {height}: ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def difference(one: Path, other: Path) -> float:
    """The largest, in levels of 1/255."""
    a, b = (np.load(file, mmap_mode="r") for file in (one, other))
    return 255 * max(float(np.abs(a[..., rows, :] - b[..., rows, :]).max()) for rows in range(a.shape[-2]))


def tiled_against_whole() -> Bar:
    """In float32, many small tiles against one pass, a picture of 200 x 152 pixels becoming 800 x 608."""
    model, _ = model_of()
    images = picture(200, 152).to(runtime.device())
    with runtime.forward_pass():
        *_, (tiled, _, tiles) = model.trajectory(images, side=256)
        whole = plain(model)(images)
    return Bar(f"{tiles} tiles against the whole in float32, difference in levels", 255 * float((tiled - whole).abs().max()), 0.01)


def main() -> int:
    """Measure in turns, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.super_resolution", description=__doc__)
    options.add_argument("--quick", action="store_true", help="three sizes, one turn each, under a minute")
    for word, kind in (("--way", str), ("--width", int), ("--height", int), ("--turns", int), ("--out", Path)):
        options.add_argument(word, type=kind, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.way:
        child(given.way, given.width, given.height, given.turns, given.out)
        return 0
    torch.set_num_threads(runtime.cores())
    _, name = model_of()
    precision = "bfloat16" if runtime.multiplies_bfloat16() else "float32"
    print(f"{name}, {runtime.cores()} threads, ours in {precision}, torch {torch.__version__}")
    print(f"{'result':>12} {'plain s':>9} {'ours s':>9} {'ratio':>7} {'plain MB':>9} {'ours MB':>9} {'difference':>11}")
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory() as folder:
        files = {way: Path(folder) / f"{way}.npy" for way in ("plain", "ours")}
        for width, height in [SIZES[0], *SIZES[2:]] if given.quick else SIZES:
            large = width * height > 2**21
            rounds, turns = (1, 2 if large else 4) if given.quick else (2, 2 if large else 10)
            seconds: dict[str, list[float]] = {way: [] for way in files}
            memory = dict.fromkeys(files, 0.0)
            for _ in range(rounds):
                for way, file in files.items():
                    found = measured(way, width, height, turns, file)
                    seconds[way] += found["seconds"][1:]  # the first builds what the later ones find built
                    memory[way] = max(memory[way], found["memory"])
            slow, fast = (statistics.median(seconds[way]) for way in files)
            apart = difference(*files.values())
            size = f"{width} x {height}"
            print(
                f"{size:>12} {slow:9.3f} {fast:9.3f} {slow / fast:7.2f} {memory['plain']:9.0f} {memory['ours']:9.0f} {apart:11.3f}"
            )
            bars.append(Bar(f"{size}, plain over ours", slow / fast, 1.1, at_least=True))
            bars.append(Bar(f"{size}, difference in levels", apart, 1.0))
            if large:
                bars.append(Bar(f"{size}, memory above rest", memory["ours"], MEMORY, " MB"))
    return report([*bars, tiled_against_whole()])


if __name__ == "__main__":
    sys.exit(main())
