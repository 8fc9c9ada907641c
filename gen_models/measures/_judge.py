"""The feature network that stands for "what a picture looks like" in distances between pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gen_models import catalog, runtime
from gen_models.base import Model
from gen_models.measures._pictures import CHUNK, batches, part
from gen_models.sets import record
from gen_models.verbs import HasFeatures


@dataclass(frozen=True)
class Judge:
    """Trained weights that offer ``features``, and what a protocol says of them."""

    name: str
    sha256: str
    foreign: bool
    """Whether they were trained on another data set than the one they judge."""
    network: HasFeatures

    @classmethod
    def of(cls, data: str, channels: int) -> Judge:
        """The judge of pictures of a data set.

        Raises:
            WeightsError: if its weights are missing, or there is none for pictures with so many channels.
        """
        name, foreign = feature_network(data, channels)
        return cls(name, catalog.config_of(name)["sha256"], foreign, catalog.load(name))

    @property
    def written(self) -> dict[str, str]:
        """What ``evaluation.json`` says of it."""
        return {"name": self.name, "sha256": self.sha256}

    def described(self, features: Tensor, *remarks: str) -> str:
        """What a protocol says of it, with the number of features (..., F)."""
        said = [f"SHA-256 {self.sha256[:8]}", *(["trained on another data set"] if self.foreign else []), *remarks]
        return f"{features.shape[-1]} features of {self.name} ({', '.join(said)})"


def feature_network(data: str, channels: int) -> tuple[str, bool]:
    """Name of the weights that judge pictures of a data set, and whether they were trained on another one.

    Where none were trained on this set, those of the first set by name whose pictures have as many channels.

    Raises:
        WeightsError: if there are none.
    """
    judges = {name: catalog.model_class(name) for name in sorted(catalog.names()) if "features" in catalog.methods(name)}
    for name, kind in judges.items():
        if data in kind.recipes:
            return f"{name}-{data}", False
    for name, kind in judges.items():
        for other, recipe in sorted(kind.recipes.items()):
            if recipe.arguments.get("channels") == channels and not record(other).own:
                return f"{name}-{other}", True
    raise catalog.WeightsError(f"there is no feature network for pictures of {channels} channels; train one")


def features_of(judge: HasFeatures, pictures: Tensor) -> Tensor:
    """Features of byte pictures (N, C, H, W), float64 (N, F)."""
    rows = []
    for images in pictures.split(CHUNK):
        with runtime.forward_pass():
            rows.append(judge.features(images.to(runtime.device())).cpu())
    return torch.cat(rows).double()


def details_of(judge: HasFeatures | Model, pictures: Tensor) -> Tensor:
    """Features of the squares, as large as the network's pictures, that byte pictures (N, C, H, W) are cut into, (N, P, F)."""
    side = min(judge.image_shape[-1], *pictures.shape[-2:])
    squares = pictures.unfold(2, side, side).unfold(3, side, side)  # (N, C, rows, columns, side, side)
    squares = squares.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
    return features_of(judge, squares.flatten(0, 1)).unflatten(0, squares.shape[:2])


@lru_cache(maxsize=6)
def real_features(
    network: str, digest: str, data: str, split: str, size: int, data_dir: str | None, channels: int, count: int, levels: int = 256
) -> Tensor:
    """Features of up to ``count`` pictures of one part, drawn with seed 0, float64 (N, F); ``digest`` keeps the cache honest."""
    held = part(data, split, size, data_dir, channels)
    judge = catalog.load(network)
    rows = []
    for images in batches(held, count, f"{network} on {split}"):
        with runtime.forward_pass():
            if levels < 256:
                images = (images * (levels - 1)).round() / (levels - 1)
            rows.append(judge.features(images.to(runtime.device())).cpu())
    return torch.cat(rows).double()
