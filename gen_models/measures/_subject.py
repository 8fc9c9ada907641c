"""What is measured: a model, and the part of a data set that it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gen_models.base import Model
from gen_models.data import DataSet
from gen_models.measures._judge import Judge
from gen_models.measures._pictures import part


@dataclass(frozen=True)
class Subject:
    """A model in evaluation mode, and the part of a data set that it is held against."""

    model: Model
    config: Mapping[str, Any]
    """Its ``config.json``."""
    data: str
    """Data set, as for ``load_data``."""
    data_dir: str | None = None
    split: str = "test"
    name: str = ""
    """Of the weights, for progress bars."""
    last: Model | None = None
    """The last weights of the training, if the model's are a moving average and both are to be compared."""

    def part(self, split: str) -> DataSet:
        """A part of the data set in the model's shape.

        Raises:
            DataError: if it cannot be read.
        """
        channels, size, _ = self.model.image_shape
        return part(self.data, split, size, self.data_dir, channels)

    @property
    def held(self) -> DataSet:
        """The part that the model is held against."""
        return self.part(self.split)

    @cached_property
    def judge(self) -> Judge:
        """The feature network for this data set; see :meth:`Judge.of`."""
        return Judge.of(self.data, self.model.image_shape[0])

    @property
    def asked(self) -> dict[str, str] | None:
        """Name and SHA-256 of the feature network, if a measure has asked it."""
        return self.judge.written if "judge" in vars(self) else None
