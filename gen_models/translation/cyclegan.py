"""CycleGAN: two generators translate between two sets of pictures, and what goes there must come back.

Zhu, Park, Isola, Efros 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
https://arxiv.org/abs/1703.10593
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from gen_models.base import Batch, Recipe, Translator, Update, rows_of_eight
from gen_models.layers import from_unit, to_unit
from gen_models.translation._networks import InstanceNorm, PatchDiscriminator, Statistics, normal_init
from gen_models.translation._tiles import Step, stepwise

MAX_SIDE = 1024
"""Longest side of a picture to translate."""


class Block(nn.Module):
    """A convolution, its normalisation, and a ReLU unless it is the last of its kind."""

    def __init__(self, convolution: nn.Module, width: int, active: bool = True) -> None:
        super().__init__()
        self.convolution, self.norm = convolution, InstanceNorm(width)
        self.active = active

    def forward(self, x: Tensor, statistics: Statistics | None = None) -> Tensor:
        x = self.norm(self.convolution(x), statistics)
        return x.relu_() if self.active else x


class ResidualBlock(nn.Module):
    """R: two 3 x 3 convolutions, reflected at the border, and what came in is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect", bias=False) for _ in range(2))
        self.first, self.second = Block(first, width), Block(second, width, active=False)

    def forward(self, x: Tensor, statistics: Statistics | None = None, strength: float = 1.0) -> Tensor:
        """``strength``: how much of what the convolutions found is added."""
        return torch.add(x, self.second(self.first(x, statistics), statistics), alpha=strength)


class Generator(nn.Module):
    """(B, C, H, W) -> (B, C, H, W) in [-1, 1], sides multiples of four (Zhu 2017, appendix 7.2).

    c7s1-32, d64, d128, R128 x ``blocks``, u64, u32, c7s1-3 at ``width`` 32.
    """

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.body = nn.ModuleList([
            Block(nn.Conv2d(channels, width, 7, padding=3, padding_mode="reflect", bias=False), width),
            Block(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False), 2 * width),
            Block(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=False), 4 * width),
            *(ResidualBlock(4 * width) for _ in range(blocks)),
            Block(nn.ConvTranspose2d(4 * width, 2 * width, 3, stride=2, padding=1, output_padding=1, bias=False), 2 * width),
            Block(nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1, bias=False), width),
        ])  # fmt: skip
        self.head = nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect")

    def forward(self, x: Tensor, statistics: Statistics | None = None, strength: float = 1.0) -> Tensor:
        """``strength`` of every residual block: at 0 the picture is taken apart and put together, and nothing in between."""
        for layer in self.body:
            x = layer(x, statistics, strength) if isinstance(layer, ResidualBlock) else layer(x, statistics)
        return torch.tanh(self.head(x))


