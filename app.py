"""The front door: one page, a tab per family, inside it a tab per room; beside these, rooms of several models. Names no model.

``python app.py [--host ADDRESS] [--port NUMBER] [--talk [--path ROOM,ROOM...]]``
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import logging
import math
import os
from collections.abc import Sequence
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
from demos._kit.boundary import laid_out  # noqa: E402
from demos._kit.checks import is_number  # noqa: E402
from demos._kit.events import QUICK, error_boundary, wait_in_page  # noqa: E402
from demos._kit.recipes import Room, read_recipe  # noqa: E402
from demos._server import address, connections, covers, ending, gpu, headers, light, limits, memory, request_log, talk, uploads  # noqa: E402
from demos._widgets import text_of  # noqa: E402
from gen_models import catalog, hub  # noqa: E402

gc.enable()

TITLE = "The gallery of deep generative models"
DEMOS = Path(__file__).parent / "demos"
FAMILIES = {
    "mixtures": "Mixtures", "autoencoders": "Autoencoders", "gans": "GANs", "translation": "Translation",
    "restoration": "Restoration", "autoregressive": "Autoregressive", "diffusion": "Diffusion", "imitation": "Imitation",
}  # fmt: skip
HOME = "home"
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


def restore(request: gr.Request, built: dict[str, Room], families: dict[str, gr.Tabs]) -> dict[Any, Any]:
    """What the page's link says, as updates: which tabs are open, what the room's controls hold."""
    query = request.query_params
    room = built.get(query.get("room", ""))
    if room is None:
        return {}
    tabs = opened(room.model, families)
    updates = dict(tabs)
    try:
        state = json.loads(query.get("state", "{}")[:MAX_STATE])
        state = state if isinstance(state, dict) else {}
    except (ValueError, RecursionError):
        gr.Warning("This link is damaged; the room opens as usual.")
        return updates
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
            return tabs
    return updates


def opened(name: str, families: dict[str, gr.Tabs]) -> dict[Any, Any]:
    """The tabs that are open when a room is, or the home tab where there is no such room, as updates."""
    family = catalog.names().get(name)
    if family not in families:
        return {families[""]: gr.Tabs(selected=name if name in shared() else HOME)}
    return {families[""]: gr.Tabs(selected=family), families[family]: gr.Tabs(selected=name)}


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


def build(path: Sequence[str] = ()) -> limits.Page:
    """The page; ``path``: the rooms of a talk, in which the keys lead from room to room."""
    hub.waiting = wait_in_page
    page = limits.Page(title=TITLE, analytics_enabled=False, delete_cache=(3600, 3600))
    # while the page is empty: Gradio describes the whole of it for a queue, and again for the launch
    page.queue(max_size=limits.MAX_WAITING, default_concurrency_limit=1, api_open=False)
    with page:
        with gr.Row(elem_classes=["masthead"]):
            gr.HTML(f"<h1>{TITLE}</h1><p>Play the classics: every picture here is made by a model while you watch.</p>", scale=4)
            dropped = gr.UploadButton("Open a saved picture", file_types=[".png"], size="sm", scale=0, min_width=180,
                                      elem_classes=["open-saved"])  # fmt: skip
        link = gr.Textbox(visible="hidden", show_label=False)
        built: dict[str, Room] = {}
        families: dict[str, gr.Tabs] = {}
        shown, halls = rooms(), shared()
        names = path or [*halls, *(name for members in shown.values() for name in members)]
        if path:
            talk.stage()
        gr.HTML(f'<i class="rooms" data-rooms="{" ".join(names)}"></i>', visible="hidden")
        goto = gr.HTML("", html_template="", js_on_load=GOTO_JS, visible="hidden")
        with gr.Tabs(elem_classes=["families"]) as families[""]:
            with gr.Tab("Home", id=HOME):
                _home.home(shown, FAMILIES, {name: (hall.TITLE, hall.SUMMARY) for name, hall in halls.items()})
            for name, hall in halls.items():
                with gr.Tab(hall.TITLE, id=name):
                    if room := laid_out(hall.room, name):
                        built[name] = room
            for family, members in shown.items():
                with gr.Tab(FAMILIES[family], id=family), gr.Tabs() as families[family]:
                    for name in members:
                        with gr.Tab(catalog.about(name)["title"], id=name):
                            if room := laid_out(importlib.import_module(f"demos.{name}").room, name):
                                built[name] = room
        outputs = list(families.values())
        for room in built.values():
            outputs += dict.fromkeys([*room.controls.values(), *room.shown])

        def on_load(request: gr.Request):
            return restore(request, built, families) or {link: ""}

        # the browser looks after the progress of every output at every later event, and with it after all that lies in its tab;
        # so the whole page must not be among them
        page.load(
            error_boundary(on_load), None, [link, *outputs], show_progress="hidden", show_progress_on=link, api_visibility="private"
        )

        def on_go(event: gr.EventData):
            return opened(str(event.room), families)

        goto.go(error_boundary(on_go), None, list(families.values()), **QUICK)
        dropped.upload(link_of, dropped, link, show_progress="hidden", api_visibility="private").success(
            None, link, None, js="(query) => { if (query) setTimeout(() => { window.location.search = query; }, 50); }"
        )
    gpu.lend(page)
    return page


def launch_settings(page: limits.Page | None = None, hosts: Sequence[str] = ()) -> dict[str, Any]:
    """Arguments of ``launch``: look, limits, nothing asked of the outside world; ``page``: whose figures ``/health`` tells.

    ``hosts``: the names that the page answers to, and whose pages may show it in a frame; none: it answers to any.
    """
    return dict(
        theme=theme(), css_paths=DEMOS / "_widgets" / "page.css", js=text_of("page.js"),
        show_error=False, max_file_size="8mb", state_session_capacity=200,
        ssr_mode=False, strict_cors=True, enable_monitoring=False, run_history=False, share=False,
        footer_links=["api"], app_kwargs={
            "middleware": [
                Middleware(GZipMiddleware, minimum_size=4000), Middleware(light.Packed), Middleware(limits.Bounds, page=page),
                Middleware(headers.Guarded, hosts=hosts),
            ],
            "exception_handlers": limits.HANDLERS,
            "routes": [
                Route("/cover/{name}.webp", covers.send_cover), Route("/prepared/{room}.webp", talk.send_prepared),
                Route("/part/{name}", light.send_kept(page.kept if page else {})),
                Route("/health", request_log.health(page.figures if page else dict)), *light.scripts(),
            ],
        },
    )  # fmt: skip


def theme() -> gr.themes.Base:
    """Paper and ink, one accent, the reader's own fonts."""
    sans = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo, neutral_hue=gr.themes.colors.stone, font=sans,
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"], radius_size=gr.themes.sizes.radius_md,
    ).set(
        body_background_fill="#faf8f4", body_background_fill_dark="#14130f", block_background_fill="#ffffff",
        block_background_fill_dark="#1e1c18", block_border_width="1px", block_shadow="none", block_label_text_weight="500",
        body_text_color_subdued="#6b655d", body_text_color_subdued_dark="#a8a299", block_info_text_color="#6b655d",
        block_info_text_color_dark="#a8a299",
        button_primary_background_fill="#3b3a8f", button_primary_background_fill_hover="#4b4ab0",
        button_primary_background_fill_dark="#5d5bce", button_primary_background_fill_hover_dark="#6866dc",
        button_primary_text_color="#ffffff", color_accent="#4b4ab0", slider_color="#4b4ab0", slider_color_dark="#8584ee",
        checkbox_background_color_selected_dark="#6f6ee0", checkbox_border_color_selected_dark="#6f6ee0",
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
