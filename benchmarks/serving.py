"""How fast the gallery starts and answers, and what its pages weigh: ``python -m benchmarks.serving [--quick]``.

Baselines, measured in turns with the gallery in the same run:

- start: a bare Gradio page that also imports torch, process start to first HTTP 200; and a gallery with ten rooms more, each like
  DCGAN's, in the family of that;
- slider: a Gradio page of four components whose slider sends back one of two constant pictures the same way (``input``, always the
  last value, no queue, the same three inputs and two outputs, an image as a data URI as large on the page), from the input event
  to the picture loaded in Chromium.

Needs Chromium. Close other programs first: two busy cores double every figure.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import httpx
from playwright.sync_api import Page

from benchmarks._page import GALLERY, chromium, megabytes, plain_page, served, way_to
from benchmarks._report import Bar, report

BARE = 'gr.Markdown("hello")'
ECHO = """
constant = [picture(40), picture(200)]
turn = [0]
def echo(choice, text, value):
    turn[0] ^= 1
    return constant[turn[0]], text
choice = gr.Radio(["a", "b"], value="a")
slider = gr.Slider(-4, 4, 0, step=0.05)
text = gr.Textbox("0.123," * 40, visible="hidden")
shown = gr.HTML(picture(120))
slider.input(echo, [choice, text, slider], [shown, text], queue=False, trigger_mode="always_last", show_progress="hidden")
"""
MORE = 10
"""Rooms more."""
GROWN = f"""
import importlib, types, app
from demos._server import pages
from gen_models import catalog
room, family = importlib.import_module("demos.dcgan").room, catalog.names()["dcgan"]
more = {{f"more{{number}}": ("One more", "A room like DCGAN's.") for number in range({MORE})}}
found, imported, home = app.places(), importlib.import_module, app.lay_out_home
found[family] = pages.Page(found[family].title, found[family].sentence, {{**found[family].rooms, **more}})
stand_in = types.SimpleNamespace(room=room, TITLE="One more")
importlib.import_module = lambda name, *rest: stand_in if name.removeprefix("demos.") in more else imported(name, *rest)
app.places = lambda path=(): found
app.lay_out_home = lambda names: home([name for name in names if name not in more])
app.main()
"""
"""The program of a gallery with so many rooms more."""
DRAG = """([value]) => new Promise((resolve, reject) => {
  const slider = document.querySelector('input[type=range]');
  const find = () => document.querySelector('img.picture');
  const before = find().src;
  const timer = setTimeout(() => reject(new Error('no new picture within 5 s')), 5000);
  const check = () => {
    const image = find();
    if (!image || image.src === before) return;
    observer.disconnect();
    const done = () => { clearTimeout(timer); resolve(performance.now() - start); };
    image.complete ? done() : image.addEventListener('load', done, {once: true});
  };
  const observer = new MutationObserver(check);
  observer.observe(document.body, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
  const start = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
})"""


def drag_times(page: Page, count: int) -> list[float]:
    """Milliseconds of ``count`` slider movements, the first three thrown away."""
    times = []
    for step in range(count + 3):
        times.append(page.evaluate(DRAG, [str(-3.5 + (step * 37 % 140) * 0.05)]))
        page.wait_for_timeout(60)
    return times[3:]


def use_every_room(page: Page, address: str) -> None:
    """Open each room and press every main button that needs no picture of the visitor's."""
    import app

    for members in app.rooms().values():
        for name in members:
            page.goto(f"{address}/{way_to(name)}")
            page.wait_for_selector(".room-header")
            page.wait_for_timeout(1500)
            for choice in page.locator(".chips:visible input[type=radio]").all():
                choice.check(force=True)
                page.wait_for_timeout(800)
            for tab in page.locator(".views > .tab-wrapper button[role=tab]:visible").all():
                tab.click(force=True)
                for button in page.locator(".views button.primary:visible").all():
                    button.click()
                    page.wait_for_timeout(1200)


def weights(address: str) -> dict[str, int]:
    """Path of a family's page -> its bytes as they are sent, gzipped."""
    import app

    found = {}
    for path in app.rooms():
        with httpx.stream("GET", f"{address}/{path}", headers={"Accept-Encoding": "gzip"}, timeout=30) as answer:
            found[path] = sum(map(len, answer.iter_raw()))
    return found


def main() -> int:
    """Measure, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.serving", description=__doc__)
    options.add_argument("--quick", action="store_true", help="fewer repetitions, under a minute")
    quick = options.parse_args().quick
    with plain_page(BARE) as bare, plain_page(ECHO) as echo:
        starts: dict[str, list[float]] = {"bare": [], "gallery": [], "grown": []}
        grown = [sys.executable, "-c", GROWN, "--port", "PORT"]
        for _ in range(2 if quick else 7):
            for name, command in {"bare": bare, "gallery": GALLERY, "grown": grown}.items():
                with served(command) as (address, seconds, _process):
                    starts[name].append(seconds)
                    after = weights(address) if name == "grown" else {}
        with (
            served(echo) as (echo_address, _, _),
            served(GALLERY) as (address, _, process),
            chromium() as browser,
        ):
            rest, before = megabytes(process), weights(address)
            drags: dict[str, list[float]] = {"echo": [], "gallery": []}
            for _ in range(1 if quick else 3):  # in turns, so that a slow minute hits both
                for name, target in (("echo", echo_address), ("gallery", f"{address}/{way_to('vae')}")):
                    page = browser.new_page(viewport={"width": 1280, "height": 1000})
                    page.goto(target)
                    page.wait_for_selector("input[type=range]")
                    page.wait_for_timeout(1500)
                    drags[name] += drag_times(page, 15 if quick else 30)
                    page.close()
            used = rest
            if not quick:
                page = browser.new_page(viewport={"width": 1280, "height": 1000})
                use_every_room(page, address)
                used = megabytes(process)
    *_, most = sorted(before, key=lambda path: after[path] - before[path])
    growth = max(after[path] / before[path] for path in before if path != most)
    start = {name: statistics.median(values) for name, values in starts.items()}
    drag = {name: statistics.median(values) for name, values in drags.items()}
    print(f"{'':34}{'baseline':>12}{'gallery':>12}")
    print(f"{'start to first HTTP 200, s':34}{start['bare']:12.2f}{start['gallery']:12.2f}   (n = {len(starts['bare'])})")
    print(f"{'slider to picture, ms':34}{drag['echo']:12.1f}{drag['gallery']:12.1f}   (n = {len(drags['echo'])})")
    print(f"{f'with {MORE} rooms more, s':34}{'':12}{start['grown']:12.2f}")
    for path, size in before.items():
        print(f"{f'page {path}, kB gzipped':34}{'':12}{size / 1000:12.1f}{after[path] / 1000:9.1f} with {MORE} rooms more")
    print(f"{'resident memory after start, MB':34}{'':12}{rest:12.0f}")
    if not quick:
        print(f"{'after every room was used, MB':34}{'':12}{used:12.0f}")
    return report([
        Bar("start, ratio to a bare page", start["gallery"] / start["bare"], 1.3),
        Bar("start, for a room more", 1000 * (start["grown"] - start["gallery"]) / MORE, 40, " ms"),
        Bar("largest page of a family", max(before.values()) / 1000, 45, " kB"),
        # the numbers of its parts have a digit more
        Bar("pages of the other families with rooms more, ratio", growth, 1.01),
        Bar("slider, ratio to an echo", drag["gallery"] / drag["echo"], 1.3),
        Bar("slider, median", drag["gallery"], 35, " ms"),
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
