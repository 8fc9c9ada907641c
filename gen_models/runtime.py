"""Where models run: device, threads, and the door in front of every forward pass."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from threading import BoundedSemaphore, Event, Lock

import torch
from torch import Tensor

MOST_ROWS = 64
"""So many results come of one pass that serves several at once; more of them are no faster."""


@lru_cache(maxsize=1)
def device() -> torch.device:
    """``GALLERY_DEVICE`` if set, else the first GPU, else the CPU."""
    named = os.environ.get("GALLERY_DEVICE")
    return torch.device(named or ("cuda" if torch.cuda.is_available() else "cpu"))


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware() -> str:
    """What models run on, for those who read how long something took."""
    gpu = device().type == "cuda"
    return torch.cuda.get_device_name(device()) if gpu else f"{torch.get_num_threads()} cores of the processor"


def print_anywhere() -> None:
    """Let what this terminal or locale cannot show be printed as a question mark instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # tests and notebooks put something else there
            stream.reconfigure(errors="replace")


def after_fork() -> None:
    """Begin in a process that was just split off from another: the places that threads of the other one held are free here."""
    global _door, _asking
    _door, _asking = _places(), Lock()
    _asked.clear()
    device.cache_clear()


@lru_cache(maxsize=1)
def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for products of bfloat16 (AVX512-BF16, AMX); elsewhere it is slower than float32."""
    found = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


@dataclass
class Timing:
    """Seconds in front of the door of :func:`forward_pass`, and behind it."""

    waiting: float = 0.0
    computing: float = 0.0


_timing: ContextVar[Timing | None] = ContextVar("timing", default=None)


@contextmanager
def timed(timing: Timing) -> Iterator[None]:
    """Forward passes in here add their seconds to ``timing``."""
    token = _timing.set(timing)
    try:
        yield
    finally:
        _timing.reset(token)


def _places() -> BoundedSemaphore:
    return BoundedSemaphore(int(os.environ.get("GALLERY_CONCURRENCY", "1")))


_door = _places()


@contextmanager
def forward_pass() -> Iterator[None]:
    """Hold one of the few places for computing, without gradients.

    Some calls of the page bypass its queue, so the bound stands here: ``GALLERY_CONCURRENCY`` places, one by default, because a
    single pass already uses every core.
    """
    timing = _timing.get()
    asked = time.perf_counter()
    with _door, torch.inference_mode():
        began = time.perf_counter()
        try:
            yield
        finally:
            if timing is not None:
                timing.waiting += began - asked
                timing.computing += time.perf_counter() - began


@dataclass(eq=False)
class _Asked:
    """Rows that wait for work, and what becomes of them."""

    rows: Tensor
    result: Tensor | None = None
    error: BaseException | None = None
    done: Event = field(default_factory=Event)


_asked: dict[Hashable, list[_Asked]] = {}
_asking = Lock()


def together(key: Hashable, rows: Tensor, work: Callable[[Tensor], Tensor]) -> Tensor:
    """``work(rows)`` in a forward pass of its own, or in one with the rows of all who wait for the same work at that time.

    ``key`` names the work: whoever asks with the same key must mean the same function, which turns N rows into N results, each a
    function of its row alone. Whoever asks first takes the turn at the door, for all who came while it waited; ``MOST_ROWS`` rows
    make a pass. A single small result costs nearly as much as several, so that a crowd is served several times as fast.

    Raises:
        Exception: what ``work`` raises for these rows; the rows of others are not touched by it.
    """
    mine = _Asked(rows)
    with _asking:
        others = _asked.setdefault(key, [])
        others.append(mine)
        first = len(others) == 1
    if not first:
        began = time.perf_counter()
        mine.done.wait()
        if (timing := _timing.get()) is not None:
            timing.waiting += time.perf_counter() - began
    else:
        group: list[_Asked] = []
        try:
            with forward_pass():
                with _asking:
                    group = _asked.pop(key)
                for part in _parts(group):
                    _answer(part, work)
        finally:
            if not group:  # the door itself failed; those who asked are still there
                with _asking:
                    group = _asked.pop(key)
            for one in group:
                if one.result is None and one.error is None:
                    one.error = RuntimeError("the pass that was to serve several at once was broken off")
                one.done.set()
    if mine.error is not None:
        raise mine.error
    assert mine.result is not None
    return mine.result


def _parts(group: list[_Asked]) -> Iterator[list[_Asked]]:
    """The group in parts of at most ``MOST_ROWS`` rows, or of one who brings more."""
    part: list[_Asked] = []
    for one in group:
        if part and sum(len(other.rows) for other in part) + len(one.rows) > MOST_ROWS:
            yield part
            part = []
        part.append(one)
    yield part


def _answer(part: list[_Asked], work: Callable[[Tensor], Tensor]) -> None:
    """Do the work for all in one go; if it fails, for one after the other, so that only those fail whose rows are to blame."""
    try:
        results = work(torch.cat([one.rows for one in part])).split([len(one.rows) for one in part])
        for one, result in zip(part, results, strict=True):
            one.result = result
    except Exception as error:
        if len(part) == 1:
            part[0].error = error
            return
        for one in part:
            _answer([one], work)


@contextmanager
def training_pass() -> Iterator[None]:
    """As :func:`forward_pass`, with gradients: for a few updates of a model that learns in the page."""
    with forward_pass(), torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def fast_pass() -> Iterator[None]:
    """As :func:`forward_pass`, and convolutions in bfloat16 where the processor multiplies it itself, at twice the speed.

    For networks whose result is a correction to something exact, so that what is rounded away does not show, and for such as say
    yes or no.
    """
    cpu = device().type == "cpu" and multiplies_bfloat16()
    with forward_pass(), torch.autocast(device().type, torch.bfloat16, enabled=cpu):
        yield
