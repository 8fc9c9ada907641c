"""How long the trained weights take to load: ``python -m benchmarks.loading [--quick]``.

Baselines, in turns with ``load`` in one run: reading the two files of a model and taking the SHA-256 that every load must take, and
reading alone (shown beside it). ``load`` reads, hashes, builds the network, turns half precision into single, and lays the weights
out for convolutions. Building takes Python some milliseconds however small the file; the bar is therefore on what a load takes
beyond twice reading and hashing. Warm: the files are in the system's memory. Cold: the system was told to forget them before each
turn. Models are imported beforehand, nothing is kept from one turn to the next.
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

BEYOND = 6
"""Milliseconds that a load may take beyond twice its baseline in the mean of all models; the slowest, three times as many."""
FILES = ("config.json", "model.safetensors")


def read(name: str) -> None:
    """The bytes alone."""
    for file in FILES:
        (catalog.WEIGHTS / name / file).read_bytes()


def read_and_hash(name: str) -> None:
    """The bytes and their SHA-256."""
    for file in FILES:
        catalog.sha256(catalog.WEIGHTS / name / file)


def load(name: str) -> None:
    """The model, ready to use."""
    catalog._loaded.clear()
    catalog.load(name)


WAYS: dict[str, Callable[[str], None]] = {"reading": read, "and hashing": read_and_hash, "load": load}


def forget(folder: Path) -> None:
    """Have the system drop what it keeps of a model's files."""
    for file in FILES:
        with (folder / file).open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds(way: Callable[[str], None], names: list[str], cold: bool) -> float:
    """How long one way takes for these models, one after the other."""
    for name in names if cold else ():
        forget(catalog.WEIGHTS / name)
    start = time.perf_counter()
    for name in names:
        way(name)
    return time.perf_counter() - start


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
        load(name)
    size = sum((catalog.WEIGHTS / name / FILES[1]).stat().st_size for name in names)
    print(f"{len(names)} models of {size / 1e6:.0f} MB in all, medians of {turns} turns in ms, {torch.get_num_threads()} threads, "
          f"torch {torch.__version__}\n")  # fmt: skip
    print(f"{'':26}{'MB':>5}" + "".join(f"{f'{state}: {title}':>20}" for state in ("warm", "cold") for title in WAYS))
    ratios, beyond = {}, {}
    for title, group in [*((name, [name]) for name in names), ("all together", names)]:
        megabytes = sum((catalog.WEIGHTS / name / FILES[1]).stat().st_size for name in group) / 1e6
        found = {cold: medians(group, cold, turns) for cold in (False, True)}
        ratios[title] = {cold: times["load"] / times["and hashing"] for cold, times in found.items()}
        beyond[title] = {cold: times["load"] - 2 * times["and hashing"] for cold, times in found.items()}
        print(f"{title:26}{megabytes:5.1f}" + "".join(f"{value:20.1f}" for times in found.values() for value in times.values()))
    together = ratios["all together"]
    print(f"\nall together, times reading and hashing: {together[False]:.1f} warm, {together[True]:.1f} cold")
    bars = []
    for cold, state in ((False, "warm"), (True, "cold")):
        mean, most = beyond["all together"][cold] / len(names), max(beyond[name][cold] for name in names)
        bars += [
            Bar(f"{state}: beyond twice its baseline, mean of all models", mean, BEYOND, " ms"),
            Bar(f"{state}: the same, slowest model", most, 3 * BEYOND, " ms"),
        ]
    return report(bars)


if __name__ == "__main__":
    sys.exit(main())
