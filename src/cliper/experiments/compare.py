"""`compare`: backbones × features × fusions × seeds, with the statistics (the paper's Table 2)."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cliper.data import Dataset
from cliper.experiments.comparison import Comparison, Outcome, analyse, comparison_json
from cliper.experiments.jobs import Job, run_attempts, run_jobs
from cliper.experiments.variants import Variant, variant_config
from cliper.files import write_json

Settings = Mapping[str, Any]


def compare(
    dataset: Dataset,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    out: Path,
    *,
    base: Settings | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    metric: str = "recall@20",
    baselines: Mapping[str, str] | None = None,
    processes: int | None = 1,
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
        metric: what lift and significance are about.
        baselines: variant name → name of the variant to compare it with; vanilla features of the
            same backbone if None.
        processes: worker processes, see `run_jobs`; None for as many as pay.
    """
    combinations = [
        dict(zip(grid or {}, values, strict=True))
        for values in itertools.product(*(grid or {}).values())
    ]
    chosen = _search(dataset, variants, seeds[0], out, base, combinations, processes)
    jobs = [
        Job(
            f"{variant.name} seed {seed}",
            variant_config(dataset, variant, seed, base, chosen[variant.name]),
            out / "runs" / variant.name / f"seed-{seed}",
        )
        for variant in variants
        for seed in seeds
    ]
    runs = iter(run_jobs(dataset, jobs, processes=processes, description="comparing"))
    outcomes = [
        Outcome(v, tuple(itertools.islice(runs, len(seeds))), chosen[v.name], len(combinations))
        for v in variants
    ]
    comparison = analyse(outcomes, metric, baselines)
    write_json(out / "compare.json", comparison_json(comparison))
    return comparison


def _search(
    dataset: Dataset,
    variants: Sequence[Variant],
    seed: int,
    out: Path,
    base: Settings | None,
    combinations: Sequence[dict[str, Any]],
    processes: int | None,
) -> dict[str, dict[str, Any]]:
    """Each variant's best combination by validation on the first seed; nothing is tested."""
    if len(combinations) == 1:
        return {variant.name: combinations[0] for variant in variants}
    jobs = [
        Job(
            f"{variant.name} configuration {number}",
            variant_config(dataset, variant, seed, base, combination),
            out / "search" / variant.name / f"{number:03d}",
        )
        for variant in variants
        for number, combination in enumerate(combinations)
    ]
    tried = iter(run_attempts(dataset, jobs, processes=processes))
    chosen = {}
    for variant in variants:
        values = [next(tried).value for _ in combinations]
        chosen[variant.name] = combinations[values.index(max(values))]
    return chosen
