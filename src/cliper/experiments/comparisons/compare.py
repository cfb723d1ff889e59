"""`compare`: backbones × features × fusions × seeds, with the statistics (the paper's Table 2)."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cliper.data import Dataset
from cliper.data.splits.kinds import FOLDS
from cliper.errors import InputError
from cliper.experiments.comparisons.comparison import Comparison, Outcome, analyse, comparison_json
from cliper.experiments.comparisons.tuning import Tuned, choose_by_grid, choose_by_search
from cliper.experiments.comparisons.variants import Variant, variant_config
from cliper.experiments.run.config import with_values
from cliper.experiments.run.trainings import Training, train_all
from cliper.experiments.search import DrawSettings
from cliper.files import write_json
from cliper.parallel import Workers

Settings = Mapping[str, Any]


def compare(
    dataset: Dataset,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    out: Path,
    *,
    base: Settings | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    search: DrawSettings | None = None,
    metric: str = "recall@20",
    baselines: Mapping[str, str] | None = None,
    folds: bool = False,
    processes: Workers = 1,
) -> Comparison:
    """Run every variant with every seed and compare; finished runs in `out` are reused.

    Args:
        dataset: a prepared dataset with a path.
        variants: what `plan` gives, or your own.
        seeds: each seeds split, negatives and initial weights; variants share it, so that every
            comparison is paired.
        out: gets `runs/<variant>/seed-<s>/`, `search/…`, `compare.json`.
        base: settings common to all, as in an experiment file.
        grid: key → values. Every variant gets the same grid; the combination with the best
            validation Recall@20 on the first seed is used for all seeds.
        search: instead of a grid, as many draws from a space for every variant.
        metric: what lift and significance are about.
        baselines: variant name → name of the variant to compare it with; vanilla features of the
            same backbone if None.
        folds: number s of `seeds` is a fold of repeated cold-item cross-validation: fold s mod 5
            of the items as seed s div 5 orders them.
        processes: see `train_all`.
    """
    if grid and search is not None:
        raise InputError("searched by a grid and by draws at once", where="grid")
    bases = {seed: with_fold(base, seed) if folds else base for seed in seeds}
    first = bases[seeds[0]]
    if search is not None:
        chosen = choose_by_search(dataset, variants, seeds[0], out, first, search, processes)
    elif grid:
        chosen = choose_by_grid(dataset, variants, seeds[0], out, first, grid, processes)
    else:
        chosen = {variant.name: Tuned() for variant in variants}
    trainings = [
        Training(
            f"{variant.name} seed {seed}",
            variant_config(dataset.path, variant, seed, bases[seed], chosen[variant.name].settings),
            out / "runs" / variant.name / f"seed-{seed}",
        )
        for variant in variants
        for seed in seeds
    ]
    runs = iter(train_all(dataset, trainings, processes=processes, description="comparing"))
    outcomes = []
    for variant in variants:
        own = tuple(itertools.islice(runs, len(seeds)))
        winner = chosen[variant.name]
        outcomes.append(Outcome(variant, own, winner.settings, winner.budget))
    comparison = analyse(outcomes, metric, baselines, folds=folds)
    write_json(out / "compare.json", comparison_json(comparison))
    return comparison


def with_fold(base: Settings | None, number: int) -> Settings:
    """The settings of one fold of repeated cold-item cross-validation.

    >>> with_fold({}, 7)
    {'split': {'kind': 'cold-item', 'seed': 1, 'fold': 2}}
    """
    seed, fold = divmod(number, FOLDS)
    return with_values(
        base or {}, {"split.kind": "cold-item", "split.seed": seed, "split.fold": fold}
    )
