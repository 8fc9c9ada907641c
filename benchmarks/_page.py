"""The page and a browser, for the benchmarks that look at what visitors see."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from playwright.sync_api import Browser, sync_playwright

from gen_models import catalog

ROOT = Path(__file__).parent.parent
GALLERY = [sys.executable, "app.py", "--port", "PORT"]
"""The command that serves the page."""
PLAIN = """
import base64, io, sys, torch, gradio as gr, PIL.Image
def picture(level):
    stream = io.BytesIO()
    PIL.Image.new("L", (28, 28), level).save(stream, "PNG", compress_level=1)
    return '<img class="picture" src="data:image/png;base64,' + base64.b64encode(stream.getvalue()).decode() + '">'
with gr.Blocks() as demo:
{}
demo.launch(
    server_port=int(sys.argv[1]), ssr_mode=False, css=".picture {{ width: 100%; max-width: 420px; image-rendering: pixelated; }}"
)
"""


def way_to(room: str, state: Mapping[str, Any] | None = None) -> str:
    """The address of a room, with what its controls hold, relative to that of the front page."""
    query = {"room": room} | ({"state": json.dumps(state)} if state else {})
    return f"{catalog.names().get(room, room)}?{urlencode(query)}"


@contextmanager
def plain_page(body: str) -> Iterator[list[str]]:
    """The command that serves a Gradio page of nothing but ``body``, which may call ``picture(level)``: a baseline."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "page.py")
        script.write_text(PLAIN.format(textwrap.indent(textwrap.dedent(body).strip(), "    ")), encoding="utf-8")
        yield [sys.executable, str(script), "PORT"]


def free_port() -> int:
    """A port of this machine that nobody listens on, outside of the range from which connections take theirs meanwhile."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", random.SystemRandom().randrange(10_000, 30_000)))
            return probe.getsockname()[1]


@contextmanager
def served(command: list[str]) -> Iterator[tuple[str, float, psutil.Process]]:
    """A server process on a free port: its address, seconds to the first HTTP 200, the process."""
    port = free_port()
    words = [str(port) if word == "PORT" else word for word in command]
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "FORWARDED_ALLOW_IPS": "127.0.0.1"}
    environment.pop("GALLERY_DATA", None)
    start = time.perf_counter()
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            if process.poll() is not None or time.perf_counter() - start > 120:
                raise RuntimeError(f"the server did not start: {' '.join(words)}")
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    if answer.status == 200:
                        break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.01)
        yield address, time.perf_counter() - start, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)


def megabytes(process: psutil.Process) -> float:
    """Resident memory of a process and its children in MB."""
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)]) / 2**20


BROWSERS = "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"
"""Commands that start one, the cheapest first: the shell has the same engine, and no windows that nobody sees."""


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """The Chromium that CHROMIUM names or that is on the PATH, or else Playwright's own; ``flags``: more of its command line."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    basic = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*basic, *flags])
        yield browser
        browser.close()
