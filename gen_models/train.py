"""The retraining script: ``python -m gen_models.train dcgan-fashion``.

It knows no model. A model states its updates (``training_step``); everything around them happens here: devices and several
processes (accelerate), precision, gradient averaging, the moving average of the weights, checkpoints, sample grids, the log. A
model that is not trained by gradients does its own iterations (``fit``), with the same things around them.

A checkpoint is written beside the old one and then renamed, so a kill at any moment loses only the steps since the last one.
Resuming is bit-exact: the batch of a step and the random numbers inside it are functions of (seed, step), and everything else
is in the checkpoint. How many processes share a batch changes nothing but the rounding (see ``processes.py``), so a run may go on
with another number of them.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from gen_models import catalog, checkpoint, runtime
from gen_models.base import Draws, GenerativeModel, Model, Recipe, Restorer, Translator, Update
from gen_models.checkpoint import CHECKPOINT
from gen_models.data import Batches, DataError, DataSet, load_data, summary
from gen_models.processes import SharedDraws, average_gradients, from_main, lost, share_statistics
from gen_models.sheets import save_grid, sheet

FEW = 500
"""Pictures at a time, of those that a model asks for when it is trained."""
MOST_PICTURES = 1_000_000
"""In a step."""
LOCK = ".lock"
"""Held by the training that writes into a folder."""


class TrainingStopped(RuntimeError):
    """A training cannot go on, such as a loss that is no number or a full disk; the last good checkpoint is kept."""


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    runtime.print_anywhere()
    given = parser().parse_args(arguments)
    try:
        train(given)
    except (DataError, KeyError, TrainingStopped, catalog.WeightsError) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error}; what was written before is kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; go on with --resume", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """All settings and their defaults; what is not given comes from the model's recipe."""
    make = argparse.ArgumentParser(
        "python -m gen_models.train", "%(prog)s NAME [options]", description="Train one model on one data set."
    )
    make.add_argument("name", help="<model>-<data>, such as dcgan-fashion; for your own pictures any name, with --data folder:PATH")
    make.add_argument("--steps", type=number(1), help="training steps in all (default: the recipe's)")
    make.add_argument(
        "--batch-size", type=number(1, MOST_PICTURES), help="pictures in a step over all processes (default: the recipe's)"
    )
    make.add_argument(
        "--accumulate", type=number(1), default=1, metavar="N",
        help="compute each process' pictures in N parts, one after the other, for less memory (default: 1)",
    )  # fmt: skip
    make.add_argument("--data", help="data set, or folder:PATH, paired:PATH, unpaired:PATH (default: from the name)")
    make.add_argument("--data-dir", help="folder of the data sets (default: GALLERY_DATA)")
    make.add_argument("--out", type=Path, help="folder of the run (default: runs/<name>)")
    make.add_argument(
        "--start", type=Path, metavar="FOLDER",
        help="run or weights to start from, for a model that starts from another's (default: those published)",
    )  # fmt: skip
    make.add_argument("--resume", action="store_true", help="go on from the run's checkpoint, if there is one")
    make.add_argument("--precision", choices=("no", "bf16"), help="autocast (default: the recipe's)")
    make.add_argument("--compile", action="store_true", help="fuse the networks' loops first; needs a C++ compiler or a GPU")
    make.add_argument("--large", action="store_true", help="the recipe for a GPU")
    make.add_argument("--cpu", action="store_true", help="do not use a GPU")
    make.add_argument("--seed", type=number(0), default=0)
    make.add_argument("--checkpoint-minutes", type=number(0, kind=float), default=3.0, help="minutes between checkpoints")
    make.add_argument("--sample-every", type=number(0), default=1000, help="steps between sample grids (0: none)")
    return make


def number(least: int, most: int = 2**63 - 1, kind: type[int] | type[float] = int) -> Callable[[str], int | float]:
    """The type of an argument that is a number from ``least`` to ``most``."""

    def read(text: str) -> int | float:
        with suppress(ValueError):
            if least <= (value := kind(text)) <= most:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' * (kind is int)}number from {least:,} to {most:,}")

    return read


def train(given: argparse.Namespace) -> Path:
    """Train as the arguments of :func:`parser` say and publish into the run's folder ``weights``; returns that folder."""
    model_name, data_name = catalog.split_name(given.name)
    kind = catalog.model_class(model_name)
    recipe = recipe_for(kind, given.data or data_name, given)
    data_name = given.data or recipe.data or data_name
    out = given.out or Path("runs") / given.name
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=given.cpu)
    if given.compile and (given.accumulate > 1 or accelerator.num_processes > 1):
        raise DataError("--compile goes with one process and without --accumulate; leave it out")
    lock = FileLock(out / LOCK)
    try:
        from_main(accelerator, lambda: prepare(out, given.resume, lock))
        return train_in(out, given, kind, recipe, data_name, accelerator)
    finally:
        lock.release()


