"""The contract every model keeps: configuration, randomness, recipes, training. What models can do stands in ``verbs.py``.

A model file imports this module, ``layers``, ``losses`` and its own family's private files, nothing else of the package.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]
Update = tuple[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Recipe:
    """How the published weights of one model on one data set were trained.

    ``arguments`` go to the model's constructor. ``ema`` is the decay of the exponential moving average whose weights are
    published (0: the last weights). Of a model that is fitted to all pictures at once, ``steps`` are iterations, and only they and
    the arguments count. The learning rate rises linearly over the first ``warm_up`` steps, is constant up to the fraction
    ``decay_from`` of the steps and falls linearly to zero from there. ``mirror`` flips half of the training pictures left to
    right; ``turn`` turns each by a random multiple of 90 degrees. ``jitter``: training pictures are read this many times as large
    and cut at random to the size of training. ``data``: the data set, where the recipe's key is not its name. ``large`` is the
    same training with a GPU's budget (``--large`` on the command line). ``paper``: what the paper's authors spent, in words.
    """

    steps: int
    batch_size: int = 64
    arguments: dict[str, Any] = field(default_factory=dict)
    ema: float = 0.999
    decay_from: float = 0.5
    warm_up: int = 0
    mirror: bool = False
    turn: bool = False
    jitter: float = 1.0
    precision: str = "bf16"
    data: str = ""
    large: Recipe | None = None
    paper: str = ""


class Draws:
    """Random numbers for ``count`` samples; row *i* depends on ``(seed, first + i)`` alone.

    Each row has its own counter-based generator (Philox; Salmon et al. 2011) keyed by seed and row, so picture 5 of seed 7 is
    the same alone, in a batch of 64 and on a GPU. Numbers are drawn on the CPU in float32 and then moved to ``device``.

    Raises:
        ValueError: if seed, count or first is negative.
    """

    def __init__(self, seed: int, count: int, first: int = 0, device: torch.device | str = "cpu") -> None:
        if min(seed, count, first) < 0:
            raise ValueError("seed, count and first must not be negative")
        self.seed, self.count, self.first, self.device = int(seed), int(count), int(first), device
        self._rows = [
            np.random.Generator(np.random.Philox(key=[self.seed, self.first + row])) for row in range(self.count)
        ]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, shape ``(count, *shape)``; a second call continues each row's stream."""
        return self._stack(lambda row: row.standard_normal(shape, dtype=np.float32), shape)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), shape ``(count, *shape)``; a second call continues each row's stream."""
        return self._stack(lambda row: row.random(shape, dtype=np.float32), shape)

    def to(self, device: torch.device | str) -> Draws:
        """The same draws, continued where these are, delivered on ``device``."""
        self.device = device
        return self

    def _stack(self, draw: Callable[[np.random.Generator], np.ndarray], shape: tuple[int, ...]) -> Tensor:
        rows = [draw(row) for row in self._rows]
        stacked = np.stack(rows) if rows else np.zeros((0, *shape), np.float32)
        return torch.from_numpy(stacked).to(self.device)


