"""`compare`: backbones × features × fusions × seeds, with the statistics (the paper's Table 2)."""

import itertools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.fit import experiment_identity, fit_experiment
from cliper.experiments.represent import represent_experiment
from cliper.experiments.run import Run
from cliper.experiments.significance import PairedTest, holm, paired_test
from cliper.experiments.variants import Variant, variant_config
from cliper.files import read_json, write_json
from cliper.progress import task
from cliper.representation import ItemFeatures
from cliper.runs import RunDirectory


@dataclass(frozen=True)
class Outcome:
    """A variant's runs, one a seed, and the settings that validation chose for it."""

    variant: Variant
    runs: tuple[Run, ...]
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def values(self, metric: str) -> np.ndarray:
        """The test metric of each seed, (S,)."""
        return np.array([run.results.test[metric] for run in self.runs])

    def per_user(self, metric: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """(users, metric) of each seed, for the paired tests."""
        tables = [pq.read_table(run.path / "test_per_user.parquet") for run in self.runs]
        return [(np.asarray(t["user_index"]), np.asarray(t[metric])) for t in tables]


@dataclass(frozen=True)
class Comparison:
    """All outcomes, and each one's test against its backbone's baseline.

    Attributes:
        outcomes: in the table's order.
        baselines: variant name → name of the variant it is compared with.
        tests: variant name → the paired test on `metric`.
        p_users, p_seeds: the same, Holm-corrected over the table.
        metric: what the tests are about.
        budget: configurations that each variant chose among, on validation alone.
    """

    outcomes: tuple[Outcome, ...]
    baselines: Mapping[str, str]
    tests: Mapping[str, PairedTest]
    p_users: Mapping[str, float | None]
    p_seeds: Mapping[str, float | None]
    metric: str
    budget: int


def label(outcome: Outcome) -> str:
    """A variant as people read it, e.g. `CLIPER attention`."""
    variant = outcome.variant
    if variant.features == "cliper":
        return f"CLIPER {variant.fusion}"
    return "ids only" if variant.features == "none" else variant.features


def compare(
    dataset: Dataset,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    out: Path,
    *,
    base: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    metric: str = "recall@20",
) -> Comparison:
    """Run every variant with every seed and compare; finished runs in `out` are reused.

    Args:
        dataset: a prepared dataset with a path.
        variants: what `plan` gives.
        seeds: each seeds split, negatives and initial weights; variants share it, so that every
            comparison is paired.
        out: gets `runs/<variant>/seed-<s>/`, `search/…`, `compare.json`.
        base: settings common to all, as in an experiment file.
        grid: key → values. Every variant gets the same grid; the combination with the best
            validation Recall@20 on the first seed is used for all seeds.
        metric: what lift and significance are about.
    """
    grid = grid or {}
    combinations = [
        dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
    ]
    cached: dict[str, ItemFeatures | None] = {}
    outcomes = []
    searched = len(combinations) if len(combinations) > 1 else 0
    total = len(variants) * (searched + len(seeds))
    with task("comparing", total=total) as progress:
        for variant in variants:
            chosen: dict[str, Any] = combinations[0]
            if searched:
                best, winner = -1.0, out
                for number, combination in enumerate(combinations):
                    folder = out / "search" / variant.name / f"{number:03d}"
                    run = _run(dataset, variant, seeds[0], folder, base, combination, cached)
                    progress.advance(note=f"search {variant.name}")
                    if run.results.valid["recall@20"] > best:
                        best, chosen = run.results.valid["recall@20"], combination
                        winner = folder
                _adopt(winner, out / "runs" / variant.name / f"seed-{seeds[0]}")
            runs = []
            for seed in seeds:
                folder = out / "runs" / variant.name / f"seed-{seed}"
                runs.append(_run(dataset, variant, seed, folder, base, chosen, cached))
                progress.advance(note=f"{variant.name} seed {seed}")
            outcomes.append(Outcome(variant, tuple(runs), chosen))
    comparison = analyse(outcomes, metric, max(1, searched))
    write_json(out / "compare.json", comparison_json(comparison))
    return comparison


def analyse(outcomes: Sequence[Outcome], metric: str, budget: int) -> Comparison:
    """Test each variant against its backbone's vanilla (else the first variant of the table)."""
    by_name = {o.variant.name: o for o in outcomes}
    baselines: dict[str, str] = {}
    for outcome in outcomes:
        baseline = Variant(outcome.variant.backbone, "vanilla").name
        if baseline in by_name and baseline != outcome.variant.name:
            baselines[outcome.variant.name] = baseline
    tests = {
        name: paired_test(by_name[name].per_user(metric), by_name[other].per_user(metric))
        for name, other in baselines.items()
    }
    names = list(tests)
    p_users = holm([tests[n].p_users for n in names])
    p_seeds = holm([tests[n].p_seeds for n in names])
    return Comparison(
        tuple(outcomes),
        baselines,
        tests,
        dict(zip(names, p_users, strict=True)),
        dict(zip(names, p_seeds, strict=True)),
        metric,
        budget,
    )


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Records of every run, plus the summary (`compare.json`, `compare --json`)."""
    summary = []
    for outcome in comparison.outcomes:
        name = outcome.variant.name
        metrics = outcome.runs[0].results.test
        test = comparison.tests.get(name)
        summary.append(
            {
                "name": name,
                "backbone": outcome.variant.backbone,
                "features": outcome.variant.features,
                "fusion": outcome.variant.fusion,
                "seeds": [int(run.results.config["training"]["seed"]) for run in outcome.runs],
                "chosen": dict(outcome.chosen),
                "mean": {m: float(outcome.values(m).mean()) for m in metrics},
                "std": {m: _deviation(outcome.values(m)) for m in metrics},
                "baseline": comparison.baselines.get(name),
                "lift": test.lift if test else None,
                "p_users": comparison.p_users.get(name),
                "p_seeds": comparison.p_seeds.get(name),
            }
        )
    return {
        "schema": 1,
        "metric": comparison.metric,
        "search_budget": comparison.budget,
        "summary": summary,
        "runs": [r.results.json_object() for o in comparison.outcomes for r in o.runs],
    }


def single(run: Run) -> Comparison:
    """One run as a comparison of one, e.g. for a report."""
    facts = run.results.features
    variant = Variant(run.results.backbone, facts.kind, facts.fusion)
    return analyse([Outcome(variant, (run,))], "recall@20", budget=1)


def load_comparison(path: Path) -> Comparison:
    """Read a comparison's directory again, e.g. for a report.

    Raises:
        InputError: there is no comparison at `path`.
    """
    if not (path / "compare.json").is_file():
        raise InputError("no compare.json: not a comparison", where=str(path))
    saved = read_json(path / "compare.json")
    outcomes = []
    for row in saved["summary"]:
        variant = Variant(row["backbone"], row["features"], row["fusion"])
        folders = [path / "runs" / variant.name / f"seed-{seed}" for seed in row["seeds"]]
        outcomes.append(Outcome(variant, tuple(Run.load(f) for f in folders), row["chosen"]))
    return analyse(outcomes, saved["metric"], saved["search_budget"])


def _adopt(searched: Path, folder: Path) -> None:
    """The search's winner is the first seed's run already: copy it, whole or not at all."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".adopt-") as temporary:
        shutil.copytree(searched, Path(temporary) / "run")
        (Path(temporary) / "run").rename(folder)


def _deviation(values: np.ndarray) -> float:
    """Standard deviation over seeds (n - 1); 0 for one seed."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _run(
    dataset: Dataset,
    variant: Variant,
    seed: int,
    folder: Path,
    base: Mapping[str, Any] | None,
    chosen: Mapping[str, Any],
    cached: dict[str, ItemFeatures | None],
) -> Run:
    """One run, or the one that is in `folder` already."""
    config = variant_config(dataset, variant, seed, base, chosen)
    tree = config.resolved()
    key = repr([tree.get(s) for s in ("views", "encoder", "features", "fusion")])
    adapt = config.encoder.adapt
    by_split = adapt is not None and adapt.fit_on == "train"
    key += repr(tree["split"]) if by_split or config.features.kind == "random" else ""
    if key not in cached:
        cached[key] = represent_experiment(dataset, config)
    features = cached[key]
    directory = RunDirectory(folder)
    if directory.config_file.is_file():
        identity = experiment_identity(dataset, config, features)
        if directory.read_config().get("identity") != identity:
            raise InputError(
                "holds a run with other settings or data",
                where=str(folder),
                remedy="choose another --out",
            )
    return fit_experiment(dataset, config, features, folder, resume=True)
