"""Whether a frame of an older run is ever shown: ``python -m benchmarks.race [--quick]``.

In two rooms a run is begun on one set of points, and the set is changed while it goes on, again and again. After each change every
frame that the browser paints in the next second is looked at: it must show the points that are chosen, and of a GAN that has not
begun no generated one.

Needs Chromium.
"""

from __future__ import annotations

import argparse
import itertools

from playwright.sync_api import Page

from benchmarks._page import GALLERY, chromium, served, way_to
from benchmarks._report import Bar, report
from demos._families.planes import PRESETS

ROOMS = {"gan": "Start", "gmm": "Run EM"}
"""Room -> the button that begins a run."""
PAINTED = """async ([board, count]) => {
  const svg = () => document.querySelector(`#${board} svg.points`)?.dataset ?? {};
  const right = () => svg().count === count && (svg().generated ?? '0') === '0';
  const due = performance.now() + 20000;
  while (!right() && performance.now() < due) await new Promise(requestAnimationFrame);
  const until = performance.now() + 1000;
  let frames = 0, stale = 0;
  while (performance.now() < until) {
    await new Promise(requestAnimationFrame);
    frames += 1;
    stale += !right();
  }
  return [frames, stale];
}"""
MOVED = """([board, before]) => {
  const svg = document.querySelector(`#${board} svg.points`);
  return svg && svg.outerHTML !== before;
}"""


def changes(page: Page, room: str, begin: str, count: int) -> tuple[int, int]:
    """Frames that were looked at after so many changes of data during a run, and how many of them were of an older run."""
    board, seen = f"{room}-main", [0, 0]
    first = page.locator(f"#{board} svg.points").get_attribute("data-count")
    order = sorted(PRESETS, key=lambda name: str(len(PRESETS[name]())) == first)  # the one that is shown comes last
    for number, name in enumerate(itertools.islice(itertools.cycle(order), count)):
        before = page.locator(f"#{board} svg.points").evaluate("svg => svg.outerHTML")
        page.get_by_role("button", name=begin, exact=True).locator("visible=true").first.click()
        page.wait_for_function(MOVED, arg=[board, before])
        page.wait_for_timeout(37 * number % 600)  # at another moment of the run each time
        page.get_by_text(name, exact=True).locator("visible=true").first.click()
        found = page.evaluate(PAINTED, [board, str(len(PRESETS[name]()))])
        seen = [so_far + more for so_far, more in zip(seen, found, strict=True)]
    return seen[0], seen[1]


def main() -> int:
    """Change, look, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.race", description=__doc__)
    options.add_argument("--quick", action="store_true", help="ten changes instead of a hundred; under a minute")
    count = 5 if options.parse_args().quick else 50
    bars = []
    with served(GALLERY) as (address, _, _), chromium() as browser:
        for room, begin in ROOMS.items():
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{address}/{way_to(room)}")
            page.locator(f"#{room}-main svg.points").wait_for()
            page.wait_for_timeout(1000)  # until its buttons answer
            frames, stale = changes(page, room, begin, count)
            page.close()
            print(f"{room}: {count} changes during a run, {frames} frames painted after them, {stale} of an older run", flush=True)
            bars += [
                Bar(f"{room}: frames of an older run", stale, 0),
                Bar(f"{room}: frames looked at", frames, 10 * count, at_least=True),
            ]
    return report(bars)


if __name__ == "__main__":
    raise SystemExit(main())
