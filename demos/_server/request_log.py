"""What the server says about itself: a line in the log for every request, and ``GET /health``.

A line names the room, the verb, the seed, and milliseconds: in the queue, waiting for the model's turn, in the model, encoding
pictures, and in all. Of a verb that streams, the line comes at its end and adds up its steps. Nothing of a visitor is written down:
no picture, no text, no address.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from gradio.context import LocalContext
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gen_models import catalog, runtime

log = logging.getLogger("gallery.requests")
_started = time.monotonic()


@dataclass
class Account:
    """Where the seconds of one request went."""

    room: str
    verb: str
    seed: str = "-"
    queue: float = 0.0
    encoding: float = 0.0
    total: float = 0.0
    steps: int = 0
    end: str = "ok"

    def line(self, timing: runtime.Timing) -> str:
        """The request as one line of the log."""
        times = dict(queue=self.queue, turn=timing.waiting, model=timing.computing, encoding=self.encoding, total=self.total)
        shown = " ".join(f"{name}={1000 * seconds:.0f}ms" for name, seconds in times.items())
        return f"room={self.room} verb={self.verb} seed={self.seed} {shown} steps={self.steps} end={self.end}"


counts: dict[str, Callable[[], int]] = {}
"""What else ``/health`` counts: name -> how many there are now."""

_account: ContextVar[Account | None] = ContextVar("account", default=None)


def logged(handler: Callable) -> Callable:
    """The handler with a line in the log for every call of it."""
    signature = inspect.signature(handler)
    room = "page" if handler.__module__ in ("__main__", "app") else handler.__module__.rpartition(".")[2]

    def opened(values: tuple, named: dict) -> Account:
        account = Account(room, handler.__name__.strip("_"), queue=_queued())
        try:
            seed = signature.bind(*values, **named).arguments.get("seed")
            # what came in may be anything, and only a number is worth a line
            account.seed = f"{seed:.0f}" if isinstance(seed, int | float) and abs(seed) < 2**53 else "-"
        except TypeError:
            pass
        return account

    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def run_all(*values: Any, **named: Any) -> Iterator[Any]:
            account, timing = opened(values, named), runtime.Timing()
            steps = handler(*values, **named)
            try:
                while True:
                    with _counted(account, timing):
                        result = next(steps, _END)
                    if result is _END:
                        return
                    account.steps += 1
                    yield result
            except GeneratorExit:
                account.end = "stopped"
                raise
            finally:
                steps.close()
                log.info(account.line(timing))

        return run_all

    @functools.wraps(handler)
    def run(*values: Any, **named: Any) -> Any:
        account, timing = opened(values, named), runtime.Timing()
        try:
            with _counted(account, timing):
                result = handler(*values, **named)
            account.steps = 1
            return result
        finally:
            log.info(account.line(timing))

    return run


_END = object()


@contextmanager
def _counted(account: Account, timing: runtime.Timing) -> Iterator[None]:
    """Whatever the time is spent on in here goes to this account; steps of a stream may run in different threads."""
    start = time.perf_counter()
    with runtime.timed(timing):
        token = _account.set(account)
        try:
            yield
        except Exception:
            account.end = "refused"
            raise
        finally:
            _account.reset(token)
            account.total += time.perf_counter() - start


def seeded(seed: int) -> None:
    """Write the seed of the present request into its line."""
    account = _account.get()
    if account is not None:
        account.seed = str(seed)


def _queued() -> float:
    """Seconds that the present event waited in the queue; 0 for those that bypass it."""
    blocks, event = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    queue = getattr(blocks, "_queue", None)
    found = queue.event_ids_to_events.get(event) if queue and event else None
    return max(0.0, time.monotonic() - found.enqueue_time) if found else 0.0


def encoding(function: Callable) -> Callable:
    """The function with its time counted as encoding."""

    @functools.wraps(function)
    def run(*values: Any, **named: Any) -> Any:
        account = _account.get()
        if account is None:
            return function(*values, **named)
        token = _account.set(None)  # one encoder may call another, and the time counts once
        start = time.perf_counter()
        try:
            return function(*values, **named)
        finally:
            _account.reset(token)
            account.encoding += time.perf_counter() - start

    return run


def health(figures: Callable[[], dict[str, int]]) -> Callable[[Request], Any]:
    """The answer to ``GET /health``; ``figures`` tells what is bounded and how much of it is taken."""

    async def answer(request: Request) -> Response:
        found = {
            "status": "ok", "seconds": round(time.monotonic() - _started), **figures(), "loaded": catalog.loaded(),
            "weights": len(catalog.trained()), "device": str(runtime.device()), **{name: count() for name, count in counts.items()},
        }  # fmt: skip
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    return answer
