"""What one visitor cannot do to others: fill the sockets and the places for uploads, push out their pictures and sessions, pass for
many; and to which hosts the page answers."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import gradio as gr
import httpx
import pytest
from test_limits import Hall, png, refused

import app
from demos._server import address, connections, headers, limits
from demos._server.limits import Sessions

SOON = 30


@pytest.fixture
def trusted(monkeypatch) -> str:
    """The proxies that are believed."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    return "127.0.0.1"


@pytest.fixture
def hall(tmp_path, monkeypatch, trusted):
    """A small page, served as the program serves it."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(connections, "HEAD", 0.5)
    monkeypatch.setitem(connections.config.HTTP_PROTOCOLS, "auto", connections.config.HTTP_PROTOCOLS["auto"])
    connections.install()
    found = Hall(tmp_path)
    yield found
    found.door.set()
    found.client.close()
    found.page.close()


def upload(hall: Hall, host: str, content: bytes = b"x", count: int = 1) -> list[str]:
    """Upload files of an address; where they lie."""
    files = [("files", (f"{place}.png", content + bytes([place]))) for place in range(count)]
    answer = hall.client.post("/gradio_api/upload", files=files, headers={"X-Forwarded-For": host})
    assert answer.status_code == 200, answer.text
    return answer.json()


def place_of(hall: Hall) -> tuple[str, int]:
    return hall.client.base_url.host, hall.client.base_url.port


# ---- uploads -----------------------------------------------------------------------------------------------------------


def test_one_address_pushes_out_its_own_uploads_first(hall, monkeypatch):
    monkeypatch.setattr(limits, "MAX_UPLOADS", 6)
    (mine,) = upload(hall, "1.0.0.1", b"mine")
    time.sleep(0.02)
    theirs = [path for place in range(8) for path in upload(hall, "1.0.0.2", png() + bytes([place]))]
    assert Path(mine).is_file() and Path(theirs[-1]).is_file() and not Path(theirs[0]).exists()
    assert hall.health()["uploads"] == 6
    upload(hall, "1.0.0.2", b"many", count=20)
    hall.until(uploads=6)  # the bound holds for a request of many files, too
    assert Path(mine).is_file()
    monkeypatch.setattr(limits, "MAX_UPLOADED", limits.MAX_FORM + 1000)
    for place in range(3):
        upload(hall, "1.0.0.2", 400 * bytes([place]))
    assert Path(mine).is_file()


def test_no_empty_folder_stays(hall, monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "MAX_UPLOADS", 3)
    for place in range(6):
        upload(hall, "1.0.0.1", bytes([place]))
    folders = [path for path in (tmp_path / "cache").iterdir() if path.is_dir() and path.name != "vibe_edit_history"]
    assert len(folders) <= 3
    old, young = tmp_path / "cache" / "old", tmp_path / "cache" / "young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (1, 1))
    upload(hall, "1.0.0.1", b"next")
    end = time.monotonic() + SOON
    while old.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert young.exists()


SILENT = (
    b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %b\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000\r\n\r\n--x\r\n"
)


def test_uploads_that_fall_silent_leave_places_for_others_and_end(hall, monkeypatch):
    monkeypatch.setattr(limits, "SILENCE", 3)
    sockets = [socket.create_connection(place_of(hall)) for _ in range(limits.MAX_UPLOADING_EACH)]
    for each in sockets:
        each.sendall(SILENT % b"1.0.0.1")
    time.sleep(1)
    sentence = f"{limits.MAX_UPLOADING_EACH} files are being uploaded; try again in a moment."
    files = {"files": ("a.png", png())}
    refused(hall.client.post("/gradio_api/upload", files=files, headers={"X-Forwarded-For": "1.0.0.1"}), sentence)
    upload(hall, "1.0.0.2", png())
    for each in sockets:
        each.settimeout(SOON)
        answer = b""
        while part := each.recv(4096):
            answer += part
        assert b" 408 " in answer.split(b"\r\n", 1)[0] and limits.SLOW.encode() in answer
        each.close()
    upload(hall, "1.0.0.1", png())


def test_an_upload_that_drips_ends(hall, monkeypatch):
    """Each byte comes before the silence is too long; all of them would take a day."""
    real = time.monotonic
    with socket.create_connection(place_of(hall)) as slow:
        slow.sendall(SILENT % b"1.0.0.1")
        time.sleep(0.5)
        monkeypatch.setattr(limits.time, "monotonic", lambda: real() + 60)
        slow.settimeout(SOON)
        with pytest.raises(OSError):
            for _ in range(100):
                slow.sendall(b"x")
                time.sleep(0.05)


# ---- connections -------------------------------------------------------------------------------------------------------


HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("begun", [b"", b"GET / HT", HEALTH, HEALTH + b"\r\nGET / HT"])
def test_a_request_without_an_end_of_its_headers_is_cut_off(hall, begun):
    with socket.create_connection(place_of(hall)) as idle:
        idle.sendall(begun)
        idle.settimeout(SOON)
        start = time.monotonic()
        while idle.recv(65536):
            pass
        assert time.monotonic() - start < 10
    assert hall.health()


def test_a_dripping_header_is_cut_off(hall):
    with socket.create_connection(place_of(hall)) as slow, pytest.raises(OSError):
        for letter in 100 * b"GET / HTTP/1.1\r\nX-Long: ":
            slow.sendall(bytes([letter]))
            time.sleep(0.05)


def test_long_work_is_not_cut_off(hall):
    event = hall.join(None).json()["event_id"]
    with hall.client.stream("GET", f"/gradio_api/call/wait/{event}") as stream:
        time.sleep(1.5)
        hall.door.set()
        assert "event: complete" in "".join(stream.iter_text())


def test_an_address_has_so_many_connections_and_a_proxy_any_number(hall, monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 5)
    monkeypatch.setattr(connections, "HEAD", 20)
    proxy = [socket.create_connection(place_of(hall)) for _ in range(8)]
    visitor = [socket.create_connection(place_of(hall), source_address=("127.0.0.2", 0)) for _ in range(8)]
    time.sleep(0.5)
    for each in (*proxy, *visitor):
        each.setblocking(False)

    def closed(each: socket.socket) -> bool:
        try:
            return each.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    assert [closed(each) for each in proxy] == 8 * [False]
    assert sum(closed(each) for each in visitor) == 3
    for each in (*proxy, *visitor):
        each.close()
    end = time.monotonic() + SOON
    while connections._open:
        assert time.monotonic() < end
        time.sleep(0.05)


# ---- addresses ---------------------------------------------------------------------------------------------------------


def seen_from(hall: Hall, source: str, forwarded: str) -> int:
    """Requests that are accepted of a visitor who is at ``forwarded``, as the peer ``source`` says, after 24 from another."""
    with httpx.Client(base_url=hall.address, timeout=SOON, transport=httpx.HTTPTransport(local_address=source)) as client:
        number = next(number for number, event in hall.page.fns.items() if event.queue and event.api_name == "wait")
        for place in range(limits.MAX_ADDRESS):
            body = {"data": ["a"], "fn_index": number, "session_hash": f"{source} {place}"}
            client.post("/gradio_api/queue/join", json=body, headers={"X-Forwarded-For": "203.0.113.1"})
        body["session_hash"] = f"{source} other"
        return client.post("/gradio_api/queue/join", json=body, headers={"X-Forwarded-For": forwarded}).status_code


class TestBehindAnotherProxy:
    @pytest.fixture
    def trusted(self, monkeypatch) -> str:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", address.trusted_proxies("127.0.0.2"))
        return "127.0.0.2"

    def test_its_visitors_are_told_apart(self, hall):
        assert seen_from(hall, "127.0.0.2", "203.0.113.2") == 200

    def test_nobody_else_is_believed(self, hall):
        assert seen_from(hall, "127.0.0.3", "203.0.113.2") == 429


@pytest.mark.parametrize(
    "given, environment, proxies",
    [
        (None, {}, ""), ("", {"FORWARDED_ALLOW_IPS": "10.0.0.1"}, ""), (None, {"FORWARDED_ALLOW_IPS": "10.0.0.1"}, "10.0.0.1"),
        (None, {"SPACE_ID": "a/b"}, address.PRIVATE), ("10.0.0.0/8, ::1", {"SPACE_ID": "a/b"}, "10.0.0.0/8,::1"), ("*", {}, "*"),
    ],
)  # fmt: skip
def test_which_proxies_are_believed(given, environment, proxies, monkeypatch):
    for name in ("FORWARDED_ALLOW_IPS", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert address.trusted_proxies(given) == proxies


@pytest.mark.parametrize("given", ["nginx", "10.0.0.300", "10.0.0.0/99"])
def test_what_is_no_proxy_is_refused(given):
    with pytest.raises(address.AddressError, match="is neither an address nor a network such as 10.0.0.0/8"):
        address.trusted_proxies(given)


@pytest.mark.parametrize(
    "host, proxies, found",
    [
        ("10.1.2.3", address.PRIVATE, True), ("8.8.8.8", address.PRIVATE, False), ("::1", "::1", True), ("x", "10.0.0.0/8", False),
        ("1.2.3.4", "*", True), ("1.2.3.4", "", False), ("1.2.3.4", "nginx", False),
    ],
)  # fmt: skip
def test_an_address_is_among_networks(host, proxies, found):
    assert connections.is_among(host, proxies) == found


# ---- sessions ----------------------------------------------------------------------------------------------------------


def test_one_address_ends_its_own_sessions_first():
    with gr.Blocks() as page:
        state = gr.State([0])
    page.state_session_capacity = 5
    sessions = Sessions()
    sessions.set_blocks(page)
    limits.visitor.set("1.0.0.1")
    sessions["mine"][state._id] = [7]
    limits.visitor.set("1.0.0.2")
    for place in range(50):
        assert sessions[f"invented {place}"] is not None
    assert sessions["mine"][state._id] == [7]
    assert list(sessions.session_data) == [*(f"invented {place}" for place in range(46, 50)), "mine"]
    assert set(sessions.owners) == set(sessions.session_data) == set(sessions.time_last_used)


@pytest.mark.parametrize("way", ["queue", "direct"])
def test_invented_sessions_push_out_nobody_elses(hall, way):
    hall.page.state_holder.capacity = 4
    hall.door.set()
    hall.join("mine", host="1.0.0.1")
    hall.until(running=0, waiting=0, sessions=1)
    number = next(number for number, event in hall.page.fns.items() if not event.queue and event.fn is not None)
    for place in range(12):
        if way == "queue":
            assert hall.join(f"invented {place}", host="1.0.0.2").status_code == 200
            hall.until(running=0, waiting=0)
        else:
            body = {"data": ["a"], "fn_index": number, "session_hash": f"invented {place}"}
            assert hall.client.post("/gradio_api/run/predict", json=body, headers={"X-Forwarded-For": "1.0.0.2"}).status_code == 200
    assert "mine" in hall.page.state_holder and hall.health()["sessions"] == 4


@pytest.mark.parametrize("folder", ["static", "assets", "svelte", "part", "cover", "gradio_api/file=", "prepared", "nothing"])
@pytest.mark.parametrize("length", [300, 5000])
def test_an_endless_name_is_that_of_no_page(hall, folder, length):
    answer = hall.client.get(f"/{folder}/{length * 'a'}")
    assert answer.status_code in (403, 404) and "Something went wrong" not in answer.text


# ---- hosts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host, answers",
    [
        ("gallery.example", True), ("gallery.example:8000", True), ("GALLERY.example", True), ("a.courses.example", True),
        ("127.0.0.1:7860", True), ("localhost", True), ("[::1]:7860", True), ("evil.example", False), ("courses.example", False),
        ("gallery.example.evil.example", False), ("", False), ("[::2]", False), ("xcourses.example", False), ("[", False),
    ],
)  # fmt: skip
def test_a_page_with_a_list_of_hosts_answers_to_these_alone(host, answers):
    guarded = headers.Guarded(None, ["gallery.example", "*.courses.example"])
    assert guarded.answers_to(host) == answers
    assert headers.Guarded(None).answers_to(host)


def test_another_name_is_refused_over_http_whichever_header_says_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    real = app.launch_settings
    monkeypatch.setattr(app, "launch_settings", lambda page: real(page, ["gallery.example"]))
    hall = Hall(tmp_path)
    try:
        for name in ("Host", "X-Forwarded-Host"):
            answer = hall.client.get("/config", headers={name: "evil.example"})
            assert (answer.status_code, answer.text) == (421, "This gallery does not answer to that name.")
            assert hall.client.get("/config", headers={name: "gallery.example"}).status_code == 200
        assert "https://gallery.example:*" in answer.headers["Content-Security-Policy"]
    finally:
        hall.client.close()
        hall.page.close()


@pytest.mark.parametrize("path", ["/", "/config", "/health", "/gradio_api/file=/etc/passwd", "/nothing/here", "/part/x"])
def test_every_answer_says_what_browsers_may_not_do_with_it(hall, path):
    sent = hall.client.get(path).headers
    assert sent["X-Content-Type-Options"] == "nosniff"
    policy = dict(rule.strip().split(" ", 1) for rule in sent["Content-Security-Policy"].split(";"))
    assert "https://huggingface.co" in policy["frame-ancestors"] and "*" not in policy["frame-ancestors"].split()
    assert policy["object-src"] == "'none'" and "http" not in policy["default-src"]
