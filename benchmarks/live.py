"""What a minute of training in the page gives: ``python -m benchmarks.live [--seconds 60]``.

For each choice of data and model: steps, how many points were found, how many of the generated ones lie near a point; for digits,
what the shipped classifier reads among 500 samples, beside the same for real digits. Digits need GALLERY_DATA.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from demos import _live
from demos._live import DIGITS, GAN, VAE, Settings, Training
from gen_models import Draws, catalog, runtime


def readings(pictures: torch.Tensor) -> str:
    """What the classifier reads: its certainty, the share it is sure of, and how even the ten digits are."""
    judge = catalog.load("features-mnist")
    with runtime.forward_pass():
        chances, kinds = judge.logits(judge(pictures))[0].softmax(dim=1).max(dim=1)
    shares = kinds.bincount(minlength=10) / len(kinds)
    return (f"certainty {chances.median():.2f}, sure (over 0.8) of {100 * (chances > 0.8).float().mean():.0f} %, "
            f"{int((shares > 0.01).sum())} digits, the rarest {100 * shares.min():.0f} %")  # fmt: skip


def main() -> None:
    """Train and print a line for each."""
    options = argparse.ArgumentParser("python -m benchmarks.live")
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--only", help="one choice, such as Digits-GAN")
    options.add_argument("--sheets", type=Path, help="folder for the sheets of digits")
    given = options.parse_args()
    torch.set_num_threads(runtime.cores())
    texts = ["Eight heaps", "Rings", *([DIGITS] if _live.digits_at_hand() else [])]
    if DIGITS in texts:
        print("real digits:", readings(_live.digits().unit(0, 500)))
    for text, kind in ((text, kind) for text in texts for kind in (GAN, VAE)):
        if given.only not in (None, f"{text}-{kind}"):
            continue
        training = Training(text, kind, 7)
        training.settings = Settings(rate=_live.RATE[text != DIGITS])
        until = time.monotonic() + given.seconds
        for _ in _live.trained("benchmark", "", training, None):
            view = _live.look(training)  # as the page does after every slice
            if time.monotonic() > until:
                break
        if view.pictures is None:
            told = view.words
        else:
            model = training.live.model.eval()
            with runtime.forward_pass():
                made = model.sample(Draws(0, 500))
            told = readings(made)
            if given.sheets:
                _live.sheet(view.pictures).save(given.sheets / f"{text}-{kind}.png")
        print(f"{text}, {kind}: {training.live.steps} steps in {given.seconds:g} s; {told}", flush=True)


if __name__ == "__main__":
    main()
