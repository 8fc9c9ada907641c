"""The smallest model there can be: copy it to ``gen_models/<family>/<model>.py`` and replace what is in it.

State here what the model does, with the paper: Author, Author Year, "Title", https://arxiv.org/abs/0000.00000
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gen_models.base import Batch, Draws, GenerativeModel, Recipe, Update
from gen_models.layers import to_unit


class Template(GenerativeModel):
    """A Gaussian for each pixel, independent of the others: what the paper's equation says, in the paper's symbols."""

    title = "Template"
    year = 1809
    authors = "Carl Friedrich Gauss"
    paper = "https://archive.org/details/theoriamotuscor00gausgoog"
    summary = "Every pixel has a mean and a spread of its own, and knows nothing of the others."
    keywords = ("mean picture",)
    differences = ("What is done differently from the paper, a sentence each.",)
    limits = ("Where it fails, a sentence each: pixels that belong together are drawn apart.",)
    recipes = {
        "fashion": Recipe(steps=500, batch_size=64, precision="no", arguments=dict(size=28, channels=1)),
        "folder": Recipe(steps=500, batch_size=64, precision="no", arguments=dict(size=32, channels=3)),
    }
    tiny = dict(size=16, channels=1)

    def __init__(self, size: int = 28, channels: int = 1) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(channels, size, size))
        self.log_spread = nn.Parameter(torch.zeros(channels, size, size))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"both": torch.optim.Adam(self.parameters(), lr=1e-2)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        images, _ = batch
        yield "both", {"nll": -self.log_density(images).mean()}

    def log_density(self, images: Tensor) -> Tensor:
        """log p(x) in nats of pictures (B, C, H, W) in [-1, 1] as real numbers, (B,)."""
        scaled = (images - self.mean) * torch.exp(-self.log_spread)
        return -(0.5 * scaled.square() + self.log_spread + 0.5 * math.log(2 * math.pi)).sum(dim=(1, 2, 3))

    def sample(self, draws: Draws) -> Tensor:
        """The mean and a draw of the spread of every pixel, one picture per row of ``draws``."""
        noise = draws.normal(*self.mean.shape).to(self.mean)
        return to_unit(self.mean + self.log_spread.exp() * noise)
