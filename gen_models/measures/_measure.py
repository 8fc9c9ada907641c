"""A number of a card, and how many pictures go into each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

UNREPORTED = "not comparable: no paper's number for these pictures under this protocol"
FOREIGN_FEATURES = "not comparable: papers use Inception features, these come from a small network trained here"


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


@dataclass(frozen=True)
class Effort:
    """How many pictures go into each measure; of a set that holds fewer, all do."""

    samples: int = 10_000
    real: int = 10_000
    """Unseen pictures that samples are held against."""
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


def mean(values: Tensor) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def binomial(share: float, count: int) -> float:
    """Standard error of a share; one hit and one miss are added, so that it is not zero where nothing was missed."""
    smooth = (share * count + 1) / (count + 2)
    return math.sqrt(smooth * (1 - smooth) / count)
