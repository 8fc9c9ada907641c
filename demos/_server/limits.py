"""What the page takes on: how large a request may be, how many of them one visitor may have in hand, what is kept of them; and
one sentence for each that it refuses, whether it comes from the page or from a caller of the API.

Gradio itself bounds the queue, the sessions and the size of an uploaded file. Bodies, values that no component understands, calls
that bypass the queue, results that nobody fetches, and the number of uploads are left to the application, that is, to here.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import re
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.exceptions import InvalidPathError
from gradio.processing_utils import check_all_files_in_cache
from gradio.route_utils import FnIndexInferError
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import get_upload_folder
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demos._server import _gradio, pages
from demos._server.errors import as_sentence, in_sentences

log = logging.getLogger("gallery")

MAX_BODY = 10_000_000
"""Bytes of a request, such as two pictures of 4 million letters for a verb."""
MAX_UPLOAD = 25_000_000
"""Bytes of a picture that is uploaded; a phone's have up to 20 million."""
MAX_FORM = MAX_UPLOAD + 100_000
"""Bytes of a request that uploads one."""
MAX_PART = 1_000_000
"""Bytes of a part of a drawing, which the page sends by itself; a board's own are a tenth of it."""
MAX_NAME = 100
"""Letters of a session's name; the page's have eleven."""
MAX_WAITING = 32
"""Requests that wait in the queue."""
MAX_OWN = 16
"""Requests of one page that wait or run; a page sends an event again only after the last answer, and a tab that opens a few."""
MAX_ADDRESS = 24
"""Requests of one address that wait or run. A lecture may share one, so it is no visitor; but the last places are for others."""
MAX_DIRECT = 32
"""Requests that bypass the queue at once; the others of Gradio's 40 threads are for those that do not."""
MAX_STANDING = 128
"""Requests that wait for one of these places, as a hall full of people who drag a slider may."""
PATIENCE = 15
"""Seconds that they wait."""
MAX_UPLOADING, MAX_UPLOADING_EACH = 24, 12
"""Uploads on their way at once: of all, of one address."""
MAX_UPLOADS, MAX_UPLOADED = 1000, 512_000_000
"""Files and bytes of all uploads; they are deleted after an hour, and earlier if there are more: the oldest of the address that has
most."""
SILENCE, SLOWEST = 20, 20_000
"""Seconds without a byte of a body that is not complete, and bytes a second of one that is, after the first half minute."""
EMPTY = 60
"""Seconds after which an empty folder of the uploads is deleted."""
FORGOTTEN = 300
"""Seconds after which a result that nobody fetched is dropped."""

BUSY = "The gallery is busy: {} requests are waiting. Try again in a moment."
ENOUGH = "{} of your requests are waiting or running; wait for one of them or stop it, then try again."
CROWDED = "{} requests from your network are waiting or running; try again in a moment."
MISFIT = "A value that was sent does not fit its field."
GONE = "This file is no longer here; upload it again."
SLOW = "This request came too slowly."
UNREADABLE = "This request cannot be read."
FETCHED = "There is no such request, or its answer was fetched or dropped."
NO_SUCH = "There is no such verb or action here; /gradio_api/info names the verbs."

CLOSED = re.compile(r"(?:/gradio_api)?/(?:deep_link|process_recording|proxy=|vibe|undo-vibe|stream/|dev/)")
"""Doors of Gradio that the page does not use: they write files, or fetch from other servers."""
VERBS = re.compile(r"/gradio_api/(?:run|api|call)/")
ANSWER = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)")
CLUMSY = (KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError, RecursionError, InvalidPathError)
"""What Gradio's own routes raise when a body is not what they expect."""


def too_many(sentence: str) -> HTTPException:
    """A refusal for now. The page shows its own words for a status of 503, but these for one of 429."""
    return HTTPException(429, sentence, {"Retry-After": "5"})


