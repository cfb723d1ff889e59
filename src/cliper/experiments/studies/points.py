"""What several studies' figures have in common."""

from collections.abc import Sequence

from cliper.experiments.studies.base import Measured
from cliper.experiments.studies.figures import Point
from cliper.experiments.tables import metric_name


def axis_title(measured: Measured) -> str:
    """E.g. `Recall@20, points`."""
    return f"{metric_name(measured.metric)}, points"


def contrast_points(measured: Measured, labels: Sequence[str] | None = None) -> list[Point]:
    """Every contrast (or those of some arms) with its interval."""
    chosen = measured.contrasts if labels is None else labels
    contrasts = [measured.contrasts[label] for label in chosen]
    return [Point(c.label, c.difference, c.low, c.high) for c in contrasts]


def scale_points(measured: Measured, arms: Sequence[tuple[str, str]], against: str) -> list[Point]:
    """Arms along a scale against one reference, itself included (0 wide).

    Args:
        measured: the runs.
        arms: (tick, label of the arm).
        against: label of the reference.
    """
    return [Point(tick, *measured.samples.difference(label, against)) for tick, label in arms]
