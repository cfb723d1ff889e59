"""Recommendation backbones, one file per model, created by name."""

import importlib
import pkgutil

from cliper.backbones.base import Backbone, BackboneConfig, Batch
from cliper.backbones.registry import (
    BackboneEntry,
    backbone_entry,
    create_backbone,
    list_backbones,
    register_backbone,
)

# Every module here registers its model; a new file is known without being named anywhere.
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

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
