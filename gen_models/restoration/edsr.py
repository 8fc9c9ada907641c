"""EDSR: a residual network without normalisation makes a picture four or eight times as wide and high.

Lim, Son, Kim, Nah, Lee 2017, "Enhanced Deep Residual Networks for Single Image Super-Resolution", https://arxiv.org/abs/1707.02921
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from gen_models.base import Batch, Model, Recipe, Update
from gen_models.restoration._network import Network
from gen_models.restoration._restorer import TiledRestorer


class EDSR(TiledRestorer):
    """The network and its loss, the mean absolute difference (paper, sections 3.2 and 4.2).

    ``size``: side of the training pictures, of which squares of ``crop`` pixels are cut. ``scale``: 2, 4 or 8. ``width`` and
    ``blocks``: channels and number of the residual blocks. ``thinning``: by what every doubling of the side divides the channels
    (1: the paper's network). ``strength``: residual scaling, 0.1 where blocks are 256 wide (paper, section 3.1). ``realistic``:
    trained to undo blur, noise and JPEG too, not bicubic shrinking alone. ``start``: weights that the training starts from, of
    another scale or way of shrinking (paper, section 3.2); none: from nothing.
    """

    title = "EDSR"
    year = 2017
    authors = "Bee Lim, Sanghyun Son, Heewon Kim, Seungjun Nah, Kyoung Mu Lee"
    paper = "https://arxiv.org/abs/1707.02921"
    summary = "It enlarges a picture four times and fills in the most probable detail."
    keywords = ("super resolution", "upscale", "enlarge", "sharpen", "zoom", "face")
    differences = (
        "The network adds what it finds to the bicubic enlargement (as Kim 2016), so a short training starts from a good picture.",
        "Each doubling of the side halves the channels; the paper keeps them, and half of its work is done at the large sizes.",
        "Eight blocks of 64 channels; the paper's network for its best numbers has 32 of 256, its small one 16 of 64.",
        "Instead of subtracting the mean colour, pixels are scaled to -1 to 1.",
        "The learning rate is 1e-3, not 1e-4, and falls to zero in one short run; a moving average of the weights is published.",
    )
    limits = (
        "Detail that a small picture does not hold is guessed: the mean of what is probable, hence smooth hair and grass.",
        "Trained on one way of shrinking, it takes the traces of JPEG, noise and sharpening for detail and amplifies them.",
        "An enlarged face is a likely face, not evidence of what the person looks like.",
    )
    reported = {
        "psnr-y-set5-photos": "32.46 dB with 43 M parameters (Lim 2017, table 3), 32.09 dB with 1.5 M (its authors' code), "
        "trained on 800 photographs of 2 megapixels (DIV2K), same protocol",
        "ssim-y-set5-photos": "0.8968 with 43 M parameters (Lim 2017, table 3), same protocol",
        "psnr-y-set14-photos": "28.80 dB with 43 M parameters (Lim 2017, table 3), same protocol",
        "ssim-y-set14-photos": "0.7876 with 43 M parameters (Lim 2017, table 3), same protocol",
        "psnr-y-set5-ensemble-photos": "32.62 dB with 43 M parameters (Lim 2017, table 3), same protocol",
        "psnr-y-set14-ensemble-photos": "28.94 dB with 43 M parameters (Lim 2017, table 3), same protocol",
        "psnr-y-set5-bicubic-photos": "28.42 dB (Lim 2017, table 3), same protocol",
        "ssim-y-set5-bicubic-photos": "0.8104 (Lim 2017, table 3), same protocol",
        "psnr-y-set14-bicubic-photos": "26.00 dB (Lim 2017, table 3), same protocol",
        "ssim-y-set14-bicubic-photos": "0.7027 (Lim 2017, table 3), same protocol",
    }
    headline = "psnr-y-set5-photos"
    averaged = ("network",)
    recipes = {
        "photos": Recipe(
            steps=11_000, batch_size=8, warm_up=200, decay_from=0.2, mirror=True, turn=True,
            arguments=dict(size=256, crop=192, scale=4),
            paper="300,000 steps of 16 squares of 192 pixels, seven days on two GPUs for the network of 43 M parameters",
            large=Recipe(
                steps=300_000, batch_size=16, warm_up=500, decay_from=0.3, mirror=True, turn=True,
                arguments=dict(size=256, crop=192, scale=4, width=80, blocks=20, thinning=1),
            ),
        ),
        "snapshots": Recipe(
            steps=2_500, batch_size=8, warm_up=200, decay_from=0.2, mirror=True, turn=True, data="photos",
            arguments=dict(size=256, crop=192, scale=4, realistic=True, start="edsr-photos"),
            large=Recipe(
                steps=300_000, batch_size=16, warm_up=500, decay_from=0.3, mirror=True, turn=True, data="photos",
                arguments=dict(size=256, crop=192, scale=4, width=80, blocks=20, thinning=1, realistic=True),
            ),
        ),
        "faces": Recipe(
            steps=10_000, batch_size=16, warm_up=200, decay_from=0.2, mirror=True, arguments=dict(size=128, crop=128, scale=4),
            large=Recipe(
                steps=150_000, batch_size=32, warm_up=500, decay_from=0.3, mirror=True,
                arguments=dict(size=128, crop=128, scale=4, width=80, blocks=20, thinning=1),
            ),
        ),
        "faces8": Recipe(
            steps=5_000, batch_size=32, warm_up=200, decay_from=0.2, mirror=True, data="faces",
            arguments=dict(size=128, crop=128, scale=8, start="edsr-faces"),
            large=Recipe(
                steps=150_000, batch_size=32, warm_up=500, decay_from=0.3, mirror=True, data="faces",
                arguments=dict(size=128, crop=128, scale=8, width=80, blocks=20, thinning=1),
            ),
        ),
        "folder": Recipe(
            steps=11_000, batch_size=8, warm_up=200, decay_from=0.2, mirror=True, arguments=dict(size=256, crop=192, scale=4)
        ),
    }  # fmt: skip
    tiny = dict(size=16, channels=1, crop=16, width=4, blocks=1)

    def __init__(
        self, size: int = 256, channels: int = 3, crop: int = 192, scale: int = 4, width: int = 64, blocks: int = 8,
        thinning: int = 2, strength: float = 1.0, realistic: bool = False, start: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        self.start = start
        self.network = Network(channels, width, blocks, scale, thinning, strength)

    def begin(self, load: Callable[[str], Model]) -> None:
        if not self.start:
            return
        found = load(self.start)
        try:
            self.network.head.load_state_dict(found.network.head.state_dict())
            self.network.body.load_state_dict(found.network.body.state_dict())
            if found.scale == self.scale:  # what doubles the side serves one scale only (paper, section 3.2)
                self.network.tail.load_state_dict(found.network.tail.state_dict())
        except (AttributeError, RuntimeError) as error:
            raise ValueError(
                f"the network of the weights {self.start} is of another size; name a run of EDSR that fits with --start"
            ) from error

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"network": torch.optim.Adam(self.network.parameters(), lr=1e-3, betas=(0.9, 0.999), fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real, _ = batch
        yield "network", {"l1": (self.restored(real) - real).abs().mean()}
