"""What a hostile visitor tries against the page, and a damaged file against the programs, on loopback, and whether it holds:
``python -m benchmarks.attacks [--quick]``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import torch

from benchmarks._page import GALLERY, megabytes, served
from benchmarks._report import Bar, report
from gen_models import catalog, checkpoint

SILENT = (
    "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\n"
    "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000\r\n\r\n--x\r\n"
)
SLOWEST = {"count": 8, "steps": 200}
"""What makes a verb take long."""


def png(width: int, height: int, depth: int, colour: int, row: bytes) -> bytes:
    """A picture of equal rows: a few kilobytes, however large."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(height * (b"\0" + row), 9)) + chunk(b"IEND", b"")


@dataclass(frozen=True)
class Attack:
    """What was tried, and what is measured of it."""

    tried: str
    measure: Callable[[], float]
    name: str
    bar: float = 0
    unit: str = ""
    long: bool = False
    """Whether it takes too long for ``--quick``."""


class Server:
    """The page under attack."""

    def __init__(self, address: str, process: psutil.Process, crowd: int) -> None:
        self.process, self.crowd = process, crowd
        self.place = address.removeprefix("http://").split(":")
        self.client = httpx.Client(base_url=address, timeout=300, limits=httpx.Limits(max_connections=100))
        verbs = self.client.get("/gradio_api/info").json()["named_endpoints"]
        self.verbs = {
            verb: {part["parameter_name"]: part["parameter_default"] for part in told["parameters"]} for verb, told in verbs.items()
        }
        self.pictured = [verb for verb, values in self.verbs.items() if "picture" in values]

    def upload(self, content: bytes, host: str = "203.0.113.9") -> httpx.Response:
        """A file, from this address."""
        return self.client.post("/gradio_api/upload", files={"files": ("a.png", content)}, headers={"X-Forwarded-For": host})

    def begin(self, verb: str, host: str, **values: object) -> httpx.Response:
        """The answer to a call of a verb, which names the event."""
        body = {"data": list((self.verbs[verb] | values).values())}
        return self.client.post(f"/gradio_api/call{verb}", json=body, headers={"X-Forwarded-For": host})

    def call(self, verb: str, picture: object, host: str) -> str:
        """What a verb says of a picture."""
        sent = self.begin(verb, host, picture=picture)
        if sent.status_code != 200:
            return sent.text
        return self.client.get(f"/gradio_api/call{verb}/{sent.json()['event_id']}").text

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.place[0], int(self.place[1])))

    # ---- each returns what was measured -------------------------------------------------------------------------------

    def large_pictures(self) -> float:
        """Megabytes above the server's rest."""
        path = self.upload(png(5000, 5000, 16, 6, b"\1\2\3\4\5\6\7\x08" * 5000)).json()[0]
        self.call(self.pictured[0], "", "203.0.113.1")  # its model is loaded
        rest, most, over = megabytes(self.process), [0.0], threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                most[0] = max(most[0], megabytes(self.process) - rest)

        watching = threading.Thread(target=watch)
        watching.start()
        with ThreadPoolExecutor(self.crowd) as pool:
            list(pool.map(lambda place: self.call(self.pictured[0], {"path": path}, f"203.0.113.{place}"), range(self.crowd)))
        over.set()
        watching.join()
        return most[0]

    def endless_sides(self) -> int:
        """Verbs that do not refuse it by its size."""
        path = self.upload(png(25_000_000, 1, 1, 0, bytes(3_125_000))).json()[0]
        said = [self.call(verb, {"path": path}, "203.0.113.1") for verb in self.pictured[:3]]
        return sum("has more than 20,000 pixels" not in words for words in said)

    def foreign_files(self) -> int:
        """Calls that are not refused."""
        names = ("/etc/passwd", "../../etc/passwd", str(Path("app.py").resolve()), "/proc/self/environ")
        said = [self.call(verb, {"path": name}, "203.0.113.1") for verb in self.pictured for name in names]
        return sum("event: error" not in words for words in said)

    def silent_uploads(self) -> int:
        """Uploads of another address that are refused meanwhile."""
        silent = [self.connect() for _ in range(16)]
        for each in silent:
            each.sendall(SILENT.encode())
        time.sleep(1)
        refused = sum(self.upload(b"x" * 100).status_code != 200 for _ in range(3))
        for each in silent:
            each.close()
        return refused

    def open_headers(self) -> int:
        """Connections that are still there after a minute."""
        idle = [self.connect() for _ in range(100)]
        for each in idle:
            each.sendall(b"GET / HTTP/1.1\r\nX-A: ")
        end, there = time.monotonic() + 60, 0
        for each in idle:
            each.settimeout(max(0.01, end - time.monotonic()))
            try:
                there += each.recv(10) != b""
            except TimeoutError:
                there += 1
            except ConnectionError:
                pass
        return there + (self.client.get("/health").status_code != 200)

    def evicted_pictures(self) -> int:
        """Pictures of another that are gone."""
        (mine,) = self.upload(b"mine").json()
        for place in range(70):
            self.upload(bytes([place]) * 7_900_000, "203.0.113.2")
        return int(not Path(mine).is_file())

    def evicted_sessions(self) -> int:
        """Sessions that the server keeps beyond its number."""
        number = next(event["id"] for event in self.client.get("/config").json()["dependencies"] if event["queue"] is False)
        for place in range(300):
            body = {"data": [], "fn_index": number, "session_hash": f"invented {place}"}
            self.client.post("/gradio_api/run/predict", json=body, headers={"X-Forwarded-For": "203.0.113.3"})
        told = self.client.get("/health").json()
        return max(0, told["sessions"] - told["sessions_most"])

    def callers_who_leave(self) -> float:
        """Seconds for which the work goes on."""
        sent = self.begin("/ddpm_sample", "203.0.113.4", weights="ddpm-faces", **SLOWEST)
        with self.client.stream("GET", f"/gradio_api/call/ddpm_sample/{sent.json()['event_id']}"):
            time.sleep(2)  # it takes many times as long
        left = time.monotonic()
        while self.client.get("/health").json()["running"]:
            time.sleep(0.05)
        return time.monotonic() - left

    def endless_names(self) -> int:
        """Answers that blame the server."""
        folders = ("static", "assets", "part", "cover", "prepared", "gradio_api/file=", "nothing")
        return sum(self.client.get(f"/{folder}/{5000 * 'a'}").status_code >= 500 for folder in folders)

    def foreign_names(self) -> int:
        """Answers that do not say what browsers may not do with them."""
        sent = [self.client.get(path, headers={"Host": "evil.example"}).headers for path in ("/", "/config", "/nothing")]
        return sum(
            headers.get("X-Content-Type-Options") != "nosniff"
            or "frame-ancestors" not in headers.get("Content-Security-Policy", "") for headers in sent
        )  # fmt: skip


