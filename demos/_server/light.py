"""What keeps the page light however many rooms it has: sent small, and quick at every movement of a slider."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, MutableMapping
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import brotli
import gradio as gr
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SHORT = 300
"""Letters of a script that stays in the page."""
KNOWN = "element, trigger, props, server, upload, watch"
"""What Gradio gives to the script of a part."""
KINDS = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg", "js": "text/javascript"}
"""Ending of a part -> its media type."""
ADDRESS = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server", "origin")
"""What a browser sends of which Gradio makes the addresses in the page; a cookie changes nothing, as nobody logs in here."""
ADDRESSES = 8
"""For so many addresses the page is kept."""
ASSETS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
PICTURE = re.compile(r'(?<=")data:image/(png|webp|jpeg);base64,([A-Za-z0-9+/=]+)(?=")')
SEEK = re.compile(
    r"function (?P<seek>[\w$]+)\((?P<tree>[\w$]+),(?P<id>[\w$]+)\)\{if\((?P=tree)\.id===(?P=id)\)return (?P=tree);"
    r"if\((?P=tree)\.children\)for\(let (?P<child>[\w$]+) of (?P=tree)\.children\)\{"
    r"let (?P<found>[\w$]+)=(?P=seek)\((?P=child),(?P=id)\);if\((?P=found)\)return (?P=found)\}return null\}"
)
"""How Gradio's page finds a component by its number: it looks at one after the other."""
FIND = """
const galleryWays = new Map;
function %(seek)s(tree, id) {
  if (id === null) return null;
  let found = tree;
  for (const place of galleryWays.get(id) ?? []) found = found?.children?.[place];
  if (found?.id === id) return found;
  galleryWays.clear();
  const look = (node, way) => {
    if (!galleryWays.has(node.id)) galleryWays.set(node.id, way);
    if (node.id === id) found ??= node;
    const children = node.children ?? [];
    for (let place = 0; place < children.length; place++) look(children[place], [...way, place]);
  };
  found = null;
  look(tree, []);
  return found;
}
"""
"""The same, but that the way to each component is remembered, and taken again if the component still is at its end. While the page
opens, it is asked two hundred times for null, which no component has for its number."""
ATTACH = re.compile(
    r"find_attached_events\((?P<node>[\w$]+),(?P<events>[\w$]+)\)\{let (?P<kept>[\w$]+)="
    r"(?P=events)\.filter\(([\w$]+)=>\4\.targets\.find\(\(\[([\w$]+)\]\)=>\5===(?P=node)\.id\)\)"
    r"\.map\(([\w$]+)=>\{let ([\w$]+)=\6\.targets\.find\(\(\[([\w$]+)\]\)=>\8===(?P=node)\.id\);return \7\?\7\[1\]:null\}\)"
    r"\.filter\(Boolean\);return (?P=node)\.props\.shared_props\.attached_events=(?P=kept),(?P=node)\}"
)
"""How it finds which events begin at a component, while it opens: for each component it looks at all events."""
ATTACHED = """find_attached_events(node, events) {
  const known = this.galleryEvents ??= new WeakMap;
  if (!known.has(events)) {
    const begun = new Map;
    for (const {targets} of events) {
      const seen = new Map(targets.map(target => [target[0], target[1]]).reverse());
      for (const [id, name] of seen) if (name) begun.has(id) ? begun.get(id).push(name) : begun.set(id, [name]);
    }
    known.set(events, begun);
  }
  node.props.shared_props.attached_events = [...known.get(events).get(node.id) ?? []];
  return node;
}"""
"""The same, but that the events are looked at once."""
LATER = re.compile(r"this\.queue\.add\((?P<dep>[\w$]+)\.id\);continue\}")
AGAIN = re.compile(
    r"this\.queue\.has\((?P<dep>[\w$]+)\.id\)&&\(this\.queue\.delete\((?P=dep)\.id\),this\.dispatch\((?P<event>[\w$]+)\)\)"
)
FAILED = re.compile(r"(?P<sent>[\w$]+)&&this\.clear_submission\((?P<dep>[\w$]+)\.id,(?P=sent)\)")
"""How it remembers that an event came while its handler was at work, and how the handler then works once more: for the event that
was just answered, with every other handler of that event; after a refusal not at all. Where the pointer was last would be lost, or
the second of two clicks."""
LAST = "this.queue.add(%(dep)s.id);(this.galleryLast??=new Map).set(%(dep)s.id,%(event)s);continue}this.queue.delete(%(dep)s.id);"
NEWEST = (
    "this.queue.has(%(dep)s.id)&&(this.queue.delete(%(dep)s.id),"
    'this.dispatch({...this.galleryLast.get(%(dep)s.id),type:"fn",fn_index:%(dep)s.id}))'
)
"""The same for the event that came last, by this handler alone, and after a refusal, too; what begins at once
leaves nothing older to do."""


# ---- what is fetched when it is shown ---------------------------------------------------------------------------------


