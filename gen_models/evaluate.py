"""The numbers on the cards: ``python -m gen_models.evaluate dcgan-fashion``.

It knows no model. What is measured follows from the verbs that a model has: one that samples is held against unseen real pictures,
one with ``log_likelihood`` is asked for it, one with ``evidence`` for its lower bound, one with ``predict`` for its hits, a
translator is held against its own input, a restorer against the picture that was shrunk.

| key | measure | from |
| --- | --- | --- |
| ``frechet`` | distance between two Gaussians fitted to features | Heusel 2017, arXiv 1706.08500 |
| ``kernel`` | squared maximum mean discrepancy of features, cubic kernel | Binkowski 2018, arXiv 1801.01401 |
| ``kernel-eta0-10``, ... | ``kernel`` for ways to sample in steps: share of fresh noise, number of steps | Song 2021, 2010.02502 |
| ``kernel-last``, ``-average`` | ``kernel`` for the last weights of a training and for their moving average | |
| ``precision``, ``recall`` | share of one set among the other's neighbourhoods | Kynkaanniemi 2019, arXiv 1904.06991 |
| ``memorisation`` | distance to the nearest training picture, against that of unseen pictures | |
| ``parzen`` | log-likelihood under a Gaussian at every sample, where a model's paper reports it | Goodfellow 2014, section 5 |
| ``nll``, ``bits``, ``elbo`` | negative log-likelihood, the same per dimension, lower bound | Burda 2015, arXiv 1509.00519 |
| ``density``, ``density-one`` | log-density of a few coordinates of the pictures, the same under one Gaussian | |
| ``reconstruction`` | squared difference of a picture and what comes back from its code | |
| ``nll-other`` | ``nll`` of pictures of another kind (fashion for mnist and the reverse) | Nalisnick 2019, arXiv 1810.09136 |
| ``accuracy-<task>`` | hits of a classifier | |
| ``l1``, ``ssim``, ``psnr`` | a translation against the true picture | Isola 2017, 1611.07004; Wang 2004 |
| ``kernel-gain`` | how much closer to the target a translation is than its input | |
| ``cycle`` | what a translation there and back changes | Zhu 2017, arXiv 1703.10593 |
| ``labels-pixels``, ``-classes``, ``-overlap`` | labels that a segmenter finds again in a translation | Isola 2017, section 4.1 |
| ``psnr-y``, ``ssim-y``, ``psnr-rgb``, ``ssim-rgb`` | an enlarged picture against the true one | Timofte 2013; Wang 2004 |
| ``identity``, ``agreement-<task>`` | what a feature network sees in both | |

Of a restorer, ``-set5`` and ``-set14`` are the pictures that all papers use, ``-bicubic`` is the baseline, ``-ensemble`` the mean
over eight ways to turn a picture, ``-start`` the same number for the weights that its training started from.
Of a translator, ``-input`` and ``-colours`` are the same numbers for two baselines, and ``-back`` those of the other direction.

Distances between finite sets grow as the sets shrink, so numbers from few pictures do not compare with numbers from many. A full
measurement therefore stores, beside each number, the one of ``--quick``, and ``--quick --check`` compares with that one.

Published are the averaged weights alone. What the last weights of a training do is measured from its checkpoint, where
``--checkpoint`` names it, and stays in ``evaluation.json`` when the weights are measured again without it.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import inspect
import json
import math
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gen_models import catalog, hub, runtime
from gen_models.base import Draws, GenerativeModel, Model, Restorer, Translator
from gen_models.data import DataError, DataSet, benchmark, load_data
from gen_models.degradation import enlarge

EVALUATION = "evaluation.json"
CHUNK = 250
"""Pictures in one forward pass."""
FEWEST = 50
"""A test part with fewer pictures says nothing about a distribution."""
FEWEST_PAIRS = 24
"""The same for a set of pairs: eight for each split."""
SPLITS_OF_PAIRS = 3
FEW = 8
"""Pictures in one forward pass of a translator."""
NEIGHBOURS = 3
WIDTHS = tuple(0.1 + 0.02 * step for step in range(11))
"""Standard deviations of a Parzen window that are tried on the validation part, pixels from 0 to 1."""
BAR = 3.0
"""``--check`` accepts this many standard errors of both numbers together."""
STEPS, ETAS = (10, 20, 50, 100), (0, 1)
"""Ways to sample that are compared, of a model that samples in any number of steps with or without fresh noise."""
SPLITS_OF_STEPS = 6
OTHERS = {"mnist": "fashion", "fashion": "mnist"}
"""Pictures of the same shape and of another kind."""
UNREPORTED = "not comparable: no paper's number for these pictures under this protocol"
FOREIGN_FEATURES = "not comparable: papers use Inception features, these come from a small network trained here"


@dataclass(frozen=True)
class Effort:
    """How many pictures go into each measure; a set that holds fewer is used whole."""

    samples: int = 10_000
    real: int = 10_000
    """Pictures of the test part that samples are held against."""
    balls: int = 5_000
    """Of each set, for precision and recall."""
    suspects: int = 1_000
    """Samples whose nearest training picture is sought."""
    training: int = 10**9
    """Training pictures among which it is sought."""
    likelihoods: int = 10**9
    importance: int = 500
    """Importance samples a picture."""
    bounds: int = 2_000
    predictions: int = 10**9
    translations: int = 10**9
    steps: int = 600
    """Samples for each way to sample in steps, and from the last weights of a training."""


FULL = Effort()
QUICK = Effort(500, 500, 500, 500, 5_000, 200, 100, 200, 500, 60, 60)


@dataclass(frozen=True)
class Measure:
    """One number of a card; ``real`` is the same number for training pictures in the place of samples."""

    measure: str
    key: str
    value: float
    error: float
    unit: str
    protocol: str
    paper: str
    better: str
    """``lower``, ``higher`` or ``near 1``."""
    real: float | None = None
    real_error: float | None = None
    kept: bool | None = None
    """Whether it was measured from the training's checkpoint, without which it cannot be measured again."""


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status: 1 if anything could not be measured or, with ``--check``, differs."""
    runtime.print_anywhere()
    make = parser()
    given = make.parse_args(arguments)
    wanted = given.names or (sorted(catalog.table()) if given.all else [])
    if not wanted:
        make.error("name weights, such as dcgan-fashion, or give --all")
    if len(wanted) > 1 and (given.out or given.weights or given.checkpoint):
        make.error("--out, --weights and --checkpoint go with one name")
    good = True
    for name in wanted:
        try:
            good &= evaluate(name, given)
        except (DataError, KeyError, catalog.WeightsError) as error:
            print(f"error: {error.args[0]}", file=sys.stderr)
            good = False
    return 0 if good else 1


def parser() -> argparse.ArgumentParser:
    """All settings and their defaults."""
    make = argparse.ArgumentParser("python -m gen_models.evaluate", description="Measure trained weights, write evaluation.json.")
    make.add_argument("names", nargs="*", metavar="name", help="<model>-<data>, such as dcgan-fashion")
    make.add_argument("--all", action="store_true", help="all weights that are published; a user's own are not")
    make.add_argument("--quick", action="store_true", help="a few hundred pictures, wider bars; prints, writes only with --out")
    make.add_argument(
        "--check", action="store_true",
        help=f"compare with the stored numbers; status 1 beyond {BAR:g} standard errors; writes only with --out",
    )  # fmt: skip
    make.add_argument("--samples", type=int, help=f"pictures to sample (default: {FULL.samples}; with --check as stored)")
    make.add_argument("--likelihoods", type=int, help="test pictures for the likelihood (default: all; with --check as stored)")
    make.add_argument("--data", help="data set to compare with (default: the one trained on); folder:PATH for your own pictures")
    make.add_argument("--data-dir", help="folder of the data sets (default: GALLERY_DATA)")
    make.add_argument("--weights", type=Path, help="folder of weights that are not published, such as runs/dcgan-fashion/weights")
    make.add_argument(
        "--checkpoint", type=Path, help="of the run that made the weights, to measure its last ones beside their moving average"
    )
    make.add_argument("--out", type=Path, help="file to write (default: evaluation.json beside the weights)")
    return make


def evaluate(name: str, given: argparse.Namespace) -> bool:
    """Measure one model as the arguments of :func:`parser` say, print, write or compare; False if a comparison fails."""
    if given.weights:
        folder = catalog.weights_folder(given.weights)
        model = catalog.read(folder)  # by its own checksum: the published weights may be others
        config = hub.read_json(folder / "config.json")
        if config["model"] != catalog.split_name(name)[0]:
            raise catalog.WeightsError(f"{folder} holds weights of {config['model']}, not {name}")
    else:
        folder = catalog.WEIGHTS / name
        model, config = catalog.load(name), catalog.config_of(name)
    file = folder / EVALUATION
    stored = _stored(file, config) if given.check else {}
    if stored.get("quick") and not given.quick:
        raise catalog.WeightsError(f"the numbers in {file} are those of --quick; give it here too, or measure again")
    samples = given.samples or stored.get("samples") or FULL.samples
    if samples < FEWEST:
        raise DataError(f"{samples} samples are too few; give --samples {FEWEST} or more")
    likelihoods = given.likelihoods or stored.get("likelihoods") or FULL.likelihoods
    if likelihoods < FEWEST:
        raise DataError(f"the likelihood of {likelihoods} pictures says too little; give --likelihoods {FEWEST} or more")
    full = replace(FULL, samples=samples, likelihoods=likelihoods, steps=min(FULL.steps, samples))
    quick = replace(QUICK, samples=min(QUICK.samples, samples), steps=min(QUICK.steps, samples))
    efforts = [quick] if given.quick else [full] if given.check else [full, quick]
    last = last_weights(model, given.checkpoint) if given.checkpoint else None
    found, judge = measure(model, config, efforts, given.data, given.data_dir, name, last)
    print(f"\n{name}{' (quick)' if given.quick else ''}")
    for number in found[0]:
        print(f"  {number.measure}: {shown(number.value, number.error)} {number.unit}".rstrip())
        if number.real is not None:
            print(f"    real pictures instead of samples: {shown(number.real, number.real_error or 0.0)}")
        print(f"    {number.protocol}\n    paper: {number.paper}")
    good = _compare(found[0], stored, judge, given.quick) if given.check else True
    out = given.out or (None if given.quick or given.check else file)
    if out:
        _write(out, name, config, found, judge, {"samples": samples, "likelihoods": likelihoods, "quick": given.quick})
        print(f"  written to {out}")
    return good


def last_weights(model: Model, file: Path) -> Model:
    """A copy of published weights with the last ones of the training whose moving average they are.

    Raises:
        DataError: if they do not sample, since nothing else is measured of the last weights.
        WeightsError: if the file is no checkpoint of that training.
    """
    if not samples_pictures(type(model)):
        raise DataError(f"the last weights of {type(model).title} are not measured; leave out --checkpoint")
    last = copy.deepcopy(model)
    try:
        state = torch.load(file, map_location=runtime.device(), weights_only=True)
        published, averaged = model.state_dict(), state["average"]
        parts = model.averaged or tuple(name for name, _ in model.named_children())
        same = all(
            torch.equal(averaged[f"module.{key}"].half(), value.half())
            for key, value in published.items() if key.partition(".")[0] in parts
        )  # fmt: skip
        last.load_state_dict({key: state["model"][key] for key in published})
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, pickle.UnpicklingError) as error:
        raise catalog.WeightsError(f"{file} is no checkpoint of these weights; name that of the run they come from") from error
    if not same:
        raise catalog.WeightsError(f"{file} is a checkpoint of other weights; name that of the run they come from")
    return last


def samples_pictures(kind: type[Model]) -> bool:
    """Whether models of this class draw pictures from nothing."""
    return issubclass(kind, GenerativeModel) and kind.sample is not GenerativeModel.sample


def shown(value: float, error: float) -> str:
    """``12.345, 0.0678`` -> ``12.345 ± 0.068``: as many digits as two of the error need."""
    places = 3 if error <= 0 or not math.isfinite(error) else min(max(1 - math.floor(math.log10(error)), 0), 6)
    return f"{value:.{places}f} ± {error:.{places}f}"


def measure(
    model: Model, config: dict[str, Any], efforts: list[Effort], data: str | None = None, data_dir: str | None = None,
    name: str = "", last: Model | None = None,
) -> tuple[list[list[Measure]], dict[str, str] | None]:
    """All numbers that the model's verbs allow, one list per effort; pictures and features are made once for all of them.

    Args:
        model: the model in evaluation mode.
        config: its ``config.json``.
        efforts: how many pictures; the largest first.
        data: data set name as for ``load_data``; None: the one in ``config``.
        data_dir: folder of the data sets.
        name: for the progress bars.
        last: the last weights of the training, if these are a moving average and it is to be judged, too.

    Returns:
        The lists, and name and SHA-256 of the feature network, None if none was used.

    Raises:
        DataError: if the data cannot be read or their test part is too small.
        WeightsError: if the feature network is missing.
    """
    data = data or config["data"]
    if data in ("folder", "paired", "unpaired"):
        raise DataError(f"these weights were trained on a user's own pictures; name their folder with --data {data}:PATH")
    channels, size, _ = model.image_shape
    test = _part(data, "test", size, data_dir, channels)
    count, needed = (len(test), FEWEST) if test.partners is None else (min(len(test), len(test.partners)), FEWEST_PAIRS)
    if count < needed:
        raise DataError(f"the test part of {data} holds {count} pictures; {needed} are needed to measure anything")
    lists: list[list[Measure]] = [[] for _ in efforts]
    judge = None
    if isinstance(model, Translator):
        translations = Translations.of(model, data, data_dir, efforts[0], name)
        judge = {"name": translations.network, "sha256": translations.sha256}
        for effort, numbers in zip(efforts, lists, strict=True):
            numbers += translations.measures(effort.translations)
    if isinstance(model, Restorer):
        restorations = Restorations.of(model, test, data_dir, efforts[0], name)
        judge = restorations.judge
        for effort, numbers in zip(efforts, lists, strict=True):
            numbers += restorations.measures(effort.samples)
    if samples_pictures(type(model)):
        sets = Sets.of(model, data, data_dir, efforts[0], name)
        judge = {"name": sets.network, "sha256": sets.sha256}
        for effort, numbers in zip(efforts, lists, strict=True):
            numbers += set_measures(sets.first(effort), effort)
        ways = step_features(model, catalog.load(sets.network), efforts[0].steps, name)
        rest = sampled_features(last, catalog.load(sets.network), efforts[0].steps, f"{name} last weights") if last else None
        for effort, numbers in zip(efforts, lists, strict=True):
            numbers += step_measures(sets.first(effort), ways, effort.steps)
            if rest is not None:
                numbers += last_measures(sets.first(effort), rest[: effort.steps])
        if any(key.startswith("parzen-") for key in model.reported):
            validation = _part(data, "validation", size, data_dir, channels)
            for effort, numbers in zip(efforts, lists, strict=True):
                numbers.append(parzen_measure(model, validation, test, effort, name))
    for effort, numbers in zip(efforts, lists, strict=True):
        if hasattr(model, "log_likelihood"):
            numbers += likelihood_measures(model, test, effort, name)
            if "samples" not in inspect.signature(model.log_likelihood).parameters and data in OTHERS:
                other = _part(OTHERS[data], "test", size, data_dir, channels)
                numbers.append(other_measure(model, other, effort, name))
        if hasattr(model, "log_density"):
            numbers += density_measures(model, test, effort, name)
        if isinstance(model, GenerativeModel) and type(model).reconstruct is not GenerativeModel.reconstruct:
            numbers.append(reconstruction_measure(model, test, effort, name))
        if hasattr(model, "evidence"):
            numbers.append(bound_measure(model, test, effort, name))
        if hasattr(model, "predict"):
            numbers += accuracy_measures(model, test, effort, config.get("classes") or test.classes)
        if hasattr(model, "shows_face"):
            numbers += finder_measures(model, test, effort)
        if hasattr(model, "segment"):
            count = min(effort.translations, len(test))
            counts = found_labels(model, test.images[:count], test.partners[:count])
            numbers += label_measures(counts, f"{count} real pairs of the test part of {_short(data)}")
    reported = getattr(type(model), "reported", {})
    # two restorers may have learnt from the same pictures, shrunk in different ways
    label = name.partition("-")[2] if isinstance(model, Restorer) else test.name
    return [[_with_paper(number, reported, label) for number in numbers] for numbers in lists], judge


# ---- samples against real pictures --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sets:
    """Features of samples, unseen and training pictures, float64 (N, F) on the CPU, each in an order drawn with seed 0."""

    samples: Tensor
    test: Tensor
    train: Tensor
    data: str
    network: str
    sha256: str
    foreign: bool
    """Whether the network was trained on another data set."""
    levels: int = 256
    """Grey levels to which real pictures were rounded, because the model knows no others."""

    @classmethod
    def of(cls, model: Model, data: str, data_dir: str | None, effort: Effort, name: str) -> Sets:
        """Sample from the model and compute all features that ``effort`` and smaller ones need."""
        channels, size, _ = model.image_shape
        network, foreign = feature_network(data, channels)
        judge = catalog.load(network)
        digest = catalog.config_of(network)["sha256"]
        wanted, levels = max(effort.training, effort.samples), getattr(model, "levels", 256)
        return cls(
            sampled_features(model, judge, effort.samples, name),
            real_features(network, digest, data, "test", size, data_dir, channels, effort.real, levels),
            real_features(network, digest, data, "train", size, data_dir, channels, wanted, levels),
            _short(data), network, digest, foreign, levels,
        )  # fmt: skip

    def first(self, effort: Effort) -> Sets:
        """The part of the sets that a smaller effort would have made."""
        wanted = max(effort.training, effort.samples)
        return replace(self, samples=self.samples[: effort.samples], test=self.test[: effort.real], train=self.train[:wanted])

    @property
    def judge(self) -> str:
        """The feature network for a protocol."""
        origin = ", trained on another data set" if self.foreign else ""
        origin += f", real pictures rounded to the model's {self.levels} grey levels" if self.levels < 256 else ""
        return f"{self.samples.shape[1]} features of {self.network} (SHA-256 {self.sha256[:8]}{origin})"


def feature_network(data: str, channels: int) -> tuple[str, bool]:
    """Name of the weights that judge pictures of a data set, and whether they were trained on another one."""
    if data in catalog.model_class("features").recipes:
        return f"features-{data}", False
    return ("features-fashion" if channels == 1 else "features-faces"), True


def sampled_features(model: Model, judge: Model, count: int, name: str = "", **options: Any) -> Tensor:
    """Features of ``count`` samples, float64 (count, F); the samples are rounded to 8 bits as a PNG of them would be.

    ``options``: those of the model's ``sample``.

    Raises:
        WeightsError: if a picture holds a value that is no number.
    """
    rows = []
    for draws in _chunks(count, f"{name} samples"):
        with runtime.forward_pass():
            features = judge((model.sample(draws, **options) * 255).round() / 255)
        if not torch.isfinite(features).all():
            raise catalog.WeightsError(f"the weights {name} make pictures that are no numbers; train them again")
        rows.append(features.cpu())
    return torch.cat(rows).double()


@lru_cache(maxsize=6)
def real_features(
    network: str, digest: str, data: str, split: str, size: int, data_dir: str | None, channels: int, count: int, levels: int = 256
) -> Tensor:
    """Features of up to ``count`` pictures of one part, drawn with seed 0, float64 (N, F); ``digest`` keeps the cache honest."""
    part = _part(data, split, size, data_dir, channels)
    judge = catalog.load(network)
    rows = []
    for images in _pictures(part, count, f"{network} on {split}"):
        with runtime.forward_pass():
            if levels < 256:
                images = (images * (levels - 1)).round() / (levels - 1)
            rows.append(judge(images.to(runtime.device())).cpu())
    return torch.cat(rows).double()


def set_measures(sets: Sets, effort: Effort) -> list[Measure]:
    """Frechet and kernel distance, precision, recall and memorisation; but for the last, also with training pictures as samples."""
    real = sets.train[: len(sets.samples)]
    against = (
        f"{len(sets.samples)} samples (seed 0, rows 0 to {len(sets.samples) - 1}, rounded to 8 bits) against {len(sets.test)} "
        f"pictures of the test part of {sets.data}, {sets.judge}"
    )
    floor = f"real against real: {len(real)} training pictures, which the feature network has seen, instead of samples"
    subset = _subset(sets.test, sets.samples)
    kernel_value, kernel_error = kernel(sets.test, sets.samples)
    kernel_floor, kernel_floor_error = kernel(sets.test, real)
    numbers = [
        Measure(
            "Frechet distance", "frechet", frechet(sets.test, sets.samples), frechet_error(sets.test, sets.samples), "",
            f"{against}; error: standard deviation over 10 bootstraps of the samples; {floor}.",
            FOREIGN_FEATURES, "lower", frechet(sets.test, real), frechet_error(sets.test, real),
        ),
        Measure(
            "Kernel distance", "kernel", kernel_value, kernel_error, "",
            f"{against}; mean and standard deviation over 50 subsets of {subset}; {floor}.",
            FOREIGN_FEATURES, "lower", kernel_floor, kernel_floor_error,
        ),
    ]  # fmt: skip
    few = min(effort.balls, len(sets.samples)), min(effort.balls, len(sets.test))
    shares = precision_recall(sets.test[: few[1]], sets.samples[: few[0]])
    floors = precision_recall(sets.test[: few[1]], real[: few[0]])
    meaning = {"precision": "share of samples that lie among real pictures", "recall": "share of real pictures among samples"}
    for key, share, ceiling, count in zip(meaning, shares, floors, few, strict=True):
        numbers.append(
            Measure(
                key.capitalize(), key, share, _binomial(share, count), "",
                f"{meaning[key]}, that is, closer to one of them than its own {NEIGHBOURS}rd neighbour; {few[0]} samples (seed 0), "
                f"{few[1]} pictures of the test part of {sets.data}, {sets.judge}; binomial standard error; {floor}.",
                FOREIGN_FEATURES, "higher", ceiling, _binomial(ceiling, count),
            )
        )  # fmt: skip
    suspects, unseen, known = sets.samples[: effort.suspects], sets.test[: effort.suspects], sets.train[: effort.training]
    ratio, error = memorisation(suspects, unseen, known)
    numbers.append(
        Measure(
            "Memorisation", "memorisation", ratio, error, "",
            f"median distance from {len(suspects)} samples (seed 0) to the nearest of {len(known)} training pictures of "
            f"{sets.data}, divided by the same for {len(unseen)} pictures of the test part; below 1: samples are closer to "
            "training pictures than unseen real ones are, as copies would be, and averaged pictures too; "
            f"{sets.judge}; error: standard deviation over 100 bootstraps.",
            "not in the paper", "near 1",
        )
    )  # fmt: skip
    return numbers


def parzen_measure(model: Model, validation: DataSet, test: DataSet, effort: Effort, name: str = "") -> Measure:
    """Mean log-likelihood of test pictures in nats under a Gaussian of one width at every sample (Breuleux 2011).

    The width is the one of ``WIDTHS`` under which the validation part is likeliest.
    """
    rows = []
    for draws in _chunks(effort.samples, f"{name} Parzen window"):
        with runtime.forward_pass():
            rows.append(model.sample(draws).flatten(1).cpu())
    samples = torch.cat(rows)
    held = _drawn(validation.images, effort.real).flatten(1).float() / 255
    width = max(WIDTHS, key=dict(zip(WIDTHS, parzen(samples, held, WIDTHS).mean(dim=1).tolist(), strict=True)).get)
    unseen = _drawn(test.images, effort.real).flatten(1).float() / 255
    (values,) = parzen(samples, unseen, (width,))
    return Measure(
        "Log-likelihood under a Parzen window", "parzen", *_mean(values), "nats",
        f"{len(values)} pictures of the test part of {_short(test.name)}, pixels from 0 to 1, under a Gaussian around each of "
        f"{len(samples)} samples (seed 0), its standard deviation of {width:.2f} the best of {WIDTHS[0]:.2f} to {WIDTHS[-1]:.2f} "
        f"for {len(held)} pictures of the validation part; mean and standard error over pictures.",
        UNREPORTED, "higher",
    )  # fmt: skip


def parzen(samples: Tensor, points: Tensor, widths: tuple[float, ...]) -> Tensor:
    """log p(x) in nats, float64 (W, N), of points (N, D) under Gaussians of each width around samples (M, D)."""
    found = []
    for part in points.split(CHUNK):
        squares = torch.cdist(part, samples, compute_mode="use_mm_for_euclid_dist").double().square()
        found.append(torch.stack([torch.logsumexp(-squares / (2 * width**2), dim=1) for width in widths]))
    scale = torch.tensor([points.shape[1] * math.log(width * math.sqrt(2 * math.pi)) for width in widths], dtype=torch.float64)
    return torch.cat(found, dim=1) - scale[:, None] - math.log(len(samples))


def step_features(model: Model, judge: Model, count: int, name: str = "") -> dict[tuple[int, int], Tensor]:
    """Features of the first samples for every way to sample in steps: (eta, steps) -> float64 (count, F); {}: it does not."""
    if not {"steps", "eta"} <= inspect.signature(model.sample).parameters.keys():
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
    gain = _mean(kernel_splits(sets.test, last, SPLITS_OF_STEPS) - kernel_splits(sets.test, average, SPLITS_OF_STEPS))
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
    return _mean(kernel_splits(sets.test, rows, SPLITS_OF_STEPS))


def _split_protocol(sets: Sets, rows: Tensor) -> str:
    return (
        f"{len(rows)} samples (seed 0, rows 0 to {len(rows) - 1}, rounded to 8 bits) against {len(sets.test)} pictures of the test "
        f"part of {sets.data}, {sets.judge}; mean and standard error over {SPLITS_OF_STEPS} splits of both."
    )


def frechet(real: Tensor, fake: Tensor) -> float:
    """Frechet distance between Gaussians fitted to two sets of features, (N, F) and (M, F) float64 (Heusel 2017, section 2)."""
    from torchmetrics.image.fid import FrechetInceptionDistance  # takes seconds to import, and cards do without

    metric = FrechetInceptionDistance(feature=_Ready(real.shape[1]), normalize=True)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return float(metric.compute())


def frechet_error(real: Tensor, fake: Tensor, times: int = 10) -> float:
    """Standard deviation of the Frechet distance when ``fake`` is drawn again from itself with replacement."""
    chance = torch.Generator().manual_seed(0)
    again = [fake[torch.randint(len(fake), (len(fake),), generator=chance)] for _ in range(times)]
    return float(torch.tensor([frechet(real, drawn) for drawn in again]).std())


def kernel(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Kernel distance of two sets of features: mean and standard deviation over 50 subsets (Binkowski 2018, section 4)."""
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore", UserWarning)  # that it keeps all features: they are kept here anyway
        torch.manual_seed(0)
        metric = KernelInceptionDistance(feature=_Ready(real.shape[1]), subsets=50, subset_size=_subset(real, fake))
        metric.update(real, real=True)
        metric.update(fake, real=False)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


