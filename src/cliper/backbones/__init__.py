"""Recommendation backbones, one file per model, created by name."""

from cliper.backbones import bpr, freedom, lightgcn, popularity, vbpr  # noqa: F401  (they register)
from cliper.backbones.base import Backbone, BackboneConfig, Batch
from cliper.backbones.registry import (
    BackboneEntry,
    backbone_entry,
    create_backbone,
    list_backbones,
    register_backbone,
)

__all__ = [
    "Backbone",
    "BackboneConfig",
    "BackboneEntry",
    "Batch",
    "backbone_entry",
    "create_backbone",
    "list_backbones",
    "register_backbone",
]