def train_in(
    out: Path, given: argparse.Namespace, kind: type[Model], recipe: Recipe, data_name: str, accelerator: Accelerator
) -> Path:
    """As :func:`train`, in a folder that no other training uses."""
    torch.manual_seed(given.seed)
    model: Model = kind(**recipe.arguments)
    origins = begin(model, given.start)
    channels, size, _ = model.image_shape
    data = load_data(data_name, "train", round(size * recipe.jitter), given.data_dir, channels)
    batches = Batches(
        data, recipe.batch_size, given.seed, recipe.mirror, accelerator.process_index, accelerator.num_processes,
        model.training_shape[-1], recipe.turn,
    )  # fmt: skip
    try:
        validation = load_data(data_name, "validation", size, given.data_dir, channels)
    except DataError:  # so few pictures of a user's own that none of them validates
        validation = load_data(data_name, "train", size, given.data_dir, channels)
    weights, pictures = out / "weights", account(data, validation)
    if accelerator.is_main_process:
        print(f"training on {pictures}; the weights will be in {weights}", flush=True)
    form = Run if kind.fit is Model.fit else Fitting
    run = form(model, recipe, accelerator, batches, out, given.seed, validation, given.accumulate)
    if given.compile:
        compile_networks(model)
    if given.resume:
        run.resume()
    command = "python -m gen_models.train " + shlex.join(_shared_arguments(given))
    if not run.commands:
        run.commands = [command]
    elif run.commands[-1].removesuffix(" --resume") != command:  # other settings from here on: the card must say so
        run.commands.append(f"{command} --resume")
    run.go(given.checkpoint_minutes, given.sample_every)
    accelerator.end_training()
    if not accelerator.is_main_process:
        return weights
    published = run.published()
    with torch.no_grad():
        learnt = (data.unit(start, start + FEW).to(accelerator.device) for start in range(0, len(data), FEW))
        published.finish(validation.unit().to(accelerator.device), learnt)
    record = {
        "model": catalog.split_name(given.name)[0], "data": data_name.partition(":")[0],
        "classes": {task: list(labels) for task, labels in data.classes.items()},
        **({"domains": list(data.domains)} if data.domains else {}),
        **({"degradation": f"{model.damage}, to 1/{model.scale} of the side"} if isinstance(model, Restorer) else {}),
        "value_range": "training batches in [-1, 1], pictures in and out in [0, 1]",
        "preprocessing": f"middle square, {size} x {size} pixels, {'colour' if channels == 3 else 'grey'}",
        "training": {**run.facts(), **({"origins": origins} if origins else {})},
    }  # fmt: skip
    try:
        catalog.save(published, weights, record)
        run.sample_grid(weights / "samples.png")
    except (OSError, SafetensorError) as error:
        raise TrainingStopped(
            f"the weights could not be written to {weights} ({error}); the training is done and its checkpoint kept, so make room "
            "and write them with --resume"
        ) from error
    publish = shlex.join(["python", "-m", "gen_models.publish", given.name, "--from", str(out)])
    print(f"trained on {pictures}; the weights are in {weights}; to see them on the page: {publish}", flush=True)
    return weights


def account(data: DataSet, validation: DataSet) -> str:
    """How many pictures a training uses; of a user's own folder also how many belong to the other parts and what is left out."""
    left_out = {reason: list(names) for reason, names in data.left_out.items()}
    others = data.others
    for reason, names in validation.left_out.items():  # each part knows of the damaged files of its own
        new = [name for name in names if name not in left_out.get(reason, ())]
        left_out[reason] = left_out.get(reason, []) + new
        others -= len(new)
    if data.partners is None or data.paired:
        count = f"{len(data):,} {'pair' if data.paired else 'picture'}{'s' * (len(data) != 1)}"
    else:
        count = f"{len(data):,} pictures of kind A and {len(data.partners):,} of kind B"
    return f"{count} of {data.name}{f', {others:,} kept for validation and test' if others else ''}{summary(left_out)}"


