"""The page as visitors see it: every room; and the verbs over HTTP.

Full-page screenshots go to the folder named by GALLERY_SCREENSHOTS, by default to pytest's own. Axe checks each look of a room.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import pytest
from browsing import (
    ACTIONS,
    NARROW,
    OPEN,
    PATIENCE,
    READY,
    ROOMS,
    SHOWN,
    TOLD,
    WIDE,
    accessible,
    act,
    changed,
    copy_link,
    enter_seed,
    example,
    main_picture,
    only_toast,
    photograph,
    press,
    rests,
    seed_field,
    show_tab,
    source,
    stop_when,
    width_of,
)
from conftest import ROOT
from playwright.sync_api import Locator, Page, expect

from benchmarks._page import way_to
from benchmarks.first_screen import at_rest
from demos import compare
from demos._kit.pictures import LARGE
from demos._kit.recipes import read_recipe
from gen_models import catalog, sets
from gen_models.sets.facades import LABELS as FACADE_LABELS

pytestmark = pytest.mark.browser


# ---- every room -------------------------------------------------------------------------------------------------------


def test_every_room_has_a_main_control_here():
    assert set(ACTIONS) | set(SHOWN) < set(ROOMS)


@pytest.mark.parametrize("size, dark", [(WIDE, False), (NARROW, True)])
@pytest.mark.parametrize("room", OPEN)
def test_a_room_opens_shows_a_picture_and_answers(visit, tmp_path, room, size, dark):
    """Each look is seen at both widths: the page is opened at one and then made as wide as the other.

    Axe looks at the first width, which is another one for each look: it takes longer than all else that is asked of a view.
    """
    page = visit(way_to(room), size, dark)
    expect(page.locator(".room-header:visible h2").first).to_contain_text(catalog.about(room)["title"])
    assert page.evaluate("document.body.classList.contains('dark')") is dark
    picture = main_picture(page, room)
    expect(picture).to_be_visible()
    assert width_of(picture) > 1
    scaling = "pixelated" if width_of(picture) < LARGE else "auto"
    assert picture.evaluate("image => getComputedStyle(image).imageRendering") == scaling
    screen = at_rest(page, room)
    assert screen.picture <= (300 if size == NARROW else 180), "the picture does not stand on the first screen"
    assert screen.button <= (844 if size == NARROW else 800), "the main button does not stand on the first screen"
    before = source(picture)
    act(page, room)
    changed(picture, before)
    expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)
    for width, height in (size, NARROW if size == WIDE else WIDE):
        page.set_viewport_size({"width": width, "height": height})
        expect(main_picture(page, room)).to_be_visible()
        photograph(page, tmp_path, f"{room}-{width}-{'dark' if dark else 'light'}")
        if width == size[0]:
            accessible(page)
        wide = page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]")
        assert max(wide) <= width, "the page scrolls sideways"
        assert page.locator(".masthead").bounding_box()["width"] > 0.85 * width, "the page leaves its width unused"
    assert page.locator(TOLD).count() == 0


@pytest.mark.parametrize("room, seed", [(room, (-5, 2**31)[place % 2]) for place, room in enumerate(OPEN)])
def test_every_tab_opens_and_a_seed_out_of_range_is_refused(visit, room, seed):
    page = visit(way_to(room))
    picture = main_picture(page, room)
    before = source(picture)
    enter_seed(page, seed)
    only_toast(page, "Seed must be a number from 0 to 2147483647.")
    assert source(picture) == before, "the result was lost"
    page.locator(".toast-close:visible, .refusal:visible").first.click()
    # a tab is first built when it is opened, and what cannot be built stops the page
    opened: list[str] = []
    while True:
        # the last first: the tabs within a tab are gone once another is open
        waiting = [name for name in page.locator(".views [role=tab]:visible").all_inner_texts() if name not in opened]
        if not waiting:
            break
        opened.append(waiting[-1])
        page.locator(".views [role=tab]:visible", has_text=re.compile(f"^{re.escape(opened[-1])}$")).first.click()
        expect(page.locator(".views [role=tabpanel]:visible").last).not_to_be_empty()
    assert len(opened) >= 3
    # they are written when they are opened
    for words, written in (("How it works", ".katex"), ("Measured", ".standing .row"), ("Every number", ".prose table")):
        page.get_by_role("button", name=re.compile(f"^{words}")).locator("visible=true").first.click()
        expect(page.locator(f"{written}:visible").first).to_be_visible()
    table = page.locator(".prose:visible", has=page.locator("table, .standing"))
    expect(table.filter(has_text=re.compile("Frechet|nats")).filter(has_not=page.locator(".term"))).to_have_count(0)
    assert page.locator(".term:visible").count() >= 3 and not page.locator(":is(a, button, code, pre, .katex) .term").count()
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    accessible(page)  # where formulas and tables scroll, and the last tab is open


def test_a_browser_that_keeps_what_was_copied_to_itself_is_told(visit):
    page = visit(way_to("cyclegan"))
    show_tab(page, "Upload")
    page.get_by_label("Paste from clipboard").locator("visible=true").first.click()
    only_toast(page, "The browser does not let this page read what you copied; upload the picture as a file.")


@pytest.mark.parametrize("query", ["?room=nobody", "?room=vae&state={", "?room=dcgan&state=" + "x" * 9000, "?state=7"], ids=len)
def test_a_damaged_link_still_opens_the_page(visit, query):
    page = visit(query)
    page.wait_for_timeout(300)
    assert page.locator(TOLD).count() <= 1


# ---- the home tab -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size, dark", [(WIDE, False), (NARROW, True)])
def test_the_home_tab_shows_a_picture_of_every_room(visit, tmp_path, size, dark):
    page = visit("", size, dark)
    cards = page.locator(".home .card:visible")
    expect(cards).to_have_count(len(OPEN))
    for place in range(len(OPEN)):
        cards.nth(place).scroll_into_view_if_needed()
        picture = cards.nth(place).locator("img")
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") > 100
    accessible(page)
    for width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        photograph(page, tmp_path, f"home-{width}-{'dark' if dark else 'light'}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_search_and_the_families_narrow_the_cards_down(visit):
    page = visit()
    shown, field = page.locator(".home .card:visible strong"), page.get_by_label("Search the rooms")
    field.fill("cyclegan 2017")
    expect(shown).to_have_text([re.compile("^CycleGAN")])
    for words, room in (("super resolution", "edsr"), ("upscale", "edsr"), ("face", "vae"), ("monet", "cyclegan")):
        field.fill(words)
        expect(page.locator(f".home .card[data-room={room}]")).to_be_visible()
        expect(page.locator(".home .card[data-room=gmm]")).to_be_hidden()
    field.fill("xyzzy")
    expect(shown).to_have_count(0)
    expect(page.get_by_text("No room matches all of these words.")).to_be_visible()
    field.fill("")
    page.locator(".home [data-filter=gans]").click()
    expect(shown).to_have_count(len([room for room in OPEN if catalog.names()[room] == "gans"]))


def test_cards_keys_and_the_way_back_lead_from_room_to_room(visit):
    page = visit()
    header = page.locator(".room-header:visible")
    page.locator(".home .card[data-room=dcgan]").click()
    expect(header).to_have_attribute("data-room", "dcgan")
    expect(page).to_have_url(re.compile(r"/gans\?room=dcgan$"))
    after = OPEN[OPEN.index("dcgan") + 1]
    for key, wanted in (("ArrowRight", after), ("ArrowLeft", "dcgan")):
        page.wait_for_function(READY)
        page.keyboard.press(key)
        expect(header).to_have_attribute("data-room", wanted)
    page.wait_for_function(READY)
    picture = main_picture(page, "dcgan")
    expect(picture).to_be_visible()
    before = source(picture)
    page.keyboard.press("r")
    changed(picture, before)
    seed = page.get_by_label("Seed", exact=True).locator("visible=true").first
    assert seed.input_value() != "0"
    seed.focus()
    page.keyboard.press("ArrowRight")  # within a field, keys are the field's
    page.wait_for_timeout(500)
    expect(header).to_have_attribute("data-room", "dcgan")
    for wanted in (after, "dcgan"):
        page.go_back()
        expect(header).to_have_attribute("data-room", wanted)
    page.go_back()
    expect(page.locator(".home:visible")).to_be_visible()
    visit.left()


def test_a_browser_that_refuses_to_fill_the_screen_leaves_the_page_as_it_is(visit):
    page = visit()
    page.evaluate("""() => {
      document.documentElement.requestFullscreen = () => { window.asked = true; return Promise.reject(new TypeError('no')); };
    }""")
    page.keyboard.press("f")
    page.wait_for_function("window.asked")


def test_space_stops_what_is_under_way(visit):
    page = visit(way_to("pixelcnn"))
    stop_when(page, "#pixelcnn-main[aria-busy=true] .written", "Writing", key=True)
    press(page, "Everything")  # which begins
    expect(page.get_by_text(re.compile(r"^Stopped after \d+ of \d+ pixels"))).to_be_visible()


def test_the_costs_on_this_machine_appear_on_the_cards(visit):
    page = visit()
    press(page, "What do they cost on this machine?")
    expect(page.get_by_text("Measured on this machine just now")).to_be_visible()
    costs = page.locator(".home .card .cost").all_inner_texts()
    assert len(costs) == len(OPEN) and all(re.match(r"[\d.]+ (ms|s) for ", cost) for cost in costs), costs


def test_a_code_to_scan_holds_the_room_as_it_is(visit):
    page = visit(way_to("vae"))
    press(page, "QR code")
    code = page.locator("dialog.qr")
    expect(code.locator("svg")).to_be_visible()
    expect(code).to_contain_text("only on this computer")
    code.click()
    expect(code).to_have_count(0)


def test_the_page_says_how_long_the_last_action_took(visit):
    page = visit(way_to("dcgan"))
    before = source(main_picture(page, "dcgan"))
    enter_seed(page, 3)
    changed(main_picture(page, "dcgan"), before)
    clock = page.locator("output.latency")
    expect(clock).to_have_text(re.compile(r"^\d[\d.]* m?s$"))


# ---- VAE --------------------------------------------------------------------------------------------------------------


def test_vae_a_slider_changes_the_picture_while_it_is_dragged(visit):
    page = visit(way_to("vae"))
    picture = main_picture(page, "vae")
    for value in (-2.5, 2.5):
        before = source(picture)
        page.locator("input[type=range]:visible").first.evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }", value
        )
        changed(picture, before)


def test_vae_looks_at_an_example_a_drawing_and_a_photo(visit, tmp_path):
    page = visit(way_to("vae"))
    show_tab(page, "Examples")
    picture = main_picture(page, "vae")
    before = source(picture)
    page.locator('button[aria-label="example 1"]:visible').click()
    table = page.locator("table.facts:visible")
    expect(table).to_contain_text("Evidence lower bound")
    assert re.search(r"Evidence lower bound\s+[-−]?[\d,]+\.\d nats", table.inner_text())
    before = changed(picture, before)
    told = table.inner_text()

    show_tab(page, "Draw")
    canvas = page.locator("canvas:visible").first
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    box = canvas.bounding_box()
    middle, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - 70
    page.mouse.move(middle, top)
    page.mouse.down()
    page.mouse.move(middle + 10, top + 60, steps=8)
    page.mouse.move(middle, top + 130, steps=8)
    page.mouse.up()
    page.wait_for_timeout(500)
    press(page, "Look at my drawing")
    expect(table).not_to_have_text(told, use_inner_text=True)
    seen = page.locator(".tile:visible", has_text="what it sees").locator("img")
    rebuilt = page.locator(".tile:visible", has_text="its reconstruction").locator("img")
    drawn = pixels(source(seen))
    assert drawn.max() > 150 and drawn.mean() < 128, "the stroke did not arrive"
    assert source(rebuilt) != source(seen)
    before = changed(picture, before)
    photograph(page, tmp_path, "vae-drawing")

    show_tab(page, "Upload")
    photo = tmp_path / "holiday.jpg"
    across = np.broadcast_to(np.linspace(0, 255, 640, dtype=np.uint8), (480, 640))
    PIL.Image.fromarray(np.stack([across, across // 2, 255 - across], axis=-1)).save(photo)
    page.locator(".image-container input[type=file]").last.set_input_files(photo)
    changed(picture, before)
    assert page.locator(TOLD).count() == 0


def pixels(address: str) -> np.ndarray:
    """A data URI's picture as grey values."""
    import base64

    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("L"))


