"""What several processes of one training share, so that their number decides nothing but the time.

Every process computes its own rows of the same batch. Three things would differ from one process that computes all rows, and are
shared here: the random numbers of a step (each process draws those of the whole batch and keeps its rows), the statistics of batch
normalisation (Ioffe and Szegedy 2015; taken over all processes), and the gradients (their mean). The weights are then the same up
to the rounding of sums. Not shared is what a model remembers of earlier batches, such as CycleGAN's earlier pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

FROM_SHAPE = {torch.rand, torch.randn, torch.randint}
FROM_TENSOR = {
    torch.rand_like, torch.randn_like, torch.randint_like, torch.bernoulli, torch.multinomial, torch.Tensor.bernoulli,
    torch.Tensor.multinomial, functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d,
}  # fmt: skip
IN_PLACE = {torch.Tensor.bernoulli_, torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.random_, torch.Tensor.exponential_}


class SharedDraws(TorchFunctionMode):
    """Within it, torch's random functions draw for a batch of ``batch`` rows and give those from ``first`` to ``first + count``.

    A shape or tensor belongs to the batch if its first side is ``count`` or a multiple (real and generated rows in one tensor);
    anything else, a single number for one, is drawn as it is and so is the same in every process.
    """

    def __init__(self, batch: int, first: int, count: int) -> None:
        super().__init__()
        self.batch, self.first, self.count = batch, first, count

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in FROM_SHAPE:
            return self._from_shape(func, args, kwargs)
        if func in FROM_TENSOR | IN_PLACE:
            tensor, *rest = args if args else (kwargs.pop("input"),)
            if self._has_rows(tensor.shape):
                drawn = self._rows(func(self._among_all(tensor), *rest, **kwargs))
                return tensor.copy_(drawn) if func in IN_PLACE else drawn
        return func(*args, **kwargs)

    def _from_shape(self, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Tensor:
        before = [value for value in args if not isinstance(value, tuple | list)] if func is torch.randint else []  # its bounds
        named = kwargs.pop("size", None)
        shape = named if named is not None else next((value for value in args if isinstance(value, tuple | list)), args)
        if not self._has_rows(shape):
            return func(*before, tuple(shape), **kwargs)
        return self._rows(func(*before, (shape[0] // self.count * self.batch, *shape[1:]), **kwargs))

    def _has_rows(self, shape: Iterable[int]) -> bool:
        shape = tuple(shape)
        return len(shape) > 0 and shape[0] > 0 and shape[0] % self.count == 0

    def _among_all(self, tensor: Tensor) -> Tensor:
        """The rows at their place in the whole batch, ones elsewhere, in the same memory layout: its order is that of drawing."""
        after = self.batch - self.first - self.count
        ones = [tensor.new_ones(rows, *tensor.shape[1:]) for rows in (self.first, after)]
        whole = torch.cat([piece for rows in tensor.split(self.count) for piece in (ones[0], rows, ones[1])])
        last = tensor.ndim == 4 and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last)
        return whole.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)

    def _rows(self, whole: Tensor) -> Tensor:
        return torch.cat([rows[self.first : self.first + self.count] for rows in whole.split(self.batch)])


def share_statistics(model: nn.Module) -> None:
    """Have every batch normalisation of a model take its statistics over all processes; names and state stay as they are."""
    for module in model.modules():
        shared = {nn.BatchNorm1d: SharedBatchNorm1d, nn.BatchNorm2d: SharedBatchNorm2d}.get(type(module))
        if shared:
            module.__class__ = shared


class _Sum(torch.autograd.Function):
    """The sum over all processes; what each of them sends back is summed, too."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(context, gradient.contiguous())


class _Shared:
    """Batch normalisation over all processes; ``nn.SyncBatchNorm`` is the same for GPUs alone."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        column = [1, -1] + [1] * (x.ndim - 2)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # half precision is too coarse for a sum over a batch
        count = x.numel() // x.shape[1] * torch.distributed.get_world_size()
        mean = _Sum.apply(wide.sum(dim=axes)) / count
        centred = wide - mean.view(column)
        variance = _Sum.apply(centred.square().sum(dim=axes)) / count
        if self.track_running_stats:
            self.num_batches_tracked.add_(1)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        result = centred * (variance + self.eps).rsqrt().view(column)
        if self.affine:
            result = result * self.weight.view(column) + self.bias.view(column)
        return result.to(x.dtype)


class SharedBatchNorm1d(_Shared, nn.BatchNorm1d):
    """(B, C) or (B, C, L)."""


class SharedBatchNorm2d(_Shared, nn.BatchNorm2d):
    """(B, C, H, W)."""


def average_gradients(accelerator: Accelerator, optimizer: torch.optim.Optimizer) -> None:
    """Give every process the mean of their gradients, sent as one vector: many small messages take longer than a large one."""
    parameters = [value for group in optimizer.param_groups for value in group["params"] if value.grad is not None]
    together = accelerator.reduce(torch.cat([value.grad.flatten() for value in parameters]), reduction="mean")
    for value, mean in zip(parameters, together.split([value.numel() for value in parameters]), strict=True):
        value.grad.copy_(mean.view_as(value))


def lost(error: Exception) -> bool:
    """Whether an error says that another process is gone: NCCL's has a class of its own, gloo's only a text."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error).lower()


def from_main(accelerator: Accelerator, function: Callable[[], Any]) -> Any:
    """What ``function`` returns or raises in the first process, in every process: they agree, and only one needs the files."""
    outcome: list[Any] = [None, None]
    if accelerator.is_main_process:
        try:
            outcome[0] = function()
        except Exception as error:  # it is raised again below, whatever it is
            outcome[1] = error
    if accelerator.num_processes > 1:
        broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]
