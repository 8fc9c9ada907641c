"""Every reach into Gradio's insides, for the version that ``requirements.txt`` pins: what it does, and what to do without it.

Each has a test in ``tests/test_gradio.py``. Where that fails, Gradio has changed, and the function here is adapted or left out.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SHORT = 300
"""Letters of a script that stays in the page."""
KNOWN = "element, trigger, props, server, upload, watch"
"""What Gradio gives to the script of a part."""
ASSETS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
PICTURE = re.compile(r'(?<=")data:image/(png|webp|jpeg);base64,([A-Za-z0-9+/=]+)(?=")')
CONFIG = re.compile(r"<script>window\.gradio_config = (\{.*?\});</script>", re.DOTALL)
"""Where the description of the page stands in its document."""
TAGS = re.compile(r'\s*<meta\s+(?:property|name)="(?:og|twitter):[^>]*>')
"""The tags that are Gradio's own."""
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


# ---- several pages ----------------------------------------------------------------------------------------------------


def begin_page(blocks: gr.Blocks, path: str, title: str) -> None:
    """Put what follows in ``blocks``, within the same ``with``, on a page of its own at ``/<path>``.

    These are the two steps of ``Blocks.route``. That must be called outside of the ``with``, and at the end of each ``with`` Gradio
    describes all pages and builds the application again, which takes 0.1 to 0.2 s a page.

    Without it: leave the ``with`` before each page, and write ``with blocks.route(title, path)``.
    """
    blocks.pages.append((path, title, True))
    blocks.current_page = path


def own_document(document: str, title: str, head: str) -> str:
    """The HTML of a page with a title, with ``head`` in the place of Gradio's tags for previews, and without the other pages.

    Gradio puts the layout of all pages into each of them, and a bar with their names on top. ``{root}`` in ``head`` becomes the
    address of the front page as Gradio knows it, which looks at what a proxy says.

    Without it: the page works, grows by a kilobyte with each room of the others, has a second bar, which ``gr.Navbar`` configures,
    and its previews show Gradio's name and picture.
    """
    found, root = CONFIG.search(document), ""
    if found:
        config = json.loads(found[1])
        name, root = config["current_page"], config["root"]
        config |= {"page": {name: config["page"][name]}, "pages": [], "title": title}
        # what a browser takes for the end of a script begins so
        described = json.dumps(config, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        document = document[: found.start(1)] + described + document[found.end(1) :]
    return TAGS.sub("", document).replace("</head>", f"{head.replace('{root}', html.escape(root))}</head>", 1)


# ---- what is fetched when it is shown ---------------------------------------------------------------------------------


def put_aside(config: dict[str, Any], kept: MutableMapping[str, bytes]) -> dict[str, Any]:
    """The page's description without its script, and the pictures and longer scripts of its parts: those go to ``kept``, by name.

    A browser fetches those of the room that it shows, once; in the page they would be ten times as much as all the rest. What
    the page sends back to the server stays as it is. A part takes no clicks and no keys before its script is there: it would lose
    them.

    Without it: the page works, and is larger.
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
        props = component["props"] = dict(component["props"])
        if isinstance(props.get("value"), str) and component["id"] not in sent:
            props["value"] = PICTURE.sub(picture, props["value"])
        script = props.get("js_on_load") or ""
        if len(script) > SHORT:
            there = f"then(part => part.default({KNOWN})).finally(() => {{ element.inert = false; }})"
            props["js_on_load"] = "element.inert = true; " + fetched(f"({KNOWN}) => {{\n{script}\n}}") + f".{there};"
    if config.get("js"):
        config["js"] = f"async () => (await {fetched(config['js'])}).default()"
    return config


# ---- which of several events is answered ------------------------------------------------------------------------------


@cache
def scripts_changed() -> dict[str, str]:
    """Scripts of Gradio's page by name, with :data:`LAST` and :data:`NEWEST`.

    Of events that come too fast, Gradio answers the first twice. A version that says it in other words stays as it is.

    Without it: where a pointer was last is lost, and so is the second of two quick clicks.
    """
    found = {}
    for file in ASSETS.glob("Blocks-*.js"):
        text = file.read_text(encoding="utf-8")
        names = [match.groupdict() for match in AGAIN.finditer(text)]
        if names and names.count(names[0]) == len(names) and LATER.findall(text) == [names[0]["dep"]]:
            for wanted, better in ((LATER, LAST), (AGAIN, NEWEST), (FAILED, f"%(whole)s,{NEWEST}")):
                text = wanted.sub(lambda match, better=better, named=names[0]: better % (named | {"whole": match[0]}), text)
            found[file.name] = text
    return found


def scripts() -> list[Route]:
    """The routes of :func:`scripts_changed`, to be asked before Gradio's own."""

    async def send(request: Request) -> Response:
        return Response(scripts_changed()[request.url.path.rpartition("/")[2]], media_type="text/javascript")

    return [Route(f"/assets/{name}", send) for name in scripts_changed()]
