"""Classic deep generative models, each in one file, with trained weights: ``load("dcgan-fashion").sample(Draws(7, 16))``."""

from gen_models.base import Draws
from gen_models.catalog import load, model_class, names, trained

__all__ = ["Draws", "load", "model_class", "names", "trained"]
