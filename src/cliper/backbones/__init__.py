"""Recommendation backbones, one file per model, created by name.

A model's file has its name (`turbo-cf` is in `turbo_cf.py`) and registers it. It is imported when
the model is first asked for, so a new file is known without being named anywhere.
"""

from cliper.backbones.base import Backbone, BackboneConfig, Batch
from cliper.backbones.content import ContentBackbone
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
    "ContentBackbone",
    "backbone_entry",
    "create_backbone",
    "list_backbones",
    "register_backbone",
]
