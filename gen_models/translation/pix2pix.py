"""Pix2Pix: a U-Net turns a drawing or a label map into a photograph; a discriminator judges every patch of it.

Isola, Zhu, Zhou, Efros 2017, "Image-to-Image Translation with Conditional Adversarial Networks", https://arxiv.org/abs/1611.07004
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, softplus

from gen_models.base import Batch, Draws, Recipe, Translator, Update
from gen_models.layers import from_unit, to_unit
from gen_models.translation._networks import InstanceNorm, PatchDiscriminator, normal_init

NOISY = 3
"""Levels of the decoder, the deepest first, with dropout: the paper's CD512-CD512-CD512."""


class UNet(nn.Module):
    """(B, C, H, W) -> (B, C, H, W) in [-1, 1]; ``widths`` are the encoder's channels, each level half as large as the one before.

    What the encoder found at a level stands beside what the decoder made of all deeper ones (paper, section 3.2.1, figure 3).
    """

    def __init__(self, channels: int, widths: list[int]) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            first, last = level == 0, level == len(widths) - 1
            before = channels if first else widths[level - 1]
            # a deepest map of one pixel would be normalised to zero
            plain = first or last
            self.down.append(
                nn.Sequential(
                    nn.Identity() if first else nn.LeakyReLU(0.2),
                    nn.Conv2d(before, width, 4, stride=2, padding=1, bias=plain),
                    nn.Identity() if plain else InstanceNorm(width),
                )
            )
            inputs = width if last else 2 * width
            self.up.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(inputs, before, 4, stride=2, padding=1, bias=first),
                    nn.Tanh() if first else InstanceNorm(before),
                )
            )

    def forward(self, x: Tensor, masks: list[Tensor] | None = None, closed: Collection[int] = ()) -> Tensor:
        """``masks``: what the decoder's deepest levels are multiplied with; None: dropout when training, else nothing.

        ``closed``: levels, 0 the finest, of which the decoder sees zeros instead of what the encoder found.
        """
        found = []
        for down in self.down:
            x = down(x)
            found.append(x)
        found = [torch.zeros_like(part) if level in closed else part for level, part in enumerate(found)]
        x = found[-1]
        depth = len(self.up)
        for level in reversed(range(depth)):
            if level < depth - 1:
                x = torch.cat([x, found[level]], dim=1)
            x = self.up[level](x)
            place = depth - 1 - level
            if place < NOISY and level > 0:
                x = dropout(x, 0.5, self.training) if masks is None else x * masks[place]
        return x