class Session(SessionState):
    """What the server knows of an open page: the state that rooms keep for it, and nothing of what its parts show.

    Gradio's own begins with a copy of the configuration of all parts, and writes into it whatever is sent and shown, for links
    to a state on the server; ours carry theirs. The copy costs 1.3 MB and tens of milliseconds for each visitor and each call of
    a verb.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks=()))  # type: ignore[arg-type]

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


visitor: ContextVar[str] = ContextVar("visitor", default="")
"""The address that the present request came from."""


class Sessions(StateHolder):
    """The sessions of all visitors; where there are too many, the oldest of the address that has most of them ends."""

    @cached_property
    def owners(self) -> dict[str, str]:
        """Session -> the address that it began from."""
        return {}

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.owners.setdefault(session_id, visitor.get())
            self.session_data[session_id] = Session(self.blocks)
        return super().__getitem__(session_id)

    def update(self, session_id: str) -> None:
        """A session was used: it is the last to end of its address."""
        with self.lock:
            if session_id in self.session_data:
                self.session_data.move_to_end(session_id)
            while len(self.session_data) > self.capacity:
                crowd = Counter(self.owners.get(name, "") for name in self.session_data)
                most = max(crowd.values())
                gone = next(name for name in self.session_data if crowd[self.owners.get(name, "")] == most)
                self.session_data.pop(gone)
                self.time_last_used.pop(gone, None)
                self.owners.pop(gone, None)
            if len(self.owners) > 4 * self.capacity:  # of requests that waited and never came in
                self.owners = {name: owner for name, owner in self.owners.items() if name in self.session_data}


async def _let_go(reset: Callable, event: str) -> None:
    """Gradio's ``reset_iterators``; a Stop may have taken the work out between its look and its grasp."""
    with suppress(KeyError):
        await reset(event)


