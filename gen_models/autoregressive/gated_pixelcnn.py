"""Gated PixelCNN: two stacks of convolutions leave no blind spot within their reach, and gates decide what passes.

van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu 2016, "Conditional Image Generation with PixelCNN Decoders",
https://arxiv.org/abs/1606.05328
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from gen_models.autoregressive._cached import Above, Left, Pointwise, array
from gen_models.autoregressive._causal import Autoregressive, as_map, dilated, offsets
from gen_models.base import Recipe


def gate(x: Tensor) -> Tensor:
    """(B, 2 C, H, W) -> tanh of one half times the sigmoid of the other, (B, C, H, W) (paper, eq. 2)."""
    value, weight = x.chunk(2, dim=1)
    return torch.tanh(value) * torch.sigmoid(weight)


class GatedLayer(nn.Module):
    """One layer of both stacks (paper, figure 2).

    The vertical stack sees all rows above; the horizontal one the pixels to the left, and the vertical stack at its own place. In
    the ``first`` layer the inputs are pixels: the vertical stack leaves out the present row, the horizontal one the present pixel.
    """

    def __init__(self, inputs: int, width: int, kernel: int, classes: int, first: bool = False) -> None:
        super().__init__()
        self.first, self.reach = first, kernel // 2
        rows, taps = self.reach + (not first), self.reach + (not first)
        self.vertical = nn.Parameter(torch.empty(2 * width, inputs, rows, kernel))
        self.horizontal = nn.Parameter(torch.empty(2 * width, inputs, 1, taps))
        for weight in (self.vertical, self.horizontal):
            bound = 1 / math.sqrt(weight[0].numel())
            nn.init.uniform_(weight, -bound, bound)
        self.vertical_bias = nn.Parameter(torch.zeros(2 * width))
        self.link = nn.Conv2d(2 * width, 2 * width, 1)  # its bias is that of the horizontal stack
        self.out = nn.Conv2d(width, width, 1)
        # the class shifts both stacks (paper, eq. 4)
        self.shift = nn.Parameter(torch.zeros(classes, 2, 2 * width)) if classes else None

    def forward(self, v: Tensor, h: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Vertical and horizontal features (B, inputs, H, W) -> both, (B, width, H, W)."""
        reach, height = self.reach, v.shape[2]
        v = conv2d(pad(v, (reach, reach, reach, 0)), self.vertical, self.vertical_bias)[:, :, :height]
        across = conv2d(pad(h, (reach, 0, 0, 0)), self.horizontal)[..., : h.shape[3]]
        across = across + self.link(v)
        if self.shift is not None:
            down, right = self.shift[labels].to(v.dtype).unbind(dim=1)
            v, across = v + down[..., None, None], across + right[..., None, None]
        passed = self.out(gate(across))
        return gate(v), passed if self.first else h + passed


