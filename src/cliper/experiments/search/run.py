"""`search`: hyper-parameters chosen on validation alone; the winner is tested once."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from cliper.data import Dataset
from cliper.errors import CliperError, InputError
from cliper.experiments.adaptation import with_figure
from cliper.experiments.attempt import Attempt, attempt
from cliper.experiments.config import ExperimentConfig
from cliper.experiments.pool import Pool, WorkItem
from cliper.experiments.search.ledger import PrunerKind, TrialLedger, make_pruner, open_ledger
from cliper.experiments.search.outcome import SearchOutcome, Trial, trials_of
from cliper.experiments.search.sampler import NumberedSampler, SamplerKind
from cliper.experiments.search.space import Space, check_space, describe, first_of, size
from cliper.files import read_json, write_json
from cliper.progress import Task, task
from cliper.representation.cache import FeatureCache

Build = Callable[[dict[str, Any]], ExperimentConfig]
SETTINGS = "search-settings.json"


def search(
    dataset: Dataset,
    build: Build,
    space: Space,
    out: Path,
    *,
    trials: int = 40,
    seed: int = 0,
    sampler: SamplerKind = "tpe",
    prune: PrunerKind = "median",
    warmup: int = 5,
    processes: int | None = 1,
    description: str = "searching",
) -> SearchOutcome:
    """Try configurations and keep what validation Recall@20 says of each; nothing is tested.

    With one process, a search that was killed any number of times gives the same trials as one
    that was not. With several, what a trial is drawn from depends on which others are done.

    Args:
        dataset: a prepared dataset.
        build: parameters → experiment.
        space: what is searched.
        out: gets `study.journal` and `trials/<number>/`; an interrupted search goes on there.
        trials: configurations to try; fewer where the space has fewer.
        seed: of the draws.
        sampler: `tpe`, `random`, or `grid` for every combination in order.
        prune: see `make_pruner`.
        warmup: epochs that every trial gets before it may be broken off.
        processes: worker processes; None for as many as pay.
        description: of the progress bar.

    Raises:
        InputError: a value out of range, or `out` holds another search.
        CliperError: no trial could be trained.
    """
    check_space(space, build)
    count = size(space)
    trials = trials if count is None else min(trials, count)
    if sampler == "grid" and count is None:
        raise InputError("a grid needs values, not ranges", where="sampler", remedy="use tpe")
    settings = {
        "dataset": dataset.hash, "space": describe(space), "seed": seed, "sampler": sampler,
        "prune": prune, "warmup": warmup, "base": _fingerprint(build, space),
    }  # fmt: skip
    _check_settings(out, settings)
    draws = NumberedSampler(space, sampler, seed)
    with open_ledger(out, space, trials, draws, make_pruner(prune, warmup)) as ledger:
        write_json(out / SETTINGS, settings)
        workers = _workers(ledger, build, space, processes)
        with task(description, total=trials) as progress:
            progress.advance(trials - max(0, ledger.left))
            if workers > 1:
                _several_at_a_time(dataset, build, ledger, out, workers, progress)
            else:
                _one_by_one(dataset, build, ledger, out, progress)
        done = trials_of(ledger.study)[:trials]
    best = best_trial(done)
    return SearchOutcome(tuple(done), best, dict(space), sampler, prune, seed, warmup)


def best_trial(trials: list[Trial]) -> Trial:
    """The best by validation Recall@20, the first of equals.

    Raises:
        CliperError: none was finished.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    if not complete:
        errors = [trial.error for trial in trials if trial.error]
        raise CliperError(f"no trial could be finished: {errors[0] if errors else 'all pruned'}")
    return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number))


def _one_by_one(
    dataset: Dataset, build: Build, ledger: TrialLedger, out: Path, progress: Task
) -> None:
    features = FeatureCache(dataset, with_figure())
    while (item := ledger.next()) is not None:
        number, params = item
        try:
            config = build(params)
            done = attempt(
                dataset,
                config,
                features.get(config.representation),
                _folder(out, number),
                lambda epoch, value, n=number: ledger.report(n, epoch, value),  # type: ignore[misc]
            )
        except (InputError, OSError):
            raise
        except Exception as error:
            ledger.fail(number, f"{type(error).__name__}: {error}")
        else:
            ledger.finish(number, done)
        progress.advance(note=f"trial {number}")


def _several_at_a_time(
    dataset: Dataset, build: Build, ledger: TrialLedger, out: Path, workers: int, progress: Task
) -> None:
    features = FeatureCache(dataset, with_figure())

    def items() -> Any:
        while (item := ledger.next()) is not None:
            number, params = item
            config = build(params)
            features.get(
                config.representation
            )  # encoded here, once, before workers read it from the store
            arguments = {"config": config.given(), "out": str(_folder(out, number))}
            yield WorkItem(number, "attempt", f"trial {number}", {**arguments, "reports": True})

    with Pool(dataset, workers) as pool:
        for outcome in pool.outcomes(items(), ledger.report):
            if outcome.error and outcome.is_input_error:
                raise InputError(outcome.error)
            if outcome.error:
                ledger.fail(outcome.number, outcome.error)
            else:
                ledger.finish(outcome.number, Attempt(**outcome.value))
            progress.advance(note=f"trial {outcome.number}")


def _folder(out: Path, number: int) -> Path:
    return out / "trials" / f"{number:04d}"


def _workers(ledger: TrialLedger, build: Build, space: Space, processes: int | None) -> int:
    if processes is None:
        first = build(first_of(space))
        processes = torch.get_num_threads() if first.training.device == "cpu" else 1
    return max(1, min(processes, ledger.left))


def _fingerprint(build: Build, space: Space) -> str:
    """Of the settings that all trials share."""
    tree = build(first_of(space)).resolved()
    tree.pop("dataset")
    tree.pop("tracking", None)
    tree["training"].pop("checkpoint_seconds")
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def _check_settings(out: Path, settings: Mapping[str, Any]) -> None:
    if not (out / SETTINGS).is_file():
        return
    before = read_json(out / SETTINGS)
    changed = sorted(key for key in settings if before.get(key) != settings[key])
    if changed:
        raise InputError(
            f"holds a search with other settings ({', '.join(changed)})",
            where=str(out),
            remedy="choose another --out",
        )
