"""Data sets: one file each, ``<name>.py``, in which ``RECORD`` says everything that the gallery knows about the set.

The folder listing is the registry. A file that starts with an underscore is no data set, but shared by several.

Each has three parts: one for training, one for validation (by which choices are made), one for the test (the numbers on the cards).
A picture's part depends on the SHA-256 of its own bytes alone (of a pair: of A's; of line drawings: of the photograph's; of two
halves in a file: of the file's), so it does not change with the order of the files, and a copy is in the same part as the original.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the gallery knows about a data set.

    The page, the cards and the measures look it up here; no other file lists data sets.
    """

    title: str
    """What the page calls it, in a word or two: ``Digits``."""
    card_title: str
    """What a card calls it: ``MNIST``."""
    what: str
    """What it is, with its authors, for a card; ``{size}`` stands for the side of the pictures that a model was trained on."""
    terms: str
    """Under which terms its pictures may be used."""
    license: str
    """Lines of a card's front matter: the licence of weights trained on it."""
    read: Callable[..., Any]
    """(part, side or None for the set's own, data folder or None) -> ``DataSet``; raises ``DataError`` with the cure.

    Where ``own``, (part, side or None, path, channels) -> ``DataSet``.
    """
    own: bool = False
    """Whether these are a user's own pictures: the set is asked for as ``<name>:PATH``."""
    hub: str = ""
    """Its repository on the Hub, if there is one."""
    pictures: str = "pictures"
    """What its pictures show, in the plural: ``digits``."""
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Task -> names of its classes, in the order of the labels' columns and numbers."""
    traits: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Name -> (pictures (N, C, H, W) in [0, 1], labels (N, tasks)) -> a number for each, (N,): latents are named after these."""
    contrasts: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Name of a change -> task whose class number grows (1) or falls (-1) with it: what can be asked of latents."""
    kinds: tuple[str, str] = ("A", "B")
    """What one picture of kind A, and one of kind B, is called; for a set of pictures of two kinds."""
    backwards: bool = False
    """Whether the translation that people want to see first leads from B to A."""
    drawing: str = ""
    """How a picture of kind A is drawn: with ``labels`` or ``lines``; empty where it is not."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Name -> colour, six hexadecimal digits, of what a label map shows."""
    fill: float = 1.0
    """Share of a picture's side that the longer side of the thing in it fills."""
    finder: str = ""
    """Weights of the finder by which a visitor's picture (of kind A) is aligned: its largest face is set upright; "": it is not."""
    framing: float = 1.0
    """Side of these pictures in sides of the square that the finder puts around the face in them."""
    opposite: str = ""
    """A data set of pictures of the same shape that show something else."""
    benchmarks: Mapping[str, Callable[[Path | None], Any]] = field(default_factory=dict)
    """Pictures that papers use for what this set stands for: title -> (data folder) -> {name: uint8 (C, H, W)}.

    Each in its own size, C = 1 where it is grey, and never trained on.
    """


@cache
def names() -> tuple[str, ...]:
    """All data sets, from the files ``gen_models/sets/<name>.py``."""
    return tuple(sorted(file.stem for file in PACKAGE.glob("[!_]*.py")))


@cache
def record(name: str) -> Record:
    """The record of a data set, as ``config.json`` names it, or with the path behind a colon.

    Of a set that has none, that of a user's own pictures, with its name as title.
    """
    kind = name.partition(":")[0]
    if kind in names():
        return importlib.import_module(f"{__name__}.{kind}").RECORD
    return replace(record("folder"), title=name)
