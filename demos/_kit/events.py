"""How events are wired: three ways to call a handler, the error boundary around it, and waiting for weights."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from demos._server import gpu, request_log
from demos._server.errors import in_sentences
from gen_models import catalog, hub

QUICK = dict(queue=False, trigger_mode="always_last", show_progress="hidden", api_visibility="private")
"""For handlers of a few milliseconds that answer while a slider is dragged; one for each event, at most.

What comes while such a handler is at work, the page does once more, as a whole, when it is done: two of them on one event would
have it done again and again without end.
"""


BESIDE = QUICK | dict(trigger_mode="multiple")
"""For those that do something beside it at the same event, and for Stop, which once more would stop what began after it."""


HEAVY = dict(concurrency_id="models", concurrency_limit=1, api_visibility="private")
"""For handlers that wait their turn in the queue."""


PATIENCE = 30
"""Seconds that an event in the queue waits for weights, while those behind it wait for it."""


def error_boundary(handler: Callable) -> Callable:
    """The handler with every trouble turned into one sentence in the page.

    Known trouble shows its own sentence; the unknown is logged with an id, and the sentence names the id. Every call of the handler
    leaves a line in the log of requests.
    """
    handler = request_log.logged(gpu.gpu_task(handler))
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def run_all(*values: Any, **named: Any) -> Iterator[Any]:
            with in_sentences(handler.__qualname__):
                yield from handler(*values, **named)

        return run_all

    @functools.wraps(handler)
    def run(*values: Any, **named: Any) -> Any:
        with in_sentences(handler.__qualname__):
            return handler(*values, **named)

    return run


def visitor_stays() -> Callable[[], bool]:
    """A question to ask at every step of long work: whether the page that began the present event is still open.

    Gradio itself asks only between two results. Outside of the queue nobody knows, and the answer is yes.
    """
    blocks, event = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    queue = getattr(blocks, "_queue", None)
    found = queue.event_ids_to_events.get(event) if queue is not None and event else None  # an empty queue is false
    return lambda: found is None or found.alive


def wait_in_page(download: hub.Download) -> None:
    """Fetch what an event needs: one that waits in the queue shows the progress, one that bypasses it asks for patience.

    Raises:
        WeightsError: outside of an event, since nothing is fetched while the page starts.
        gr.Error: if the event bypasses the queue and the download takes more than a second, if it takes more than ``PATIENCE``
            seconds, or if the visitor leaves: others wait for the same turn. It goes on meanwhile.
    """
    name = download.pinned.name
    if LocalContext.blocks.get(None) is None:
        raise catalog.WeightsError(f"the weights {name} are not here yet; the first who uses them in the page fetches them")
    download.start()
    if download.finished.wait(1):
        return
    if LocalContext.event_id.get(None) is None:
        raise gr.Error(f"{fetching(download)}; try again in a moment.", title="One moment", print_exception=False)
    gr.Info(f"{fetching(download)}, once.", title="One moment")  # some events hide their progress
    progress, stays, until = gr.Progress(), visitor_stays(), time.monotonic() + PATIENCE
    while not download.finished.wait(0.2):
        if not stays() or time.monotonic() > until:
            raise gr.Error(f"{fetching(download)}; try again in a moment.", title="One moment", print_exception=False)
        progress(min(1.0, download.done / max(1, download.total)), desc=fetching(download))


def fetching(download: hub.Download) -> str:
    """How far it is, in words."""
    part = f" ({download.done / 1e3:,.0f} of {download.total / 1e3:,.0f} kB)" if download.total else ""
    return f"The weights {download.pinned.name} are being fetched from the Hub{part}"


ROLL_JS = "() => Math.floor(Math.random() * 1000000)"
