"""PixelCNN: writes a picture pixel by pixel, each from those above it and to its left.

van den Oord, Kalchbrenner, Kavukcuoglu 2016, "Pixel Recurrent Neural Networks", https://arxiv.org/abs/1601.06759
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gen_models.autoregressive._cached import Causal, Pointwise
from gen_models.autoregressive._causal import Autoregressive, CausalConv, as_map, dilated, offsets
from gen_models.base import Recipe


class ResidualBlock(nn.Module):
    """Half the channels, look around, back to all channels, and add (paper, figure 5 left)."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, width // 2, 1)
        self.look = CausalConv(width // 2, width // 2, kernel, itself=True)
        self.expand = nn.Conv2d(width // 2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.expand(relu(self.look(relu(self.reduce(relu(x))))))


class PixelCNN(Autoregressive):
    """Masked convolutions (paper, section 3.4); with its blind spot: nothing to the upper right is seen from far away.

    ``levels``: grey levels, 2 for black and white. ``blocks`` residual blocks of ``width`` channels, each with one convolution of
    ``kernel`` pixels.
    """

    title = "PixelCNN"
    year = 2016
    authors = "Aaron van den Oord, Nal Kalchbrenner, Koray Kavukcuoglu"
    paper = "https://arxiv.org/abs/1601.06759"
    summary = "It reads a picture like a page and predicts each pixel from those before it, so it can finish what you began."
    keywords = ("likelihood", "complete", "inpainting")
    differences = (
        "The residual blocks look at a 5 x 5 instead of a 3 x 3 neighbourhood, so that fewer blocks see as far.",
        "Masked weights are left out of the kernels instead of being set to zero; the function is the same.",
        "Adam with a falling rate and a moving average of the weights instead of RMSProp.",
    )
    limits = (
        "Strokes fit their neighbourhood better than the entire picture: some samples are not digits.",
        "It cannot look ahead: known pixels below or to the right of a hole do not guide what is written into it.",
        "A pixel is never revised once it is written.",
    )
    reported = {
        "nll-mnist": "81.30 nats (van den Oord 2016a, table 4: PixelCNN; the best PixelRNN there 79.20); "
        "not fully comparable: those are of one fixed binarised set, these of pictures binarised by chance",
    }
    headline = "nll-mnist"
    recipes = {
        "mnist": Recipe(
            steps=36_000, batch_size=32, decay_from=0.2, arguments=dict(size=28, levels=2, width=64, blocks=8),
            large=Recipe(
                steps=150_000, batch_size=128, decay_from=0.2, arguments=dict(size=28, levels=2, width=128, blocks=12),
            ),
        ),
        "fashion": Recipe(
            steps=16_000, batch_size=32, decay_from=0.2, arguments=dict(size=28, levels=8, width=64, blocks=8),
            large=Recipe(
                steps=150_000, batch_size=128, decay_from=0.2,
                arguments=dict(size=28, levels=16, width=128, blocks=12),
            ),
        ),
    }  # fmt: skip
    tiny = dict(size=16, levels=4, width=8, blocks=2, kernel=3)

    def __init__(
        self, size: int = 28, channels: int = 1, levels: int = 2, width: int = 64, blocks: int = 8, kernel: int = 5
    ) -> None:
        super().__init__()
        if channels != 1:
            raise ValueError("this model is for grey pictures, channels=1")
        self.size, self.levels = size, levels
        self.first = CausalConv(1, width, 7, itself=False)  # mask A: the pixel itself is what is to be guessed
        self.blocks = nn.Sequential(*(ResidualBlock(width, kernel) for _ in range(blocks)))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, levels, 1))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Pictures (B, 1, H, W) in [-1, 1] -> logits of every pixel's level given those before it, (B, levels, H, W)."""
        return self.head(self.blocks(self.first(images)))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"network": torch.optim.Adam(self.parameters(), lr=2e-3, fused=True)}

    def receptive_field(self, row: int, column: int) -> Tensor:
        places = {(row, column)}
        for block in reversed(self.blocks):
            reach = block.look.reach
            places = dilated(places, offsets(reach, reach, reach, itself=True), self.size)
        reach = self.first.reach
        return as_map(dilated(places, offsets(reach, reach, reach, itself=False), self.size), self.size)

    def network(self, count: int, labels: np.ndarray | None = None) -> CachedPixelCNN:
        return CachedPixelCNN(self, count)


class CachedPixelCNN:
    """:meth:`PixelCNN.forward`, a few pixels at a time."""

    def __init__(self, model: PixelCNN, batch: int) -> None:
        self.levels = model.levels
        self.first = Causal(model.first, batch, model.size)
        self.blocks = [
            (Pointwise(block.reduce), Causal(block.look, batch, model.size), Pointwise(block.expand)) for block in model.blocks
        ]
        self.head = Pointwise(model.head[1]), Pointwise(model.head[3])

    def next_row(self) -> None:
        self.first.next_row()
        for _, look, _ in self.blocks:
            look.next_row()

    def see(self, start: int, stop: int) -> np.ndarray:
        x = self.first.see(start, stop)
        for reduce, look, expand in self.blocks:
            look.write(np.maximum(reduce(np.maximum(x, 0)), 0), start, stop)
            x = x + expand(np.maximum(look.see(start, stop), 0))
        return x

    def logits(self, features: np.ndarray) -> np.ndarray:
        hidden, out = self.head
        return out(np.maximum(hidden(np.maximum(features, 0)), 0))

    def write(self, values: np.ndarray, start: int) -> None:
        pixels = values.reshape(-1, 1) * (2 / (self.levels - 1)) - 1
        self.first.write(pixels, start, start + values.shape[1])
