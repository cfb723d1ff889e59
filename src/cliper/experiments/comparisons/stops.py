"""How the trainings of a table ended, where that may have decided its numbers."""

from collections.abc import Mapping, Sequence

from cliper.backbones import backbone_entry
from cliper.experiments.run.finished import Run
from cliper.training import TrainingConfig

FAR = 2.0
"""Trainings of one row are far apart where the longest has more than twice the shortest's epochs:
by chance of validation alone they differ by less."""


def stop_notes(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """What has to be said of rows (name → runs, one a seed); empty where all is well.

    Rows without training are passed over.
    """
    notes = []
    for name, of_row in runs.items():
        epochs = [run.results.epochs_run for run in of_row if run.results.epochs_run]
        if epochs and max(epochs) > FAR * min(epochs):
            notes.append(
                f"STOPPED FAR APART: {name} after {_and(epochs)} epochs; the difference between "
                "its seeds may be when they stopped"
            )
    for cap, capped in _at_the_cap(runs).items():
        parts = (f"{name} ({count} of {len(runs[name])})" for name, count in capped.items())
        notes.append(f"ENDED BY THE CAP of {cap} epochs, not by patience: {', '.join(parts)}")
    return notes


def far_apart(runs: Sequence[Run]) -> bool:
    """The seeds of one row stopped far apart."""
    return any(note.startswith("STOPPED") for note in stop_notes({"": runs}))


def _at_the_cap(runs: Mapping[str, Sequence[Run]]) -> dict[int, dict[str, int]]:
    """Cap → row → how many of its trainings the cap ended before patience did."""
    capped: dict[int, dict[str, int]] = {}
    for name, of_row in runs.items():
        for run in of_row:
            results = run.results
            training = results.config["training"]
            cap = int(training.get("max_epochs", 0))
            if results.epochs_run and results.epochs_run == cap:
                by_step = backbone_entry(results.backbone).backbone.costs_by_step
                config = TrainingConfig.model_validate(training)
                config = config.sized(results.dataset.train, by_step)
                epochs = results.epochs_run - results.best_epoch
                steps = epochs * -(-results.dataset.train // config.batch_size)
                if config.is_patient(epochs // config.validate_every, steps):
                    row = capped.setdefault(cap, {})
                    row[name] = row.get(name, 0) + 1
    return capped


def _and(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
