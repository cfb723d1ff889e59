"""`cliper.fit`: one training from Python, with the settings as keyword arguments."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from cliper.backbones import backbone_entry
from cliper.data import Dataset
from cliper.encoders.adaptation import split_name
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.finished import Run
from cliper.experiments.run.fit import fit_experiment
from cliper.representation import ItemFeatures


def fit(
    dataset: Dataset,
    backbone: str = "freedom",
    features: ItemFeatures | None = None,
    seed: int = 0,
    out: Path | str = "",
    *,
    split: str | None = None,
    mask: str | None = None,
    options: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
) -> Run:
    """Train a backbone and leave a run directory at `out`.

    `config.yaml` describes the features that were given, as far as they tell: where `represent`
    was called with templates or with `normalize_views=False`, say so in `settings` as well.

    Args:
        dataset: a prepared dataset.
        backbone: a name of `list_backbones()`.
        features: what `represent` made; None for a backbone that uses none.
        seed: of initial weights, negatives and (unless `settings` names another) the split.
        out: the run directory, required.
        split: kind of split; the given one, else random, if None.
        mask: `train` or `train+valid` (the default).
        options: the backbone's own settings, e.g. `{"embedding_size": 128}`.
        training: settings of the loop, e.g. `{"max_epochs": 50}`.
        settings: any other part of the tree of an experiment file.
        resume: go on with an interrupted training in `out`.

    Raises:
        InputError: unknown settings, features that do not fit the backbone, `out` in use.
        MismatchError: the features belong to other items.

    >>> run = fit(dataset, "freedom", represent(dataset), out="runs/shop")  # doctest: +SKIP
    """
    if not str(out):
        raise InputError("no directory for the run", where="out", remedy="name one: out='runs/…'")
    tree: dict[str, Any] = deepcopy(dict(settings or {}))
    use = backbone_entry(backbone).features
    if features is not None and use == "none":
        raise InputError(
            f"{backbone} uses no features, these would have no effect", where="features",
            remedy="leave them out",
        )  # fmt: skip
    if features is None and use == "required":
        raise InputError(
            f"{backbone} needs item features", where="features",
            remedy="give features=cliper.represent(dataset)",
        )  # fmt: skip
    if features is not None:
        features.check(dataset.items)
    _put(tree, "dataset", {"path": str(dataset.path) if dataset.path else "(in memory)"})
    _put(tree, "backbone", {"name": backbone, **(options or {})})
    _put(tree, "training", {"seed": seed, **(training or {})})
    _put(tree, "split", {"kind": split} if split is not None else {})
    _put(tree, "evaluation", {"mask": mask} if mask is not None else {})
    for section, values in describe_features(features).items():
        _put(tree, section, values)
    config = ExperimentConfig.build(tree)
    return fit_experiment(dataset, config, features, Path(out), resume=resume)


def describe_features(features: ItemFeatures | None) -> dict[str, dict[str, Any]]:
    """The sections of an experiment that would make these features again."""
    if features is None:
        return {"features": {"kind": "none"}}
    sections: dict[str, dict[str, Any]] = {
        "features": {"kind": features.kind, "modalities": list(features.modalities)}
    }
    if features.kind == "random":
        width = next(iter(features.tables.values())).shape[1]
        sections["features"]["random_size"] = int(width)
    if features.kind == "cliper":
        name, adaptation = split_name(features.encoder or EncoderSettings().name)
        sections["encoder"] = {"name": name}
        if adaptation is not None:
            sections["encoder"]["adapt"] = {"kind": adaptation}
        sections["views"] = {"include": list(features.views)}
        sections["fusion"] = {"kind": features.fusion or "attention"}
        if features.temperature is not None:
            infinite = features.temperature == float("inf")
            sections["fusion"]["temperature"] = "inf" if infinite else features.temperature
        if features.threshold is not None:
            sections["fusion"]["threshold"] = features.threshold
    return sections


def _put(tree: dict[str, Any], section: str, values: Mapping[str, Any], inside: str = "") -> None:
    """Add values to a section; a setting that is given twice and differently is refused."""
    node = tree.setdefault(section, {})
    for key, value in values.items():
        if isinstance(value, Mapping):
            _put(node, key, value, f"{inside}{section}.")
        elif node.setdefault(key, value) != value:
            raise InputError(
                f"given twice: {node[key]!r} in settings, and {value!r}",
                where=f"{inside}{section}.{key}",
            )
    if not node:
        del tree[section]
