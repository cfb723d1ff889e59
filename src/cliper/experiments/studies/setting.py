"""Arms that differ in one thing, and the setting that they share."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from cliper.backbones import backbone_entry
from cliper.data import Dataset
from cliper.data.splits.settings import default_split
from cliper.encoders.registry import is_fitted
from cliper.errors import InputError
from cliper.experiments.comparisons.variants import Variant, variant_config
from cliper.experiments.run.config import ExperimentConfig
from cliper.representation import ItemFeatures, given_features
from cliper.representation.represent import rendered_views

MAKERS = ("brand", "director", "author", "artist", "manufacturer")
"""Fields that stand where the paper has the brand: who made the item."""


@dataclass(frozen=True)
class Arm:
    """One row of a study's table: what is run with every seed.

    Attributes:
        label: as people read it, unique in the study.
        variant: backbone, kind of features, fusion.
        settings: dotted key → value, over the study's common settings.
        against: label of the arm that it is compared with; None for a reference.
    """

    label: str
    variant: Variant
    settings: Mapping[str, Any] = field(default_factory=dict)
    against: str | None = None


@dataclass(frozen=True)
class Skipped:
    """An arm that the paper has and this machine or dataset cannot run, and why."""

    label: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The arms in the table's order, and what was left out."""

    arms: tuple[Arm, ...]
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        labels = [arm.label for arm in self.arms]
        if len(set(labels)) != len(labels):
            raise InputError("a value is named twice", where="--values")


@dataclass(frozen=True, eq=False)
class Setting:
    """What all arms of a study share.

    Attributes:
        dataset: a prepared dataset with a path.
        backbone: its name.
        fusion: of `cliper` features where the study does not vary it.
        base: common settings as in an experiment file, with the views named.
        views: the views in use; empty where the dataset brings finished features.
        seeds: of the runs; each seeds split, negatives and initial weights.
        metric: what differences, intervals and tests are about, e.g. `recall@20`.
        values: what the study varies over, where it takes values and some were given.
    """

    dataset: Dataset
    backbone: str
    fusion: str
    base: Mapping[str, Any]
    views: tuple[str, ...]
    seeds: tuple[int, ...]
    metric: str = "recall@20"
    values: tuple[Any, ...] | None = None

    @classmethod
    def make(
        cls,
        dataset: Dataset,
        base: Mapping[str, Any] | None = None,
        *,
        backbone: str = "freedom",
        fusion: str = "attention",
        seeds: Sequence[int] = (0,),
        metric: str = "recall@20",
        values: Sequence[Any] | None = None,
    ) -> "Setting":
        """Check the common settings and spell out views and split, so that equal arms are equal.

        Raises:
            InputError: a backbone that uses no features, a bad setting, a dataset without views.
        """
        if backbone_entry(backbone).features == "none":
            raise InputError(
                f"{backbone} uses no features, there is nothing to study",
                where="--backbone",
                remedy="name one that does, e.g. freedom or vbpr",
            )
        tree = deepcopy(dict(base or {}))
        views = _name_views(dataset, tree)
        split = dict(tree.get("split") or {})
        tree["split"] = {**split, "kind": split.get("kind") or default_split(dataset)}
        chosen = None if values is None else tuple(values)
        setting = cls(dataset, backbone, fusion, tree, views, tuple(seeds), metric, chosen)
        setting.config(setting.cliper("all"), 0)
        return setting

    def config(self, arm: Arm, seed: int) -> ExperimentConfig:
        """The experiment of one arm and seed."""
        return variant_config(self.dataset.path, arm.variant, seed, self.base, arm.settings)

    def cliper(
        self, label: str, settings: Mapping[str, Any] | None = None, against: str | None = None
    ) -> Arm:
        """An arm on CLIPER's features."""
        return Arm(label, Variant(self.backbone, "cliper", self.fusion), settings or {}, against)

    def vanilla(self, against: str | None = None, label: str = "vanilla") -> Arm:
        """The arm on features of independent unimodal encoders."""
        return Arm(label, Variant(self.backbone, "vanilla"), {}, against)

    def random(self, against: str | None = None, label: str = "random") -> Arm:
        """The arm on features that know nothing."""
        return Arm(label, Variant(self.backbone, "random"), {}, against)

    @property
    def fits_its_encoder(self) -> bool:
        """The encoder is fitted on the views in use, so it changes when they do."""
        encoder = self.config(self.cliper("all"), self.seeds[0]).encoder
        return is_fitted(encoder) and not self.brings_features

    @property
    def brings_features(self) -> bool:
        """The dataset came with its features: there is nothing to encode."""
        return "features" in self.dataset.about


def paper_order(views: Sequence[str]) -> list[str]:
    """The views at hand in the paper's order of priority, title > brand > description > categories.

    Whoever made the item stands where the paper has the brand.

    >>> paper_order(["categories", "director", "title", "cast"])
    ['title', 'director', 'categories']
    """
    maker = next((name for name in MAKERS if name in views), None)
    order = ("title", maker, "description", "categories")
    return [name for name in order if name is not None and name in views]


def _name_views(dataset: Dataset, tree: dict[str, Any]) -> tuple[str, ...]:
    """Write the views (and their templates) that settings and dataset imply into the tree.

    With the templates spelt out the global view is the same text whichever views an arm leaves
    out, and equal arms of different studies are one run.
    """
    section = dict(tree.get("views") or {})
    if "features" in dataset.about:
        given = given_features(dataset)
        names = () if isinstance(given, ItemFeatures) else given.views
        views = tuple(section.get("include") or names)
        if views:
            tree["views"] = {**section, "include": list(views)}
        return views
    rendered = rendered_views(dataset, section.get("templates"), section.get("include"))
    tree["views"] = {"include": list(rendered.names), "templates": dict(rendered.templates)}
    return rendered.names
