"""Where models run: device, threads, and the door in front of every forward pass."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from threading import BoundedSemaphore

import torch


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


@lru_cache(maxsize=1)
def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for products of bfloat16 (AVX512-BF16, AMX); elsewhere it is slower than float32."""
    found = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


@dataclass
class Spent:
    """Seconds in front of the door of :func:`forward_pass`, and behind it."""

    waiting: float = 0.0
    computing: float = 0.0


_spent: ContextVar[Spent | None] = ContextVar("spent", default=None)


@contextmanager
def spending(spent: Spent) -> Iterator[None]:
    """Forward passes in here add their seconds to ``spent``."""
    token = _spent.set(spent)
    try:
        yield
    finally:
        _spent.reset(token)


_door = BoundedSemaphore(int(os.environ.get("GALLERY_CONCURRENCY", "1")))


@contextmanager
def forward_pass() -> Iterator[None]:
    """Hold one of the few places for computing, without gradients.

    Some calls of the page bypass its queue, so the bound stands here: ``GALLERY_CONCURRENCY`` places, one by default, because a
    single pass already uses every core.
    """
    spent = _spent.get()
    asked = time.perf_counter()
    with _door, torch.inference_mode():
        began = time.perf_counter()
        try:
            yield
        finally:
            if spent is not None:
                spent.waiting += began - asked
                spent.computing += time.perf_counter() - began


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
