"""How sure is a difference, or an order? Users and seeds drawn again, a few thousand times.

Users and seeds are crossed: one user is measured under every seed. So both are drawn, with
replacement and independently, and a pair weighs the product of its two counts: the pigeonhole
bootstrap of Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007. It errs on
the wide side. With a handful of seeds the intervals are rough all the same, and too narrow where
the seeds happen to agree: three of them are on one side by chance once in four times. So nothing is
called a difference on an interval alone: the paired test over seeds must say so too (`evidence`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cliper.errors import MismatchError
from cliper.experiments.statistics.significance import (
    DoubleArray,
    Evidence,
    PerUser,
    SeedTest,
    evidence,
    seed_test,
)
from cliper.types import IndexArray

DRAWS = 2000
LEVEL = 0.95
_CHUNK = 100


@dataclass(frozen=True, eq=False)
class Resampled:
    """Means of A arms, as measured and in B draws.

    Attributes:
        labels: the arms.
        observed: (A,), mean over seeds of the mean over users.
        draws: (B, A), the same under each draw's counts; the arms of a draw share them.
        by_seed: (S, A), mean over users under each seed.
    """

    labels: tuple[str, ...]
    observed: DoubleArray
    draws: DoubleArray
    by_seed: DoubleArray

    def mean(self, label: str) -> float:
        """The measured mean of an arm."""
        return float(self.observed[self.labels.index(label)])

    def column(self, label: str) -> DoubleArray:
        """An arm's mean in every draw, (B,)."""
        return self.draws[:, self.labels.index(label)]

    def difference(self, label: str, against: str) -> tuple[float, float, float]:
        """Mean of `label` − mean of `against`, and the ends of its 95 % percentile interval."""
        low, high = interval(self.column(label) - self.column(against))
        return self.mean(label) - self.mean(against), low, high

    def over_seeds(self, label: str, against: str) -> SeedTest:
        """The paired test over seeds of two arms."""
        ours, theirs = (self.by_seed[:, self.labels.index(name)] for name in (label, against))
        return seed_test(ours, theirs)

    def evidence(self, label: str, against: str) -> Evidence:
        """What speaks for a difference of two arms: its interval and the test over seeds."""
        _, low, high = self.difference(label, against)
        return evidence(low > 0 or high < 0, self.over_seeds(label, against))

    def probability(self, labels: Sequence[str]) -> float:
        """Share of the draws in which these arms are in this order, each above the next."""
        columns = np.stack([self.column(label) for label in labels], axis=1)
        return float((columns[:, :-1] > columns[:, 1:]).all(axis=1).mean())

    def probability_best(self, label: str, among: Sequence[str]) -> float:
        """Share of the draws in which `label` is above all others of `among`."""
        others = [self.column(other) for other in among if other != label]
        if not others:
            return 1.0
        return float((self.column(label) > np.max(others, axis=0)).mean())

    def probability_worst(self, label: str, among: Sequence[str]) -> float:
        """Share of the draws in which `label` is below all others of `among`."""
        others = [self.column(other) for other in among if other != label]
        if not others:
            return 1.0
        return float((self.column(label) < np.min(others, axis=0)).mean())

    def probability_all_above(self, labels: Sequence[str], against: str) -> float:
        """Share of the draws in which every one of `labels` is above `against`."""
        lowest = np.min([self.column(label) for label in labels], axis=0)
        return float((lowest > self.column(against)).mean())

    def ranked(self, labels: Sequence[str] | None = None) -> list[str]:
        """The arms by measured mean, best first."""
        return sorted(labels or self.labels, key=lambda label: -self.mean(label))


def interval(draws: DoubleArray) -> tuple[float, float]:
    """The 95 % percentile interval of draws (B,).

    >>> [round(end, 6) for end in interval(np.arange(1001.0))]
    [25.0, 975.0]
    """
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def resample(arms: Mapping[str, PerUser], draws: int = DRAWS, seed: int = 0) -> Resampled:
    """Draw users and seeds again for several arms at once.

    Args:
        arms: label → per-user values of each seed, the same seeds in the same order. A user has
            the same count in all arms that measured them.
        draws: B.
        seed: of the draws.

    Raises:
        MismatchError: the arms differ in the number of seeds.
    """
    n_seeds = {len(sides) for sides in arms.values()}
    if len(n_seeds) != 1:
        raise MismatchError("the arms of a study differ in their number of seeds")
    count = n_seeds.pop()
    known = np.unique(np.concatenate([users for sides in arms.values() for users, _ in sides]))
    blocks = [_blocks([sides[s] for sides in arms.values()], known) for s in range(count)]
    generator = np.random.default_rng(seed)
    means = []
    for start in range(0, draws, _CHUNK):
        size = min(_CHUNK, draws - start)
        weight = generator.multinomial(len(known), np.full(len(known), 1 / len(known)), size)
        turns = generator.multinomial(count, np.full(count, 1 / count), size)
        means.append(_weighted(blocks, weight, turns, len(arms)))
    by_seed = np.array([[values.mean() for _, values in sides] for sides in arms.values()]).T
    return Resampled(tuple(arms), by_seed.mean(axis=0), np.concatenate(means), by_seed)


@dataclass(frozen=True, eq=False)
class _Block:
    """Arms that one seed measured on the same users."""

    columns: list[int]
    place: IndexArray
    values: DoubleArray


def _blocks(sides: PerUser, known: IndexArray) -> list[_Block]:
    """The arms of one seed, grouped by their users: one product for all of a group."""
    groups: dict[bytes, list[int]] = {}
    for column, (users, _) in enumerate(sides):
        groups.setdefault(users.tobytes(), []).append(column)
    return [
        _Block(
            columns,
            np.searchsorted(known, sides[columns[0]][0]),
            np.stack([sides[c][1] for c in columns], axis=1),
        )
        for columns in groups.values()
    ]


def _weighted(
    blocks: Sequence[Sequence[_Block]], weight: IndexArray, turns: IndexArray, n_arms: int
) -> DoubleArray:
    """Means (b, A) under user counts (b, M) and seed counts (b, S)."""
    total = np.zeros((len(weight), n_arms))
    for s, of_seed in enumerate(blocks):
        for block in of_seed:
            counts = weight[:, block.place].astype(np.float64)
            mean = counts @ block.values / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            total[:, block.columns] += turns[:, s : s + 1] * mean
    means: DoubleArray = total / turns.sum(axis=1, keepdims=True)
    return means
