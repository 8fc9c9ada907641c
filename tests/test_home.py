"""The home tab without a browser: what stands on a card, where its picture comes from, what a result costs, codes to scan."""

from __future__ import annotations

import html
import io
import json
import re
import shutil

import gradio as gr
import numpy as np
import PIL.Image
import pytest
from conftest import ROOT
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

import app
from benchmarks._page import way_to
from demos import _home
from demos._kit.recipes import qr_code
from demos._server import covers
from gen_models import catalog

ROOMS = app.rooms()
NAMES = [name for members in ROOMS.values() for name in members]


@pytest.fixture(scope="module")
def page() -> str:
    return _home.page_html(ROOMS, app.FAMILIES)


def test_there_is_a_card_for_every_open_room_and_no_other(page):
    assert re.findall(r'class="card" href="([^"]+)"', page) == [way_to(name) for name in NAMES]
    found = {name: page.count(f'data-room="{name}"') for name in NAMES}
    started = _home.starts(NAMES)
    assert found == {name: 2 + (name in started) for name in NAMES}, "on the line, on its card and among what to begin with"


@pytest.mark.parametrize("room", _home.starts(NAMES))
def test_what_to_begin_with_shows_a_picture_before_and_after(page, room):
    before, after = (picture.convert("RGB").resize((64, 64)) for picture in _home.starts(NAMES)[room].pictures())
    apart = np.abs(np.asarray(before, float) - np.asarray(after, float)).mean()
    assert apart > 3 and np.asarray(after).std() > 20, "nothing turns into anything"
    client = TestClient(Starlette(routes=[Route("/start/{name}.webp", covers.send_start(app.beginnings))]))
    for side in ("before", "after"):
        assert f'src="start/{room}-{side}.webp"' in page
        answer = client.get(f"/start/{room}-{side}.webp")
        assert PIL.Image.open(io.BytesIO(answer.content)).size == covers.START
    assert client.get(f"/start/{room}-between.webp").status_code == 404


def test_what_cannot_be_shown_to_begin_with_is_not_there_until_it_can():
    picture, here = PIL.Image.new("RGB", (8, 8)), []

    def later() -> covers.Pair:
        if not here:
            raise catalog.WeightsError("the weights are not here yet")
        return picture, picture

    starts = {"never": lambda: None, "later": later}
    client = TestClient(Starlette(routes=[Route("/start/{name}.webp", covers.send_start(lambda: starts))]))
    assert [client.get(f"/start/{room}-after.webp").status_code for room in ("never", "later")] == [404, 404]
    here.append(True)
    assert [client.get(f"/start/{room}-after.webp").status_code for room in ("never", "later")] == [404, 200]


def test_the_line_goes_forward_in_time(page):
    years = [int(year) for year in re.findall(r"<time>(\d+)</time>", page)]
    assert years == sorted(set(years)) and set(years) == {catalog.about(name)["year"] for name in NAMES}


@pytest.mark.parametrize("model", NAMES)
def test_a_cards_number_is_the_one_of_the_evaluation(model):
    name, number = covers.headline(model)
    key, _, data = catalog.about(model)["headline"].rpartition("-")
    assert name == f"{model}-{data}" and number["key"] == key
    stored = json.loads((catalog.WEIGHTS / name / "evaluation.json").read_text(encoding="utf-8"))["measures"]
    assert number in stored
    words = _home.number_words(name, number)
    assert number["measure"].split(",")[0] in words
    assert float(re.search(r"<b>(-?[\d.]+)", words)[1]) == pytest.approx(number["value"], rel=0.01)


def test_a_model_without_numbers_says_so(shelf):
    assert covers.headline("dcgan") == ("", {})
    assert _home.number_words("", {}) == "not measured yet"


def test_a_card_of_weights_that_are_not_here_yet_opens_without_asking_for_them(shelf):
    entry = {"repository": "a/b", "commit": "c" * 40, "file": "model.safetensors"}
    catalog.TABLE.write_text(json.dumps({"dcgan-faces": entry}), encoding="utf-8")
    catalog.table.cache_clear()
    shown = _home.card("dcgan", "gans", "GANs")
    assert "<img" not in shown and "DCGAN" in shown and "not measured yet" in shown


