"""`ExperimentConfig`: one strict tree for `--set`, YAML files and the Python functions."""

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from cliper.backbones import backbone_entry
from cliper.config import StrictConfig
from cliper.data.splits.settings import SplitSettings
from cliper.encoders.builtin import refuse_on_packaged
from cliper.encoders.registry import check_settings
from cliper.encoders.settings import RUNNING, EncoderSettings
from cliper.errors import InputError
from cliper.experiments.run.tracking.base import TrackingSettings
from cliper.graphs import NeighbourSearch
from cliper.representation.settings import (
    FeaturesSettings,
    FusionSettings,
    RepresentationSettings,
    ViewsSettings,
)
from cliper.strict_yaml import read_yaml
from cliper.training import TrainingConfig


class DatasetSettings(StrictConfig):
    """Where the prepared dataset is."""

    path: str


class EvaluationSection(StrictConfig):
    """How items are ranked."""

    mask: Literal["train", "train+valid"] = "train+valid"
    candidates: Literal["split", "all"] = Field(
        "split", description="`split`: what the split ranks among (cold items for cold-item)"
    )
    k: list[int] = Field([10, 20, 50], min_length=1)
    chunk_size: int = Field(512, ge=1, le=65536)
    valid_users: int = Field(
        10_000, ge=1, description="users that validation ranks for, drawn by split.seed if more"
    )

    @field_validator("k")
    @classmethod
    def _has_twenty(cls, k: list[int]) -> list[int]:
        if 20 not in k or min(k) < 1:
            raise ValueError("every K must be positive and 20 among them (selection is by it)")
        return sorted(set(k))


class GraphsSection(StrictConfig):
    """How item graphs are made."""

    neighbours: NeighbourSearch = Field(
        "auto", description="auto compares all pairs of up to 100,000 items"
    )


class ExperimentConfig(StrictConfig):
    """Everything that determines a run. `backbone` holds `name` and the backbone's own options."""

    dataset: DatasetSettings
    views: ViewsSettings = ViewsSettings()
    encoder: EncoderSettings = EncoderSettings()
    features: FeaturesSettings = FeaturesSettings()
    fusion: FusionSettings = FusionSettings()
    split: SplitSettings = SplitSettings()
    backbone: dict[str, Any] = Field(default_factory=lambda: {"name": "freedom"})
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationSection = EvaluationSection()
    graphs: GraphsSection = GraphsSection()
    tracking: TrackingSettings = TrackingSettings()

    @classmethod
    def build(cls, values: Mapping[str, Any]) -> "ExperimentConfig":
        """Validate a nested mapping, the backbone's own options included.

        Raises:
            InputError: an unknown key, a bad value, or an option that would have no effect.
        """
        config = cls.parse(values)
        options = dict(config.backbone)
        if "name" not in options:
            raise InputError("no backbone is named", where="backbone.name")
        entry = backbone_entry(str(options.pop("name")))
        entry.config.parse(options, where="backbone")
        _refuse_without_effect(config, values, entry.features)
        config.tracking.check()
        return config

    @property
    def backbone_name(self) -> str:
        """The backbone's registered name."""
        return str(self.backbone["name"])

    @property
    def backbone_options(self) -> dict[str, Any]:
        """The backbone's own options."""
        return {k: v for k, v in self.backbone.items() if k != "name"}

    @property
    def own_settings(self) -> StrictConfig:
        """The backbone's own settings, defaults filled in."""
        return backbone_entry(self.backbone_name).config.parse(self.backbone_options)

    @property
    def split_seed(self) -> int:
        """Seed of the split: its own, or the training's."""
        return self.training.seed if self.split.seed is None else self.split.seed

    @property
    def representation(self) -> RepresentationSettings:
        """All that decides what the backbone sees of the items; the split has its seed."""
        split = self.split.model_copy(update={"seed": self.split_seed})
        return RepresentationSettings(
            views=self.views,
            encoder=self.encoder,
            features=self.features,
            fusion=self.fusion,
            split=split,
        )

    def given(self) -> dict[str, Any]:
        """The tree as it was given, without defaults; `build` makes the same experiment of it."""
        return self.model_dump(mode="json", exclude_unset=True)

    def resolved(self) -> dict[str, Any]:
        """The tree with every default filled in, without sections that have no effect."""
        tree = self.model_dump(mode="json")
        if os.path.exists(self.dataset.path):  # noqa: PTH110 (False for what no path can be); so that a run can be repeated from anywhere
            tree["dataset"]["path"] = str(Path(self.dataset.path).resolve())
        if self.graphs == GraphsSection():
            del tree["graphs"]
        if not self.tracking.to:
            del tree["tracking"]
        entry = backbone_entry(self.backbone_name)
        options = entry.config.parse(self.backbone_options).model_dump(mode="json")
        tree["backbone"] = {"name": self.backbone_name, **options}
        tree["split"]["seed"] = self.split_seed
        for name, default in (("train_share", 1), ("fold", 0)):
            if tree["split"][name] == default:
                del tree["split"][name]
        sections = self.representation.resolved()
        without = RepresentationSettings.model_fields.keys() - sections.keys() - {"split"}
        return {k: sections.get(k, value) for k, value in tree.items() if k not in without}


