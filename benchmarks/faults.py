"""A training is killed again and again and must end as if nothing had happened: ``python -m benchmarks.faults [--quick]``.

A short training of a tiny DCGAN runs alone once. Then it is started anew, killed with signal 9 at random moments (some of them
picked inside the writing of a checkpoint), resumed each time, and at last left to end. A kill is survived if the run that it fell
into ends with the weights of the run left alone, to the last bit: those published, and all that its checkpoint holds. A step is
lost if it was done before the kill and had to be done again. Every training is a process of its own, forked from one that has
torch imported already.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks._report import Bar, report
from benchmarks.training import draw_pictures
from gen_models import catalog, train
from gen_models.base import Recipe
from gen_models.gans.dcgan import DCGAN

STEPS = 120
BATCH = 8
CHECKPOINT_SECONDS = 0.1
SAMPLE_EVERY = 40
KINDS = {
    "start": "while starting, nothing done yet", "step": "between two checkpoints", "checkpoint": "while a checkpoint was written",
    "publish": "after the last step, while publishing",
}  # fmt: skip


@dataclass
class Kill:
    """One kill: where it fell, how many steps it cost, and whether its run ended as it should."""

    kind: str
    lost: int
    survived: bool = False


def training(pictures: Path, out: Path, log: Path, done: Any) -> None:
    """The command line on a tiny model, in a process of its own; ``done`` is told the number of steps after each."""
    sys.stdout = sys.stderr = log.open("a", encoding="utf-8")
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own is the system's, and a killed process would leave it behind
    DCGAN.recipes = {"folder": Recipe(steps=STEPS, batch_size=BATCH, arguments=DCGAN.tiny, precision="no")}
    update = train.Run.update

    def counted(run: train.Run, check: bool = True) -> dict[str, str]:
        seen = update(run, check)
        done.value = run.step
        return seen

    train.Run.update = counted
    words = ["dcgan-faults", "--data", f"folder:{pictures}", "--out", str(out), "--resume", "--cpu"]
    sys.exit(train.main([*words, "--checkpoint-minutes", str(CHECKPOINT_SECONDS / 60), "--sample-every", str(SAMPLE_EVERY)]))


class Trainings:
    """Starts, kills and compares."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.pictures = folder, folder / "log", folder / "pictures"
        self.pictures.mkdir()
        draw_pictures(self.pictures, 40)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["gen_models.train", "gen_models.gans.dcgan", "benchmarks.training"])
        self.chance = random.Random(0)

    def start(self, out: Path) -> tuple[Any, Any]:
        """A process that trains, or goes on, in ``out``, and where it counts its steps."""
        done = self.context.Value("i", 0, lock=False)
        process = self.context.Process(target=training, args=(self.pictures, out, self.log, done))
        process.start()
        return process, done

    def finish(self, out: Path) -> None:
        """Train to the end, left alone."""
        process, _ = self.start(out)
        process.join(300)
        if process.exitcode != 0:
            said = self.log.read_text(encoding="utf-8")
            raise RuntimeError(f"the training ended with status {process.exitcode}: {said[-2000:]}")

    def kill(self, out: Path, seconds: float, writing: bool) -> Kill | None:
        """Start or resume, kill after ``seconds``, if ``writing`` then inside the next checkpoint; None: it was over before."""
        part, before = out / f"{train.CHECKPOINT}.part", step_of(out)
        process, done = self.start(out)
        until = time.monotonic() + seconds
        while process.is_alive() and (time.monotonic() < until or (writing and not part.exists())):
            time.sleep(0.0005)
        process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            return None
        # the counter of a process that had not come to its first step stands at 0
        steps, kept = max(done.value, before), step_of(out)
        kind = "checkpoint" if part.exists() else "start" if done.value == 0 else "publish" if done.value == STEPS else "step"
        return Kill(kind, steps - kept)


def step_of(out: Path) -> int:
    """The step of the checkpoint, 0 without one; it must be readable at any moment."""
    file = out / train.CHECKPOINT
    return torch.load(file, weights_only=True)["step"] if file.is_file() else 0


def ended(out: Path) -> dict[str, Any]:
    """All that a training leaves: its checkpoint but for the clock, and the SHA-256 of what it publishes."""
    state = torch.load(out / train.CHECKPOINT, weights_only=True)
    del state["seconds"]
    return state | {"published": catalog.sha256(out / "weights" / "model.safetensors")}


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, whatever the nesting."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def tell(kills: list[Kill]) -> None:
    """The table."""
    print(f"{'kill -9':40}{'tried':>8}{'survived':>10}{'steps lost':>12}{'most':>6}")
    for kind, title in [*KINDS.items(), ("", "all")]:
        those = [kill for kill in kills if kill.kind == kind or not kind]
        lost = [kill.lost for kill in those]
        print(f"{title:40}{len(those):8}{sum(kill.survived for kill in those):10}{sum(lost):12}{max(lost, default=0):6}")


def main() -> int:
    """Kill, resume, compare, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.faults", description=__doc__)
    options.add_argument("--quick", action="store_true", help="8 kills instead of 50, under a minute")
    wanted = 8 if options.parse_args().quick else 50
    kills: list[Kill] = []
    with tempfile.TemporaryDirectory() as name:
        trainings = Trainings(Path(name))
        alone = Path(name) / "alone"
        trainings.finish(Path(name) / "first")  # the server behind all of them imports torch now
        started = time.monotonic()
        trainings.finish(alone)
        seconds, wholly = time.monotonic() - started, ended(alone)
        runs = 0
        while len(kills) < wanted:
            out, mine = Path(name) / f"run{runs}", []
            for _ in range(min(trainings.chance.randint(1, 3), wanted - len(kills))):
                writing = trainings.chance.random() < 0.4
                killed = trainings.kill(out, trainings.chance.uniform(0, 0.8 * seconds), writing)
                if killed is None:
                    break
                mine.append(killed)
            trainings.finish(out)
            good = same(ended(out), wholly)
            for killed in mine:
                killed.survived = good
            kills, runs = kills + mine, runs + 1
            shutil.rmtree(out)
    print(f"DCGAN of {sum(value.numel() for value in DCGAN(**DCGAN.tiny).parameters()):,} parameters, {STEPS} steps, a checkpoint "
          f"every {CHECKPOINT_SECONDS:g} s, {seconds:.1f} s if left alone; {runs} runs, torch {torch.__version__}\n")  # fmt: skip
    tell(kills)
    kinds = {kill.kind for kill in kills}
    return report([
        Bar("kills survived with the same bits", 100 * sum(kill.survived for kill in kills) / len(kills), 100, " %", at_least=True),
        Bar("kills while a checkpoint was written", sum(kill.kind == "checkpoint" for kill in kills), 1, at_least=True),
        Bar("kinds of moments hit", len(kinds), 2, at_least=True),
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