class Model(nn.Module):
    """What the trainer and the catalog need of a network; constructor arguments are the configuration.

    Subclasses take flat, JSON-simple constructor arguments, all with defaults, and set the class attributes below.
    """

    title: ClassVar[str]
    year: ClassVar[int]
    authors: ClassVar[str]
    paper: ClassVar[str]
    """Address of the paper."""
    summary: ClassVar[str]
    """One sentence for the header of the room and the card."""
    keywords: ClassVar[tuple[str, ...]] = ()
    """What else people search for who look for it."""
    differences: ClassVar[tuple[str, ...]] = ()
    """What is done differently from the paper, one sentence each."""
    limits: ClassVar[tuple[str, ...]] = ()
    """Where it fails, one sentence each, for the card."""
    reported: ClassVar[dict[str, str]] = {}
    """The papers' numbers beside ours: ``<measure's key>-<data>`` -> number, source and how far it compares."""
    headline: ClassVar[str] = ""
    """The number that the model is known by, ``<measure's key>-<data>``; its card on the home tab shows it, and these weights."""
    recipes: ClassVar[dict[str, Recipe]]
    """Data set name, or what stands after the dash in the weights' name -> recipe; ``folder`` serves a user's own pictures."""
    tiny: ClassVar[dict[str, Any]]
    """Constructor arguments of a version small enough for a unit test."""
    averaged: ClassVar[tuple[str, ...] | None] = None
    """Children whose moving average is published (None: the whole model); of the others, the last weights are."""
    scaffold: ClassVar[tuple[str, ...]] = ()
    """Children that only training needs, such as a critic that no verb asks; published weights come without them."""
    start: str = ""
    """Name of the trained weights that the training starts from; "": it starts from chance."""
    judge: str = ""
    """Name of the trained weights that the loss asks; numbers that they measure are marked. "": it asks none."""

    config: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Model:
        model = super().__new__(cls)
        bound = inspect.signature(cls.__init__).bind(model, *args, **kwargs)
        bound.apply_defaults()
        config = {name: value for name, value in bound.arguments.items() if name != "self"}
        object.__setattr__(model, "config", config)
        return model

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(chain(self.parameters(), self.buffers())).device

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the pictures; every model here is configured by ``channels`` and ``size``."""
        return self.config["channels"], self.config["size"], self.config["size"]

    @property
    def training_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a training batch's pictures; of a pair, A's channels come before B's."""
        return self.image_shape

    def without_scaffold(self) -> Model:
        """This model after its ``scaffold`` is taken away, for good: its verbs work, training does not."""
        for name in self.scaffold:
            delattr(self, name)
        return self

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Optimizer name -> optimizer; the names are those that ``training_step`` yields."""
        raise NotImplementedError(f"{type(self).__name__} has no optimizer")

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield ``(optimizer name, {term: weighted loss})`` once per update, in the paper's order.

        ``batch`` is (pictures (B, C, H, W) in [-1, 1], labels (B, T) int64). The trainer minimises the sum of the terms.
        """
        raise NotImplementedError(f"{type(self).__name__} is not trained by gradient steps")

    def fit(self, images: Tensor, labels: Tensor, seed: int) -> Iterator[dict[str, float]]:
        """Find the weights without gradients; yields what the log shows, once per step of the recipe, for ever.

        The trainer calls it in the place of ``training_step``, with all training pictures (N, C, H, W) in [0, 1] and their labels
        (N, T) int64. All that a step depends on is in these and in the model's own tensors, so that a stopped run goes on.

        Raises:
            ValueError: if there are too few pictures; one sentence.
        """
        raise NotImplementedError(f"{type(self).__name__} is trained by gradient steps")

    def begin(self, load: Callable[[str], Model]) -> None:
        """Called once before the first step; ``load`` gives trained models by name, to start from them or to ask them.

        Raises:
            ValueError: if one of them does not fit.
        """

    def finish(self, images: Tensor, learnt: Iterable[Tensor]) -> None:
        """Called once before the weights are published, with validation pictures (N, C, H, W) in [0, 1].

        ``learnt``: the pictures of the training, (B, C, H, W) in [0, 1] at a time, each once and as it is.
        """


class GenerativeModel(Model):
    """A model that makes pictures; what else it can do, its methods say (see ``verbs.py``)."""

    levels: int = 256
    """Grey levels of the pictures whose likelihood is meant; 2: black and white, by chance."""
    classes: int | Sequence[int] = 0
    """Classes that the model knows, one number or one per task; 0 or empty: none."""

    def sample_steps(self, draws: Draws, images: Tensor | None = None, unknown: Tensor | None = None) -> Iterator[Tensor]:
        """The way to ``sample``, or with ``images`` to ``complete``: pictures again and again, the last ones finished.

        A model of many steps yields after each, so that somebody else may compute in between; all others do it at once.
        """
        verb = "sample" if images is None else "complete"
        if not hasattr(self, verb):
            raise NotImplementedError(f"{type(self).__name__} does not {verb}")
        yield self.sample(draws) if images is None else self.complete(draws, images, unknown)


class Translator(Model):
    """A model that turns pictures of one kind, A, into pictures of another, B; it learns from a set of pairs.

    It offers ``translate`` (see ``verbs.py``). The pictures of a training batch are (B, 2C, H, W).
    """

    sheet: ClassVar[str] = "rows of inputs, their translations and the true pictures, in turns"
    """What :meth:`examples` shows."""

    @property
    def training_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.image_shape
        return 2 * channels, height, width

    def examples(self, inputs: Tensor, partners: Tensor) -> Tensor:
        """A sheet to look at, eight to a row: pictures of kind A, under them their translations, under these the true ones."""
        return rows_of_eight(inputs, self.translate(inputs), partners)


class Restorer(Model):
    """A model that makes pictures larger by the factor ``scale``; it learns from large pictures, which it shrinks itself.

    It offers ``downscale`` and ``upscale`` (see ``verbs.py``), for pictures of any height and width.
    """

    sheet: ClassVar[str] = "rows of shrunk pictures, enlarged bicubically, enlarged by the model, and the true ones, in turns"
    """What :meth:`examples` shows."""

    @property
    def scale(self) -> int:
        """How many times as wide and as high a picture becomes."""
        return self.config["scale"]

    @property
    def damage(self) -> object:
        """What the model was trained to undo besides shrinking; as text, a sentence for the card."""
        raise NotImplementedError(f"{type(self).__name__} does not downscale")

    def examples(self, images: Tensor) -> Tensor:
        """A sheet to look at, eight to a row: true pictures, sides multiples of the scale, under what is made of them shrunk."""
        raise NotImplementedError(f"{type(self).__name__} has no examples")


def rows_of_eight(*kinds: Tensor) -> Tensor:
    """Pictures (N, C, H, W) of several kinds in turns, eight of each, so that what belongs together stands one under the other.

    A row with fewer than eight is filled with white.
    """
    rows = []
    for groups in zip(*(pictures.float().cpu().split(8) for pictures in kinds), strict=True):
        rows += [torch.cat([group, torch.ones(8 - len(group), *group.shape[1:])]) for group in groups]
    return torch.cat(rows)
