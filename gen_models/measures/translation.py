"""Translations against the true pictures, and against the kind of picture that is aimed at.

Of a translator, ``-input`` and ``-colours`` are the same numbers for two baselines, and ``-back`` those of the other direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gen_models.data import DataSet
from gen_models.measures import distances
from gen_models.measures._judge import Judge, features_of
from gen_models.measures._measure import FOREIGN_FEATURES, UNREPORTED, Effort, Measure, mean
from gen_models.measures._pictures import FEW, drawn, made_from, short
from gen_models.measures._subject import Subject
from gen_models.measures.distances import SPLITS_OF_PAIRS, kernel_splits
from gen_models.measures.fidelity import differences, noise_ratios, similarities
from gen_models.measures.labels import found_labels, label_measures, segmenter_for
from gen_models.verbs import TranslatesBack


def measures(subject: Subject, efforts: Sequence[Effort]) -> list[list[Measure]]:
    """All numbers of all directions."""
    translations = Translations.of(subject, efforts[0])
    return [translations.measures(effort.translations) for effort in efforts]


@dataclass(frozen=True)
class Way:
    """One direction of a translator: unseen pictures, bytes (N, C, H, W), and their features, float64 (N, F), in the same order."""

    ending: str
    """What the keys of its numbers end with: nothing, or ``-back``."""
    title: str
    pictures: dict[str, Tensor]
    """``result``, ``input``, and if the set is paired ``colours`` and ``true``."""
    features: dict[str, Tensor]
    """Of the pictures, and of the kind that is aimed at: ``target`` (unseen) and ``train``."""
    cycle: Tensor | None
    """What there and back changes, one number a picture."""
    labels: dict[str, Tensor]
    """Of ``result`` and ``true``: see :func:`gen_models.measures.labels.found_labels`; empty without a segmenter for this set."""


@dataclass(frozen=True)
class Translations:
    """All directions of a translator."""

    ways: list[Way]
    data: str
    split: str
    judge: Judge

    @classmethod
    def of(cls, subject: Subject, effort: Effort) -> Translations:
        """Translate the unseen part and compute everything that ``effort`` and smaller ones need."""
        model, judge, name = subject.model, subject.judge, subject.name
        unseen, train = subject.held, subject.part("train")
        both = isinstance(model, TranslatesBack)
        segmenter = segmenter_for(subject.data) if unseen.paired else None
        kinds = unseen.domains or ("A", "B")
        ways = []
        for backwards in (False, True) if both else (False,):
            options = {"backwards": backwards} if both else {}
            sides = [(unseen.images, train.images), (unseen.partners, train.partners)]
            (inputs, _), (targets, known) = reversed(sides) if backwards else sides
            inputs, targets, known = (drawn(pictures, effort.translations) for pictures in (inputs, targets, known))
            title = f"{kinds[backwards]} to {kinds[not backwards]}"
            pictures = {"input": inputs, "result": made_from(partial(model.translate, **options), inputs, f"{name} {title}")}
            labels = {}
            if unseen.paired:
                pictures |= {"true": targets, "colours": ColourMeans(train)(inputs)}
                if segmenter is not None:
                    labels = {key: found_labels(segmenter, inputs, pictures[key]) for key in ("result", "true")}
            features = {key: features_of(judge.network, value) for key, value in pictures.items() if key != "true"}
            features |= {"target": features_of(judge.network, targets), "train": features_of(judge.network, known[: len(targets)])}
            cycle = None
            if both:
                returned = made_from(lambda images, options=options: model.cycle(images, **options)[1], inputs, f"{name} back")
                cycle = differences(returned, inputs)
            ways.append(Way("-back" if backwards else "", title, pictures, features, cycle, labels))
        return cls(ways, short(subject.data), subject.split, judge)

    def measures(self, count: int) -> list[Measure]:
        """The numbers of all directions by the first ``count`` pictures."""
        return [number for way in self.ways for number in self._of_way(way, count)]

    def _of_way(self, way: Way, count: int) -> list[Measure]:
        pictures = {key: value[:count] for key, value in way.pictures.items()}
        features = {key: value[:count] for key, value in way.features.items()}
        inputs = len(pictures["input"])
        suffix = f", {way.title}" if len(self.ways) > 1 else ""
        names = {"result": ("", "")} | {
            key: (f"-{key}", text)
            for key, text in (("input", " of the input itself"), ("colours", " of the mean picture per colour"))
            if key in pictures
        }
        translated = way.title.replace(" to ", " translated to ", 1)
        protocol = f"{inputs} {translated}, the {self.split} part of {self.data}, rounded to 8 bits"
        meaning = {"colours": "at each pixel the mean of the training pictures whose input has the same colour there; "}
        numbers = []
        for key, (ending, text) in names.items():
            if "true" not in pictures:
                break
            for measure, title, unit, best, function in (
                ("l1", "L1 distance to the true picture", "", "lower", differences),
                ("ssim", "Structural similarity with the true picture", "", "higher", similarities),
                ("psnr", "Peak signal-to-noise ratio", "dB", "higher", noise_ratios),
            ):
                value, error = mean(function(pictures[key], pictures["true"]))
                numbers.append(
                    Measure(
                        f"{title}{text}", f"{measure}{ending}{way.ending}", value, error, unit,
                        f"{meaning.get(key, '')}{protocol}; values from 0 to 1; mean and standard error over pictures.",
                        UNREPORTED, best,
                    )
                )  # fmt: skip
        against = (
            f"{protocol}; against {len(features['target'])} pictures of the kind that is aimed at, of the {self.split} part; "
            f"{self.judge.described(features['target'])}"
        )
        over = f"mean and standard error over {SPLITS_OF_PAIRS} splits of both"
        floor = f"real pictures: {len(features['train'])} training pictures of the kind that is aimed at"
        few = "so few pictures raise it, for real ones as well"
        for key, (ending, text) in names.items():
            own = key == "result"
            real, real_error = distances.frechet_with_error(features["target"], features["train"]) if own else (None, None)
            numbers.append(
                Measure(
                    f"Frechet distance{text}{suffix}", f"frechet{ending}{way.ending}",
                    *distances.frechet_with_error(features["target"], features[key]), "",
                    f"{meaning.get(key, '')}{against}; {few}; error: standard deviation over 10 bootstraps; {floor}.",
                    FOREIGN_FEATURES, "lower", real, real_error,
                )
            )  # fmt: skip
            value, error = mean(kernel_splits(features["target"], features[key]))
            real, real_error = mean(kernel_splits(features["target"], features["train"])) if own else (None, None)
            numbers.append(
                Measure(
                    f"Kernel distance{text}{suffix}", f"kernel{ending}{way.ending}", value, error, "",
                    f"{meaning.get(key, '')}{against}; {over}; {floor}.", FOREIGN_FEATURES, "lower", real, real_error,
                )
            )  # fmt: skip
        far, near = (kernel_splits(features["target"], features[key]) for key in ("input", "result"))
        gain, error = mean(far - near)
        numbers.append(
            Measure(
                f"Kernel distance, input less result{suffix}", f"kernel-gain{way.ending}", gain, error, "",
                f"above zero: closer to what is aimed at than the input; {against}; {over}.", "not in the paper", "higher",
            )
        )  # fmt: skip
        if way.cycle is not None:
            value, error = mean(way.cycle[:count])
            numbers.append(
                Measure(
                    f"Cycle error{suffix}", f"cycle{way.ending}", value, error, "",
                    f"mean absolute difference of a picture and what comes back, values from 0 to 1; {protocol}; "
                    "mean and standard error over pictures.", UNREPORTED, "lower",
                )
            )  # fmt: skip
        if way.labels:
            numbers += label_measures(way.labels["result"][:count], protocol, way.labels["true"][:count])
        return numbers


class ColourMeans:
    """The mean training picture B per colour of A, pixel by pixel: what can be said without looking at any neighbour.

    Colours of A are counted in eight steps a channel; all but the ``most`` frequent count as the nearest of these. Where a colour
    never stood in training, its mean over all places stands in.
    """

    def __init__(self, train: DataSet, most: int = 16) -> None:
        channels = train.images.shape[1]
        self.steps = 8 ** torch.arange(channels)[:, None, None]
        frequent = torch.zeros(8**channels, dtype=torch.int64)
        for images in train.images.split(FEW):
            frequent += torch.bincount(self.codes(images).flatten(), minlength=len(frequent))
        kept = frequent.argsort(descending=True, stable=True)[: min(most, int((frequent > 0).sum()))]
        places = torch.arange(len(frequent))[:, None] // self.steps.flatten() % 8
        self.nearest = torch.cdist(places.double(), places[kept].double()).argmin(dim=1)
        sums = torch.zeros(len(kept), *train.partners.shape[1:])
        counts = torch.zeros(len(kept), 1, *train.partners.shape[2:])
        for images, partners in zip(train.images.split(FEW), train.partners.split(FEW), strict=True):
            found = self.nearest[self.codes(images)]
            for colour in found.unique().tolist():
                there = (found == colour)[:, None]
                sums[colour] += (partners * there).sum(dim=0)
                counts[colour] += there.sum(dim=0)
        overall = sums.sum(dim=(2, 3), keepdim=True) / counts.sum(dim=(2, 3), keepdim=True).clamp_min(1)
        self.means = ((sums + overall) / (counts + 1)).round().to(torch.uint8)

    def codes(self, images: Tensor) -> Tensor:
        """Bytes (B, C, H, W) -> a number per pixel and colour, (B, H, W)."""
        return ((images >> 5).long() * self.steps).sum(dim=1)

    def __call__(self, images: Tensor) -> Tensor:
        """Bytes (B, C, H, W) of kind A -> of kind B."""
        found = self.nearest[self.codes(images)][:, None, None].expand(-1, 1, self.means.shape[1], -1, -1)
        return torch.stack([self.means.gather(0, places)[0] for places in found])