class Page(gr.Blocks):
    """All pages: whatever goes wrong with a request is one sentence, and what a visitor may have in hand is bounded."""

    @property
    def state_holder(self) -> StateHolder:
        """The sessions."""
        return self._sessions

    @state_holder.setter
    def state_holder(self, holder: StateHolder) -> None:
        holder.__class__ = Sessions  # Gradio's application makes its own before it knows of this page
        self._sessions = holder

    @cached_property
    def about(self) -> dict[str, pages.Page]:
        """What is said of each page, by its path, in the order of the gallery; "": the front page."""
        return {}

    @cached_property
    def kept(self) -> dict[str, bytes]:
        """What is left for the browser to fetch, by name."""
        return {}

    def get_config_file(self) -> Any:
        """As Gradio's, without what a browser fetches when it shows it."""
        return _gradio.put_aside(super().get_config_file(), self.kept)

    @cached_property
    def direct(self) -> Counter[str]:
        """How many requests that bypass the queue are running or stand in line, of each session and of each address."""
        return Counter()

    @cached_property
    def places(self) -> asyncio.Semaphore:
        """For requests that bypass the queue; they get one in the order in which they came."""
        return asyncio.Semaphore(MAX_DIRECT)

    @cached_property
    def _seen(self) -> OrderedDict[str, float]:
        """When each session last had something in the queue, the one of longest ago first."""
        return OrderedDict()

    def queue(self, *values: Any, **named: Any) -> Page:
        """As Gradio's, with bounds for each visitor."""
        super().queue(*values, **named)
        self._queue.push = partial(self._admit, self._queue.push)  # type: ignore[method-assign]
        self._queue.reset_iterators = partial(_let_go, self._queue.reset_iterators)  # type: ignore[method-assign]
        return self

    def figures(self) -> dict[str, int]:
        """What is bounded, and how much of it is taken."""
        queue = self._queue
        sessions, running = self.state_holder.session_data, [job for job in queue.active_jobs if job is not None]
        return {
            "waiting": len(queue), "waiting_most": queue.max_size or MAX_WAITING, "running": len(running),
            "direct": self.direct.total() // 2, "direct_most": MAX_DIRECT + MAX_STANDING, "sessions": len(sessions),
            "sessions_most": self.state_session_capacity, "uploads": len(self.upload_file_set), "uploads_most": MAX_UPLOADS,
        }  # fmt: skip

    def knows(self, event: str) -> bool:
        """Whether this event of the queue waits, runs, or has an answer that nobody fetched yet."""
        kept = list(self._queue.pending_event_ids_session.values())
        return event in self._queue.event_ids_to_events or any(event in events for events in kept)

    async def _admit(self, push: Callable, body: Any, request: Request, username: str | None) -> Any:
        """Gradio's ``push``, for those who may have one more request in the queue."""
        session, address = body.session_hash, address_of(request)
        if session is not None and not 0 < len(session) <= MAX_NAME:
            raise HTTPException(400, f"The name of a session has 1 to {MAX_NAME} letters.")
        if body.fn_index not in self.fns:
            raise HTTPException(404, NO_SUCH)
        waiting = len(self._queue)
        if waiting >= (self._queue.max_size or MAX_WAITING):
            raise too_many(BUSY.format(waiting))
        events = list(self._queue.event_ids_to_events.values())
        near = [event for event in events if address_of(event.request) == address]
        # Gradio gives a caller without a session one of the event's name, and such callers are known by the address alone
        own = [event for event in events if event.session_hash == session] if session else [
            event for event in near if event.session_hash == event._id]  # fmt: skip
        if len(own) >= MAX_OWN:
            raise too_many(ENOUGH.format(len(own)))
        if len(near) >= MAX_ADDRESS:
            raise too_many(CROWDED.format(len(near)))
        self._forget()
        if session is not None:
            self.state_holder.owners.setdefault(session, address)  # the work itself will be done for the queue, not for a request
        found = await push(body=body, request=request, username=username)
        if body.session_hash is not None:
            self._seen[body.session_hash] = time.monotonic()
            self._seen.move_to_end(body.session_hash)
        return found

    def _forget(self) -> None:
        """Drop the results of sessions that asked for nothing in a while; those of a page were fetched long ago."""
        now, queue = time.monotonic(), self._queue
        busy = {event.session_hash for event in queue.event_ids_to_events.values()}
        while self._seen and now - next(iter(self._seen.values())) > FORGOTTEN:
            session, _ = self._seen.popitem(last=False)
            if session in busy:
                self._seen[session] = now
            else:
                queue.pending_messages_per_session.pop(session, None)
                queue.pending_event_ids_session.pop(session, None)

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False) -> list[Any]:
        """The values of a request as the handler takes them.

        Raises:
            gr.Error: if there are too few or too many, or one does not fit its component.
        """
        wanted, came = len(block_fn.inputs), len(inputs)
        if came < wanted or came > wanted and block_fn.api_visibility == "public":
            raise gr.Error(f"This takes {wanted} value{'s' * (wanted != 1)}; {came} came.")
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except FileNotFoundError as error:
            raise gr.Error(GONE) from error
        except Exception as error:
            if is_plain(error):
                raise
            raise gr.Error(MISFIT) from error

    async def process_api(self, block_fn: Any, inputs: list[Any], *values: Any, **named: Any) -> dict[str, Any]:  # type: ignore[override]
        """One request, or one step of a stream.

        Raises:
            gr.Error: whatever went wrong; what nobody expected is in the log.
        """
        session, event, request = (named.get(key) for key in ("session_hash", "event_id", "request"))
        try:
            with in_sentences(getattr(block_fn, "name", None) or "an action"):
                said_well(named.get("event_data"))
                if event is None and request is not None:
                    async with self._in_hand(f"session {session}" if session else "", address_of(request)):
                        found = await super().process_api(block_fn, inputs, *values, **named)
                else:
                    found = await super().process_api(block_fn, inputs, *values, **named)
        except gr.Error:
            self._leave(session, event)
            raise
        if not found["is_generating"]:
            self._leave(session, event)
        return found

    def _leave(self, session: str | None, event: str | None) -> None:
        """A caller without a session was given one for this request; among those of visitors it would push theirs out."""
        if session is not None and session == event:
            self.state_holder.session_data.pop(session, None)
            self.state_holder.owners.pop(session, None)
            self.state_holder.time_last_used.pop(session, None)

    @asynccontextmanager
    async def _in_hand(self, session: str, address: str) -> AsyncIterator[None]:
        """Count a request that bypasses the queue, and let it in when there is a place for it.

        Raises:
            gr.Error: if there are too many, or no place becomes free.
        """
        keys = (session or address, f"near {address}")
        if self.direct[keys[0]] >= MAX_OWN:
            raise gr.Error(ENOUGH.format(MAX_OWN))
        if self.direct[keys[1]] >= MAX_ADDRESS:
            raise gr.Error(CROWDED.format(MAX_ADDRESS))
        if self.direct.total() // 2 >= MAX_DIRECT + MAX_STANDING:
            raise gr.Error(BUSY.format(MAX_STANDING))
        self.direct.update(keys)
        try:
            try:
                await asyncio.wait_for(self.places.acquire(), PATIENCE)
            except TimeoutError as error:
                raise gr.Error(BUSY.format(self.direct.total() // 2 - MAX_DIRECT)) from error
            try:
                yield
            finally:
                self.places.release()
        finally:
            self.direct.subtract(keys)
            for key in keys:
                if not self.direct[key]:
                    del self.direct[key]


def said_well(event: gr.EventData | None) -> None:
    """Refuse what an event says of itself if it names foreign files; Gradio does so too, and repeats their names."""
    try:
        check_all_files_in_cache(getattr(event, "_data", None))
    except Exception as error:
        raise gr.Error(MISFIT) from error


def is_plain(error: Exception) -> bool:
    """Whether this is a sentence for visitors; Gradio's own may repeat what was sent, of any length, and name classes."""
    return isinstance(error, gr.Error) and len(error.message) <= 200 and not re.search(r"[/\\\n{<\[]", error.message)


def address_of(request: Any) -> str:
    """The address that a request came from; "" where it is not known."""
    client = getattr(request, "client", None)
    return getattr(client, "host", None) or ""


# ---- in front of all routes -------------------------------------------------------------------------------------------


RUN = "/gradio_api/run/"
REFUSED = b"x-refused"
"""A header: of a request, that its refusal is wanted with status 200; of such an answer, the status that it would have."""


class Bounds:
    """Middleware that refuses what is too large, closes doors that nobody needs, and answers in words where a route fails."""

    def __init__(self, app: ASGIApp, page: Page | None = None) -> None:
        self.app, self.page = app, page
        self.uploading: Counter[str] = Counter()
        self.since = 0.0
        self.owners: dict[str, str] = {}
        """Uploaded file -> the address that it came from."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, begun = scope["path"].rstrip("/"), False
        visitor.set((scope.get("client") or ("",))[0])

        async def watched(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                # a browser notes each 500 as an error, and to refuse what a visitor typed is none; the page restores the status
                if message["status"] == 500 and path.startswith(RUN) and REFUSED in dict(scope["headers"]):
                    message = message | {"status": 200, "headers": [*message["headers"], (REFUSED, b"500")]}
            await send(message)

        async def refuse(status: int, sentence: str, **headers: str) -> None:
            await JSONResponse({"detail": sentence}, status, headers)(scope, receive, send)

        try:
            if CLOSED.match(path):
                raise HTTPException(404, "There is no such page here.")
            answer = ANSWER.fullmatch(path)
            if answer and scope["method"] == "GET" and self.page is not None and not self.page.knows(answer[1]):
                raise HTTPException(404, FETCHED)
            most = MAX_PART if path.endswith("/component_server") else MAX_FORM if path.endswith("/upload") else MAX_BODY
            receive = await bounded(scope, hurried(scope, receive), most)
            if path.endswith("/upload") and scope["method"] == "POST":
                await self._upload(scope, receive, watched)
            else:
                await self.app(scope, receive, watched)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:
            if begun:
                # the stream of a session that is not there ends with Gradio's own words; and where a visitor leaves by two streams
                # at once, it tidies up twice and fails the second time
                if not isinstance(error.__cause__, HTTPException | asyncio.CancelledError) and not isinstance(error, HTTPException):
                    raise
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif isinstance(error, HTTPException):
                await refuse(error.status_code, str(error.detail), **(error.headers or {}))
            elif isinstance(error, gr.Error):
                await refuse(400, error.message)
            elif isinstance(error, FnIndexInferError) or isinstance(error, KeyError) and VERBS.match(path):
                await refuse(404, NO_SUCH)
            elif isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
                await refuse(404, "There is no such page here.")
            elif isinstance(error, KeyError) and path == "/gradio_api/cancel":
                # the work ended by itself just now, between the route's look and its grasp; the visitor has what was wanted
                await JSONResponse({"success": True})(scope, receive, send)
            elif isinstance(error, CLUMSY) and path.startswith("/gradio_api/"):
                log.warning("refused %s %r: %s", scope["method"], path[:100], type(error).__name__)
                await refuse(400, UNREADABLE)
            else:
                await refuse(500, as_sentence(error, repr(path[:100])).message)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An upload; what broken ones left behind goes when none is on its way."""
        host, parts = visitor.get(), []
        if self.uploading.total() >= MAX_UPLOADING or self.uploading[host] >= MAX_UPLOADING_EACH:
            raise too_many(f"{self.uploading.total()} files are being uploaded; try again in a moment.")
        if not self.uploading.total():
            self.since = time.time()
        self.uploading[host] += 1

        async def noted(message: Message) -> None:
            parts.append(message.get("body", b""))
            await send(message)

        uploaded = self.page.upload_file_set if self.page is not None else set()
        try:
            await run_in_threadpool(make_room, uploaded, self.owners, MAX_FORM)
            await self.app(scope, receive, noted)
            with suppress(ValueError, TypeError):
                self.owners |= dict.fromkeys(json.loads(b"".join(parts)), host)
            await run_in_threadpool(make_room, uploaded, self.owners)
        finally:
            self.uploading -= Counter([host])
            if not self.uploading.total():
                sweep(Path(get_upload_folder()), self.since)


def hurried(scope: Scope, receive: Receive) -> Receive:
    """``receive``, for a body that comes without long pauses and not endlessly slowly.

    It raises an HTTPException otherwise.
    """
    length = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"0")
    due = time.monotonic() + 30 + (int(length) if length.isdigit() else 0) / SLOWEST
    complete = length == b"0"

    async def timed() -> Message:
        nonlocal complete
        if complete:
            return await receive()  # that the visitor leaves may be a long time off
        try:
            message = await asyncio.wait_for(receive(), max(0.0, min(SILENCE, due - time.monotonic())))
        except TimeoutError as error:
            raise HTTPException(408, SLOW, {"Connection": "close"}) from error
        complete = not message.get("more_body")
        return message

    return timed


async def bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """``receive``, if the body has at most so many bytes and says so, and no session in it has an endless name.

    Raises:
        HTTPException: otherwise.
    """
    headers = {name.lower(): value for name, value in scope["headers"]}
    if b"transfer-encoding" in headers:
        raise HTTPException(411, "This request must say how long it is.")
    length = headers.get(b"content-length", b"0")
    size = int(length) if length.isdigit() else 0  # the server checked it
    if size > most:
        # a client that is still sending would not see an answer
        left = min(size, 10 * MAX_BODY)
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b"")) if message.get("more_body") else left
        raise HTTPException(413, f"This request has {size:,} bytes; at most {most:,} are taken.")
    if size <= 1000 * MAX_NAME or b"json" not in headers.get(b"content-type", b""):
        return receive
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    content = b"".join(parts)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The body of this request is no JSON.") from error
    if not isinstance(body, dict) or any(len(str(body[key])) > MAX_NAME for key in ("session_hash", "event_id") if key in body):
        raise HTTPException(400, UNREADABLE)
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": content, "more_body": False}

    return again


