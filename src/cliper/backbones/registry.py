"""Backbones by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from cliper.backbones.base import Backbone
from cliper.config import StrictConfig, nearest
from cliper.data import Interactions
from cliper.errors import InputError
from cliper.representation.features import ItemFeatures

T = TypeVar("T", bound=Backbone)


@dataclass(frozen=True)
class BackboneEntry:
    """A registered backbone: its class, its settings' class and one line about it."""

    name: str
    summary: str
    backbone: type[Backbone]
    config: type[StrictConfig]


_ENTRIES: dict[str, BackboneEntry] = {}


def register_backbone(
    name: str, config: type[StrictConfig], summary: str
) -> Callable[[type[T]], type[T]]:
    """Class decorator that makes a backbone known by `name`."""

    def register(backbone: type[T]) -> type[T]:
        if name in _ENTRIES:
            raise ValueError(f"two backbones are named {name!r}")
        _ENTRIES[name] = BackboneEntry(name, summary, backbone, config)
        return backbone

    return register


def list_backbones() -> list[BackboneEntry]:
    """Every registered backbone, by name."""
    return [_ENTRIES[name] for name in sorted(_ENTRIES)]


def backbone_entry(name: str) -> BackboneEntry:
    """The entry of one backbone.

    Raises:
        InputError: no backbone has that name; the nearest one is named.
    """
    if name not in _ENTRIES:
        raise InputError(f"no backbone {name!r}", remedy=nearest(name, list(_ENTRIES)))
    return _ENTRIES[name]


def create_backbone(
    name: str,
    interactions: Interactions,
    features: ItemFeatures | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Backbone:
    """Build a backbone on the training interactions.

    Args:
        name: a registered name, e.g. `freedom`.
        interactions: the training part of a split.
        features: item features, for the backbones that use them.
        options: the backbone's own settings; what is not given has the paper's default.
        seed: of the initial weights.

    Raises:
        InputError: an unknown name, option or value, or features that are missing.
    """
    entry = backbone_entry(name)
    config = entry.config.parse(options or {}, where="backbone")
    generator = torch.Generator().manual_seed(seed)
    return entry.backbone(config, interactions, features, generator)