def prepare(out: Path, resume: bool, lock: FileLock) -> None:
    """Make the folder of a run and take its lock.

    Raises:
        DataError: if it holds a run already that is not to be resumed, another training is at work in it, or nothing can be
            written there.
    """
    if not resume and (out / CHECKPOINT).exists():
        raise DataError(f"{out} holds a run already; go on with --resume, or name another folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()  # better now than when the first checkpoint is due
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DataError(f"another training is at work in {out}; wait for its end, or name another folder with --out") from error
    except OSError as error:
        raise DataError(f"nothing can be written to {out} ({error.strerror}); name another folder with --out") from error


def begin(model: Model, start: Path | None = None) -> dict[str, str]:
    """Give a model the trained ones that it starts from or asks; returns their names and SHA-256.

    ``start``: a folder of weights in place of the published ones that its argument ``start`` names.

    Raises:
        WeightsError: if one is missing or does not fit, or a folder is given to a model that starts from nothing.
    """
    origins: dict[str, str] = {}
    named = model.config.get("start")
    if start and not named:
        raise catalog.WeightsError(f"{model.title} starts from no other weights; leave out --start")

    def load(name: str) -> Model:
        folder = catalog.weights_folder(start) if start and name == named else catalog.folder_of(name)
        loaded = catalog.read(folder) if start and name == named else catalog.load(name)
        origins[name] = catalog.sha256(folder / "model.safetensors")
        return loaded

    try:
        model.begin(load)
    except ValueError as error:
        raise catalog.WeightsError(str(error)) from error
    return origins


def recipe_for(kind: type[Model], data_name: str, given: argparse.Namespace) -> Recipe:
    """The model's recipe for a data set with the command line's changes.

    Raises:
        KeyError: if the model has no recipe for it.
    """
    key = data_name.partition(":")[0]
    if key not in kind.recipes:
        near = catalog.nearest(key, kind.recipes)
        raise KeyError(f"{kind.title} has no recipe for {key!r}{near}; it has {', '.join(kind.recipes)}; give --data")
    recipe = kind.recipes[key]
    if given.large:
        recipe = recipe.large or recipe
    changes = {"steps": given.steps, "batch_size": given.batch_size, "precision": given.precision}
    return replace(recipe, **{name: value for name, value in changes.items() if value is not None})


def compile_networks(model: Model) -> None:
    """Have a model's networks compiled at their first use; parameters and what is published stay as they are.

    The model as a whole if it is a network itself, else each of its children that learns.
    """
    whole = type(model).forward is not nn.Module.forward
    for network in [model] if whole else model.children():
        if next(network.parameters(), None) is not None:
            network.compile(dynamic=False)


class Run:
    """The state of one training: model, moving average, optimizers, step."""

    log_every = 20
    """Steps from one look at the losses to the next."""

    def __init__(
        self, model: Model, recipe: Recipe, accelerator: Accelerator, batches: Batches, out: Path, seed: int = 0,
        validation: DataSet | None = None, parts: int = 1,
    ) -> None:  # fmt: skip
        self.validation = validation
        """What the sheets of a translator or a restorer show."""
        self.parts = parts
        """In how many parts a process computes its rows of a batch, one after the other."""
        if parts < 1 or recipe.batch_size % (parts * accelerator.num_processes):
            raise DataError(
                f"a batch of {recipe.batch_size} cannot be shared evenly by {accelerator.num_processes} processes in {parts} parts "
                "each; choose another --batch-size or --accumulate"
            )
        if accelerator.num_processes > 1:
            share_statistics(model)
        self.recipe, self.accelerator, self.batches, self.out, self.seed = recipe, accelerator, batches, out, seed
        self.pictures = recipe.batch_size
        """Pictures in a step."""
        self.model = model.to(accelerator.device, memory_format=torch.channels_last).train()
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        self.optimizers = model.optimizers()
        self.rates = {name: [group["lr"] for group in o.param_groups] for name, o in self.optimizers.items()}
        self.step, self.seconds = 0, 0.0
        self.commands: list[str] = []
        """What was typed for this run, once per change of settings."""
        self.unchecked: list[tuple[int, str, torch.Tensor]] = []
        self.said: torch.Tensor | None = None
        self.interrupted = self.leaving = False

    def go(self, checkpoint_minutes: float = 3.0, sample_every: int = 1000) -> None:
        """Train to the recipe's last step.

        Raises:
            TrainingStopped: when a loss term is not finite; names the term.
        """
        saved = started = time.monotonic()
        before = self.seconds
        shown = tqdm(
            total=self.recipe.steps, initial=self.step, unit="step", disable=not self.accelerator.is_main_process,
            dynamic_ncols=True, mininterval=1.0,
        )  # fmt: skip
        with shown, self._interrupts(), self._told_of_losses():
            while self.step < self.recipe.steps:
                logged = self.step % self.log_every == 0
                terms = self.update(check=logged)
                self.seconds = before + time.monotonic() - started
                shown.update()
                if logged:
                    speed = shown.format_dict["rate"] or 0.0
                    shown.set_postfix(terms | {"images/s": f"{speed * self.pictures:.0f}"}, refresh=False)
                if sample_every and self.step % sample_every == 0 and not self.interrupted:
                    self._unless_interrupted(self.sample_grid)  # a sheet is no part of the state and may take a minute
                stop, save = self._agreed(self.interrupted, time.monotonic() - saved > 60 * checkpoint_minutes)
                if stop:
                    self.save()
                    raise KeyboardInterrupt
                if save:
                    self.save()
                    saved = time.monotonic()
            self.save()

    @contextmanager
    def _interrupts(self) -> Iterator[None]:
        """A step is never left half done: Ctrl-C, or a cluster's SIGTERM, is noted, the step finished, the checkpoint written."""

        def note(number: int, frame: Any) -> None:
            self.interrupted = True
            if self.leaving:
                raise KeyboardInterrupt

        handlers = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    @contextmanager
    def _told_of_losses(self) -> Iterator[None]:
        """Say in one sentence that another process has gone."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, TrainingStopped) or self.accelerator.num_processes == 1 or not lost(error):
                raise
            raise TrainingStopped(
                f"another process of this training is gone at step {self.step}; the last checkpoint is kept in {self.out}, go on "
                "with --resume"
            ) from error

    def _unless_interrupted(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns; None if it was interrupted, which whoever called finds noted."""
        try:
            self.leaving = True
            try:
                return work()
            finally:
                self.leaving = False
        except KeyboardInterrupt:
            return None

    def _agreed(self, stop: bool, save: bool) -> list[bool]:
        """What any process wants to do is done by all after the same step.

        Read is what was said after the step before, which every process knows by now: so nobody waits for a message.
        """
        if self.accelerator.num_processes == 1:
            return [stop, save]
        said = torch.tensor([stop, save], dtype=torch.float32, device=self.accelerator.device)
        heard, self.said = self.said, self.accelerator.reduce(said)
        return [False, False] if heard is None else [value > 0 for value in heard.tolist()]

    def update(self, check: bool = True) -> dict[str, str]:
        """One training step; returns the loss terms as text when ``check``, else looks at them later (see :meth:`check`)."""
        # the random numbers of a step are a function of (seed, step), whatever happened before
        key = [self.seed, 2**63 + self.step * 4096]
        torch.manual_seed(int(np.random.Philox(key=key).random_raw() >> 1))
        factor = min(1.0, (1 - self.step / self.recipe.steps) / max(1 - self.recipe.decay_from, 1e-9))
        if self.step < self.recipe.warm_up:
            factor *= (self.step + 1) / (self.recipe.warm_up + 1)
        for name, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self.rates[name], strict=True):
                group["lr"] = rate * factor
        images, labels = self.batches.batch(self.step)
        images = images.to(self.accelerator.device, memory_format=torch.channels_last, non_blocking=True)
        labels = labels.to(self.accelerator.device)
        rows = len(images) // self.parts
        steps = [
            iter(self.model.training_step(part)) for part in zip(images.split(rows), labels.split(rows), strict=True)
        ]
        seen: dict[str, str] = {}
        while True:
            # all parts go on to the same update, one after the other, and only then the optimizer takes its step
            optimizer = None
            for place in range(self.parts):
                update = self._next(steps, place, rows)
                if update is None:
                    continue
                name, terms = update
                self.unchecked += [(self.step, term, value.detach()) for term, value in terms.items()]
                if check and self.parts == self.accelerator.num_processes == 1:
                    self.check()
                if check:
                    seen |= {term: f"{float(value.detach()):.3g}" for term, value in terms.items()}
                if optimizer is None:
                    optimizer = self.optimizers[name]
                    optimizer.zero_grad(set_to_none=True)
                self.accelerator.backward(sum(terms.values()) / self.parts)
            if optimizer is None:
                break
            if self.accelerator.num_processes > 1:
                average_gradients(self.accelerator, optimizer)
            optimizer.step()
        if check:
            self.check()
        # the average follows closely at first, so that the random start does not linger in it
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        self.average.multi_avg_fn = get_ema_multi_avg_fn(decay)
        self.average.update_parameters(self.model)
        self.step += 1
        return seen

    def _next(self, steps: list[Iterator[Update]], place: int, rows: int) -> Update | None:
        """The next loss of one part; its random numbers are those of its rows, wherever they are computed."""
        with ExitStack() as stack:
            if place < self.parts - 1:  # the next part draws from the same place
                gpu = self.accelerator.device.type == "cuda"
                stack.enter_context(torch.random.fork_rng([self.accelerator.device] if gpu else []))
            if rows < self.recipe.batch_size:
                first = self.accelerator.process_index * self.parts * rows + place * rows
                stack.enter_context(SharedDraws(self.recipe.batch_size, first, rows))
            stack.enter_context(self.accelerator.autocast())
            return next(steps[place], None)

    def check(self) -> None:
        """Look at the loss terms of the steps since the last look; a look at every step would make a GPU wait.

        Raises:
            TrainingStopped: if one is not finite, in whichever process.
        """
        wrong = [(step, term) for step, term, value in self.unchecked if not np.isfinite(float(value))]
        self.unchecked.clear()
        if self.accelerator.num_processes > 1:
            wrong = gather_object(wrong)
        if wrong:
            step, term = min(wrong, key=lambda entry: entry[0])
            raise TrainingStopped(
                f"the loss term {term!r} is not a number at step {step}; the last checkpoint is kept in {self.out}"
            )

    def published(self) -> Model:
        """What is published: the moving average of the model, or of the children it names, and the last weights of the rest."""
        if not self.recipe.ema:
            return self.model.eval()
        averaged = self.average.module
        if self.model.averaged is not None:
            for name, child in self.model.named_children():
                if name not in self.model.averaged:
                    getattr(averaged, name).load_state_dict(child.state_dict())
        return averaged.eval()

    def save(self) -> None:
        """Write the checkpoint; a kill at any moment leaves the old one or the new one.

        Raises:
            TrainingStopped: if a loss term or a weight is no number, or the file cannot be written; the last one is kept then.
        """
        self.check()
        wrong = next((name for name, value in self.model.named_parameters() if not torch.isfinite(value).all()), None)
        if wrong:  # the loss of the last step was one, but its gradient was not
            raise TrainingStopped(
                f"the weight {wrong} is not a number after step {self.step - 1}; the last checkpoint is kept in {self.out}"
            )
        if not self.accelerator.is_main_process:
            return
        state = {
            **self.settings(), "commands": self.commands, "step": self.step, "seconds": self.seconds, "config": self.model.config,
            "model": self.model.state_dict(), "average": self.average.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }  # fmt: skip
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            checkpoint.write(state, self.out / CHECKPOINT)
        except (OSError, RuntimeError) as error:
            kept = "the last one is kept" if (self.out / CHECKPOINT).exists() else "there was none before"
            raise TrainingStopped(
                f"the checkpoint could not be written to {self.out} ({_reason(error)}); {kept}; make room and go on with --resume"
            ) from error

    def settings(self) -> dict[str, Any]:
        """What decides a step besides the model; a resumed run must not change it."""
        data = self.batches.data
        return {
            "seed": self.seed, "batch_size": self.recipe.batch_size, "data": data.name.partition(":")[0], "sources": data.sources,
        }  # fmt: skip

    def differences(self, state: dict[str, Any]) -> list[str]:
        """In what this run differs from that of a checkpoint; [] if it can go on from there."""
        now, config = self.settings(), self.model.config
        then = now | {key: state[key] for key in now if key in state}  # earlier versions did not write all of them
        then["data"] = then["data"].partition(":")[0]  # and wrote the path behind the colon
        sources = then.pop("sources"), now.pop("sources")
        compared = [(key, then[key], now[key]) for key in now]
        compared += [(key, state["config"].get(key), config.get(key)) for key in {**state["config"], **config}]
        found = [f"{key.replace('_', ' ')} was {old!r} and is {new!r}" for key, old, new in compared if old != new]
        old, new = map(Counter, sources)
        if old != new:
            found.append(f"of {old.total():,} pictures {(old - new).total():,} gone and {(new - old).total():,} new")
        elif sources[0] != sources[1]:
            found.append("the names of the pictures put them in another order")
        return found

    def resume(self) -> None:
        """Go back to the checkpoint, if there is one.

        Raises:
            WeightsError: if it is of another model or cannot be read.
        """
        file = self.out / CHECKPOINT
        cure = "delete it and start again"

        def read() -> dict[str, Any] | None:
            if not file.is_file():
                return None
            try:
                return checkpoint.read(file)
            except Exception as error:  # whatever is made of a damaged file
                raise catalog.WeightsError(f"{file} cannot be read ({_reason(error)}); {cure}") from error

        state = from_main(self.accelerator, read)
        if state is None:
            return
        try:
            if found := self.differences(state):
                raise catalog.WeightsError(
                    f"{file} is of a run with other settings ({', '.join(found)}); give the same, or name another folder with --out"
                )
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
            self.step, self.seconds, self.commands = state["step"], state["seconds"], state.get("commands", [])
        except (RuntimeError, KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, catalog.WeightsError):
                raise
            raise catalog.WeightsError(f"{file} cannot be read ({_reason(error)}); {cure}") from error

    def sample_grid(self, file: Path | None = None) -> None:
        """What the published weights make, by default as ``samples-<step>.png``.

        64 samples (seed 0); of other models, the first 16 pictures of the validation part and what is made of them.
        """
        if not self.accelerator.is_main_process or not isinstance(self.model, GenerativeModel | Translator | Restorer):
            return
        with torch.no_grad():
            if isinstance(self.model, Translator | Restorer):
                if self.validation is None:
                    return
                pictures = sheet(self.published(), self.validation)
            else:
                pictures = self.published().sample(Draws(0, 64, device=self.accelerator.device))
        self.model.train()
        save_grid(pictures, file or self.out / f"samples-{self.step:06d}.png")

    def facts(self) -> dict[str, Any]:
        """What the card says of the training."""
        gpu = self.accelerator.device.type == "cuda"
        return {
            "command": " && ".join(self.commands),
            "commit": _commit(), "steps": self.step, "batch_size": self.pictures,
            "training_pictures": len(self.batches.data), "minutes": round(self.seconds / 60, 1),
            "precision": self.recipe.precision, "ema": self.recipe.ema,
            "hardware": torch.cuda.get_device_name() if gpu else f"CPU, {torch.get_num_threads()} cores",
            "processes": self.accelerator.num_processes, "torch": torch.__version__, "python": platform.python_version(),
        }  # fmt: skip


