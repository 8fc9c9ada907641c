"""Whatever is sent to the server, it answers soon, in plain words, gives nothing away, and goes on."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import struct
import sys
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import pytest
from browsing import serving
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SOON = 20
"""Seconds for an answer; a busy machine is slow, and nothing here computes long."""
SECRET = "nobody should read this line"
FEW = {"count": 1, "steps": 1, "iterations": 1, "size": 256}
"""What makes a verb that is not refused cheap."""
TRACES = re.compile(
    r"Traceback|site-packages|\.py\b|<class|<function|\b0x[0-9a-f]{6}|\b\w+(?:Error|Exception)\b|/(?:tmp|home|usr|work|root)/"
)
"""What tells of the inside of a server."""


def fixed(max_examples: int):
    """The same examples each time, without a database or a deadline for one of them."""
    return settings(
        max_examples=max_examples, derandomize=True, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )  # fmt: skip


# ---- the server -------------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What came back: whether a result did, and the words or the result as JSON."""

    done: bool
    text: str
    status: int

    def sentence(self) -> str:
        """The words of a refusal."""
        told = json.loads(self.text)
        return told.get("detail") or told.get("error") if isinstance(told, dict) else told


class Server:
    """The gallery over HTTP."""

    def __init__(self, address: str, folder: Path) -> None:
        self.folder = folder
        self.client = httpx.Client(base_url=address, timeout=SOON)
        self.verbs = self.client.get("/gradio_api/info").json()["named_endpoints"]
        self.config = self.client.get("/config").json()
        self.kinds = {part["id"]: part["type"] for part in self.config["components"]}
        self.start = {part["id"]: part["props"].get("value") for part in self.config["components"]}
        self.actions = [event for event in self.config["dependencies"] if event["backend_fn"] and event["inputs"]]
        """Events of the page that take values."""

    def log(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8")

    def defaults(self, verb: str) -> dict[str, Any]:
        """Values that a verb takes, cheap ones."""
        return {
            part["parameter_name"]: FEW.get(part["parameter_name"], part["parameter_default"])
            for part in self.verbs[verb]["parameters"]
        }

    def post(self, path: str, body: Any) -> httpx.Response:
        """A body as JSON, NaN and infinities too."""
        return self.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})

    def call(self, verb: str, values: list[Any]) -> Answer:
        """What a verb answers."""
        sent = self.post(f"/gradio_api/call{verb}", {"data": values})
        if sent.status_code != 200:
            return Answer(False, sent.text, sent.status_code)
        found = self.client.get(f"/gradio_api/call{verb}/{sent.json()['event_id']}")
        kind, told = re.findall(r"event: (\w+)\ndata: (.*)", found.text)[-1]
        return Answer(kind == "complete", told, found.status_code)

    def press(self, action: dict[str, Any], values: Any, **more: Any) -> Answer:
        """What an event of the page answers, at the end."""
        session = uuid.uuid4().hex[:11]
        body = {"fn_index": action["id"], "session_hash": session, "data": values, "trigger_id": None, **more}
        if not action["queue"]:
            sent = self.post("/gradio_api/run/predict", body)
            return Answer(sent.status_code == 200, sent.text, sent.status_code)
        sent = self.post("/gradio_api/queue/join", body)
        if sent.status_code != 200:
            return Answer(False, sent.text, sent.status_code)
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                told = json.loads(line[5:]) if line.startswith("data:") else {}
                if told.get("msg") == "process_completed":
                    return Answer(told["success"], json.dumps(told["output"]), 200)
        raise AssertionError("the stream ended without an answer")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """The page as it is served; nothing that is sent to it here may leave a traceback in its log."""
    folder = tmp_path_factory.mktemp("api")
    with serving(folder, sys.executable, "app.py") as address:
        served = Server(address, folder)
        yield served
        good(served)
        served.client.close()
    assert "Traceback" not in served.log(), served.log()[-4000:]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> dict[str, Path]:
    """Files of the server that are nobody's business: a text and a picture."""
    folder = tmp_path_factory.mktemp("foreign")
    text, picture = folder / "secret.txt", folder / "secret.png"
    text.write_text(SECRET, encoding="utf-8")
    PIL.Image.new("RGB", (64, 64), (201, 17, 93)).save(picture)
    return {"text": text, "picture": picture}


def good(server: Server) -> None:
    """The server still does what it is for."""
    verb = min(name for name in server.verbs if name.endswith("_sample"))
    answer = server.call(verb, list(server.defaults(verb).values()))
    assert answer.done and "data:image/png;base64," in answer.text, answer.text[:500]


