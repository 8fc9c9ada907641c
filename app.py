"""The front door: the home page, a page per family with a tab per room, a page for each room of several models. Names no model.

``python app.py [--host ADDRESS] [--port NUMBER] [--talk [--path ROOM,ROOM...]]``
"""

from __future__ import annotations

import argparse
import gc
import html
import importlib
import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# a summary of past events is rebuilt after each event; once in a thousand is enough
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000")
# NumPy's products are small here: a second thread gains nothing and spins for a tenth of a second after the last of them
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Gradio tries its ports at this host, too, and knows IPv4 alone
HOST = os.environ.pop("GRADIO_SERVER_NAME", "127.0.0.1")
# what the imports make stays; the collector would walk through it again and again, and find nothing to free
gc.disable()

import demos  # noqa: E402, F401, I001  # what stands in the way of importing Gradio is cleared away first
import gradio as gr  # noqa: E402
from gradio.http_server import INITIAL_PORT_VALUE, TRY_NUM_PORTS  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.gzip import GZipMiddleware  # noqa: E402
from starlette.routing import Route  # noqa: E402

from demos import _home  # noqa: E402
from demos._kit import recipes  # noqa: E402
from demos._kit.alone import look  # noqa: E402
from demos._kit.boundary import laid_out  # noqa: E402
from demos._kit.checks import is_number  # noqa: E402
from demos._kit.events import QUICK, error_boundary, wait_in_page  # noqa: E402
from demos._kit.recipes import Room, read_recipe  # noqa: E402
from demos._server import (  # noqa: E402
    _gradio,
    address,
    connections,
    covers,
    ending,
    gpu,
    headers,
    limits,
    memory,
    pages,
    request_log,
    talk,
    uploads,
)
from demos._widgets import script  # noqa: E402
from gen_models import catalog, hub  # noqa: E402

gc.enable()

TITLE = "The gallery of deep generative models"
SENTENCE = "Play the classics: every picture here is made by a model while you watch."
DEMOS = Path(__file__).parent / "demos"
FAMILIES = {
    "mixtures": "Mixtures", "autoencoders": "Autoencoders", "gans": "GANs", "translation": "Translation",
    "restoration": "Restoration", "autoregressive": "Autoregressive", "diffusion": "Diffusion", "imitation": "Imitation",
}  # fmt: skip
GOTO_JS = "document.addEventListener('gallery:go', event => trigger('go', {room: event.detail}));"
MAX_STATE = 8000
"""Characters of a link's state that are looked at."""


def rooms(closed: bool = False) -> dict[str, list[str]]:
    """Family -> its rooms by year, from the files in ``demos``; with ``closed`` those, too, for which there are no weights yet."""
    found: dict[str, list[str]] = {}
    models = catalog.names()
    shown = [file.stem for file in DEMOS.glob("[!_]*.py") if file.stem in models and (closed or catalog.trained(file.stem))]
    for family in FAMILIES:
        members = [name for name in shown if models[name] == family]
        if members:
            found[family] = sorted(members, key=lambda name: catalog.about(name)["year"])
    return found


def shared() -> dict[str, Any]:
    """Rooms of several models that have something to show: name -> module, from the files in ``demos`` without a model's name."""
    names = [name for name in recipes.rooms() if name not in catalog.names()]
    modules = {name: importlib.import_module(f"demos.{name}") for name in names}
    return {name: module for name, module in modules.items() if module.is_open()}


def restore(request: gr.Request, built: Mapping[str, Room], tabs: gr.Tabs | None) -> dict[Any, Any]:
    """What the link to a page with these rooms says, as updates: which tab is open, what the room's controls hold."""
    query = request.query_params
    room = built.get(query.get("room", ""))
    if room is None:
        return {}
    # the first tab is open from the beginning; opened once more it might take a visitor back who has gone on meanwhile
    opened: dict[Any, Any] = {tabs: gr.Tabs(selected=room.model)} if tabs and tabs.children[0].id != room.model else {}
    updates = dict(opened)
    try:
        state = json.loads(query.get("state", "{}")[:MAX_STATE])
        state = state if isinstance(state, dict) else {}
    except (ValueError, RecursionError):
        gr.Warning("This link is damaged; the room opens as usual.")
        return updates
    state = room.migrate(state) if state else {}
    for key, value in state.items():
        component = room.controls.get(key)
        if component is not None and _fits(component, value):
            updates[component] = value
    digest, current = query.get("sha", ""), room.digest(state)
    if digest and current and not current.startswith(digest):
        gr.Warning("These weights were trained anew since this picture was saved; it may look different.")
    if state and room.show is not None:
        values = [updates.get(component, component.value) for component in room.controls.values()]
        try:
            updates |= dict(zip(room.shown, error_boundary(room.show)(*values), strict=True))
        except gr.Error as error:
            # what a link holds may fit each control and still make no picture; the room stays as it is then
            gr.Warning(f"This link does not fit: {error.message}")
            return opened
    return updates