class Fitting(Run):
    """The training of a model that is fitted to all pictures at once: a step is an iteration of its ``fit``."""

    log_every = 1

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        if self.parts > 1 or self.accelerator.num_processes > 1:
            raise DataError(f"{self.model.title} is fitted to all pictures at once; start it as one process, without --accumulate")
        self.pictures = len(self.batches.data)
        self.iterations: Iterator[dict[str, float]] | None = None

    def update(self, check: bool = True) -> dict[str, str]:
        """One iteration; returns what the log shows. One that is interrupted, since it may take long, is none.

        Raises:
            DataError: if the pictures are too few.
        """
        data = self.batches.data
        if self.iterations is None:  # not earlier: a run that goes on reads its checkpoint first
            self.iterations = self.model.fit(data.unit(), data.labels, self.seed)
        before = {key: value.clone() for key, value in self.model.state_dict().items()}
        try:
            with torch.no_grad():
                terms = self._unless_interrupted(lambda: next(self.iterations))
        except ValueError as error:
            raise DataError(str(error)) from error
        if terms is None:
            self.model.load_state_dict(before)
            return {}
        self.unchecked += [(self.step, term, torch.tensor(value)) for term, value in terms.items()]
        self.check()
        self.step += 1
        return {term: f"{value:.5g}" for term, value in terms.items()}


def _shared_arguments(given: argparse.Namespace) -> list[str]:
    """The arguments as anyone would type them: without folders of this machine."""
    words = [given.name]
    for option in ("steps", "batch_size", "precision"):
        if getattr(given, option) is not None:
            words += [f"--{option.replace('_', '-')}", str(getattr(given, option))]
    if given.data:
        layout, colon, _ = given.data.partition(":")
        words += ["--data", f"{layout}:PATH" if colon else given.data]
    if given.start:
        words += ["--start", "PATH"]
    if given.accumulate > 1:
        words += ["--accumulate", str(given.accumulate)]
    words += [f"--{option}" for option in ("compile", "large") if getattr(given, option)]
    if given.seed:
        words += ["--seed", str(given.seed)]
    return words


def _reason(error: BaseException) -> str:
    """Why, in a few words: the system's own, where it said something."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        said, error = error, error.__cause__ or error.__context__
    return (str(said).strip().splitlines() or [type(said).__name__])[0][:200]


def _commit() -> str:
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
