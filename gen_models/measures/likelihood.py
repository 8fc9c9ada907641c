"""How likely a model finds pictures that it was not trained on, in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gen_models.base import Draws, GenerativeModel
from gen_models.data import DataSet
from gen_models.measures._measure import UNREPORTED, Effort, Measure, mean
from gen_models.measures._pictures import over_pictures, part, part_of
from gen_models.measures._subject import Subject
from gen_models.sets import record
from gen_models.verbs import HasDensity, HasEvidence, HasLikelihood, ImportanceSamples

DRAWS = 16
"""Of the latents of a picture, for the evidence lower bound."""


def measures(subject: Subject, effort: Effort) -> list[Measure]:
    """The likelihood of unseen pictures; where it is exact, also that of pictures of another kind."""
    numbers = likelihood_measures(subject.model, subject.held, effort, subject.name)
    opposite = record(subject.data).opposite
    if opposite and not isinstance(subject.model, ImportanceSamples):
        channels, size, _ = subject.model.image_shape
        other = part(opposite, subject.split, size, subject.data_dir, channels)
        numbers.append(other_measure(subject.model, other, effort, subject.name))
    return numbers


def bounds(subject: Subject, effort: Effort) -> list[Measure]:
    """The evidence lower bound."""
    return [bound_measure(subject.model, subject.held, effort, subject.name)]


def densities(subject: Subject, effort: Effort) -> list[Measure]:
    """The density of a few coordinates."""
    return density_measures(subject.model, subject.held, effort, subject.name)


def likelihood_measures(model: GenerativeModel | HasLikelihood, unseen: DataSet, effort: Effort, name: str = "") -> list[Measure]:
    """Negative log-likelihood of unseen pictures in nats; for 8-bit pictures also bits per dimension."""
    estimated = isinstance(model, ImportanceSamples)
    extra = {"samples": effort.importance} if estimated else {}
    values = over_pictures(unseen, effort.likelihoods, f"{name} likelihood",
                           lambda images, draws: -model.log_likelihood(images, draws, **extra))  # fmt: skip
    value, error = mean(values)
    way = f"importance sampling from q(z|x) with k = {effort.importance} draws (seed 0), an upper bound that tightens with k"
    protocol = (
        f"{len(values)} pictures of {part_of(unseen)}, {pixels(model)}; {way if estimated else 'exact'}; "
        "mean and standard error over pictures."
    )
    numbers = [Measure("Negative log-likelihood", "nll", value, error, "nats", protocol, UNREPORTED, "lower")]
    if model.levels > 2:
        scale = math.log(2) * math.prod(unseen.images.shape[1:])
        numbers.append(
            Measure(
                "Bits per dimension", "bits", value / scale, error / scale, "bits", f"the negative log-likelihood over ln 2 and "
                f"{math.prod(unseen.images.shape[1:])} dimensions; {protocol}",
                "not comparable: papers report CIFAR-10 or ImageNet", "lower",
            )
        )  # fmt: skip
    return numbers


def other_measure(model: GenerativeModel | HasLikelihood, other: DataSet, effort: Effort, name: str = "") -> Measure:
    """Negative log-likelihood of pictures of another kind; it can be lower than that of the model's own."""
    # a pass for every class takes ten times as long, and the difference is not one of a fraction of a nat
    count = min(effort.likelihoods, effort.bounds) if model.classes else effort.likelihoods
    values = over_pictures(other, count, f"{name} other pictures",
                            lambda images, draws: -model.log_likelihood(images, draws))  # fmt: skip
    return Measure(
        "Negative log-likelihood of other pictures", "nll-other", *mean(values), "nats",
        f"{len(values)} pictures of {part_of(other)}, of which the model has seen none, "
        f"{pixels(model)}; exact; mean and standard error over pictures.",
        UNREPORTED, "higher",
    )  # fmt: skip


def bound_measure(model: GenerativeModel | HasEvidence, unseen: DataSet, effort: Effort, name: str = "") -> Measure:
    """Evidence lower bound of unseen pictures in nats, of the same black-and-white pictures as the likelihood."""

    def bound(images: Tensor, draws: Draws) -> Tensor:
        likelihood, divergence = model.evidence(model.seen(images, draws), draws, samples=DRAWS)
        return likelihood - divergence.flatten(1).sum(dim=1)

    values = over_pictures(unseen, effort.bounds, f"{name} bound", bound)
    return Measure(
        "Evidence lower bound", "elbo", *mean(values), "nats",
        f"{len(values)} pictures of {part_of(unseen)}, {pixels(model)}, {DRAWS} draws of the latent a picture "
        "(seed 0); mean and standard error over pictures.",
        UNREPORTED, "higher",
    )  # fmt: skip


def density_measures(model: HasDensity, unseen: DataSet, effort: Effort, name: str = "") -> list[Measure]:
    """Mean log-density of unseen pictures' principal coordinates under a mixture, and under one Gaussian for all pictures."""
    functions = {"": model.log_density, "-one": model.log_density_of_one}
    both = over_pictures(unseen, effort.likelihoods, f"{name} density",
                          lambda images, _: torch.stack([function(images) for function in functions.values()], dim=1))  # fmt: skip
    protocol = (
        f"{len(both)} pictures of {part_of(unseen)}, pixels from 0 to 1, as {model.latent_dim} principal "
        f"coordinates of the training pictures, which keep {100 * float(model.kept):.1f} % of their variance; a density of these "
        "coordinates, not of the pixels; mean and standard error over pictures."
    )
    titles = {"": "Log-density of principal coordinates", "-one": "The same under one Gaussian for all pictures"}
    return [
        Measure(titles[end], f"density{end}", *mean(values), "nats", protocol, UNREPORTED, "higher")
        for end, values in zip(functions, both.unbind(dim=1), strict=True)
    ]


def pixels(model: GenerativeModel) -> str:
    """What a likelihood is the likelihood of, for a protocol."""
    if model.levels > 2:
        return "8-bit pictures" if model.levels == 256 else f"rounded to {model.levels} grey levels"
    return "made black and white by chance, the grey value being the probability (dynamic binarisation, seed 0)"
