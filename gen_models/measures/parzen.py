"""The likelihood of pictures under a Gaussian around every sample, as the first papers on adversarial networks report it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gen_models import runtime
from gen_models.data import DataSet
from gen_models.measures._measure import UNREPORTED, Effort, Measure, mean
from gen_models.measures._pictures import CHUNK, chunks, drawn, part_of
from gen_models.measures._subject import Subject
from gen_models.verbs import Samples

WIDTHS = tuple(0.1 + 0.02 * step for step in range(11))
"""Standard deviations of a Parzen window that are tried on the validation part, pixels from 0 to 1."""


def measures(subject: Subject, efforts: Sequence[Effort]) -> list[list[Measure]]:
    """Only where the model's paper reports it: it says little about how samples look (Theis 2016, 1511.01844)."""
    if not any(key.startswith("parzen-") for key in subject.model.reported):
        return [[] for _ in efforts]
    validation = subject.part("validation")
    return [[parzen_measure(subject.model, validation, subject.held, effort, subject.name)] for effort in efforts]


def parzen_measure(model: Samples, validation: DataSet, unseen: DataSet, effort: Effort, name: str = "") -> Measure:
    """Mean log-likelihood of unseen pictures in nats under a Gaussian of one width at every sample (Breuleux 2011).

    The width is the one of ``WIDTHS`` under which the validation part is likeliest.
    """
    rows = []
    for draws in chunks(effort.samples, f"{name} Parzen window"):
        with runtime.forward_pass():
            rows.append(model.sample(draws).flatten(1).cpu())
    samples = torch.cat(rows)
    held = drawn(validation.images, effort.real).flatten(1).float() / 255
    width = max(WIDTHS, key=dict(zip(WIDTHS, parzen(samples, held, WIDTHS).mean(dim=1).tolist(), strict=True)).get)
    pixels = drawn(unseen.images, effort.real).flatten(1).float() / 255
    (values,) = parzen(samples, pixels, (width,))
    return Measure(
        "Log-likelihood under a Parzen window", "parzen", *mean(values), "nats",
        f"{len(values)} pictures of {part_of(unseen)}, pixels from 0 to 1, under a Gaussian around each of "
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
