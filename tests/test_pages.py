"""The pages of the gallery: what each holds, where links lead, what previews say, and the address as the visitor goes about."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import quote, urljoin

import gradio as gr
import httpx
import PIL.Image
import pytest
from browsing import changed, enter_seed, main_picture, seed_field, show_tab, source
from gradio_client import Client
from playwright.sync_api import Page, expect
from test_frozen import API
from test_gradio import config_of

import app
from benchmarks._page import way_to
from demos._kit.recipes import Room
from demos._server import covers, limits, pages
from gen_models import catalog

PLACES = app.places()
ROOMS = {room: path for path, page in PLACES.items() for room in page.rooms}


@contextmanager
def served(page: limits.Page) -> Iterator[httpx.Client]:
    """A client of these pages, which knows them by another address than they are at, and follows no redirect."""
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.launch_settings(page))
    with httpx.Client(base_url=address, headers={"Host": "one.example"}, timeout=60) as client:
        yield client
    page.close()


@pytest.fixture(scope="module")
def client():
    with served(app.build()) as client:
        yield client


# ---- what a page holds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PLACES)
def test_a_page_describes_its_own_rooms_only(client, path):
    answer = client.get(f"/{path}")
    assert answer.status_code == 200
    config = config_of(answer.text)
    assert list(config["page"]) == [path] == [config["current_page"]]
    shown = set(re.findall(r'class="room-header" data-room="(\w+)"', json.dumps(config).replace('\\"', '"')))
    assert shown == set(PLACES[path].rooms)
    verbs = {event["api_name"].partition("_")[0] for event in config["dependencies"] if event["api_visibility"] == "public"}
    assert verbs <= {room.partition("_")[0] for room in PLACES[path].rooms}


def dummy() -> Room:
    """A room of a few components."""
    gr.HTML('<header class="room-header" data-room="dummy"></header>')
    seed = gr.Number(7)
    shown = gr.HTML("")
    seed.change(lambda seed: "", seed, shown, api_visibility="private")
    return Room("dummy", {"seed": seed}, lambda seed: ("",), [shown])


def test_a_page_does_not_grow_with_the_rooms_of_others(client, monkeypatch):
    """But for the numbers of its parts, and the name of the room before its first."""
    imported, found = app.importlib.import_module, dict(PLACES)
    more = {f"dummy{number}": ("Dummy", "It does nothing.") for number in range(10)}
    grown = found["gans"]
    found["gans"] = pages.Page(grown.title, grown.sentence, {**grown.rooms, **more})
    stand_in = SimpleNamespace(room=dummy, TITLE="Dummy")
    monkeypatch.setattr(app.importlib, "import_module", lambda name: stand_in if "dummy" in name else imported(name))
    monkeypatch.setattr(app, "places", lambda path=(): found)
    home = app.lay_out_home
    monkeypatch.setattr(app, "lay_out_home", lambda names: home([name for name in names if name not in more]))
    with served(app.build()) as other:
        sizes = {
            path: [len(re.sub(r"\d+", "0", gallery.get(f"/{path}").text)) for gallery in (client, other)] for path in found if path
        }
    growth = {path: after - before for path, (before, after) in sizes.items()}
    assert growth.pop("gans") > 5000
    assert all(abs(letters) < 5 for letters in growth.values()), growth


def test_a_talk_has_its_rooms_on_one_page():
    page = app.build(["vae", "gmm"])
    assert list(page.about) == [""] and [path for path, *_ in page.pages] == [""]
    with served(page) as client:
        assert set(re.findall(r'room-header\\" data-room=\\"(\w+)', client.get("/").text)) == {"vae", "gmm"}
        for link in ("/autoencoders?room=vae", "/compare"):
            answer = client.get(link)
            assert (answer.status_code, answer.headers["location"]) == (307, "./" + link[1:].lstrip("abcdefghijklmnopqrstuvwxyz"))


# ---- where links lead -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ROOMS)
def test_an_old_link_leads_to_the_page_of_its_room(client, room):
    state = quote(json.dumps({"seed": 5, "words": "a&b=c #1 é"}))
    answer = client.get(f"/?room={room}&state={state}&sha=abc")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"./{ROOMS[room]}?room={room}&state={state}&sha=abc"
    assert client.get("/" + way_to(room)).status_code == 200
    assert app.catalog.names().get(room, room) == ROOMS[room]


@pytest.mark.parametrize("link, target", [
    ("/gans?room=vae", "./autoencoders?room=vae"), ("/gans/?room=dcgan", "../gans?room=dcgan"), ("/gans/", "../gans"),
    ("/compare?room=gmm", "./mixtures?room=gmm"), ("/imitation?room=vae", "./autoencoders?room=vae"), ("/imitation", "./"),
])  # fmt: skip
def test_a_link_to_another_page_than_its_rooms_leads_there(client, link, target):
    answer = client.get(link)
    assert (answer.status_code, answer.headers["location"]) == (307, target)


@pytest.mark.parametrize("link", ["/?room=nobody", "/?room=", "/?room=vae%00", "/?state=7", "/gans?room=//evil.example", "/gans"])
def test_a_link_to_no_room_opens_its_page(client, link):
    assert client.get(link).status_code == 200


def test_what_is_no_page_is_none(client):
    for path in ("/nothing", "/gans/dcgan", "/vae"):
        assert client.get(path).status_code == 404


# ---- what previews say ------------------------------------------------------------------------------------------------


def tags(document: str) -> dict[str, str]:
    """The tags of a document by their names."""
    found = re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)" />', document)
    assert len(found) == len(dict(found)), "a tag stands there twice"
    return {name: html.unescape(value) for name, value in found}


@pytest.mark.parametrize("path, room", [*((path, "") for path in PLACES), *((path, room) for room, path in ROOMS.items())])
def test_a_preview_says_what_is_there_and_shows_it(client, path, room):
    document = client.get(f"/{path}?room={room}&state={quote(chr(34) + '><script>')}").text
    title, sentence = PLACES[path].rooms.get(room, (PLACES[path].title, PLACES[path].sentence))
    found = tags(document)
    assert found["og:title"] == (f"{title} · {app.TITLE}" if title else app.TITLE)
    assert found["og:description"] == found["description"] == sentence and len(sentence) > 20
    assert found["og:url"] == f"http://one.example/{path}" + (f"?room={room}" if room else "")
    assert found["twitter:card"] == "summary_large_image"
    assert re.findall("<title>(.*?)</title>", document) == [html.escape(found["og:title"])]
    assert config_of(document)["title"] == found["og:title"]
    assert found["og:image"] == f"http://one.example/preview/{room or path or 'home'}.png"
    answer = client.get(found["og:image"].removeprefix("http://one.example"))
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    with PIL.Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == covers.PREVIEW == (int(found["og:image:width"]), int(found["og:image:height"]))
        assert picture.convert("L").getextrema()[1] > 100


def test_there_is_no_other_preview(client):
    for name in ("nobody", "..%2Fhome", "imitation"):
        assert client.get(f"/preview/{name}.png").status_code == 404


# ---- verbs ------------------------------------------------------------------------------------------------------------


def test_a_client_finds_every_verb_under_its_name_at_the_same_address(server):  # noqa: F811
    client = Client(server, verbose=False)
    listed = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(listed) >= {f"/{verb}" for verb in API}
    assert httpx.get(f"{server}/gradio_api/info").json()["named_endpoints"].keys() == listed.keys()
    (pictures,) = client.predict(catalog.trained("dcgan")[0], 7, 1, 1.0, api_name="/dcgan_sample"),
    assert pictures[0].startswith("data:image/png")


# ---- the address, in the browser --------------------------------------------------------------------------------------


def at(page: Page, room: str, **state: object) -> None:
    """Wait until the address names the room, and holds this of its state; none at all if nothing is said of it."""
    expect(page).to_have_url(re.compile(rf"/{ROOMS[room]}\?room={room}" + ("&state=" if state else "$")))
    held = json.loads(httpx.URL(page.url).params.get("state", "{}"))
    assert held.items() >= state.items()
    expect(page).to_have_title(f"{PLACES[ROOMS[room]].rooms[room][0]} · {app.TITLE}")
    expect(page.locator(".room-header:visible")).to_have_attribute("data-room", room)


@pytest.mark.browser
def test_the_address_follows_tabs_and_controls_and_a_reload_keeps_both(visit):  # noqa: F811
    page = visit("gans?room=gan")
    page.goto(urljoin(page.url, "gans?room=gan"))
    expect(page.locator(".room-header:visible")).to_have_attribute("data-room", "gan")
    page.wait_for_function("!!window.galleryEntered")
    show_tab(page, "DCGAN")
    at(page, "dcgan")
    entries = page.evaluate("history.length")
    before = source(main_picture(page, "dcgan"))
    enter_seed(page, 31)
    made = changed(main_picture(page, "dcgan"), before)
    expect(page).to_have_url(re.compile("state="))
    at(page, "dcgan", seed=31)
    assert page.evaluate("history.length") == entries, "a control changed, and made a step of the way back"
    page.reload()
    at(page, "dcgan", seed=31)
    expect(main_picture(page, "dcgan")).to_have_attribute("src", made)
    expect(seed_field(page)).to_have_value("31")
    page.go_back()
    at(page, "gan")
    page.go_forward()
    at(page, "dcgan", seed=31)
    expect(seed_field(page)).to_have_value("31")
    visit.left()


@pytest.mark.browser
def test_the_way_back_stays_in_the_gallery_from_page_to_page(visit):  # noqa: F811
    page = visit()
    page.locator(".home .card[data-room=dcgan]").click()
    at(page, "dcgan")
    page.wait_for_function("!!window.galleryEntered")
    page.keyboard.press("ArrowRight")
    after = list(ROOMS)[list(ROOMS).index("dcgan") + 1]
    at(page, after)
    page.wait_for_function("!!window.galleryEntered")
    page.locator(".masthead").get_by_role("link", name="Autoencoders").click()
    expect(page).to_have_url(re.compile("/autoencoders$"))
    expect(page.locator(".masthead a[aria-current=page]")).to_have_text("Autoencoders")
    page.go_back()
    at(page, after)
    page.go_back()
    at(page, "dcgan")
    page.go_back()
    expect(page.locator(".home .card:visible").first).to_be_visible()
    visit.left()


@pytest.mark.browser
def test_the_keys_lead_through_all_pages_and_round(visit):  # noqa: F811
    page = visit()
    for key, order in (("ArrowRight", list(ROOMS)), ("ArrowLeft", list(ROOMS)[::-1])):
        for room in order:
            page.keyboard.press(key)
            expect(page.locator(".room-header:visible")).to_have_attribute("data-room", room)
            page.wait_for_function("!!window.galleryEntered")
        page.keyboard.press(key)
        expect(page.locator(".home .card:visible").first).to_be_visible()
        page.wait_for_function("!!window.galleryEntered")
    visit.left()
