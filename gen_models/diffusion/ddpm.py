"""DDPM: a network learns to take noise off pictures, a little at a time; what begins as noise alone ends as a picture.

Ho, Jain, Abbeel 2020, "Denoising Diffusion Probabilistic Models", https://arxiv.org/abs/2006.11239
Sampled as in Song, Meng, Ermon 2021, "Denoising Diffusion Implicit Models", https://arxiv.org/abs/2010.02502 (DDIM), and guided as
in Ho, Salimans 2022, "Classifier-Free Diffusion Guidance", https://arxiv.org/abs/2207.12598
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from operator import mul
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, mse_loss, pixel_shuffle, pixel_unshuffle, scaled_dot_product_attention, silu
from torch.nn.utils import clip_grad_norm_

from gen_models.base import Batch, Draws, GenerativeModel, Recipe, Update
from gen_models.layers import from_unit, to_unit

GROUPS = 4
"""Of a group normalisation: with fewer than 16 channels in a group it takes a processor longer than the convolution."""
ADDS = ((0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0))
"""Which taps of a 3 x 3 kernel add up to those of a 4 x 4 one, per axis (see :class:`Enlarge`)."""
SONG = {
    (0, 10): 13.36, (0, 20): 6.84, (0, 50): 4.67, (0, 100): 4.16, (1, 10): 41.07, (1, 20): 18.36, (1, 50): 8.01, (1, 100): 5.78,
}  # fmt: skip
"""(eta, steps) -> Frechet distance on CIFAR-10 by Inception features (Song 2021, table 1)."""


# ---- the noise schedule -------------------------------------------------------------------------------------------------


def cosine_schedule(times: int) -> list[float]:
    """alpha-bar after 0, 1, ..., ``times`` steps of noise: the signal's share of the variance.

    Nichol and Dhariwal 2021 (https://arxiv.org/abs/2102.09672), eq. 17, with no step's beta above 0.999.
    """
    shares = [math.cos((time / times + 0.008) / 1.008 * math.pi / 2) ** 2 for time in range(times + 1)]
    kept = (max(later / share, 0.001) for share, later in pairwise(shares))
    return list(accumulate(kept, mul, initial=1.0))


# ---- the network --------------------------------------------------------------------------------------------------------


class Residual(nn.Module):
    """Two convolutions, conditioned on the time and the class (Ho 2020, appendix B): (B, inputs, H, W) -> (B, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, conditions: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(GROUPS, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(GROUPS, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shift = nn.Linear(conditions, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        hidden = self.conv1(silu(self.norm1(x), inplace=True)) + shift[:, :, None, None]
        return self.skip(x) + self.conv2(silu(self.norm2(hidden), inplace=True))


class Attention(nn.Module):
    """Every pixel looks at every other one (Ho 2020, appendix B), with one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.ask, self.out = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        asked = self.ask(self.norm(x)).permute(0, 2, 3, 1).flatten(1, 2)  # (B, H W, 3 C), as channels_last lies in memory
        query, key, value = asked[:, None].chunk(3, dim=-1)
        seen = scaled_dot_product_attention(query, key, value)[:, 0]
        return x + self.out(seen.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2))


class Enlarge(nn.Module):
    """Every pixel becomes 2 x 2, then a 3 x 3 convolution (Ho 2020, appendix B), both at once.

    Equal pixels meet several taps of the kernel. With these added beforehand the same is a transposed convolution of 4 x 4 taps,
    of which 2 x 2 meet a pixel: 4/9 of the work.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def kernel(self) -> Tensor:
        """The 4 x 4 taps."""
        adds = torch.tensor(ADDS, device=self.conv.weight.device, dtype=self.conv.weight.dtype)
        return torch.einsum("ar,oirs,bs->ioab", adds, self.conv.weight, adds).contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, kernel: Tensor) -> Tensor:
        return conv_transpose2d(x, kernel, self.conv.bias, stride=2, padding=1)


class UNet(nn.Module):
    """Pictures (B, channels, H, W), times and classes -> (B, channels, H, W) (Ho 2020, appendix B).

    ``widths``: channels of each level, from the finest; each halves the side of the one before. On the way up a level takes in
    everything that it kept on the way down. The coarsest ``attention`` levels have attention.
    """

    def __init__(self, channels: int, widths: Sequence[int], attention: int, classes: Sequence[int]) -> None:
        super().__init__()
        conditions = 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(widths[0], conditions), nn.SiLU(), nn.Linear(conditions, conditions))
        self.classes = nn.ModuleList(nn.Embedding(count + 1, conditions) for count in classes)  # the last row: no class
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        looks = [level >= len(widths) - attention for level in range(len(widths))]
        kept, width = [widths[0]], widths[0]
        self.down = nn.ModuleList()
        for level, wide in enumerate(widths):
            if level:
                self.down.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                kept.append(width)
            self.down.append(Level(width, wide, conditions, looks[level]))
            kept.append(wide)
            width = wide
        self.middle = nn.ModuleList([Level(width, width, conditions, True), Level(width, width, conditions, False)])
        self.up = nn.ModuleList()
        for level, wide in reversed(list(enumerate(widths))):
            for _ in range(2):
                self.up.append(Level(width + kept.pop(), wide, conditions, looks[level]))
                width = wide
            if level:
                self.up.append(Enlarge(width))
        self.norm, self.last = nn.GroupNorm(GROUPS, width), nn.Conv2d(width, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def shifts(self, times: Tensor, labels: Tensor) -> list[Tensor]:
        """What conditions every residual block: times (B,) and labels (B, tasks) -> one (B, outputs) for each, in order."""
        half = self.time[0].in_features // 2
        speeds = torch.exp(-math.log(10_000) * torch.arange(half, device=times.device) / half)
        angles = times[:, None] * speeds
        conditions = self.time(torch.cat([angles.cos(), angles.sin()], dim=1))
        for table, column in zip(self.classes, labels.unbind(1), strict=True):
            conditions = conditions + table(column)
        conditions = silu(conditions)
        return [level.residual.shift(conditions) for level in (*self.down, *self.middle, *self.up) if isinstance(level, Level)]

    def kernels(self) -> list[Tensor]:
        """The kernels that enlarge, in order."""
        return [layer.kernel() for layer in self.up if isinstance(layer, Enlarge)]

    def forward(self, x: Tensor, shifts: Sequence[Tensor], kernels: Sequence[Tensor]) -> Tensor:
        waiting, enlarging = iter(shifts), iter(kernels)
        x = self.first(x)
        kept = [x]
        for layer in self.down:
            x = layer(x, next(waiting)) if isinstance(layer, Level) else layer(x)
            kept.append(x)
        for layer in self.middle:
            x = layer(x, next(waiting))
        for layer in self.up:
            x = layer(torch.cat([x, kept.pop()], dim=1), next(waiting)) if isinstance(layer, Level) else layer(x, next(enlarging))
        return self.last(silu(self.norm(x), inplace=True))


class Level(nn.Module):
    """A residual block, and attention if ``looks``."""

    def __init__(self, inputs: int, outputs: int, conditions: int, looks: bool) -> None:
        super().__init__()
        self.residual = Residual(inputs, outputs, conditions)
        self.attention = Attention(outputs) if looks else nn.Identity()

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        return self.attention(self.residual(x, shift))


# ---- the model ----------------------------------------------------------------------------------------------------------


class State(NamedTuple):
    """How far a picture has come; pictures (B, C, H, W) in [0, 1], what lies outside cut off."""

    noisy: Tensor
    """x_t."""
    clean: Tensor
    """The network's guess, from x_t, of what it ends as."""
    done: int
    """Passes through the network so far, less the one that made ``clean``; at ``total`` both are the finished picture."""
    total: int


class DDPM(GenerativeModel):
    """The network and the two processes: noise is added in ``times`` steps, and taken off in any smaller number of them.

    ``patch``: side of the squares of pixels that go through the network as one, with more channels. ``classes``: how many classes
    each of the first columns of the labels has; none: the network gets the time alone. ``dropped``: share of training pictures
    whose classes it does not get.
    """

    title = "DDPM"
    year = 2020
    authors = "Jonathan Ho, Ajay Jain, Pieter Abbeel"
    paper = "https://arxiv.org/abs/2006.11239"
    summary = "A network learns to remove noise a little at a time; started from pure noise, it ends with a picture."
    keywords = ("denoise", "inpainting", "fill in", "edit", "face")
    differences = (
        "The network predicts v, a mix of noise and picture (Salimans and Ho 2022), not the noise: on the way from predicted "
        "noise to a picture, an error is divided by the signal that is left, which is nearly nothing at first; short training and "
        "few steps cannot afford that.",
        "The noise follows the cosine schedule of Nichol and Dhariwal 2021, since for pictures this small the linear one spends "
        "many of its steps on pure noise.",
        "Sampling takes 50 steps without new noise (DDIM, Song 2021) in place of 1,000 with it; what each step guesses the picture "
        "to be is cut off at black and white.",
        "The network is given the class, except in a tenth of the pictures (Ho and Salimans 2022), so that it can be guided.",
        "Squares of 2 x 2 pixels go through the network as one (Hoogeboom 2023), which has one residual block a level on the way "
        "down and 2.8 million weights (the paper's for CIFAR-10: two and 35.7 million).",
        "The times of a batch are spread evenly (Kingma 2021), the rate begins five times as high, at 1e-3, and falls to zero, and "
        "the moving average's decay is 0.999.",
    )
    limits = (
        "It was trained for two hours at most on a busy desktop's processor: a few samples do not quite belong to any class.",
        "On faces, sampling with noise is closer to real pictures from 50 steps on; in Song 2021 it is not, up to 100.",
        "Strong guidance makes the pictures of a class alike and their colours garish.",
        "It does not say here how likely a picture is; the paper gives a bound.",
    )
    headline = "frechet-fashion"
    reported = {
        f"kernel-eta{eta}-{steps}-{data}": f"not comparable; Frechet distance on CIFAR-10: {distance} (Song 2021, table 1)"
        for data in ("mnist", "fashion", "faces") for (eta, steps), distance in SONG.items()
    }  # fmt: skip
    recipes = {
        data: Recipe(
            steps=12_000,
            warm_up=300,
            decay_from=0.3,
            arguments=dict(size=28, channels=1, classes=[10]),
            large=Recipe(steps=100_000, batch_size=128, warm_up=1000, ema=0.9995, arguments=dict(
                size=28, channels=1, classes=[10], patch=1, widths=[64, 128, 256], attention=2
            )),
            paper=f"no {pictures}; CIFAR-10: 800,000 steps of 128 pictures",
        )
        for data, pictures in (("mnist", "digits"), ("fashion", "clothes"))
    } | {
        "faces": Recipe(
            steps=10_000,
            warm_up=300,
            decay_from=0.3,
            mirror=True,
            arguments=dict(size=32, channels=3, classes=[10, 2]),
            large=Recipe(steps=200_000, batch_size=128, warm_up=1000, ema=0.9999, mirror=True, arguments=dict(
                size=64, channels=3, classes=[10, 2], widths=[128, 256, 384], attention=2
            )),
            paper="CelebA-HQ 256: 500,000 steps of 64 pictures",
        ),
        "folder": Recipe(
            steps=10_000, warm_up=300, decay_from=0.3, mirror=True, arguments=dict(size=32, channels=3)
        ),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, widths=[8, 16], classes=[2, 3], times=100)

    def __init__(
        self, size: int = 32, channels: int = 3, patch: int = 2, widths: list[int] = [64, 128], attention: int = 1,  # noqa: B006
        classes: list[int] = [], times: int = 1000, dropped: float = 0.1,  # noqa: B006
    ) -> None:  # fmt: skip
        super().__init__()
        if size % (patch * 2 ** (len(widths) - 1)):
            raise ValueError(f"pictures of {size} pixels cannot be halved {len(widths) - 1} times in patches of {patch}")
        self.patch, self.classes, self.times, self.dropped = patch, tuple(classes), times, dropped
        shares = cosine_schedule(times)
        self.signal, self.noise = [math.sqrt(share) for share in shares], [math.sqrt(1 - share) for share in shares]
        """Standard deviation of what is left of a picture, and of the noise over it, after 0, 1, ..., ``times`` steps."""
        self.network = UNet(channels * patch**2, widths, attention, classes)
        self.register_buffer("counts", torch.ones(math.prod(classes)))  # how often each combination of classes was seen

    # ---- training (paper, algorithm 1) ------------------------------------------------------------------------------------

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        rate = 1e-3 * min(1.0, 64 / self.config["widths"][0])  # a wider network diverges at the rate that suits this one best
        adam = torch.optim.Adam(self.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)

        def cut(*_: object) -> None:
            clip_grad_norm_(self.parameters(), 1.0)

        adam.register_step_pre_hook(cut)  # one bad batch must not undo a training; the paper's code does the same
        return {"network": adam}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        images, labels = batch
        labels = labels[:, : len(self.classes)]
        if self.classes:
            self.counts += torch.bincount(self._combination(labels), minlength=len(self.counts))
        count, device = len(images), images.device
        # evenly spread over the batch, from one random start (Kingma 2021, https://arxiv.org/abs/2107.00630, appendix I.1)
        times = ((torch.rand(1, device=device) + torch.arange(count, device=device) / count) % 1 * self.times).long() + 1
        alpha, sigma = (torch.tensor(table, device=device)[times, None, None, None] for table in (self.signal, self.noise))
        noise = torch.randn_like(images)
        dropped = torch.rand(count, 1, device=device) < self.dropped
        found = self.velocity(alpha * images + sigma * noise, times, torch.where(dropped, self._no_class(labels), labels))
        yield "network", {"v": mse_loss(found.float(), alpha * noise - sigma * images)}

    def velocity(self, noisy: Tensor, times: Tensor, labels: Tensor) -> Tensor:
        """v = alpha noise - sigma picture (Salimans and Ho 2022, https://arxiv.org/abs/2202.00512, section 4), (B, C, H, W).

        ``noisy``: x_t in about [-1, 1]; ``times`` (B,) from 1 to ``times``; ``labels`` (B, tasks), the number of classes meaning
        no class.
        """
        return self._through(noisy, self.network.shifts(times, labels), self.network.kernels())

    def _through(self, noisy: Tensor, shifts: Sequence[Tensor], kernels: Sequence[Tensor]) -> Tensor:
        patches = pixel_unshuffle(noisy, self.patch).contiguous(memory_format=torch.channels_last)
        return pixel_shuffle(self.network(patches, shifts, kernels), self.patch)

    # ---- classes ----------------------------------------------------------------------------------------------------------

    def _combination(self, labels: Tensor) -> Tensor:
        """Classes (B, tasks) -> one number for all of them, (B,)."""
        number = torch.zeros_like(labels[:, 0])
        for column, count in zip(labels.unbind(1), self.classes, strict=True):
            number = number * count + column
        return number

    def _no_class(self, labels: Tensor) -> Tensor:
        """The labels that stand for no class, (B, tasks)."""
        return torch.tensor(self.classes, dtype=torch.long, device=labels.device).expand(len(labels), -1)

    def labels(self, draws: Draws, label: int | Sequence[int | None] | None = None) -> Tensor:
        """Classes for each row of ``draws``, (count, tasks): those of ``label``, what is None in it drawn as often as in training.

        Raises:
            ValueError: if there is no such class.
        """
        numbers = draws.uniform().double().cpu()
        if not self.classes:
            if label not in (None, (), []):
                raise ValueError("this model was trained without classes")
            return torch.zeros(draws.count, 0, dtype=torch.long, device=self.device)
        wanted = [label] if isinstance(label, int) or label is None else list(label)
        wanted += [None] * (len(self.classes) - len(wanted))
        fits = len(wanted) == len(self.classes)
        if not fits or any(one is not None and not 0 <= one < count for one, count in zip(wanted, self.classes, strict=True)):
            raise ValueError(f"there is no class {label}; this model knows {' and '.join(map(str, self.classes))} classes")
        every = torch.cartesian_prod(*map(torch.arange, self.classes)).view(-1, len(self.classes))
        asked = torch.tensor([[one in (None, int(own)) for one, own in zip(wanted, row, strict=True)] for row in every]).all(dim=1)
        shares = (self.counts.double().cpu() * asked).cumsum(0)
        chosen = torch.searchsorted(shares, numbers * shares[-1], right=True).clamp_max(int(asked.nonzero().max()))
        return every[chosen].to(self.device)

    # ---- sampling ---------------------------------------------------------------------------------------------------------

    def sample(
        self, draws: Draws, steps: int = 50, eta: float = 0.0, guidance: float = 1.0,
        label: int | Sequence[int | None] | None = None,
    ) -> Tensor:  # fmt: skip
        """One picture per row of ``draws``; see :meth:`trajectory`."""
        return deque(self.trajectory(draws, steps, eta, guidance, label), maxlen=1).pop().noisy

    def complete(self, draws: Draws, images: Tensor, unknown: Tensor) -> Tensor:
        """Paint what is unknown; no class is given, since the picture says what it is. See :meth:`trajectory`."""
        return deque(self.sample_steps(draws, images, unknown), maxlen=1).pop()

    def sample_steps(self, draws: Draws, images: Tensor | None = None, unknown: Tensor | None = None) -> Iterator[Tensor]:
        if images is None:
            return (state.noisy for state in self.trajectory(draws))
        # taken once, half a dark face is painted a third too light (python -m benchmarks.people)
        return (state.noisy for state in self.trajectory(draws, 25, guidance=0.0, images=images, unknown=unknown, repeats=3))

    def levels_of(self, steps: int, strength: float = 1.0) -> list[int]:
        """The times between ``steps`` steps from the noise ``strength``, from the noisiest down to 0; fewer if there are fewer.

        They are evenly spaced and begin with the noisiest (Lin 2023, https://arxiv.org/abs/2305.08891, section 3.3).
        """
        first = max(1, round(strength * self.times))
        count = min(steps, first)
        return [round(first * (count - done) / count) for done in range(count + 1)]

    def noisy(self, images: Tensor, draws: Draws, strength: float) -> Tensor:
        """Pictures in [0, 1] under as much noise as after the share ``strength`` of all steps (paper, eq. 4), cut off to [0, 1]."""
        time = self.levels_of(1, strength)[0]
        draws.uniform()  # the number that :meth:`labels` takes, so that the noise is that of the trajectory
        return to_unit(self.signal[time] * from_unit(images.to(self.device)) + self.noise[time] * self._normal(draws))

    def trajectory(
        self,
        draws: Draws,
        steps: int = 50,
        eta: float = 0.0,
        guidance: float = 1.0,
        label: int | Sequence[int | None] | None = None,
        images: Tensor | None = None,
        unknown: Tensor | None = None,
        strength: float = 1.0,
        repeats: int = 1,
    ) -> Iterator[State]:
        """Take the noise off in ``steps`` steps (Song 2021, eq. 12); yields a :class:`State` before each and one at the end.

        Args:
            draws: row *i* of the pictures depends on the draws of row *i* alone.
            steps: passes through the network; the times of the paper are the most there can be.
            eta: share of the paper's noise that is added at each step, from 0 (DDIM) to 1.
            guidance: 1: none; above: away from what the network says when it does not get the class (Ho and Salimans 2022, eq. 6,
                whose w is this less one); 0: as if it got none. Other than 0 and 1 it takes two passes a step.
            label: class, or one for each kind of class; None means any, and is drawn as often as it was seen in training.
            images: a picture or one per row, (1 or B, C, H, W) in [0, 1], to begin with.
            unknown: (H, W), true where a picture is to be painted; the rest of ``images`` stays as it is. In each step the guess at
                the finished picture is mended where it is known (Wang 2023, https://arxiv.org/abs/2212.00490, section 3), so
                that what is painted is guided by it.
            strength: above 0 to 1: the noise under which ``images`` are laid before it is taken off, as a share of all steps
                (SDEdit, Meng 2022, https://arxiv.org/abs/2108.01073, section 3); 1: nothing of them is left.
            repeats: how often each step is taken, with the noise of that step put back in between: what is painted has more time
                to agree with what is known (RePaint, Lugmayr 2022, https://arxiv.org/abs/2201.09865, section 4.2).

        Raises:
            ValueError: if an argument is out of its range or a shape does not fit.
        """
        channels, height, width = self.image_shape
        if not 1 <= steps <= self.times:
            raise ValueError(f"the steps must be from 1 to {self.times}")
        if not (0 <= eta <= 1 and 0 < strength <= 1 and 0 <= guidance < math.inf and repeats >= 1):
            raise ValueError("eta must be from 0 to 1, strength above 0 to 1, guidance at least 0, and repeats at least 1")
        if images is None and (unknown is not None or strength < 1):
            raise ValueError("there is no picture to begin with")
        if images is not None and (images.shape[1:] != self.image_shape or len(images) not in (1, draws.count)):
            raise ValueError(f"there must be one picture or one per row, of {height} x {width} pixels, channels: {channels}")
        if unknown is not None and unknown.shape != (height, width):
            raise ValueError(f"what is unknown must be given for {height} x {width} pixels")
        return self._steps(draws, steps, eta, guidance, label, images, unknown, strength, repeats)

    def _steps(
        self, draws: Draws, steps: int, eta: float, guidance: float, label: int | Sequence[int | None] | None,
        images: Tensor | None, unknown: Tensor | None, strength: float, repeats: int,
    ) -> Iterator[State]:  # fmt: skip
        labels = self.labels(draws, label)
        levels = self.levels_of(steps, strength)
        x = self._normal(draws)
        if images is not None:
            images = from_unit(images.to(self.device))
            if unknown is not None:
                unknown = unknown.to(self.device).bool()
            x = self.signal[levels[0]] * images + self.noise[levels[0]] * x
        network = Guided(self, levels[:-1], labels, guidance)
        total = (len(levels) - 2) * repeats + 1
        done = 0
        for step, (time, following) in enumerate(pairwise(levels)):
            signal, noise = self.signal[time], self.noise[time]
            for again in reversed(range(repeats if following else 1)):
                clean = (signal * x - noise * network(x, step)).clamp(-1, 1)
                if unknown is not None:
                    clean = torch.where(unknown, clean, images)
                yield State(to_unit(x), to_unit(clean), done, total)
                done += 1
                if not following:
                    x = clean
                    break
                # eq. 12 and 16 of Song 2021: towards the guess, keeping as much of the noise as belongs to the time that follows
                fresh = eta * math.sqrt(self._fresh(time, following)) * self.noise[following]
                kept = math.sqrt(self.noise[following] ** 2 - fresh**2)
                x = self.signal[following] * clean + kept / noise * (x - signal * clean)
                if fresh:
                    x = x + fresh * self._normal(draws)
                if again:
                    back = signal / self.signal[following]
                    x = back * x + math.sqrt(1 - back**2) * self._normal(draws)
        yield State(to_unit(x), to_unit(x), total, total)

    def _fresh(self, time: int, following: int) -> float:
        """Share of the noise of ``following`` that is new if it is drawn from the posterior of the paper's process (eq. 7)."""
        return (1 - (self.signal[time] / self.signal[following]) ** 2) / self.noise[time] ** 2

    def _normal(self, draws: Draws) -> Tensor:
        return draws.normal(*self.image_shape).to(self.device)


class Guided:
    """The network at some times, guided (Ho and Salimans 2022, algorithm 2): (x (B, C, H, W), index of a time) -> v.

    What does not depend on the picture is computed beforehand, for all times at once and for each class once.
    """

    def __init__(self, model: DDPM, times: Sequence[int], labels: Tensor, guidance: float) -> None:
        self.through, self.guidance = model._through, guidance
        self.single = guidance in (0, 1) or not model.classes
        passes = [model._no_class(labels)] if guidance == 0 else [labels] if self.single else [labels, model._no_class(labels)]
        kinds, self.rows = labels[:1], torch.zeros(len(labels), dtype=torch.long, device=labels.device)
        if model.classes:
            kinds, self.rows = torch.unique(torch.cat(passes), dim=0, return_inverse=True)
        times_ = torch.tensor(times, device=labels.device).repeat_interleave(len(kinds))
        shifts = model.network.shifts(times_, kinds.repeat(len(times), 1))
        self.shifts, self.kernels = [shift.view(len(times), len(kinds), -1) for shift in shifts], model.network.kernels()

    def __call__(self, x: Tensor, step: int) -> Tensor:
        shifts = [shift[step][self.rows] for shift in self.shifts]
        if self.single:
            return self.through(x, shifts, self.kernels)
        given, free = self.through(torch.cat([x, x]), shifts, self.kernels).chunk(2)  # both passes as one batch
        return free + self.guidance * (given - free)
