"""Backbones by name."""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from cliper.backbones.base import Backbone
from cliper.config import StrictConfig
from cliper.data import Interactions, ItemFields
from cliper.errors import InputError
from cliper.registry import Registry
from cliper.representation.augmented import AugmentedUsers
from cliper.representation.features import ItemFeatures

T = TypeVar("T", bound=Backbone)


@dataclass(frozen=True)
class BackboneEntry:
    """A registered backbone: its class, its settings' class and one line about it."""

    name: str
    summary: str
    backbone: type[Backbone]
    config: type[StrictConfig]

    @property
    def features(self) -> str:
        """`none`, `optional` or `required`."""
        if not self.backbone.uses_features:
            return "none"
        return "optional" if self.backbone.features_optional else "required"

    @property
    def sees_content(self) -> bool:
        """It may know something of an item that nobody took."""
        return self.backbone.uses_features or "fields" in self.backbone.extra_inputs


def _modules() -> list[str]:
    """The files beside this one."""
    folder = Path(__file__).parent
    return sorted(f"cliper.backbones.{m.name}" for m in pkgutil.iter_modules([str(folder)]))


BACKBONES: Registry[BackboneEntry] = Registry("backbone", _modules)


def register_backbone(
    name: str, config: type[StrictConfig], summary: str
) -> Callable[[type[T]], type[T]]:
    """Class decorator that makes a backbone known by `name`."""

    def register(backbone: type[T]) -> type[T]:
        BACKBONES.add(name, BackboneEntry(name, summary, backbone, config))
        return backbone

    return register


def list_backbones() -> list[BackboneEntry]:
    """Every registered backbone by name, those of installed packages included."""
    return [entry for _, entry in sorted(BACKBONES.all().items())]


def backbone_entry(name: str) -> BackboneEntry:
    """The entry of one backbone.

    Raises:
        InputError: no backbone has that name; the nearest one is named.
    """
    return BACKBONES.get(name)


def create_backbone(
    name: str,
    interactions: Interactions,
    features: ItemFeatures | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    fields: ItemFields | None = None,
    augmentation: AugmentedUsers | None = None,
) -> Backbone:
    """Build a backbone on the training interactions.

    Args:
        name: a registered name, e.g. `freedom`.
        interactions: the training part of a split.
        features: item features, for the backbones that use them.
        options: the backbone's own settings; what is not given has the paper's default.
        seed: of the initial weights.
        fields: the items' field tokens, for the backbones that declare them.
        augmentation: what a language model added, for the backbones that declare it.

    Raises:
        InputError: an unknown name, option or value, or features or fields that are missing.
    """
    entry = backbone_entry(name)
    config = entry.config.parse(options or {}, where="backbone")
    generator = torch.Generator().manual_seed(seed)
    extra: dict[str, Any] = {}
    if "augmentation" in entry.backbone.extra_inputs:
        extra["augmentation"] = augmentation
    if "fields" in entry.backbone.extra_inputs:
        if fields is None:
            raise InputError(
                f"{name} needs the items' metadata fields",
                where="dataset",
                remedy="prepare the dataset with --items",
            )
        fields.check(interactions.items)
        extra["fields"] = fields
    return entry.backbone(config, interactions, features, generator, **extra)
