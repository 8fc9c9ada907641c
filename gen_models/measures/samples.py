"""Samples against real pictures that the model has not seen.

Distances are those of :mod:`gen_models.measures.distances` between features of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gen_models import catalog, runtime
from gen_models.base import Draws
from gen_models.measures import distances
from gen_models.measures._judge import Judge, real_features
from gen_models.measures._measure import FOREIGN_FEATURES, Effort, Measure, binomial, mean
from gen_models.measures._pictures import chunks, short
from gen_models.measures._subject import Subject
from gen_models.measures.distances import NEIGHBOURS, kernel_splits
from gen_models.verbs import Denoises, HasFeatures, Rounds, Samples, SamplesPrior

STEPS, ETAS = (10, 20, 50, 100), (0, 1)
"""Ways to sample that are compared, of a model that samples in any number of steps with or without fresh noise."""
SPLITS_OF_STEPS = 6


def measures(subject: Subject, efforts: Sequence[Effort]) -> list[list[Measure]]:
    """All that samples are held against; of a model that takes off noise, for each way to do so as well."""
    most, name = efforts[0], subject.name
    sets = Sets.of(subject, most)
    network = subject.judge.network
    ways = step_features(subject.model, network, most.steps, name)
    last = sampled_features(subject.last, network, most.steps, f"{name} last weights") if subject.last else None
    prior = prior_features(subject.model, network, most.samples, name)
    found = []
    for effort in efforts:
        few = sets.first(effort)
        numbers = set_measures(few, effort) + step_measures(few, ways, effort.steps)
        if prior is not None:
            numbers.insert(1, prior_measure(few, prior[: effort.samples]))
        found.append(numbers if last is None else numbers + last_measures(few, last[: effort.steps]))
    return found


@dataclass(frozen=True)
class Sets:
    """Features of samples, of real pictures that were not trained on, and of training pictures, float64 (N, F) on the CPU.

    Each in an order drawn with seed 0.
    """

    samples: Tensor
    unseen: Tensor
    train: Tensor
    data: str
    split: str
    judge: Judge
    levels: int = 256
    """Grey levels to which real pictures were rounded, because the model knows no others."""

    @classmethod
    def of(cls, subject: Subject, effort: Effort) -> Sets:
        """Sample from the model and compute all features that ``effort`` and smaller ones need."""
        model, judge = subject.model, subject.judge
        channels, size, _ = model.image_shape
        wanted, levels = max(effort.training, effort.samples), model.levels if isinstance(model, Rounds) else 256

        def real(split: str, count: int) -> Tensor:
            return real_features(judge.name, judge.sha256, subject.data, split, size, subject.data_dir, channels, count, levels)

        samples = sampled_features(model, judge.network, effort.samples, subject.name)
        return cls(
            samples, real(subject.split, effort.real), real("train", wanted), short(subject.data), subject.split, judge, levels
        )

    def first(self, effort: Effort) -> Sets:
        """The part of the sets that a smaller effort would have made."""
        wanted = max(effort.training, effort.samples)
        return replace(self, samples=self.samples[: effort.samples], unseen=self.unseen[: effort.real], train=self.train[:wanted])

    @property
    def described(self) -> str:
        """The feature network for a protocol."""
        rounded = [f"real pictures rounded to the model's {self.levels} grey levels"] if self.levels < 256 else []
        return self.judge.described(self.samples, *rounded)


def sampled_features(model: Samples, judge: HasFeatures, count: int, name: str = "", **options: Any) -> Tensor:
    """Features of ``count`` samples, float64 (count, F); the samples are rounded to 8 bits as a PNG of them would be.

    ``options``: those of the model's ``sample``.

    Raises:
        WeightsError: if a picture holds a value that is no number.
    """
    return features_of(partial(model.sample, **options), judge, count, name)


def features_of(sample: Callable[[Draws], Tensor], judge: HasFeatures, count: int, name: str) -> Tensor:
    """The same of what ``sample`` makes of draws.

    Raises:
        WeightsError: if a picture holds a value that is no number.
    """
    rows = []
    for draws in chunks(count, f"{name} samples"):
        with runtime.forward_pass():
            features = judge.features((sample(draws) * 255).round() / 255)
        if not torch.isfinite(features).all():
            raise catalog.WeightsError(f"the weights {name} make pictures that are no numbers; train them again")
        rows.append(features.cpu())
    return torch.cat(rows).double()


def set_measures(sets: Sets, effort: Effort) -> list[Measure]:
    """Frechet and kernel distance, precision, recall and memorisation; but for the last, also with training pictures as samples."""
    real = sets.train[: len(sets.samples)]
    against = (
        f"{len(sets.samples)} samples (seed 0, rows 0 to {len(sets.samples) - 1}, rounded to 8 bits) against {len(sets.unseen)} "
        f"pictures of the {sets.split} part of {sets.data}, {sets.described}"
    )
    floor = f"real against real: {len(real)} training pictures, which the feature network has seen, instead of samples"
    subset = distances.subset(sets.unseen, sets.samples)
    kernel_value, kernel_error = distances.kernel(sets.unseen, sets.samples)
    kernel_floor, kernel_floor_error = distances.kernel(sets.unseen, real)
    numbers = [
        Measure(
            "Frechet distance", "frechet", *distances.frechet_with_error(sets.unseen, sets.samples), "",
            f"{against}; error: standard deviation over 10 bootstraps of the samples; {floor}.",
            FOREIGN_FEATURES, "lower", *distances.frechet_with_error(sets.unseen, real),
        ),
        Measure(
            "Kernel distance", "kernel", kernel_value, kernel_error, "",
            f"{against}; mean and standard deviation over 50 subsets of {subset}; {floor}.",
            FOREIGN_FEATURES, "lower", kernel_floor, kernel_floor_error,
        ),
    ]  # fmt: skip
    few = min(effort.balls, len(sets.samples)), min(effort.balls, len(sets.unseen))
    shares = distances.precision_recall(sets.unseen[: few[1]], sets.samples[: few[0]])
    floors = distances.precision_recall(sets.unseen[: few[1]], real[: few[0]])
    meaning = {"precision": "share of samples that lie among real pictures", "recall": "share of real pictures among samples"}
    for key, share, ceiling, count in zip(meaning, shares, floors, few, strict=True):
        numbers.append(
            Measure(
                key.capitalize(), key, share, binomial(share, count), "",
                f"{meaning[key]}, that is, closer to one of them than its own {NEIGHBOURS}rd neighbour; {few[0]} samples (seed 0), "
                f"{few[1]} pictures of the {sets.split} part of {sets.data}, {sets.described}; binomial standard error; {floor}.",
                FOREIGN_FEATURES, "higher", ceiling, binomial(ceiling, count),
            )
        )  # fmt: skip
    suspects, unseen, known = sets.samples[: effort.suspects], sets.unseen[: effort.suspects], sets.train[: effort.training]
    ratio, error = distances.memorisation(suspects, unseen, known)
    numbers.append(
        Measure(
            "Memorisation", "memorisation", ratio, error, "",
            f"median distance from {len(suspects)} samples (seed 0) to the nearest of {len(known)} training pictures of "
            f"{sets.data}, divided by the same for {len(unseen)} pictures of the {sets.split} part; below 1: samples are closer to "
            "training pictures than unseen real ones are, as copies would be, and averaged pictures too; "
            f"{sets.described}; error: standard deviation over 100 bootstraps.",
            "not in the paper", "near 1",
        )
    )  # fmt: skip
    return numbers


def prior_features(model: Samples, judge: HasFeatures, count: int, name: str = "") -> Tensor | None:
    """Features of samples of the prior, of a model that samples from something else; None: it does not, or has no prior."""
    if not isinstance(model, SamplesPrior):
        return None
    few = [verb(Draws(0, 4, device=runtime.device())) for verb in (model.sample, model.sample_prior)]
    return None if torch.equal(*few) else features_of(model.sample_prior, judge, count, f"{name} prior")


def prior_measure(sets: Sets, prior: Tensor) -> Measure:
    """The Frechet distance of samples of the prior, of a model whose samples are of something that was fitted to codes."""
    return Measure(
        "Frechet distance of samples of the prior", "frechet-prior", *distances.frechet_with_error(sets.unseen, prior), "",
        f"{len(prior)} samples of the prior (seed 0, rows 0 to {len(prior) - 1}, rounded to 8 bits) against {len(sets.unseen)} "
        f"pictures of the {sets.split} part of {sets.data}, {sets.described}; error: standard deviation over 10 bootstraps of the "
        "samples. All other numbers of samples are of latents from the mixture that was fitted to codes of training pictures.",
        FOREIGN_FEATURES, "lower",
    )  # fmt: skip


def step_features(model: Samples, judge: HasFeatures, count: int, name: str = "") -> dict[tuple[int, int], Tensor]:
    """Features of the first samples for every way to sample in steps: (eta, steps) -> float64 (count, F); {}: it does not."""
    if not isinstance(model, Denoises):
        return {}
    return {
        (eta, steps): sampled_features(model, judge, count, f"{name} eta {eta}, {steps} steps", steps=steps, eta=float(eta))
        for eta in ETAS for steps in STEPS
    }  # fmt: skip


def step_measures(sets: Sets, ways: dict[tuple[int, int], Tensor], count: int) -> list[Measure]:
    """The kernel distance against the number of steps, with and without fresh noise (Song 2021, table 1).

    Unlike Frechet's, it does not grow as the sets shrink, so a few hundred samples will do for each way.
    """
    return [
        Measure(
            f"Kernel distance, eta {eta}, {steps} steps", f"kernel-eta{eta}-{steps}", *_split_kernel(sets, rows[:count]), "",
            _split_protocol(sets, rows[:count]), FOREIGN_FEATURES, "lower",
        )
        for (eta, steps), rows in ways.items()
    ]  # fmt: skip


def last_measures(sets: Sets, last: Tensor) -> list[Measure]:
    """The last weights of a training (features of their samples) against the moving average of its weights."""
    average = sets.samples[: len(last)]
    gain = mean(kernel_splits(sets.unseen, last, SPLITS_OF_STEPS) - kernel_splits(sets.unseen, average, SPLITS_OF_STEPS))
    protocol = _split_protocol(sets, average)
    numbers = [
        ("Kernel distance, moving average", "kernel-average", _split_kernel(sets, average), protocol, "lower"),
        ("Kernel distance, last weights", "kernel-last", _split_kernel(sets, last), protocol, "lower"),
        (
            "Kernel distance, last less average", "kernel-average-gain", gain,
            f"above zero: the average is closer to real pictures; of the same noise, split by split; {protocol}", "higher",
        ),
    ]  # fmt: skip
    return [Measure(*titles, *number, "", text, "not in the paper", better, kept=True) for *titles, number, text, better in numbers]


def _split_kernel(sets: Sets, rows: Tensor) -> tuple[float, float]:
    return mean(kernel_splits(sets.unseen, rows, SPLITS_OF_STEPS))


def _split_protocol(sets: Sets, rows: Tensor) -> str:
    return (
        f"{len(rows)} samples (seed 0, rows 0 to {len(rows) - 1}, rounded to 8 bits) against {len(sets.unseen)} pictures of the "
        f"{sets.split} part of {sets.data}, {sets.described}; mean and standard error over {SPLITS_OF_STEPS} splits of both."
    )
