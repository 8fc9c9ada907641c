"""SRGAN: the enlarged picture must also convince a discriminator, and look alike to a network that knows faces.

Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
https://arxiv.org/abs/1609.04802
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gen_models.base import Batch, Model, Recipe, Update
from gen_models.restoration._network import Network, convolution
from gen_models.restoration._restorer import TiledRestorer

DEPTH = 3
"""Maps of the judge that are compared; they are half, a quarter and an eighth as large as the picture."""


class Discriminator(nn.Module):
    """(B, C, H, W) in [-1, 1] -> (B, H', W') scores; above zero: taken for real (paper, figure 4).

    Eight convolutions, every second one of stride 2, channels ``width`` times 1, 2, 4, 8; one score for each place of the last map.
    In training, pictures have 32 pixels or more, so that the last map has places to normalise over.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for level in range(4):
            wide = width * 2**level
            for inputs, stride in ((channels, 1), (wide, 2)):
                blocks.append(nn.Conv2d(inputs, wide, 3, stride=stride, padding=1))
                if len(blocks) > 1:
                    blocks.append(nn.InstanceNorm2d(wide, affine=True))
                blocks.append(nn.LeakyReLU(0.2, inplace=True))
            channels = wide
        self.layers = nn.Sequential(*blocks, convolution(channels, 1), nn.Flatten(1, 2))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class SRGAN(TiledRestorer):
    """EDSR's network, the discriminator, and the perceptual loss (paper, section 2.2).

    Arguments as of EDSR; ``discriminator_width``: channels of its first layers. ``start``: weights whose network training
    starts from. ``judge``: trained network whose inner maps are compared. ``pixels``, ``perceptual``, ``adversarial``: what the
    mean absolute difference of pixels, that of the judge's maps, and the adversarial loss count.
    """

    title = "SRGAN"
    year = 2017
    authors = (
        "Christian Ledig, Lucas Theis, Ferenc Huszar, Jose Caballero, Andrew Cunningham, Alejandro Acosta, Andrew Aitken, "
        "Alykhan Tejani, Johannes Totz, Zehan Wang, Wenzhe Shi"
    )
    paper = "https://arxiv.org/abs/1609.04802"
    summary = "It enlarges a small face and keeps it sharp: it had to fool a discriminator that knows photographs."
    keywords = ("super resolution", "upscale", "enlarge", "sharpen", "face")
    differences = (
        "The generator is EDSR's network and starts from its weights, so that both can be mixed (Wang 2018, section 3.4).",
        "The perceptual loss compares three maps of a small network trained here on ages, sexes and origins, before their "
        "activations, instead of a map of VGG trained on ImageNet; a pixel loss is added (Wang 2018, section 3.3).",
        "Instance normalisation replaces batch normalisation in the discriminator, which scores places; with "
        "spectral normalisation it did not see the weak details that restorations lack.",
        "The discriminator is half as wide as the paper's, and the published generator is a moving average.",
    )
    limits = (
        "Pores, lashes and teeth are invented: they look right and belong to nobody.",
        "Pixel by pixel it is further from the truth than EDSR, and than a smoother guess would be.",
        "It was trained on aligned faces looking ahead; profiles, hands and hats come out worse.",
    )
    headline = "kernel-faces"
    averaged = ("network",)
    scaffold = ("discriminator",)
    recipes = {
        "faces": Recipe(
            steps=6_000, batch_size=16, warm_up=100, decay_from=0.5, mirror=True, arguments=dict(size=128, crop=64, scale=4),
            paper="200,000 steps of 16 squares of 96 pixels cut from 350,000 pictures of ImageNet, after 1,000,000 of SRResNet",
            large=Recipe(
                steps=60_000, batch_size=32, warm_up=500, decay_from=0.5, mirror=True,
                arguments=dict(size=128, crop=128, scale=4, width=80, blocks=20, thinning=1, discriminator_width=64),
            ),
        ),
        "faces8": Recipe(
            steps=4_500, batch_size=16, warm_up=100, decay_from=0.5, mirror=True, data="faces",
            arguments=dict(size=128, crop=64, scale=8, start="edsr-faces8"),
            large=Recipe(
                steps=60_000, batch_size=32, warm_up=500, decay_from=0.5, mirror=True, data="faces",
                arguments=dict(
                    size=128, crop=128, scale=8, width=80, blocks=20, thinning=1, discriminator_width=64, start="edsr-faces8"
                ),
            ),
        ),
        "folder": Recipe(
            steps=4_000, batch_size=8, warm_up=100, decay_from=0.5, mirror=True,
            arguments=dict(size=256, crop=128, scale=4, start="edsr-photos"),
        ),
    }  # fmt: skip
    tiny = dict(size=32, channels=1, crop=32, width=4, blocks=1, discriminator_width=4)

    def __init__(
        self, size: int = 128, channels: int = 3, crop: int = 128, scale: int = 4, width: int = 64, blocks: int = 8,
        thinning: int = 2, strength: float = 1.0, realistic: bool = False, discriminator_width: int = 32,
        start: str = "edsr-faces", judge: str = "features-faces", pixels: float = 1.0, perceptual: float = 0.1,
        adversarial: float = 0.02,
    ) -> None:  # fmt: skip
        super().__init__()
        self.weights = {"pixels": pixels, "perceptual": perceptual, "adversarial": adversarial}
        self.start, self.judge = start, judge
        self.network = Network(channels, width, blocks, scale, thinning, strength)
        self.discriminator = Discriminator(channels, discriminator_width)
        self.judges: tuple[nn.Sequential, ...] = ()  # in a tuple, so that they are no part of this model's state

    def begin(self, load: Callable[[str], Model]) -> None:
        found = load(self.start)
        try:
            self.network.load_state_dict(found.network.state_dict())
        except (AttributeError, RuntimeError) as error:
            raise ValueError(
                f"the network of the weights {self.start} is of another size or scale; name a run of EDSR that fits with --start"
            ) from error
        self.judges = (load(self.judge).body,)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True),
            "network": torch.optim.Adam(self.network.parameters(), lr=2e-4, betas=(0.9, 0.999), fused=True),
        }

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real, _ = batch
        fake = self.restored(real)
        # both halves in one pass: the discriminator has no statistics over the batch that would mix them
        real_scores, fake_scores = self.discriminator(torch.cat([real, fake.detach()])).float().chunk(2)
        yield "discriminator", {"real": softplus(-real_scores).mean(), "fake": softplus(fake_scores).mean()}
        self.discriminator.requires_grad_(False)  # its gradients are not wanted here
        terms = {
            "pixels": self.weights["pixels"] * (fake - real).abs().mean(),
            "fool": self.weights["adversarial"] * softplus(-self.discriminator(fake).float()).mean(),  # paper, eq. 6
        }
        for judge in self.judges:
            judge = judge.to(real.device)
            with torch.no_grad():
                wanted = list(maps(judge, real))
            differences = [(one.float() - other.float()).abs().mean() for one, other in zip(maps(judge, fake), wanted, strict=True)]
            terms["perceptual"] = self.weights["perceptual"] * sum(differences) / DEPTH  # paper, eq. 5, as a mean difference
        yield "network", terms
        self.discriminator.requires_grad_(True)


def maps(judge: nn.Sequential, images: Tensor) -> Iterator[Tensor]:
    """The first maps that a feature network makes of pictures in [-1, 1], normalised, before the activation."""
    found = 0
    for layer in judge:
        images = layer(images)
        if isinstance(layer, nn.BatchNorm2d):
            yield images
            found += 1
        if found == DEPTH:
            return
