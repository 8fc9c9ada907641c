"""Every reach into Gradio's insides: if one of these fails, a newer Gradio does it in another way."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import gradio as gr
import httpx
import PIL.Image
import pytest
from playwright.sync_api import expect

import app
from demos._kit.events import BESIDE, QUICK
from demos._kit.pictures import data_uri, png_uri
from demos._server import _gradio, limits, pages

DATA = re.compile(r"data:image/\w+;base64,")
DOCUMENT = (Path(gr.__file__).parent / "templates" / "frontend" / "index.html").read_text(encoding="utf-8")


def page_with(*values: str, script: str | None = None) -> limits.Page:
    """A page of HTML components, the first of which is sent back."""
    with limits.Page() as page:
        parts = [gr.HTML(value, js_on_load=script) for value in values]
        gr.Button().click(lambda value: None, parts[0], None)
    return page


def test_pictures_are_fetched_where_they_are_shown_unless_the_page_sends_them_back():
    picture = f'<img src="{png_uri(PIL.Image.new("RGB", (9, 9), "red"))}">'
    page = page_with(picture, picture, json.dumps({"before": png_uri(PIL.Image.new("L", (3, 3)))}))
    sent, shown, told = (part["props"]["value"] for part in page.get_config_file()["components"] if part["type"] == "html")
    assert sent == picture and not DATA.search(shown + told)
    names = re.findall(r"part/(\w+\.png)", shown + told)
    assert len(set(names)) == 2
    assert data_uri(page.kept[names[0]]) in picture
    assert json.loads(told)["before"] == f"part/{names[1]}"


@pytest.mark.parametrize("length, there", [(_gradio.SHORT, True), (_gradio.SHORT + 1, False)])
def test_a_long_script_is_fetched_a_short_one_stays(length, there):
    script = "trigger('go');".ljust(length, " ")
    page = page_with("a", script=script)
    (told,) = (part["props"]["js_on_load"] for part in page.get_config_file()["components"] if part["type"] == "html")
    assert (told == script) is there
    assert any(script.encode() in content for content in page.kept.values()) is not there


def config_of(document: str) -> dict:
    """What a page's document says of its parts and events."""
    return json.loads(_gradio.CONFIG.search(document)[1])


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("cache")))
        page = app.build()
        _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.launch_settings(page))
        with httpx.Client(base_url=address, timeout=60) as client:
            yield client
        page.close()


