"""How the server ends: by Ctrl-C or SIGTERM, at once, in the middle of whatever it does, and with nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ends_process() -> Iterator[None]:
    """End this process with status 0 when it is asked to end, once what is inside has tidied up.

    Python's own end waits for threads that are at work, and PyTorch's abort the process where their Python is taken away.
    """

    def end(number: int, frame: object) -> None:
        for name in signals:
            signal.signal(name, signal.SIG_IGN)  # once is enough, and tidying up takes a moment
        raise SystemExit(0)

    signals = (signal.SIGINT, signal.SIGTERM)
    for name in signals:
        signal.signal(name, end)
    try:
        yield
    except SystemExit as error:
        if error.code:
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
