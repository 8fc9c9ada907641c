"""What a crowd may have in hand: places in the queue, requests beside it, results, sessions, uploads."""

from __future__ import annotations

import asyncio
import io
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import gradio as gr
import httpx
import PIL.Image
import pytest
from gradio.route_utils import delete_files_created_by_app
from playwright.sync_api import expect

import app
from demos._kit.events import HEAVY, QUICK
from demos._kit.inputs import CheckedImage
from demos._server import limits

SOON = 30


class Hall:
    """A small page with a door in it: what waits in front of it goes on when it is opened."""

    def __init__(self, cache: Path) -> None:
        self.door, self.inside = threading.Event(), []
        with limits.Page(delete_cache=(3600, 3600)) as self.page:
            text, picture = gr.Textbox("a", label="Text"), CheckedImage()
            button, told = gr.Button("Walk in"), gr.Textbox(label="Told")
            button.click(self.wait, text, told, **HEAVY)
            text.input(self.wait, text, told, **QUICK)
            picture.upload(lambda picture: "seen", picture, told, api_visibility="private")
            gr.api(self.wait, api_name="wait", concurrency_id="models")
        self.page.queue(max_size=limits.MAX_WAITING, default_concurrency_limit=1, api_open=False)
        _, self.address, _ = self.page.launch(
            prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **app.launch_settings(self.page)
        )
        self.client = httpx.Client(base_url=self.address, timeout=SOON, limits=httpx.Limits(max_connections=100))
        self.events = {(event.fn is not None, event.queue): number for number, event in self.page.fns.items() if event.inputs}

    def wait(self, text: str = "a") -> str:
        """Wait for the door."""
        self.inside.append(text)
        assert self.door.wait(SOON)
        return "in"

    def join(self, session: str | None, host: str = "1.0.0.1") -> httpx.Response:
        """A place in the queue; a server behind a proxy on its own machine learns the visitor's address from it."""
        header = {"X-Forwarded-For": host}
        if session is None:
            return self.client.post("/gradio_api/call/wait", json={"data": ["a"]}, headers=header)
        number = next(number for number, event in self.page.fns.items() if event.queue and event.api_name == "wait")
        body = {"data": ["a"], "fn_index": number, "session_hash": session}
        return self.client.post("/gradio_api/queue/join", json=body, headers=header)

    def health(self) -> dict:
        return self.client.get("/health").json()

    def until(self, **figures: int) -> None:
        """Wait until ``/health`` says so."""
        end = time.monotonic() + SOON
        while (told := self.health()) | figures != told:
            assert time.monotonic() < end, (told, figures)
            time.sleep(0.02)


