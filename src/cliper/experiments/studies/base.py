"""A study: arms to run, then a table, figures, and sentences that the numbers decide."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cliper.experiments.comparison import Outcome
from cliper.experiments.resample import Resampled, resample
from cliper.experiments.significance import Evidence, SeedTest, evidence, holm, paired_test
from cliper.experiments.studies.plan import Plan, Setting


@dataclass(frozen=True)
class Contrast:
    """One arm against its reference on the study's metric.

    Attributes:
        difference: of the means over users and seeds, a fraction.
        low, high: its 95 % bootstrap interval.
        lift: difference relative to the reference, None where that is 0.
        p_users, p_seeds: paired t-tests, Holm-corrected over the study's contrasts.
        why_no_p_seeds: as in `SeedTest.why`.
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

    @property
    def evidence(self) -> Evidence:
        """What speaks for a difference: the interval, and the test over seeds."""
        over_seeds = SeedTest(self.p_seeds, self.why_no_p_seeds)
        return evidence(self.low > 0 or self.high < 0, over_seeds)


@dataclass(frozen=True)
class Finding:
    """One sentence, computed; `holds` is its verdict on a claim, None where it makes none."""

    text: str
    holds: str | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Measured:
    """A study's runs and their statistics."""

    setting: Setting
    plan: Plan
    outcomes: Mapping[str, Outcome]
    samples: Resampled
    contrasts: Mapping[str, Contrast]

    @property
    def metric(self) -> str:
        """The study's metric."""
        return self.setting.metric


@dataclass(frozen=True)
class Detail:
    """A further table of a study: header, rows of text, and the same unrounded."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    records: tuple[Mapping[str, Any], ...]
    caption: str


class Study(ABC):
    """One of the paper's (or its summary's) experiments.

    Attributes:
        name: as typed.
        source: where the question comes from.
        question: what it asks, a line.
        what: header of the table's first column.
        varies: settings that the study sets itself.
        default_values: what it varies over unless told otherwise; empty where it takes no values.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    question: ClassVar[str]
    what: ClassVar[str]
    varies: ClassVar[tuple[str, ...]] = ()
    default_values: ClassVar[tuple[Any, ...]] = ()
    takes_values: ClassVar[bool] = False

    @abstractmethod
    def plan(self, setting: Setting) -> Plan:
        """The arms for this dataset; refuses what cannot be studied."""

    @abstractmethod
    def figures(self, measured: Measured) -> dict[str, str]:
        """Name → SVG; the name of the study for its main figure."""

    @abstractmethod
    def findings(self, measured: Measured) -> list[Finding]:
        """What the numbers say about the question."""

    def details(self, measured: Measured) -> list[Detail]:
        """Further tables."""
        return []

    def extra(self, measured: Measured) -> dict[str, dict[str, float]]:
        """Label → further columns of the main table (name → number)."""
        return {}

    def values(self, setting: Setting) -> tuple[Any, ...]:
        """What to vary over."""
        return self.default_values if setting.values is None else setting.values


def measure(setting: Setting, plan: Plan, outcomes: Mapping[str, Outcome]) -> Measured:
    """Resample, test every arm against its reference, correct for their number."""
    metric = setting.metric
    per_user = {label: outcome.per_user(metric) for label, outcome in outcomes.items()}
    samples = resample(per_user)
    pairs = [(arm.label, arm.against) for arm in plan.arms if arm.against is not None]
    tests = [paired_test(per_user[label], per_user[against]) for label, against in pairs]
    p_users, p_seeds = (holm([getattr(t, n) for t in tests]) for n in ("p_users", "p_seeds"))
    contrasts = {}
    for (label, against), test, users, seeds in zip(pairs, tests, p_users, p_seeds, strict=True):
        difference, low, high = samples.difference(label, against)
        contrasts[label] = Contrast(
            label, against, difference, low, high, test.lift, users, seeds, test.why_no_p_seeds
        )
    return Measured(setting, plan, outcomes, samples, contrasts)


def labels_of(plan: Plan, kinds: Sequence[str]) -> list[str]:
    """Labels of the arms on these kinds of features."""
    return [arm.label for arm in plan.arms if arm.variant.features in kinds]
