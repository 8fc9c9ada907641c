"""What visitors type and copy: decimal commas, and links out of a frame of another page. On a bare page, in Chromium."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
import pytest
from playwright.sync_api import Browser, Page, expect

import app
from demos._kit.recipes import Room, link_button
from demos._server import limits

pytestmark = pytest.mark.browser
SOON = 20_000


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page with a number and a link."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("cache")))
        with limits.Page() as page:
            number = gr.Number(3, label="Number")
            shown = gr.Textbox(label="Shown", interactive=True)
            number.submit(lambda value: f"it is {value}", number, shown)
            link_button(Room("dcgan", {"number": number}))
        page.queue()
        _, found, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **app.launch_settings(page))
        yield found
        page.close()


@pytest.fixture(scope="module")
def outside(address, tmp_path_factory):
    """Another origin, whose page shows ours in a frame."""

    class Frame(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = f'<!doctype html><title>Course</title><iframe src="{address}" width="900" height="600"></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Frame)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()


@pytest.mark.parametrize("typed, value", [("1,5", 1.5), ("1.5", 1.5), ("-0,25", -0.25), ("12", 12), (",5", 0.5)])
def test_a_decimal_comma_is_a_decimal_point(chromium, address, typed, value):
    page = chromium.new_page()
    page.goto(address)
    page.wait_for_function("!!window.galleryStopped")  # the page has its script
    field = page.get_by_label("Number")
    field.clear()
    field.press_sequentially(typed)
    assert field.evaluate("field => field.valueAsNumber") == value
    field.press("Enter")
    expect(page.get_by_label("Shown")).to_have_value(f"it is {value}", timeout=SOON)
    page.close()


def test_the_same_value_late_does_not_move_the_caret(chromium, address):
    """The page puts in what it heard, "1", when the visitor has come to "1."; a 5 would become 51."""
    page = chromium.new_page()
    page.goto(address)
    page.wait_for_function("!!window.galleryStopped")
    field = page.get_by_label("Number")
    field.clear()
    field.press_sequentially("1.")
    field.evaluate("field => { field.value = '1'; }")
    field.press_sequentially("5")
    assert field.evaluate("field => field.valueAsNumber") == 1.5
    field.evaluate("field => { field.value = '7'; }")
    assert field.input_value() == "7"
    page.close()


def test_what_is_no_number_yet_does_not_empty_the_field(chromium, address):
    """The page hears of a minus alone as of an empty field, and would write that over what was typed meanwhile."""
    page = chromium.new_page()
    page.goto(address)
    page.wait_for_function("!!window.galleryStopped")  # the page has its script
    page.evaluate("window.heard = []; document.addEventListener('input', event => window.heard.push(event.target.value))")
    field = page.get_by_label("Number")
    field.press("Control+a")
    field.press_sequentially("-2")
    assert page.evaluate("window.heard") == ["-2"]
    field.press("Control+a")
    field.press_sequentially("-")
    field.blur()
    assert page.evaluate("window.heard") == ["-2", ""]
    expect(field).to_have_value("")
    page.close()


HELD = """
    const ask = window.fetch, held = new Promise(done => { window.release = done; });
    window.fetch = async (...request) => {
        const answer = await ask(...request);
        if (!answer.url.includes('/queue/data')) return answer;
        const late = new TransformStream({async transform(chunk, out) {
            const text = new TextDecoder().decode(chunk), end = text.search(/data:[^\\n]*close_stream/);
            out.enqueue(new TextEncoder().encode(end < 0 ? text : text.slice(0, end)));
            if (end < 0) return;
            await held;
            out.enqueue(new TextEncoder().encode(text.slice(end)));
        }});
        return new Response(answer.body.pipeThrough(late), {status: answer.status, headers: answer.headers});
    };
