"""A dataset augmented by a language model (LLMRec): asked, checked, counted."""

from cliper.augment.augment import AugmentReport, AugmentSettings, augment_dataset
from cliper.augment.generator import CausalModel, TextGenerator, load_generator

__all__ = [
    "AugmentReport",
    "AugmentSettings",
    "CausalModel",
    "TextGenerator",
    "augment_dataset",
    "load_generator",
]
