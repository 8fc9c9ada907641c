"""How the server gives memory back."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from threading import Thread

LOOK = 5.0
"""Seconds between two looks."""
WORKED = 1.0
"""Seconds of computing since the last time, from which on free memory is given back."""


def give_back(trim: Callable[[int], object], last: float) -> float:
    """Give back what is free if the process worked since ``last``, in seconds of its computing; when it was done the last time."""
    now = time.process_time()
    if now < last + WORKED:
        return last
    trim(0)
    return now


def trimmer() -> Callable[[int], object] | None:
    """The C library's way to give back free memory, called with 0; None if it has none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        return None


def trim() -> None:
    """Give back free memory now."""
    found = trimmer()
    if found is not None:
        found(0)


def keep_small() -> bool:
    """Have a thread give back free memory from now on; whether there is a way to.

    Tensors of up to 32 MB that networks need for a moment lie on the heap of glibc, between what stays. The holes that they leave
    are not given back by themselves, and each of the server's threads makes its own. To keep large blocks out of the heap
    (``M_MMAP_THRESHOLD``) would cost a batch of 64 pictures a fifth of its speed or more.
    """
    trim = trimmer()
    if trim is None:
        return False

    def watch() -> None:
        last = 0.0
        while True:
            time.sleep(LOOK)
            last = give_back(trim, last)

    Thread(target=watch, name="memory", daemon=True).start()
    return True
