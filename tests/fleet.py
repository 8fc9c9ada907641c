"""Several processes of one training on this machine, forked from a clean one that has torch imported already."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks._page import free_port

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["gen_models.train", "gen_models.gans.dcgan", "gen_models.autoencoders.vae"])


def start(function: Callable[..., Any], processes: int, *args: Any, log: Path | None = None) -> list[BaseProcess]:
    """``function(*args)`` in so many processes that find each other as torchrun's do; ``log``: what they print, by number."""
    port, group = free_port(), []
    for rank in range(processes):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_PORT": port}
        texts = {key: str(value) for key, value in place.items()} | {"MASTER_ADDR": "127.0.0.1"}
        group.append(context.Process(target=_begin, args=(function, texts if processes > 1 else {}, args, log)))
        group[-1].start()
    return group


def run(function: Callable[..., Any], processes: int, *args: Any) -> None:
    """Start, and wait until all have ended well."""
    with tempfile.TemporaryDirectory() as folder:
        group = start(function, processes, *args, log=Path(folder, "log"))
        for process in group:
            process.join(240)
        told = "\n".join(file.read_text(errors="replace", encoding="utf-8")[-3000:] for file in sorted(Path(folder).iterdir()))
    ended = [process.exitcode for process in group]
    if ended != [0] * processes:
        raise AssertionError(f"the processes ended with {ended}:\n{told}")


def _begin(function: Callable[..., Any], place: dict[str, str], args: tuple, log: Path | None) -> None:
    import torch

    torch.set_num_threads(1)
    os.environ.update(place)
    if log:
        file = os.open(f"{log}.{place.get('RANK', 0)}", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 2)
    result = function(*args)
    sys.exit(result if isinstance(result, int) else 0)
