"""A training in memory, one update at a time, for a page in which people watch it.

It knows no model: the losses come from ``training_step``, as for the trainer. Everything that a step draws at random follows from
the seed and the number of steps before it, so the same seed and the same settings give the same run on a CPU, whoever else trains.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from threading import Lock

import numpy as np
import torch

from gen_models.base import Batch, Model

_drawing = Lock()
"""Torch's generator of random numbers belongs to the process: one update at a time may have it."""
LARGEST = 1e5
"""A loss beyond it does not come back."""


class Diverged(ValueError):
    """A training has left all bounds; the message is one sentence that names the loss and the cure."""


class Live:
    """A model and its optimizers between two updates.

    ``build``: makes the model, its random start drawn from ``seed``. ``batches``: number of the step -> (examples, labels).
    """

    def __init__(self, build: Callable[[], Model], batches: Callable[[int], Batch], seed: int) -> None:
        self.batches, self.seed, self.steps = batches, seed, 0
        self.losses: dict[str, list[tuple[int, float]]] = {}
        """Optimizer -> (step, loss) of all its updates."""
        with _drawing, torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            self._seed(0)
            self.model = build().train()
            self.optimizers = self.model.optimizers()

    def set_rate(self, rate: float) -> None:
        """Learning rate of every optimizer from the next update on."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate

    def step(self, only: str | None = None) -> None:
        """One step of the training: every update that the model asks for, or those of one optimizer.

        Raises:
            Diverged: if a loss is no number, or beyond ``LARGEST``; the weights are not to be used then.
            KeyError: if there is no optimizer ``only``.
        """
        if only is not None and only not in self.optimizers:
            raise KeyError(only)
        with _drawing, torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            self._seed(self.steps + 1)
            for name, terms in self.model.training_step(self.batches(self.steps)):
                if only not in (None, name):
                    continue
                loss = sum(terms.values())
                value = float(loss.detach())
                if not math.isfinite(value) or abs(value) > LARGEST:
                    raise Diverged(
                        f"The loss of the {name} is {'no number any more' if not math.isfinite(value) else f'{value:.0e}'} after "
                        f"{self.steps:,} steps: lower the learning rate and begin again."
                    )
                self.optimizers[name].zero_grad(set_to_none=True)
                loss.backward()
                self.optimizers[name].step()
                self.losses.setdefault(name, []).append((self.steps, value))
        self.steps += 1

    def _seed(self, number: int) -> None:
        # the generator of the processor alone: that of a graphics card is nobody's here
        # and it reads 32 bits of what it is given, so both numbers are mixed into these
        mixed = np.random.SeedSequence([self.seed, number]).generate_state(1)
        torch.default_generator.manual_seed(int(mixed[0]))