def make_room(uploaded: set[str], owners: dict[str, str], reserve: int = 0) -> None:
    """Delete files until ``MAX_UPLOADS`` and ``MAX_UPLOADED`` hold, with room for a file of ``reserve`` bytes if that is not 0.

    The oldest of the address goes that has most of what is too much. ``owners``: file -> address, "" where it is not known.
    """
    found = []
    for name in list(uploaded):
        try:
            about = os.stat(name)
        except OSError:
            _forget_upload(name, uploaded, owners)
        else:
            found.append((about.st_ctime, about.st_size, name))
    found.sort()
    sizes, counts = Counter(), Counter()
    for _, size, name in found:
        sizes[owners.get(name, "")] += size
        counts[owners.get(name, "")] += 1
    while found:
        if counts.total() > MAX_UPLOADS - bool(reserve):
            crowd = counts
        elif sizes.total() + reserve > MAX_UPLOADED:
            crowd = sizes
        else:
            break
        owner = crowd.most_common(1)[0][0]
        entry = next(entry for entry in found if owners.get(entry[2], "") == owner)
        found.remove(entry)
        sizes[owner] -= entry[1]
        counts[owner] -= 1
        Path(entry[2]).unlink(missing_ok=True)
        _forget_upload(entry[2], uploaded, owners)


