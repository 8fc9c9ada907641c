"""What stands where when a room opens, at three sizes: ``python -m benchmarks.first_screen [--quick] [ROOM ...]``.

The picture is the first one of the room's main view, or of the board that one draws on if that stands higher; the button is the
main one, or where nothing has to be begun the first beside it. ``--quick`` looks at one room of each family.

Needs Chromium.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from playwright.sync_api import Page

import app
from benchmarks._page import GALLERY, chromium, served, way_to
from benchmarks._report import Bar, report

SIZES = (1280, 800), (1920, 1080), (390, 844)
PLACES = """room => {
  const shown = query => [...document.querySelectorAll(query)].find(one => one.offsetParent || one.ownerSVGElement);
  const view = document.getElementById(room + '-main'), row = '.keep.main ';
  const box = one => { const {top, bottom, width} = one.getBoundingClientRect(); return {top, bottom, width}; };
  const drawn = view.querySelector('.side-by-side, .tiles, .frame, img, svg, canvas') ?? view, board = shown('.board canvas');
  const button = shown(row + 'button.go') ?? shown(row + 'button');
  const found = {picture: box(drawn), button: box(button), page: document.documentElement.scrollHeight};
  return board ? {...found, picture: [box(drawn), box(board)].sort((one, other) => one.top - other.top)[0]} : found;
}"""


@dataclass(frozen=True)
class Screen:
    """Where things stand when a room has opened, in pixels from the top."""

    picture: float
    """Top of the picture."""
    end: float
    """Its bottom."""
    width: float
    """Of the picture."""
    button: float
    """Bottom of the main button."""
    page: float
    """Height of the page."""


def first_screen(page: Page, room: str) -> Screen:
    """The first screen of a room that is open in the page."""
    found = page.evaluate(PLACES, room)
    picture = found["picture"]
    return Screen(picture["top"], picture["bottom"], picture["width"], found["button"]["bottom"], found["page"])


def at_rest(page: Page, room: str) -> Screen:
    """The same once nothing moves any more."""
    before, now = None, first_screen(page, room)
    while now != before:
        page.wait_for_timeout(300)
        before, now = now, first_screen(page, room)
    return now


def main() -> int:
    """Print the table and whether each bar holds."""
    parser = argparse.ArgumentParser("python -m benchmarks.first_screen", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one room of each family")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help="default: all")
    given = parser.parse_args()
    rooms = given.rooms or [name for members in app.rooms().values() for name in (members[:1] if given.quick else members)]
    found: dict[tuple[int, str], Screen] = {}
    with served(GALLERY) as (address, _, _), chromium() as browser:
        for width, height in SIZES:
            print(f"\n{width} x {height:<20} picture top  bottom  width   button bottom   page")
            for room in rooms:
                page = browser.new_page(viewport={"width": width, "height": height})
                page.goto(f"{address}/{way_to(room)}")
                page.locator(f"#{room}-main:visible").locator("img, svg, canvas").first.wait_for()
                one = found[width, room] = at_rest(page, room)
                print(f"{room:<27} {one.picture:11.0f} {one.end:7.0f} {one.width:6.0f} {one.button:15.0f} {one.page:6.0f}")
                page.close()

    def worst(width: int, what: str) -> float:
        return max(getattr(found[width, room], what) for room in rooms)

    growth = min(found[1920, room].width / found[1280, room].width for room in rooms)
    return report([
        Bar("top of the picture at 1280 x 800", worst(1280, "picture"), 180, " px"),
        Bar("bottom of the picture at 1280 x 800", worst(1280, "end"), 800, " px"),
        Bar("bottom of the main button at 1280 x 800", worst(1280, "button"), 800, " px"),
        Bar("picture at 1920 x 1080 against 1280 x 800", growth, 1.2, " times", at_least=True),
        Bar("top of the picture at 390 x 844", worst(390, "picture"), 300, " px"),
        Bar("bottom of the main button at 390 x 844", worst(390, "button"), 844, " px"),
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