"""
"""The word that the stream of answers has ended is late."""


def ask(page: Page, number: int) -> None:
    """Type a number that is answered."""
    field = page.get_by_label("Number")
    field.fill(str(number))
    field.press("Enter")


def answered(page: Page, number: int) -> None:
    """Wait for its answer."""
    expect(page.get_by_label("Shown")).to_have_value(f"it is {number}", timeout=SOON)


@contextmanager
def ending(chromium: Browser, address: str, script: str = "") -> Iterator[Page]:
    """A page whose stream of answers is about to end when a second number was asked for; ``script``: what else is odd there."""
    context = chromium.new_context()
    context.add_init_script(HELD + script)
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("!!window.galleryStopped")  # the page has its script
    ask(page, 1)
    answered(page, 1)
    with page.expect_response("**/queue/join*"):
        ask(page, 2)
    yield page
    context.close()


def test_what_is_asked_for_while_the_stream_of_answers_ends_is_answered(chromium, address):
    with ending(chromium, address) as page:
        page.evaluate("window.release()")
        answered(page, 2)
        ask(page, 3)
        answered(page, 3)


SLOW_COPIES = """
    const copy = Response.prototype.clone;
    Response.prototype.clone = function () {
        const made = copy.call(this), read = made.json.bind(made);
        made.json = async () => { await new Promise(done => setTimeout(done, 500)); return read(); };
        return made;
    };
"""
"""The page's own script learns of an answer later than Gradio does."""


@pytest.mark.parametrize("query", ["", "?room=dcgan"])
def test_what_is_asked_for_before_the_word_of_the_end_comes_is_waited_for(chromium, address, query):
    with ending(chromium, address + query, SLOW_COPIES) as page:
        page.wait_for_timeout(100)  # Gradio has read the answer, and takes the stream for open
        page.evaluate("window.release()")
        answered(page, 2)


@pytest.mark.parametrize("pasted, value", [("1,5", 1.5), ("1.234,5", 1234.5), ("1,234.5", 1234.5), ("7", 7)])
def test_a_number_is_pasted_with_either_separator(chromium, address, pasted, value):
    page = chromium.new_page()
    page.goto(address)
    page.wait_for_function("!!window.galleryStopped")  # the page has its script
    field = page.get_by_label("Number")
    field.clear()
    page.keyboard.insert_text(pasted)
    field.press("Enter")
    expect(page.get_by_label("Shown")).to_have_value(f"it is {value}", timeout=SOON)
    page.close()


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("commands", [False, True])
def test_a_link_reaches_the_visitor_wherever_the_page_is_shown(chromium, address, outside, framed, commands):
    """In a frame of another page the address bar is that page's, and the clipboard may be closed to it by any way."""
    context = chromium.new_context()
    if not commands:
        context.add_init_script("document.execCommand = () => false; navigator.clipboard.writeText = () => Promise.reject();")
    page = context.new_page()
    page.goto(outside if framed else address)
    place = page.frame_locator("iframe") if framed else page
    place.get_by_role("button", name="Copy link").click()
    if commands:
        expect(place.get_by_role("button", name="Link copied")).to_be_visible(timeout=SOON)
        place.get_by_label("Shown").click()
        page.keyboard.press("Control+V")
        expect(place.get_by_label("Shown")).to_have_value(address + "?room=dcgan&state=%7B%22number%22%3A3%7D", timeout=SOON)
    elif framed:
        expect(place.get_by_role("button", name="Copy it from the field")).to_be_visible(timeout=SOON)
        field = place.get_by_label("Link to this room")
        expect(field).to_have_value(address + "?room=dcgan&state=%7B%22number%22%3A3%7D")
        assert field.evaluate("field => field.selectionEnd - field.selectionStart") > 40
        page.keyboard.press("Escape")
        expect(field).to_have_count(0)
    else:
        expect(place.get_by_role("button", name="Link is in the address bar")).to_be_visible(timeout=SOON)
        assert "room=dcgan" in page.url
    context.close()