def precision_recall(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Share of ``fake`` inside the balls around ``real``, and of ``real`` inside those around ``fake``.

    A ball reaches to its centre's third neighbour in its own set (Kynkaanniemi 2019, section 2, eq. 1 and 2).
    """

    def inside(points: Tensor, centres: Tensor) -> float:
        radii = nearest(centres, centres, NEIGHBOURS + 1)  # the nearest of all is the centre itself
        return sum(int((torch.cdist(few, centres) <= radii).any(dim=1).sum()) for few in points.split(500)) / len(points)

    return inside(fake, real), inside(real, fake)


def memorisation(samples: Tensor, unseen: Tensor, known: Tensor, times: int = 100) -> tuple[float, float]:
    """Median distance of samples to the nearest known picture over that of unseen pictures, and its bootstrap error."""
    near, far = nearest(samples, known), nearest(unseen, known)
    chance = torch.Generator().manual_seed(0)

    def drawn(values: Tensor) -> Tensor:
        return values[torch.randint(len(values), (times, len(values)), generator=chance)].median(dim=1).values

    ratio = float(near.median() / far.median().clamp_min(1e-12))
    return ratio, float((drawn(near) / drawn(far).clamp_min(1e-12)).std())


def nearest(points: Tensor, others: Tensor, rank: int = 1) -> Tensor:
    """Distance from each point to its ``rank``-th nearest of the others, (N,)."""
    rank = min(rank, len(others))
    return torch.cat([torch.cdist(few, others).kthvalue(rank, dim=1).values for few in points.split(250)])


class _Ready(nn.Identity):
    """Stands where torchmetrics expects a network: the features are computed already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def _subset(real: Tensor, fake: Tensor) -> int:
    """Subsets as large as half the smaller set at most: subsets that are the set itself would not vary."""
    return min(1000, len(real) // 2, len(fake) // 2)


# ---- likelihood and hits ------------------------------------------------------------------------------------------------


def likelihood_measures(model: Model, test: DataSet, effort: Effort, name: str = "") -> list[Measure]:
    """Negative log-likelihood of test pictures in nats; for 8-bit pictures also bits per dimension."""
    options = inspect.signature(model.log_likelihood).parameters
    estimated, binary = "samples" in options, getattr(model, "binary", False)
    extra = {"samples": effort.importance} if estimated else {}
    values = _over_pictures(test, effort.likelihoods, f"{name} likelihood",
                            lambda images, draws: -model.log_likelihood(images, **_draws(options, draws), **extra))  # fmt: skip
    mean, error = _mean(values)
    pixels = _pixels(model, "draws" in options)
    way = f"importance sampling from q(z|x) with k = {effort.importance} draws (seed 0), an upper bound that tightens with k"
    protocol = (
        f"{len(values)} pictures of the test part of {_short(test.name)}, {pixels}; {way if estimated else 'exact'}; "
        "mean and standard error over pictures."
    )
    numbers = [Measure("Negative log-likelihood", "nll", mean, error, "nats", protocol, UNREPORTED, "lower")]
    if not binary:
        scale = math.log(2) * math.prod(test.images.shape[1:])
        numbers.append(
            Measure(
                "Bits per dimension", "bits", mean / scale, error / scale, "bits", f"the negative log-likelihood over ln 2 and "
                f"{math.prod(test.images.shape[1:])} dimensions; {protocol}",
                "not comparable: papers report CIFAR-10 or ImageNet", "lower",
            )
        )  # fmt: skip
    return numbers


def bound_measure(model: Model, test: DataSet, effort: Effort, name: str = "") -> Measure:
    """Evidence lower bound of test pictures in nats, of the same black-and-white pictures as the likelihood."""
    options = inspect.signature(model.evidence).parameters

    def bound(images: Tensor, draws: Draws) -> Tensor:
        if hasattr(model, "seen"):
            images = model.seen(images, draws)
        likelihood, divergence = model.evidence(images, **_draws(options, draws))
        return likelihood - divergence.flatten(1).sum(dim=1)

    values = _over_pictures(test, effort.bounds, f"{name} bound", bound)
    mean, error = _mean(values)
    pixels = _pixels(model, hasattr(model, "seen"))
    draws = f", {options['samples'].default} draws of the latent a picture (seed 0)" if "samples" in options else ""
    return Measure(
        "Evidence lower bound", "elbo", mean, error, "nats",
        f"{len(values)} pictures of the test part of {_short(test.name)}, {pixels}{draws}; mean and standard error over pictures.",
        UNREPORTED, "higher",
    )  # fmt: skip


def density_measures(model: Any, test: DataSet, effort: Effort, name: str = "") -> list[Measure]:
    """Mean log-density of test pictures' principal coordinates under a mixture, and under one Gaussian for all pictures."""
    functions = {"": model.log_density, "-one": model.log_density_of_one}
    both = _over_pictures(test, effort.likelihoods, f"{name} density",
                          lambda images, _: torch.stack([function(images) for function in functions.values()], dim=1))  # fmt: skip
    protocol = (
        f"{len(both)} pictures of the test part of {_short(test.name)}, pixels from 0 to 1, as {model.latent_dim} principal "
        f"coordinates of the training pictures, which keep {100 * float(model.kept):.1f} % of their variance; a density of these "
        "coordinates, not of the pixels; mean and standard error over pictures."
    )
    titles = {"": "Log-density of principal coordinates", "-one": "The same under one Gaussian for all pictures"}
    return [
        Measure(titles[end], f"density{end}", *_mean(values), "nats", protocol, UNREPORTED, "higher")
        for end, values in zip(functions, both.unbind(dim=1), strict=True)
    ]


def reconstruction_measure(model: Any, test: DataSet, effort: Effort, name: str = "") -> Measure:
    """Mean squared difference of test pictures and their reconstructions."""
    values = _over_pictures(test, effort.likelihoods, f"{name} reconstruction",
                            lambda images, _: (model.reconstruct(images) - images).square().flatten(1).mean(dim=1))  # fmt: skip
    return Measure(
        "Reconstruction error", "reconstruction", *_mean(values), "",
        f"squared difference per pixel and channel, values from 0 to 1; {len(values)} pictures of the test part of "
        f"{_short(test.name)}; mean and standard error over pictures.", UNREPORTED, "lower",
    )  # fmt: skip


def accuracy_measures(model: Model, test: DataSet, effort: Effort, classes: dict[str, Any]) -> list[Measure]:
    """Share of test pictures whose class is found, in percent, one number per task of ``classes`` (task -> class names)."""
    if not classes:
        return []
    hits = []
    for images, labels in zip(
        _pictures(test, effort.predictions, "predictions"), test.labels[_order(test, effort.predictions)].split(CHUNK), strict=True
    ):
        with runtime.forward_pass():
            hits.append(model.predict(images.to(runtime.device())).cpu() == labels)
    shares = torch.cat(hits).double().mean(dim=0).tolist()
    count = sum(map(len, hits))
    return [
        Measure(
            f"Accuracy, {task}", f"accuracy-{task}", 100 * share, 100 * _binomial(share, count), "%",
            f"{count} pictures of the test part of {_short(test.name)}, {len(labels)} classes; binomial standard error.",
            UNREPORTED, "higher",
        )
        for (task, labels), share in zip(classes.items(), shares, strict=True)
    ]  # fmt: skip


def finder_measures(model: Any, test: DataSet, effort: Effort) -> list[Measure]:
    """How many faces an eye for faces takes for such, and how many other pictures."""
    assert test.partners is not None
    numbers = []
    for title, key, images, better in (
        ("Faces taken for faces", "found", test.images, "higher"),
        ("Pictures without a face taken for faces", "false", test.partners, "lower"),
    ):  # fmt: skip
        count = min(len(images), effort.predictions)
        hits = []
        for squares in _drawn(images, count).split(CHUNK):
            with runtime.forward_pass():
                hits.append(model.shows_face(squares.to(runtime.device()) / 255).cpu())
        share = float(torch.cat(hits).double().mean())
        numbers.append(
            Measure(
                title, f"faces-{key}", 100 * share, 100 * _binomial(share, count), "%",
                f"{count} whole pictures of the test part, of {_short(test.name)}, each as one square; binomial standard error.",
                UNREPORTED, better,
            )
        )  # fmt: skip
    return numbers


def other_measure(model: Model, other: DataSet, effort: Effort, name: str = "") -> Measure:
    """Negative log-likelihood of pictures of another kind; it can be lower than that of the model's own."""
    options = inspect.signature(model.log_likelihood).parameters
    # a pass for every class takes ten times as long, and the difference is not one of a fraction of a nat
    count = min(effort.likelihoods, effort.bounds) if getattr(model, "classes", 0) else effort.likelihoods
    values = _over_pictures(other, count, f"{name} other pictures",
                            lambda images, draws: -model.log_likelihood(images, **_draws(options, draws)))  # fmt: skip
    mean, error = _mean(values)
    return Measure(
        "Negative log-likelihood of other pictures", "nll-other", mean, error, "nats",
        f"{len(values)} pictures of the test part of {_short(other.name)}, of which the model has seen none, "
        f"{_pixels(model, 'draws' in options)}; exact; mean and standard error over pictures.",
        UNREPORTED, "higher",
    )  # fmt: skip


def _pixels(model: Model, by_chance: bool) -> str:
    """What a likelihood is the likelihood of, for a protocol."""
    if not getattr(model, "binary", False):
        levels = getattr(model, "levels", 256)
        return "8-bit pictures" if levels == 256 else f"rounded to {levels} grey levels"
    if by_chance:
        return "made black and white by chance, the grey value being the probability (dynamic binarisation, seed 0)"
    return "made black and white at the threshold 0.5"


# ---- translations -------------------------------------------------------------------------------------------------------

LABELS = {"pixels": "pixels", "classes": "mean over labels", "overlap": "overlap (IoU), mean over labels"}


@dataclass(frozen=True)
class Way:
    """One direction of a translator: test pictures, bytes (N, C, H, W), and their features, float64 (N, F), in the same order."""

    ending: str
    """What the keys of its numbers end with: nothing, or ``-back``."""
    title: str
    pictures: dict[str, Tensor]
    """``result``, ``input``, and if the set is paired ``colours`` and ``true``."""
    features: dict[str, Tensor]
    """Of the pictures, and of the kind that is aimed at: ``target`` (test part) and ``train``."""
    cycle: Tensor | None
    """What there and back changes, one number a picture."""
    labels: dict[str, Tensor]
    """Of ``result`` and ``true``: see :func:`found_labels`; empty without a segmenter for this set."""


@dataclass(frozen=True)
class Translations:
    """All directions of a translator."""

    ways: list[Way]
    data: str
    network: str
    sha256: str
    foreign: bool

    @classmethod
    def of(cls, model: Translator, data: str, data_dir: str | None, effort: Effort, name: str) -> Translations:
        """Translate the test part and compute everything that ``effort`` and smaller ones need."""
        channels, size, _ = model.image_shape
        network, foreign = feature_network(data, channels)
        judge = catalog.load(network)
        test, train = (_part(data, part, size, data_dir, channels) for part in ("test", "train"))
        both = "backwards" in inspect.signature(model.translate).parameters
        kinds = test.domains or ("A", "B")
        ways = []
        for backwards in (False, True) if both else (False,):
            options = {"backwards": backwards} if both else {}
            sides = [(test.images, train.images), (test.partners, train.partners)]
            (inputs, _), (targets, known) = reversed(sides) if backwards else sides
            inputs, targets, known = (_drawn(pictures, effort.translations) for pictures in (inputs, targets, known))
            title = f"{kinds[backwards]} to {kinds[not backwards]}"
            pictures = {"input": inputs, "result": translated(partial(model.translate, **options), inputs, f"{name} {title}")}
            labels = {}
            if test.paired:
                pictures |= {"true": targets, "colours": ColourMeans(train)(inputs)}
                if f"segmenter-{data}" in catalog.trained("segmenter"):
                    segmenter = catalog.load(f"segmenter-{data}")
                    labels = {key: found_labels(segmenter, inputs, pictures[key]) for key in ("result", "true")}
            features = {key: _features(judge, value) for key, value in pictures.items() if key != "true"}
            features |= {"target": _features(judge, targets), "train": _features(judge, known[: len(targets)])}
            cycle = None
            if hasattr(model, "cycle"):
                returned = translated(lambda images, options=options: model.cycle(images, **options)[1], inputs, f"{name} back")
                cycle = _differences(returned, inputs)
            ways.append(Way("-back" if backwards else "", title, pictures, features, cycle, labels))
        return cls(ways, _short(data), network, catalog.config_of(network)["sha256"], foreign)

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
        protocol = f"{inputs} {way.title.replace(' to ', ' translated to ', 1)}, the test part of {self.data}, rounded to 8 bits"
        meaning = {"colours": "at each pixel the mean of the training pictures whose input has the same colour there; "}
        numbers = []
        for key, (ending, text) in names.items():
            if "true" not in pictures:
                break
            for measure, title, unit, best, function in (
                ("l1", "L1 distance to the true picture", "", "lower", _differences),
                ("ssim", "Structural similarity with the true picture", "", "higher", similarities),
                ("psnr", "Peak signal-to-noise ratio", "dB", "higher", noise_ratios),
            ):
                mean, error = _mean(function(pictures[key], pictures["true"]))
                numbers.append(
                    Measure(
                        f"{title}{text}", f"{measure}{ending}{way.ending}", mean, error, unit,
                        f"{meaning.get(key, '')}{protocol}; values from 0 to 1; mean and standard error over pictures.",
                        UNREPORTED, best,
                    )
                )  # fmt: skip
        origin = ", trained on another data set" if self.foreign else ""
        against = (
            f"{protocol}; against {len(features['target'])} pictures of the kind that is aimed at, of the test part; "
            f"{features['target'].shape[1]} features of {self.network} (SHA-256 {self.sha256[:8]}{origin})"
        )
        over = f"mean and standard error over {SPLITS_OF_PAIRS} splits of both"
        floor = f"real pictures: {len(features['train'])} training pictures of the kind that is aimed at"
        few = "so few pictures raise it, for real ones as well"
        for key, (ending, text) in names.items():
            own = key == "result"
            numbers.append(
                Measure(
                    f"Frechet distance{text}{suffix}", f"frechet{ending}{way.ending}", frechet(features["target"], features[key]),
                    frechet_error(features["target"], features[key]), "",
                    f"{meaning.get(key, '')}{against}; {few}; error: standard deviation over 10 bootstraps; {floor}.",
                    FOREIGN_FEATURES, "lower",
                    frechet(features["target"], features["train"]) if own else None,
                    frechet_error(features["target"], features["train"]) if own else None,
                )
            )  # fmt: skip
            mean, error = _mean(kernel_splits(features["target"], features[key]))
            real, real_error = _mean(kernel_splits(features["target"], features["train"])) if own else (None, None)
            numbers.append(
                Measure(
                    f"Kernel distance{text}{suffix}", f"kernel{ending}{way.ending}", mean, error, "",
                    f"{meaning.get(key, '')}{against}; {over}; {floor}.", FOREIGN_FEATURES, "lower", real, real_error,
                )
            )  # fmt: skip
        far, near = (kernel_splits(features["target"], features[key]) for key in ("input", "result"))
        gain, error = _mean(far - near)
        numbers.append(
            Measure(
                f"Kernel distance, input less result{suffix}", f"kernel-gain{way.ending}", gain, error, "",
                f"above zero: closer to what is aimed at than the input; {against}; {over}.", "not in the paper", "higher",
            )
        )  # fmt: skip
        if way.cycle is not None:
            mean, error = _mean(way.cycle[:count])
            numbers.append(
                Measure(
                    f"Cycle error{suffix}", f"cycle{way.ending}", mean, error, "",
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


def translated(translate: Callable[[Tensor], Tensor], inputs: Tensor, title: str = "") -> Tensor:
    """Bytes (N, C, H, W) -> their translations, rounded to bytes as a PNG of them would be.

    Raises:
        WeightsError: if a picture holds a value that is no number.
    """
    made = []
    for images in _progress(inputs.split(FEW), title):
        with runtime.forward_pass():
            results = translate(images.to(runtime.device()).float() / 255)
        if not torch.isfinite(results).all():
            raise catalog.WeightsError("the weights make pictures that are no numbers; train them again")
        made.append((results * 255).round().to(torch.uint8).cpu())
    return torch.cat(made)


def kernel_splits(real: Tensor, fake: Tensor, splits: int = SPLITS_OF_PAIRS) -> Tensor:
    """Kernel distance of each of some splits of two sets of features, whatever their sizes, (splits,)."""
    return torch.stack([
        squared_discrepancy(one, other) for one, other in zip(real.tensor_split(splits), fake.tensor_split(splits), strict=True)
    ])  # fmt: skip


def squared_discrepancy(real: Tensor, fake: Tensor) -> Tensor:
    """Unbiased squared maximum mean discrepancy under the kernel (x y / F + 1)^3 (Binkowski 2018, section 3 and eq. 4)."""

    def similar(one: Tensor, other: Tensor) -> Tensor:
        return (one @ other.T / one.shape[1] + 1) ** 3

    def within(features: Tensor) -> Tensor:
        kernels = similar(features, features)
        return (kernels.sum() - kernels.diagonal().sum()) / (len(features) * (len(features) - 1))

    return within(real) + within(fake) - 2 * similar(real, fake).mean()


def similarities(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity (Wang 2004) of each pair of byte pictures (N, C, H, W), float64 (N,)."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    few = zip(one.split(FEW), other.split(FEW), strict=True)
    return torch.cat([
        structural_similarity_index_measure(a.float() / 255, b.float() / 255, data_range=1.0, reduction="none").reshape(-1)
        for a, b in few
    ]).double()  # fmt: skip


def noise_ratios(one: Tensor, other: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each pair of byte pictures in decibels, float64 (N,)."""
    squares = torch.stack([((a.double() - b.double()) / 255).square().mean() for a, b in zip(one, other, strict=True)])
    return -10 * squares.clamp_min(1e-10).log10()


def _differences(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of each pair of byte pictures, from 0 to 1, float64 (N,)."""
    return torch.stack([(a.double() - b.double()).abs().mean() / 255 for a, b in zip(one, other, strict=True)])


def found_labels(segmenter: Any, maps: Tensor, photos: Tensor) -> Tensor:
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


# ---- restorations -------------------------------------------------------------------------------------------------------

BENCHMARKS = {"photos": ("set5", "set14")}
"""Pictures that papers use for what a data set stands for."""
FIDELITIES = {
    "psnr-y": ("Peak signal-to-noise ratio of the brightness", "dB"), "ssim-y": ("Structural similarity of the brightness", ""),
    "psnr-rgb": ("Peak signal-to-noise ratio of the colours", "dB"), "ssim-rgb": ("Structural similarity of the colours", ""),
}  # fmt: skip
WINDOW = "window 11 x 11, Gaussian of 1.5 pixels"
BASELINES = {"": "", "-ensemble": ", self-ensemble", "-bicubic": ", bicubic", "-start": ", of the weights it started from"}


@dataclass(frozen=True)
class Restorations:
    """What a restorer makes of shrunk pictures, by set (``""``: the test part, else a benchmark's name) and ending of the key."""

    fidelity: dict[str, dict[str, Tensor]]
    """Set -> ending -> (N, 4) float64, columns as in ``FIDELITIES``, of the same pictures in the same order."""
    features: dict[str, Tensor]
    """Ending, or ``true`` -> float64 (N, F) of the test part, empty where pictures have no labels."""
    details: dict[str, Tensor]
    """The same of the squares that each picture is cut into, (N, P, F): whole pictures would be reduced, and look sharp then."""
    network: Any
    """The feature network, where there are features."""
    classes: dict[str, tuple[str, ...]]
    network_name: str
    judged: bool
    """Whether the restorer's own training asked the feature network."""
    data: str
    way: str
    """How pictures were shrunk, for a protocol."""
    border: int
    judge: dict[str, str] | None

    @classmethod
    def of(cls, model: Restorer, test: DataSet, data_dir: str | None, effort: Effort, name: str) -> Restorations:
        """Shrink and restore the test part and the benchmarks, and compute everything that ``effort`` and smaller ones need."""
        sets = {"": list(_drawn(test.images, effort.samples))}
        sets |= {title: list(benchmark(title, data_dir).values()) for title in BENCHMARKS.get(test.name, ())}
        start = model.config.get("start")
        earlier = catalog.load(start) if start in catalog.trained() else None
        earlier = earlier if earlier is not None and earlier.scale == model.scale else None
        fidelity: dict[str, dict[str, Tensor]] = {}
        made: dict[str, list[Tensor]] = {}
        for title, pictures in sets.items():
            results: dict[str, list[Tensor]] = {ending: [] for ending in BASELINES}
            true = [_cut(picture, model.scale) for picture in pictures]
            for row, picture in enumerate(_progress(true, f"{name} {title or 'test part'}")):
                small = _shrunk(model, picture, row)
                ways = {"": model.enlarge, "-ensemble": partial(model.enlarge, ensemble=True)}
                ways |= {"-bicubic": partial(enlarge, scale=model.scale)} | ({"-start": earlier.enlarge} if earlier else {})
                for ending, way in ways.items():
                    results[ending].append(_as(picture, translated(way, small[None])[0]))
            fidelity[title] = {
                ending: torch.stack([fidelities(one, other, model.scale) for one, other in zip(some, true, strict=True)])
                for ending, some in results.items() if some
            }  # fmt: skip
            made = made or results | {"true": true}
        features: dict[str, Tensor] = {}
        details: dict[str, Tensor] = {}
        network, judge, called = None, None, ""
        if test.classes:
            called, _ = feature_network(test.name, test.images.shape[1])
            network, judge = catalog.load(called), {"name": called, "sha256": catalog.config_of(called)["sha256"]}
            features = {ending: _features(network, torch.stack(some)) for ending, some in made.items() if some}
            details = {ending: _details(network, torch.stack(some)) for ending, some in made.items() if some}
        return cls(
            fidelity, features, details, network, test.classes, called, model.config.get("judge") == called, _short(test.name),
            f"{model.damage}, to 1/{model.scale} of the side, rounded to 8 bits", model.scale, judge,
        )  # fmt: skip

    def measures(self, count: int) -> list[Measure]:
        """All numbers by the first ``count`` pictures of the test part, and by all of the benchmarks."""
        numbers = []
        for title, endings in self.fidelity.items():
            numbers += self._fidelity(title, {ending: rows if title else rows[:count] for ending, rows in endings.items()})
        if self.features:
            features, details = ({ending: rows[:count] for ending, rows in each.items()} for each in (self.features, self.details))
            numbers += self._identity(features) + self._distances(details)
        return numbers

    def _fidelity(self, title: str, endings: dict[str, Tensor]) -> list[Measure]:
        """Against the true pictures; of the ensemble and of the start, the brightness alone."""
        whose = f"{title[:3].capitalize()}{title[3:]}" if title else f"the test part of {self.data}"
        suffix = f"-{title}" if title else ""
        shown_as = f" on {whose}" if title else ""
        protocol = f"{len(endings[''])} pictures: {whose}, {self.way}, and restored; {self.border} pixels cut off at each border"
        numbers = []
        for ending, rows in endings.items():
            for column, (key, (text, unit)) in enumerate(FIDELITIES.items()):
                if ending in ("-ensemble", "-start") and "rgb" in key:
                    continue
                mean, error = _mean(rows[:, column])
                channel = "Y of YCbCr as in MATLAB, rounded (grey pictures as they are)" if key.endswith("-y") else "RGB together"
                numbers.append(
                    Measure(
                        f"{text}{shown_as}{BASELINES[ending]}", f"{key}{suffix}{ending}", mean, error, unit,
                        f"{protocol}; {channel}{f'; {WINDOW}' if 'ssim' in key else ''}; mean and standard error over pictures.",
                        UNREPORTED, "higher",
                    )
                )  # fmt: skip
        gain, error = _mean(endings[""][:, 0] - endings["-bicubic"][:, 0])
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
        protocol = f"{len(true)} pictures of the test part of {self.data}, {self.way}; {self._judge(true)}"
        numbers = []
        for ending in seen:
            mean, error = _mean((features[ending] - true).norm(dim=1) / others)
            numbers.append(
                Measure(
                    f"Identity distance{BASELINES[ending]}", f"identity{ending}", mean, error, "",
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
                        100 * _binomial(share, len(same)), "%",
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
            f"restorations of {half} pictures against {others} other, true ones, all of the test part of {self.data}, {self.way}, "
            f"each cut into {parts} squares that the network sees without reduction; {self._judge(real)}"
        )
        beside = "real pictures: the true ones instead of the restorations"
        numbers = []
        for ending, rows in made.items():
            own = ending == ""
            numbers.append(
                Measure(
                    f"Frechet distance{BASELINES[ending]}", f"frechet{ending}", frechet(real, rows), frechet_error(real, rows), "",
                    f"{protocol}; error: standard deviation over 10 bootstraps of the squares; {beside}.", FOREIGN_FEATURES,
                    "lower", frechet(real, floor) if own else None, frechet_error(real, floor) if own else None,
                )
            )  # fmt: skip
            value, error = kernel(real, rows)
            floor_value, floor_error = kernel(real, floor) if own else (None, None)
            numbers.append(
                Measure(
                    f"Kernel distance{BASELINES[ending]}", f"kernel{ending}", value, error, "",
                    f"{protocol}; mean and standard deviation over 50 subsets of {_subset(real, rows)}; {beside}.",
                    FOREIGN_FEATURES, "lower", floor_value, floor_error,
                )
            )  # fmt: skip
        if "-start" in made:
            far, near = (kernel_splits(real, made[ending], 6) for ending in ("-start", ""))
            gain, error = _mean(far - near)
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
            scores = self.network.logits(features.float().to(runtime.device()))
            return torch.stack([rows.argmax(dim=1).cpu() for rows in scores], dim=1)

    def _judge(self, features: Tensor) -> str:
        asked = ", which the training asked too" if self.judged else ""
        return f"{features.shape[1]} features of {self.network_name} (SHA-256 {self.judge['sha256'][:8]}{asked})"


def luma(picture: Tensor) -> Tensor:
    """Bytes (C, H, W) -> brightness (1, H, W) float64: 16 to 235 and rounded, as ``rgb2ycbcr`` has it; a grey picture as it is."""
    if len(picture) == 1:
        return picture.double()
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64)[:, None, None] / 255
    return ((picture.double() * weights).sum(dim=0, keepdim=True) + 16).round()


def fidelities(one: Tensor, other: Tensor, border: int) -> Tensor:
    """The numbers of ``FIDELITIES`` for two byte pictures (C, H, W) without ``border`` pixels at each side, float64 (4,)."""
    from skimage.metrics import structural_similarity  # torchmetrics' counts windows that reach over the border, papers do not

    if border:
        one, other = (picture[:, border:-border, border:-border] for picture in (one, other))
    numbers = []
    for a, b in ((luma(one), luma(other)), (one.double(), other.double())):
        likeness = structural_similarity(
            a.numpy(), b.numpy(), data_range=255, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        numbers += [float(noise_ratios(a[None], b[None])), float(likeness)]
    return torch.tensor(numbers, dtype=torch.float64)


def _cut(picture: Tensor, scale: int) -> Tensor:
    """Without what is left over at the right and below when the sides are divided."""
    height, width = (side // scale * scale for side in picture.shape[-2:])
    return picture[:, :height, :width]


def _shrunk(model: Restorer, picture: Tensor, row: int) -> Tensor:
    """A byte picture (C, H, W) as the model was trained on; row ``row`` of seed 0 decides what is by chance."""
    picture = picture.expand(model.image_shape[0], -1, -1)
    small = model.shrink(picture[None].float() / 255, Draws(0, 1, first=row))
    return (small[0] * 255).round().to(torch.uint8)


def _as(true: Tensor, made: Tensor) -> Tensor:
    """``made`` in as many channels as ``true``."""
    return made if len(made) == len(true) else made.double().mean(dim=0, keepdim=True).round().to(torch.uint8)


def _features(judge: Model, pictures: Tensor) -> Tensor:
    """Features of byte pictures, float64 (N, F)."""
    rows = []
    for images in pictures.split(CHUNK):
        with runtime.forward_pass():
            rows.append(judge(images.to(runtime.device())).cpu())
    return torch.cat(rows).double()


def _details(judge: Model, pictures: Tensor) -> Tensor:
    """Features of the squares, as large as the network's pictures, that byte pictures (N, C, H, W) are cut into, (N, P, F)."""
    side = min(judge.image_shape[-1], *pictures.shape[-2:])
    squares = pictures.unfold(2, side, side).unfold(3, side, side)  # (N, C, rows, columns, side, side)
    squares = squares.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
    return _features(judge, squares.flatten(0, 1)).unflatten(0, squares.shape[:2])


def _drawn(pictures: Tensor, count: int) -> Tensor:
    """Up to ``count`` pictures in an order drawn with seed 0, the same for pictures and partners of one length."""
    return pictures[torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))[:count]]


# ---- pictures in portions -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _part(data: str, split: str, size: int, data_dir: str | None, channels: int) -> DataSet:
    return load_data(data, split, size, data_dir, channels)


def _order(part: DataSet, count: int) -> Tensor:
    """Which pictures are taken: drawn with seed 0, because some parts are sorted; fewer are the first of more."""
    return torch.randperm(len(part), generator=torch.Generator().manual_seed(0))[:count]


def _pictures(part: DataSet, count: int, title: str) -> Iterator[Tensor]:
    """Up to ``count`` pictures of a part in portions, float32 in [0, 1]."""
    for chosen in _progress(list(_order(part, count).split(CHUNK)), title):
        yield part.images[chosen].float() / 255


def _chunks(count: int, title: str) -> Iterator[Draws]:
    """The draws of rows 0 to ``count`` - 1 of seed 0 in portions."""
    for first in _progress(range(0, count, CHUNK), title):
        yield Draws(0, min(CHUNK, count - first), first=first, device=runtime.device())


def _over_pictures(test: DataSet, count: int, title: str, function: Callable[[Tensor, Draws], Tensor]) -> Tensor:
    """``function`` of each picture and its own draws, float64 (N,)."""
    values = []
    for portion, images in enumerate(_pictures(test, count, title)):
        draws = Draws(0, len(images), first=portion * CHUNK, device=runtime.device())
        with runtime.forward_pass():
            values.append(function(images.to(runtime.device()), draws).cpu())
    return torch.cat(values).double()


def _draws(options: Any, draws: Draws) -> dict[str, Draws]:
    return {"draws": draws} if "draws" in options else {}


def _short(data: str) -> str:
    """A data set's name without the path of this machine."""
    return "the user's folder" if ":" in data else data


def _progress(portions: Any, title: str) -> Any:
    return tqdm(portions, desc=title, leave=False, dynamic_ncols=True, disable=None)


# ---- numbers ------------------------------------------------------------------------------------------------------------


def _mean(values: Tensor) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def _binomial(share: float, count: int) -> float:
    """Standard error of a share; one hit and one miss are added, so that it is not zero where nothing was missed."""
    smooth = (share * count + 1) / (count + 2)
    return math.sqrt(smooth * (1 - smooth) / count)


def _with_paper(number: Measure, reported: dict[str, str], data: str) -> Measure:
    """What the model's class says of the paper's number, under ``<key>-<data>``, goes before what is said here."""
    return replace(number, paper=reported.get(f"{number.key}-{data}", number.paper))


def _stored(file: Path, config: dict[str, Any]) -> dict[str, Any]:
    try:
        stored = hub.read_json(file)
    except (OSError, ValueError) as error:
        raise catalog.WeightsError(f"there are no numbers to compare with in {file}; measure first, without --check") from error
    if stored.get("sha256") != config["sha256"]:
        raise catalog.WeightsError(f"the numbers in {file} are of other weights; measure again, without --check")
    return stored


def _compare(numbers: list[Measure], stored: dict[str, Any], judge: dict[str, str] | None, quick: bool) -> bool:
    """Print each number beside the stored one; False if any is outside its bar or missing."""
    if stored.get("features") != judge:
        print("  the feature network is another one than at the time; measure again, without --check")
        return False
    now = {number.key: number for number in numbers}
    good = True
    for then in stored["measures"]:
        number = now.get(then["key"])
        before = then.get("quick") if quick else then
        if number is None and then.get("kept"):
            print(f"  {then['key']}: stored; give --checkpoint to measure it")
            continue
        if number is None or before is None:
            print(f"  {then['key']}: stored, but not measured now")
            good = False
            continue
        bar = max(BAR * math.hypot(number.error, before["error"]), 1e-4 * abs(before["value"]))
        inside = abs(number.value - before["value"]) <= bar
        good &= inside
        verdict = "ok" if inside else "OUTSIDE"
        print(f"  {then['key']}: {number.value:.5g} now, {before['value']:.5g} stored, bar {bar:.2g}: {verdict}")
    return good


def _write(
    out: Path, name: str, config: dict[str, Any], found: list[list[Measure]], judge: dict[str, str] | None,
    counts: dict[str, int | bool],
) -> None:
    """Write the first list of numbers, with those of the second as ``quick``; a kill leaves the old file or the new one.

    Numbers of the same weights that only their checkpoint gives, and that were not measured now, stay.
    """
    few = {number.key: number for number in found[-1]}
    measures = []
    for number in found[0]:
        entry = {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in vars(number).items()}
        quick = few[number.key]
        entry["quick"] = {"value": float(f"{quick.value:.6g}"), "error": float(f"{quick.error:.6g}")}
        measures.append({key: value for key, value in entry.items() if value is not None})
    with contextlib.suppress(catalog.WeightsError):
        earlier = _stored(out, config)["measures"]
        measures += [entry for entry in earlier if entry.get("kept") and entry["key"] not in few]
    content = {
        "name": name, "sha256": config["sha256"], "features": judge, **counts, "measures": measures,
        "torch": torch.__version__,
    }  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")
    part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, out)


if __name__ == "__main__":
    sys.exit(main())
