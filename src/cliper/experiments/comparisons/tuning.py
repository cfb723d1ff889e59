"""Each variant's settings, chosen on the first seed's validation; equal chances for all."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cliper.backbones import backbone_entry
from cliper.data import Dataset
from cliper.experiments.comparisons.variants import Variant, variant_config
from cliper.experiments.run.config import ExperimentConfig, has_value
from cliper.experiments.run.trainings import Training, validate_all
from cliper.experiments.search import (
    Choice,
    DrawSettings,
    Range,
    parse_space,
    preset,
)
from cliper.experiments.search.space import combinations, first_of
from cliper.parallel import Workers

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Tuned:
    """What validation chose for a variant, and among how many configurations."""

    settings: Settings = field(default_factory=dict)
    budget: int = 1


def choose_by_grid(
    dataset: Dataset,
    variants: Sequence[Variant],
    seed: int,
    out: Path,
    base: Settings | None,
    grid: Mapping[str, Sequence[Any]],
    processes: Workers,
) -> dict[str, Tuned]:
    """The best combination of each variant."""
    tried: dict[str, list[dict[str, Any]]] = {}
    trainings = []
    for variant in variants:
        tried[variant.name] = []
        for number, combination, config in distinct(dataset.path, variant, seed, base, grid):
            tried[variant.name].append(combination)
            folder = out / "search" / variant.name / f"{number:03d}"
            trainings.append(Training(f"{variant.name} configuration {number}", config, folder))
    validations = iter(validate_all(dataset, trainings, processes=processes))
    chosen = {}
    for name, configurations in tried.items():
        values = [next(validations).value for _ in configurations]
        best = configurations[values.index(max(values))]
        chosen[name] = Tuned(best, len(configurations))
    return chosen


def distinct(
    path: Path | None,
    variant: Variant,
    seed: int,
    base: Settings | None,
    grid: Mapping[str, Sequence[Any]],
) -> Iterator[tuple[int, dict[str, Any], ExperimentConfig]]:
    """(number, values, experiment) of a grid's combinations that can differ for a variant.

    Those that differ only in settings that it does not have are one.
    """
    space = {key: Choice(tuple(values)) for key, values in grid.items()}
    seen: set[str] = set()
    for number, combination in enumerate(combinations(space)):
        config = variant_config(path, variant, seed, base, combination)
        key = json.dumps(_effective(config), sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield number, combination, config


def choose_by_search(
    dataset: Dataset,
    variants: Sequence[Variant],
    seed: int,
    out: Path,
    base: Settings | None,
    plan: DrawSettings,
    processes: Workers,
) -> dict[str, Tuned]:
    """The best of as many draws for each variant; one with nothing to search is left as it is."""
    from cliper.experiments.search import search  # needs Optuna, an extra

    chosen = {}
    for variant in variants:
        space = effective_space(variant, base, plan)
        if not space:
            chosen[variant.name] = Tuned()
            continue

        def build(params: dict[str, Any], variant: Variant = variant) -> ExperimentConfig:
            return variant_config(dataset.path, variant, seed, base, params)

        outcome = search(
            dataset,
            build,
            space,
            out / "search" / variant.name,
            trials=plan.trials,
            seed=seed,
            sampler=plan.sampler,
            prune=plan.prune,
            warmup=plan.warmup,
            processes=processes,
            description=f"searching {variant.name}",
        )
        chosen[variant.name] = Tuned(dict(outcome.best.params), len(outcome.trials))
    return chosen


def named_space(
    plan: DrawSettings, variant: Variant, config: ExperimentConfig
) -> dict[str, Choice | Range]:
    """What a variant's search chooses: what it has, and does not set itself."""
    named = preset(plan.preset, config) if plan.preset is not None else {}
    options = backbone_entry(variant.backbone).config.model_fields
    texts = []
    for text in plan.space_texts():
        section, _, name = text.partition("=")[0].strip().partition(".")
        if section != "backbone" or name in options:
            texts.append(text)
    whole = {**named, **parse_space(texts, variant.backbone)}
    return {key: one for key, one in whole.items() if key not in variant.settings}


def effective_space(
    variant: Variant, base: Settings | None, plan: DrawSettings
) -> dict[str, Choice | Range]:
    """The plan's space without settings that have no effect on this variant, or are set."""
    config = variant_config(None, variant, 0, base)
    named = named_space(plan, variant, config)
    space = {key: one for key, one in named.items() if not has_value(config.given(), key)}
    given = _effective(variant_config(None, variant, 0, base, first_of(space)))
    return {key: one for key, one in space.items() if has_value(given, key)}


def _effective(config: ExperimentConfig) -> dict[str, Any]:
    """The settings as given, without those of a loop where nothing is trained in one."""
    given = config.given()
    if not backbone_entry(config.backbone_name).backbone.is_trained:
        del given["training"]
    return given