def _forget_upload(name: str, uploaded: set[str], owners: dict[str, str]) -> None:
    uploaded.discard(name)
    owners.pop(name, None)
    with suppress(OSError):
        Path(name).parent.rmdir()  # Gradio makes a folder for each


def sweep(folder: Path, since: float) -> None:
    """Delete what broken uploads left in the upload folder: files with a name by ``tempfile``, begun at ``since`` or later, and
    folders from which everything was deleted.
    """
    for file in folder.glob("tmp????????"):
        try:
            if file.is_file() and file.stat().st_mtime >= since - 1:
                file.unlink()
        except FileNotFoundError:
            pass
    for place in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):
            if place.is_dir() and time.time() - place.stat().st_mtime > EMPTY:
                place.rmdir()  # refuses if anything is in it


async def unfit(request: Request, error: Exception) -> JSONResponse:
    """The answer to a body that is no JSON, or not the one that a route takes."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) and error.errors() else {}
    where = [str(part) for part in first.get("loc", ())[1:2] if isinstance(part, str)]
    if first.get("type") == "json_invalid" or not where:
        sentence = "The body of this request is no JSON object."
    elif first.get("type") == "missing":
        sentence = f"This request lacks {where[0]}."
    else:
        sentence = f"In this request, {where[0]} is of the wrong kind."
    return JSONResponse({"detail": sentence}, 400)


HANDLERS = {RequestValidationError: unfit}
"""For the application."""