def plain(answer: Answer) -> None:
    """A refusal is one short sentence that tells nothing of the inside."""
    sentence = answer.sentence()
    assert isinstance(sentence, str) and 10 < len(sentence) <= 400, answer.text[:500]
    assert "\n" not in sentence and sentence.rstrip()[-1] in ".!)", sentence
    assert sentence[0].isupper(), sentence
    assert "went wrong" not in sentence, sentence  # that is what the page says of what nobody expected
    assert not TRACES.search(sentence) and str(ROOT) not in sentence, sentence


def held(answer: Answer, began: float) -> None:
    """The property: soon, a result or a plain sentence, nothing of a foreign file."""
    assert time.monotonic() - began < SOON
    assert SECRET not in answer.text and "root:" not in answer.text
    if not answer.done:
        plain(answer)


# ---- what is sent -----------------------------------------------------------------------------------------------------


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few kB that says it has side x side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(side // 8 + 1)) for _ in range(1000)) + rows.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def uri(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png(size: tuple[int, int] = (32, 24), what: str = "linear_gradient") -> bytes:
    stream = io.BytesIO()
    getattr(PIL.Image, what)("L").resize(size).save(stream, "PNG")
    return stream.getvalue()


def deep(levels: int) -> list:
    found: list = []
    for _ in range(levels):
        found = [found]
    return found


PATHS = [
    "/etc/passwd", "../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:9/picture.png", "app.py", "\x00", "C:\\boot.ini",
]  # fmt: skip
META = {"meta": {"_type": "gradio.FileData"}}
FILES = [
    entry | more
    for path in PATHS
    for entry in ({"path": path}, {"path": "", "url": path}, {"path": path, "url": path})
    for more in ({}, META)
]
NASTY: list[Any] = [
    math.nan, math.inf, -math.inf, -1, 0, 0.5, 10**9, 10**400, 1e308, -0.0, "abc", "", " ", "NaN", "7", None, [], {}, [1, 2],
    [None], {"a": 1}, {"__type__": "update", "value": 1}, True, False, "\u0000", "\ud800",
    "x" * 10**5, "1," * 50_000, "1 2\n" * 25_000, "[" * 10**5, deep(90), deep(900), {"a": deep(50)}, [[1, [2]], "three"],
    uri(png())[:-30], uri(b"no picture"), uri(b"no picture", "text/html"), uri(bomb()), uri(png()).replace("png", "svg+xml"),
    "data:", *PATHS, *FILES, [FILES[1]], {"background": FILES[1], "layers": [FILES[1]], "composite": FILES[1]},
    {"background": None, "layers": [], "composite": None, "id": "/etc/passwd"},
    {"path": uri(png())} | META, {"path": "x", "url": uri(png())} | META,
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=8), parts, max_size=4), max_leaves=8,
)  # fmt: skip
STRANGE = st.sampled_from(NASTY) | JSON


# ---- verbs ------------------------------------------------------------------------------------------------------------


def test_every_room_has_verbs(server):
    import app

    rooms = {name for members in app.rooms().values() for name in members}
    assert {room for room in rooms for verb in server.verbs if verb.startswith(f"/{room}_")} == rooms


def test_every_picture_verb_takes_a_file_and_base64(server):
    """The same answer either way, the file as gradio_client.handle_file sends it, and another to another picture."""
    content = png((64, 64))
    (path,) = server.client.post("/gradio_api/upload", files={"files": ("face.png", content)}).json()
    found = [verb for verb in server.verbs if "picture" in server.defaults(verb)]
    assert len(found) >= 10
    told_apart = set()
    for verb in found:
        values = server.defaults(verb)
        ways = [uri(content), {"path": path, "orig_name": "face.png"} | META, uri(png((64, 64), "radial_gradient"))]
        answers = [server.call(verb, list((values | {"picture": way}).values())) for way in ways]
        for answer in answers:
            assert answer.done or "face" in answer.sentence(), (verb, answer.text[:300])
        encoded, uploaded, other = (re.sub(r'"milliseconds": [^,]+,', "", answer.text) for answer in answers)
        assert encoded == uploaded, verb
        if encoded != other:
            told_apart.add(verb)
    assert set(found) - told_apart <= {"/edsr_faces"}  # there is no face in either


