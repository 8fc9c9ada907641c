"""Weights from the Hub: its local cache first, then the pinned commit; every file checked by SHA-256, nothing unpickled.

A download runs in a thread of its own: who needs it may wait for it, look at its progress, or come back later. Nothing here happens
at import or at start.
"""

from __future__ import annotations

import hashlib
import json
import math
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlsplit

CONFIG = "config.json"
PATIENCE, SLOWEST = 60, 20_000
"""Seconds that a download may take, and on top of them one for so many bytes."""
MAX_JSON = 10_000_000
"""Bytes of a JSON file that is read."""


class WeightsError(RuntimeError):
    """Weights are missing or not the ones written down; the message names the file and the cure."""


@dataclass(frozen=True)
class Pinned:
    """Two files of one commit: ``config.json`` and the weights."""

    name: str
    """What the user calls them."""
    repository: str
    commit: str
    file: str = "model.safetensors"
    sha256: str = ""
    """Of the weights; empty: ``config.json`` of the same commit says it."""
    config: str = ""
    """:func:`digest` of ``config.json``; empty: the commit alone vouches for it."""

    @property
    def cure(self) -> str:
        """What to do when the Hub is no help."""
        return "try again" if "/" in self.name else f"try again, or restore the folder weights/{self.name}"


class Download:
    """Weights on their way; ``done`` of ``total`` bytes are here (0 of 0: the Hub was not asked yet)."""

    def __init__(self, pinned: Pinned) -> None:
        self.pinned = pinned
        self.done = self.total = 0
        self.expected, self.due = 0, math.inf
        """Bytes of the file that is fetched now, and when all must be here."""
        self.finished = Event()
        self.folder: Path | None = None
        self.error: Exception | None = None
        self._begun = Lock()

    def start(self) -> None:
        """Begin, unless it was begun."""
        if self._begun.acquire(blocking=False):
            Thread(target=self._run, name=f"download of {self.pinned.name}", daemon=True).start()

    def wait(self) -> None:
        """Begin and come back when it is finished."""
        self.start()
        self.finished.wait()

    def _run(self) -> None:
        try:
            self.folder = _fetch(self)
        except Exception as error:  # told to who waits
            self.error = error
        finally:
            self.finished.set()


waiting: Callable[[Download], None] = Download.wait
"""How to wait for a download; the page puts a function here that shows the progress meanwhile, and may raise instead of waiting."""
_downloads: dict[Pinned, Download] = {}
_lock = Lock()


def folder_of(pinned: Pinned) -> Path:
    """The folder with both files, from the local cache or else from the Hub.

    Raises:
        WeightsError: with the cure, if they cannot be had or are not the ones written down.
    """
    found = cached(pinned)
    if found is not None and not fault(found, pinned):
        return found
    with _lock:
        download = _downloads.setdefault(pinned, Download(pinned))
    waiting(download)
    with _lock:
        if _downloads.get(pinned) is download:  # after a failure the next one starts again
            del _downloads[pinned]
    if download.error is not None:
        raise download.error
    assert download.folder is not None
    return download.folder


def cached(pinned: Pinned) -> Path | None:
    """The folder of the local cache, if both files are there; the Hub is not asked."""
    from huggingface_hub import try_to_load_from_cache

    try:
        found = [try_to_load_from_cache(pinned.repository, file, revision=pinned.commit) for file in (CONFIG, pinned.file)]
    except ValueError:
        return None  # no name that the Hub would give; asking it tells why
    return Path(found[0]).parent if all(isinstance(path, str) for path in found) else None


