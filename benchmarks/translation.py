"""Milliseconds per picture of 256 pixels, our way against the plain one: ``python -m benchmarks.translation [--quick]``.

The plain way runs the same networks with the same weights in float32 and the default memory layout, with ``nn.InstanceNorm2d`` as
commonly written, in evaluation mode under ``no_grad``. Both are measured in turns, in one run, and their pictures must agree to
1/255. Without published weights the networks have random ones, which cost the same.

Then, for every published Pix2Pix, the time from the end of a stroke on the painting board to its picture, decoded, in Chromium.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable

import torch
from playwright.sync_api import Page
from torch import Tensor, nn

from benchmarks._page import GALLERY, chromium, served, way_to
from benchmarks._report import Bar, report
from gen_models import catalog, load, runtime
from gen_models.base import Translator
from gen_models.layers import from_unit, to_unit
from gen_models.translation._networks import InstanceNorm

MODELS = {"pix2pix": "facades", "cyclegan": "monet2photo"}
SIDE = 256


class PlainNorm(nn.InstanceNorm2d):
    """Instance normalisation as PyTorch has it."""

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__(norm.width, eps=norm.eps, affine=True)
        self.load_state_dict(norm.state_dict())

    def forward(self, x: Tensor, statistics: None = None) -> Tensor:
        return super().forward(x)


def model_of(kind: str, data: str) -> tuple[Translator, str]:
    """The published model, or one with random weights, and its name."""
    for name in (f"{kind}-{data}", *catalog.trained(kind)):
        if name in catalog.trained(kind) and catalog.config_of(name)["arguments"]["size"] == SIDE:
            return load(name), name
    torch.manual_seed(0)
    model = catalog.model_class(kind)(**catalog.model_class(kind).recipes[data].arguments).without_scaffold()
    for parameter in model.parameters():  # random weights of the paper's start make grey pictures, which would agree too easily
        if parameter.ndim == 4:
            nn.init.kaiming_normal_(parameter)
    return model.to(runtime.device(), memory_format=torch.channels_last).eval().requires_grad_(False), f"{kind} (random weights)"


def plain(model: Translator) -> Callable[[Tensor], Tensor]:
    """The model's own network, A to B, in the common style."""
    network = copy.deepcopy(getattr(model, "generator", None) or model.to_b).to(memory_format=torch.contiguous_format)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, InstanceNorm):
                setattr(parent, name, PlainNorm(child).to(runtime.device()))
    network.eval()

    def run(images: Tensor) -> Tensor:
        with torch.no_grad():
            return to_unit(network(from_unit(images)))

    return run


def ours(model: Translator) -> Callable[[Tensor], Tensor]:
    """As the rooms do it."""

    def run(images: Tensor) -> Tensor:
        with runtime.forward_pass():
            return model.translate(images)

    return run


def milliseconds(run: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """One call, a picture."""
    start = time.perf_counter()
    run(images)
    return 1000 * (time.perf_counter() - start) / len(images)


# ---- in the browser ---------------------------------------------------------------------------------------------------

WATCH = """() => {
  const shown = () => [...document.querySelectorAll('.result img.picture')].find(image => image.offsetParent);
  window.stroke = new Promise(tell => {
    document.addEventListener('pointerup', () => {
      const start = performance.now(), before = shown().src;
      const look = async () => {
        const image = shown();
        if (!image || image.src === before) return requestAnimationFrame(look);
        await image.decode();
        tell(performance.now() - start);
      };
      look();
    }, {capture: true, once: true});
  });
}"""


def strokes(page: Page, count: int) -> list[float]:
    """Milliseconds from the end of each of some strokes to its picture."""
    box = page.locator(".painting canvas:visible").bounding_box()
    found = []
    for number in range(count):
        page.evaluate(WATCH)
        left, top = box["x"] + box["width"] * (0.15 + 0.02 * number), box["y"] + box["height"] * (0.2 + 0.1 * (number % 5))
        page.mouse.move(left, top)
        page.mouse.down()
        page.mouse.move(left + 0.2 * box["width"], top + 0.15 * box["height"], steps=8)
        page.mouse.up()
        found.append(page.evaluate("() => window.stroke"))
        page.wait_for_timeout(200)
    return found


def in_the_browser(quick: bool) -> list[Bar]:
    """From the end of a stroke to the picture, for every published Pix2Pix."""
    bars = []
    with served(GALLERY) as (address, _, _), chromium() as browser:
        print(f"\n{'weights':32} {'strokes':>8} {'median ms':>10} {'longest ms':>11}")
        for name in catalog.trained("pix2pix"):
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(f"{address}/{way_to('pix2pix', dict(weights=name))}")
            page.locator(".painting canvas[data-kind]:visible").scroll_into_view_if_needed()
            page.wait_for_timeout(1000)
            strokes(page, 2)  # the first one loads the model
            times = strokes(page, 5 if quick else 20)
            page.close()
            print(f"{name:32} {len(times):8} {statistics.median(times):10.0f} {max(times):11.0f}")
            bars.append(Bar(f"{name}, end of a stroke to its picture, median", statistics.median(times), 300, " ms"))
    return bars


def main() -> int:
    """Measure in turns, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.translation", description=__doc__)
    options.add_argument("--quick", action="store_true", help="fewer turns, under a minute")
    quick = options.parse_args().quick
    torch.set_num_threads(runtime.cores())
    bars: list[Bar] = []
    print(f"pictures of {SIDE} x {SIDE}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'weights':32} {'at once':>8} {'plain ms':>9} {'ours ms':>9} {'ratio':>7} {'difference':>11}")
    for kind, data in MODELS.items():
        model, name = model_of(kind, data)
        ways = plain(model), ours(model)
        for count in (1, 4):
            torch.manual_seed(1)
            coarse = torch.rand(count, 3, 16, 16, device=runtime.device())
            images = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic").clamp(0, 1)
            difference = float((ways[0](images) - ways[1](images)).abs().max())
            times: list[list[float]] = [[], []]
            for _ in range(5 if quick else 30):
                for way, found in zip(ways, times, strict=True):
                    found.append(milliseconds(way, images))
            slow, fast = map(statistics.median, times)
            print(f"{name:32} {count:8} {slow:9.1f} {fast:9.1f} {slow / fast:7.2f} {difference:11.6f}")
            bars.append(Bar(f"{name}, {count} at once, plain over ours", slow / fast, 1.2, at_least=True))
            bars.append(Bar(f"{name}, {count} at once, difference in levels", 255 * difference, 1.0))
    return report(bars + in_the_browser(quick))


if __name__ == "__main__":
    sys.exit(main())
