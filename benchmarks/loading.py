"""How long the trained weights take to load: ``python -m benchmarks.loading [--quick]``.

Two baselines, in turns with ``load`` in one run: reading the two files of a model; reading them and taking the SHA-256, which is
the least that a checked load can be. ``load`` reads and hashes in a thread of its own, builds the network meanwhile, turns half
precision into single, and lays the weights out for convolutions. Building takes Python some milliseconds however small the file,
hence the bars on what the load of one model takes beyond twice reading and hashing. Warm: the files are in the system's memory.
Cold: the system was told to forget them before each turn. Importing the models beforehand and letting each go before the next
do not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks._report import Bar, report
from gen_models import catalog

MOST = 2
"""Times its baseline that a load of all models together may take."""
BEYOND = 6
"""Milliseconds that a load may take beyond twice reading and hashing, mean of all models; the slowest, three times as many."""
FILES = ("config.json", "model.safetensors")


def read(name: str) -> None:
    """The bytes alone."""
    for file in FILES:
        (catalog.WEIGHTS / name / file).read_bytes()


def read_and_hash(name: str) -> None:
    """The bytes and their SHA-256."""
    for file in FILES:
        catalog.sha256(catalog.WEIGHTS / name / file)


WAYS: dict[str, Callable[[str], object]] = {"reading": read, "and hashing": read_and_hash, "load": catalog.load}


def forget(folder: Path) -> None:
    """Have the system drop what it keeps of a model's files."""
    for file in FILES:
        with (folder / file).open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds(way: Callable[[str], object], names: list[str], cold: bool) -> float:
    """How long one way takes for these models, one after the other, each let go before the next."""
    for name in names if cold else ():
        forget(catalog.WEIGHTS / name)
    taken = 0.0
    for name in names:
        catalog._loaded.clear()
        start = time.perf_counter()
        way(name)
        taken += time.perf_counter() - start
    return taken


def medians(names: list[str], cold: bool, turns: int) -> dict[str, float]:
    """Milliseconds of each way, median over the turns."""
    found: dict[str, list[float]] = {title: [] for title in WAYS}
    for _ in range(turns):
        for title, way in WAYS.items():
            found[title].append(seconds(way, names, cold))
    return {title: 1000 * statistics.median(values) for title, values in found.items()}


def main() -> int:
    """Measure in turns, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.loading", description=__doc__)
    options.add_argument("--quick", action="store_true", help="fewer turns, under a minute")
    turns = 5 if options.parse_args().quick else 25
    names = [name for name in sorted(catalog.table()) if (catalog.WEIGHTS / name / FILES[1]).is_file()]
    for name in names:
        catalog.load(name)
    size = sum((catalog.WEIGHTS / name / FILES[1]).stat().st_size for name in names)
    print(f"{len(names)} models of {size / 1e6:.0f} MB in all, medians of {turns} turns in ms, {torch.get_num_threads()} threads, "
          f"torch {torch.__version__}\n")  # fmt: skip
    heads = (*WAYS, "/ reading", "/ hashing")
    print(f"{'':26}{'MB':>5}" + "".join(f"{f'{state}: {head}':>19}" for state in ("warm", "cold") for head in heads))
    ratios: dict[bool, dict[str, float]] = {}
    beyond: dict[str, dict[bool, float]] = {}
    for title, group in [*((name, [name]) for name in names), ("all together", names)]:
        megabytes = sum((catalog.WEIGHTS / name / FILES[1]).stat().st_size for name in group) / 1e6
        found = {cold: medians(group, cold, turns) for cold in (False, True)}
        beyond[title] = {cold: times["load"] - 2 * times["and hashing"] for cold, times in found.items()}
        ratios = {cold: {base: times["load"] / times[base] for base in WAYS if base != "load"} for cold, times in found.items()}
        cells = [f"{value:19.1f}" for cold in found for value in (*found[cold].values(), *ratios[cold].values())]
        print(f"{title:26}{megabytes:5.1f}" + "".join(cells))
    bars = []
    for cold, state in ((False, "warm"), (True, "cold")):  # the last ratios are those of all together
        mean, most = beyond["all together"][cold] / len(names), max(beyond[name][cold] for name in names)
        bars += [
            Bar(f"{state}: all together, times reading and hashing", ratios[cold]["and hashing"], MOST),
            Bar(f"{state}: all together, times reading alone", ratios[cold]["reading"], MOST),
            Bar(f"{state}: beyond twice reading and hashing, mean of all models", mean, BEYOND, " ms"),
            Bar(f"{state}: the same, slowest model", most, 3 * BEYOND, " ms"),
        ]
    return report(bars)


if __name__ == "__main__":
    sys.exit(main())
