"""What a hostile visitor tries against the page, on loopback, and whether it holds: ``python -m benchmarks.attacks``."""

from __future__ import annotations

import os
import socket
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from benchmarks._page import GALLERY, megabytes, served
from benchmarks._report import Bar, report

MOST_MB = 500
"""Of memory above the server's rest."""
SILENT = (
    "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\n"
    "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000\r\n\r\n--x\r\n"
)


def png(width: int, height: int, depth: int, colour: int, row: bytes) -> bytes:
    """A picture of equal rows: a few kilobytes, however large."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(height * (b"\0" + row), 9)) + chunk(b"IEND", b"")


class Attacks:
    """The server under attack."""

    def __init__(self, address: str, process: psutil.Process) -> None:
        self.process = process
        self.place = address.removeprefix("http://").split(":")
        self.client = httpx.Client(base_url=address, timeout=300, limits=httpx.Limits(max_connections=100))
        verbs = self.client.get("/gradio_api/info").json()["named_endpoints"]
        self.verbs = {
            verb: [part["parameter_default"] for part in told["parameters"]]
            for verb, told in verbs.items()
            if any(part["parameter_name"] == "picture" for part in told["parameters"])
        }
        self.at = {
            verb: [part["parameter_name"] for part in verbs[verb]["parameters"]].index("picture") for verb in self.verbs
        }

    def upload(self, content: bytes, host: str = "203.0.113.9") -> httpx.Response:
        """A file, from this address."""
        return self.client.post("/gradio_api/upload", files={"files": ("a.png", content)}, headers={"X-Forwarded-For": host})

    def call(self, verb: str, picture: object, host: str) -> str:
        """What a verb says of a picture."""
        values = list(self.verbs[verb])
        values[self.at[verb]] = picture
        sent = self.client.post(f"/gradio_api/call{verb}", json={"data": values}, headers={"X-Forwarded-For": host})
        if sent.status_code != 200:
            return sent.text
        return self.client.get(f"/gradio_api/call{verb}/{sent.json()['event_id']}").text

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.place[0], int(self.place[1])))

    # ---- each returns what was measured -------------------------------------------------------------------------------

    def large_pictures(self) -> float:
        """24 pictures of 25 million pixels at once."""
        path = self.upload(png(5000, 5000, 16, 6, b"\1\2\3\4\5\6\7\x08" * 5000)).json()[0]
        rest, most, over = megabytes(self.process), [0.0], threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                most[0] = max(most[0], megabytes(self.process) - rest)

        watching = threading.Thread(target=watch)
        watching.start()
        verb = next(iter(self.verbs))
        with ThreadPoolExecutor(24) as pool:
            list(pool.map(lambda place: self.call(verb, {"path": path}, f"203.0.113.{place}"), range(24)))
        over.set()
        watching.join()
        return most[0]

    def endless_side(self) -> bool:
        """A picture of 25,000,000 x 1 pixels."""
        path = self.upload(png(25_000_000, 1, 1, 0, bytes(3_125_000))).json()[0]
        return all("has more than 20,000 pixels" in self.call(verb, {"path": path}, "203.0.113.1") for verb in list(self.verbs)[:3])

    def foreign_files(self) -> bool:
        """Files of the server, named to every verb that takes a picture."""
        names = ("/etc/passwd", "../../etc/passwd", str(Path("app.py").resolve()), "/proc/self/environ")
        return all("event: error" in self.call(verb, {"path": name}, "203.0.113.1") for verb in self.verbs for name in names)

    def silent_uploads(self) -> bool:
        """16 uploads that go silent; another uploads meanwhile."""
        silent = [self.connect() for _ in range(16)]
        for each in silent:
            each.sendall(SILENT.encode())
        time.sleep(1)
        found = self.upload(b"x" * 100).status_code == 200
        for each in silent:
            each.close()
        return found

    def open_headers(self) -> bool:
        """100 requests whose headers never end."""
        idle = [self.connect() for _ in range(100)]
        for each in idle:
            each.sendall(b"GET / HTTP/1.1\r\nX-A: ")
            each.settimeout(60)
        ended = [each.recv(10) == b"" for each in idle]
        return all(ended) and self.client.get("/health").status_code == 200

    def evicted_picture(self) -> bool:
        """70 uploads of 8 MB; another's picture stays."""
        (mine,) = self.upload(b"mine").json()
        for place in range(70):
            self.upload(bytes([place]) * 7_900_000, "203.0.113.2")
        return Path(mine).is_file()

    def evicted_sessions(self) -> bool:
        """300 invented sessions; the server keeps no more than its number."""
        number = next(event["id"] for event in self.client.get("/config").json()["dependencies"] if event["queue"] is False)
        for place in range(300):
            body = {"data": [], "fn_index": number, "session_hash": f"invented {place}"}
            self.client.post("/gradio_api/run/predict", json=body, headers={"X-Forwarded-For": "203.0.113.3"})
        told = self.client.get("/health").json()
        return told["sessions"] <= told["sessions_most"]

    def foreign_name(self) -> bool:
        """Every answer says what browsers may not do with it."""
        sent = self.client.get("/", headers={"Host": "evil.example"}).headers
        return sent["X-Content-Type-Options"] == "nosniff" and "frame-ancestors" in sent["Content-Security-Policy"]


def tried() -> list[tuple[str, bool, Bar | None]]:
    """What was tried, whether it held, and the bar where something was measured."""
    os.environ["FORWARDED_ALLOW_IPS"] = "127.0.0.1"
    rows: list[tuple[str, bool, Bar | None]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        with served(GALLERY) as (address, _, process):
            attacks = Attacks(address, process)
            bar = Bar("memory above rest for 24 pictures of 25 million pixels", attacks.large_pictures(), MOST_MB, " MB")
            rows.append((attacks.large_pictures.__doc__ or "", bar.holds, bar))
            checks: list[Callable[[], bool]] = [
                attacks.endless_side, attacks.foreign_files, attacks.silent_uploads, attacks.open_headers, attacks.evicted_picture,
                attacks.evicted_sessions, attacks.foreign_name,
            ]  # fmt: skip
            rows += [(check.__doc__ or "", check(), None) for check in checks]
        rows.append(("The server is ended; visitors' pictures go with it.", not any(Path(folder).rglob("*.png")), None))
    return rows


def main() -> int:
    """Try, print the table, judge."""
    rows = tried()
    print("| tried | held |\n| --- | --- |")
    for words, held, bar in rows:
        print(f"| {words.rstrip('.')} | {'yes' if held else 'NO'}{f', {bar.measured:.0f}{bar.unit}' if bar else ''} |")
    return report([Bar("attacks held", 100 * sum(held for _, held, _ in rows) / len(rows), 100, " %", at_least=True)])


if __name__ == "__main__":
    sys.exit(main())
