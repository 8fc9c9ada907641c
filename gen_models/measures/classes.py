"""How often a classifier, or an eye for faces, is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from gen_models import runtime
from gen_models.data import DataSet
from gen_models.measures._measure import UNREPORTED, Effort, Measure, binomial
from gen_models.measures._pictures import CHUNK, batches, drawn, order, part_of, short
from gen_models.measures._subject import Subject
from gen_models.verbs import FindsFaces, Predicts


def accuracies(subject: Subject, effort: Effort) -> list[Measure]:
    """Hits of a classifier."""
    return accuracy_measures(subject.model, subject.held, effort, subject.config.get("classes") or subject.held.classes)


def faces(subject: Subject, effort: Effort) -> list[Measure]:
    """Hits of an eye for faces; pictures of kind A of the set show a face, those of kind B none."""
    return finder_measures(subject.model, subject.held, effort)


def accuracy_measures(model: Predicts, unseen: DataSet, effort: Effort, classes: Mapping[str, Any]) -> list[Measure]:
    """Share of unseen pictures whose class is found, in percent, one number per task of ``classes`` (task -> class names)."""
    if not classes:
        return []
    hits = []
    known = unseen.labels[order(unseen, effort.predictions)].split(CHUNK)
    for images, labels in zip(batches(unseen, effort.predictions, "predictions"), known, strict=True):
        with runtime.forward_pass():
            hits.append(model.predict(images.to(runtime.device())).cpu() == labels)
    shares = torch.cat(hits).double().mean(dim=0).tolist()
    count = sum(map(len, hits))
    return [
        Measure(
            f"Accuracy, {task}", f"accuracy-{task}", 100 * share, 100 * binomial(share, count), "%",
            f"{count} pictures of {part_of(unseen)}, {len(labels)} classes; binomial standard error.",
            UNREPORTED, "higher",
        )
        for (task, labels), share in zip(classes.items(), shares, strict=True)
    ]  # fmt: skip


def finder_measures(model: FindsFaces, unseen: DataSet, effort: Effort) -> list[Measure]:
    """How many faces an eye for faces takes for such, and how many other pictures."""
    assert unseen.partners is not None
    numbers = []
    for title, key, images, better in (
        ("Faces taken for faces", "found", unseen.images, "higher"),
        ("Pictures without a face taken for faces", "false", unseen.partners, "lower"),
    ):  # fmt: skip
        count = min(len(images), effort.predictions)
        hits = []
        for squares in drawn(images, count).split(CHUNK):
            with runtime.forward_pass():
                hits.append(model.shows_face(squares.to(runtime.device()) / 255).cpu())
        share = float(torch.cat(hits).double().mean())
        numbers.append(
            Measure(
                title, f"faces-{key}", 100 * share, 100 * binomial(share, count), "%",
                f"{count} whole pictures of the {unseen.split} part, of {short(unseen.name)}, each as one square; "
                "binomial standard error.",
                UNREPORTED, better,
            )
        )  # fmt: skip
    return numbers
