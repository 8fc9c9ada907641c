"""Long work: begun, streamed, cancelled, and its results cached."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from threading import Lock
from typing import Any, Generic, TypeVar

import gradio as gr

from demos._kit.events import visitor_stays as visitor_stays
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

    def after_fork(self) -> None:
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


def cancellable(work: Callable[..., Iterator[Any]], asks: bool = False) -> Callable[..., Iterator[Any]]:
    """Work that ends at its next frame once :func:`cancel` ended it; its first argument is the text of the starter.

    ``asks``: it asks :func:`is_cancelled` and ends by itself; it is never lent a GPU, because only the page's process knows.
    Gradio's own way to cancel misses work that began while another run of the same event was ending.
    """
    work = gpu.cpu_only(work) if asks else gpu.gpu_task(work)

    def run(token: Any, *values: Any) -> Iterator[Any]:
        begun = False
        for frame in work(*values):
            if is_cancelled(token) and not asks:
                if not begun:  # of work without a single frame, Gradio empties all that it fills
                    yield gr.skip()
                return
            begun = True
            yield frame

    run.__name__ = work.__name__  # not functools.wraps: its signature has no token
    if hasattr(work, "lend"):
        run.lend = work.lend  # the work is lent a GPU, but whether it was stopped is known here
    return run


def while_awaited(steps: Iterator[V]) -> Iterator[V]:
    """The steps of work of which only the end is answered, for as long as whoever asked for it stays.

    Raises:
        gr.Error: once nobody waits for it; no further step is taken then.
    """
    stays = visitor_stays()
    for step in steps:
        yield step
        if not stays():
            raise gr.Error("Nobody waits for this any more.")


def token_of(sent: Any) -> str:
    """The text of a starter as the page sends it, which may be anything; "": it is none."""
    return sent[:64] if isinstance(sent, str) else ""


def is_cancelled(token: Any) -> bool:
    """Whether the work that this starter's text began was stopped."""
    return token_of(token) in _cancelled


def cancel(token: Any) -> None:
    """End the :func:`cancellable` work that this starter's text began."""
    if token_of(token):
        _cancelled.put(token_of(token), None)