class Pool(nn.Module):
    """The last pictures a generator made, for its discriminator (Zhu 2017, section 4, after Shrivastava 2017).

    A picture that comes in goes into the pool and, once that is full, half of the time an older one comes out in its place.
    """

    def __init__(self, count: int, channels: int, side: int) -> None:
        super().__init__()
        self.register_buffer("pictures", torch.zeros(count, channels, side, side))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W), without gradients."""
        given = []
        for image in images.detach():
            filled = int(self.filled)
            if filled < len(self.pictures):
                self.pictures[filled] = image
                self.filled += 1
                given.append(image)
            elif torch.rand(()) < 0.5:  # drawn on the CPU: a look at a GPU's numbers would make it wait
                place = int(torch.randint(filled, ()))
                given.append(self.pictures[place].to(image.dtype, copy=True))
                self.pictures[place] = image
            else:
                given.append(image)
        return torch.stack(given)


class CycleGAN(Translator):
    """Generators A -> B and B -> A, a discriminator for each kind, and the full objective (paper, section 3).

    ``crop``: side of the squares that are trained on, cut from pictures of ``size`` pixels. ``blocks``: residual blocks. ``cycle``
    and ``identity``: weights of what comes back and of what should stay. ``pool``: earlier pictures that a discriminator may see.
    """

    title = "CycleGAN"
    year = 2017
    authors = "Jun-Yan Zhu, Taesung Park, Phillip Isola, Alexei A. Efros"
    paper = "https://arxiv.org/abs/1703.10593"
    summary = "It turns photographs into paintings and back, without ever having seen the same scene as both."
    keywords = ("style transfer", "painting", "image to image", "unpaired")
    differences = (
        "The generators have half the paper's channels and six residual blocks, the paper's number for 128 pixels.",
        "Training squares of 128 pixels are cut from pictures of the paper's size.",
        "Instance normalisation has a learned gain and shift.",
        "The identity loss is used for all sets; the paper uses it for paintings to photographs.",
        "The published generators are a moving average of the weights.",
        "Pictures beyond 576 x 576 pixels are translated in tiles that share one set of normalisation statistics.",
    )
    limits = (
        "It changes colours and textures; shapes hardly move, so a face keeps its proportions.",
        "A translated picture may hide traces of the original for the way back to read; a good return proves little.",
        "It was trained on small pictures: in large ones, brush strokes come out small.",
        "Smooth skies may show a fine grid of dots, a mark of the transposed convolutions; very dark pictures come out muddy.",
    )
    sheet = "rows of pictures of the first kind, their translations, pictures of the second kind, their translations, in turns"
    headline = "frechet-back-monet2photo"
    averaged = ("to_b", "to_a")
    scaffold = ("discriminator_a", "discriminator_b", "pool_a", "pool_b")
    recipes = {
        "monet2photo": Recipe(
            steps=10_000, batch_size=1, mirror=True, jitter=286 / 256, arguments=dict(size=256, crop=128),
            paper="200 epochs of 1,074 paintings and 6,853 photographs of 256 pixels, nine residual blocks of twice the width",
            large=Recipe(
                steps=200_000, batch_size=1, mirror=True, jitter=286 / 256,
                arguments=dict(size=256, crop=256, width=64, blocks=9, discriminator_width=64),
            ),
        ),
        "unpaired": Recipe(steps=10_000, batch_size=1, mirror=True, jitter=286 / 256, arguments=dict(size=128, crop=128)),
    }  # fmt: skip
    tiny = dict(size=40, channels=1, crop=32, width=4, blocks=1, discriminator_width=4, pool=3)

    def __init__(
        self, size: int = 256, channels: int = 3, crop: int = 128, width: int = 32, blocks: int = 6, discriminator_width: int = 32,
        cycle: float = 10.0, identity: float = 5.0, pool: int = 50,
    ) -> None:  # fmt: skip
        super().__init__()
        self.crop, self.cycle_weight, self.identity_weight = crop, cycle, identity
        self.to_b, self.to_a = (Generator(channels, width, blocks) for _ in "BA")
        self.discriminator_a, self.discriminator_b = (PatchDiscriminator(channels, discriminator_width) for _ in "AB")
        self.pool_a, self.pool_b = (Pool(pool, channels, crop) for _ in "AB")
        self.apply(normal_init)

    @property
    def training_shape(self) -> tuple[int, int, int]:
        return 2 * self.image_shape[0], self.crop, self.crop

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        discriminators = nn.ModuleList([self.discriminator_a, self.discriminator_b])
        generators = nn.ModuleList([self.to_b, self.to_a])
        return {
            name: torch.optim.Adam(networks.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
            for name, networks in (("generators", generators), ("discriminators", discriminators))
        }

    def training_step(self, batch: Batch) -> Iterator[Update]:
        a, b = batch[0].chunk(2, dim=1)
        # one pass for the translation and for what should stay as it is
        fake_b, same_b = self.to_b(torch.cat([a, b])).chunk(2)
        fake_a, same_a = self.to_a(torch.cat([b, a])).chunk(2)
        again_a, again_b = self.to_a(fake_b), self.to_b(fake_a)
        for critic in (self.discriminator_a, self.discriminator_b):
            critic.requires_grad_(False)  # its gradients are not wanted here
        yield "generators", {
            "fool_a": (self.discriminator_a(fake_a).float() - 1).square().mean(),  # least squares (paper, section 4)
            "fool_b": (self.discriminator_b(fake_b).float() - 1).square().mean(),
            "cycle": self.cycle_weight * (_distance(again_a, a) + _distance(again_b, b)),  # eq. 2
            "identity": self.identity_weight * (_distance(same_a, a) + _distance(same_b, b)),  # section 5.2
        }
        terms = {}
        for name, critic, pool, real, fake in (
            ("a", self.discriminator_a, self.pool_a, a, fake_a), ("b", self.discriminator_b, self.pool_b, b, fake_b)
        ):  # fmt: skip
            critic.requires_grad_(True)
            real_scores, fake_scores = critic(torch.cat([real, pool(fake).to(real.dtype)])).float().chunk(2)
            # halved, so that the discriminators learn more slowly than the generators (paper, section 4)
            terms |= {f"real_{name}": (real_scores - 1).square().mean() / 2, f"fake_{name}": fake_scores.square().mean() / 2}
        yield "discriminators", terms

    def translate(self, images: Tensor, backwards: bool = False, strength: float = 1.0) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] of kind A -> of kind B, or ``backwards`` B -> A; any sides up to 1024 pixels.

        ``strength``: of the residual blocks, see :meth:`Generator.forward`.

        Raises:
            ValueError: if a side is longer.
        """
        made = images
        for made, _, _ in self.trajectory(images, backwards, strength):  # noqa: B007
            pass
        return made

    def trajectory(self, images: Tensor, backwards: bool = False, strength: float = 1.0) -> Iterator[Step]:
        """:meth:`translate` as far as it has come, the rest as it was; passes done and in all: large pictures take several."""
        if max(images.shape[-2:]) > MAX_SIDE:
            raise ValueError(f"pictures may have sides of up to {MAX_SIDE} pixels, not {max(images.shape[-2:])}; reduce it first")
        network = partial(self.to_a if backwards else self.to_b, strength=strength)
        for made, done, total in stepwise(network, from_unit(images.to(self.device))):
            yield to_unit(made), done, total

    def cycle(self, images: Tensor, backwards: bool = False) -> tuple[Tensor, Tensor]:
        """There and back: the translations of pictures of kind A (``backwards``: B), and what they are translated back to."""
        there = self.translate(images, backwards)
        return there, self.translate(there, not backwards)

    def examples(self, inputs: Tensor, partners: Tensor) -> Tensor:
        """A sheet, eight to a row: pictures of kind A over their translations, and the same for kind B, in turns."""
        count = min(len(inputs), len(partners))
        inputs, partners = inputs[:count], partners[:count]
        return rows_of_eight(inputs, self.translate(inputs), partners, self.translate(partners, backwards=True))


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (one.float() - other.float()).abs().mean()
