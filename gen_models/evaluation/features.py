"""The judge: a small classifier whose inner numbers stand for "what a picture looks like" in distances between sets of pictures.

Trained here on the labels of the same data set; it plays the part that an Inception network trained on ImageNet plays in
Heusel 2017 (https://arxiv.org/abs/1706.08500), so its distances compare with each other and with nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from gen_models.base import Batch, Model, Recipe, Update
from gen_models.layers import from_unit, pyramid

NUM_FEATURES = 128


class Features(Model):
    """Pictures in [0, 1] -> 128 features; beside them one linear classifier per task."""

    title = "Feature network"
    year = 2017
    authors = "after Martin Heusel, Hubert Ramsauer, Thomas Unterthiner, Bernhard Nessler, Sepp Hochreiter"
    paper = "https://arxiv.org/abs/1706.08500"
    summary = "A classifier trained here, whose 128 inner numbers measure how far generated pictures are from real ones."
    differences = ("A small classifier of this data set's own labels replaces Inception, which needs a download.",)
    limits = (
        "Its distances ignore what its labels do not need, such as backgrounds, and are blind to sharpness beyond that.",
        "Distances by networks of different data sets have different scales.",
    )
    recipes = {
        "mnist": Recipe(
            steps=2500, batch_size=128, decay_from=0.2, arguments=dict(size=28, channels=1, width=32, classes=[10])
        ),
        "fashion": Recipe(
            steps=4000, batch_size=128, decay_from=0.2, mirror=True, arguments=dict(size=28, channels=1, width=48, classes=[10])
        ),
        "faces": Recipe(
            steps=4000, decay_from=0.2, mirror=True, arguments=dict(size=64, channels=3, width=32, classes=[10, 2, 5])
        ),
    }
    tiny = dict(size=16, channels=1, width=4, classes=[3])
    num_features = NUM_FEATURES

    def __init__(self, size: int = 28, channels: int = 1, width: int = 32, classes: list[int] = [10]) -> None:  # noqa: B006
        super().__init__()
        start, levels = pyramid(size)
        blocks: list[nn.Module] = []
        previous = channels
        for level in range(levels):
            wide = width * 2**level
            blocks += [nn.Conv2d(previous, wide, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
            previous = wide
        self.body = nn.Sequential(
            *blocks, nn.Conv2d(previous, previous, 3, padding=1, bias=False), nn.BatchNorm2d(previous), nn.LeakyReLU(0.2),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * previous, NUM_FEATURES), nn.ReLU(),
        )  # fmt: skip
        self.heads = nn.ModuleList(nn.Linear(NUM_FEATURES, count) for count in classes)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"classifier": torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.02, fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        images, labels = batch
        logits = self.logits(self.body(images).float())
        yield "classifier", {
            f"task{task}": cross_entropy(scores, labels[:, task], label_smoothing=0.05) for task, scores in enumerate(logits)
        }

    def logits(self, features: Tensor) -> list[Tensor]:
        """(B, 128) -> per task (B, classes)."""
        return [head(features) for head in self.heads]

    def features(self, images: Tensor) -> Tensor:
        """Pictures in [0, 1] of any size, (B, C, H, W), or bytes -> (B, 128), float32."""
        if images.dtype == torch.uint8:
            images = images.float() / 255
        channels, size, _ = self.image_shape
        if images.shape[1] != channels:
            images = images.mean(dim=1, keepdim=True).expand(-1, channels, -1, -1)
        if images.shape[-1] != size:
            images = interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        return self.body(from_unit(images.to(self.device))).float()

    def forward(self, images: Tensor) -> Tensor:
        """The features."""
        return self.features(images)

    def predict(self, images: Tensor) -> Tensor:
        """The most likely class per task, (B, T) int64."""
        return torch.stack([scores.argmax(dim=1) for scores in self.logits(self(images))], dim=1)