@fixed(200)
@given(data=st.data())
def test_a_verb_with_a_strange_value_answers_in_plain_words(server, data):
    verb, place = data.draw(st.sampled_from([(verb, part) for verb in sorted(server.verbs) for part in server.defaults(verb)]))
    values = server.defaults(verb) | {place: data.draw(STRANGE)}
    began = time.monotonic()
    held(server.call(verb, list(values.values())), began)


@fixed(60)
@given(data=st.data())
def test_a_verb_with_all_values_strange_is_refused_in_plain_words(server, data):
    verb = data.draw(st.sampled_from(sorted(server.verbs)))
    began = time.monotonic()
    held(server.call(verb, [data.draw(STRANGE) for _ in server.defaults(verb)]), began)


def test_every_verb_refuses_too_few_and_too_many_values(server):
    for verb in server.verbs:
        values = list(server.defaults(verb).values())
        for wrong in ([], values[:-1], [*values, 1], values * 30):
            answer = server.call(verb, wrong)
            plain(answer)
            assert not answer.done and re.match(rf"This takes {len(values)} values?; {len(wrong)} came", answer.sentence())


def test_named_values_are_taken_and_others_refused(server):
    verb = min(name for name in server.verbs if name.endswith("_sample"))
    sent = server.post(f"/gradio_api/call/v2{verb}", server.defaults(verb))
    assert sent.status_code == 200
    told = server.client.get(f"/gradio_api/call/v2{verb}/{sent.json()['event_id']}").text
    assert "event: complete" in told
    for wrong in ({"nobody": 1}, {"seed": 7, "data": []}, {"\x00": None}):
        answer = server.post(f"/gradio_api/call/v2{verb}", wrong)
        assert answer.status_code == 400
        plain(Answer(False, answer.text, answer.status_code))


# ---- the page's own events --------------------------------------------------------------------------------------------


def is_picture(server: Server, action: dict[str, Any]) -> list[int]:
    """Places of an event's values that are files."""
    return [place for place, part in enumerate(action["inputs"]) if server.kinds[part] in ("image", "imageeditor", "uploadbutton")]


@fixed(200)
@given(data=st.data())
def test_an_event_of_the_page_with_strange_values_answers_in_plain_words(server, data):
    # a training in the page goes on for minutes where nothing is wrong with its values
    action = data.draw(st.sampled_from([action for action in server.actions if action["api_name"] != "train"]))
    values = [server.start[part] for part in action["inputs"]]
    for place in data.draw(st.sets(st.sampled_from(range(len(values))), min_size=1)):
        values[place] = data.draw(STRANGE)
    said = data.draw(st.none() | st.dictionaries(st.sampled_from(["index", "x", "y", "points", "room"]), STRANGE, max_size=3))
    began = time.monotonic()
    held(server.press(action, values, event_data=said), began)


def test_an_event_of_the_page_without_its_values_answers_in_plain_words(server):
    for action in server.actions:
        answer = server.press(action, [None] * (len(action["inputs"]) - 1))
        if not answer.done:  # one that cancels others takes no values
            plain(answer)
        assert answer.done <= bool(action["cancels"])


@pytest.mark.parametrize("more", [{}, META], ids=["bare", "meta"])
@pytest.mark.parametrize("field", ["path", "url"])
@pytest.mark.parametrize("kind", ["text", "picture"])
def test_no_event_reads_a_foreign_file(server, foreign, kind, field, more):
    sent = {"path": "", field: str(foreign[kind])} | more
    tried = 0
    for action in server.actions:
        for place in is_picture(server, action):
            values: list[Any] = [None] * len(action["inputs"])
            part = action["inputs"][place]
            values[place] = sent if server.kinds[part] != "imageeditor" else {"background": sent, "layers": [], "composite": sent}
            answer = server.press(action, values)
            assert not answer.done
            plain(answer)
            tried += 1
    assert tried > 10


@pytest.mark.parametrize("path", ["/etc/passwd", "\x00", "app.py", {"a": 1}])
def test_an_event_that_names_a_foreign_file_is_refused(server, path):
    action = next(action for action in server.actions if action["targets"][0][1] == "pick")
    answer = server.press(action, [server.start[part] for part in action["inputs"]], event_data={"index": {"path": path} | META})
    assert not answer.done and answer.sentence() != ""
    plain(answer)


