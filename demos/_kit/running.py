"""Long work: begun, streamed, cancelled, and its results cached."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

import gradio as gr

from demos._kit.events import BESIDE
from demos._kit.events import visitor_stays as visitor_stays
from demos._kit.markup import note_html
from demos._kit.widgets import BEGIN_JS
from demos._server import gpu

V = TypeVar("V")

def token() -> str:
    """A text that was not there before: in a :func:`starter` it begins work."""
    return uuid.uuid4().hex[:8]


class Cache(Generic[V]):
    """The latest results of all visitors, the one of the latest use last; at least one, and as many more as ``most`` allows.

    ``cost`` says what a result takes of ``most``; 1 by default, so that ``most`` is a number of results.
    """

    def __init__(self, most: float, cost: Callable[[V], float] = lambda result: 1) -> None:
        self.most, self.cost = most, cost
        self._results: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()
        gpu.enlist(self)

    def get(self, key: Hashable) -> V | None:
        """The result that was put there; None if there is none, or none any more."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def put(self, key: Hashable, result: V) -> None:
        """Keep a result, and forget the oldest ones if there are too many."""
        with self._lock:
            self._results[key] = result
            self._results.move_to_end(key)
            while len(self._results) > 1 and sum(map(self.cost, self._results.values())) > self.most:
                self._results.popitem(last=False)
        gpu.noted(self, key, result)

    def afresh(self) -> None:
        """Another process may have held the lock when this one was split off."""
        self._lock = Lock()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._results.clear()

    def __len__(self) -> int:
        return len(self._results)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._results


_cancelled: Cache[None] = Cache(1000)
"""The texts of the latest starters that were stopped."""


def cancellable(work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Work that ends at its next frame once :func:`stop_button` stopped it; its first argument is the text of the starter.

    Gradio's own way to cancel misses work that began while another run of the same event was ending.
    """
    work = gpu.gpu_task(work)

    def run(token: Any, *values: Any) -> Iterator[Any]:
        begun = False
        for frame in work(*values):
            if is_cancelled(token):
                if not begun:  # of work without a single frame, Gradio empties all that it fills
                    yield gr.skip()
                return
            begun = True
            yield frame

    run.__name__ = work.__name__  # not functools.wraps: its signature has no token
    if hasattr(work, "lend"):
        run.lend = work.lend  # the work is lent a GPU, but whether it was stopped is known here
    return run


def is_cancelled(token: Any) -> bool:
    """Whether the work that this starter's text began was stopped."""
    return isinstance(token, str) and token[:64] in _cancelled


def cancel(token: Any) -> None:
    """End the :func:`cancellable` work that this starter's text began."""
    if isinstance(token, str) and token:
        _cancelled.put(token[:64], None)


def cancels_on(event: Callable[..., Any], begin: gr.HTML, runs: Sequence[Any] = ()) -> Any:
    """An event, a click for instance, that ends the :func:`cancellable` work that ``begin`` began and cancels other ``runs``."""
    return event(cancel, begin, None, cancels=runs, **BESIDE)


def restarts_on(event: Callable[..., Any], begin: gr.HTML, runs: Sequence[Any] = ()) -> None:
    """An event that ends the work that ``begin`` began, and begins it anew."""
    cancels_on(event, begin, runs).then(None, None, begin, js=BEGIN_JS, api_visibility="private")


def stop_button(button: gr.Button, view: str, note: gr.HTML, words: str, begin: gr.HTML, runs: list[Any]) -> None:
    """A Stop for :func:`cancellable` work that fills the :func:`compare` with the id ``view``: ``words`` stand in its note,
    and what comes late is not shown. Other ``runs`` are cancelled.
    """

    told = note_html(words)
    find = f"const shown = document.querySelector('#{view} .compare');"
    at_once = f"""(note) => {{ {find}
      if (shown?.getAttribute('aria-busy') !== 'true') return note;
      shown.setAttribute('aria-busy', 'false'); shown.toggleAttribute('data-stopped', true);
      return '{told}';
    }}"""
    wait = "() => new Promise(done => setTimeout(done, 700))"
    # a sentence of the work may have come in between; it is read now, as other work may have begun since
    later = f"(note) => {{ {find} return shown?.hasAttribute('data-stopped') ? '{told}' : note; }}"
    button.click(cancel, begin, None, **BESIDE)
    stopped = button.click(None, note, note, js=at_once, cancels=runs, api_visibility="private")
    waited = stopped.then(None, None, None, js=wait, api_visibility="private")
    waited.then(None, note, note, js=later, api_visibility="private")
