"""Distances between two sets of pictures by their features, (N, F) and (M, F) float64.

Distances between finite sets grow as the sets shrink, so numbers from few pictures do not compare with numbers from many.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

NEIGHBOURS = 3
SPLITS_OF_PAIRS = 3


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


def frechet_with_error(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """:func:`frechet` and :func:`frechet_error`."""
    return frechet(real, fake), frechet_error(real, fake)


def kernel(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Kernel distance of two sets of features: mean and standard deviation over 50 subsets (Binkowski 2018, section 4)."""
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore", UserWarning)  # that it keeps all features: they are kept here anyway
        torch.manual_seed(0)
        metric = KernelInceptionDistance(feature=_Ready(real.shape[1]), subsets=50, subset_size=subset(real, fake))
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


def subset(real: Tensor, fake: Tensor) -> int:
    """Rows in a subset of :func:`kernel`: half the smaller set at most, for subsets that are the set itself would not vary."""
    return min(1000, len(real) // 2, len(fake) // 2)


def kernel_splits(real: Tensor, fake: Tensor, splits: int = SPLITS_OF_PAIRS) -> Tensor:
    """Kernel distance in each of ``splits`` parts of two sets of features, whatever their sizes, (splits,)."""
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
