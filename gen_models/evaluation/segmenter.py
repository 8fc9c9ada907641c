"""The reader of photographs: a small network that recovers the label map from a photograph.

Trained on real pairs, it judges translations from labels to photographs: if it finds the labels again in a translated picture, the
picture shows what it was asked to show. The idea is the "FCN score" of Isola 2017, section 4.1 (https://arxiv.org/abs/1611.07004).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from gen_models.base import Batch, Model, Recipe, Update
from gen_models.layers import from_unit

FACADES = [
    "0000dd", "0030ff", "007fff", "00cdff", "20ffde", "70ff8f", "c0ff3f", "ffef00", "ff9f00", "ff5000", "ff0000", "ac0000",
]  # fmt: skip
"""Colours of the labels of CMP Facades: background, wall, window, door, then the smaller parts."""


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Segmenter(Model):
    """Photographs (B, C, H, W) in [0, 1], sides multiples of 16 -> the most likely label of every pixel.

    ``colours``: what each label looks like in a label map, hexadecimal. Four halvings, and what was found on the way down is added
    on the way up.
    """

    title = "Segmenter"
    year = 2017
    authors = "after Phillip Isola, Jun-Yan Zhu, Tinghui Zhou, Alexei A. Efros"
    paper = "https://arxiv.org/abs/1611.07004"
    summary = "A network trained here on real pairs, which looks for the labels in a photograph made from them."
    differences = ("A small network trained on the same set's pairs replaces the paper's FCN-8s, trained on Cityscapes.",)
    limits = ("It confuses the small parts of a facade but knows walls and windows well: mind the accuracy per label.",)
    recipes = {
        "facades": Recipe(steps=2500, batch_size=4, mirror=True, jitter=286 / 256, decay_from=0.2, arguments=dict(size=256)),
    }
    tiny = dict(size=32, channels=3, width=4, colours=["000000", "ffffff", "ff0000"])

    def __init__(
        self, size: int = 256, channels: int = 3, width: int = 24, colours: list[str] = FACADES  # noqa: B006
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [width * factor for factor in (1, 2, 4, 4, 4)]
        self.enter = _layer(channels, width)
        self.down = nn.ModuleList(
            nn.Sequential(_layer(before, after, stride=2), _layer(after, after))
            for before, after in zip(widths, widths[1:], strict=False)
        )
        self.up = nn.ModuleList(nn.Conv2d(after, before, 1) for before, after in zip(widths, widths[1:], strict=False))
        self.head = nn.Sequential(_layer(width, width), nn.Dropout2d(0.2), nn.Conv2d(width, len(colours), 1))
        self.register_buffer("palette", torch.tensor([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in colours]) / 255)

    @property
    def training_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.image_shape
        return 2 * channels, height, width

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"network": torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.02, fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        maps, photos = batch[0].chunk(2, dim=1)
        yield "network", {"labels": cross_entropy(self(photos).float(), self.labels(maps * 0.5 + 0.5), label_smoothing=0.05)}

    def forward(self, photos: Tensor) -> Tensor:
        """Photographs in [-1, 1] -> logits (B, labels, H, W)."""
        x = self.enter(photos)
        found = []
        for down in self.down:
            found.append(x)
            x = down(x)
        for up, side in zip(reversed(self.up), reversed(found), strict=True):
            x = side + interpolate(up(x), scale_factor=2, mode="nearest")
        return self.head(x)

    def labels(self, maps: Tensor) -> Tensor:
        """Label maps (B, 3, H, W) in [0, 1] -> the label whose colour is nearest, (B, H, W) int64."""
        pixels = maps.to(self.device).float().permute(0, 2, 3, 1)
        return torch.cdist(pixels.flatten(1, 2), self.palette.expand(len(pixels), -1, -1)).argmin(dim=2).view(pixels.shape[:3])

    def segment(self, photos: Tensor) -> Tensor:
        """Photographs (B, C, H, W) in [0, 1] -> labels (B, H, W) int64."""
        return self(from_unit(photos.to(self.device))).float().argmax(dim=1)
