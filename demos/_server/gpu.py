"""ZeroGPU: on such a Space of the Hub, what visitors wait for in the queue borrows a GPU; elsewhere nothing changes.

ZeroGPU lends a GPU to one call of a function, and runs the call in a process of its own. So its decorator goes round event
handlers: a forward pass, or the door in front of it, is a piece of a handler and cannot go to another process. It goes inside of
what turns trouble into sentences, counts seconds and ends work that was stopped, for all of that has to happen in the page's own
process. What a handler is given, and what it returns, is pickled; what it changes is lost, but for what it puts into a
:class:`demos._kit.running.Cache`, which comes back beside its results.

Handlers that bypass the queue stay on the processor: a visitor's share of the GPU is used up by calls, and a slider makes many.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import wraps
from typing import Any

import gradio as gr
import torch
from gradio.blocks import Block

from demos._server.errors import as_sentence
from gen_models import catalog, runtime

SECONDS = {"models": 20, "completions": 60, "denoising": 60, "translations": 30, "restorations": 30}
"""Group of handlers in the queue -> the longest that a call may take on a GPU; who asks for less is served before others.

The other groups compute on the processor: clouds of points, networks of a few hundred numbers that learn in the page, and Compare,
whose milliseconds are to be those of one machine.
"""
_page = os.getpid()
"""The process of the page."""
_here = _page
"""The process for which all is prepared."""
_stores: list[Any] = []
"""All that keeps results for later; another process, which begins as a copy of this one, has them in the same order."""
_news: list[tuple[int, Any, Any]] = []
"""What was kept in another process than the page's: the place of the store, key, result."""
_lent: dict[Callable, Callable] = {}
"""Handler -> what calls it on a GPU."""


def on_zero() -> bool:
    """Whether this is a Space with ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def gpu_task(handler: Callable) -> Callable:
    """The handler itself; on ZeroGPU one like it that can be lent a GPU, by its ``lend``."""
    if not on_zero() or hasattr(handler, "lend"):
        return handler
    work = [handler]
    if inspect.isgeneratorfunction(handler):

        @wraps(handler)
        def run(*values: Any, **named: Any) -> Any:
            yield from work[0](*values, **named)
    else:

        @wraps(handler)
        def run(*values: Any, **named: Any) -> Any:
            return work[0](*values, **named)

    def lend_to(borrow: Callable[..., Callable], seconds: int) -> None:
        if handler not in _lent:
            _lent[handler] = (_streamed if inspect.isgeneratorfunction(handler) else _answered)(handler, borrow, seconds)
        work[0] = _lent[handler]

    run.lend = lend_to
    return run


def cpu_only(handler: Callable) -> Callable:
    """For handlers in the queue that look up what the page keeps, or measure its machine: they are never lent a GPU."""
    handler.lend = None
    return handler


def lend(page: gr.Blocks) -> int:
    """On ZeroGPU, let every handler of the page that computes in the queue borrow a GPU; returns to how many events they belong."""
    if not on_zero():
        return 0
    import spaces  # before anything asks for a GPU

    os.environ["GALLERY_DEVICE"] = "cpu"  # in the page's process there is none
    runtime.device.cache_clear()
    events = [event for event in page.fns.values() if event.concurrency_id in SECONDS and getattr(event.fn, "lend", None)]
    for event in events:
        event.fn.lend(spaces.GPU, SECONDS[event.concurrency_id])
    return len(events)


def _streamed(handler: Callable, borrow: Callable[..., Callable], seconds: int) -> Callable:
    """A handler that streams, its steps taken in the process that has the GPU."""

    def away(values: Sequence[Any], named: Mapping[str, Any]) -> Iterator[tuple]:
        _arrive()
        try:
            for result in handler(*_unpacked(values), **named):
                yield False, _packed_result(result), _packed_news()
        except Exception as error:
            raise _said(error, handler) from error
        yield True, None, _packed_news()

    lent = borrow(duration=seconds)(_named(away, handler))

    @wraps(handler)
    def run(*values: Any, **named: Any) -> Iterator[Any]:
        with closing(lent(_packed(values), named)) as steps:
            for ended, result, news in steps:
                _heard(news)
                if not ended:
                    yield result

    return run


def _answered(handler: Callable, borrow: Callable[..., Callable], seconds: int) -> Callable:
    """A handler that answers, called in the process that has the GPU."""

    def away(values: Sequence[Any], named: Mapping[str, Any]) -> tuple:
        _arrive()
        try:
            return _packed_result(handler(*_unpacked(values), **named)), _packed_news()
        except Exception as error:
            raise _said(error, handler) from error

    lent = borrow(duration=seconds)(_named(away, handler))

    @wraps(handler)
    def run(*values: Any, **named: Any) -> Any:
        result, news = lent(_packed(values), named)
        _heard(news)
        return result

    return run


def _named(away: Callable, handler: Callable) -> Callable:
    away.__name__ = away.__qualname__ = handler.__name__
    return away


def _said(error: Exception, handler: Callable) -> gr.Error:
    """A sentence for the page: ZeroGPU passes on nothing else, and of other exceptions the name only."""
    return as_sentence(error, handler.__qualname__)


def _arrive() -> None:
    """Prepare a process that was just split off: there is a GPU, and of the locks and threads of the page's nobody is there."""
    global _here
    if os.getpid() == _here:
        return
    _here = os.getpid()
    torch.set_num_threads(1)
    os.environ.pop("GALLERY_DEVICE", None)
    catalog.after_fork()
    runtime.after_fork()
    for store in _stores:
        store.after_fork()
    for name, module in list(sys.modules.items()):  # what is kept there may be on the other device
        if name.partition(".")[0] in ("demos", "gen_models"):
            for part in vars(module).values():
                if hasattr(part, "cache_clear"):
                    part.cache_clear()


def enlist(store: Any) -> None:
    """Have what is put into this store, which has ``put`` and ``after_fork``, come back from where it was made."""
    if on_zero():
        _stores.append(store)


def noted(store: Any, key: Any, result: Any) -> None:
    """Something was put into a store."""
    if os.getpid() != _page:
        place = next((place for place, one in enumerate(_stores) if one is store), None)
        if place is not None:
            _news.append((place, key, result))


def _packed_news() -> list[tuple[int, Any, Any]]:
    news = _news[:]
    _news.clear()
    return news


def _heard(news: Sequence[tuple[int, Any, Any]]) -> None:
    for place, key, result in news:
        _stores[place].put(key, result)


class _Event:
    """What of an event can be pickled: Gradio's own object holds the whole page."""

    def __init__(self, event: gr.EventData) -> None:
        self.said = event._data


def _packed(values: Sequence[Any]) -> list[Any]:
    return [_Event(value) if isinstance(value, gr.EventData) else value for value in values]


def _unpacked(values: Sequence[Any]) -> list[Any]:
    return [gr.EventData(None, value.said) if isinstance(value, _Event) else value for value in values]


def _packed_result(result: Any) -> Any:
    """A result as the page takes it, new settings of components as plain values."""
    if isinstance(result, list | tuple):
        return type(result)(map(_packed_result, result))
    if isinstance(result, Block):
        return {**result.constructor_args, "__type__": "update"}
    return result
