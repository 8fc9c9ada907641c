"""The page is sent small, and finds its components quickly."""

from __future__ import annotations

import json
import re
import time

import brotli
import gradio as gr
import httpx
import PIL.Image
import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

import app
from benchmarks._page import chromium
from demos import _room
from demos._server import light, limits

DATA = re.compile(r"data:image/\w+;base64,")
TREE = "{id: 1, children: [{id: 2}, {id: 3, children: [{id: 4, children: []}, {id: 5}]}, {id: 6, children: [{id: 7}]}]}"
EVENTS = "[{targets: [[1, 'click'], [2, 'input'], [1, 'change']]}, {targets: []}, {targets: [[2, ''], [1, 'load']]}]"


def page_with(*values: str, script: str | None = None) -> limits.Page:
    """A page of HTML components, the first of which is sent back."""
    with limits.Page() as page:
        parts = [gr.HTML(value, js_on_load=script) for value in values]
        gr.Button().click(lambda value: None, parts[0], None)
    return page


def test_pictures_are_fetched_where_they_are_shown_unless_the_page_sends_them_back():
    picture = f'<img src="{_room.png_uri(PIL.Image.new("RGB", (9, 9), "red"))}">'
    page = page_with(picture, picture, json.dumps({"before": _room.png_uri(PIL.Image.new("L", (3, 3)))}))
    sent, shown, told = (part["props"]["value"] for part in page.get_config_file()["components"] if part["type"] == "html")
    assert sent == picture and not DATA.search(shown + told)
    names = re.findall(r"part/(\w+\.png)", shown + told)
    assert len(set(names)) == 2
    assert _room.data_uri(page.kept[names[0]]) in picture
    assert json.loads(told)["before"] == f"part/{names[1]}"


@pytest.mark.parametrize("length, there", [(light.SHORT, True), (light.SHORT + 1, False)])
def test_a_long_script_is_fetched_a_short_one_stays(length, there):
    script = "trigger('go');".ljust(length, " ")
    page = page_with("a", script=script)
    (told,) = (part["props"]["js_on_load"] for part in page.get_config_file()["components"] if part["type"] == "html")
    assert (told == script) is there
    assert any(script.encode() in content for content in page.kept.values()) is not there


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("cache")))
        page = app.build()
        _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.launch_settings(page))
        with httpx.Client(base_url=address, timeout=60) as client:
            yield client
        page.close()


def test_every_part_of_the_page_is_there(client):
    page = client.get("/").text
    names = set(re.findall(r"part/([0-9a-f]{12}\.\w+)", page))
    assert len(names) > 50
    for name in names:
        answer = client.get(f"/part/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].split(";")[0] in light.KINDS.values()
        assert "immutable" in answer.headers["cache-control"]
    for wrong in ("nobody.png", "000000000000.js", "..%2F..%2Fapp.py", "%2e%2e"):
        assert client.get(f"/part/{wrong}").status_code == 404


def sent(client: httpx.Client, path: str = "/", **headers: str) -> tuple[httpx.Headers, bytes]:
    """An answer as it comes, for one who takes Brotli."""
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip, deflate, br"} | headers) as answer:
        return answer.headers, b"".join(answer.iter_raw())


def test_the_page_is_packed_in_haste_then_well_and_the_same_either_way(client):
    plain = client.get("/", headers={"Accept-Encoding": "identity"})
    for path in ("/", "/?room=vae&__theme=dark", "/?deep_link=none"):
        headers, packed = sent(client, path)
        assert headers["content-encoding"] == "br" and "Accept-Encoding" in headers["vary"]
        assert int(headers["content-length"]) == len(packed)
        assert "deep_link" in path or brotli.decompress(packed) == plain.content
    due = time.monotonic() + 60
    while len(packed) >= 60_000:
        assert time.monotonic() < due, len(packed)
        time.sleep(0.1)
        _, packed = sent(client)
    assert brotli.decompress(packed) == plain.content
    assert not DATA.search(re.sub(r'\{\\"kind\\".*?\}', "", plain.text)), "a picture is in the page"


def test_what_is_kept_for_one_address_is_not_sent_for_another(client):
    for _ in range(2):
        for host in ("one.example", "two.example:81"):
            page = brotli.decompress(sent(client, Host=host)[1]).decode()
            assert f"http://{host}" in page and page.count(".example") == page.count(host)
        assert b"https://three.example" in brotli.decompress(
            sent(client, **{"X-Forwarded-Host": "three.example", "X-Forwarded-Proto": "https"})[1]
        )
    for number in range(2 * light.ADDRESSES):
        assert f"http://{number}.example".encode() in brotli.decompress(sent(client, Host=f"{number}.example")[1])


def test_visitors_with_cookies_of_their_own_share_what_is_kept():
    made = []

    async def page(scope, receive, send):
        made.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"the page"})

    client = TestClient(light.Packed(page), headers={"Accept-Encoding": "br"})
    for cookie in ("", "name=one", "name=two"):
        answer = client.get("/", headers={"Cookie": cookie})
        assert answer.headers["content-encoding"] == "br" and answer.text == "the page"
    assert len(made) == 1