class Pix2Pix(Translator):
    """The U-Net, the discriminator of patches, and the loss of both (paper, section 3.1).

    ``widths``: channels of the U-Net's levels, as many levels as the side can be halved. ``l1``: weight of the distance to the true
    picture.
    """

    title = "Pix2Pix"
    year = 2017
    authors = "Phillip Isola, Jun-Yan Zhu, Tinghui Zhou, Alexei A. Efros"
    paper = "https://arxiv.org/abs/1611.07004"
    summary = "Draw a shoe, a bag or the plan of a facade, and a network trained on pairs turns it into a photograph."
    keywords = ("image to image", "sketch", "drawing", "facade", "segmentation map")
    differences = (
        "The U-Net is narrower, most of all in its deepest levels, which hold most of the paper's 54 million parameters.",
        "Instance normalisation in both networks; the paper's batch normalisation is the same at its batch of one picture.",
        "The published generator is a moving average of the weights.",
        "Without draws the translation is deterministic; the paper keeps dropout on at test time, as draws do here.",
        "Shoes and bags are shop photographs of 128 pixels, and their lines are made to resemble hand drawings.",
    )
    limits = (
        "It fills in what it has seen: a drawing unlike a shoe becomes a shoe-coloured drawing.",
        "Several results for one drawing differ little, as the paper says of its own.",
        "Large areas without lines come out flat or with a repeated pattern.",
        "Where much is left open, as in facades, a blurred mean is nearer to the truth, pixel by pixel, than its sharp guess.",
    )
    headline = "labels-pixels-facades"
    averaged = ("generator",)
    recipes = {
        "facades": Recipe(
            steps=30_000, batch_size=1, mirror=True, jitter=286 / 256, arguments=dict(size=256),
            paper="200 epochs of 400 pairs at a batch of 1: 80,000 steps of a U-Net of 54 million parameters",
            large=Recipe(
                steps=80_000, batch_size=1, mirror=True, jitter=286 / 256,
                arguments=dict(size=256, widths=[64, 128, 256, 512, 512, 512, 512, 512], discriminator_width=64),
            ),
        ),
        "edges2shoes": Recipe(
            steps=20_000, batch_size=4, mirror=True, jitter=286 / 256,
            paper="15 epochs of 50,000 pairs at a batch of 4: 187,000 steps of 256 pixels, a U-Net of 54 million parameters",
            arguments=dict(size=128, widths=[32, 64, 128, 160, 128, 96, 64]),
            large=Recipe(
                steps=60_000, batch_size=4, mirror=True, jitter=286 / 256,
                arguments=dict(size=128, widths=[64, 128, 256, 512, 512, 512, 512], discriminator_width=64),
            ),
        ),
        "edges2bags": Recipe(
            steps=12_000, batch_size=4, mirror=True, jitter=286 / 256,
            paper="15 epochs of 137,000 pairs at a batch of 4: 514,000 steps of 256 pixels, a U-Net of 54 million parameters",
            arguments=dict(size=128, widths=[32, 64, 128, 160, 128, 96, 64]),
            large=Recipe(
                steps=40_000, batch_size=4, mirror=True, jitter=286 / 256,
                arguments=dict(size=128, widths=[64, 128, 256, 512, 512, 512, 512], discriminator_width=64),
            ),
        ),
        "paired": Recipe(
            steps=12_000, batch_size=4, mirror=True, jitter=286 / 256,
            arguments=dict(size=128, widths=[32, 64, 128, 160, 128, 96, 64])
        ),
    }  # fmt: skip
    tiny = dict(size=32, channels=1, widths=[4, 4, 4, 4], discriminator_width=4)

    def __init__(
        self, size: int = 256, channels: int = 3, widths: list[int] = [32, 64, 128, 128, 128, 96, 64, 64],  # noqa: B006
        discriminator_width: int = 32, l1: float = 100.0,
    ) -> None:  # fmt: skip
        super().__init__()
        if size % 2 ** len(widths):
            raise ValueError(f"a side of {size} pixels cannot be halved {len(widths)} times; give fewer widths")
        self.widths, self.l1 = widths, l1
        self.generator = UNet(channels, widths)
        self.discriminator = PatchDiscriminator(2 * channels, discriminator_width)
        self.apply(normal_init)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            name: torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
            for name, network in (("discriminator", self.discriminator), ("generator", self.generator))
        }

    def training_step(self, batch: Batch) -> Iterator[Update]:
        inputs, real = batch[0].chunk(2, dim=1)
        fake = self.generator(inputs)
        both = torch.cat([torch.cat([inputs, real], 1), torch.cat([inputs, fake.detach().to(real.dtype)], 1)])
        real_scores, fake_scores = self.discriminator(both).float().chunk(2)
        # halved, so that the discriminator learns more slowly than the generator (paper, section 3.3)
        yield "discriminator", {"real": softplus(-real_scores).mean() / 2, "fake": softplus(fake_scores).mean() / 2}
        self.discriminator.requires_grad_(False)  # its gradients are not wanted here
        scores = self.discriminator(torch.cat([inputs, fake.to(inputs.dtype)], 1)).float()
        yield "generator", {"fool": softplus(-scores).mean(), "l1": self.l1 * (fake.float() - real).abs().mean()}
        self.discriminator.requires_grad_(True)

    def masks(self, draws: Draws, height: int, width: int) -> list[Tensor]:
        """Dropout of the decoder's deepest levels for each row of ``draws``: half the numbers 0, the others 2."""
        deepest = len(self.widths) - 1
        shapes = [
            (self.widths[level - 1], height >> level, width >> level) for level in range(deepest, max(deepest - NOISY, 0), -1)
        ]
        return [2.0 * (draws.uniform(*shape) >= 0.5).to(self.device) for shape in shapes]

    def translate(self, images: Tensor, draws: Draws | None = None, closed: Collection[int] = ()) -> Tensor:
        """Pictures of kind A (B, C, H, W) in [0, 1] -> of kind B.

        With ``draws`` the decoder's dropout is on, one result per row of draws (paper, section 3.2, "z"); a single picture then
        gives as many results as there are rows. Without, the result is always the same. ``closed`` shows what a level of the U-Net
        carries: see :meth:`UNet.forward`.

        Raises:
            ValueError: if a side cannot be halved as often as the network does, or rows of pictures and draws do not match.
        """
        step = 2 ** len(self.widths)
        if images.shape[-2] % step or images.shape[-1] % step:
            raise ValueError(f"sides must be multiples of {step} pixels, not {images.shape[-1]} x {images.shape[-2]}")
        inputs = from_unit(images.to(self.device))
        if draws is None:
            return to_unit(self.generator(inputs, closed=closed))
        if len(inputs) not in (1, draws.count):
            raise ValueError(f"{len(inputs)} pictures need as many draws, not {draws.count}")
        masks = self.masks(draws, *images.shape[-2:])
        return to_unit(self.generator(inputs.expand(draws.count, -1, -1, -1), masks, closed))

    def patch_map(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """How real the discriminator finds each patch of 70 x 70 pixels of a pair, (B, H', W') probabilities."""
        pairs = torch.cat([from_unit(inputs.to(self.device)), from_unit(outputs.to(self.device))], dim=1)
        return torch.sigmoid(self.discriminator(pairs).float())
