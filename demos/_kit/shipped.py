"""Pictures that ship with weights, and how weights see a picture."""

from __future__ import annotations

import math

import PIL.Image
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from demos._kit.inputs import as_input
from demos._kit.markup import tiles_html
from demos._kit.pictures import is_empty
from demos._server.covers import sheet_of
from gen_models import catalog, sets
from gen_models.cards import measures_of


def sheet_tiles(name: str, count: int = 8, file: str = "samples.png", side: int | None = None) -> list[PIL.Image.Image]:
    """The first pictures on a sheet in ``weights/<name>/``, made when the weights were published; [] if it is not there.

    ``side``: that of each picture; None: eight stand in a row.
    """
    sheet = sheet_of(catalog.WEIGHTS / name / file)
    side = side or (0 if sheet is None else sheet.width // 8)
    if not side or sheet is None:
        return []
    across, down = sheet.width // side, sheet.height // side
    places = [(index % across * side, index // across * side) for index in range(min(count, across * down))]
    tiles_ = [sheet.crop((left, top, left + side, top + side)).convert("RGB") for left, top in places]
    grey = all(tile.convert("L").convert("RGB").tobytes() == tile.tobytes() for tile in tiles_)
    return [tile.convert("L") for tile in tiles_] if grey else tiles_


def tensors(name: str, *keys: str) -> tuple[Tensor, ...]:
    """Some tensors of weights in float32, read from the file without the model.

    Raises:
        WeightsError: if the file or one of them is not there.
    """
    try:
        with safe_open(catalog.folder_of(name) / "model.safetensors", "pt") as file:
            return tuple(file.get_tensor(key).float() for key in keys)
    except (OSError, SafetensorError) as error:
        cure = f"restore weights/{name} or train again"
        raise catalog.WeightsError(f"the weights {name} are missing or damaged; {cure}") from error


def numbers_in(weights: str) -> int | None:
    """How many numbers are in the file of the weights, read from its head; None if it is not here or damaged."""
    try:
        with safe_open(catalog.WEIGHTS / weights / "model.safetensors", "pt") as file:
            return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        return None


def measures_by_key(weights: str) -> dict[str, dict]:
    """What was measured of these weights: key -> ``measure``, ``value``, ``error``, ``unit``; {}: nothing yet."""
    return {entry["key"]: entry for entry in measures_of(weights)}


def shape_of(weights: str | None) -> tuple[int, int]:
    """Channels and side of the pictures; read from the configuration, without the model."""
    try:
        arguments = catalog.config_of(weights or "")["arguments"]
        return int(arguments["channels"]), int(arguments["size"])
    except (catalog.WeightsError, KeyError, TypeError, ValueError):
        return 3, 256  # the page opens all the same, and the first click says what is wrong


def kept_pictures(name: str | None, file: str, row: int) -> list[PIL.Image.Image]:
    """The RGB pictures in a file of a translator's weights, written when they were published; [] if there are none.

    A user's own weights may lack the file, but pictures stand in their own size in a ``row`` of eight of ``samples.png`` if they
    are small.
    """
    _, side = shape_of(name)
    found = sheet_tiles(name or "", 8, file, side)
    if not found:
        sheet = sheet_tiles(name or "", 8 * (row + 1))
        if sheet and sheet[0].width == side:
            filled = [place for place in range(8) if not is_empty(sheet[place])]  # what is missing from a row is white
            found = [sheet[8 * row + place] for place in filled if 8 * row + place < len(sheet)]
    return [picture.convert("RGB") for picture in found]


def picture_for(weights: str, image: PIL.Image.Image, centre: bool = True) -> Tensor:
    """A visitor's picture as a model's weights know theirs, (1, C, H, W) in [0, 1]; ``centre`` as for :func:`as_input`.

    One of the weights' own size is taken as it is.
    """
    config = catalog.config_of(weights)
    channels, size = config["arguments"]["channels"], config["arguments"]["size"]
    centre = centre and channels == 1 and image.size != (size, size)
    return torch.from_numpy(as_input(image, size, channels, centre=centre, fill=sets.record(config["data"]).fill))[None]


def example_pictures(weights: str | None, count: int = 8) -> list[PIL.Image.Image]:
    """Pictures of the kind that weights were trained on and that are nobody's: samples of the gallery's GAN, else their own."""
    data = (weights or "").partition("-")[2]
    return sheet_tiles(f"dcgan-{data}", count) or sheet_tiles(weights or "", count)


def examples_html(weights: str | None) -> str:
    """The example pictures to click."""
    return tiles_html(example_pictures(weights), words="example")
