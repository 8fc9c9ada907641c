"""What training in the page gives: ``python -m benchmarks.live [--quick]``.

First a minute of each choice of data and model: steps, how many points were found, how many of the generated ones lie near a point;
for digits, what the shipped classifier reads among 500 samples, beside the same for real digits.

Then how soon the GAN covers the clusters, with the settings with which the room opens and several seeds, in seconds of wall time
with a look at the networks after each slice, as the page has it.

Then collapse and cure, as the buttons of the room do it, on eight clusters with several seeds: the share of the points that a
generated one lies near, after so many steps in which the generator outruns the discriminator, and so many later, with the cure.
The runs of collapse are of steps, not of seconds, so they come out the same on a machine of another speed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from benchmarks._report import Bar, report
from demos._families import live, live_board
from demos._families.live import DIGITS, GAN, MINIBATCH, VAE, Settings, Training
from demos.gan import COLLAPSE_STEPS
from gen_models import Draws, catalog, runtime

PRESET = "Eight clusters"
SOON = 10.0
"""Seconds within which the room's first run covers the clusters."""
ENOUGH = 7
"""Clusters of the eight that count as covering them."""
SURE = 0.8
"""Chance from which on the classifier counts as sure."""
STEPS = (2000, 3000)
"""Steps of collapse and of cure."""


def readings(pictures: torch.Tensor) -> tuple[str, dict[str, float]]:
    """What the classifier reads: its certainty, the share it is sure of, how many digits, and how even they are."""
    judge = catalog.load("features-mnist")
    with runtime.forward_pass():
        chances, kinds = judge.logits(judge(pictures))[0].softmax(dim=1).max(dim=1)
    shares = kinds.bincount(minlength=10) / len(kinds)
    sure, digits = 100 * float((chances > SURE).float().mean()), int((shares > 0.01).sum())
    words = (f"certainty {chances.median():.2f}, sure (over {SURE}) of {sure:.0f} %, {digits} digits, "
             f"the rarest {100 * shares.min():.0f} %")  # fmt: skip
    return words, dict(sure=sure, digits=digits)


def minute(text: str, kind: str, seconds: float, sheets: Path | None) -> dict[str, float]:
    """Train for so long, print what came of it; its figures."""
    training = Training(text, kind, 7)
    training.settings = Settings(rate=live.RATE[text != DIGITS], cure=live.CURE[text != DIGITS])
    until = time.monotonic() + seconds
    for _ in live.trained(training):
        view = live_board.look(training)  # as the page does after every slice
        if time.monotonic() > until:
            break
    if view.pictures is None:
        words, figures = view.words, dict(found=100 * view.found, near=100 * view.near)
    else:
        model = training.live.model.eval()
        with runtime.forward_pass():
            made = model.sample(Draws(0, 500))
        words, figures = readings(made)
        if sheets:
            live_board.Frame(text, kind, seen=view).frames()[0].save(sheets / f"{text}-{kind}.png")
    print(f"{text}, {kind}: {training.live.steps} steps in {seconds:g} s; {words}", flush=True)
    return figures


def covers(seed: int) -> bool:
    """Whether the room's first run covers ``ENOUGH`` clusters within ``SOON`` seconds and still does at their end."""
    training, begun, first = Training(PRESET, GAN, seed), time.monotonic(), None
    training.settings = Settings(cure=live.CURE[True])
    for _ in live.trained(training):
        seen, passed = live_board.look(training), time.monotonic() - begun
        if first is None and seen.covered >= ENOUGH:
            first = passed
        if passed > SOON:
            break
    when = f"{ENOUGH} after {first:.1f} s, " if first is not None else ""
    print(f"seed {seed}: {when}{seen.covered} of 8 clusters after {SOON:g} s and {training.live.steps:,} steps", flush=True)
    return seen.covered >= ENOUGH


def fall_and_cure(seed: int) -> tuple[float, float]:
    """Percent of the points found after the collapse, and after the cure."""
    training = Training(PRESET, GAN, seed)
    found = []
    for steps, cure in zip(STEPS, (live.NONE, MINIBATCH), strict=True):
        training.settings = Settings(rate=live.RATE[True], generator_steps=COLLAPSE_STEPS, cure=cure)
        with runtime.training_pass():
            for _ in range(steps):
                training.step()
        found.append(100 * live_board.look(training).found)
    fallen, cured = found
    print(f"seed {seed}: {fallen:.0f} % found after {STEPS[0]:,} steps of collapse, {cured:.0f} % {STEPS[1]:,} later", flush=True)
    return fallen, cured


def main() -> int:
    """Train, print a line for each, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.live", description=__doc__)
    options.add_argument("--seconds", type=float, default=60.0, help="of each choice of data and model")
    options.add_argument("--sheets", type=Path, help="folder for the sheets of digits")
    options.add_argument("--quick", action="store_true", help="a few seconds each, one seed, lower bars; under a minute")
    given = options.parse_args()
    seconds = 10.0 if given.quick else given.seconds
    torch.set_num_threads(runtime.cores())
    texts = [PRESET, *([] if given.quick else ["Rings"]), DIGITS]
    print("real digits:", readings(live.digits().unit(0, 500))[0])
    figures = {(text, kind): minute(text, kind, seconds, given.sheets)
               for text in texts for kind in (GAN, VAE) if not (given.quick and kind == VAE)}  # fmt: skip
    seeds = range(7, 8) if given.quick else range(10)
    covering = sum(map(covers, seeds))
    falls, cures = zip(*map(fall_and_cure, (7,) if given.quick else (7, 8, 9, 10, 11)), strict=True)
    bars = [
        Bar(f"seeds that cover {ENOUGH} of 8 clusters within {SOON:g} s", covering, len(seeds), at_least=True),
        Bar("clusters, points found by the GAN", figures[PRESET, GAN]["found"], 75 if given.quick else 90, " %", at_least=True),
        Bar("points still found after the collapse, median of the seeds", statistics.median(falls), 25, " %"),
        Bar("points found again after the cure, median of the seeds", statistics.median(cures), 80, " %", at_least=True),
    ]
    if not given.quick:  # in a few seconds the first one or two digits appear
        bars += [
            Bar("the GAN's digits of which the classifier is sure", figures[DIGITS, GAN]["sure"], 40, " %", at_least=True),
            Bar("different digits among them", figures[DIGITS, GAN]["digits"], 10, at_least=True),
        ]
    return report(bars)


if __name__ == "__main__":
    raise SystemExit(main())
