"""Talk mode: the path, warm models, what is shown where a result is late, and the page on a stage."""

from __future__ import annotations

import io
import sys

import httpx
import PIL.Image
import pytest
from browsing import PATIENCE, READY, serving

import app
from demos._server import talk
from gen_models import catalog

ROOMS = {"autoencoders": ["autoencoder", "vae"], "gans": ["dcgan"]}


def test_without_a_path_it_leads_through_all_rooms():
    assert talk.path_of(None, ROOMS) == ["autoencoder", "vae", "dcgan"]
    assert talk.path_of(" dcgan, vae ,", ROOMS) == ["dcgan", "vae"]


@pytest.mark.parametrize("text, words", [
    ("dcgan,vea", "there is no room 'vea' (did you mean vae?); there are autoencoder, vae, dcgan"),
    ("", "names no room"), (" , ", "names no room"), ("vae,dcgan,vae", "twice"),
])  # fmt: skip
def test_a_path_that_cannot_be_walked_is_refused(text, words):
    with pytest.raises(talk.PathError) as told:
        talk.path_of(text, ROOMS)
    assert words in str(told.value)


@pytest.mark.parametrize("arguments, words", [
    (["--path", "vae"], "add --talk"), (["--talk", "--path", "nowhere"], "there is no room 'nowhere'"),
])  # fmt: skip
def test_the_command_line_says_what_is_wrong(monkeypatch, capsys, arguments, words):
    monkeypatch.setattr(sys, "argv", ["app.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2 and words in capsys.readouterr().err


@pytest.mark.skipif(not catalog.trained("vae"), reason="no weights")
def test_the_models_of_the_path_have_worked_before_the_page_is_there():
    catalog._loaded.clear()
    words = list(talk.warmed(["vae"]))
    assert [line.partition(":")[0] for line in words] == catalog.trained("vae")
    assert all(line.endswith(" ms") for line in words)
    assert set(catalog.trained("vae")) <= set(catalog.loaded())


@pytest.mark.parametrize("room", [room for members in app.rooms().values() for room in members])
def test_each_room_has_a_prepared_result_of_its_own_model(room):
    with PIL.Image.open(io.BytesIO(talk.prepared(room))) as picture:
        assert picture.format == "WEBP" and 200 <= max(picture.size) <= talk.WIDTH


def test_a_room_without_weights_has_none(monkeypatch, tmp_path):
    talk.prepared.cache_clear()
    monkeypatch.setattr(catalog, "WEIGHTS", tmp_path)
    assert talk.prepared("vae") == b""
    talk.prepared.cache_clear()


# ---- in the browser ---------------------------------------------------------------------------------------------------

PATH = "vae,dcgan,pixelcnn"
"""Rooms of the test's talk, not in the order of the page."""
AT = "room => [...document.querySelectorAll('.room-header')].some(header => header.offsetParent && header.dataset.room === room)"
OTHER = "before => [...document.querySelectorAll('img.picture')].some(image => image.offsetParent && image.src !== before)"


@pytest.fixture
def page_at(chromium):
    """Open an address in a page of its own, closed in the end."""
    pages = []

    def go(address: str, query: str):
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        pages.append(page)
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(f"{address}/{query}")
        page.wait_for_selector("img.picture", state="visible")
        page.wait_for_selector("html.talk")
        page.wait_for_function(READY)
        return page

    yield go
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    with serving(folder, sys.executable, "app.py", "--talk", "--path", PATH) as address:
        log = (folder / "log.txt").read_text(encoding="utf-8")
        for room in PATH.split(","):
            assert all(f"{name}: " in log for name in catalog.trained(room)), "ready, but not warm"
        assert log.index("vae-") < log.index("dcgan-") < log.index("Running on")
        yield address


@pytest.mark.browser
@pytest.mark.skipif(not all(map(catalog.trained, PATH.split(","))), reason="no weights")
def test_a_clicker_leads_along_the_path_and_darkens_the_screen(stage, page_at):
    page = page_at(stage, "?room=vae")
    seen = page.locator(".room-header:visible")
    assert page.evaluate("document.documentElement.className").split().count("talk") == 1
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") > 16
    picture, controls = page.locator("img.picture:visible").first, page.locator(".dice:visible").first
    assert picture.bounding_box()["x"] < controls.bounding_box()["x"], "the picture comes first"
    for key, room in zip("NNNPP", ("dcgan", "pixelcnn", "pixelcnn", "dcgan", "vae"), strict=True):
        page.keyboard.press({"N": "PageDown", "P": "PageUp"}[key])
        page.wait_for_function(AT, arg=room)
        assert seen.get_attribute("data-room") == room
    page.keyboard.press("b")
    assert page.locator(".dark-screen").count() == 1
    page.keyboard.press(".")
    assert page.locator(".dark-screen").count() == 0


SHOWN = """() => {
  const column = [...document.querySelectorAll('.room > :last-child')].find(found => found.offsetParent);
  const seen = selector => [...column.querySelectorAll(selector)].filter(found => found.getClientRects().length)
    .map(found => found.getBoundingClientRect());
  return [Math.max(...seen('img, svg.points').map(box => box.bottom)), Math.min(...seen('.keep.main').map(box => box.top)),
          Math.max(...seen('.keep.main, .note, .block').map(box => box.bottom)),
          column.parentElement.firstElementChild.getBoundingClientRect().bottom, innerHeight];
}"""
"""Where the pictures end, the buttons begin, what a room shows beside its controls ends, and these; the height of the screen."""


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_a_room_is_one_screen_and_nothing_is_cut(stage, size, page_at):
    page = page_at(stage, "?room=vae")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    tabs = page.get_by_role("tab").evaluate_all("tabs => tabs.map(tab => tab.innerText)")
    titles = ["Home", *(catalog.about(room)["title"] for room in PATH.split(","))]
    assert set(titles) <= set(tabs) and "Pix2Pix" not in tabs
    for room in PATH.split(","):
        page.wait_for_function(AT, arg=room)
        page.wait_for_function(f"({SHOWN})()[0] > 0")
        pictures, buttons, end, controls, height = page.evaluate(SHOWN)
        assert pictures <= buttons and max(end, controls) <= height, room
        page.keyboard.press("PageDown")


@pytest.mark.browser
@pytest.mark.skipif(not catalog.trained("vae"), reason="no weights")
def test_a_late_result_is_stood_in_for_until_it_comes(stage, page_at):
    assert httpx.get(f"{stage}/prepared/vae.webp").headers["content-type"] == "image/webp"
    assert httpx.get(f"{stage}/prepared/nothing.webp").status_code == 404
    page = page_at(stage, "?room=vae")
    before = page.locator("img.picture:visible").first.get_attribute("src")
    held = []
    page.route("**/gradio_api/run/**", lambda route: held.append(route))
    page.locator(".dice:visible").first.click()
    stand_in = page.locator(".prepared")
    stand_in.wait_for()
    assert talk.MARK in stand_in.inner_text()
    page.wait_for_function("document.querySelector('.prepared img').naturalWidth > 100")
    assert held
    page.unroute("**/gradio_api/run/**")  # lets those go that were held
    stand_in.wait_for(state="detached")
    page.wait_for_function(OTHER, arg=before)
