"""Whole pictures pixel by pixel, cached against naive: ``python -m benchmarks.completion [--quick]``.

The naive loop makes a full forward pass for every pixel and uses one pixel of it; both get the same weights and the same random
numbers, and their pictures must be identical. The lower bound is the sampler's own matrix products and nothing else.

Then the page, in Chromium, as it greets a visitor (the lower half of an example, eight completions at once): from the click to the
first and to the last pixel that can be seen; from Stop, and from closing the tab, until the server's processor time stands still;
and 16 visitors who begin at the same moment, the slowest against the fastest.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import psutil
import torch
from playwright.sync_api import Browser, Page
from torch import Tensor

from benchmarks._page import GALLERY, chromium, served, way_to
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


def shown(quick: bool) -> list[str]:
    """The weights to measure; when in a hurry, one per model."""
    return [name for kind in MODELS for name in catalog.trained(kind)[: 1 if quick else None]]


def label_of(model: Autoregressive) -> dict[str, int]:
    """A class for those models that know some."""
    return {"label": 3} if model.classes else {}


# ---- in the browser ---------------------------------------------------------------------------------------------------

COMPLETE = """() => new Promise((resolve, reject) => {
  const find = () => document.querySelector('button[aria-label="completion 0"] img');
  const opaque = async address => {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const values = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0;
    for (let i = 3; i < values.length; i += 4) count += values[i] > 0;
    return count / (canvas.width * canvas.height);
  };
  let address = find().src, first = null;
  const timer = setTimeout(() => { observer.disconnect(); reject(new Error('not finished within 60 s')); }, 60000);
  const check = async () => {
    const image = find();
    if (!image || image.src === address) return;
    const now = performance.now() - start;
    address = image.src;
    const share = await opaque(image.src);
    if (share < 1 && share > known && first === null) first = now;
    if (share === 1 && first !== null) { observer.disconnect(); clearTimeout(timer); resolve([first, now]); }
  };
  const known = 0.5;  // of the picture, at the start
  const observer = new MutationObserver(check);
  observer.observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
  const start = performance.now();
  [...document.querySelectorAll('button')].find(button => button.textContent.trim() === 'Complete').click();
})"""
"""Click; answers with the milliseconds to the first picture that shows a pixel more, and to the first one that shows all."""


def opened(browser: Browser, address: str, weights: str, **controls: object) -> Page:
    """The room in a new tab, its first picture complete."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{address}/{way_to('pixelcnn', dict(weights=weights) | controls)}")
    page.wait_for_selector('#pixelcnn-main[aria-busy="false"]', timeout=60_000)
    page.wait_for_timeout(500)
    return page


def completed(page: Page) -> list[float]:
    """Milliseconds to the first and to the last pixel of one more completion; returns once it is ranked, too."""
    times = page.evaluate(COMPLETE)
    page.wait_for_selector('#pixelcnn-main[aria-busy="false"]')
    page.wait_for_timeout(200)
    return times


def processor_seconds(process: psutil.Process) -> float:
    """Processor time that all threads of a process have had, to the nanosecond."""
    total = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text(encoding="utf-8").split()[0])
        except FileNotFoundError:  # ended meanwhile
            continue
    return total / 1e9


def seconds_until_still(process: psutil.Process, act: Callable[[], object], window: float = 0.01) -> float:
    """Seconds from the call of ``act`` to the end of the last ``window`` in the next second in which a core was busy by a third.

    Raises:
        RuntimeError: if it was idle from the beginning, so that there was nothing to stop.
    """
    shares: list[tuple[float, float]] = []

    def watch() -> None:
        last, spent = begin, processor_seconds(process)
        while last - begin < 1.0:
            time.sleep(window)
            now, then = time.perf_counter(), processor_seconds(process)
            shares.append((now - begin, (then - spent) / (now - last)))
            last, spent = now, then

    begin = time.perf_counter()
    watcher = threading.Thread(target=watch)
    watcher.start()
    act()
    watcher.join()
    busy = [when for when, share in shares if share > 1 / 3]
    if not busy:
        raise RuntimeError("the server had nothing to do when it was to stop")
    return busy[-1]


def in_the_browser(quick: bool) -> list[Bar]:
    """What a visitor waits for, as bars."""
    bars: list[Bar] = []
    with served(GALLERY) as (address, _, process), chromium() as browser:
        for name in shown(quick):
            page = opened(browser, address, name)
            times = [completed(page) for _ in range(4 if quick else 16)][1:]
            first, last = (statistics.median(each) for each in zip(*times, strict=True))
            page.close()
            print(f"{name:24} lower half, 8 at once: first pixel {first:5.0f} ms, last {last:6.0f} ms (median of {len(times)})")
            bars.append(Bar(f"{name}, click to first pixel", first, 150, " ms"))
            bars.append(Bar(f"{name}, click to last pixel", last, 1500, " ms"))
        waits: dict[str, list[float]] = {"Stop": [], "closing the tab": []}
        for _ in range(1 if quick else 5):
            for way, times in waits.items():
                page = opened(browser, address, name, count=1)
                page.get_by_label("Weighted proposals").check(force=True)
                page.wait_for_timeout(300)  # until the page knows
                page.get_by_role("button", name="Complete", exact=True).click()
                page.wait_for_selector('#pixelcnn-main[aria-busy="true"]')
                page.wait_for_timeout(300)
                button = page.get_by_role("button", name="Stop", exact=True).element_handle()
                act = partial(button.evaluate, "button => button.click()") if way == "Stop" else page.close
                times.append(1000 * seconds_until_still(process, act))
                page.close()
        for way, times in waits.items():
            print(f"{way}: processor at rest after {', '.join(f'{value:.0f}' for value in times)} ms")
            bars.append(Bar(f"{way}, until the processor rests", statistics.median(times), 100, " ms"))
        pages = [opened(browser, address, name) for _ in range(3 if quick else 16)]
        for page in pages:
            page.evaluate(f"() => {{ window.result = ({COMPLETE})(); }}")
        ends = sorted(page.evaluate("() => window.result")[1] for page in pages)
        print(f"{len(pages)} visitors at once: the fastest {ends[0] / 1000:.2f} s, the slowest {ends[-1] / 1000:.2f} s")
        bars.append(Bar(f"{len(pages)} visitors at once, slowest against fastest", ends[-1] / ends[0], 2))
    return bars


def main() -> int:
    """Measure, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.completion", description=__doc__)
    options.add_argument("--quick", action="store_true", help="one set of weights a model, 60 naive pixels; under a minute")
    quick = options.parse_args().quick
    torch.set_num_threads(runtime.cores())
    bars: list[Bar] = []
    print(f"{'weights':24} {'pictures':>8} {'naive s':>9} {'cached s':>9} {'ratio':>7} {'bare s':>9} {'cached/bare':>12}")
    for name in shown(quick):
        model = load(name)
        pixels = min(60, model.size**2) if quick else None
        for count, least in ((1, 10.0), (16, 40.0)):
            with torch.inference_mode():
                seconds, cached = [], None
                for _ in range(3 if quick else 5):
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
    print()
    return report(bars + in_the_browser(quick))


if __name__ == "__main__":
    sys.exit(main())
