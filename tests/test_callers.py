"""Callers of the API as their own client sends: files, and leaving in the middle of work."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import gradio as gr
import httpx
import PIL.Image
import pytest
from gradio_client import Client, handle_file
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from test_room import RED, file_of, halves

import app
from demos._kit import inputs
from demos._kit.events import error_boundary
from demos._kit.pictures import png_uri
from demos._kit.running import while_awaited
from demos._server import limits

SOON = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A page with a verb for a picture and one that works for long: its address, and the steps that it took."""
    steps = []

    @error_boundary
    def look(picture: str = "") -> list[int]:
        """The size and the colour of a picture."""
        found = inputs.sent_picture(picture)
        return [*found.size, *found.getpixel((5, 5))]

    @error_boundary
    def count_up(count: int = 3) -> Iterator[int]:
        """Many steps."""
        for step in range(count):
            steps.append(step)
            yield step
            time.sleep(0.1)

    @error_boundary
    def add_up(count: int = 3) -> int:
        """Many steps, of which only the end is answered."""
        for step in while_awaited(iter(range(count))):
            steps.append(step)
            time.sleep(0.1)
        return count

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("cache")))
        with limits.Page() as page:
            gr.api(look, api_name="look", concurrency_id="models")
            gr.api(count_up, api_name="count_up", concurrency_id="models")
            gr.api(add_up, api_name="add_up", concurrency_id="models")
        page.queue(max_size=limits.MAX_WAITING, default_concurrency_limit=1, api_open=False)
        _, address, _ = page.launch(
            prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", mcp_server=True, **app.launch_settings(page)
        )
        yield address, steps
        page.close()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "AVIF"])
def test_a_verb_takes_a_file_and_base64(served, tmp_path, kind):
    address, _ = served
    file = tmp_path / f"photo.{kind.lower()}"
    file.write_bytes(file_of(halves(), kind, quality=95))
    client = Client(address, verbose=False)
    for sent in (handle_file(file), png_uri(halves()), png_uri(halves()).partition(",")[2]):
        width, height, *colour = client.predict(sent, api_name="/look")
        assert (width, height) == (40, 20) and max(abs(a - b) for a, b in zip(colour, RED, strict=True)) <= 8


def test_a_verb_takes_a_picture_by_mcp(served):
    address, _ = served

    async def call() -> list[tuple[bool, str]]:
        async with (
            streamablehttp_client(f"{address}gradio_api/mcp/") as (reader, writer, _),
            ClientSession(reader, writer) as session,
        ):
            await session.initialize()
            assert {"look", "count_up"} <= {tool.name for tool in (await session.list_tools()).tools}
            found = [await session.call_tool("look", {"picture": sent}) for sent in (png_uri(halves()), "/etc/passwd")]
            return [(answer.isError, answer.content[0].text) for answer in found]

    (refused, looked), (unread, sentence) = asyncio.run(call())
    assert not refused and looked == str([40, 20, *RED])
    assert unread and sentence == "The picture must be a picture file in base64, or an uploaded one."


@pytest.mark.parametrize(
    "sent",
    [
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, {"path": "/etc/passwd"}, {"path": 7}, {"path": ["a"]},
        {"path": "a\0b"}, {"path": "x" * 9000}, {"path": "../../etc/passwd"}, {"url": "http://127.0.0.1:9/a.png"}, {}, [], "", 7,
        {"path": "", "url": "file:///etc/passwd"}, {"path": "http://127.0.0.1:9/a.png", "meta": {"_type": "gradio.FileData"}},
    ],
)  # fmt: skip
def test_what_is_no_upload_is_refused_in_one_sentence(served, sent):
    address, _ = served
    answer = httpx.post(f"{address}gradio_api/call/look", json={"data": [sent]}, timeout=SOON)
    said = answer.text
    if answer.status_code == 200:
        with httpx.stream("GET", f"{address}gradio_api/call/look/{answer.json()['event_id']}", timeout=SOON) as stream:
            said = "".join(stream.iter_text())
        assert "event: error" in said
    assert "root:" not in said and "Something went wrong" not in said and "Traceback" not in said
    sentences = ("upload", "picture", limits.MISFIT, limits.UNREADABLE)
    assert any(sentence in said for sentence in sentences), said


def test_an_upload_is_found_and_nothing_above_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / "a").mkdir(parents=True)
    PIL.Image.new("RGB", (4, 4)).save(tmp_path / "cache" / "a" / "b.png")
    PIL.Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (tmp_path / "cache" / "link.png").symlink_to(tmp_path / "secret.png")
    assert inputs.sent_picture({"path": str(tmp_path / "cache" / "a" / "b.png")}).size == (4, 4)
    assert inputs.sent_picture({"path": None, "url": png_uri(halves())}).size == (40, 20)
    foreign = "upload the picture as a file"
    for path, sentence in (
        (tmp_path / "secret.png", foreign), (tmp_path / "cache" / "link.png", foreign), (tmp_path / "cache", foreign),
        (tmp_path / "cache" / "gone.png", "no longer here"),
    ):  # fmt: skip
        with pytest.raises(gr.Error, match=sentence):
            inputs.sent_picture({"path": str(path)})


@pytest.mark.parametrize("verb", ["count_up", "add_up"])
def test_a_caller_who_leaves_ends_the_work(served, verb):
    address, steps = served
    steps.clear()
    event = httpx.post(f"{address}gradio_api/call/{verb}", json={"data": [500]}, timeout=SOON).json()["event_id"]
    with httpx.stream("GET", f"{address}gradio_api/call/{verb}/{event}", timeout=SOON):
        end = time.monotonic() + SOON
        while len(steps) < 3:
            assert time.monotonic() < end
            time.sleep(0.02)
    left = len(steps)
    answered = threading.Event()
    threading.Thread(target=lambda: (Client(address, verbose=False).predict(1, api_name="/count_up"), answered.set())).start()
    assert answered.wait(SOON), "the place in the queue is free again"
    assert len(steps) - left < 30, "the work went on for nobody"
