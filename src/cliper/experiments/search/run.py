"""`search`: hyper-parameters chosen on validation alone; the winner is tested once."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cliper.data import Dataset
from cliper.errors import CliperError, InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.trainings import Shared, engine_for, opened, plain_values, workers_for
from cliper.experiments.run.validate import Validation, validate
from cliper.experiments.search.kinds import PrunerKind, SamplerKind
from cliper.experiments.search.outcome import SearchOutcome, Trial, trials_of
from cliper.experiments.search.sampler import NumberedSampler
from cliper.experiments.search.space import Space, check_space, describe, first_of, size
from cliper.experiments.search.trials import TrialReports, make_pruner, open_trials
from cliper.files import as_written, read_json, write_json
from cliper.parallel import Work, Workers
from cliper.progress import task

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
    processes: Workers = 1,
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
        processes: see `train_all`.
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
    shared = Shared(dataset)
    with open_trials(out, space, trials, NumberedSampler(space, sampler, seed)) as open_ones:
        write_json(out / SETTINGS, settings)
        first = build(first_of(space))
        workers = workers_for([first] * max(0, open_ones.left), processes)

        def work() -> Iterator[Work]:
            for number, params in open_ones:
                config = build(params)
                if workers != 1:  # encoded here, once, before workers read it from the store
                    shared.features.get(config.representation)
                training = plain_values(config, out / "trials" / f"{number:04d}")
                told = {"search": str(out), "number": number, "prune": prune, "warmup": warmup}
                yield Work(number, f"trial {number}", _validate, {**training, **told})

        with task(description, total=trials) as progress, engine_for(shared, workers) as engine:
            progress.advance(trials - max(0, open_ones.left))
            for result in engine.results(work()):
                if result.error:
                    open_ones.fail(result.number, result.error)
                else:
                    open_ones.finish(result.number, result.value)
                progress.advance(note=result.name)
        done = trials_of(open_ones.study)[:trials]
    return SearchOutcome(tuple(done), best_trial(done), dict(space), sampler, prune, seed, warmup)


def _validate(
    shared: Shared,
    config: Mapping[str, Any],
    folder: str,
    search: str,
    number: int,
    prune: PrunerKind,
    warmup: int,
) -> Validation:
    """One trial, which notes its validations in the journal and asks there whether to go on."""
    reports = TrialReports(Path(search), number, make_pruner(prune, warmup))
    with opened(shared, config, folder) as training:
        return validate(*training, reports)


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
    with as_written(out / SETTINGS, "choose another --out"):
        changed = sorted(key for key in settings if before.get(key) != settings[key])
    if changed:
        raise InputError(
            f"holds a search with other settings ({', '.join(changed)})",
            where=str(out),
            remedy="choose another --out",
        )
