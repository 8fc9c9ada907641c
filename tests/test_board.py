"""The drawing board on a bare page: a picture with a mask is drawn on, undone and sent as the text that it came as."""

from __future__ import annotations

import base64
from dataclasses import asdict

import numpy as np
import pytest
from playwright.sync_api import Page

from demos._kit.boards import MASKED
from demos._widgets import script, text_of

pytestmark = pytest.mark.browser
SIDE = 28
MASKS = {"lower half": ("Lower half", 1 / 2, 0, 1, 1), "nothing": ("Nothing", 0, 0, 0, 0)}
STYLE = "<style>canvas { display: block; width: 280px; touch-action: none } [hidden] { display: none !important }</style>"


def text_for(pixels: np.ndarray, unknown: np.ndarray | None, example: str = "") -> str:
    """(S, S, C) uint8 and (S, S) bool as the board takes them."""
    bits = b"" if unknown is None else np.packbits(unknown).tobytes()
    parts = [str(pixels.shape[2]), str(SIDE), *(base64.b64encode(part).decode() for part in (pixels.tobytes(), bits))]
    return ".".join([*parts, *([example] if example else [])])


def read(text: str) -> tuple[np.ndarray, np.ndarray, str]:
    """The pixels, the mask and the number of the example in a board's text."""
    channels, side, pixels, bits, *example = text.split(".")
    found = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(int(side), int(side), int(channels))
    marks = np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8)).astype(bool)
    return found, marks.reshape(SIDE, SIDE) if bits else marks, "".join(example)


def opened(chromium, value: str) -> Page:
    """A page with the board and nothing else."""
    page = chromium.new_page()
    page.set_content(STYLE + text_of("board.html"))
    board = script("board", MODES={"mask": asdict(MASKED)}, MASKS=MASKS)
    page.evaluate(
        f"""value => {{
          const element = document.body, props = window.props = {{value}};
          const trigger = () => {{ window.drawn = (window.drawn ?? 0) + 1; }};
          const watch = (_, then) => {{ window.arrived = then; }};
          {board}
        }}""", value,
    )  # fmt: skip
    return page


def stroke(page: Page, *places: tuple[float, float]) -> str:
    """A stroke through places between (0, 0) and (1, 1); what the board sends then."""
    box = page.locator("canvas").bounding_box()
    for number, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4 if number else 1)
        page.mouse.down() if number == 0 else None
    page.mouse.up()
    return page.evaluate("props.value")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_stroke_makes_known_and_keeps_all_else(chromium, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, channels), np.uint8)
    unknown = np.zeros((SIDE, SIDE), bool)
    unknown[14:] = True
    page = opened(chromium, text_for(pixels, unknown, "3"))
    found, marks, example = read(stroke(page, (0.2, 0.75), (0.8, 0.75)))
    assert (found[20:22, 8:20] == 255).all() and not marks[20:22, 8:20].any() and example == ""
    assert np.array_equal(found[:14], pixels[:14]) and marks[14:18].all() and marks[25:].all() and not marks[:14].any()
    page.get_by_role("button", name="Undo").click()
    assert page.evaluate("props.value") == text_for(pixels, unknown, "3"), "what lies under the unknown is kept"
    page.get_by_role("button", name="Unknown").click()
    found, marks, example = read(stroke(page, (0.2, 0.25), (0.8, 0.25)))
    assert marks[6:8, 8:20].all() and example == "3" and np.array_equal(found, pixels)
    page.get_by_role("button", name="Lower half").click()
    assert np.array_equal(read(page.evaluate("props.value"))[1], unknown)
    page.get_by_role("button", name="Clear").click()
    found, marks, _ = read(page.evaluate("props.value"))
    assert not found.any() and not marks.any()
    assert page.evaluate("drawn") == 5
    assert page.locator("[type=color]").is_visible() is (channels == 3)


def test_without_a_mask_nothing_can_be_made_unknown(chromium):
    page = opened(chromium, text_for(np.zeros((SIDE, SIDE, 1), np.uint8), None))
    assert not page.get_by_role("button", name="Unknown").is_visible() and not page.get_by_text("Take away").is_visible()
    found, marks, _ = read(stroke(page, (0.5, 0.5), (0.6, 0.5)))
    assert found.max() == 255 and not marks.size
