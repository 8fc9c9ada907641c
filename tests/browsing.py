"""The page in a browser, for the tests that look at what visitors see: one server and one Chromium for all of them."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT
from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

import app
from benchmarks._page import free_port
from demos._kit.pictures import data_uri
from gen_models import catalog

PATIENCE = int(os.environ.get("GALLERY_PATIENCE", "120"))
"""Seconds that anything may take; a busy machine is slow, and a wait that succeeds early costs nothing."""
ROOMS = [name for members in app.rooms(closed=True).values() for name in members]
OPEN = [name for name in ROOMS if catalog.trained(name)]
"""Rooms that have something to show; the others are closed."""
WIDE, NARROW = (1280, 800), (390, 844)
READY = "!!window.galleryStopped && ![...document.querySelectorAll('[inert]')].some((part) => part.offsetParent)"
"""Whether the page, and all that is shown of it, has the script that goes with it: they are fetched after it is shown."""
CUT_OFF = re.compile(r"^console: (AbortError: (?:signal is|BodyStreamBuffer was) aborted|Unexpected error Connection errored out)")
TOLD = ".toast-body:visible, .refusal:visible"
"""Messages: those of events that wait in the queue, and of those that bypass it."""
SHOWN = {
    "dcgan": 'button[aria-label="sample 0"] img', "pixelcnn": 'button[aria-label="completion 0"] img',
    "cyclegan": ".compare img.after", "edsr": ".compare img.after", "gmm": 'button[aria-label="mixture 0"] img',
    "vi_gmm": 'button[aria-label="sample 0"] img', "autoencoder": 'button[aria-label="autoencoder 0"] img',
    "ddpm": 'button[aria-label="picture 0"] img', "gan": 'button[aria-label="sample 0"] img',
}  # fmt: skip
"""Room -> its main picture, where that is not one large picture."""
expect.set_options(timeout=1000 * PATIENCE)


@contextlib.contextmanager
def serving(folder: Path, *command: str, cwd: Path = ROOT, **environment: str):
    """The address of a page that ``command`` starts, a port added, without a data folder; ``folder`` takes log and files."""
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if key != "GALLERY_DATA"} | environment
    environment |= {"GRADIO_TEMP_DIR": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=cwd, env=environment, stdout=log, stderr=subprocess.STDOUT
        )

    def trouble(what: str) -> str:
        said = (folder / "log.txt").read_text(encoding="utf-8")
        return f"{what}:\n{said[-4000:]}"

    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, trouble("the server ended")
            assert time.monotonic() < deadline, trouble("the server does not answer")
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(address, timeout=PATIENCE).status_code == 200:
                    break
            time.sleep(0.2)
        yield address
        assert process.poll() is None, trouble("the server ended on the way")
        assert "failed, id" not in (folder / "log.txt").read_text(encoding="utf-8"), trouble("an exception nobody expected")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@contextlib.contextmanager
def visiting(server: str, visitor: BrowserContext) -> Iterator[Callable[..., Page]]:
    """Open an address of the page; in the end nothing may have gone wrong, and nothing been asked of the outside."""
    troubles: list[str] = []
    visitor.set_default_timeout(1000 * PATIENCE)

    def asked(request: Request) -> None:
        if re.match(r"(https?|wss?)://(?!127\.0\.0\.1[:/])", request.url):
            troubles.append(f"asked the outside for {request.url}")

    def go(query: str = "", size: tuple[int, int] = WIDE, dark: bool = False) -> Page:
        page = visitor.new_page()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.on("request", asked)
        page.on("console", lambda said: troubles.append(f"console: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(f"page error: {error}"))
        arrive(page, server + "/" + query + ("&" if "?" in query else "?") + f"__theme={'dark' if dark else 'light'}")
        wanted = re.search(r"\?room=(\w+)", query)
        if wanted and wanted[1] in ROOMS:  # the first room is seen for a moment before the one of the link
            title = catalog.about(wanted[1])["title"]
            expect(page.locator(".room-header:visible h2").first).to_contain_text(title)
            expect(page.locator(".result img:visible").first).to_be_visible()
            page.wait_for_function(READY)
        return page

    def left() -> None:
        """A page was left: what it still waited for is cut off, which the browser tells as an error, and is none."""
        troubles[:] = [trouble for trouble in troubles if not CUT_OFF.search(trouble)]

    go.left = left
    try:
        yield go
    finally:
        forget(visitor, server)
    assert troubles == []


def forget(visitor: BrowserContext, server: str) -> None:
    """Close the pages, and keep nothing of them but what the browser has fetched and compiled."""
    line = visitor.new_cdp_session(visitor.pages[0] if visitor.pages else visitor.new_page())
    line.send("Storage.clearDataForOrigin", {"origin": server, "storageTypes": "cookies,local_storage,indexeddb,cache_storage"})
    for page in visitor.pages:
        page.close()
    visitor.clear_permissions()


def arrive(page: Page, address: str) -> None:
    """Go there and wait until a room or the home tab is shown."""
    page.goto(address)
    if "room=" not in address or "room=nobody" in address:
        expect(page.locator(".home .card:visible").first).to_be_visible()
    else:
        expect(page.locator(".room-header:visible")).to_be_visible()
        expect(page.locator(".result img:visible").first).to_be_visible()
    page.wait_for_function(READY)


def main_picture(page: Page, room: str) -> Locator:
    return page.locator(f"{SHOWN.get(room, 'img.picture')} >> visible=true").first


def source(picture: Locator) -> str:
    """The picture's content: it is in its address, or, as the page opens, behind it."""
    expect(picture).to_have_attribute("src", re.compile("."))  # a script of the page may set it
    address = picture.get_attribute("src")
    if address.startswith("part/"):
        answer = picture.page.request.get(urljoin(picture.page.url, address))
        assert answer.ok
        address = data_uri(answer.body(), address.rpartition(".")[2])
    assert re.match("data:image/(png|jpeg|webp);base64,", address)
    return address


