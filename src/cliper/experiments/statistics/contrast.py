"""A table's rows against their references: differences, intervals, corrected tests."""

from collections.abc import Mapping
from dataclasses import dataclass

from cliper.experiments.statistics.resample import Resampled, resample
from cliper.experiments.statistics.significance import (
    Evidence,
    PerUser,
    SeedTest,
    evidence,
    holm,
    paired_test,
)


@dataclass(frozen=True)
class Contrast:
    """One row of a table against its reference on one metric.

    Attributes:
        difference: of the means over users and seeds, a fraction.
        low, high: its 95 % interval: by the bootstrap, or by Student's t over folds.
        lift: difference relative to the reference, None where that is 0.
        p_users, p_seeds: paired t-tests, Holm-corrected over the table's contrasts.
        why_no_p_seeds: as in `SeedTest.why`.
        smallest: of the differences that folds can see (`Spread.smallest`); None without folds.
    """

    label: str
    against: str
    difference: float
    low: float
    high: float
    lift: float | None
    p_users: float | None
    p_seeds: float | None
    why_no_p_seeds: str = ""
    smallest: float | None = None

    @property
    def evidence(self) -> Evidence:
        """What speaks for a difference: the interval, and the test over seeds."""
        return evidence(self.low > 0 or self.high < 0, self.over_seeds)

    @property
    def over_seeds(self) -> SeedTest:
        """The test over seeds."""
        return SeedTest(self.p_seeds, self.why_no_p_seeds)


def contrasted(
    values: Mapping[str, PerUser], against: Mapping[str, str], overlap: float = 0.0
) -> tuple[Resampled, dict[str, Contrast]]:
    """Resample all rows, test some against others, correct for the number of tests.

    Args:
        values: row → per-user values of each seed.
        against: row → the row that it is compared with.
        overlap: of folds, as in `seed_test`; 0 for seeds.
    """
    samples = resample(values)
    tests = [paired_test(values[row], values[other], overlap) for row, other in against.items()]
    p_users, p_seeds = (holm([getattr(t, n) for t in tests]) for n in ("p_users", "p_seeds"))
    contrasts = {}
    for (label, other), test, users, seeds in zip(
        against.items(), tests, p_users, p_seeds, strict=True
    ):
        difference, low, high = samples.difference(label, other)
        smallest = None
        if overlap and test.over_seeds is not None:
            low, high = difference - test.over_seeds.half, difference + test.over_seeds.half
            smallest = test.over_seeds.smallest
        contrasts[label] = Contrast(
            label, other, difference, low, high, test.lift, users, seeds, test.why_no_p_seeds,
            smallest,
        )  # fmt: skip
    return samples, contrasts
