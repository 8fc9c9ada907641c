"""Ways through the latents of a model along which one trait of its pictures changes and the others stay as they are."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from gen_models import catalog, runtime
from gen_models.base import Draws, Model
from gen_models.files import write_text
from gen_models.sets import record
from gen_models.verbs import Decodes, Encodes, HasFeatures, HasLatents

FILE = "directions.json"
"""Beside weights: name of a change -> what is added to latents for it, a list of ``latent_dim`` numbers."""
SAMPLES = 6000
STEP = 1.0
"""How far a change moves its trait, in standard deviations of the trait among samples."""


def write(model: Model, data: str, folder: Path) -> None:
    """Write the file into the folder of weights whose data set names ``contrasts``, and for which there is a feature network.

    Not of a model that encodes: there, codes of pictures with labels say more than what a network thinks of samples.
    """
    (folder / FILE).unlink(missing_ok=True)
    contrasts, name = record(data).contrasts, f"features-{data}"
    able = isinstance(model, HasLatents) and isinstance(model, Decodes) and not isinstance(model, Encodes)
    if contrasts and able and name in catalog.trained("features"):
        found = directions(model, catalog.load(name), contrasts, list(record(data).classes))
        rounded = {change: [round(value, 4) for value in vector.tolist()] for change, vector in found.items()}
        write_text(folder / FILE, json.dumps(rounded) + "\n")


def directions(
    model: Model, judge: HasFeatures, contrasts: dict[str, tuple[str, int]], tasks: list[str], count: int = SAMPLES
) -> dict[str, Tensor]:
    """Name of each change -> what is to be added to latents, (latent_dim,).

    The traits of samples, as the judge sees them, are fitted by a linear function of their latents; the direction of one is the
    shortest step that moves it and by that function none of the others: all else that the judge knows, and the brightness of the
    middle, so that an older face does not become a lighter one. (Shen et al. 2020, https://arxiv.org/abs/1907.10786, section 2.2,
    who project one direction at a time.)
    """
    latents, traits = [], []
    with runtime.forward_pass():
        for first in range(0, count, 250):
            latents.append(model.latents(Draws(1, min(250, count - first), first, model.device)).cpu())
            traits.append(measured(judge, model.decode(latents[-1]), contrasts, tasks).cpu())
    z, seen = torch.cat(latents).double(), torch.cat(traits).double()
    seen = (seen - seen.mean(dim=0)) / seen.std(dim=0).clamp_min(1e-6)
    slopes = torch.linalg.lstsq(z - z.mean(dim=0), seen).solution  # (latent_dim, traits)
    moves = torch.linalg.pinv(slopes.T)  # slopes.T @ moves is the identity
    asked = list(dict.fromkeys(task for task, _ in contrasts.values()))
    return {change: sign * STEP * moves[:, asked.index(task)] for change, (task, sign) in contrasts.items()}


def measured(judge: HasFeatures, pictures: Tensor, contrasts: dict[str, tuple[str, int]], tasks: list[str]) -> Tensor:
    """Traits of pictures (B, C, H, W): first those of the contrasts, by the mean number of their class, then all others."""
    chances = dict(zip(tasks, (logits.softmax(dim=1) for logits in judge.logits(judge.features(pictures))), strict=False))
    asked = list(dict.fromkeys(task for task, _ in contrasts.values()))
    found = [chances[task] @ torch.arange(chances[task].shape[1]).to(chances[task]) for task in asked]
    found += [column for task in tasks if task not in asked for column in chances[task].unbind(dim=1)[:-1]]
    _, _, height, width = pictures.shape
    middle = pictures[:, :, height // 4 : -(height // 4), width // 4 : -(width // 4)]
    return torch.stack([*found, middle.mean(dim=(1, 2, 3)).clamp_min(0.01).log()], dim=1)