def width_of(picture: Locator) -> int:
    """Its width in its own pixels, once it can be decoded."""
    expect(picture).to_have_attribute("src", re.compile("."))  # a script of the page may set it
    return picture.evaluate("""image => {  // of a copy: while a picture grows, the page puts the next one into its place
      const copy = new Image();
      copy.src = image.src;
      return copy.decode().then(() => copy.naturalWidth);
    }""")


def changed(picture: Locator, before: str) -> str:
    """Wait until the picture is another one that can be seen; returns it."""
    due = time.monotonic() + PATIENCE
    while source(picture) == before:
        assert time.monotonic() < due, "the picture stayed as it was"
        picture.page.wait_for_timeout(20)
    expect(picture).not_to_have_attribute("src", before)
    assert width_of(picture) > 1
    return source(picture)


def stop_when(page: Page, shown: str, said: str = "", key: bool = False) -> None:
    """Have the page itself stop what is about to begin, as soon as something is shown and a note says so.

    A visitor is quicker than a test on a busy machine, where short work is done before the test has seen it begin.

    ``shown``: a selector; ``said``: a regular expression; ``key``: by the space bar, not by the button.
    """
    page.evaluate(
        """([shown, said, key]) => new MutationObserver((_, watch) => {
          const seen = (what) => [...document.querySelectorAll(what)].filter((found) => found.offsetParent);
          if (!seen(shown).length || !seen('.note').some((note) => new RegExp(said).test(note.innerText))) return;
          watch.disconnect();
          if (key) seen('.room-header')[0].dispatchEvent(new KeyboardEvent('keydown', {key: ' ', bubbles: true, cancelable: true}));
          else seen('button').find((button) => button.innerText === 'Stop').click();
        }).observe(document.body, {childList: true, subtree: true, attributes: true, characterData: true})""",
        [shown, said, key],
    )


def rests(page: Page, room: str) -> str:
    """Wait until the room's picture was the same for a second and a half: a slow browser shows late what came before."""
    due, seen, since = time.monotonic() + PATIENCE, "", 0.0
    while time.monotonic() - since < 1.5:
        assert time.monotonic() < due, "it went on"
        if (now := source(main_picture(page, room))) != seen:
            seen, since = now, time.monotonic()
        page.wait_for_timeout(100)
    return seen


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()


def copy_link(page: Page) -> str:
    """The link to the room as it is, by its button."""
    press(page, "Copy link")
    done = re.compile("^Link (copied|is in the address bar)$")  # a browser may keep its clipboard to itself
    expect(page.get_by_role("button", name=done).locator("visible=true")).to_be_visible()
    return page.url


def show_tab(page: Page, name: str) -> None:
    tab = page.get_by_role("tab", name=name, exact=True).locator("visible=true").first
    if not tab.count():  # in the menu of those that find no room
        page.locator(".overflow-menu > button:visible").last.click()
        tab = page.locator(".overflow-dropdown button:visible", has_text=name).first
    tab.click()
    page.wait_for_function(READY)


def seed_field(page: Page) -> Locator:
    """The room's seed, in a tab of its own in one room."""
    if page.locator("#edsr-main:visible").count():
        show_tab(page, "How it is shrunk")
    return page.get_by_label("Seed", exact=True).locator("visible=true").first


def enter_seed(page: Page, seed: int) -> None:
    field = seed_field(page)
    field.fill(str(seed))
    field.press("Enter")


def photograph(page: Page, folder: Path, name: str) -> None:
    wanted = os.environ.get("GALLERY_SCREENSHOTS")
    target = Path(wanted) if wanted else folder
    target.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target / f"{name}.jpg", full_page=True, type="jpeg", quality=70)


def accessible(page: Page) -> None:
    """What is shown breaks none of the rules of WCAG 2.1, levels A and AA, that a program can check."""
    # what the page does about a size is done before the next frame
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    found = Axe().run(page, options={**rules, "resultTypes": ["violations"]}).response
    assert {"color-contrast", "label"} <= {rule["id"] for rule in found["passes"]}, "axe did not look"
    broken = [(rule["id"], node["html"][:200], node["failureSummary"]) for rule in found["violations"] for node in rule["nodes"]]
    assert broken == []


def only_toast(page: Page, sentence: str) -> None:
    """Exactly one message is shown, and it is this one."""
    body = page.locator(TOLD)
    expect(body.filter(has_text=sentence)).to_be_visible()
    page.wait_for_timeout(500)
    assert body.count() == 1, body.all_inner_texts()
    assert "Traceback" not in body.inner_text() and str(ROOT) not in body.inner_text()


def example(page: Page, number: int) -> None:
    if page.get_by_role("tab", name="Examples", exact=True).locator("visible=true").count():
        show_tab(page, "Examples")
    page.locator(f'button[aria-label="example {number}"]:visible').click()


ACTIONS = {
    "dcgan": lambda page: press(page, "Sample"), "pixelcnn": lambda page: press(page, "Complete"),
    "cyclegan": lambda page: example(page, 1), "edsr": lambda page: example(page, 1),
}  # fmt: skip
"""Room -> what its main control does, where that is not another seed."""


def act(page: Page, room: str) -> None:
    """Use the main control of a room."""
    ACTIONS.get(room, lambda page: press(page, "New seed"))(page)
