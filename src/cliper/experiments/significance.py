"""Is one column of a table really better than another?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr  # `scipy.stats` takes a second to import

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairedTest:
    """Difference of means, its relative size and two-sided p-values.

    Attributes:
        difference: mean of ours − theirs.
        lift: difference / mean of theirs; None where that is 0.
        p_users: paired t-test over users, each user's metric averaged over seeds first.
        p_seeds: paired t-test over seeds; None with fewer than two.
    """

    difference: float
    lift: float | None
    p_users: float | None
    p_seeds: float | None


def paired_test(
    ours: Sequence[tuple[DoubleArray, DoubleArray]],
    theirs: Sequence[tuple[DoubleArray, DoubleArray]],
) -> PairedTest:
    """Compare two models seed by seed and user by user.

    Args:
        ours, theirs: one (user indices (U,), metric per user (U,)) a seed, seeds in parallel.

    >>> a = [(np.array([0, 1]), np.array([0.5, 1.0]))]
    >>> b = [(np.array([0, 1]), np.array([0.5, 0.5]))]
    >>> paired_test(a, b).lift
    0.5
    """
    means = [np.array([values.mean() for _, values in side]) for side in (ours, theirs)]
    difference = float((means[0] - means[1]).mean())
    base = float(means[1].mean())
    per_user = _by_user(ours), _by_user(theirs)
    common = sorted(per_user[0].keys() & per_user[1].keys())
    left, right = (np.array([side[u] for u in common]) for side in per_user)
    return PairedTest(
        difference,
        difference / base if base else None,
        _p_value(left, right),
        _p_value(*means),
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction for several comparisons; None stays None.

    >>> holm([0.01, 0.04, None])
    [0.02, 0.04, None]
    """
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        corrected[i] = highest
    return corrected


def _by_user(side: Sequence[tuple[DoubleArray, DoubleArray]]) -> dict[int, float]:
    users = np.concatenate([u for u, _ in side]).astype(np.int64)
    values = np.concatenate([v for _, v in side])
    names, position = np.unique(users, return_inverse=True)
    sums = np.bincount(position, weights=values) / np.bincount(position)
    return dict(zip(names.tolist(), sums.tolist(), strict=True))


def _p_value(left: DoubleArray, right: DoubleArray) -> float | None:
    if len(left) < 2:
        return None
    difference = left - right
    if np.ptp(difference) == 0:  # the t statistic is 0/0 or infinite
        return 1.0 if difference[0] == 0 else 0.0
    t = difference.mean() / (difference.std(ddof=1) / np.sqrt(len(difference)))
    return float(2 * stdtr(len(difference) - 1, -abs(t)))
