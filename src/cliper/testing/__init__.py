"""Tools to test backbones and encoders with, in this package and in others."""

from cliper.testing.warm_world import WarmWorld, warm_recall, warm_world
from cliper.testing.world import ToyWorld, toy_world

__all__ = ["ToyWorld", "WarmWorld", "toy_world", "warm_recall", "warm_world"]
