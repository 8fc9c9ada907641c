"""Labels that a segmenter finds again in photographs."""

from __future__ import annotations

import torch
from torch import Tensor

from gen_models import catalog, runtime
from gen_models.measures._measure import Effort, Measure
from gen_models.measures._pictures import FEW, part_of
from gen_models.measures._subject import Subject
from gen_models.verbs import Segments

LABELS = {"pixels": "pixels", "classes": "mean over labels", "overlap": "overlap (IoU), mean over labels"}


def measures(subject: Subject, effort: Effort) -> list[Measure]:
    """Of a segmenter on real pairs."""
    unseen = subject.held
    count = min(effort.translations, len(unseen))
    counts = found_labels(subject.model, unseen.images[:count], unseen.partners[:count])
    return label_measures(counts, f"{count} real pairs of {part_of(unseen)}")


def segmenter_for(data: str) -> Segments | None:
    """The trained segmenter of a data set, if there is one."""
    names = [f"{model}-{data}" for model in sorted(catalog.names()) if "segment" in catalog.methods(model)]
    return next((catalog.load(name) for name in names if name in catalog.trained()), None)


def found_labels(segmenter: Segments, maps: Tensor, photos: Tensor) -> Tensor:
    """How many pixels of each label (rows) a segmenter takes for which (columns), int64 (N, labels, labels), from bytes."""
    tables = []
    for wanted, given in zip(maps.split(FEW), photos.split(FEW), strict=True):
        with runtime.forward_pass():
            true = segmenter.labels(wanted.float() / 255).cpu()
            found = segmenter.segment(given.float() / 255).cpu()
        kinds = len(segmenter.palette)
        tables += [torch.bincount(row, minlength=kinds**2).view(kinds, kinds) for row in (true * kinds + found).flatten(1)]
    return torch.stack(tables)


def label_shares(table: Tensor) -> Tensor:
    """Of counts (..., labels, labels): pixels found, mean over labels of the same, mean overlap, in percent, (..., 3)."""
    hits = table.diagonal(dim1=-2, dim2=-1).double()
    true, said = table.sum(dim=-1), table.sum(dim=-2)
    there = (true > 0).double()  # a label that nobody asked for has no share

    def mean(shares: Tensor) -> Tensor:
        return (shares * there).sum(dim=-1) / there.sum(dim=-1)

    pixels = hits.sum(dim=-1) / true.sum(dim=-1)
    return 100 * torch.stack([pixels, mean(hits / true.clamp_min(1)), mean(hits / (true + said - hits).clamp_min(1))], dim=-1)


def label_measures(counts: Tensor, protocol: str, real: Tensor | None = None) -> list[Measure]:
    """Labels found, from the counts of :func:`found_labels`; ``real``: the same for the true photographs."""

    def with_errors(tables: Tensor) -> list[tuple[float, float]]:
        chance = torch.Generator().manual_seed(0)
        again = [tables[torch.randint(len(tables), (len(tables),), generator=chance)].sum(dim=0) for _ in range(100)]
        errors = label_shares(torch.stack(again)).std(dim=0)
        return list(zip(label_shares(tables.sum(dim=0)).tolist(), errors.tolist(), strict=True))

    found = with_errors(counts)
    floors = with_errors(real) if real is not None else [(None, None)] * len(found)
    beside = "; real pictures: the true photographs" if real is not None else ""
    return [
        Measure(
            f"Labels found, {text}", f"labels-{key}", value, error, "%",
            f"{protocol}; a segmenter trained on real pairs looks for the labels{beside}; "
            "error: standard deviation over 100 bootstraps of the pictures.",
            "not comparable: the paper's FCN score is of Cityscapes", "higher", floor, floor_error,
        )
        for (key, text), (value, error), (floor, floor_error) in zip(LABELS.items(), found, floors, strict=True)
    ]  # fmt: skip