def fault(folder: Path, pinned: Pinned) -> str:
    """The name of the file that is not the one written down; empty: both are."""
    try:
        config = read_json(folder / CONFIG)
        written = pinned.sha256 or config["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return CONFIG
    if pinned.config and digest(config) != pinned.config:
        return CONFIG
    return "" if sha256(folder / pinned.file) == written else pinned.file


def read_json(file: Path) -> dict[str, Any]:
    """A file that holds one JSON object; a byte order mark, as editors on Windows write it, may stand in front.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it holds something else, nested too deeply, or more than ``MAX_JSON`` bytes.
    """
    with file.open("rb") as stream:
        content = stream.read(MAX_JSON + 1)
    if len(content) > MAX_JSON:
        raise ValueError(f"{file.name} has more than {MAX_JSON:,} bytes")
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError(f"{file.name} is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} holds no JSON object")
    return found


def digest(config: dict[str, Any]) -> str:
    """SHA-256 of a configuration, whatever the ends of its lines."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def sha256(file: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def answers() -> bool:
    """Whether the Hub's host accepts a connection within half a second; its own client would retry for 23 s."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = urlsplit(constants.ENDPOINT)
    if {address.scheme, "all"} & set(urllib.request.getproxies()) and not urllib.request.proxy_bypass(address.hostname):
        return True  # the way leads through the proxy: only asking tells
    try:
        socket.create_connection((address.hostname, address.port or (443 if address.scheme == "https" else 80)), 0.5).close()
    except OSError:
        return False
    return True


def _fetch(download: Download) -> Path:
    """Both files, checked; what is not right is taken out of the cache again, since the client looks at lengths alone."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HTTPError, RemoteEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    pinned = download.pinned
    missing, where = f"the weights {pinned.name} are missing", f"the repository {pinned.repository}"
    damaged = cached(pinned) is not None
    if not answers():
        what = f"the weights {pinned.name} are damaged in the Hub's cache" if damaged else missing
        raise WeightsError(f"{what} and the Hub cannot be reached; connect and {pinned.cure}")
    constants.DOWNLOAD_CHUNK_SIZE = 2**16  # the client's own step of 10 MB would show no progress of anything here
    options = dict(revision=pinned.commit, force_download=damaged, tqdm_class=_bar(download))
    try:
        # asked once: the client, told to download, would try again for minutes before it says that the Hub is silent
        sizes = {}
        for file in (CONFIG, pinned.file):
            found = get_hf_file_metadata(hf_hub_url(pinned.repository, file, revision=pinned.commit))
            if found.commit_hash != pinned.commit:
                raise WeightsError(f"{missing}: {where} answers with another commit than {pinned.commit}; {pinned.cure}")
            sizes[file] = found.size or 0
        download.total = sum(sizes.values())
        download.due = time.monotonic() + PATIENCE + download.total / SLOWEST
        for file in (CONFIG, pinned.file):
            download.expected = sizes[file]
            path = hf_hub_download(pinned.repository, file, **options)
    except RepositoryNotFoundError as error:
        raise WeightsError(f"{missing}: {where} does not exist, or is private and wants: hf auth login") from error
    except RevisionNotFoundError as error:
        raise WeightsError(f"{missing}: {where} has no commit {pinned.commit}") from error
    except RemoteEntryNotFoundError as error:
        raise WeightsError(f"{missing}: {where} has no {file} at commit {pinned.commit[:12]}") from error
    except (HTTPError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(f"the weights {pinned.name} could not be fetched from the Hub ({reason}); {pinned.cure}") from error
    folder = Path(path).parent
    wrong = fault(folder, pinned)
    if wrong:
        for file in (CONFIG, pinned.file):
            (folder / file).resolve().unlink(missing_ok=True)
            (folder / file).unlink(missing_ok=True)
        raise WeightsError(
            f"the weights {pinned.name} were refused: {wrong} from {where} is not the file that was published; {pinned.cure}"
        )
    return folder


def _bar(download: Download) -> type:
    """The client's own progress bar, which tells ``download``, too."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        came = 0
        """Bytes of this file."""

        def update(self, n: float | None = 1) -> bool | None:
            download.done += int(n or 0)
            self.came += int(n or 0)
            if self.came > download.expected:
                raise OSError(f"more than the {download.expected:,} bytes that it announced")
            if time.monotonic() > download.due:
                raise OSError("it came too slowly")
            return super().update(n)

        def update_transfer(self, n: float) -> None:
            """The client keeps one bar instead of two where there is such a method."""

    return Bar