@pytest.fixture
def hall(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    found = Hall(tmp_path)
    yield found
    found.door.set()
    found.client.close()
    found.page.close()


def refused(answer: httpx.Response, sentence: str) -> None:
    assert answer.status_code == 429 and answer.json() == {"detail": sentence}
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("session", ["a", None], ids=["session", "none"])
def test_a_visitor_has_so_many_places_and_others_have_theirs(hall, session):
    for _ in range(limits.MAX_OWN):
        assert hall.join(session).status_code == 200
    refused(hall.join(session), limits.ENOUGH.format(limits.MAX_OWN))
    assert hall.join("b").status_code == 200
    assert hall.join(None, host="1.0.0.2").status_code == 200
    hall.until(waiting=limits.MAX_OWN + 1, running=1)
    hall.door.set()
    hall.until(waiting=0, running=0)
    assert len(hall.inside) == limits.MAX_OWN + 2
    assert hall.join(session).status_code == 200


def test_an_address_leaves_places_for_others(hall):
    for place in range(limits.MAX_ADDRESS):
        assert hall.join(f"visitor {place // 5}").status_code == 200
    refused(hall.join("one more"), limits.CROWDED.format(limits.MAX_ADDRESS))
    assert hall.join("one more", host="1.0.0.2").status_code == 200


def test_a_full_queue_says_so_over_http(hall):
    for place in range(limits.MAX_WAITING + 1):  # one of them walks up to the door
        assert hall.join(f"{place}", host=f"1.0.0.{place}").status_code == 200
        if not place:
            hall.until(running=1, waiting=0)
    refused(hall.join("late", host="2.0.0.1"), "The gallery is busy: 32 requests are waiting. Try again in a moment.")
    told = hall.health()
    assert told["waiting"] == told["waiting_most"] == limits.MAX_WAITING and told["running"] == 1
    hall.door.set()
    hall.until(waiting=0, running=0)


@pytest.mark.browser
def test_a_visitor_reads_the_place_in_the_queue_and_that_it_is_full(hall, chromium):
    assert hall.join("first", host="1.0.0.9").status_code == 200
    hall.until(running=1)
    for place in range(3):
        assert hall.join(f"{place}", host=f"1.0.0.{place}").status_code == 200
    with chromium.new_context() as context:
        one, other = context.new_page(), context.new_page()
        for page in (one, other):
            page.goto(hall.address)
        one.get_by_role("button", name="Walk in").click()
        expect(one.get_by_text(re.compile(r"queue: 4/4")).first).to_be_visible(timeout=1000 * SOON)
        for place in range(4, limits.MAX_WAITING):
            assert hall.join(f"{place}", host=f"1.0.0.{place}").status_code == 200
        other.get_by_role("button", name="Walk in").click()
        expect(other.locator(".toast-body")).to_contain_text(limits.BUSY.format(limits.MAX_WAITING), timeout=1000 * SOON)
        hall.door.set()
        expect(one.get_by_label("Told")).to_have_value("in", timeout=1000 * SOON)


def test_requests_beside_the_queue_are_bounded_for_a_session_and_an_address(hall):
    number = next(number for number, event in hall.page.fns.items() if not event.queue and event.fn is not None)

    def ask(session: str) -> httpx.Response:
        return hall.client.post("/gradio_api/run/predict", json={"data": ["a"], "fn_index": number, "session_hash": session})

    with ThreadPoolExecutor(40) as pool:
        first = [pool.submit(ask, "a") for _ in range(limits.MAX_OWN)]
        hall.until(direct=limits.MAX_OWN)
        answer = ask("a")
        assert answer.status_code == 500 and answer.json()["error"] == limits.ENOUGH.format(limits.MAX_OWN)
        others = [pool.submit(ask, f"b{place}") for place in range(limits.MAX_ADDRESS - limits.MAX_OWN)]
        hall.until(direct=limits.MAX_ADDRESS)
        assert ask("c").json()["error"] == limits.CROWDED.format(limits.MAX_ADDRESS)
        hall.door.set()
        assert {each.result().status_code for each in (*first, *others)} == {200}
    hall.until(direct=0)
    assert ask("a").status_code == 200


def test_more_than_have_a_place_stand_in_line(hall, monkeypatch):
    """And who stood there for too long is told so, and counts no more."""
    number = next(number for number, event in hall.page.fns.items() if not event.queue and event.fn is not None)

    def ask(place: int, text: str) -> httpx.Response:
        body = {"data": [text], "fn_index": number, "session_hash": f"visitor {place}"}
        return hall.client.post("/gradio_api/run/predict", json=body, headers={"X-Forwarded-For": f"1.0.0.{place}"})

    with ThreadPoolExecutor(60) as pool:
        first = [pool.submit(ask, place, "in") for place in range(limits.MAX_DIRECT)]
        hall.until(direct=limits.MAX_DIRECT)
        monkeypatch.setattr(limits, "PATIENCE", 0.5)
        answer = ask(90, "hasty")
        assert answer.status_code == 500 and answer.json()["error"] == limits.BUSY.format(1)
        monkeypatch.setattr(limits, "PATIENCE", SOON)
        hall.until(direct=limits.MAX_DIRECT)
        later = []
        for place in range(5):
            later.append(pool.submit(ask, 100 + place, f"{place}"))
            hall.until(direct=limits.MAX_DIRECT + place + 1)
        monkeypatch.setattr(limits, "MAX_STANDING", 5)
        assert ask(91, "late").json()["error"] == limits.BUSY.format(5)
        assert hall.inside == ["in"] * limits.MAX_DIRECT, "those who stand there are not let in"
        hall.door.set()
        assert {each.result().status_code for each in (*first, *later)} == {200}
    hall.until(direct=0)
    assert sorted(hall.inside[limits.MAX_DIRECT :]) == list("01234")


@pytest.mark.parametrize("cause, quiet", [(asyncio.CancelledError(), True), (None, False)], ids=["left", "a fault"])
def test_a_stream_whose_visitor_left_leaves_no_trace_in_the_log(cause, quiet):
    sent = []

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("session") from cause

    async def send(message):
        sent.append(message["type"])

    scope = {"type": "http", "path": "/gradio_api/queue/data", "method": "GET", "headers": []}
    with nullcontext() if quiet else pytest.raises(KeyError):
        asyncio.run(limits.Bounds(stream)(scope, None, send))
    assert sent == ["http.response.start", "http.response.body"][: 1 + quiet]


def test_work_that_ends_while_it_is_stopped_is_stopped(hall):
    class Ending(dict):
        """What another just took out: it was there when the route looked."""

        def __delitem__(self, event):
            raise KeyError(event)

    hall.page.app.iterators = Ending(event=iter(()))
    body = {"session_hash": "a", "fn_index": 0, "event_id": "event"}
    answer = hall.client.post("/gradio_api/cancel", json=body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert hall.client.post("/gradio_api/cancel", json={"session_hash": "a"}).status_code == 400
    asyncio.run(hall.page._queue.reset_iterators("event"))


def test_a_result_that_nobody_fetches_is_dropped(hall, monkeypatch):
    hall.door.set()
    event = hall.join(None).json()["event_id"]
    hall.until(waiting=0, running=0)
    queue = hall.page._queue
    assert event in queue.pending_messages_per_session and event in queue.pending_event_ids_session
    fetched = hall.join(None).json()["event_id"]
    assert "event: complete" in hall.client.get(f"/gradio_api/call/wait/{fetched}").text
    monkeypatch.setattr(limits, "FORGOTTEN", 0)
    hall.until(running=0)
    hall.join("page")
    assert event not in queue.pending_messages_per_session and event not in queue.pending_event_ids_session
    answer = hall.client.get(f"/gradio_api/call/wait/{event}")
    assert answer.status_code == 404 and answer.json() == {"detail": limits.FETCHED}


def test_a_result_on_its_way_is_kept(hall, monkeypatch):
    monkeypatch.setattr(limits, "FORGOTTEN", 0)
    event = hall.join(None).json()["event_id"]
    hall.until(running=1)
    hall.join("page")
    hall.door.set()
    assert 'data: ["in"]' in hall.client.get(f"/gradio_api/call/wait/{event}").text


def test_callers_without_a_session_push_nobodys_out(hall):
    hall.door.set()
    hall.join("page")
    hall.until(running=0, waiting=0, sessions=1)
    for _ in range(5):
        hall.join(None)
    hall.until(running=0, waiting=0, sessions=1)


def test_a_session_remembers_nothing_of_what_was_sent_and_shown(hall):
    hall.door.set()
    number = next(number for number, event in hall.page.fns.items() if not event.queue and event.fn is not None)
    body = {"data": ["abc"], "fn_index": number, "session_hash": "page"}
    assert hall.client.post("/gradio_api/run/predict", json=body).status_code == 200
    assert hall.inside == ["abc"]
    assert isinstance(hall.page.state_holder["page"], limits.Session)
    assert not hall.page.state_holder["page"].config_values


def test_a_session_keeps_its_own_state_and_parts_that_changed():
    with gr.Blocks() as page:
        text, state = gr.Textbox("a"), gr.State([0])
    page.state_session_capacity = 2
    sessions = limits.Sessions()
    sessions.set_blocks(page)
    sessions["a"][state._id] = [7]
    sessions["a"][text._id] = gr.Textbox("b", render=False)
    assert sessions["a"][state._id] == [7] and sessions["b"][state._id] == [0]
    assert sessions["a"][text._id].value == "b" and sessions["b"][text._id] is text
    assert not sessions["a"].config_values and list(sessions.session_data) == ["b", "a"]
    assert "c" not in sessions and sessions["c"] is not None and list(sessions.session_data) == ["a", "c"]


def png() -> bytes:
    stream = io.BytesIO()
    PIL.Image.new("L", (8, 8)).save(stream, "PNG")
    return stream.getvalue()


def test_what_is_uploaded_over_http_is_deleted_with_the_pages_own(hall):
    (path,) = hall.client.post("/gradio_api/upload", files={"files": ("a.png", png())}).json()
    assert hall.health()["uploads"] == 1
    delete_files_created_by_app(hall.page, 3600)
    assert Path(path).is_file()
    delete_files_created_by_app(hall.page, -1)
    assert not Path(path).exists() and hall.health()["uploads"] == 0


def test_the_oldest_uploads_make_room(hall, monkeypatch):
    monkeypatch.setattr(limits, "MAX_UPLOADS", 3)
    paths = []
    for place in range(5):
        paths += hall.client.post("/gradio_api/upload", files={"files": (f"{place}.png", png() + bytes([place]))}).json()
        time.sleep(0.02)
    assert [Path(path).is_file() for path in paths] == [False, False, True, True, True]
    monkeypatch.setattr(limits, "MAX_UPLOADED", limits.MAX_FORM)  # no room but for the next request
    paths += hall.client.post("/gradio_api/upload", files={"files": ("5.png", png())}).json()
    assert [Path(path).is_file() for path in paths] == [False] * 5 + [True]
    assert hall.health()["uploads"] == 1


def test_only_what_broken_uploads_left_is_swept(tmp_path):
    old, other, left = tmp_path / "tmpold12345", tmp_path / "folder", tmp_path / "tmpnew67_89"
    other.mkdir()
    for file in (old, other / "tmpnew67890", left):
        file.write_bytes(b"x")
    os.utime(old, (1, 1))
    limits.sweep(tmp_path, time.time() - 5)
    assert not left.exists() and old.exists() and (other / "tmpnew67890").exists()
