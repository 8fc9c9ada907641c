"""Which measure applies to which verb. No measure looks at a model's name, its family, its data set or its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gen_models import verbs
from gen_models.data import DataError
from gen_models.measures import classes, labels, likelihood, parzen, reconstruction, restoration, samples, translation
from gen_models.measures._measure import Effort, Measure
from gen_models.measures._subject import Subject
from gen_models.sets import record

FEWEST = 50
"""A part with fewer pictures says nothing about a distribution."""
FEWEST_PAIRS = 24
"""The same for a set of pairs: eight for each split."""


def for_each(function: Callable[[Subject, Effort], list[Measure]]) -> Callable[[Subject, Sequence[Effort]], list[list[Measure]]]:
    """A measure that shares nothing between efforts."""
    return lambda subject, efforts: [function(subject, effort) for effort in efforts]


MEASURES: tuple[tuple[type, Callable[[Subject, Sequence[Effort]], list[list[Measure]]]], ...] = (
    (verbs.Translates, translation.measures),
    (verbs.Upscales, restoration.measures),
    (verbs.Samples, samples.measures),
    (verbs.Samples, parzen.measures),
    (verbs.HasLikelihood, for_each(likelihood.measures)),
    (verbs.HasDensity, for_each(likelihood.densities)),
    (verbs.Reconstructs, for_each(reconstruction.measures)),
    (verbs.HasEvidence, for_each(likelihood.bounds)),
    (verbs.Predicts, for_each(classes.accuracies)),
    (verbs.FindsFaces, for_each(classes.faces)),
    (verbs.Segments, for_each(labels.measures)),
)
"""Verb -> the numbers by which a model that offers it is judged, one list per effort, in the order of the card."""


def measure(subject: Subject, efforts: Sequence[Effort]) -> list[list[Measure]]:
    """All numbers that the model's verbs allow, one list per effort; pictures and features are made once for all of them.

    ``efforts``: how many pictures; the largest first.

    Raises:
        DataError: if the data cannot be read, or the part that the model is held against is too small.
        WeightsError: if the feature network is missing.
    """
    if record(subject.data).own and ":" not in subject.data:
        raise DataError(f"these weights were trained on a user's own pictures; name their folder with --data {subject.data}:PATH")
    held = subject.held
    count, needed = (len(held), FEWEST) if held.partners is None else (min(len(held), len(held.partners)), FEWEST_PAIRS)
    if count < needed:
        part = f"the {subject.split} part of {subject.data}"
        raise DataError(f"{part} holds {count} pictures; {needed} are needed to measure anything")
    lists: list[list[Measure]] = [[] for _ in efforts]
    for verb, numbers_of in MEASURES:
        if isinstance(subject.model, verb):
            for numbers, found in zip(lists, numbers_of(subject, efforts), strict=True):
                numbers += found
    # two restorers may have learnt from the same pictures, shrunk in different ways
    label = subject.name.partition("-")[2] if isinstance(subject.model, verbs.Upscales) else held.name
    return [[with_paper(number, subject.model.reported, label) for number in numbers] for numbers in lists]


def with_paper(number: Measure, reported: Mapping[str, str], data: str) -> Measure:
    """What the model's class says of the paper's number, under ``<key>-<data>``, goes before what is said here."""
    return replace(number, paper=reported.get(f"{number.key}-{data}", number.paper))