def test_every_part_of_the_pages_is_there(client):
    documents = [client.get(f"/{path}").text for path in app.places()]
    for config in map(config_of, documents):
        returned = {number for event in config["dependencies"] for number in event["inputs"]}
        for part in config["components"]:
            assert part["id"] in returned or not DATA.search(json.dumps(part["props"])), "a picture is in a page"
    shown = "".join(documents)
    names = set(re.findall(r"part/([0-9a-f]{12}\.\w+)", shown))
    assert len(names) > 50
    for name in names:
        answer = client.get(f"/part/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].split(";")[0] in pages.KINDS.values()
        assert "immutable" in answer.headers["cache-control"]
    for wrong in ("nobody.png", "000000000000.js", "..%2F..%2Fapp.py", "%2e%2e"):
        assert client.get(f"/part/{wrong}").status_code == 404


# ---- several pages ----------------------------------------------------------------------------------------------------


def parts_of(blocks: gr.Blocks, path: str) -> tuple[list[str], list[str]]:
    """The kinds of the components of a page, and the names of its events."""
    config = blocks.get_config_file()
    shown = config["page"][path]
    kinds = [part["type"] for part in config["components"] if part["id"] in shown["components"]]
    return kinds, [event["api_name"] for event in config["dependencies"] if event["id"] in shown["dependencies"]]


def fill(blocks: gr.Blocks, word: str) -> None:
    """A page of three components and an event, in a ``with``."""
    with gr.Row():
        text = gr.Textbox(word)
    text.change(lambda text: text, text, None, api_name=f"say_{word}")
    blocks.load(lambda: None, None, None, api_name=f"load_{word}")


def test_a_page_begun_within_the_same_with_is_one_of_gradios_routes():
    with gr.Blocks() as here:
        fill(here, "home")
        _gradio.begin_page(here, "other", "Other")
        fill(here, "other")
    with gr.Blocks() as routed:
        fill(routed, "home")
    with routed.route("Other", "other"):
        fill(routed, "other")
    assert here.pages == routed.pages
    for path in ("", "other"):
        assert parts_of(here, path) == parts_of(routed, path)
        assert parts_of(here, path)[1] == [f"say_{path or 'home'}", f"load_{path or 'home'}"]
    assert [getattr(route, "path", "") for route in here.app.routes] == [getattr(route, "path", "") for route in routed.app.routes]


def test_no_component_asks_for_its_first_value_when_the_page_opens():
    """Gradio would have it asked for on the page that was begun last."""
    assert not [part for part in app.build().blocks.values() if getattr(part, "load_event_to_attach", None)]


def test_a_document_holds_its_own_page_and_tags_only():
    config = {"current_page": "b", "root": "https://one.example/x", "page": {"a": {"layout": 1}, "b": {"layout": "</script>"}},
              "pages": [["a", "A", True]], "title": "Gallery"}  # fmt: skip
    document = DOCUMENT.replace("{{ config | toorjson }}", json.dumps(config).replace("<", "\\u003c"))
    assert _gradio.TAGS.search(document) and "{url}" in document
    made = _gradio.own_document(document, "Room", '<meta property="og:url" content="{root}/b" />')
    found = config_of(made)
    assert found["page"] == {"b": config["page"]["b"]} and found["pages"] == [] and found["title"] == "Room"
    assert made.count("</script>") == document.count("</script>")
    assert re.findall(r'<meta (?:property|name)="(?:og|twitter):.*', made) == [
        '<meta property="og:url" content="https://one.example/x/b" /></head>'
    ]
    assert "{url}" not in made and "@Gradio" not in made


# ---- which of several events is answered ------------------------------------------------------------------------------


def test_gradio_answers_events_as_we_know_it():
    """If this fails, a newer Gradio says it in other words, and the page loses clicks until ``_gradio`` knows them."""
    ((name, text),) = _gradio.scripts_changed().items()
    original = (_gradio.ASSETS / name).read_text(encoding="utf-8")
    for wanted, there in ((_gradio.LATER, "galleryLast??="), (_gradio.AGAIN, "galleryLast.get")):
        assert wanted.search(original)[0] not in text and there in text
    assert f"{_gradio.FAILED.search(original)[0]},this.queue.has(" in text


@pytest.mark.browser
def test_a_part_waits_for_its_script_and_takes_up_what_the_browser_kept(client, chromium):
    held = []
    with chromium.new_context() as browser:
        page = browser.new_page()
        page.route(re.compile(r"/part/\w+\.js"), lambda route: held.append(route) if held is not None else route.continue_())
        page.goto(str(client.base_url))
        home, field = page.locator(".home"), page.get_by_placeholder("Search")
        expect(home.locator(".card:visible").first).to_be_visible()
        assert home.evaluate("shown => !!shown.closest('[inert]')")
        field.evaluate("field => { field.value = 'cyclegan 2017'; }")  # as on the way back to the page
        assert home.locator(".card:visible").count() > 1
        released, held = held, None
        for route in released:
            route.continue_()
        expect(home.locator(".card:visible")).to_have_count(1)
        assert not page.locator("[inert]").count()


@pytest.mark.browser
@pytest.mark.parametrize("refused", [0, 1, 3])
def test_of_events_that_come_too_fast_the_last_is_answered(tmp_path, monkeypatch, chromium, refused):
    """By Gradio itself, the first is answered once more; and none if that is ``refused``."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    answered, others = [], []

    def answer(event: gr.EventData) -> str:
        answered.append(event.number)
        time.sleep(2)
        if event.number == refused:
            raise gr.Error("No.")
        return f"This is {event.number}."

    with limits.Page() as page:
        pad = gr.HTML("<b>Pad</b>", js_on_load="element.addEventListener('go', event => trigger('go', {number: event.detail}));")
        told = gr.HTML("")
        pad.go(answer, None, told, **QUICK)
        pad.go(lambda: others.append(1), None, None, **BESIDE)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.launch_settings(page))
    try:
        with chromium.new_context() as browser:
            tab = browser.new_page()
            tab.goto(address)
            for number in (1, 2, 3):
                tab.get_by_text("Pad").evaluate(
                    "(part, detail) => part.dispatchEvent(new CustomEvent('go', {detail, bubbles: true}))", number
                )
                tab.wait_for_timeout(100)
            expect(tab.locator(".refusal") if refused == 3 else tab.get_by_text("This is 3.")).to_be_visible(timeout=60_000)
            tab.get_by_text("Pad").evaluate("part => part.dispatchEvent(new CustomEvent('go', {detail: 4, bubbles: true}))")
            expect(tab.get_by_text("This is 4.")).to_be_visible(timeout=60_000)
            tab.wait_for_timeout(500)
    finally:
        page.close()
    assert answered == [1, 3, 4] and len(others) == 4
