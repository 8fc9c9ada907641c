"""Enlarged pictures against the true ones that were shrunk.

``-set5`` and ``-set14`` are the pictures that all papers use, ``-bicubic`` is the baseline, ``-ensemble`` the mean over eight ways
to turn a picture, ``-start`` the same number for the weights that the training started from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gen_models import catalog, runtime
from gen_models.base import Draws, Restorer
from gen_models.data import benchmarks
from gen_models.degradation import upscale
from gen_models.measures import distances
from gen_models.measures._judge import Judge, details_of, features_of
from gen_models.measures._measure import FOREIGN_FEATURES, UNREPORTED, Effort, Measure, binomial, mean
from gen_models.measures._pictures import drawn, made_from, part_of, progress
from gen_models.measures._subject import Subject
from gen_models.measures.distances import kernel_splits
from gen_models.measures.fidelity import FIDELITIES, WINDOW, fidelities

BASELINES = {"": "", "-ensemble": ", self-ensemble", "-bicubic": ", bicubic", "-start": ", of the weights it started from"}


def measures(subject: Subject, efforts: Sequence[Effort]) -> list[list[Measure]]:
    """All numbers of the unseen part and of the benchmarks."""
    restorations = Restorations.of(subject, efforts[0])
    return [restorations.measures(effort.samples) for effort in efforts]


@dataclass(frozen=True)
class Restorations:
    """What a restorer makes of shrunk pictures, by set (``""``: the unseen part, else a benchmark's name) and ending of the key."""

    fidelity: dict[str, dict[str, Tensor]]
    """Set -> ending -> (N, 4) float64, columns as in ``FIDELITIES``, of the same pictures in the same order."""
    features: dict[str, Tensor]
    """Ending, or ``true`` -> float64 (N, F) of the unseen part, empty where pictures have no labels."""
    details: dict[str, Tensor]
    """The same of the squares that each picture is cut into, (N, P, F): whole pictures would be reduced, and look sharp then."""
    judge: Judge | None
    """The feature network, where there are features."""
    classes: dict[str, tuple[str, ...]]
    judged: bool
    """Whether the restorer's own training asked the feature network."""
    part: str
    """Which pictures, for a protocol."""
    way: str
    """How pictures were shrunk, for a protocol."""
    border: int

    @classmethod
    def of(cls, subject: Subject, effort: Effort) -> Restorations:
        """Shrink and restore the unseen part and the benchmarks, and compute everything that ``effort`` and smaller ones need."""
        model, unseen = subject.model, subject.held
        sets = {"": list(drawn(unseen.images, effort.samples))}
        sets |= {title: list(pictures.values()) for title, pictures in benchmarks(unseen.name, subject.data_dir).items()}
        earlier = catalog.load(model.start) if model.start in catalog.trained() else None
        earlier = earlier if earlier is not None and earlier.scale == model.scale else None
        fidelity: dict[str, dict[str, Tensor]] = {}
        made: dict[str, list[Tensor]] = {}
        for title, pictures in sets.items():
            results: dict[str, list[Tensor]] = {ending: [] for ending in BASELINES}
            true = [_cut(picture, model.scale) for picture in pictures]
            for row, picture in enumerate(progress(true, f"{subject.name} {title or subject.split}")):
                small = _shrunk(model, picture, row)
                ways = {"": model.upscale, "-ensemble": partial(model.upscale, ensemble=True)}
                ways |= {"-bicubic": partial(upscale, scale=model.scale)} | ({"-start": earlier.upscale} if earlier else {})
                for ending, way in ways.items():
                    results[ending].append(_as(picture, made_from(way, small[None])[0]))
            fidelity[title] = {
                ending: torch.stack([fidelities(one, other, model.scale) for one, other in zip(some, true, strict=True)])
                for ending, some in results.items() if some
            }  # fmt: skip
            made = made or results | {"true": true}
        judge = subject.judge if unseen.classes else None
        features: dict[str, Tensor] = {}
        details: dict[str, Tensor] = {}
        if judge is not None:
            features = {ending: features_of(judge.network, torch.stack(some)) for ending, some in made.items() if some}
            details = {ending: details_of(judge.network, torch.stack(some)) for ending, some in made.items() if some}
        return cls(
            fidelity, features, details, judge, unseen.classes, judge is not None and judge.name == model.judge, part_of(unseen),
            f"{model.damage}, to 1/{model.scale} of the side, rounded to 8 bits", model.scale,
        )  # fmt: skip

    def measures(self, count: int) -> list[Measure]:
        """All numbers by the first ``count`` pictures of the unseen part, and by all of the benchmarks."""
        numbers = []
        for title, endings in self.fidelity.items():
            numbers += self._fidelity(title, {ending: rows if title else rows[:count] for ending, rows in endings.items()})
        if self.features:
            features, details = ({ending: rows[:count] for ending, rows in each.items()} for each in (self.features, self.details))
            numbers += self._identity(features) + self._distances(details)
        return numbers

    def _fidelity(self, title: str, endings: dict[str, Tensor]) -> list[Measure]:
        """Against the true pictures; of the ensemble and of the start, the brightness alone."""
        whose = f"{title[:3].capitalize()}{title[3:]}" if title else f"{self.part}"
        suffix = f"-{title}" if title else ""
        shown_as = f" on {whose}" if title else ""
        protocol = f"{len(endings[''])} pictures: {whose}, {self.way}, and restored; {self.border} pixels cut off at each border"
        numbers = []
        for ending, rows in endings.items():
            for column, (key, (text, unit)) in enumerate(FIDELITIES.items()):
                if ending in ("-ensemble", "-start") and "rgb" in key:
                    continue
                value, error = mean(rows[:, column])
                channel = "Y of YCbCr as in MATLAB, rounded (grey pictures as they are)" if key.endswith("-y") else "RGB together"
                numbers.append(
                    Measure(
                        f"{text}{shown_as}{BASELINES[ending]}", f"{key}{suffix}{ending}", value, error, unit,
                        f"{protocol}; {channel}{f'; {WINDOW}' if 'ssim' in key else ''}; mean and standard error over pictures.",
                        UNREPORTED, "higher",
                    )
                )  # fmt: skip
        gain, error = mean(endings[""][:, 0] - endings["-bicubic"][:, 0])
        return [
            *numbers,
            Measure(
                f"Gain on bicubic{shown_as}", f"gain{suffix}", gain, error, "dB",
                f"peak signal-to-noise ratio of the brightness less that of the bicubic enlargement; {protocol}; mean and standard "
                "error of the differences.", UNREPORTED, "higher",
            ),
        ]  # fmt: skip

    def _identity(self, features: dict[str, Tensor]) -> list[Measure]:
        """Whether the feature network sees the same person."""
        true = features["true"]
        others = (true - true.roll(1, 0)).norm(dim=1).mean()
        seen = {ending: self._classes(rows) == self._classes(true) for ending, rows in features.items() if ending != "true"}
        protocol = f"{len(true)} pictures of {self.part}, {self.way}; {self._judge(true)}"
        numbers = []
        for ending in seen:
            value, error = mean((features[ending] - true).norm(dim=1) / others)
            numbers.append(
                Measure(
                    f"Identity distance{BASELINES[ending]}", f"identity{ending}", value, error, "",
                    f"distance of the features from those of the true picture, 1 being the mean distance between two different "
                    f"faces; {protocol}; mean and standard error over pictures.", "not in the paper", "lower",
                )
            )  # fmt: skip
        for column, task in enumerate(self.classes):
            for ending, same in seen.items():
                share = float(same[:, column].double().mean())
                numbers.append(
                    Measure(
                        f"Same {task} seen{BASELINES[ending]}", f"agreement-{task}{ending}", 100 * share,
                        100 * binomial(share, len(same)), "%",
                        f"share of pictures in which the network sees the same class as in the true one; {protocol}; binomial "
                        "standard error.", "not in the paper", "higher",
                    )
                )  # fmt: skip
        return numbers

    def _distances(self, details: dict[str, Tensor]) -> list[Measure]:
        """Restorations of one half of the pictures against the true other half; of the same half they would be no new sample."""
        half, parts = len(details["true"]) // 2, details["true"].shape[1]
        others = len(details["true"]) - half
        real, floor = details["true"][half:].flatten(0, 1), details["true"][:half].flatten(0, 1)
        made = {ending: rows[:half].flatten(0, 1) for ending, rows in details.items() if ending not in ("true", "-ensemble")}
        protocol = (
            f"restorations of {half} pictures against {others} other, true ones, all of {self.part}, {self.way}, "
            f"each cut into {parts} squares that the network sees without reduction; {self._judge(real)}"
        )
        beside = "real pictures: the true ones instead of the restorations"
        numbers = []
        for ending, rows in made.items():
            own = ending == ""
            floor_value, floor_error = distances.frechet_with_error(real, floor) if own else (None, None)
            numbers.append(
                Measure(
                    f"Frechet distance{BASELINES[ending]}", f"frechet{ending}", *distances.frechet_with_error(real, rows), "",
                    f"{protocol}; error: standard deviation over 10 bootstraps of the squares; {beside}.", FOREIGN_FEATURES,
                    "lower", floor_value, floor_error,
                )
            )  # fmt: skip
            value, error = distances.kernel(real, rows)
            floor_value, floor_error = distances.kernel(real, floor) if own else (None, None)
            numbers.append(
                Measure(
                    f"Kernel distance{BASELINES[ending]}", f"kernel{ending}", value, error, "",
                    f"{protocol}; mean and standard deviation over 50 subsets of {distances.subset(real, rows)}; {beside}.",
                    FOREIGN_FEATURES, "lower", floor_value, floor_error,
                )
            )  # fmt: skip
        if "-start" in made:
            far, near = (kernel_splits(real, made[ending], 6) for ending in ("-start", ""))
            gain, error = mean(far - near)
            numbers.append(
                Measure(
                    "Kernel distance, start less result", "kernel-gain", gain, error, "",
                    f"above zero: closer to real pictures than what the weights it started from make; {protocol}; mean and "
                    "standard error over 6 splits of both.", "not in the paper", "higher",
                )
            )  # fmt: skip
        return numbers

    def _classes(self, features: Tensor) -> Tensor:
        """The most likely class per task, (N, T)."""
        with torch.inference_mode():
            scores = self.judge.network.logits(features.float().to(runtime.device()))
            return torch.stack([rows.argmax(dim=1).cpu() for rows in scores], dim=1)

    def _judge(self, features: Tensor) -> str:
        return self.judge.described(features, *(["which the training asked too"] if self.judged else []))


def _cut(picture: Tensor, scale: int) -> Tensor:
    """Without what is left over at the right and below when the sides are divided."""
    height, width = (side // scale * scale for side in picture.shape[-2:])
    return picture[:, :height, :width]


def _shrunk(model: Restorer, picture: Tensor, row: int) -> Tensor:
    """A byte picture (C, H, W) as the model was trained on; row ``row`` of seed 0 decides what is by chance."""
    picture = picture.expand(model.image_shape[0], -1, -1)
    small = model.downscale(picture[None].float() / 255, Draws(0, 1, first=row))
    return (small[0] * 255).round().to(torch.uint8)


def _as(true: Tensor, made: Tensor) -> Tensor:
    """``made`` in as many channels as ``true``."""
    return made if len(made) == len(true) else made.double().mean(dim=0, keepdim=True).round().to(torch.uint8)
