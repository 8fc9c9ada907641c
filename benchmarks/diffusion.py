"""Milliseconds per picture sampled by DDPM, ours against ``diffusers``: ``python -m benchmarks.diffusion [--quick]``.

The other way is the ``DDIMPipeline`` of ``diffusers`` with its own ``UNet2DModel``, into which our weights are loaded, and its own
``DDIMScheduler``: the same schedule, steps, classes and noise, in float32 and its default memory layout; guidance is two halves of
one batch, as its pipelines have it. Both are measured in turns, in one run, and their pictures must agree to 1/255. The same
pipeline in the layout ``channels_last`` stands beside it, to show what is won by the layout alone. Without published weights the
network has random ones, which cost the same.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel
from diffusers.models.unets.unet_2d import UNet2DOutput
from diffusers.utils import logging
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from benchmarks._report import Bar, report
from gen_models import Draws, catalog, load, runtime
from gen_models.base import Model

DATA = ("mnist", "faces")
STEPS = 50
GUIDANCE = 3.0


class Given(Draws):
    """Noise that came from elsewhere, (count, C, H, W), and numbers evenly spread, so that the classes are various."""

    def __init__(self, noise: Tensor) -> None:
        super().__init__(0, len(noise))
        self.noise = noise

    def normal(self, *shape: int) -> Tensor:
        return self.noise.view(self.count, *shape)

    def uniform(self, *shape: int) -> Tensor:
        return ((torch.arange(self.count) + 0.5) / self.count).view(-1, *(1 for _ in shape)).expand(-1, *shape)


class Told(UNet2DModel):
    """A U-Net that knows classes and guidance already, since the pipeline hands it a picture and a time alone."""

    told: list[Tensor]
    """Embeddings of the classes (B, E), of those told and, if it is guided, of none."""
    guidance: float

    def forward(self, sample: Tensor, timestep: Tensor) -> UNet2DOutput:  # type: ignore[override]
        both = torch.cat([sample] * len(self.told))
        found = super().forward(both, timestep + 1, torch.cat(self.told)).sample  # its times count from 0, the paper's from 1
        if len(self.told) == 1:
            return UNet2DOutput(sample=found)
        told, untold = found.chunk(2)
        return UNet2DOutput(sample=untold + self.guidance * (told - untold))


def model_of(data: str) -> tuple[Model, str]:
    """The published model, or one with random weights, and its name."""
    name = f"ddpm-{data}"
    if name in catalog.trained("ddpm"):
        return load(name), name
    torch.manual_seed(0)
    kind = catalog.model_class("ddpm")
    model = kind(**kind.recipes[data].arguments)
    nn.init.normal_(model.network.last.weight, std=0.02)  # it starts at zero, and all ways agree on that
    return model.to(runtime.device(), memory_format=torch.channels_last).eval().requires_grad_(False), f"{name} (random weights)"


def pipeline(model: Model) -> DDIMPipeline:
    """Their U-Net with our weights, and their scheduler with our schedule."""
    config, network = model.config, model.network
    widths, levels = config["widths"], len(config["widths"])
    looks = [level >= levels - config["attention"] for level in range(levels)]
    channels = config["channels"] * config["patch"] ** 2
    unet = Told(
        sample_size=config["size"] // config["patch"], in_channels=channels, out_channels=channels, block_out_channels=widths,
        layers_per_block=1, norm_num_groups=network.norm.num_groups, class_embed_type="identity", attention_head_dim=None,
        down_block_types=["AttnDownBlock2D" if look else "DownBlock2D" for look in looks],
        up_block_types=["AttnUpBlock2D" if look else "UpBlock2D" for look in reversed(looks)],
    )  # fmt: skip
    unet.load_state_dict(translated(model.network, unet), strict=True)
    shares = [signal**2 for signal in model.signal]
    scheduler = DDIMScheduler(
        num_train_timesteps=model.times, trained_betas=[1 - later / share for share, later in pairwise(shares)],
        prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=True,
    )  # fmt: skip
    pipe = DDIMPipeline(unet=unet.to(runtime.device()).eval().requires_grad_(False), scheduler=scheduler)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def translated(network: nn.Module, unet: UNet2DModel) -> dict[str, Tensor]:
    """Our weights under their names."""
    names = {"conv_in": network.first, "time_embedding.linear_1": network.time[0], "time_embedding.linear_2": network.time[2],
             "conv_norm_out": network.norm, "conv_out": network.last}  # fmt: skip

    def add(place: str, level: nn.Module, number: int) -> None:
        residual, theirs = level.residual, f"{place}.resnets.{number}"
        names.update({f"{theirs}.{part}": getattr(residual, part) for part in ("norm1", "conv1", "norm2", "conv2")})
        names[f"{theirs}.time_emb_proj"] = residual.shift
        if isinstance(residual.skip, nn.Conv2d):
            names[f"{theirs}.conv_shortcut"] = residual.skip
        if not isinstance(level.attention, nn.Identity):
            names[f"{place}.attentions.{number}"] = level.attention

    down, up = iter(network.down), iter(network.up)
    for index, block in enumerate(unet.down_blocks):
        add(f"down_blocks.{index}", next(down), 0)
        if block.downsamplers:
            names[f"down_blocks.{index}.downsamplers.0.conv"] = next(down)
    add("mid_block", network.middle[0], 0)
    add("mid_block", network.middle[1], 1)
    for index, block in enumerate(unet.up_blocks):
        add(f"up_blocks.{index}", next(up), 0)
        add(f"up_blocks.{index}", next(up), 1)
        if block.upsamplers:
            names[f"up_blocks.{index}.upsamplers.0.conv"] = next(up).conv
    state = {}
    for name, ours in names.items():
        if hasattr(ours, "ask"):
            state |= {f"{name}.group_norm.{key}": value for key, value in ours.norm.state_dict().items()}
            state |= {f"{name}.to_out.0.{key}": value.squeeze() for key, value in ours.out.state_dict().items()}
            for key, value in ours.ask.state_dict().items():  # theirs are linear layers
                state |= {f"{name}.to_{part}.{key}": third.squeeze() for part, third in zip("qkv", value.chunk(3), strict=True)}
        else:
            state |= {f"{name}.{key}": value for key, value in ours.state_dict().items()}
    return {key: value.contiguous() for key, value in state.items()}


def theirs(model: Model, pipe: DDIMPipeline, noise: Tensor, guidance: float) -> Callable[[], Tensor]:
    """The pipeline with its own noise, which is ``noise``, laid out as patches."""
    labels = model.labels(Given(noise))
    kinds = [labels] + [model._no_class(labels)] * (guidance != 1)

    def run() -> Tensor:
        unet = pipe.unet
        unet.guidance = guidance
        unet.told = [sum(table(rows[:, task]) for task, table in enumerate(model.network.classes)) for rows in kinds]
        made = pipe(
            len(noise), torch.Generator().manual_seed(0), num_inference_steps=STEPS, use_clipped_model_output=True, output_type="pt"
        )
        return pixel_shuffle(made.images, model.patch)

    return run


def ours(model: Model, noise: Tensor, guidance: float) -> Callable[[], Tensor]:
    """As the room does it."""

    def run() -> Tensor:
        with runtime.forward_pass():
            return model.sample(Given(noise), STEPS, guidance=guidance)

    return run


def noise_of(model: Model, count: int) -> Tensor:
    """The noise that the pipeline draws with seed 0, as our pictures have their pixels."""
    channels, size, _ = model.image_shape
    shape = count, channels * model.patch**2, size // model.patch, size // model.patch
    return pixel_shuffle(torch.randn(shape, generator=torch.Generator().manual_seed(0)), model.patch)


def milliseconds(run: Callable[[], Tensor], count: int) -> float:
    """One call, a picture."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start) / count


