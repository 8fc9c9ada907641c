"""What comes back of pictures from a model's own description of them."""

from __future__ import annotations

from gen_models.data import DataSet
from gen_models.measures._measure import UNREPORTED, Effort, Measure, mean
from gen_models.measures._pictures import over_pictures, part_of
from gen_models.measures._subject import Subject
from gen_models.verbs import Reconstructs


def measures(subject: Subject, effort: Effort) -> list[Measure]:
    """The squared difference."""
    return [reconstruction_measure(subject.model, subject.held, effort, subject.name)]


def reconstruction_measure(model: Reconstructs, unseen: DataSet, effort: Effort, name: str = "") -> Measure:
    """Mean squared difference of unseen pictures and their reconstructions."""
    values = over_pictures(unseen, effort.likelihoods, f"{name} reconstruction",
                            lambda images, _: (model.reconstruct(images) - images).square().flatten(1).mean(dim=1))  # fmt: skip
    return Measure(
        "Reconstruction error", "reconstruction", *mean(values), "",
        f"squared difference per pixel and channel, values from 0 to 1; {len(values)} pictures of {part_of(unseen)}; "
        "mean and standard error over pictures.", UNREPORTED, "lower",
    )  # fmt: skip
