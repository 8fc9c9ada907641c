"""What models can do: each verb once, as a protocol with its shapes, units and meaning.

A model offers a verb by having the method; nothing is registered. ``isinstance(model, verbs.Samples)`` asks a model,
``issubclass(kind, verbs.Samples)`` a class. Measures, cards and sheets apply by these protocols and by nothing else.

Pictures are float32 (B, C, H, W) in [0, 1], in and out. Row *i* of every result depends on row
*i* of the arguments alone: it is the same in a batch of one, in a batch of many and whatever the global generator says. A model may
give its methods more arguments, with defaults. ``tests/test_verbs.py`` holds every model to what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor

from gen_models.base import Draws

# ---- pictures from nothing, and back --------------------------------------------------------------------------------------


@runtime_checkable
class Samples(Protocol):
    """Makes pictures from nothing."""

    def sample(self, draws: Draws) -> Tensor:
        """One picture per row of ``draws``."""


@runtime_checkable
class SamplesPrior(Protocol):
    """Has a prior, whatever ``sample`` draws from: that, or something that was fitted after the training."""

    def sample_prior(self, draws: Draws) -> Tensor:
        """One picture per row of ``draws``, of the prior; those of ``sample`` where nothing was fitted."""


@runtime_checkable
class SamplesInSteps(Protocol):
    """Can be watched while it samples or completes."""

    def sample_steps(self, draws: Draws, images: Tensor | None = None, unknown: Tensor | None = None) -> Iterator[Tensor]:
        """The way to ``sample``, or with ``images`` to ``complete``: pictures again and again, the last ones finished."""


@runtime_checkable
class Denoises(Protocol):
    """Samples by taking noise off in any number of steps, with or without fresh noise in between (Song 2021, 2010.02502)."""

    def sample(self, draws: Draws, steps: int = ..., eta: float = ...) -> Tensor:
        """One picture per row of ``draws``; ``steps``: passes through the network; ``eta``: share of fresh noise, 0 to 1."""

    def noisy(self, images: Tensor, draws: Draws, strength: float) -> Tensor:
        """Pictures under as much noise as after the share ``strength`` (above 0, to 1) of all steps, clipped to [0, 1]."""


@runtime_checkable
class Encodes(Protocol):
    """Finds the numbers behind a picture."""

    def encode(self, images: Tensor) -> Tensor:
        """Pictures -> codes, (B, latent_dim)."""


@runtime_checkable
class Decodes(Protocol):
    """Makes pictures from ``latent_dim`` numbers."""

    def decode(self, latents: Tensor) -> Tensor:
        """Codes (B, latent_dim) -> pictures."""


@runtime_checkable
class HasLatents(Protocol):
    """Draws the numbers from which it makes pictures."""

    def latents(self, draws: Draws) -> Tensor:
        """(count, latent_dim); those of ``sample``."""


@runtime_checkable
class Reconstructs(Protocol):
    """Gives pictures back from its own description of them; of a model that encodes and decodes, ``decode(encode(images))``."""

    def reconstruct(self, images: Tensor) -> Tensor:
        """Pictures -> pictures."""


@runtime_checkable
class Completes(Protocol):
    """Fills holes in pictures."""

    def complete(self, draws: Draws, images: Tensor, unknown: Tensor) -> Tensor:
        """One picture per row of ``draws``: what is unknown of ``images`` is made up, the rest stays as the model sees it.

        ``images``: one picture or one per row, (1 or B, C, H, W); ``unknown``: (H, W) bool, true where a pixel is to be made up.
        """


# ---- probabilities --------------------------------------------------------------------------------------------------------


@runtime_checkable
class Rounds(Protocol):
    """Models pictures of a few grey levels only, so that its samples have no others."""

    def to_levels(self, images: Tensor) -> Tensor:
        """Pictures -> whole numbers from 0 to ``levels`` - 1, int64 (B, H, W)."""


@runtime_checkable
class HasLikelihood(Protocol):
    """Says how likely a picture is: of 8 bits, or of the grey levels that the model's attribute ``levels`` names."""

    def seen(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """The pictures whose likelihood is meant: rounded to ``levels`` grey levels.

        Two levels are black and white: with ``draws`` by chance, the grey value being the probability (dynamic binarisation,
        Salakhutdinov and Murray 2008), else by the threshold 0.5.
        """

    def log_likelihood(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """log p(x) in nats of what is seen of each picture, float32 (B,); exact unless :class:`ImportanceSamples`."""


@runtime_checkable
class ImportanceSamples(HasLikelihood, Protocol):
    """Has latents z, and estimates its likelihood from draws of q(z|x) (Burda 2015, 1509.00519, section 3)."""

    def log_importance_weights(self, images: Tensor, draws: Draws, samples: int) -> Tensor:
        """log p(x, z) - log q(z|x) in nats for ``samples`` draws of z a picture, (B, samples)."""

    def log_likelihood(self, images: Tensor, draws: Draws, samples: int = ...) -> Tensor:
        """The logarithm of the mean importance weight, (B,): on average a lower bound, which tightens with ``samples``."""


@runtime_checkable
class HasEvidence(Protocol):
    """Has the evidence lower bound of log p(x); minus its mean is the training loss, if the model is trained on it."""

    def seen(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """As for :class:`HasLikelihood`."""

    def evidence(self, images: Tensor, draws: Draws, samples: int = ...) -> tuple[Tensor, Tensor]:
        """The two parts of the bound in nats: the expected log p(x|z), (B,), and the divergence of q(z|x) from p(z), (B, ...).

        The bound is the first minus the sum of the second. The expectation is a mean over ``samples`` draws of z a picture.
        """


@runtime_checkable
class HasConditionals(Protocol):
    """Writes pictures pixel by pixel and says what it expects."""

    def conditionals(self, images: Tensor) -> Tensor:
        """log p(level | the pixels before) of every level of every pixel in nats, (B, levels, H, W); adds up to one."""


@runtime_checkable
class HasDensity(Protocol):
    """Has a density of a few coordinates of the pictures, ``latent_dim`` of them, not of the pixels.

    ``kept`` is the share of the pixels' variance that they keep.
    """

    def log_density(self, images: Tensor) -> Tensor:
        """The logarithm of the coordinates' density in nats, (B,)."""

    def log_density_of_one(self, images: Tensor) -> Tensor:
        """The same under one Gaussian fitted to all training pictures, (B,)."""


@runtime_checkable
class HasResponsibilities(Protocol):
    """Is a mixture."""

    def responsibilities(self, images: Tensor) -> Tensor:
        """How likely each component is to have made a picture, (B, components); rows add up to one."""


@runtime_checkable
class Predicts(Protocol):
    """Tells what a picture shows."""

    def predict(self, images: Tensor) -> Tensor:
        """The most likely class per task, int64 (B, tasks)."""


@runtime_checkable
class HasProbabilities(Predicts, Protocol):
    """Is a classifier of one task that says how sure it is; the class that it predicts is the most probable."""

    def probabilities(self, images: Tensor) -> Tensor:
        """p(class | picture), (B, classes); rows add up to one."""


# ---- pictures from pictures -----------------------------------------------------------------------------------------------


@runtime_checkable
class Translates(Protocol):
    """Turns pictures of one kind, A, into pictures of another, B."""

    def translate(self, images: Tensor) -> Tensor:
        """The picture of kind B for each picture of kind A, as large."""


@runtime_checkable
class TranslatesBack(Translates, Protocol):
    """Translates in both directions."""

    def translate(self, images: Tensor, backwards: bool = False) -> Tensor:
        """From kind A to B, ``backwards`` from B to A."""

    def cycle(self, images: Tensor, backwards: bool = False) -> tuple[Tensor, Tensor]:
        """There and back: the translations, and what they are translated back to; ``backwards``: of pictures of kind B."""


@runtime_checkable
class Upscales(Protocol):
    """Makes pictures of any size larger by the whole number ``scale``."""

    def downscale(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """Pictures (B, C, sH, sW) -> (B, C, H, W), damaged as in training; one row of ``draws`` a picture."""

    def upscale(self, images: Tensor, ensemble: bool = False) -> Tensor:
        """Pictures (B, C, H, W) -> (B, C, sH, sW).

        ``ensemble``: the mean over the eight ways to turn and mirror a picture (Lim 2017, 1707.02921, section 3.4).
        """


# ---- judges ---------------------------------------------------------------------------------------------------------------


@runtime_checkable
class HasFeatures(Predicts, Protocol):
    """Says what a picture looks like in a few numbers, whose distances stand for distances between pictures."""

    def features(self, images: Tensor) -> Tensor:
        """Pictures of any size and any channels, or bytes, -> (B, F) float32."""

    def logits(self, features: Tensor) -> list[Tensor]:
        """Features (B, F) -> for each task the scores of its classes, (B, classes)."""


@runtime_checkable
class Segments(Protocol):
    """Finds labels in photographs."""

    def labels(self, maps: Tensor) -> Tensor:
        """Label maps (B, 3, H, W), a colour a label -> numbers of labels, int64 (B, H, W)."""

    def segment(self, photos: Tensor) -> Tensor:
        """Photographs -> numbers of the labels that are found, int64 (B, H, W)."""


@runtime_checkable
class FindsFaces(Protocol):
    """Tells faces from other pictures."""

    def shows_face(self, squares: Tensor) -> Tensor:
        """Squares of any size, (B, C, S, S) -> which are surely faces, bool (B,)."""
