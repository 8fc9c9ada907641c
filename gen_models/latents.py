"""What each latent of a model does, for the sliders of its room: pictures of its two ends, and a name where one is deserved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gen_models import runtime
from gen_models.base import Model
from gen_models.data import DataError, data_dir, load_data
from gen_models.files import write_text
from gen_models.sets import record
from gen_models.sheets import save_row
from gen_models.verbs import Decodes, Encodes

ENDS, NAMES = "ends.webp", "latents.json"
"""Files beside weights: the pictures of the lower ends of the ``COUNT`` latents with the largest KL, in this order, and after them
those of their upper ends, side by side; number of a latent -> its name."""
COUNT = 16
REACH = 4.0
"""The ends, in standard deviations of the prior."""
CLEAR = 0.5
"""A latent is named after a trait of the pictures if their correlation is at least this, or its opposite."""
PICTURES = 3000
"""Held-back pictures, at most, of which the correlations are."""


def write(model: Model, data: str, folder: Path) -> None:
    """Write both files into the folder of its weights, of a model with a decoder and a buffer ``latent_kl``.

    Names need the data set; where it is not at hand, those written earlier stay.
    """
    kl = dict(model.named_buffers()).get("latent_kl")
    if kl is None or not isinstance(model, Decodes):
        return
    shown = kl.argsort(descending=True)[:COUNT].tolist()
    save_row((ends(model, shown) * 255).round().to(torch.uint8), folder / ENDS)
    measures = record(data).traits
    if not measures or data_dir() is None or not isinstance(model, Encodes):
        return
    channels, size, _ = model.image_shape
    try:
        held = load_data(data, "validation", size, channels=channels)
    except DataError:
        return
    pictures, labels = held.unit(0, min(PICTURES, len(held))), held.labels[:PICTURES]
    with runtime.forward_pass():
        codes = torch.cat([model.encode(part).cpu() for part in pictures.split(500)])[:, shown]
    found = names(codes, {name: measure(pictures, labels) for name, measure in measures.items()})
    named = {str(shown[rank]): name for rank, name in sorted(found.items())}
    write_text(folder / NAMES, json.dumps(named, indent=2) + "\n")


def ends(model: Decodes, latents: list[int]) -> Tensor:
    """The pictures of the lower ends of N latents, then of the upper ends, (2N, C, H, W) in [0, 1]; all other latents are zero."""
    z = torch.zeros(2, len(latents), model.latent_dim)
    for place, latent in enumerate(latents):
        z[:, place, latent] = torch.tensor([-REACH, REACH])
    with runtime.forward_pass():
        return model.decode(z.flatten(0, 1)).cpu()


def names(codes: Tensor, traits: Mapping[str, Tensor]) -> dict[int, str]:
    """The names of latents by codes (N, latent_dim) and traits (N,) of the same pictures: the clearest correlation first.

    No latent has two names, and no name two latents.
    """
    columns = torch.cat([codes.T, torch.stack(list(traits.values())).to(codes)])
    columns = columns - columns.mean(dim=1, keepdim=True)
    columns = columns / columns.norm(dim=1, keepdim=True).clamp_min(1e-9)
    together = (columns[: codes.shape[1]] @ columns[codes.shape[1] :].T).abs()  # (latent_dim, traits)
    found: dict[int, str] = {}
    for place in together.flatten().argsort(descending=True).tolist():
        latent, number = divmod(place, len(traits))
        name = list(traits)[number]
        if together[latent, number] < CLEAR:
            break
        if latent not in found and name not in found.values():
            found[latent] = name
    return found
