"""What was freed is given back to the system."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import weakref
from collections import deque
from collections.abc import Iterator

import gradio as gr
import PIL.Image
import pytest
from conftest import ROOT

from demos._kit.events import error_boundary
from demos._server import memory
from gen_models.data import DataError

HOLES = """
import time
import psutil
from demos._server import memory
memory.LOOK, memory.WORKED = 0.1, 0.0
print(memory.keep_small())
resident = lambda: psutil.Process().memory_info().rss / 2**20
large = b"x" * (8 << 20)
del large  # from now on, glibc takes blocks of this size from the heap
start, large, small = resident(), [], []
for _ in range(40):
    large.append(b"x" * (4 << 20))
    small.append(b"y" * 5000)  # stays, so that the heap cannot shrink
full = resident()
large.clear()
end = time.monotonic() + 5
while resident() > start + 10 and time.monotonic() < end:
    time.sleep(0.05)
print(full - start, resident() - start)
"""


def test_holes_in_the_heap_are_given_back():
    found = subprocess.run([sys.executable, "-c", HOLES], cwd=ROOT, capture_output=True, text=True, check=True)
    told, full, after = found.stdout.split()
    glibc = platform.libc_ver()[0] == "glibc"
    assert told == str(glibc) and float(full) > 150
    assert not glibc or float(after) < 10


def test_nothing_is_done_while_nobody_works(monkeypatch):
    asked, times = [], iter([3.0, 3.0 + memory.WORKED / 2, 3.0 + memory.WORKED])
    monkeypatch.setattr(memory.time, "process_time", lambda: next(times))
    assert memory.give_back(asked.append, 3.0) == memory.give_back(asked.append, 3.0) == 3.0 and asked == []
    assert memory.give_back(asked.append, 3.0) == 3.0 + memory.WORKED and asked == [0]


def test_a_library_that_cannot_do_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert not memory.keep_small()


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("refusal", [gr.Error("The picture is empty."), DataError("no data"), ValueError("unexpected")], ids=repr)
def test_what_was_refused_is_let_go_at_once(refusal, streams):
    """Without the collector, which looks rarely: a refused picture of 25 million pixels takes 100 MB."""
    held = []

    def work() -> None:
        picture = PIL.Image.new("L", (9, 9))
        held.append(weakref.ref(picture))
        raise type(refusal)(*refusal.args)

    def stream() -> Iterator[None]:
        yield
        work()

    handler = error_boundary(stream if streams else work)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(gr.Error) as caught:
            deque(handler() or (), maxlen=0)
        assert caught.value.message and held[0]() is None  # the error itself is still there
    finally:
        gc.enable()
