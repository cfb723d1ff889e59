"""Tools to test backbones and encoders with, in this package and in others."""

from cliper.testing.world import ToyWorld, toy_world

__all__ = ["ToyWorld", "toy_world"]