def test_vae_refuses_a_text_file_with_one_sentence(visit, tmp_path):
    page = visit(way_to("vae"))
    show_tab(page, "Upload")
    (tmp_path / "list.png").write_text("milk, bread, a picture frame\n" * 30, encoding="utf-8")
    page.locator(".image-container input[type=file]").last.set_input_files(tmp_path / "list.png")
    only_toast(page, "This file is not a picture that can be read")


def test_vae_the_map_is_dragged(visit, tmp_path):
    page = visit(way_to("vae"))
    show_tab(page, "Map")
    press(page, "Draw the map")
    pad = page.locator(".pad:visible")
    expect(pad).to_be_visible()
    pad.scroll_into_view_if_needed()
    picture = main_picture(page, "vae")
    before = source(picture)
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    first = changed(picture, before)
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    changed(picture, first)
    page.mouse.up()
    assert page.locator(".pad i").evaluate("knob => parseFloat(knob.style.left)") == pytest.approx(80, abs=2)
    photograph(page, tmp_path, "vae-map")


def test_vae_keeps_two_pictures_and_walks(visit, tmp_path):
    page = visit(way_to("vae"))
    show_tab(page, "Walk from A to B")
    press(page, "Walk")
    only_toast(page, "Keep a picture as A and another as B first.")
    picture = main_picture(page, "vae")
    press(page, "Keep as A")
    expect(page.locator(".tile:visible", has_text=re.compile("^A$"))).to_be_visible()
    before = source(picture)
    enter_seed(page, 4242)
    changed(picture, before)
    press(page, "Keep as B")
    expect(page.locator(".tile:visible", has_text=re.compile("^B$"))).to_be_visible()
    press(page, "Walk")
    moving = page.locator('img[alt^="the walk from A to B"]:visible')
    expect(moving).to_be_visible()
    assert moves(source(moving))
    expect(page.locator('button[aria-label^="step"]:visible')).to_have_count(8)
    photograph(page, tmp_path, "vae-walk")