def test_what_is_not_the_page_is_not_packed_nor_the_page_for_one_who_takes_no_brotli(client):
    for path, wanted in (("/health", "br"), ("/", "identity"), ("/", "gzip")):
        assert client.get(path, headers={"Accept-Encoding": wanted}).headers.get("content-encoding") != "br"


def test_gradio_seeks_as_we_know_it():
    """If this fails, a newer Gradio says it in other words, and the page is slower, or loses clicks, until _light knows them."""
    for kind, wanted, there in (
        ("core", light.SEEK, "galleryWays"), ("core", light.ATTACH, "galleryEvents"),
        ("Blocks", light.LATER, "galleryLast??="), ("Blocks", light.AGAIN, "galleryLast.get"),
    ):  # fmt: skip
        (text,) = (text for name, text in light.mended().items() if name.startswith(kind))
        assert original(kind, wanted) not in text and there in text
    assert f"{original('Blocks', light.FAILED)},this.queue.has(" in text


def original(kind: str, wanted: re.Pattern[str]) -> str:
    (name,) = (name for name in light.mended() if name.startswith(kind))
    return wanted.search((light.ASSETS / name).read_text(encoding="utf-8"))[0]


@pytest.mark.browser
def test_components_and_their_events_are_found_as_gradio_finds_them():
    """Both searches in a browser, over a tree that changes; and both ways to find the events of a component."""
    seek = light.SEEK.search(original("core", light.SEEK))["seek"]
    script = f"""() => {{
      const plain = (() => {{ {original("core", light.SEEK)}; return {seek}; }})();
      const quick = (() => {{ {light.FIND.replace("%(seek)s", seek)}; return {seek}; }})();
      const tree = {TREE}, found = [];
      const look = () => found.push([null, 1, 2, 3, 4, 5, 6, 7, 8].every(id => plain(tree, id) === quick(tree, id)));
      look(); look();
      tree.children.shift(); look();
      tree.children.unshift({{id: 8, children: [{{id: 5}}]}}); look();
      tree.children[2].children = undefined; look(); look();
      const before = {{ {original("core", light.ATTACH)} }}, after = {{ {light.ATTACHED} }};
      const node = id => ({{id, props: {{shared_props: {{}}}}}});
      for (const events of [{EVENTS}, {EVENTS}.reverse()]) for (const id of [1, 2, 3, 4]) {{
        const told = [before, after].map(one => JSON.stringify(one.find_attached_events(node(id), events)));
        found.push(told[0] === told[1] && told[0].includes('attached_events'));
      }}
      return found;
    }}"""
    with chromium() as browser:
        assert browser.new_page().evaluate(script) == [True] * 14


@pytest.mark.browser
def test_a_part_waits_for_its_script_and_takes_up_what_the_browser_kept(client):
    held = []
    with chromium() as browser:
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
def test_of_events_that_come_too_fast_the_last_is_answered(tmp_path, monkeypatch, refused):
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
        pad.go(answer, None, told, **_room.QUICK)
        pad.go(lambda: others.append(1), None, None, **_room.BESIDE)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.launch_settings(page))
    try:
        with chromium() as browser:
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