def _fits(component: Any, value: Any) -> bool:
    """Whether a component may be given a value that came in by a link."""
    if isinstance(component, gr.Slider | gr.Number):
        low, high = (-math.inf if component.minimum is None else component.minimum), component.maximum
        return is_number(value, low, math.inf if high is None else high)
    if isinstance(component, gr.Radio | gr.Dropdown):
        return value in [choice for _, choice in component.choices]
    if isinstance(component, gr.Checkbox):
        return isinstance(value, bool)
    return isinstance(value, str)


@error_boundary
def link_of(file: str | None) -> str:
    """The link that restores the room in which a picture was saved."""
    from urllib.parse import urlencode

    if not file:
        return ""
    recipe = read_recipe(file)
    return "?" + urlencode({"room": recipe["room"], "state": json.dumps(recipe["controls"]), "sha": recipe.get("sha256", "")})


# ---- the pages --------------------------------------------------------------------------------------------------------


def places(path: Sequence[str] = ()) -> dict[str, pages.Page]:
    """Path -> page, in the order of the gallery; with the rooms of a talk, the front page alone, and on it these."""
    words = {name: (hall.TITLE, hall.SUMMARY) for name, hall in shared().items()}
    found = {"": pages.Page("", SENTENCE)} | {name: pages.Page(*words[name], {name: words[name]}) for name in words}
    for family, members in rooms().items():
        words |= {name: (about["title"], about["summary"]) for name in members for about in [catalog.about(name)]}
        sentence = f"{', '.join(words[name][0] for name in members)}. {SENTENCE}"
        found[family] = pages.Page(FAMILIES[family], sentence, {name: words[name] for name in members})
    return {"": pages.Page("", SENTENCE, {name: words[name] for name in path})} if path else found


def build(path: Sequence[str] = ()) -> limits.Page:
    """All pages; ``path``: the rooms of a talk, in which the keys lead from room to room."""
    hub.waiting = wait_in_page
    page = limits.Page(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600))
    # while the page is empty: Gradio describes the whole of it for a queue, and again for the launch
    page.queue(max_size=limits.MAX_WAITING, default_concurrency_limit=1, api_open=False)
    page.about.update(places(path))
    with page:
        for place, about in page.about.items():
            if place:
                _gradio.begin_page(page, place, about.title)
            lay_out_page(page, place, bool(path))
    gpu.lend(page)
    return page


def lay_out_page(page: limits.Page, path: str, on_stage: bool) -> None:
    """A page with its rooms, what leads from it to others, and what its link restores."""
    names = list(page.about[path].rooms)
    with gr.Row(elem_classes=["masthead"]):
        gr.HTML(masthead(path, page.about), scale=4)
        dropped = gr.UploadButton("Open a saved picture", file_types=[".png"], size="sm", scale=0, min_width=180,
                                  elem_classes=["open-saved"])  # fmt: skip
    link = gr.Textbox(visible="hidden", show_label=False)
    if on_stage:
        talk.stage()
    gr.HTML(neighbours(path, page.about), visible="hidden")
    if not path and not on_stage:
        lay_out_home([name for place in page.about.values() for name in place.rooms])
    built, tabs = lay_out(names, on_stage)
    if built:
        outputs = [tabs] if tabs else []
        for room in built.values():
            outputs += dict.fromkeys([*room.controls.values(), *room.shown])

        def on_load(request: gr.Request):
            return restore(request, built, tabs) or {link: ""}

        # the browser looks after the progress of every output at every later event, and with it after all that lies in its tab;
        # so the whole page must not be among them
        page.load(
            error_boundary(on_load), None, [link, *outputs], show_progress="hidden", show_progress_on=link, api_visibility="private"
        )
        keep_in_address(built)
    if tabs:
        goto = gr.HTML("", html_template="", js_on_load=GOTO_JS, visible="hidden")

        def on_go(event: gr.EventData):
            return gr.Tabs(selected=str(event.room) if event.room in built else pages.HOME if on_stage else names[0])

        goto.go(error_boundary(on_go), None, tabs, **QUICK)
    dropped.upload(link_of, dropped, link, show_progress="hidden", api_visibility="private").success(
        None, link, None, js="(query) => { if (query) setTimeout(() => { window.location.search = query; }, 50); }"
    )