def test_a_bomb_and_a_file_that_is_gone_are_told(server):
    sent = server.client.post("/gradio_api/upload", files={"files": ("bomb.png", bomb())}).json()
    action, place = next((action, places[0]) for action in server.actions for places in [is_picture(server, action)]
                         if places and server.kinds[action["inputs"][places[0]]] == "image")  # fmt: skip
    values: list[Any] = [None] * len(action["inputs"])
    values[place] = {"path": sent[0]} | META
    answer = server.press(action, values)
    assert not answer.done and "million pixels" in answer.sentence()
    Path(sent[0]).unlink()
    answer = server.press(action, values)
    assert not answer.done and answer.sentence() == "This file is no longer here; upload it again."


# ---- bodies -----------------------------------------------------------------------------------------------------------


BODIES = {
    "no JSON": b"seed=7", "half": b'{"data": [1, 2', "nothing": b"", "a list": b"[1, 2]", "a number": b"7", "null": b"null",
    "no data": b"{}", "data is text": b'{"data": "abc"}', "data is null": b'{"data": null}',
    "data is an object": b'{"data": {"a": 1}}',
    "no number": b'{"data": [NaN], "fn_index": NaN}', "no such number": b'{"data": [], "fn_index": 100000}',
    "a negative number": b'{"data": [], "fn_index": -1}', "an endless number": b'{"data": [], "fn_index": 1' + b"0" * 400 + b"}",
    "bytes": bytes(range(256)) * 10, "deep": b'{"data": ' + b"[" * 50_000,
    "a deep value": b'{"data": ' + b"[" * 900 + b"]" * 900 + b"}",
    "a long session": b'{"data": [], "fn_index": 0, "session_hash": "' + b"a" * 5000 + b'"}',
    "an endless session": b'{"data": [], "fn_index": 0, "session_hash": "' + b"a" * 500_000 + b'"}',
    "a session that is a list": b'{"data": [], "fn_index": 0, "session_hash": []}',
    "a wrong trigger": b'{"data": [], "fn_index": 0, "session_hash": "a", "trigger_id": "x"}',
}  # fmt: skip
ROUTES = [
    "call/dcgan_sample", "call/nobody", "call/v2/dcgan_sample", "call/v2/nobody", "run/predict", "run/nobody", "api/predict",
    "queue/join", "cancel", "reset", "component_server", "upload", "process_recording", "vibe-edit",
]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_that_is_none_is_refused_in_plain_words(server, route):
    for name, body in BODIES.items():
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
            answer = server.client.post(f"/gradio_api/{route}", content=body, headers={"Content-Type": kind})
            if answer.status_code == 200 and (route.startswith("call/") and "event_id" in answer.json() or answer.json() == []):
                continue  # the values are looked at later, and an upload of nothing is one of no files
            assert 400 <= answer.status_code < 500 or answer.status_code == 500 and "error" in answer.json(), (name, answer.text)
            said = answer.json() if "json" in answer.headers["content-type"] else {"detail": answer.text}
            sentence = said.get("detail") or said.get("error")
            assert isinstance(sentence, str) and 5 < len(sentence) < 300 and not TRACES.search(sentence), (name, kind, answer.text)


def test_an_oversize_body_is_refused_before_it_is_read(server):
    for route in (*ROUTES[:-2], "nowhere"):
        began = time.monotonic()
        answer = server.client.post(f"/gradio_api/{route}", content=b'{"data": ["' + b"x" * 30_000_000 + b'"]}')
        assert answer.status_code == 413 and "bytes; at most" in answer.json()["detail"], answer.text[:300]
        assert time.monotonic() - began < SOON


def test_a_body_of_no_length_is_refused(server):
    answer = server.client.post("/gradio_api/call/dcgan_sample", content=iter([b'{"data": []}']))
    assert answer.status_code == 411 and answer.json()["detail"] == "This request must say how long it is."


def test_an_answer_that_nobody_asked_for_is_refused(server):
    for path in ("call/dcgan_sample/nobody", "call/v2/dcgan_sample/nobody", "call/dcgan_sample/..%2f..%2fetc%2fpasswd"):
        answer = server.client.get(f"/gradio_api/{path}")
        assert answer.status_code == 404
        plain(Answer(False, answer.text, 404)) if "%" not in path else None
    answer = server.client.get("/gradio_api/queue/data", params={"session_hash": "nobody"})  # the page knows these words
    assert "session_not_found" in answer.text and not TRACES.search(answer.text.replace("unexpected_error", ""))


# ---- files ------------------------------------------------------------------------------------------------------------


