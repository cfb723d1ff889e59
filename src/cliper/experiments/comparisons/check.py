"""Settings of a comparison, checked before hours are spent: nothing may be without effect."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from cliper.backbones import backbone_entry
from cliper.config import nearest
from cliper.errors import InputError
from cliper.experiments.comparisons.tuning import effective_space
from cliper.experiments.comparisons.variants import Variant, variant_config
from cliper.experiments.run.config import ExperimentConfig, has_value, with_values
from cliper.experiments.search import DrawSettings
from cliper.experiments.search.space import check_space

# What a comparison varies itself, and the option that says how.
OWNED = {
    "backbone.name": "--backbones",
    "features.kind": "--features",
    "fusion.kind": "--fusions",
    "training.seed": "--seeds",
    "dataset.path": "the argument DATASET",
}


def check_comparison(
    variants: Sequence[Variant],
    base: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    metric: str,
    *,
    fusions_given: bool,
    search: DrawSettings | None = None,
) -> None:
    """Refuse bad values and settings that no variant could use.

    Args:
        variants: the table's rows.
        base: the settings tree of all.
        grid: dotted key → values.
        metric: what significance is about, e.g. `recall@20`.
        fusions_given: the user named fusions.
        search: how each variant is searched, if by draws.

    Raises:
        InputError: on the first problem, with its key.
    """
    if fusions_given and not any(v.fusion for v in variants):
        raise InputError(
            "has no effect without cliper features", where="--fusions", remedy="leave it out"
        )
    for key in grid:
        if has_value(base, key):
            raise InputError("is set and searched at once", where=key, remedy="leave one out")
    for values in product(*grid.values()):
        tree = with_values(base, dict(zip(grid, values, strict=True)))
        _check_tree(variants, tree, metric)
        for variant in variants:
            variant_config(None, variant, 0, tree)
    for variant in variants:
        for key in variant.settings:
            if key in OWNED or key.startswith(("split.", "evaluation.")):
                raise InputError(
                    "must be the same for every variant", where=f"set_for {variant.name}: {key}"
                )
    if search is not None:
        _check_search(variants, base, search)


def _check_search(
    variants: Sequence[Variant], base: Mapping[str, Any], search: DrawSettings
) -> None:
    used: set[str] = set()
    for variant in variants:
        space = effective_space(variant, base, search)
        used |= set(space)
        if space:
            check_space(space, lambda p, v=variant: variant_config(None, v, 0, base, p))  # type: ignore[misc]
    for key in search.space:
        if has_value(base, key):
            raise InputError("is set and searched at once", where=key, remedy="leave one out")
        if key not in used:
            raise InputError(
                "no variant of this comparison has it", where=f"space {key}", remedy="leave it out"
            )
    if not used:
        raise InputError("there is nothing to search", where="preset", remedy="leave it out")


def _check_tree(variants: Sequence[Variant], tree: Mapping[str, Any], metric: str) -> None:
    backbone = tree.get("backbone", {})
    if not isinstance(backbone, dict):
        raise InputError("is a section, not a value", where="backbone")
    shared = {k: v for k, v in tree.items() if k not in ("backbone", "dataset")}
    config = ExperimentConfig.parse({**shared, "dataset": {"path": ""}})
    for key, option in OWNED.items():
        if has_value(tree, key):
            raise InputError("is not a setting of a comparison", where=key, remedy=f"use {option}")
    known = {n for v in variants for n in backbone_entry(v.backbone).config.model_fields}
    for name in backbone:
        if name not in known:
            raise InputError(
                "no backbone of this comparison has this option",
                where=f"backbone.{name}",
                remedy=nearest(name, sorted(known)),
            )
    kinds = {v.features for v in variants}
    for section in ("views", "encoder", "fusion"):
        if tree.get(section) and "cliper" not in kinds:
            raise InputError(
                "has no effect without cliper features", where=section, remedy="leave it out"
            )
    if has_value(tree, "fusion.temperature") and not any(v.fusion == "attention" for v in variants):
        raise InputError(
            "has no effect without the attention fusion",
            where="fusion.temperature",
            remedy="leave it out",
        )
    measured = [f"{name}@{k}" for name in ("recall", "ndcg") for k in config.evaluation.k]
    if metric not in measured:
        raise InputError(
            f"no metric {metric!r}", where="--metric", remedy=nearest(metric, measured)
        )