class GatedPixelCNN(Autoregressive):
    """No blind spot, and it can be told what to write (paper, sections 2.2 to 2.4).

    ``levels``: grey levels, 2 for black and white. ``layers`` of ``width`` channels; ``classes`` that it is told, 0 for none.
    """

    title = "Gated PixelCNN"
    year = 2016
    authors = "Aaron van den Oord, Nal Kalchbrenner, Oriol Vinyals, Lasse Espeholt, Alex Graves, Koray Kavukcuoglu"
    paper = "https://arxiv.org/abs/1606.05328"
    summary = "Two stacks of convolutions, above and beside the pixel, leave no blind spot, and a class says what to write."
    keywords = ("likelihood", "complete", "inpainting")
    differences = (
        "Adam with a falling rate and a moving average of the weights instead of RMSProp.",
        "No skip connections from the layers to the output; the horizontal stack's residual carries everything.",
    )
    limits = (
        "Its reach is that of nine small kernels: halfway down the right edge it sees 143 of the 419 pixels before it, where the "
        "plain model, with a blind spot but larger kernels, sees 299.",
        "It cannot look ahead: known pixels below or to the right of a hole do not guide what is written into it.",
        "A pixel is never revised once it is written.",
    )
    reported = {
        "nll-mnist": "81.30 nats for PixelCNN, 79.20 for the best PixelRNN (van den Oord 2016a, table 4); the gated paper gives "
        "none for MNIST; not fully comparable: another binarisation, and this model was told the classes of its training pictures",
    }
    headline = "nll-mnist"
    recipes = {
        "mnist": Recipe(
            steps=27_000, batch_size=32, decay_from=0.2, arguments=dict(size=28, levels=2, width=32, layers=9, classes=10),
            large=Recipe(
                steps=150_000, batch_size=128, decay_from=0.2,
                arguments=dict(size=28, levels=2, width=96, layers=14, classes=10),
            ),
        ),
        "fashion": Recipe(
            steps=15_000, batch_size=32, decay_from=0.2, arguments=dict(size=28, levels=8, width=32, layers=9, classes=10),
            large=Recipe(
                steps=150_000, batch_size=128, decay_from=0.2,
                arguments=dict(size=28, levels=16, width=96, layers=14, classes=10),
            ),
        ),
    }  # fmt: skip
    tiny = dict(size=16, levels=4, width=6, layers=3, classes=3)

    def __init__(
        self, size: int = 28, channels: int = 1, levels: int = 2, width: int = 32, layers: int = 9, kernel: int = 3,
        classes: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if channels != 1:
            raise ValueError("this model is for grey pictures, channels=1")
        self.size, self.levels, self.classes = size, levels, classes
        self.layers = nn.ModuleList(
            GatedLayer(1 if index == 0 else width, width, 7 if index == 0 else kernel, classes, first=index == 0)
            for index in range(layers)
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(width, 2 * width, 1), nn.ReLU(), nn.Conv2d(2 * width, levels, 1))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Pictures (B, 1, H, W) in [-1, 1], labels (B,) -> logits (B, levels, H, W)."""
        v = h = images
        for layer in self.layers:
            v, h = layer(v, h, labels)
        return self.head(h)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"network": torch.optim.Adam(self.parameters(), lr=2e-3, fused=True)}

    def receptive_field(self, row: int, column: int) -> Tensor:
        down: set[tuple[int, int]] = set()
        across = {(row, column)}
        for layer in reversed(self.layers):
            rows, itself = layer.vertical.shape[2], not layer.first
            square = [(-up, right) for up in range(rows) for right in range(-layer.reach, layer.reach + 1)]
            if layer.first:  # it leaves out the present row
                square = [(up - 1, right) for up, right in square]
            down = dilated(down | across, square, self.size)
            across = dilated(across, offsets(0, 0, layer.reach, itself), self.size)
        return as_map(down | across, self.size)

    def network(self, count: int, labels: np.ndarray | None = None) -> CachedGatedPixelCNN:
        return CachedGatedPixelCNN(self, count, labels)


class CachedGatedPixelCNN:
    """:meth:`GatedPixelCNN.forward`: the vertical stack a row at a time, the horizontal one a few pixels at a time."""

    def __init__(self, model: GatedPixelCNN, batch: int, labels: np.ndarray | None) -> None:
        self.levels, size = model.levels, model.size
        self.pixels = np.zeros((batch, size, 1), np.float32)  # the row above, once it is complete
        self.layers = []
        for layer in model.layers:
            shift = array(layer.shift)[labels] if layer.shift is not None else np.zeros((batch, 2, 1), np.float32)
            self.layers.append((
                Above(layer.vertical, layer.vertical_bias, batch, size),
                Left(layer.horizontal, not layer.first, batch, size),
                Pointwise(layer.link), Pointwise(layer.out), shift[:, :1], shift[:, 1:],
            ))  # fmt: skip
        self.head = Pointwise(model.head[1]), Pointwise(model.head[3])

    def next_row(self) -> None:
        v = self.pixels
        for vertical, horizontal, link, _, down, right in self.layers:
            vertical.push(v)
            v = vertical()
            linked = link(v.reshape(-1, v.shape[-1])).reshape(v.shape)
            horizontal.next_row(linked + right)
            v = _gate(v + down)
        self.pixels = np.zeros_like(self.pixels)

    def see(self, start: int, stop: int) -> np.ndarray:
        h = None
        for _, horizontal, _, out, _, _ in self.layers:
            if h is not None:
                horizontal.write(h, start, stop)
            passed = out(_gate(horizontal.see(start, stop)))
            h = passed if h is None else h + passed
        return h

    def logits(self, features: np.ndarray) -> np.ndarray:
        hidden, out = self.head
        return out(np.maximum(hidden(np.maximum(features, 0)), 0))

    def write(self, values: np.ndarray, start: int) -> None:
        stop = start + values.shape[1]
        pixels = values * (2 / (self.levels - 1)) - 1
        self.layers[0][1].write(pixels.reshape(-1, 1), start, stop)
        self.pixels[:, start:stop, 0] = pixels


def _gate(x: np.ndarray) -> np.ndarray:
    """:func:`gate` with the channels last; sigmoid(x) = (1 + tanh(x / 2)) / 2."""
    half = x.shape[-1] // 2
    return np.tanh(x[..., :half]) * (0.5 + 0.5 * np.tanh(0.5 * x[..., half:]))