def test_a_cover_is_cut_from_the_models_own_sheet():
    with PIL.Image.open(catalog.WEIGHTS / "dcgan-faces" / "samples.png") as sheet:
        side = sheet.width // 8
        wanted = sheet.convert("RGB").crop((0, 0, side, side)).resize((64, 64))
    with PIL.Image.open(io.BytesIO(covers.cover("dcgan-faces"))) as made:
        assert made.size == _home.COVER
        shown = made.convert("RGB").crop((0, 0, 128, 128)).resize((64, 64))
    assert np.abs(np.asarray(shown, int) - np.asarray(wanted, int)).mean() < 6


def test_the_server_sends_every_cover_and_nothing_else():
    with TestClient(gr.routes.App.create_app(app.build(), app_kwargs=app.launch_settings()["app_kwargs"])) as client:
        for model in NAMES:
            name, _ = covers.headline(model)
            answer = client.get(f"/cover/{name}.webp")
            assert answer.status_code == 200 and answer.headers["content-type"] == "image/webp"
            assert len(answer.content) < 60_000
        for wrong in ("nobody-here", "..%2F..%2Fapp", "%2e%2e", "dcgan-faces%00", name + "/config.json"):
            answer = client.get(f"/cover/{wrong}.webp")
            assert answer.status_code == 404 and len(answer.content) < 100


@pytest.mark.parametrize("model", NAMES)
def test_what_a_result_costs_is_measured(model):
    found = re.fullmatch(r"([\d.]+) (ms|s) for (a .+|\d+ × .+), ([\d.]+) million parameters", _home.cost(model))
    assert found and float(found[1]) > 0 and float(found[4]) > 0


def test_costs_are_told_as_they_come_and_remembered(monkeypatch):
    monkeypatch.setattr(_home, "_costs", {})
    monkeypatch.setattr(_home, "cost", lambda model: f"{len(model)} ms")
    steps = list(_home.measure_costs(["vae", "dcgan"]))
    assert [json.loads(costs) for costs, _ in steps] == [{}, {"vae": "3 ms"}, {"vae": "3 ms", "dcgan": "5 ms"}]
    assert steps[1][1] == "DCGAN, 2 of 2 …"
    assert _home._costs == {"vae": "3 ms", "dcgan": "5 ms"}


def test_a_model_that_makes_no_pictures_has_no_cost():
    kind = catalog.model_class("features")
    with pytest.raises(TypeError, match="makes no pictures"):
        covers.main_verb(kind(**kind.tiny))


# ---- codes to scan ----------------------------------------------------------------------------------------------------


def test_a_code_holds_the_address():
    import segno

    link = "http://192.168.1.5:7860/?room=vae&state=%7B%22seed%22%3A+7%7D"
    shown = qr_code(link)
    assert shown.startswith("<svg") and "open this room" in shown
    assert segno.make(link, error="l", micro=False).svg_inline(
        scale=8, border=3, dark="#14133a", light="#ffffff", omitsize=True
    ) in shown  # fmt: skip


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "[::1]:7860"])
def test_an_address_of_this_computer_only_is_said_to_be_one(host):
    assert "only on this computer" in qr_code(f"http://{host}/?room=vae")


@pytest.mark.parametrize("link", [None, 7, "", "javascript:alert(1)", "file:///etc/passwd", "http:", "?room=vae"])
def test_what_is_no_address_makes_no_code(link):
    with pytest.raises(gr.Error, match="no address"):
        qr_code(link)


def test_a_state_too_large_for_a_code_is_refused():
    with pytest.raises(gr.Error, match="too much for a QR code"):
        qr_code("http://gallery.example/?state=" + "x" * 1500)


@pytest.mark.parametrize("name", ["dcgan-my cats", "dcgan-50% Füchse #1?", "dcgan-it's \"mine\" & yours"])
def test_a_cover_of_weights_of_any_name_is_found_at_its_address(name, shelf):
    shutil.copytree(ROOT / "weights" / "dcgan-mnist", shelf / name)
    covers.cover.cache_clear()
    shown = _home.card("dcgan", "gans", "GANs")
    address = html.unescape(re.search(r'src="([^"]+)"', shown)[1])
    with TestClient(Starlette(routes=[Route("/cover/{name}.webp", covers.send_cover)])) as client:
        answer = client.get(f"/{address}")
    assert answer.status_code == 200 and answer.content[:4] == b"RIFF"
    covers.cover.cache_clear()
