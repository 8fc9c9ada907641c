"""The cached sampler: each new pixel computes only what it adds.

A forward pass per pixel computes 28 x 28 pixels to use one of them. Here every layer keeps what it has computed. What the rows
above contribute to a row is one matrix product per layer and row; a pixel then adds only the few values to its left. A run of
known pixels is taken in one go. NumPy, because a step is a handful of small products, and calling one costs NumPy a microsecond.

The same arithmetic in another order: the pixels are those of the full passes (tests hold both against each other).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn


class Network(Protocol):
    """A network that is fed row after row, in each from the left."""

    def next_row(self) -> None:
        """The next row begins; all pixels of the one before have been written."""

    def see(self, start: int, stop: int) -> np.ndarray:
        """Bring the columns ``start`` to ``stop`` of the row up to date; features (B (stop - start), C) for :meth:`logits`."""

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Features (B, C) of one pixel -> logits (B, levels)."""

    def write(self, values: np.ndarray, start: int) -> None:
        """Put down the levels (B, n) of the columns from ``start``, whole numbers."""


def write_pixels(
    network: Network, levels: np.ndarray, unknown: np.ndarray, numbers: np.ndarray, temperature: float
) -> Iterator[np.ndarray]:
    """Fill in the unknown pixels of ``levels`` (B, H, W) in reading order, in place; yields it after each.

    ``unknown`` is (H, W) bool, ``numbers`` (B, H W) uniform in [0, 1).
    """
    _, height, width = levels.shape
    last = int(np.flatnonzero(unknown).max())
    for row in range(height):
        network.next_row()
        column = 0
        while column < width:
            stop = column + 1
            if not unknown[row, column]:
                while stop < width and not unknown[row, stop]:
                    stop += 1
                network.write(levels[:, row, column:stop], column)
                network.see(column, stop)
            else:
                logits = network.logits(network.see(column, stop))
                levels[:, row, column] = choose(logits / temperature, numbers[:, row * width + column])
                network.write(levels[:, row, column:stop], column)
                yield levels
                if row * width + column == last:
                    return
            column = stop


def choose(logits: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """One of the classes per row by inverting the cumulative distribution: logits (B, K), uniform numbers (B,) -> (B,)."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    cumulative = shares.cumsum(axis=1)
    return (cumulative[:, :-1] <= (numbers * cumulative[:, -1])[:, None]).sum(axis=1)


# ---- the layers, as they are fed --------------------------------------------------------------------------------------


def array(weight: Tensor) -> np.ndarray:
    """A weight as float32 on the CPU."""
    return weight.detach().float().cpu().numpy()


def product(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N, inputs) times (inputs, outputs); all arithmetic that matters goes through here, so that it can be counted."""
    return x @ weight


class Pointwise:
    """A 1 x 1 convolution: (N, inputs) -> (N, outputs)."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        self.weight = np.ascontiguousarray(array(convolution.weight)[:, :, 0, 0].T)
        self.bias = array(convolution.bias)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return product(x, self.weight) + self.bias


class Above:
    """A convolution over the last few rows, from kernel (outputs, inputs, rows, kernel); a row in, a row out."""

    def __init__(self, weight: Tensor, bias: Tensor, batch: int, width: int) -> None:
        kernel = array(weight)
        outputs, inputs, rows, self.kernel = kernel.shape
        self.weight = np.ascontiguousarray(kernel.transpose(2, 1, 3, 0).reshape(-1, outputs))  # (rows inputs kernel, outputs)
        self.bias = array(bias)
        self.reach = self.kernel // 2
        self.rows = np.zeros((batch, rows, width + 2 * self.reach, inputs), np.float32)

    def push(self, row: np.ndarray) -> None:
        """(B, W, inputs): the newest of the rows."""
        self.rows[:, :-1] = self.rows[:, 1:]
        self.rows[:, -1, self.reach : self.reach + row.shape[1]] = row

    def __call__(self) -> np.ndarray:
        """(B, W, outputs)."""
        windows = sliding_window_view(self.rows, self.kernel, axis=2)  # (B, rows, W, inputs, kernel)
        batch, _, width, _, _ = windows.shape
        flat = windows.transpose(0, 2, 1, 3, 4).reshape(batch * width, -1)
        return (product(flat, self.weight) + self.bias).reshape(batch, width, -1)


class Left:
    """What a pixel's own row adds to it, from kernel (outputs, inputs, 1, taps); ``base`` is what came from elsewhere."""

    def __init__(self, weight: Tensor, itself: bool, batch: int, width: int) -> None:
        kernel = array(weight)
        outputs, inputs, _, self.taps = kernel.shape
        self.weight = np.ascontiguousarray(kernel[:, :, 0].transpose(2, 1, 0).reshape(-1, outputs))  # (taps inputs, outputs)
        self.reach = self.taps - itself
        self.row = np.zeros((batch, self.reach + width, inputs), np.float32)
        self.base = np.zeros((batch, width, outputs), np.float32)

    def next_row(self, base: np.ndarray) -> None:
        """Begin a row to which ``base`` (B, W, outputs) is added."""
        self.base = base
        self.row[:] = 0.0

    def write(self, x: np.ndarray, start: int, stop: int) -> None:
        """(B (stop - start), inputs): the inputs of these columns."""
        if stop == start + 1:
            self.row[:, self.reach + start] = x
        else:
            self.row[:, self.reach + start : self.reach + stop] = x.reshape(len(self.row), stop - start, -1)

    def see(self, start: int, stop: int) -> np.ndarray:
        """(B (stop - start), outputs)."""
        batch = len(self.row)
        if stop == start + 1:
            seen = self.row[:, start : start + self.taps].reshape(batch, -1)
            return product(seen, self.weight) + self.base[:, start]
        windows = sliding_window_view(self.row[:, start : stop + self.taps - 1], self.taps, axis=1)  # (B, n, inputs, taps)
        flat = windows.transpose(0, 1, 3, 2).reshape(batch * (stop - start), -1)
        return product(flat, self.weight) + self.base[:, start:stop].reshape(len(flat), -1)

    @property
    def written(self) -> np.ndarray:
        """The row so far, (B, W, inputs)."""
        return self.row[:, self.reach :]


class Causal:
    """``CausalConv``: the rows above in one product a row, the pixels to the left one by one."""

    def __init__(self, convolution: nn.Module, batch: int, width: int) -> None:
        itself = convolution.left.shape[-1] > convolution.reach
        self.above = Above(convolution.above, convolution.bias, batch, width)
        self.left = Left(convolution.left, itself, batch, width)
        self.write, self.see = self.left.write, self.left.see

    def next_row(self) -> None:
        """The row so far is complete and becomes one of those above."""
        self.above.push(self.left.written)
        self.left.next_row(self.above())