def put_aside(config: dict[str, Any], kept: MutableMapping[str, bytes]) -> dict[str, Any]:
    """The page's description without its script, and the pictures and longer scripts of its parts: those go to ``kept``, by name.

    A browser fetches those of the room that it shows, once; in the page they would be ten times as much as all the rest. What
    the page sends back to the server stays as it is. A part takes no clicks and no keys before its script is there: it would lose
    them.
    """

    def put(content: bytes, kind: str) -> str:
        name = f"{hashlib.sha256(content).hexdigest()[:12]}.{kind}"
        kept[name] = content
        return f"part/{name}"

    def picture(found: re.Match[str]) -> str:
        return put(base64.b64decode(found[2]), found[1])

    def fetched(function: str) -> str:
        return f"import(new URL('{put(f'export default {function}'.encode(), 'js')}', document.baseURI))"

    sent = {number for event in config["dependencies"] for number in event["inputs"]}
    for component in config["components"]:
        if component["type"] != "html":
            continue
        told = component["props"] = dict(component["props"])
        if isinstance(told.get("value"), str) and component["id"] not in sent:
            told["value"] = PICTURE.sub(picture, told["value"])
        script = told.get("js_on_load") or ""
        if len(script) > SHORT:
            there = f"then(part => part.default({KNOWN})).finally(() => {{ element.inert = false; }})"
            told["js_on_load"] = "element.inert = true; " + fetched(f"({KNOWN}) => {{\n{script}\n}}") + f".{there};"
    if config.get("js"):
        config["js"] = f"async () => (await {fetched(config['js'])}).default()"
    return config


def send_kept(kept: Mapping[str, bytes]) -> Callable[[Request], Any]:
    """``GET /part/<name>``: one of the things that were put aside."""

    async def send(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in kept:
            return Response("There is no such part.", 404, media_type="text/plain")
        kind = KINDS[name.rpartition(".")[2]]
        return Response(kept[name], headers={"Cache-Control": "public, max-age=86400, immutable"}, media_type=kind)

    return send


# ---- what is sent -----------------------------------------------------------------------------------------------------


class Packed:
    """Middleware that sends the page as Brotli: most of it is the same again and again, further apart than gzip looks back.

    It is the same for all visitors who reach the server by the same address, and costs Gradio a tenth of a second and ten
    megabytes for a moment. So it is made once for each address, packed in haste, and a little later as small as it can be; a hall
    full of people who open it at once gets what is kept.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.kept: dict[tuple[str, ...], tuple[list[tuple[bytes, bytes]], bytes]] = {}
        """What the page depends on -> the headers of the answer, and the page as Brotli."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if scope.get("path") not in ("", "/") or scope.get("method") != "GET" or "br" not in headers.get("accept-encoding", ""):
            await self.app(scope, receive, send)
            return
        # what Gradio makes the address of, and whatever else may make it another page
        place = tuple(headers.get(name, "") for name in ADDRESS) + (scope["scheme"], scope.get("root_path", ""))
        usual = b"deep_link" not in scope["query_string"]
        if usual and place in self.kept:
            await send_packed(send, *self.kept[place])
            return
        begun: list[Message] = []
        parts: list[bytes] = []

        async def pack(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            start, body = begun[0], b"".join(parts)
            if start["status"] != 200:
                await send(start)
                await send({"type": "http.response.body", "body": body})
                return
            packed = start["headers"], await run_in_threadpool(brotli.compress, body, quality=5)
            if usual and place not in self.kept and len(self.kept) < ADDRESSES:
                self.kept[place] = packed
                Thread(target=self.pack_well, args=(place, body), daemon=True).start()
            await send_packed(send, *packed)

        await self.app(scope, receive, pack)

    def pack_well(self, place: tuple[str, ...], body: bytes) -> None:
        """Keep the page of this address as small as it can be."""
        self.kept[place] = self.kept[place][0], brotli.compress(body, mode=brotli.MODE_TEXT)


async def send_packed(send: Send, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a page as Brotli."""
    start: Message = {"type": "http.response.start", "status": 200, "headers": list(headers)}
    told = MutableHeaders(scope=start)
    told["Content-Encoding"], told["Content-Length"] = "br", str(len(body))
    told.add_vary_header("Accept-Encoding")
    await send(start)
    await send({"type": "http.response.body", "body": body})


# ---- how the page finds a component, and which event it answers --------------------------------------------------------


@cache
def mended() -> dict[str, str]:
    """Scripts of Gradio's page by name: with :data:`FIND` and :data:`ATTACHED`, or with :data:`LAST` and :data:`NEWEST`.

    Each event seeks each of its inputs and outputs several times, in a tree of all the components of all rooms: milliseconds in
    the first room, and more with every room before. And as the page opens, each component looks at every event. Of events that come
    too fast, it answers the first twice. A version of Gradio that does so in other words stays as it is.
    """
    found = {}
    for file in (*ASSETS.glob("core-*.js"), *ASSETS.glob("Blocks-*.js")):
        text = whole = file.read_text(encoding="utf-8")
        for wanted, better in ((SEEK, FIND), (ATTACH, ATTACHED)):
            if len(wanted.findall(text)) == 1:
                text = wanted.sub(lambda match, better=better: better.replace("%(seek)s", match.groupdict().get("seek", "")), text)
        names = [match.groupdict() for match in AGAIN.finditer(text)]
        if names and names.count(names[0]) == len(names) and LATER.findall(text) == [names[0]["dep"]]:
            for wanted, better in ((LATER, LAST), (AGAIN, NEWEST), (FAILED, f"%(whole)s,{NEWEST}")):
                text = wanted.sub(lambda match, better=better, named=names[0]: better % (named | {"whole": match[0]}), text)
        if text != whole:
            found[file.name] = text
    return found


def scripts() -> list[Route]:
    """The routes of :func:`mended`, to be asked before Gradio's own."""

    async def send(request: Request) -> Response:
        return Response(mended()[request.url.path.rpartition("/")[2]], media_type="text/javascript")

    return [Route(f"/assets/{name}", send) for name in mended()]
