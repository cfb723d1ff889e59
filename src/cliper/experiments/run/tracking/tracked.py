"""`tracked`: the trackers of one run, opened and closed."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cliper.errors import InputError
from cliper.experiments.run.tracking.base import Tracker, TrackingSettings


@contextmanager
def tracked(
    section: TrackingSettings, path: Path, identity: str, settings: Mapping[str, Any]
) -> Iterator[list[Tracker]]:
    """The trackers that a run asks for.

    Args:
        section: which, and where to.
        path: the run directory.
        identity: of the run; MLflow finds an interrupted run by it.
        settings: the resolved settings, nested.

    Raises:
        InputError: the package of a tracker is not installed, or its store cannot be opened.
    """
    with ExitStack() as stack:
        trackers: list[Tracker] = []
        for kind in section.to:
            tracker = _open(kind, section, path, identity, settings)
            stack.callback(tracker.close)
            trackers.append(tracker)
        yield trackers


def _open(
    kind: str, section: TrackingSettings, path: Path, identity: str, settings: Mapping[str, Any]
) -> Tracker:
    try:
        if kind == "tensorboard":
            from cliper.experiments.run.tracking.tensorboard import TensorBoard

            return TensorBoard(path, settings)
        from cliper.experiments.run.tracking.mlflow import MLflow

        return MLflow(section, path, identity, settings)
    except ImportError as error:
        raise InputError(
            f"{kind} is not installed ({error})",
            where="tracking.to",
            remedy=f"pip install 'cliper[{kind}]'",
        ) from None
