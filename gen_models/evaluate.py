"""The numbers on the cards: ``python -m gen_models.evaluate dcgan-fashion``.

What is measured follows from the verbs that a model offers (see :mod:`gen_models.measures`): one that samples is held against real
pictures that it was not trained on, one with a likelihood is asked for it, a classifier for its hits, a translator is held against
its own input, a restorer against the picture that was shrunk.

Choices are made by ``--split validation``; the card has the numbers of the test part, which chose nothing.

Distances between finite sets grow as the sets shrink, so numbers from few pictures do not compare with numbers from many. A full
measurement therefore stores, beside each number, the one of ``--quick``, and ``--quick --check`` compares with that one.

Published are the averaged weights alone. What the last weights of a training do is measured from its checkpoint, where
``--checkpoint`` names it, and stays in ``evaluation.json`` when the weights are measured again without it.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import pickle
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from gen_models import catalog, checkpoint, hub, runtime
from gen_models.base import Model
from gen_models.cards import EVALUATION, shown
from gen_models.data import SPLITS, DataError, summary
from gen_models.files import write_text
from gen_models.measures import table
from gen_models.measures._measure import FULL, QUICK, Measure
from gen_models.measures._subject import Subject
from gen_models.verbs import Samples

NEARLY = {"dB": 0.1, "nats": 0.1}
"""How far a number of this unit may be from the stored one with ``--check``. Pictures, seeds and weights are the same, so that only
rounding differs from machine to machine: that is far less than the standard error, which tells of other pictures."""
SHARE = 0.02
"""The same for other units, as a share of the stored number, or ``SHARE_OF_ERROR`` of its standard error if that is more."""
SHARE_OF_ERROR = 0.1


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
        help="compare with the stored numbers; status 1 where one differs by more than rounding; writes only with --out",
    )  # fmt: skip
    make.add_argument("--samples", type=int, help=f"pictures to sample (default: {FULL.samples}; with --check as stored)")
    make.add_argument("--likelihoods", type=int, help="pictures for the likelihood (default: all; with --check as stored)")
    make.add_argument(
        "--importance", type=int, help=f"importance samples a picture (default: {FULL.importance}; with --check as stored)"
    )
    make.add_argument("--data", help="data set to compare with (default: the one trained on); folder:PATH for your own pictures")
    make.add_argument(
        "--split", choices=SPLITS[1:],
        help="part of the data set: validation to choose by, which writes only with --out; test for the card (default: test)",
    )  # fmt: skip
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
    split = stored.get("split", SPLITS[-1])
    if given.check and given.split not in (None, split):
        raise catalog.WeightsError(f"the numbers in {file} are of the {split} part; leave out --split {given.split}")
    split = given.split or split
    samples = stored.get("samples", FULL.samples) if given.samples is None else given.samples
    if samples < table.FEWEST:
        raise DataError(f"{samples} samples are too few; give --samples {table.FEWEST} or more")
    likelihoods = stored.get("likelihoods", FULL.likelihoods) if given.likelihoods is None else given.likelihoods
    if likelihoods < table.FEWEST:
        raise DataError(f"the likelihood of {likelihoods} pictures says too little; give --likelihoods {table.FEWEST} or more")
    importance = stored.get("importance", FULL.importance) if given.importance is None else given.importance
    if importance < 1:
        raise DataError(f"{importance} importance samples are none; give --importance 1 or more")
    full = replace(FULL, samples=samples, likelihoods=likelihoods, importance=importance, steps=min(FULL.steps, samples))
    quick = replace(QUICK, samples=min(QUICK.samples, samples), steps=min(QUICK.steps, samples))
    efforts = [quick] if given.quick else [full] if given.check else [full, quick]
    last = last_weights(model, given.checkpoint) if given.checkpoint else None
    subject = Subject(model, config, given.data or config["data"], given.data_dir, split, name, last)
    found = table.measure(subject, efforts)
    print(f"\n{name}{' (quick)' if given.quick else ''}{summary(subject.held.left_out)}")
    for number in found[0]:
        print(f"  {number.measure}: {shown(number.value, number.error)} {number.unit}".rstrip())
        if number.real is not None:
            print(f"    real pictures instead of samples: {shown(number.real, number.real_error or 0.0)}")
        print(f"    {number.protocol}\n    paper: {number.paper}")
    good = _compare(found[0], stored, subject.asked, given.quick) if given.check else True
    out = given.out or (None if given.quick or given.check or split != SPLITS[-1] else file)
    if out:
        settings = {"split": split, "samples": samples, "likelihoods": likelihoods, "importance": importance, "quick": given.quick}
        _write(out, name, config, found, subject.asked, settings)
        print(f"  written to {out}")
    return good


def last_weights(model: Model, file: Path) -> Model:
    """A copy of published weights with the last ones of the training whose moving average they are.

    Raises:
        DataError: if they do not sample, since nothing else is measured of the last weights.
        WeightsError: if the file is no checkpoint of that training.
    """
    if not isinstance(model, Samples):
        raise DataError(f"the last weights of {type(model).title} are not measured; leave out --checkpoint")
    last = copy.deepcopy(model)
    try:
        state = checkpoint.read(file, runtime.device())
        published, averaged = model.state_dict(), state["average"]
        parts = model.averaged or tuple(name for name, _ in model.named_children())
        same = all(
            torch.equal(averaged[f"module.{key}"].half(), value.half())
            for key, value in published.items() if key.partition(".")[0] in parts
        )  # fmt: skip
        last.load_state_dict({key: state["model"][key] for key in published})
    except (
        OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, pickle.UnpicklingError, zipfile.BadZipFile
    ) as error:  # fmt: skip
        raise catalog.WeightsError(f"{file} is no checkpoint of these weights; name that of the run they come from") from error
    if not same:
        raise catalog.WeightsError(f"{file} is a checkpoint of other weights; name that of the run they come from")
    return last


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
        bar = allowed(then["unit"], before["value"], before["error"])
        inside = abs(number.value - before["value"]) <= bar
        good &= inside
        verdict = "ok" if inside else "OUTSIDE"
        print(f"  {then['key']}: {number.value:.5g} now, {before['value']:.5g} stored, bar {bar:.2g}: {verdict}")
    return good


def allowed(unit: str, value: float, error: float) -> float:
    """How far a number that is measured again may be from the stored ``value`` with its standard ``error``."""
    if unit in NEARLY:
        return max(NEARLY[unit], 1e-4 * abs(value))
    return max(SHARE * abs(value), SHARE_OF_ERROR * error)


def _write(
    out: Path, name: str, config: dict[str, Any], found: Sequence[Sequence[Measure]], judge: dict[str, str] | None,
    settings: dict[str, int | bool | str],
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
        "name": name, "sha256": config["sha256"], "features": judge, **settings, "measures": measures,
        "torch": torch.__version__,
    }  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