def moves(address: str) -> bool:
    """Whether a data URI holds an animation whose pictures differ."""
    import base64

    with PIL.Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
        count = getattr(image, "n_frames", 1)
        first = image.convert("RGB").tobytes()
        image.seek(count // 2)
        return count > 20 and image.convert("RGB").tobytes() != first


# ---- DCGAN ------------------------------------------------------------------------------------------------------------


def test_dcgan_picks_walks_adds_judges(visit, tmp_path):
    page = visit(way_to("dcgan"))
    tiles = {place: page.locator(f'button[aria-label="sample {place}"]:visible').first for place in (9, 12)}
    tiles[9].click()
    expect(page.locator(".tile:visible", has_text="A · 9")).to_be_visible()
    tiles[12].click()
    expect(page.locator(".tile:visible", has_text="B · 12")).to_be_visible()

    show_tab(page, "Walk from A to B")
    walk = page.locator(".tour:visible input").nth(1)
    expect(walk).not_to_be_checked()
    press(page, "Walk")
    expect(walk).to_be_checked()
    moving = page.locator('img[alt^="the walk from A to B"]:visible')
    expect(moving).to_be_visible()
    assert moves(source(moving))
    expect(page.locator('button[aria-label^="step"]:visible')).to_have_count(8)

    show_tab(page, "A − B + C")
    press(page, "Calculate")
    result = page.locator(".tile:visible", has_text="= A − B + C")
    expect(result).to_be_visible()
    photograph(page, tmp_path, "dcgan-arithmetic")

    show_tab(page, "The discriminator's eye")
    press(page, "Judge")
    scored = page.locator(".tabitem .tile:visible", has_text=re.compile(r"^[+-]\d+\.\d\d$"))
    expect(scored).to_have_count(24)
    scores = [float(text) for text in scored.all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    number = scored.first.get_attribute("data-index")
    scored.first.click()
    expect(page.locator(".tile:visible", has_text="what moves its score")).to_be_visible()
    expect(page.locator(".tile:visible", has_text=f"sample {number}")).to_be_visible()
    photograph(page, tmp_path, "dcgan-judge")

    assert not page.get_by_role("tab", name="Nearest training pictures").count(), "there is no data folder"
    slider = page.get_by_label("number input for Truncation").locator("visible=true")
    expect(slider).to_have_count(1)
    choose(page, "Faces")
    expect(slider).to_have_count(0)


def test_arrows_go_on_from_the_picture_that_is_picked(visit):
    page = visit(way_to("dcgan"))
    page.locator('button[aria-label="sample 9"]:visible').first.click()
    expect(page.locator(".tile:visible", has_text="A · 9")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tile:visible", has_text="B · 10")).to_be_visible()
    expect(page.locator(".room-header:visible")).to_have_attribute("data-room", "dcgan")
    page.locator(".room-header:visible h2").click()  # nothing is picked any more
    page.keyboard.press("ArrowRight")
    expect(page.locator(".room-header:visible")).to_have_attribute("data-room", OPEN[OPEN.index("dcgan") + 1])


# ---- PixelCNN ---------------------------------------------------------------------------------------------------------

needs_pixelcnn = pytest.mark.skipif(not catalog.trained("pixelcnn"), reason="no weights of PixelCNN are there")


def complete(page: Page) -> Locator:
    """Press the button and wait for the last pixel and the ranks; returns the tiles."""
    page.evaluate("document.querySelector('#pixelcnn-main').setAttribute('aria-busy', 'soon')")
    press(page, "Complete")
    return ended(page)


def ended(page: Page) -> Locator:
    expect(page.locator('#pixelcnn-main[aria-busy="false"]:visible .written')).to_be_visible()
    return page.locator(".written:visible .tile")


def on_board(page: Page, *places: tuple[float, float]) -> None:
    """A stroke on the board through places between (0, 0) and (1, 1)."""
    stroke(page, ".board canvas", *places)


def board_of(page: Page) -> np.ndarray:
    """The board's canvas, (28, 28, 2): grey and alpha, which is 0 where nothing is known."""
    values = page.locator(".board canvas:visible").evaluate(
        "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 28, 28).data)"
    )
    return np.array(values).reshape(28, 28, 4)[..., [0, 3]]


@needs_pixelcnn
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_pixelcnn_completes_a_drawing(visit, tmp_path, size):
    page = visit(way_to("pixelcnn"), size)
    press(page, "Clear")
    page.locator(".board canvas:visible").scroll_into_view_if_needed()
    on_board(page, (0.3, 0.25), (0.65, 0.25), (0.45, 0.6))
    assert board_of(page)[7, 9:18, 0].min() > 200
    press(page, "Unknown")
    on_board(page, (0.3, 0.8), (0.7, 0.8))
    drawn = board_of(page)
    assert 30 < (drawn[..., 1] == 0).sum() < 120
    press(page, "Lower half")
    assert (board_of(page)[..., 1] == 0).sum() == 392
    press(page, "Undo")
    assert np.array_equal(board_of(page), drawn)
    tiles = complete(page)
    expect(tiles).to_have_count(8)
    assert all(re.fullmatch(r"−\d+\.\d nats", text.strip()) for text in tiles.all_inner_texts())
    expect(page.locator(".note:visible")).to_contain_text("does not look ahead")
    shown = pixels(source(tiles.first.locator("img")))
    assert np.array_equal(shown[:20] > 127, drawn[:20, :, 0] > 127), "what was known has changed"
    photograph(page, tmp_path, f"pixelcnn-drawing-{size[0]}")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@needs_pixelcnn
def test_pixelcnn_stops_scrubs_and_completes_an_example(visit, tmp_path):
    page = visit(way_to("pixelcnn"))
    stop_when(page, "#pixelcnn-main[aria-busy=true] .written", "Writing")
    press(page, "Everything")  # which begins
    expect(page.locator(".note:visible")).to_contain_text(re.compile(r"Stopped after \d+ of 784 pixels"))
    tiles = ended(page)
    hidden = pixels_with_alpha(source(tiles.first.locator("img")))[..., 1] == 0
    assert 0 < hidden.sum() < 784
    assert page.locator("input[type=range]:visible").first.input_value() == str(784 - hidden.sum())
    photograph(page, tmp_path, "pixelcnn-stopped")
    press(page, "Lower half")
    expect(page.locator(".note:visible")).to_contain_text("Ranked")
    before = source(main_picture(page, "pixelcnn"))
    page.locator('button[aria-label="example 2"]:visible').click()
    changed(main_picture(page, "pixelcnn"), before)
    expect(page.locator(".note:visible")).to_contain_text("Ranked")
    tiles = ended(page)
    assert (pixels_with_alpha(source(tiles.first.locator("img")))[..., 1] == 255).all()
    last = source(tiles.first.locator("img"))
    page.locator("input[type=range]:visible").first.evaluate(
        "slider => { slider.value = 100; slider.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    back = pixels_with_alpha(changed(tiles.first.locator("img"), last))
    assert (back[..., 1] == 0).sum() == 292


def pixels_with_alpha(address: str) -> np.ndarray:
    """A data URI's picture as grey and alpha, (28, 28, 2)."""
    import base64

    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("LA"))


@needs_pixelcnn
def test_pixelcnn_shows_what_a_pixel_cost_and_sees(visit, tmp_path):
    page = visit(way_to("pixelcnn"))
    complete(page).last.click()
    heat = page.locator(".surprise:visible .map").last
    expect(heat).to_be_visible()
    heat.scroll_into_view_if_needed()
    where, bars = page.locator(".surprise .where:visible"), page.locator(".surprise .bars:visible .row")
    expect(bars).to_have_count(2)
    told = set()
    box = heat.bounding_box()
    for x, y in ((0.3, 0.5), (0.6, 0.4), (0.99, 0.99)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        expect(where).to_contain_text(f"Row {int(28 * y)}, column {int(28 * x)}:")
        shares = [float(text) for text in re.findall(r"([\d.e-]+) %", bars.all_inner_texts()[0] + bars.all_inner_texts()[1])]
        assert sum(shares) == pytest.approx(100, abs=1)
        told.add(tuple(shares))
    assert len(told) > 1
    heat.press("ArrowUp")
    expect(where).to_contain_text("Row 26, column 27:")
    photograph(page, tmp_path, "pixelcnn-surprise")

    show_tab(page, "What a pixel sees")
    maps = page.locator(".map:visible")
    expect(maps).to_have_count(2)
    before = source(maps.first.locator("img"))
    maps.first.click(position={"x": 200, "y": 150})
    changed(maps.first.locator("img"), before)
    expect(page.get_by_text(", 0 are in its blind spot")).to_be_visible()
    photograph(page, tmp_path, "pixelcnn-sees")

    show_tab(page, "Pictures of another kind")
    press(page, "Compare digits and clothes")
    expect(page.locator("svg.histograms:visible")).to_be_visible()
    expect(page.get_by_text("64 pictures of clothes")).to_be_visible()
    photograph(page, tmp_path, "pixelcnn-others")


@needs_pixelcnn
def test_pixelcnn_says_what_it_cannot_do(visit):
    page = visit(way_to("pixelcnn"))
    press(page, "Nothing")
    expect(page.locator(".note:visible")).to_contain_text("Nothing is marked as unknown")
    assert complete(page).count() == 1, "the board itself"
    expect(page.locator(".note:visible")).to_contain_text("Nothing is marked as unknown")
    press(page, "Everything")
    ended(page)
    press(page, "Measure the board")
    only_toast(page, "The first pixel of the board is unknown")


@needs_pixelcnn
@pytest.mark.parametrize("content, sentence", [("milk, bread", "This file is not a picture that can be read"), (None, "")])
def test_pixelcnn_takes_an_upload_or_refuses_it_with_one_sentence(visit, tmp_path, content, sentence):
    page = visit(way_to("pixelcnn"))
    page.get_by_role("button", name="Upload a picture").locator("visible=true").first.click()
    file = tmp_path / "given.png"
    if content is None:
        PIL.Image.linear_gradient("L").save(file)
    else:
        file.write_text(content, encoding="utf-8")
    shown = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 28, 28).data).join()"
    canvas = page.locator(".board canvas:visible")
    before = canvas.evaluate(shown)
    page.locator(".image-container input[type=file]").last.set_input_files(file)
    if sentence:
        only_toast(page, sentence)
        assert canvas.evaluate(shown) == before, "the board was lost"
    else:
        page.wait_for_function(f"([board, before]) => ({shown})(board) !== before", arg=[canvas.element_handle(), before])
        assert page.locator(TOLD).count() == 0


# ---- Pix2Pix ----------------------------------------------------------------------------------------------------------

needs_pix2pix = pytest.mark.skipif(not catalog.trained("pix2pix"), reason="no weights of Pix2Pix are there")


def painting(page: Page) -> np.ndarray:
    """What is on the painting board, (H, W, 3)."""
    values, width = page.locator(".board canvas:visible").evaluate(
        "canvas => [Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data), canvas.width]"
    )
    return np.array(values, np.uint8).reshape(-1, width, 4)[..., :3]


def drawn_on(page: Page) -> Locator:
    """The board, once its picture is there; scrolled into sight."""
    board = page.locator(".board canvas[data-mode]:visible")
    expect(board).to_be_visible()
    board.scroll_into_view_if_needed()
    return board


def colours_of(picture: np.ndarray) -> set[str]:
    return {bytes(colour.tolist()).hex() for colour in np.unique(picture.reshape(-1, 3), axis=0)}


@needs_pix2pix
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_pix2pix_paints_moves_undoes_and_shows_the_result(visit, tmp_path, size):
    page = visit(way_to("pix2pix"), size)
    labels = drawn_on(page).get_attribute("data-mode") == "labels"
    picture, start = main_picture(page, "pix2pix"), painting(page)
    made = source(picture)
    if labels:
        press(page, "balcony")
    stroke(page, ".board canvas", (0.2, 0.2), (0.5, 0.4))
    made = changed(picture, made)
    drawn = painting(page)
    side = len(drawn)
    touched = (drawn != start).any(axis=2)
    assert touched.any() and not touched[: int(0.15 * side)].any() and not touched[int(0.46 * side) :].any()
    if labels:
        place = slice(int(0.22 * side), int(0.38 * side)), slice(int(0.22 * side), int(0.48 * side))
        assert (drawn[place] == (0xC0, 0xFF, 0x3F)).all()
        stroke(page, ".board canvas", (0.3, 0.3), (0.5, 0.6))  # grasped, it moves
        made = changed(picture, made)
        moved = painting(page)
        assert (moved[int(0.52 * side) : int(0.68 * side), int(0.42 * side) : int(0.68 * side)] == (0xC0, 0xFF, 0x3F)).all()
        assert np.array_equal(moved[: int(0.45 * side)], start[: int(0.45 * side)]), "what lay beneath was lost"
        press(page, "Undo")
        made = changed(picture, made)
        assert np.array_equal(painting(page), drawn)
    press(page, "Undo")
    made = changed(picture, made)
    assert np.array_equal(painting(page), start)
    press(page, "Redo")
    changed(picture, made)
    assert np.array_equal(painting(page), drawn)
    if labels:
        assert len(colours_of(painting(page))) <= 12
    photograph(page, tmp_path, f"pix2pix-painted-{size[0]}")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    press(page, "Clear")
    expect(page.get_by_text("The board is empty: draw something, or take an example.")).to_be_visible()
    assert page.locator(TOLD).count() == 0
    press(page, "Save picture")
    only_toast(page, "The board is empty")


def stroke(page: Page, board: str, *places: tuple[float, float]) -> None:
    """A stroke of the pointer on a board through places between (0, 0) and (1, 1)."""
    box = page.locator(f"{board}:visible").bounding_box()
    for number, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=1 if number == 0 else 8)
        if number == 0:
            page.mouse.down()
    page.mouse.up()


@needs_pix2pix
def test_pix2pix_takes_examples_noise_and_looks_inside(visit, tmp_path):
    page = visit(way_to("pix2pix"))
    drawn_on(page)
    picture = main_picture(page, "pix2pix")
    made = source(picture)
    page.locator('button[aria-label="example 1"]:visible').click()
    made = changed(picture, made)
    press(page, "Judge the result")
    maps = page.locator(".judged:visible .map")
    expect(maps).to_have_count(2)  # the true photograph beside the result
    maps.first.scroll_into_view_if_needed()
    maps.last.hover(position={"x": 120, "y": 90})
    expect(page.locator(".where:visible")).to_contain_text(re.compile(r"This patch of the true photograph: \d+ % real"))
    photograph(page, tmp_path, "pix2pix-judged")
    page.get_by_label("On", exact=True).locator("visible=true").check()
    results = page.locator('button[aria-label^="result"]:visible')
    expect(results).to_have_count(6)
    made = changed(picture, made)
    results.nth(4).click()
    changed(picture, made)
    expect(results.nth(4)).to_contain_text("shown")
    show_tab(page, "What each level carries")
    press(page, "Take levels away")
    expect(page.locator('button[aria-label="with one level alone, level 3"]:visible')).to_be_visible()
    show_tab(page, "What the noise changes")
    press(page, "Compare eight results")
    expect(page.get_by_text("On average over all pixels")).to_be_visible()
    photograph(page, tmp_path, "pix2pix-noise")
    assert page.locator(TOLD).count() == 0


@needs_pix2pix
def test_pix2pix_reads_a_picture_from_outside(visit, tmp_path):
    page, labels, picture = upload(visit, tmp_path, PIL.Image.new("RGB", (600, 30), "white"))  # 20 to 1
    changed(main_picture(page, "pix2pix"), picture)
    if labels:
        expect(page.locator(".note:visible")).to_contain_text("of the pixels had colours outside the palette")
        assert colours_of(painting(page)) <= set(FACADE_LABELS.values())


@needs_pix2pix
def test_pix2pix_refuses_a_picture_of_one_pixel_with_one_sentence(visit, tmp_path):
    page, labels, _ = upload(visit, tmp_path, PIL.Image.new("RGB", (1, 1), "white"))
    only_toast(page, "This picture is of one colour only" if labels else "No lines were found")


def upload(visit, tmp_path: Path, image: PIL.Image.Image) -> tuple[Page, bool, str]:
    """A picture with a dark mark, if there is room for one, is uploaded: page, whether one draws labels, the result before."""
    page = visit(way_to("pix2pix"))
    labels = drawn_on(page).get_attribute("data-mode") == "labels"
    before = source(main_picture(page, "pix2pix"))
    page.get_by_role("button", name="Upload a picture").locator("visible=true").click()
    if image.width > 1:
        image.paste((120, 90, 40), (image.width // 6, image.height // 6, image.width // 2, image.height - 5))
    image.save(tmp_path / "plan.png")
    page.locator(".image-container input[type=file]").last.set_input_files(tmp_path / "plan.png")
    return page, labels, before


# ---- CycleGAN ---------------------------------------------------------------------------------------------------------

needs_cyclegan = pytest.mark.skipif(not catalog.trained("cyclegan"), reason="no weights of CycleGAN are there")


def translated(page: Page, before: str) -> str:
    """Wait until another picture is there as a whole; returns it."""
    picture = main_picture(page, "cyclegan")
    changed(picture, before)
    expect(page.locator(".compare:visible")).to_have_attribute("aria-busy", "false")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.compare img')].every(image => image.complete && image.naturalWidth)"
    )
    return source(picture)


@needs_cyclegan
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_cyclegan_translates_an_example_and_the_border_is_dragged(visit, tmp_path, size):
    page = visit(way_to("cyclegan"), size)
    made = source(main_picture(page, "cyclegan"))
    example(page, 2)
    made = translated(page, made)
    assert source(page.locator(".compare img.before:visible")) != made
    border, frame = page.locator(".compare b:visible"), page.locator(".compare .frame:visible")
    expect(border).to_have_attribute("aria-valuenow", "50")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"], steps=5)
    page.mouse.up()
    expect(border).to_have_attribute("aria-valuenow", "20")
    left = "image => getComputedStyle(image).clipPath"
    assert page.locator(".compare img.after:visible").evaluate(left) == "inset(0px 0px 0px 20%)"
    border.press("ArrowRight")
    expect(border).to_have_attribute("aria-valuenow", "22")
    page.locator("input[type=range]:visible").first.evaluate(
        "slider => { slider.value = 0.25; slider.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    expect(page.locator(".compare img.after:visible")).to_have_css("opacity", "0.25")
    before = source(page.locator(".compare img.before:visible"))
    page.locator(".chips:visible", has_text="Direction").locator("input:not(:checked)").check(force=True)
    translated(page, made)
    assert source(page.locator(".compare img.before:visible")) != before
    expect(border).to_have_attribute("aria-valuenow", "22")  # it stays
    photograph(page, tmp_path, f"cyclegan-border-{size[0]}")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator(TOLD).count() == 0


def hand_over(page: Page, file: Path) -> None:
    """Upload a picture."""
    if page.get_by_role("tab", name="Upload").locator("visible=true").count():
        show_tab(page, "Upload")
    page.locator(".image-container input[type=file]").last.set_input_files(file)


@needs_cyclegan
@pytest.mark.parametrize("shape, seen", [((600, 30), (512, 26)), ((1, 1), (2, 2))], ids=str)
def test_cyclegan_takes_a_picture_of_any_shape(visit, tmp_path, shape, seen):
    page = visit(way_to("cyclegan"))
    made = source(main_picture(page, "cyclegan"))
    gradient = PIL.Image.linear_gradient("L").resize(shape).convert("RGB")
    gradient.save(tmp_path / "given.png")
    hand_over(page, tmp_path / "given.png")
    translated(page, made)
    expect(page.locator(".note:visible").first).to_contain_text(f"{seen[0]} x {seen[1]} pixels")
    assert width_of(page.locator(".compare img.after:visible")) == seen[0]
    assert page.locator(TOLD).count() == 0


@needs_cyclegan
def test_cyclegan_refuses_what_is_no_picture_and_keeps_the_result(visit, tmp_path):
    page = visit(way_to("cyclegan"))
    made = source(main_picture(page, "cyclegan"))
    (tmp_path / "given.png").write_text("milk, bread", encoding="utf-8")
    hand_over(page, tmp_path / "given.png")
    only_toast(page, "This file is not a picture that can be read")
    assert source(main_picture(page, "cyclegan")) == made


@needs_cyclegan
def test_cyclegan_stops_a_large_picture(visit, tmp_path):
    page = visit(way_to("cyclegan"))
    page.get_by_role("button", name=re.compile("^More")).locator("visible=true").click()
    page.get_by_label("1024", exact=True).locator("visible=true").check(force=True)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    PIL.Image.fromarray(noise).resize((1024, 1024), PIL.Image.Resampling.BICUBIC).save(tmp_path / "large.png")
    stop_when(page, ".compare[aria-busy=true]", r"\d+ of \d+ passes")
    hand_over(page, tmp_path / "large.png")
    expect(page.locator(".note:visible").first).to_contain_text("Stopped")
    expect(page.locator(".compare:visible")).to_have_attribute("aria-busy", "false")
    rests(page, "cyclegan")
    expect(page.locator(".note:visible").first).to_contain_text("Stopped")  # else it went on to the end
    example(page, 1)
    expect(page.locator(".note:visible").first).to_have_text("256 x 256 pixels.")
    assert page.locator(TOLD).count() == 0


@needs_cyclegan
def test_cyclegan_goes_back_and_wipes_the_traces_out(visit, tmp_path):
    page = visit(way_to("cyclegan"))
    press(page, "Translate it back")
    shown = page.locator(".figures:visible figure")
    expect(shown).to_have_count(4)
    expect(shown.last).to_contain_text(re.compile(r"error of the way back: \d+\.\d grey levels"))
    clean = shown.last.inner_text()
    noise = page.get_by_label("Noise before the way back").locator("visible=true").first
    noise.fill("16")
    noise.blur()
    expect(shown.nth(1)).to_contain_text("with noise of 16 grey levels")
    assert shown.last.inner_text() != clean
    photograph(page, tmp_path, "cyclegan-back")
    show_tab(page, "Hidden traces")
    press(page, "Wipe the traces out")
    expect(page.get_by_text("Noise that changes the translation by").locator("visible=true")).to_be_visible()
    assert page.locator(".traces:visible circle").count() == 14
    photograph(page, tmp_path, "cyclegan-traces")
    show_tab(page, "Strength inside the network")
    press(page, "Blend inside")
    expect(page.locator(".figures:visible figure")).to_have_count(6)
    photograph(page, tmp_path, "cyclegan-blocks")


# ---- mixtures ---------------------------------------------------------------------------------------------------------

needs_gmm = pytest.mark.skipif(not catalog.trained("gmm"), reason="no weights of the Gaussian mixture are there")
needs_vi_gmm = pytest.mark.skipif(not catalog.trained("vi_gmm"), reason="no weights of the variational mixture are there")
needs_bayes = pytest.mark.skipif(not catalog.trained("bayes_classifier"), reason="no weights of the Bayes classifier are there")
needs_autoencoder = pytest.mark.skipif(not catalog.trained("autoencoder"), reason="no weights of the autoencoder are there")


def points_on(page: Page) -> Locator:
    return page.locator("svg.points:visible circle")


@needs_gmm
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_gmm_runs_scrubs_and_takes_clicks(visit, tmp_path, size):
    page = visit(way_to("gmm"), size)
    board = page.locator("svg.points:visible")
    expect(points_on(page)).to_have_count(270)
    press(page, "Run EM")
    expect(page.locator(".note:visible", has_text="Converged after")).to_be_visible()
    curve = page.locator("svg.curve:visible polyline")
    places = [float(pair.split(",")[1]) for pair in curve.get_attribute("points").split()]
    assert len(places) > 3 and places == sorted(places, reverse=True), "the bound fell"
    photograph(page, tmp_path, f"gmm-run-{size[0]}")
    page.get_by_text("Your own", exact=True).locator("visible=true").click()
    expect(points_on(page)).to_have_count(0)
    press(page, "Run EM")
    only_toast(page, "4 components need at least 4 points; there are none.")
    page.locator(".toast-close:visible, .refusal:visible").first.click()  # on a phone it lies over the board
    expect(page.locator(TOLD)).to_have_count(0)
    board.evaluate("board => board.scrollIntoView({block: 'center'})")  # on a phone the buttons lie over the page's lower edge
    for x, y in ((0.2, 0.2), (0.7, 0.3), (0.4, 0.8), (0.8, 0.8), (0.5, 0.5)):
        before = points_on(page).count()
        box = board.bounding_box()
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        expect(points_on(page)).to_have_count(before + 1)
        expect(page.locator(f'svg.points[data-count="{before + 1}"]:visible')).to_be_visible()
    press(page, "One step")
    expect(page.locator(".note:visible", has_text="Iteration 1 of").or_(page.get_by_text("Converged after 1 iter"))).to_be_visible()
    expect(page.locator("svg.points:visible g.cluster")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@needs_gmm
def test_gmm_takes_quick_clicks_on_a_slow_line(visit):
    page = visit(way_to("gmm"))
    page.get_by_text("Your own", exact=True).locator("visible=true").click()
    board = page.locator("svg.points:visible")
    expect(board).to_have_attribute("data-count", "0")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    line.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 500, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    for place in range(1, 8):
        page.mouse.click(box["x"] + 0.12 * place * box["width"], box["y"] + 0.5 * box["height"])
    expect(board).to_have_attribute("data-count", "7")
    page.wait_for_timeout(1200)
    expect(board).to_have_attribute("data-count", "7")


@needs_gmm
def test_gmm_stops_and_refuses_pasted_nonsense(visit):
    page = visit(way_to("gmm"))
    page.get_by_text("Rings", exact=True).locator("visible=true").click()  # on which EM is long on its way
    expect(points_on(page)).to_have_count(300)
    stop_when(page, ".note", r"Iteration [1-9]\d* of")
    press(page, "Run EM")
    expect(page.locator(".note:visible", has_text="Stopped: what had not been reached")).to_be_visible()
    assert int(page.get_by_label("number input for Iteration").locator("visible=true").input_value()) > 0
    page.wait_for_timeout(500)
    stopped = page.locator("svg.points:visible").inner_html()
    page.wait_for_timeout(700)
    assert page.locator("svg.points:visible").inner_html() == stopped
    press(page, "Run EM")  # and it can go on
    expect(page.locator(".note:visible", has_text="Converged after")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Paste points")).locator("visible=true").click()
    field = page.get_by_label("Two numbers to a line").locator("visible=true")
    many = "0.5 0.5\n" * 10_000
    for text, told in (("", "There are no points"), ("nan 0.5", "Line 1 holds a coordinate"), (many, "these are 10,000")):
        # in one go: ten thousand lines take a browser minutes to type
        field.evaluate("(field, text) => { field.value = text; field.dispatchEvent(new Event('input', {bubbles: true})); }", text)
        press(page, "Use these points")
        only_toast(page, told)
        expect(points_on(page)).to_have_count(300)
    field.fill("0.5 0.5")
    press(page, "Use these points")
    expect(points_on(page)).to_have_count(1)


@needs_gmm
def test_gmm_shows_nothing_of_a_run_that_a_change_ended(visit):
    """Whatever the board depends on is changed while EM runs: once the new board is there, no frame of the old one comes back."""
    page = visit(way_to("gmm"))
    slider = page.get_by_label("range slider for Components").locator("visible=true")
    clusters = 4
    for place, (points, count) in enumerate([("Rings", 300), ("Moons", 240), ("Blobs", 270), ("Spiral", 320), ("Moons", 240)]):
        for change in ("points", "components"):
            press(page, "Run EM")
            page.wait_for_timeout(150 * (place + 1))
            if change == "points":
                page.get_by_text(points, exact=True).locator("visible=true").click()
            else:
                clusters = (3, 5, 4, 6, 7)[place]
                slider.evaluate("(s, to) => { s.value = to; s.dispatchEvent(new Event('input', {bubbles: true})); }", clusters)
            new = f"""() => document.querySelector('#gmm-main svg.points').dataset.count == {count}
              && document.querySelectorAll('#gmm-main g.cluster').length == {clusters}
              && !document.querySelector('#gmm-main svg.curve')"""
            page.wait_for_function(new)
            stale = page.evaluate(f"""async () => {{
              let stale = 0;
              for (const end = performance.now() + 700; performance.now() < end; await new Promise(requestAnimationFrame))
                stale += !({new})();
              return stale;
            }}""")
            assert stale == 0, f"{stale} frames of the old run after a change of {change}"
            expect(page.get_by_label("number input for Iteration").locator("visible=true")).to_have_value("0")
    expect(page.locator("svg.points:visible g.cluster")).to_have_count(clusters)
    expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)


@needs_gmm
def test_gmm_opens_a_cluster_and_looks_at_a_picture(visit, tmp_path):
    page = visit(way_to("gmm"))
    show_tab(page, "The clusters")
    page.locator('button[aria-label="cluster 3"]:visible').click()
    expect(page.get_by_text("Cluster 3,")).to_be_visible()
    photograph(page, tmp_path, "gmm-clusters")
    show_tab(page, "Your picture")
    page.locator('button[aria-label="example 2"]:visible').click()
    expect(page.locator("table.facts:visible")).to_contain_text("Density under one Gaussian")
    photograph(page, tmp_path, "gmm-picture")


@needs_vi_gmm
def test_vi_gmm_lets_components_fade(visit, tmp_path):
    page = visit(way_to("vi_gmm"))
    bars = page.locator(".bars[data-used]:visible")
    expect(bars).to_have_attribute("data-used", "10")
    press(page, "Run")
    expect(page.locator(".note:visible", has_text=re.compile("Converged after|the last one here"))).to_be_visible()
    assert int(bars.get_attribute("data-used")) < 10
    photograph(page, tmp_path, "vi_gmm-run")
    page.locator("input[type=range]:visible").nth(1).evaluate(
        "slider => { slider.value = 3; slider.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    expect(bars).to_have_attribute("data-used", "10")
    assert page.locator(TOLD).count() == 0


@needs_bayes
def test_bayes_classifier_bends_and_classifies(visit, tmp_path):
    page = visit(way_to("bayes_classifier"))
    picture = main_picture(page, "bayes_classifier")
    before = source(picture)
    page.locator("input[type=range]:visible").first.evaluate(
        "slider => { slider.value = 2.5; slider.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    changed(picture, before)
    expect(page.locator(".bars:visible .row").first).to_be_visible()
    press(page, "Sample")
    expect(page.locator('button[aria-label="given the class 15"]:visible')).to_be_visible()
    show_tab(page, "Your picture")
    page.locator('button[aria-label="example 1"]:visible').click()
    expect(page.get_by_text("Bayes' rule says")).to_be_visible()
    photograph(page, tmp_path, "bayes-picture")
    show_tab(page, "The classes")
    page.locator('button[aria-label="class 2"]:visible').click()
    expect(page.get_by_text("its first directions")).to_be_visible()
    photograph(page, tmp_path, "bayes-classes")
    assert page.locator(TOLD).count() == 0


@needs_autoencoder
def test_autoencoder_shows_its_holes_beside_the_vae(visit, tmp_path):
    page = visit(way_to("autoencoder"))
    press(page, "Draw both maps")
    maps = page.locator(".planes .map:visible")
    expect(maps).to_have_count(2)
    expect(page.get_by_text(re.compile("On the autoencoder's map \\d+ % of the points are holes"))).to_be_visible()
    maps.first.click(position={"x": 40, "y": 60})
    expect(page.locator('button[aria-label="place 1"]:visible')).to_be_visible()
    photograph(page, tmp_path, "autoencoder-maps")
    show_tab(page, "Walk")
    expect(page.locator('button[aria-label="VAE, step 7"]:visible')).to_be_visible()
    photograph(page, tmp_path, "autoencoder-walk")
    assert page.locator(TOLD).count() == 0


# ---- EDSR and SRGAN ---------------------------------------------------------------------------------------------------

needs_edsr = pytest.mark.skipif(not catalog.trained("edsr"), reason="no weights of EDSR are there")


def choose(page: Page, label: str) -> None:
    page.get_by_label(label, exact=True).locator("visible=true").first.check(force=True)


def restored_picture(page: Page, act: Callable[[], None]) -> str:
    """Do something that begins a picture, and wait until it is there as a whole; returns it."""
    page.evaluate("[...document.querySelectorAll('.note')].find((note) => note.offsetParent).dataset.old = ''")
    act()
    expect(page.locator(".note:not([data-old]):visible").first).to_contain_text("became")
    expect(page.locator(".compare:visible")).to_have_attribute("aria-busy", "false")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.compare img')].every(image => image.complete && image.naturalWidth)"
    )
    return source(main_picture(page, "edsr"))


@needs_edsr
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_edsr_finds_a_face_compares_and_zooms(visit, tmp_path, size):
    page = visit(way_to("edsr"), size)
    warning = page.get_by_text("A face made sharper is invented, not recovered.").locator("visible=true")
    slider = page.get_by_label(re.compile("Faces: true")).locator("visible=true").first
    expect(warning).to_have_count(1)
    restored_picture(page, lambda: example(page, 3))
    expect(warning).to_have_count(0)
    expect(slider).to_be_disabled()
    made = restored_picture(page, lambda: example(page, 1))
    expect(warning).to_have_count(1)
    expect(slider).to_be_enabled()
    expect(page.locator(".found:visible i")).to_have_count(1)
    expect(page.locator(".compare output:visible")).not_to_have_text("1×")  # it is near the face
    page.locator(".compare [data-do=fit]:visible").click()
    expect(page.locator(".compare img.after:visible")).to_have_css("transform", "matrix(1, 0, 0, 1, 0, 0)")
    expect(page.get_by_text("The true picture is unknown here.")).to_be_visible()
    faces = page.get_by_role("checkbox", name=re.compile(r"1: \d\d px")).locator("visible=true").first
    expect(faces).to_be_checked()
    other = restored_picture(page, lambda: page.locator(".found:visible i").click())
    assert other != made
    expect(faces).not_to_be_checked()
    expect(page.locator(".found:visible i.left")).to_have_count(1)
    expect(page.locator(".compare output:visible")).to_have_text("1×")  # the same picture stays where a visitor moved it
    restored_picture(page, lambda: faces.check())
    restored_picture(page, lambda: choose(page, "Shrink and compare"))
    page.wait_for_function("""() => {  // first the panes come, then a row of numbers for each
      const shown = (what) => [...document.querySelectorAll(what)].filter(found => found.offsetParent).length;
      return shown('.scores tr') && shown('.scores tr') === shown('.panes figure');
    }""")
    views = page.locator(".panes:visible .view")
    views.first.scroll_into_view_if_needed()
    where = "image => getComputedStyle(image).transform"
    page.locator(".panes:visible [data-do=fit]").click()
    assert set(views.locator("img").evaluate_all(f"images => images.map({where})")) == {"matrix(1, 0, 0, 1, 0, 0)"}
    for _ in range(3):
        page.locator(".panes:visible [data-do=in]").click()
    near = views.locator("img").evaluate_all(f"images => images.map({where})")
    assert len(set(near)) == 1 and near[0].startswith("matrix(3.375")
    covers = """image => { const [a, b] = [image, image.parentElement].map(each => each.getBoundingClientRect());
      return a.left <= b.left + 1 && a.top <= b.top + 1 && a.right >= b.right - 1 && a.bottom >= b.bottom - 1; }"""
    assert all(views.locator("img").evaluate_all(f"images => images.map({covers})")), "a pane shows what is beside the picture"
    box = views.first.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"], steps=4)
    page.mouse.up()
    moved = views.locator("img").evaluate_all(f"images => images.map({where})")
    assert len(set(moved)) == 1 and moved != near
    assert views.nth(1).locator("img").evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    photograph(page, tmp_path, f"edsr-compared-{size[0]}")
    show_tab(page, "What was added")
    expect(page.get_by_role("img", name="what was added")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator(TOLD).count() == 0


@needs_edsr
@pytest.mark.parametrize("shape, became", [((300, 15), (1200, 60)), ((1, 1), (8, 8))], ids=str)
def test_edsr_takes_a_picture_of_any_shape(visit, tmp_path, shape, became):
    page = visit(way_to("edsr"))
    PIL.Image.linear_gradient("L").resize(shape).save(tmp_path / "given.png")
    restored_picture(page, lambda: hand_over(page, tmp_path / "given.png"))
    note = page.locator(".note:visible").first
    expect(note).to_contain_text(f"became {became[0]} x {became[1]}. No face was found")
    assert width_of(main_picture(page, "edsr")) == became[0]
    assert page.locator(TOLD).count() == 0


@needs_edsr
def test_edsr_refuses_what_is_no_picture_and_keeps_the_result(visit, tmp_path):
    page = visit(way_to("edsr"))
    made = source(main_picture(page, "edsr"))
    (tmp_path / "given.png").write_text("milk, bread", encoding="utf-8")
    hand_over(page, tmp_path / "given.png")
    only_toast(page, "This file is not a picture that can be read")
    assert source(main_picture(page, "edsr")) == made
    (tmp_path / "large.png").write_bytes(bytes(25_100_000))
    hand_over(page, tmp_path / "large.png")
    only_toast(page, "large.png has 25.1 MB; the gallery takes files of up to 25 MB.")
    assert source(main_picture(page, "edsr")) == made


@needs_edsr
def test_edsr_stops_a_large_picture_and_begins_another(visit, tmp_path):
    page = visit(way_to("edsr"))
    page.get_by_role("button", name=re.compile("^More")).locator("visible=true").click()
    restored_picture(page, lambda: choose(page, "Self-ensemble"))  # else Stop would be for this one
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    PIL.Image.fromarray(noise).resize((512, 512), PIL.Image.Resampling.BICUBIC).save(tmp_path / "large.png")
    stop_when(page, ".compare[aria-busy=true]", r"\d+ of \d+ passes")
    hand_over(page, tmp_path / "large.png")
    note = page.locator(".note:visible").first
    expect(note).to_contain_text("Stopped")
    rests(page, "edsr")
    expect(note).to_contain_text("Stopped")  # else it went on to the end
    restored_picture(page, lambda: page.get_by_label("Self-ensemble").locator("visible=true").first.uncheck())
    restored_picture(page, lambda: example(page, 2))
    expect(note).to_contain_text("No face was found")
    assert page.locator(TOLD).count() == 0


# ---- DDPM -------------------------------------------------------------------------------------------------------------

needs_ddpm = pytest.mark.skipif(not catalog.trained("ddpm"), reason="no weights of DDPM are there")


def denoised(page: Page) -> str:
    """Wait until no noise is left; returns the first picture."""
    expect(page.locator("#ddpm-main:visible")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".note:visible").first).to_contain_text("through the network")
    return source(main_picture(page, "ddpm"))


def painted(canvas: Locator, before: str) -> str:
    """Wait until the board shows something else than ``before``, of which a part is known; returns it."""
    pixels = "[...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    for _ in range(10 * PATIENCE):
        colours = canvas.evaluate(f"canvas => {pixels}.join()")
        if colours != before and set(colours.split(",")[3::4]) == {"0", "255"}:
            return colours
        canvas.page.wait_for_timeout(100)
    raise AssertionError("the board stayed as it was")


def slide(page: Page, label: str, value: float) -> None:
    """Drag a slider and let it go."""
    slider = page.locator(f'input[type=range][aria-label*="{label}"]:visible').first
    slider.evaluate(
        """(slider, value) => {
          slider.value = value;
          slider.dispatchEvent(new Event('input', {bubbles: true}));
          slider.dispatchEvent(new Event('pointerup', {bubbles: true}));
        }""",
        value,
    )


@needs_ddpm
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_ddpm_takes_the_noise_off_and_goes_back_through_the_steps(visit, tmp_path, size):
    page = visit(way_to("ddpm"), size)
    before = source(main_picture(page, "ddpm"))
    press(page, "Sample")
    changed(main_picture(page, "ddpm"), before)
    made = denoised(page)
    noisy = page.locator('button[aria-label="noisy picture 0"] img:visible')
    assert source(noisy) == made, "in the end there is no noise left"
    slide(page, "Back to any step", 10)
    changed(noisy, made)
    assert source(main_picture(page, "ddpm")) != source(noisy)
    photograph(page, tmp_path, f"ddpm-step10-{size[0]}")
    slide(page, "Back to any step", 50)
    expect(noisy).to_have_attribute("src", made)
    page.locator('button[aria-label="picture 2"]:visible').click()
    expect(page.locator(".strips:visible img")).to_have_count(20)
    photograph(page, tmp_path, f"ddpm-strip-{size[0]}")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator(TOLD).count() == 0


@needs_ddpm
def test_ddpm_stops_and_begins_again(visit):
    page = visit(way_to("ddpm"))
    stop_when(page, "#ddpm-main[aria-busy=true] .denoising", "Removing the noise")
    slide(page, "Steps", 200)  # which begins
    expect(page.locator(".note:visible").first).to_contain_text(re.compile(r"Stopped after \d+ of 200 steps"))
    seen = rests(page, "ddpm")
    expect(page.locator(".note:visible").first).to_contain_text("Stopped after")  # else it went on to the end
    slide(page, "Steps", 10)
    press(page, "Sample")
    changed(main_picture(page, "ddpm"), seen)
    denoised(page)
    assert page.locator(TOLD).count() == 0


@needs_ddpm
def test_stop_ends_what_has_not_begun_and_nothing_is_lost(visit):
    """Pressed before the work has begun, or before its first frame."""
    page = visit(way_to("ddpm"))
    for pause in (0, 3, 10, 30, 60, 100):
        page.evaluate(
            """async (pause) => {
              const shown = [...document.querySelectorAll('button')].filter((found) => found.offsetParent);
              const button = (name) => shown.find((found) => found.innerText === name);
              button('New seed').click();
              await new Promise((done) => setTimeout(done, pause));
              button('Stop').click();
            }""",
            pause,
        )
        rests(page, "ddpm")
        expect(page.locator("#ddpm-main:visible")).to_have_attribute("aria-busy", "false")
        expect(page.locator(".note:visible", has_text="through the network")).to_have_count(0)  # else it went on to the end
    press(page, "New seed")
    denoised(page)
    assert page.locator(TOLD).count() == 0


@needs_ddpm
def test_ddpm_fills_in_what_is_wiped_out_and_redraws(visit, tmp_path):
    page = visit(way_to("ddpm"))
    before = source(main_picture(page, "ddpm"))
    slide(page, "Steps", 20)
    changed(main_picture(page, "ddpm"), before)
    denoised(page)  # else it might begin with what is chosen next
    page.get_by_label("Fill in", exact=True).locator("visible=true").check(force=True)
    canvas = page.locator(".board canvas:visible")
    expect(canvas).to_be_visible()
    before = painted(canvas, "")  # an example, half of it unknown
    example(page, 1)
    before = painted(canvas, before)  # else it would come over the stroke
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.1 * box["height"], steps=4)
    page.mouse.up()
    painted(canvas, before)
    side = canvas.evaluate("canvas => canvas.width")
    drawn = canvas.evaluate("canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)")
    board = np.array(drawn, np.uint8).reshape(side, side, 4)
    before = source(main_picture(page, "ddpm"))
    press(page, "Sample")
    changed(main_picture(page, "ddpm"), before)
    made = pixels(denoised(page))
    known = board[..., 3] > 0
    assert 0.4 < known.mean() < 0.6 and board[round(0.1 * side), side // 2, 0] > 200
    assert np.abs(made.reshape(side, side, -1)[..., 0][known].astype(int) - board[..., 0][known]).max() <= 1
    expect(page.get_by_role("button", name="Unknown", exact=True).locator("visible=true")).to_have_count(1)
    photograph(page, tmp_path, "ddpm-fill")
    page.get_by_label("Redraw", exact=True).locator("visible=true").check(force=True)
    under = page.locator("img.picture:visible")
    expect(under).to_be_visible()
    expect(page.get_by_role("button", name="Unknown", exact=True).locator("visible=true")).to_have_count(0)
    expect(page.get_by_role("button", name="Lower half", exact=True).locator("visible=true")).to_have_count(0)
    before, shown = source(under), source(main_picture(page, "ddpm"))
    slide(page, "Noise", 0.2)
    changed(under, before)
    changed(main_picture(page, "ddpm"), shown)
    expect(page.locator(".note:visible").first).to_contain_text("the noise of 20 %")
    show_tab(page, "Every noise level")
    press(page, "Redraw it from every noise level")
    expect(page.locator('#ddpm-every-noise-level[aria-busy="false"]:visible .strips img')).to_have_count(16)
    photograph(page, tmp_path, "ddpm-redraw")
    assert page.locator(TOLD).all_inner_texts() == []


@needs_ddpm
@pytest.mark.parametrize(
    "content, sentence", [(b"milk, bread", "not a picture that can be read"), (None, "The picture is empty")], ids=["text", "empty"]
)
def test_ddpm_refuses_an_upload_in_one_sentence_and_keeps_the_result(visit, tmp_path, content, sentence):
    page = visit(way_to("ddpm"))
    page.get_by_label("Redraw", exact=True).locator("visible=true").check(force=True)
    page.get_by_role("button", name="Upload a picture").locator("visible=true").click()
    made = denoised(page)
    if content is None:
        PIL.Image.new("RGB", (1, 1), "white").save(tmp_path / "given.png")
    else:
        (tmp_path / "given.png").write_bytes(content)
    hand_over(page, tmp_path / "given.png")
    only_toast(page, sentence)
    assert source(main_picture(page, "ddpm")) == made


# ---- GAN --------------------------------------------------------------------------------------------------------------

needs_gan = pytest.mark.skipif(not catalog.trained("gan"), reason="no weights of the GAN are there")
STEPS = re.compile(r"Step ([\d,]+)")


def steps_taken(page: Page) -> int:
    """What the line under the board says."""
    found = STEPS.search(page.locator(".note:visible").first.inner_text())
    return int(found[1].replace(",", "")) if found else 0


def trains(page: Page, beyond: int = 0) -> int:
    """Wait until a training in the page has taken more steps than so many; returns how many."""
    for _ in range(10 * PATIENCE):
        if steps_taken(page) > beyond:
            return steps_taken(page)
        page.wait_for_timeout(100)
    raise AssertionError("the training does not go on")


def stops(page: Page) -> int:
    """Press Stop and wait until the page shows how far the training came; returns it."""
    press(page, "Stop")
    expect(page.locator("#gan-main")).to_have_attribute("aria-busy", "false")
    expect(page.locator(".note:visible").first).to_contain_text("Stopped. Step")
    return steps_taken(page)


@needs_gan
@pytest.mark.parametrize("size, dark", [(NARROW, False), (WIDE, True)], ids=["narrow", "dark"])
def test_gan_trains_stops_and_goes_on(visit, tmp_path, size, dark):
    page = visit(way_to("gan"), size, dark)
    press(page, "Start")
    trains(page, 300)
    expect(page.locator("#gan-main")).to_have_attribute("aria-busy", "true")
    press(page, "Make it collapse")
    expect(page.get_by_label("number input for Generator steps").locator("visible=true")).to_have_value("3")
    expect(page.get_by_role("radio", name="None")).to_be_checked()
    press(page, "Cure it")
    expect(page.get_by_role("radio", name="Minibatch")).to_be_checked()
    taken = stops(page)
    photograph(page, tmp_path, f"gan-trained-{size[0]}-{'dark' if dark else 'light'}")
    page.wait_for_timeout(1500)
    assert steps_taken(page) == taken, "it went on"
    assert page.locator("svg.losses:visible polyline").count() == 2
    for layer, shown in (("Pull", "pull"), ("Grid", "grid"), ("Nothing", None)):
        choose(page, layer)
        for one in ("pull", "grid"):
            expect(page.locator(f".learning .{one}").first).to_be_visible(visible=one == shown)
    press(page, "Step the generator")
    assert trains(page, taken) == taken + 1
    press(page, "Start")
    trains(page, taken + 1)
    stops(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator(TOLD).count() == 0


@needs_gan
def test_gan_a_link_trains_the_same_run_again(visit):
    page = visit(way_to("gan"))
    press(page, "Start")
    trains(page, 100)
    taken, made = stops(page), page.locator("path.made:visible").get_attribute("d")
    other = visit("?" + copy_link(page).partition("?")[2])
    expect(other.locator("path.made:visible")).to_have_attribute("d", made)
    assert steps_taken(other) == taken
    assert other.locator(TOLD).count() == 0


@needs_gan
def test_gan_other_data_or_another_model_end_the_run_and_nothing_of_it_comes_later(visit):
    page = visit(way_to("gan"))
    for count, choice in ((240, "Moons"), (300, "Rings"), (320, "Spiral"), (270, "Blobs")):
        press(page, "Start")
        trains(page)
        page.get_by_text(choice, exact=True).locator("visible=true").click()
        expect(page.locator(f'svg.learning[data-count="{count}"][data-generated="0"]:visible')).to_be_visible()
        late = page.evaluate("""async (count) => {
            const late = [], until = performance.now() + 1200;
            while (performance.now() < until) {  // each time that the page is painted
                await new Promise(requestAnimationFrame);
                const {count: points, generated} = document.querySelector('#gan-main svg.learning').dataset;
                if (points !== String(count) || generated !== '0') late.push([points, generated]);
            }
            return late;
        }""", count)
        assert late == []
        assert page.locator(".note:visible").first.inner_text() == f"{count} points. Press Start."
    press(page, "Start")
    trains(page)
    choose(page, "VAE")
    expect(page.locator(".legend:visible", has_text="by the VAE")).to_be_visible()
    expect(page.get_by_role("button", name="Step the generator")).to_have_count(0)
    press(page, "Start")
    trains(page, 20)
    expect(page.locator("svg.losses:visible text").first).to_have_text(re.compile(r"^Loss: −?[\d.]+$"))
    stops(page)
    assert page.locator(TOLD).count() == 0


@needs_gan
def test_gan_refuses_too_few_points_nonsense_and_absurd_rates(visit):
    page = visit(way_to("gan"))
    page.get_by_text("Your own", exact=True).locator("visible=true").click()
    expect(page.locator('svg.points[data-count="0"]:visible')).to_be_visible()
    press(page, "Start")
    only_toast(page, "Training needs at least 2 points; there are none.")
    page.locator("svg.points:visible").click(position={"x": 60, "y": 60})
    expect(page.locator('svg.points[data-count="1"]:visible')).to_be_visible()
    page.get_by_text("Moons", exact=True).locator("visible=true").click()
    expect(page.locator('svg.points[data-count="240"]:visible')).to_be_visible()
    page.get_by_role("button", name=re.compile("^More")).locator("visible=true").first.click()
    rate = page.get_by_label("Learning rate").locator("visible=true")
    rate.fill("10")
    press(page, "Start")
    expect(page.locator(TOLD, has_text="lower the learning rate")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Paste points")).locator("visible=true").first.click()
    field = page.get_by_label("Two numbers to a line").locator("visible=true")
    for text, told in (("nan 0.5", "Line 1 holds a coordinate"), ("0.5 0.5\n" * 10_000, "these are 10,000")):
        field.evaluate("(field, text) => { field.value = text; field.dispatchEvent(new Event('input', {bubbles: true})); }", text)
        press(page, "Use these points")
        expect(page.locator(TOLD, has_text=told)).to_be_visible()
    rate.fill("0.001")
    press(page, "Start")  # the page works as before
    trains(page)
    press(page, "Stop")


@needs_gan
def test_gan_a_closed_page_ends_its_training_and_leaves_nothing(visit, server):
    page, other = visit(way_to("gan")), visit(way_to("gan"))
    for one in (page, other):
        press(one, "Start")
    both = trains(page, 50), trains(other, 50)
    assert trains(page, both[0]) and trains(other, both[1]), "two at once both go on"
    assert httpx.get(f"{server}/health", timeout=PATIENCE).json()["training"] == 2
    page.close()
    other.close()
    for _ in range(10 * PATIENCE):
        left = httpx.get(f"{server}/health", timeout=PATIENCE).json()
        if left["training"] == 0:
            break
        time.sleep(0.1)
    assert left["training"] == 0
    visit.left()


# ---- saving, links ----------------------------------------------------------------------------------------------------


def save(page: Page, room: str, target: Path) -> dict:
    """Save the room's picture through its button; returns the recipe."""
    with page.expect_download() as waiting:
        press(page, {"dcgan": "Save the grid", "gan": "Save the training"}.get(room, "Save picture"))
    assert waiting.value.suggested_filename == f"{catalog_choice(room)}.png"
    waiting.value.save_as(target)
    return read_recipe(target)


def catalog_choice(room: str) -> str:
    """The weights that a room starts with."""
    firsts = {"dcgan": "fashion", "pix2pix": "facades", "cyclegan": "monet2photo", "edsr": "photos"}
    names, first = catalog.trained(room), firsts.get(room, "mnist")
    return next((name for name in names if name.endswith(f"-{first}")), names[0])


def at_seed(page: Page, room: str, seed: int) -> str:
    """Take the room to a seed; returns its picture."""
    picture = main_picture(page, room)
    before = source(picture)
    if room == "cyclegan":  # its seed is that of the noise before the way back
        example(page, 1)
    if room == "edsr":  # its seed is that of the noise in a picture that is shrunk
        restored_picture(page, lambda: example(page, 1))
        restored_picture(page, lambda: choose(page, "Shrink and compare"))
        show_tab(page, "How it is shrunk")
        before = restored_picture(page, lambda: choose(page, "Realistic"))
    enter_seed(page, seed)
    changed(picture, before)
    expect(page.locator("[aria-busy=true]:visible")).to_have_count(0)  # what grows is waited for
    return source(picture)


@pytest.mark.parametrize("room", OPEN)
def test_a_saved_picture_and_a_link_restore_the_room(visit, tmp_path, room):
    page = visit(way_to(room))
    made = at_seed(page, room, 31)
    recipe = save(page, room, tmp_path / "saved.png")
    assert (recipe["room"], recipe["controls"]["seed"], recipe["controls"]["weights"]) == (room, 31, catalog_choice(room))
    assert catalog.config_of(catalog_choice(room))["sha256"].startswith(recipe["sha256"]) and recipe["sha256"]

    link = copy_link(page)
    assert json.loads(httpx.URL(link).params["state"])["seed"] == 31

    other = visit()
    with other.expect_navigation(url=re.compile("state=")):
        other.locator('input[type=file][accept*="png"]').first.set_input_files(tmp_path / "saved.png")
    restored(other, room, made)
    visit.left()
    fresh = visit("?" + link.partition("?")[2])
    restored(fresh, room, made)


def restored(page: Page, room: str, made: str) -> None:
    expect(page.locator(".room-header:visible h2").first).to_contain_text(catalog.about(room)["title"])
    expect(main_picture(page, room)).to_have_attribute("src", made)
    expect(seed_field(page)).to_have_value("31")
    assert page.locator(TOLD).count() == 0


def test_a_picture_without_a_recipe_is_told_once(visit, tmp_path):
    page = visit()
    PIL.Image.new("RGB", (20, 20), "red").save(tmp_path / "plain.png")
    page.locator('input[type=file][accept*="png"]').first.set_input_files(tmp_path / "plain.png")
    only_toast(page, "This picture carries no recipe")


# ---- Compare ----------------------------------------------------------------------------------------------------------


LINED_UP_JS = """() => {
  const lineup = [...document.querySelectorAll('.lineup[aria-busy=false]')].find(shown => shown.offsetParent);
  const rows = [...lineup?.querySelectorAll('.entry[data-weights]') ?? []];
  return rows.length && rows.every(row => row.dataset.state === 'done') && rows.map(row => row.querySelector('img').src);
}"""


def lined_up(page: Page) -> list[str]:
    """Wait until all models are done; the first picture of each row, of one moment, as the next comparison may begin at any."""
    sources = page.wait_for_function(LINED_UP_JS).json_value()
    expect(page.get_by_text("The times are for")).to_be_visible()
    return sources


def task(page: Page, name: str) -> list[str]:
    """Choose a task and wait until it is done."""
    page.get_by_role("radio", name=name, exact=True).locator("visible=true").first.click()
    expect(page.locator(f".lineup[data-task='{name}']:visible")).to_have_count(1)
    return lined_up(page)


@pytest.mark.parametrize("size, dark", [(WIDE, False), (NARROW, True)])
def test_compare_shows_all_models_and_runs_them(visit, tmp_path, size, dark):
    page = visit(way_to("compare"), size, dark)
    expect(page.locator(".room-header:visible h2")).to_have_text("Compare")
    data = next(iter(compare.data_sets()))
    rows = page.locator(".entry[data-weights]:visible")
    names = [row.get_attribute("data-weights") for row in rows.all()]
    assert names == compare.entrants(data, "Sample") and len(names) > 5
    assert page.locator('.entry[data-state="published"]:visible').count() == len(names)
    assert not re.search(r"\d ms", page.locator(".lineup:visible").inner_text()), "nothing was measured yet"
    photograph(page, tmp_path, f"compare-first-{size[0]}-{'dark' if dark else 'light'}")
    press(page, "Compare")
    before = lined_up(page)
    assert len(before) == len(names)
    assert len(re.findall(r"\d m?s\b", page.locator(".lineup:visible").inner_text())) == len(names)
    press(page, "New seed")
    changed(rows.first.locator("img").first, before[0])
    assert not set(lined_up(page)) & set(before)
    accessible(page)
    for width, height in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        photograph(page, tmp_path, f"compare-{width}-{'dark' if dark else 'light'}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    assert page.locator(TOLD).count() == 0


def test_compare_does_every_task(visit, tmp_path):
    page = visit(way_to("compare"))
    data = next(iter(compare.data_sets()))
    for name in ("Reconstruct", "Complete", "Fill in"):
        assert len(task(page, name)) == len(compare.entrants(data, name))
        photograph(page, tmp_path, f"compare-{name}")
    given, made = page.locator(".spot img:visible"), page.locator(".entry[data-weights]:visible img")
    for change in (
        lambda: given.click(position={"x": 20, "y": 20}), lambda: example(page, 3), lambda: slide(page, "Unknown part", 0.3)
    ):  # fmt: skip
        looked, before = source(given), source(made.first)
        change()
        changed(given, looked)
        changed(made.first, before)
        lined_up(page)
    looked = source(given)
    (tmp_path / "list.png").write_text("milk, bread", encoding="utf-8")
    hand_over(page, tmp_path / "list.png")
    only_toast(page, "This file is not a picture that can be read")
    assert source(given) == looked


def test_compare_takes_a_photograph(visit, tmp_path):
    page = visit(way_to("compare"))
    data = next(data for data, tasks in compare.compared().items() if "Reconstruct" in tasks and not sets.record(data).finder)
    page.get_by_role("radio", name=sets.record(data).title, exact=True).locator("visible=true").click()
    expect(page.locator(f".entry[data-weights='{compare.entrants(data, 'Sample')[0]}']:visible")).to_have_count(1)
    task(page, "Reconstruct")
    given, made = page.locator(".spot img:visible"), page.locator(".entry[data-weights]:visible img").first
    looked, before = source(given), source(made)
    PIL.Image.linear_gradient("L").convert("RGB").save(tmp_path / "photo.jpg")
    hand_over(page, tmp_path / "photo.jpg")
    changed(given, looked)
    changed(made, before)
    lined_up(page)


def test_compare_stops_and_begins_again(visit):
    page = visit(way_to("compare"))
    stop_when(page, ".lineup[aria-busy=true]")
    page.get_by_role("radio", name="Complete", exact=True).locator("visible=true").first.click()  # which takes PixelCNN a while
    expect(page.get_by_text(re.compile(r"^Stopped; \d+ of \d+ models were done"))).to_be_visible()
    expect(page.locator('.entry[data-state="stopped"]:visible').first).to_be_visible()
    press(page, "Compare")
    lined_up(page)


def test_compare_is_saved_and_restored(visit, tmp_path):
    page = visit(way_to("compare"))
    task(page, "Fill in")
    before = source(page.locator(".entry[data-weights]:visible img").first)
    enter_seed(page, 31)
    changed(page.locator(".entry[data-weights]:visible img").first, before)
    made = lined_up(page)
    with page.expect_download() as waiting:
        press(page, "Save picture")
    waiting.value.save_as(tmp_path / "saved.png")
    recipe = read_recipe(tmp_path / "saved.png")
    assert recipe["room"] == "compare" and recipe["sha256"]
    assert (recipe["controls"]["seed"], recipe["controls"]["what"]) == (31, "Fill in")
    with PIL.Image.open(tmp_path / "saved.png") as sheet:
        assert sheet.width == 1280
    link = copy_link(page)
    other = visit()
    with other.expect_navigation(url=re.compile("state=")):
        other.locator('input[type=file][accept*="png"]').first.set_input_files(tmp_path / "saved.png")
    assert lined_up(other) == made
    visit.left()
    fresh = visit("?" + link.partition("?")[2])
    assert lined_up(fresh) == made
    expect(seed_field(fresh)).to_have_value("31")


def test_compare_leads_to_the_rooms_and_home_leads_to_it(visit):
    page = visit()
    page.locator(".home a[data-room=compare]").click()
    header = page.locator(".room-header:visible")
    expect(header).to_have_attribute("data-room", "compare")
    row = page.locator(".entry[data-weights^=gated_pixelcnn]:visible")
    name = row.get_attribute("data-weights")
    row.locator("a").click()
    expect(header).to_have_attribute("data-room", "pixelcnn")
    expect(page.locator(f'input[type=radio][value="{name}"]:visible')).to_be_checked()
    visit.left()


# ---- the verbs over HTTP ----------------------------------------------------------------------------------------------


def call(server: str, verb: str, *values) -> tuple[str, object]:
    """A queued verb over plain HTTP: how it ended, and what it said."""
    posted = httpx.post(f"{server}/gradio_api/call/{verb}", json={"data": values}, timeout=PATIENCE)
    assert posted.status_code == 200, posted.text
    events = httpx.get(f"{server}/gradio_api/call/{verb}/{posted.json()['event_id']}", timeout=PATIENCE).text
    kind, data = re.findall(r"event: (\w+)\ndata: (.*)", events)[-1]
    return kind, json.loads(data)


@pytest.mark.parametrize("room", ["dcgan", "vae"])
def test_a_seed_decides_the_answer_over_http(server, room):
    name = catalog.trained(room)[0]
    rest = [1.0] if room == "dcgan" else []
    kind, first = call(server, f"{room}_sample", name, 7, 3, *rest)
    assert kind == "complete" and len(first[0]) == 3 and len(set(first[0])) == 3
    assert all(pixels(picture).size >= 28 * 28 for picture in first[0])
    assert call(server, f"{room}_sample", name, 7, 3, *rest) == (kind, first)
    assert call(server, f"{room}_sample", name, 8, 3, *rest)[1] != first


def test_decoding_over_http(server):
    name = catalog.trained("vae")[0]
    kind, middle = call(server, "vae_decode", name, "")
    assert kind == "complete" and pixels(middle[0]).shape[0] >= 28
    assert call(server, "vae_decode", name, "") == (kind, middle)


@pytest.mark.parametrize(
    "verb, values, sentence",
    [
        ("dcgan_sample", ("nobody", 7, 3, 1.0), "Trained on must be one of"),
        ("dcgan_sample", (None, "seven", 3, 1.0), "Seed must be a number"),
        ("vae_sample", (None, 7, 10**6), "Pictures must be a number"),
        ("vae_decode", (None, "a,b"), "The latents must be numbers"),
    ],
)
def test_a_bad_value_over_http_is_told(server, verb, values, sentence):
    values = [catalog.trained(verb.partition("_")[0])[0] if value is None else value for value in values]
    kind, told = call(server, verb, *values)
    assert kind == "error" and sentence in json.dumps(told)


def test_all_models_answer_over_http(server):
    data = next(iter(compare.data_sets()))
    kind, told = call(server, "compare_sample", data, 7, 2)
    assert kind == "complete" and [answer["weights"] for answer in told[0]] == compare.entrants(data, "Sample")
    assert all(len(answer["pictures"]) == 2 and answer["milliseconds"] > 0 for answer in told[0])
    kind, told = call(server, "compare_reconstruct", data, "nonsense")
    assert kind == "error" and "picture" in json.dumps(told)


@pytest.mark.parametrize("name", ["/etc/passwd", "app.py", "../app.py", "weights/vae-mnist/config.json"])
def test_no_file_of_the_server_is_given_away(server, name):
    address = f"{server}/gradio_api/file={name if name.startswith('/') else ROOT / name}"
    assert httpx.get(address, timeout=PATIENCE).status_code in (403, 404)