def test_no_file_of_the_server_is_given_away(server, foreign):
    names = [
        *PATHS, str(ROOT / "app.py"), str(foreign["text"]), str(foreign["picture"]), str(server.folder / "log.txt"),
        f"{server.folder}/cache/../log.txt", f"{server.folder}/cache/%2e%2e/log.txt", "..%2f..%2fetc%2fpasswd", "//etc/passwd",
        "http://127.0.0.1:9/", "weights/vae-mnist/config.json", "data:text/html,hello", "x" * 5000,
    ]  # fmt: skip
    for name in names:
        for route in ("file=", "file/", "stream/", "proxy=", "custom_component/0/client/component/"):
            answer = server.client.get(f"/gradio_api/{route}{name.replace(chr(0), '%00')}")
            assert answer.status_code in (307, 400, 403, 404), (route, name, answer.status_code, answer.text[:200])
            assert SECRET not in answer.text and "root:" not in answer.text and "site-packages" not in answer.text
        for route in ("static", "assets", "svelte", "cover"):
            answer = server.client.get(f"/{route}/../../{name.replace(chr(0), '%00')}")
            assert answer.status_code in (400, 403, 404) and SECRET not in answer.text
    for name in ("nobody", "..%2f..%2fetc%2fpasswd", "%00", "x" * 3000):
        answer = server.client.get(f"/cover/{name}.webp")
        assert answer.status_code == 404 and not TRACES.search(answer.text)


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/evil.png", "..\\evil.png", "\u202egnp.live", "a" * 300, ".", "..", " ", "%2e%2e%2fevil"]
)
def test_an_upload_stays_in_its_folder(server, name):
    answer = server.client.post("/gradio_api/upload", files={"files": (name, png())})
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        (path,) = answer.json()
        assert Path(path).resolve().is_relative_to(server.folder / "cache") and Path(path).is_file()
    cache = server.folder / "cache"
    assert not [file for folder in (server.folder.parent, server.folder, cache, Path("/etc")) for file in folder.glob("*evil*")]


def test_uploads_of_any_kind_leave_nothing_behind_but_files_that_are_deleted_later(server):
    cache = server.folder / "cache"
    for files in ({"file": ("a.png", png())}, [("other", ("b.png", png()))] * 5, {"files": ("large.png", bytes(25_200_000))}):
        server.client.post("/gradio_api/upload", files=files)
    assert server.client.post("/gradio_api/upload", files={"files": ("large.png", bytes(25_200_000))}).status_code == 413
    assert server.client.post("/gradio_api/upload", data={"files": "text"}).status_code in (200, 400)
    broken = b'--x\r\nContent-Disposition: form-data; name="files"; filename="c.png"\r\n\r\nhalf'
    server.client.post("/gradio_api/upload", content=broken, headers={"Content-Type": "multipart/form-data; boundary=x"})
    # an answer is sent before its upload is swept
    due = time.monotonic() + 20
    while (left := [file for file in cache.glob("tmp*") if file.is_file()]) and time.monotonic() < due:
        time.sleep(0.05)
    assert not left


@pytest.mark.parametrize(
    "fields", [{}, {"type": "layer", "index": "1000000000", "id": "a"}, {"type": "layer", "index": "-1", "id": "a"},
               {"type": "composite", "index": "x", "id": "a"}, {"type": "composite", "index": "", "id": "a" * 5000},
               {"type": "layer"}],
)  # fmt: skip
def test_a_part_of_a_drawing_that_the_page_would_not_send_is_refused(server, fields):
    board = next(part["id"] for part in server.config["components"] if part["type"] == "imageeditor")
    sent = {"component_id": str(board), "session_hash": "a", "fn_name": "accept_blobs"} | fields
    answer = server.client.post("/gradio_api/component_server", data=sent, files={"file": ("a.png", png())})
    assert answer.status_code == 400
    plain(Answer(False, answer.text, 400))
    for wrong in ("__init__", "preprocess", "move_resource_to_block_cache"):
        sent["fn_name"] = wrong
        answer = server.client.post("/gradio_api/component_server", data=sent, files={"file": ("a.png", png())})
        assert answer.status_code in (400, 404)


@pytest.mark.parametrize(
    "door", ["deep_link?session_hash=a", "gradio_api/deep_link?session_hash=a", "gradio_api/dev/reload",
             "gradio_api/proxy=http://127.0.0.1:9/", "gradio_api/vibe-code", "monitoring/summary"],
)  # fmt: skip
def test_doors_that_the_page_does_not_use_are_closed(server, door):
    assert server.client.get(f"/{door}").status_code in (403, 404)