def lay_out(names: Sequence[str], with_home: bool = False) -> tuple[dict[str, Room], gr.Tabs | None]:
    """Rooms by name, and the tabs in which they are, after one with cards for them if wanted; a room alone is in none."""
    modules = {name: importlib.import_module(f"demos.{name}") for name in names}
    if len(names) < 2 and not with_home:
        found = {name: laid_out(module.room, name) for name, module in modules.items()}
        return {name: room for name, room in found.items() if room}, None
    built = {}
    with gr.Tabs(elem_classes=["rooms-bar"]) as tabs:
        if with_home:
            with gr.Tab("Home", id=pages.HOME) as tab:
                lay_out_home(names)
            tab.select(None, js="() => galleryEntered('')")
        for name, module in modules.items():
            with gr.Tab(catalog.about(name)["title"] if name in catalog.names() else module.TITLE, id=name) as tab:
                if room := laid_out(module.room, name):
                    built[name] = room
            tab.select(None, js=f"() => galleryEntered({json.dumps(name)})")
    return built, tabs


def beginnings() -> dict[str, Any]:
    """Room -> what makes the two pictures of its card under "Start here"."""
    everything = [name for members in rooms().values() for name in members]
    return {name: start.pictures for name, start in _home.starts(everything).items()}


def lay_out_home(names: Sequence[str]) -> None:
    """What is on the home page, for these rooms."""
    family_of = catalog.names()
    members = {family: [name for name in names if family_of.get(name) == family] for family in FAMILIES}
    halls = {name: hall for name, hall in shared().items() if name in names}
    _home.home(
        {family: found for family, found in members.items() if found}, FAMILIES,
        {name: (hall.TITLE, hall.SUMMARY) for name, hall in halls.items()},
    )  # fmt: skip


def masthead(path: str, found: Mapping[str, pages.Page]) -> str:
    """The bar on top of a page, with the way to the others, as HTML."""
    words = {place: html.escape(page.title) for place, page in found.items()} | {"": f"<b>{TITLE.partition(' of ')[0]}</b>"}
    current = {path: ' aria-current="page"'}
    links = "".join(f'<a href="{place or "./"}"{current.get(place, "")}>{words[place]}</a>' for place in found)
    return f"<nav>{links}</nav>" if path else f"<nav>{links}</nav><h1>{TITLE}</h1><p>{SENTENCE}</p>"


def neighbours(path: str, found: Mapping[str, pages.Page]) -> str:
    """The rooms of a page, and the addresses of the rooms before and after them, for the keys that lead from room to room."""
    order = list(found)
    at = order.index(path)
    before, after = order[at - 1], order[(at + 1) % len(order)]
    ways = f'data-before="{pages.address(before, found[before], last=True)}" data-after="{pages.address(after, found[after])}"'
    return f'<i class="rooms" data-rooms="{" ".join(found[path].rooms)}" {ways}></i>'


def keep_in_address(built: Mapping[str, Room]) -> None:
    """Have the address of the page say what the controls of its rooms hold, once they hold something else than at first."""
    names = [f"keep_{name}" for name in built]
    keeper = gr.HTML("", html_template="", js_on_load=script("keep", NAMES=names), visible="hidden")
    for name, room in built.items():
        first = {key: component.value for key, component in room.controls.items()}
        script_ = f"(...values) => galleryKeep({json.dumps(name)}, {json.dumps(first, default=str)}, values)"
        getattr(keeper, f"keep_{name}")(None, list(room.controls.values()), None, js=script_)