# ---- files ------------------------------------------------------------------------------------------------------------


def changed_checkpoints(folder: Path) -> int:
    """Checkpoints with a changed tensor that are read, of a hundred."""
    file, chance, taken = folder / checkpoint.CHECKPOINT, random.Random(0), 0
    checkpoint.write({"step": 3, "model": {str(place): torch.rand(500) for place in range(20)}}, file)
    content = file.read_bytes()
    state = json.dumps(checkpoint.read(file), default=torch.Tensor.tolist)
    for _ in range(100):
        changed = bytearray(content)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        try:
            taken += json.dumps(checkpoint.read(file), default=torch.Tensor.tolist) != state
        except Exception:  # whatever is made of a damaged file
            continue
    return taken


def endless_configurations() -> float:
    """Seconds for the slowest of all models with one of its numbers a million or ten million times too large."""
    slowest = 0.0
    for name in catalog.names():
        kind = catalog.model_class(name)
        for key, value in kind().config.items():
            for given in [10**6, 10**7] if type(value) is int else []:
                began = time.monotonic()
                with suppress(Exception):  # whatever the constructor makes of it
                    catalog._outline({"model": name, "arguments": kind.tiny | {key: given}})
                slowest = max(slowest, time.monotonic() - began)
    return slowest


# ---- all of them ------------------------------------------------------------------------------------------------------


def attacks(server: Server) -> list[Attack]:
    """On the page, in the order in which they are tried."""
    return [
        Attack(f"{server.crowd} pictures of 25 million pixels at once", server.large_pictures, "memory above rest", 500, " MB"),
        Attack("a picture of 25,000,000 x 1 pixels", server.endless_sides, "verbs that take it"),
        Attack("files of the server, named to every verb that takes a picture", server.foreign_files, "files that are taken"),
        Attack("16 uploads that fall silent", server.silent_uploads, "uploads of others refused"),
        Attack("100 requests whose headers never end", server.open_headers, "connections after a minute", long=True),
        Attack("70 uploads of 8 MB", server.evicted_pictures, "pictures of others deleted", long=True),
        Attack("300 invented sessions", server.evicted_sessions, "sessions beyond the bound"),
        Attack("a caller who leaves in mid-work", server.callers_who_leave, "work for nobody", 15, " s"),
        Attack("names of 5,000 letters", server.endless_names, "answers that blame the server"),
        Attack("another host's name", server.foreign_names, "answers without a policy for browsers"),
    ]


def tried(quick: bool) -> list[tuple[str, Bar]]:
    """What was tried, and the bar that it was measured by."""
    rows: list[tuple[str, Bar]] = []

    def run(attack: Attack) -> None:
        if not (quick and attack.long):
            rows.append((attack.tried, Bar(attack.name, attack.measure(), attack.bar, attack.unit)))

    with tempfile.TemporaryDirectory() as name:
        os.environ["GRADIO_TEMP_DIR"] = name
        with served(GALLERY) as (address, _, process):
            for attack in attacks(Server(address, process, 6 if quick else 24)):
                run(attack)
        run(Attack("the server is asked to end", lambda: len(list(Path(name).rglob("*.png"))), "visitors' pictures left behind"))
        run(Attack("100 flipped bits in a checkpoint", lambda: changed_checkpoints(Path(name)), "changed states that are read"))
    run(Attack("numbers of configurations a million times too large", endless_configurations, "slowest configuration", 15, " s"))
    return rows


def main() -> int:
    """Try, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.attacks", description=__doc__)
    options.add_argument("--quick", action="store_true", help="fewer visitors, and nothing that takes a minute by itself")
    rows = tried(options.parse_args().quick)
    print("| tried | held |\n| --- | --- |")
    for words, bar in rows:
        print(f"| {words} | {'yes' if bar.holds else 'NO'} |")
    return report([bar for _, bar in rows])


if __name__ == "__main__":
    sys.exit(main())