def _refuse_without_effect(config: ExperimentConfig, given: Mapping[str, Any], use: str) -> None:
    kind = config.features.kind
    if kind != "none" and use == "none" and "features" in given:
        raise InputError(
            f"{config.backbone_name} uses no features, {kind!r} would have no effect",
            where="features.kind",
            remedy="use --features none",
        )
    if kind == "none" and use == "required":
        raise InputError(
            f"{config.backbone_name} needs item features",
            where="features.kind",
            remedy="use cliper or vanilla",
        )
    if kind != "cliper":
        encoder = set(given.get("encoder") or {}) - set(RUNNING if kind == "vanilla" else ())
        unused = {**given, "encoder": encoder}
        for section in ("fusion", "views", "encoder"):
            if unused.get(section):
                raise InputError(
                    f"has no effect with features.kind={kind}",
                    where=section,
                    remedy="leave it out, or use features.kind=cliper",
                )
    if kind == "cliper":
        check_settings(config.encoder)
    elif kind == "vanilla":
        refuse_on_packaged(config.encoder)
    fusion = given.get("fusion") or {}
    for name in ("temperature", "threshold"):
        if fusion.get(name) is not None and config.fusion.kind != "attention":
            raise InputError(
                f"has no effect with fusion.kind={config.fusion.kind}",
                where=f"fusion.{name}",
                remedy="leave it out, or use the attention fusion",
            )
    if kind == "cliper" and config.fusion.kind == "learned" and not config.features.normalize_views:
        raise InputError(
            "false has no effect with fusion.kind=learned, whose weights are of views of length 1",
            where="features.normalize_views",
            remedy="leave it out",
        )
    if kind != "random" and "random_size" in (given.get("features") or {}):
        raise InputError(f"has no effect with features.kind={kind}", where="features.random_size")


def with_values(tree: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a settings tree with values under dotted keys.

    >>> with_values({"training": {"patience": 5}}, {"training.seed": 1})
    {'training': {'patience': 5, 'seed': 1}}
    """
    result = deepcopy(dict(tree))
    for key, value in values.items():
        *parents, last = key.split(".")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return result


def has_value(tree: Mapping[str, Any], key: str) -> bool:
    """Whether a settings tree has a value or a section under a dotted key."""
    node: Any = tree
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def load_experiment(path: Path) -> dict[str, Any]:
    """Read an experiment file as a tree; strictness comes with `ExperimentConfig.build`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not valid YAML: {error}", where=str(path)) from None
    tree = read_yaml(text, str(path))
    if not isinstance(tree, dict):
        raise InputError("an experiment is a mapping of sections", where=str(path))
    return tree