def launch_settings(page: limits.Page | None = None, hosts: Sequence[str] = ()) -> dict[str, Any]:
    """Arguments of ``launch``: look, limits, nothing asked of the outside world; ``page``: whose figures ``/health`` tells.

    ``hosts``: the names that the page answers to, and whose pages may show it in a frame; none: it answers to any.
    """
    found = page.about if page else {}
    absent = {*FAMILIES, *recipes.rooms()} - {*found, *catalog.names()}
    return dict(
        **look(), show_error=False, max_file_size=limits.MAX_UPLOAD, state_session_capacity=200,
        ssr_mode=False, strict_cors=True, enable_monitoring=False, run_history=False, share=False,
        footer_links=["api"], app_kwargs={
            "middleware": [
                Middleware(GZipMiddleware, minimum_size=4000),
                Middleware(pages.Addresses, pages=found, title=TITLE, absent=absent), Middleware(limits.Bounds, page=page),
                Middleware(headers.Guarded, hosts=hosts),
            ],
            "exception_handlers": limits.HANDLERS,
            "routes": [
                Route("/cover/{name}.webp", covers.send_cover), Route("/start/{name}.webp", covers.send_start(beginnings)),
                Route("/prepared/{room}.webp", talk.send_prepared),
                Route("/preview/{name}.png", pages.send_preview(found)),
                Route("/part/{name}", pages.send_kept(page.kept if page else {})),
                Route("/health", request_log.health(page.figures if page else dict)), *_gradio.scripts(),
            ],
        },
    )  # fmt: skip


def main() -> None:
    """Start the server."""
    import torch

    from gen_models import _start, runtime

    runtime.print_anywhere()
    options = argparse.ArgumentParser("python app.py", description=TITLE)
    options.add_argument("--host", default=HOST)
    options.add_argument("--port", type=int, default=None, help="default: the first free port from 7860")
    options.add_argument("--talk", action="store_true", help="for the stage: large type, picture first, models warmed, no network")
    options.add_argument("--path", metavar="ROOM,ROOM", help="with --talk: the rooms that a clicker leads through; default: all")
    options.add_argument("--proxy", metavar="ADDRESS,ADDRESS", help="proxies that are believed when they say whom they ask for")
    options.add_argument("--allow-host", metavar="HOST", action="append", default=[],
                         help="answer to this name alone, and to this machine; may be given several times")  # fmt: skip
    given = options.parse_args()
    if given.path is not None and not given.talk:
        options.error("a path is for a talk: add --talk")
    try:
        path = talk.path_of(given.path, {"": list(shared())} | rooms()) if given.talk else []
    except talk.PathError as error:
        options.error(str(error))
    try:
        host = address.host_name(given.host)
        port = address.free_port(host, given.port, INITIAL_PORT_VALUE, TRY_NUM_PORTS)
        os.environ["FORWARDED_ALLOW_IPS"] = address.trusted_proxies(given.proxy)
        hosts = [address.host_name(name) for name in given.allow_host]
    except address.AddressError as error:
        raise SystemExit(f"error: {error}") from error
    if given.talk:
        os.environ.update(_start.OFFLINE)
    address.bypass_proxies([*address.LOOPBACK, host])
    connections.install()
    torch.set_num_threads(runtime.cores())
    memory.keep_small()
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("gallery").setLevel(logging.INFO)
    missing = catalog.pointers()
    if missing:
        where = f"{len(missing)} files under {catalog.WEIGHTS.name}/"
        print(f"note: {where} were not fetched from Git LFS; run: git lfs pull", flush=True)
    for sentence in catalog.misplaced():
        print(f"note: {sentence}", flush=True)
    with ending.ends_process(), uploads.own_folder():
        for words in talk.warmed(path):
            print(words, flush=True)
        gc.disable()
        page = build(path)
        gc.freeze()  # the page is there until the end: no collection need look at it
        gc.enable()
        try:
            page.launch(server_name=f"[{host}]" if ":" in host else host, server_port=port, **launch_settings(page, hosts))
        except OSError as error:  # somebody took the port meanwhile
            raise SystemExit(f"error: the page cannot listen at port {port} of {host}: {error}") from error


if __name__ == "__main__":
    main()