def main() -> int:
    """Measure in turns, print the table, judge."""
    options = argparse.ArgumentParser("python -m benchmarks.diffusion", description=__doc__)
    options.add_argument("--quick", action="store_true", help="one set of weights, fewer turns")
    quick = options.parse_args().quick
    logging.set_verbosity_error()  # that a head as wide as its layer will one day have to be named
    torch.set_num_threads(runtime.cores())
    bars: list[Bar] = []
    print(f"{STEPS} steps, {torch.get_num_threads()} threads, torch {torch.__version__}")
    titles = ("diffusers ms", "channels_last", "ours ms", "ratio", "difference")
    print(f"{'weights':28} {'at once':>8} {'guidance':>9} " + " ".join(f"{title:>13}" for title in titles))
    for data in DATA[: 1 if quick else None]:
        model, name = model_of(data)
        plain, other = pipeline(model), pipeline(model)
        other.unet.to(memory_format=torch.channels_last)
        for count, guidance in ((1, 1.0), (16, 1.0), (16, GUIDANCE)):
            noise = noise_of(model, count)
            ways = theirs(model, plain, noise, guidance), theirs(model, other, noise, guidance), ours(model, noise, guidance)
            difference = float((ways[0]() - ways[2]()).abs().max())
            ways[1]()
            times: list[list[float]] = [[] for _ in ways]
            for _ in range(2 if quick else 7):
                for way, found in zip(ways, times, strict=True):
                    found.append(milliseconds(way, count))
            slow, laid, fast = map(statistics.median, times)
            numbers = f"{slow:13.1f} {laid:13.1f} {fast:13.1f} {slow / fast:13.2f} {difference:13.6f}"
            print(f"{name:28} {count:8} {guidance:9g} {numbers}")
            label = f"{name}, {count} at once, guidance {guidance:g}"
            bars.append(Bar(f"{label}, diffusers over ours", slow / fast, 1.2, at_least=True))
            bars.append(Bar(f"{label}, difference in levels", 255 * difference, 1.0))
    return report(bars)


if __name__ == "__main__":
    sys.exit(main())
