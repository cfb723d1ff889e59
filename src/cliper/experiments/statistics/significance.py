"""Is one column of a table really better than another?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit  # `scipy.stats` takes a second to import

from cliper.types import IndexArray

DoubleArray = npt.NDArray[np.float64]
PerUser = Sequence[tuple[IndexArray, DoubleArray]]
"""(user indices (U,), metric per user (U,)) of each seed, as `Outcome.per_user` gives it."""

SIGNIFICANT = 0.05
POWER = 0.8
ONE_SEED = "one seed"
NO_CHANCE = "every seed gives the same values"
NO_SPREAD = "every seed gives the same difference"
_SAME = 1e-9  # of the values' size: what is left of a sum's rounding

Evidence = Literal["sure", "users alone", "none"]
"""What speaks for a difference: users and seeds, users without the seeds, or nothing."""


@dataclass(frozen=True)
class SeedTest:
    """A paired t-test over seeds.

    Attributes:
        p: two-sided; None where there is nothing to test.
        why: why there is no p: `ONE_SEED`, `NO_CHANCE` (nothing in the runs depends on the seed)
            or `NO_SPREAD`; empty where there is one.
    """

    p: float | None
    why: str = ""

    @property
    def agrees(self) -> bool:
        """The seeds show the difference, or have no say in it because nothing depends on them."""
        return self.why == NO_CHANCE if self.p is None else self.p < SIGNIFICANT


@dataclass(frozen=True)
class PairedTest:
    """Difference of means, its relative size and two-sided p-values.

    Attributes:
        difference: mean of ours − theirs.
        lift: difference / mean of theirs; None where that is 0.
        p_users: paired t-test over users, each user's metric averaged over seeds first; None with
            fewer than two, or where all of them differ by the same.
        p_seeds: paired t-test over seeds; None where there is nothing to test.
        why_no_p_seeds: as in `SeedTest.why`.
        over_seeds: how far the difference can be trusted by the seeds; None for one seed.
    """

    difference: float
    lift: float | None
    p_users: float | None
    p_seeds: float | None
    why_no_p_seeds: str = ""
    over_seeds: "Spread | None" = None


def paired_test(ours: PerUser, theirs: PerUser, overlap: float = 0.0) -> PairedTest:
    """Compare two models seed by seed and user by user.

    Args:
        ours, theirs: one (user indices (U,), metric per user (U,)) a seed, seeds in parallel.
        overlap: as in `seed_test`.

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
    over_seeds = seed_test(means[0], means[1], overlap)
    spread = Spread.of(means[0] - means[1], overlap) if len(means[0]) > 1 else None
    return PairedTest(
        difference,
        difference / base if base else None,
        _p_value(left, right),
        over_seeds.p,
        over_seeds.why,
        spread,
    )


@dataclass(frozen=True)
class Spread:
    """What S seeds or folds say of a difference's error.

    Attributes:
        error: standard error of the mean difference.
        half: half of the 95 % interval of Student's t.
        smallest: the true difference that the test finds in four of five cases.
    """

    error: float
    half: float
    smallest: float

    @classmethod
    def of(cls, differences: DoubleArray, overlap: float = 0.0) -> "Spread":
        """Of differences (S,), S ≥ 2; `overlap` as in `seed_test`.

        >>> round(Spread.of(np.array([0.1, 0.2, 0.3]), overlap=0.25).half, 4)
        0.3286
        """
        free = len(differences) - 1
        error = _error(differences, overlap)
        half = stdtrit(free, 1 - SIGNIFICANT / 2) * error
        return cls(error, float(half), float(half + stdtrit(free, POWER) * error))


def seed_test(ours: DoubleArray, theirs: DoubleArray, overlap: float = 0.0) -> SeedTest:
    """Compare two models by their values (S,) under the same seeds.

    Args:
        ours, theirs: one value a seed, or a fold.
        overlap: size of a test over that of its training set, where the seeds are folds or other
            draws from one set: their training sets overlap, and the variance of the mean is
            (1/S + overlap) times that of the differences (Nadeau and Bengio, "Inference for the
            Generalization Error", Machine Learning 52, 2003, Section 3; for repeated
            cross-validation Bouckaert and Frank, PAKDD 2004). 0 for the plain paired t-test.

    >>> seed_test(np.array([0.5, 0.5, 0.5]), np.array([0.4, 0.4, 0.4]))
    SeedTest(p=None, why='every seed gives the same values')
    """
    if len(ours) < 2:
        return SeedTest(None, ONE_SEED)
    if not _varies(ours, ours) and not _varies(theirs, theirs):
        return SeedTest(None, NO_CHANCE)
    p = _p_value(ours, theirs, overlap)
    return SeedTest(p, NO_SPREAD if p is None else "")


def evidence(over_users: bool, over_seeds: SeedTest) -> Evidence:
    """What a difference may be called; nothing is better on the strength of users alone.

    Args:
        over_users: the users show it: their p-value is small, or an interval excludes 0.
        over_seeds: the test over seeds.

    >>> [evidence(users, SeedTest(p)) for users, p in ((True, 0.01), (True, 0.4), (False, 0.4))]
    ['sure', 'users alone', 'none']
    """
    if not over_users:
        return "none"
    return "sure" if over_seeds.agrees else "users alone"


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


def _by_user(side: PerUser) -> dict[int, float]:
    users = np.concatenate([u for u, _ in side]).astype(np.int64)
    values = np.concatenate([v for _, v in side])
    names, position = np.unique(users, return_inverse=True)
    sums = np.bincount(position, weights=values) / np.bincount(position)
    return dict(zip(names.tolist(), sums.tolist(), strict=True))


def _p_value(left: DoubleArray, right: DoubleArray, overlap: float = 0.0) -> float | None:
    difference = left - right
    if len(left) < 2 or not _varies(difference, left, right):
        return None  # the t statistic is 0/0 or infinite
    t = difference.mean() / _error(difference, overlap)
    return float(2 * stdtr(len(difference) - 1, -abs(t)))


def _error(differences: DoubleArray, overlap: float) -> float:
    return float(np.sqrt((1 / len(differences) + overlap) * differences.var(ddof=1)))


def _varies(values: DoubleArray, *made_of: DoubleArray) -> bool:
    """The values differ by more than the rounding of what they were made of."""
    size = max(float(np.abs(side).max()) for side in made_of)
    return float(np.ptp(values)) > _SAME * size
