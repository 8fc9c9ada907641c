"""The addresses of the gallery: which page a link leads to, and what a preview of the link says."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import URL, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demos._server import _gradio, covers
from gen_models import catalog

KINDS = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg", "js": "text/javascript"}
"""Ending of a part -> its media type."""
HOME = "home"


@dataclass(frozen=True)
class Page:
    """What is said of a page, and of each room on it."""

    title: str
    sentence: str
    rooms: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Room -> its title and one sentence about it, in the order of the page."""


def address(path: str, page: Page, last: bool = False) -> str:
    """The address of the first room of a page, or of its last, relative to the front page."""
    rooms = [name for name in page.rooms if name != path]
    return f"{path or './'}?room={rooms[-1 if last else 0]}" if rooms else path or "./"


class Addresses:
    """Middleware that leads each link to the page of its room, and writes into a page's document what previews show.

    ``pages``: path -> page; ``title``: of the gallery; ``absent``: paths that are no page now, since no room there is open or, in a
    talk, all rooms are on the front page.
    """

    def __init__(self, app: ASGIApp, pages: Mapping[str, Page], title: str, absent: Collection[str] = ()) -> None:
        self.app, self.pages, self.title, self.absent = app, pages, title, absent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope["path"].strip("/") if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else None
        if path not in self.pages and path not in self.absent:
            await self.app(scope, receive, send)
            return
        query = QueryParams(scope["query_string"])
        room = query.get("room", "")
        wanted = next((name for name, page in self.pages.items() if room in page.rooms), "" if path in self.absent else path)
        if wanted != path or path and scope["path"].endswith("/"):
            # relative, as a proxy may have put the gallery anywhere
            up = "../" if path and scope["path"].endswith("/") else "./"
            target = URL(f"{up}{wanted}").replace(query=scope["query_string"].decode("latin-1"))
            await RedirectResponse(str(target), 307)(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            await self.app(scope, receive, send)
            return
        start: list[Message] = []
        parts: list[bytes] = []

        async def written(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body, headers = b"".join(parts), MutableHeaders(scope=start[0])
            if start[0]["status"] == 200 and headers.get("content-type", "").startswith("text/html"):
                body = self.document(body.decode(), path, room).encode()
                headers["Content-Length"] = str(len(body))
            await send(start[0])
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, written)

    def document(self, document: str, path: str, room: str) -> str:
        """The HTML of a page, with its own title, sentence and picture."""
        page = self.pages[path]
        name, (title, sentence) = room, page.rooms.get(room, (page.title, page.sentence))
        if room not in page.rooms:
            name = path or HOME
        full = " · ".join(dict.fromkeys(filter(None, (title, self.title))))
        query = f"?room={room}" if room in page.rooms else ""
        width, height = covers.PREVIEW
        tags = {
            "og:title": full, "og:description": sentence, "og:type": "website", "og:site_name": self.title,
            "og:url": f"{{root}}/{path}{query}", "og:image": f"{{root}}/preview/{name}.png", "og:image:width": width,
            "og:image:height": height, "og:image:alt": f"Pictures made here: {title or self.title}",
        }  # fmt: skip
        lines = [f"<title>{html.escape(full)}</title>", f'<meta name="description" content="{html.escape(sentence)}" />']
        lines += [f'<meta property="{key}" content="{html.escape(str(value))}" />' for key, value in tags.items()]
        lines.append('<meta name="twitter:card" content="summary_large_image" />')
        return _gradio.own_document(document, full, "\n".join(lines))


def send_preview(pages: Mapping[str, Page]) -> Callable[[Request], Any]:
    """``GET /preview/<room or page>.png``: what a preview of a link to it shows."""
    rooms = {name: [name] for page in pages.values() for name in page.rooms}
    everything = [name for name in rooms if name in catalog.names()]
    shown = {path or HOME: list(page.rooms) for path, page in pages.items()} | rooms
    # a room of several models, and the front page, show pictures of all
    found = {name: tuple(room for room in names if room in everything) or tuple(everything) for name, names in shown.items()}

    async def send(request: Request) -> Response:
        return await covers.send_picture(covers.preview, found.get(request.path_params["name"], ()), "image/png")

    return send


def send_kept(kept: Mapping[str, bytes]) -> Callable[[Request], Any]:
    """``GET /part/<name>``: one of the things that :func:`_gradio.put_aside` put aside."""

    async def send(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in kept:
            return Response("There is no such part.", 404, media_type="text/plain")
        kind = KINDS[name.rpartition(".")[2]]
        return Response(kept[name], headers={"Cache-Control": "public, max-age=86400, immutable"}, media_type=kind)

    return send
