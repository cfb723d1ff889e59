"""The rows of a comparison: which backbone on which features, and the experiment of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cliper.backbones import backbone_entry
from cliper.encoders.settings import RUNNING
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig, with_values


@dataclass(frozen=True)
class Variant:
    """One row of the table: a backbone on one kind of features.

    Attributes:
        backbone: its name.
        features: `none`, `vanilla`, `cliper` or `random`.
        fusion: of `cliper` features, else None.
        tag: tells variants apart that differ in settings alone, e.g. `d128`.
        settings: dotted key → value, of this variant alone; they have the last word.
    """

    backbone: str
    features: str
    fusion: str | None = None
    tag: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """E.g. `freedom-cliper-attention`, fit for a folder."""
        parts = (self.backbone, self.features, self.fusion, self.tag)
        return "-".join(part for part in parts if part)

    @property
    def label(self) -> str:
        """The features as people read them, e.g. `CLIPER attention`."""
        names = {"cliper": f"CLIPER {self.fusion}", "none": "ids only"}
        made = names.get(self.features, self.features)
        return f"{made}, {self.tag}" if self.tag else made


def plan(
    backbones: Sequence[str], features: Sequence[str], fusions: Sequence[str]
) -> list[Variant]:
    """The variants: every backbone on every kind that it can use; a feature-free one once."""
    variants: list[Variant] = []
    for backbone in backbones:
        use = backbone_entry(backbone).features
        if use == "none":
            variants.append(Variant(backbone, "none"))
            continue
        if use == "required" and not set(features) - {"none"}:
            raise InputError(
                f"{backbone} needs item features",
                where="--features",
                remedy="name vanilla, cliper or random",
            )
        for kind in features:
            if kind == "none" and use == "required":
                continue
            names = fusions if kind == "cliper" else [None]
            variants += [Variant(backbone, kind, fusion) for fusion in names]
    if not variants:
        raise InputError("nothing to compare", where="--features", remedy="name vanilla or cliper")
    if len({variant.name for variant in variants}) != len(variants):
        raise InputError("a backbone, kind of features or fusion is named twice")
    return variants


def variant_config(
    path: Path | None,
    variant: Variant,
    seed: int,
    base: Mapping[str, Any] | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> ExperimentConfig:
    """The experiment of one variant and seed; settings that a variant cannot use are left out.

    `path` is the dataset's; None where the settings alone are looked at.
    `base` and `chosen` speak for the whole table: sections without effect on this variant
    (encoder settings of a vanilla run, options that only another backbone has) do not reach it.
    The variant's own settings do, and are refused where they have no effect.
    """
    tree = with_values(base or {}, chosen or {})
    tree["dataset"] = {"path": str(path)}
    known = backbone_entry(variant.backbone).config.model_fields
    options = {k: v for k, v in tree.get("backbone", {}).items() if k in known}
    tree["backbone"] = {"name": variant.backbone, **options}
    if variant.features != "cliper":
        for section in ("views", "fusion"):
            tree.pop(section, None)
        running = {k: v for k, v in tree.pop("encoder", {}).items() if k in RUNNING}
        if running and variant.features == "vanilla":
            tree["encoder"] = running
    else:
        fusion = {"kind": variant.fusion or "attention"}
        if fusion["kind"] == "attention":
            shared = tree.get("fusion", {})
            fusion |= {k: v for k, v in shared.items() if k in ("temperature", "threshold")}
        tree["fusion"] = fusion
    features = {"kind": variant.features}
    if variant.features != "none":
        shared = tree.get("features", {})
        usable = {"modalities", *(["random_size"] if variant.features == "random" else [])}
        features |= {k: v for k, v in shared.items() if k in usable}
    if variant.features == "cliper" and variant.fusion != "learned":
        shared = tree.get("features", {})
        features |= {k: v for k, v in shared.items() if k == "normalize_views"}
    tree["features"] = features
    tree["training"] = {**tree.get("training", {}), "seed": seed}
    return ExperimentConfig.build(with_values(tree, variant.settings))
