"""Whole pictures pixel by pixel, cached against naive: ``python -m benchmarks.completion [--quick]``.

The naive loop makes a full forward pass for every pixel and uses one pixel of it; both get the same weights and the same random
numbers, and their pictures must be identical. The lower bound is the sampler's own matrix products and nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks._report import Bar, report
from gen_models import Draws, catalog, load, runtime
from gen_models.autoregressive import _cached
from gen_models.autoregressive._cached import choose
from gen_models.autoregressive._causal import Autoregressive
from gen_models.layers import from_unit

MODELS = ("pixelcnn", "gated_pixelcnn")


def naive(
    model: Autoregressive, draws: Draws, images: Tensor | None = None, unknown: Tensor | None = None,
    temperature: float = 1.0, label: int | None = None, pixels: int | None = None,
) -> Tensor:
    """What ``Autoregressive.trajectory`` ends in, by a full forward pass per pixel; only the first ``pixels`` if given."""
    size = model.size
    unknown = torch.ones(size, size, dtype=torch.bool) if unknown is None else unknown
    start = torch.zeros(draws.count, 1, size, size) if images is None else model.seen(images).cpu()
    start = torch.where(unknown, 0.0, start.expand(draws.count, -1, -1, -1)).clone()
    numbers = draws.uniform(size**2).numpy()
    labels = model._drawn_labels(draws, start, unknown, label)
    labels = None if labels is None else torch.from_numpy(labels)
    for place in unknown.flatten().nonzero()[:pixels, 0].tolist():
        row, column = divmod(place, size)
        logits = model(from_unit(start), labels)[:, :, row, column].float()
        start[:, 0, row, column] = torch.from_numpy(choose(logits.numpy() / temperature, numbers[:, place])) / (model.levels - 1)
    return start


def bound(model: Autoregressive, count: int) -> float:
    """Seconds that the sampler's matrix products take by themselves for ``count`` whole pictures."""
    shapes: list[tuple[tuple[int, ...], np.ndarray]] = []

    def noted(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        shapes.append((x.shape, weight))
        return x @ weight

    with mock.patch.object(_cached, "product", noted):
        model.sample(Draws(0, count), **label_of(model))
    inputs = {shape: np.ones(shape, np.float32) for shape, _ in shapes}
    outputs = {(shape[0], weight.shape[1]): np.empty((shape[0], weight.shape[1]), np.float32) for shape, weight in shapes}
    products = [(inputs[shape], weight, outputs[shape[0], weight.shape[1]]) for shape, weight in shapes]
    start = time.perf_counter()
    for x, weight, out in products:
        np.dot(x, weight, out=out)
    return time.perf_counter() - start


def label_of(model: Autoregressive) -> dict[str, int]:
    """A class for those models that know some."""
    return {"label": 3} if model.classes else {}


def main() -> int:
    """Measure, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.completion", description=__doc__)
    options.add_argument("--quick", action="store_true", help="the naive loop for 60 pixels only, scaled up; under a minute")
    quick = options.parse_args().quick
    torch.set_num_threads(runtime.cores())
    bars: list[Bar] = []
    print(f"{'weights':24} {'pictures':>8} {'naive s':>9} {'cached s':>9} {'ratio':>7} {'bare s':>9} {'cached/bare':>12}")
    for name in [name for kind in MODELS for name in catalog.trained(kind)]:
        model = load(name)
        pixels = min(60, model.size**2) if quick else None
        for count, least in ((1, 10.0), (16, 40.0)):
            with torch.inference_mode():
                seconds, cached = [], None
                for _ in range(5):
                    start = time.perf_counter()
                    cached = model.sample(Draws(7, count), **label_of(model))
                    seconds.append(time.perf_counter() - start)
                start = time.perf_counter()
                plain = naive(model, Draws(7, count), pixels=pixels, **label_of(model))
                slow = (time.perf_counter() - start) * (model.size**2 / pixels if pixels else 1)
            alike = torch.equal(plain.flatten(1)[:, :pixels], cached.flatten(1)[:, :pixels])
            fast, least_seconds = statistics.median(seconds), min(bound(model, count) for _ in range(3))
            ratios = f"{slow / fast:7.0f} {least_seconds:9.3f} {fast / least_seconds:12.1f}"
            print(f"{name:24} {count:8} {slow:9.2f} {fast:9.3f} {ratios}")
            bars.append(Bar(f"{name}, {count} at once, cached against naive", slow / fast, least, at_least=True))
            bars.append(Bar(f"{name}, {count} at once, identical pixels", float(alike), 1.0, at_least=True))
    return report(bars)


if __name__ == "__main__":
    sys.exit(main())
