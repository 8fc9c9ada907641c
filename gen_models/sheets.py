"""Pictures beside a card: sheets to look at, and what a room of translations or restorations starts from."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from gen_models import runtime
from gen_models.base import Draws, Model, Restorer, Translator
from gen_models.data import DataError, DataSet, load_data
from gen_models.files import replacing
from gen_models.verbs import Samples, Translates, TranslatesBack, Upscales

SAMPLES = "samples.png"
"""64 samples of seed 0; of other models, the first 16 pictures held back from training and what is made of them."""
INPUTS, PARTNERS, RESULT, BACK = "inputs.webp", "partners.webp", "result.webp", "back.webp"
"""What a translator's room starts from: held-back pictures of kind A and of kind B in their own size, and of the first of each its
translation, of kind B where the model has a way back. Of a restorer: pictures shrunk, the true ones, and the first restored."""
EXAMPLES = 8
"""Pictures in each of the first two, side by side."""
SHEET = 128
"""Side of a picture on a sheet: larger translations are reduced, of larger restorations the middle is shown."""


def write(model: Model, data: str, folder: Path) -> None:
    """What a card shows of a model, and what its room starts from, into the folder of its weights.

    Of a translator or a restorer this needs the data set; where it is not at hand, what was written earlier stays.
    """
    if isinstance(model, Samples):
        with runtime.forward_pass():
            pictures = model.sample(Draws(0, 64, device=runtime.device()))
        save_grid(pictures, folder / SAMPLES)
    elif isinstance(model, Upscales):
        save_restorations(model, data, folder)
    elif isinstance(model, Translates):
        save_examples(model, data, folder)


def save_examples(model: Translator, data: str, folder: Path) -> None:
    """Write the first held-back pictures of both kinds, if the data set is at hand, and what the first of them are turned into.

    The sheet on the card is of the test part, which has at least the sixteen pairs that it shows.
    """
    channels, size, _ = model.image_shape
    try:
        held, tested = (load_data(data, part, size, channels=channels) for part in ("validation", "test"))
    except DataError:
        pass  # those written earlier stay
    else:
        with runtime.forward_pass():
            save_grid(sheet(model, tested), folder / SAMPLES)
        for file, pictures in ((INPUTS, held.images), (PARTNERS, held.partners)):
            save_row(pictures[:EXAMPLES], folder / file)
    ways: list[tuple[str, str, dict[str, bool]]] = [(INPUTS, RESULT, {})]
    if isinstance(model, TranslatesBack):
        ways.append((PARTNERS, BACK, {"backwards": True}))
    for source, target, options in ways:
        if not (folder / source).is_file():
            continue
        with Image.open(folder / source) as file:
            first = np.asarray(file.convert("RGB").crop((0, 0, size, size)), np.float32).transpose(2, 0, 1) / 255
        with runtime.forward_pass():
            made = model.translate(torch.from_numpy(first)[None, : model.image_shape[0]], **options).float().cpu()
        save_row((made * 255).round().to(torch.uint8), folder / target)


def save_restorations(model: Restorer, data: str, folder: Path) -> None:
    """Write the first held-back pictures, shrunk and as they are, and the first of them restored, if the data set is at hand.

    Of pictures larger than on the card's sheet, the middle is taken. The shrunk ones are kept to the last bit.
    """
    channels, size, _ = model.image_shape
    side = min(SHEET, size) // model.scale * model.scale
    try:
        held, tested = (load_data(data, part, size, channels=channels) for part in ("validation", "test"))
    except DataError:
        return  # those written earlier stay
    true = middle(held.unit(0, EXAMPLES), side)
    with runtime.forward_pass():
        save_grid(sheet(model, tested), folder / SAMPLES)
        small = model.downscale(true, Draws(0, len(true)))
        made = model.upscale(small[:1]).cpu()
    for file, pictures, exact in ((INPUTS, small, True), (PARTNERS, true, False), (RESULT, made, False)):
        save_row((pictures * 255).round().to(torch.uint8), folder / file, exact)


def save_row(pictures: Tensor, file: Path, exact: bool = False) -> None:
    """Bytes (N, C, H, W) as one WebP, without loss where that is smaller: so are drawings and label maps, photographs are not.

    ``exact``: without loss in any case.
    """
    row = torch.cat(list(pictures.expand(-1, 3, -1, -1)), dim=2).permute(1, 2, 0).contiguous().numpy()
    kinds = [io.BytesIO(), io.BytesIO()]
    Image.fromarray(row).save(kinds[0], "WEBP", lossless=True, quality=100, method=6)
    Image.fromarray(row).save(kinds[1], "WEBP", quality=80, method=6)
    with replacing(file) as part:
        part.write_bytes(min((kind.getvalue() for kind in kinds[: 1 if exact else 2]), key=len))


def sheet(model: Translator | Restorer, held: DataSet) -> Tensor:
    """What a model makes of the first 16 pictures or pairs of a set, pictures (N, C, H, W) in [0, 1], eight to a row."""
    if isinstance(model, Restorer):
        return model.examples(middle(held.unit(0, 16), min(SHEET, *held.images.shape[-2:]) // model.scale * model.scale))
    pictures = model.examples(held.unit(0, 16), held.partners[:16].float() / 255)
    return nn.functional.adaptive_avg_pool2d(pictures, min(pictures.shape[-1], SHEET))


def middle(pictures: Tensor, side: int) -> Tensor:
    """The middle squares of pictures (N, C, H, W)."""
    top, left = ((length - side) // 2 for length in pictures.shape[-2:])
    return pictures[..., top : top + side, left : left + side]


def save_grid(pictures: Tensor, file: Path, columns: int = 8) -> None:
    """Pictures (N, C, H, W) in [0, 1] side by side as one PNG."""
    rows = -(-len(pictures) // columns)
    padded = nn.functional.pad(pictures, (0, 0, 0, 0, 0, 0, 0, rows * columns - len(pictures)))
    _, channels, height, width = padded.shape
    grid = padded.reshape(rows, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    grid = grid.reshape(rows * height, columns * width, channels).expand(-1, -1, 3)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part:
        Image.fromarray((grid.cpu() * 255).round().to(torch.uint8).numpy()).save(part, "PNG")
