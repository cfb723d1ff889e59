"""What a study is: arms to run, then a table, figures, and sentences that the numbers decide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cliper.errors import InputError
from cliper.experiments.comparisons.comparison import Outcome
from cliper.experiments.statistics.contrast import Contrast, contrasted
from cliper.experiments.statistics.resample import Resampled
from cliper.experiments.studies.setting import Arm, Plan, Setting, Skipped


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

    @property
    def reference(self) -> str:
        """Label of the first arm that is compared with no other."""
        return next(arm.label for arm in self.plan.arms if arm.against is None)


@dataclass(frozen=True)
class Detail:
    """A further table of a study: header, rows of text, and the same unrounded."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    records: tuple[Mapping[str, Any], ...]
    caption: str


@dataclass(frozen=True)
class Values:
    """What a study varies over.

    Attributes:
        read: one value as it was typed.
        default: the values unless others are given; of the catalogue, where it is a function.
    """

    read: Callable[[object], Any]
    default: tuple[Any, ...] | Callable[[Setting], Sequence[Any]]


def no_columns(measured: Measured) -> dict[str, dict[str, float]]:
    """A table without further columns."""
    return {}


@dataclass(frozen=True)
class Study:
    """One of the paper's (or its summary's) experiments, as data.

    Attributes:
        name: as typed.
        source: where the question comes from.
        question: what it asks, a line.
        what: header of the table's first column.
        arms: the arms for a setting and the values that it varies over.
        figures: what is added to the study's name → what draws it.
        findings: each gives what the numbers say about one part of the question.
        varies: settings that the study sets itself.
        requires: each refuses a setting that cannot be studied.
        values: what it varies over; None where it takes no values.
        skipped: arms that the paper has and that cannot be run here.
        details: further tables.
        columns: arm → further columns of the main table (name → number).
    """

    name: str
    source: str
    question: str
    what: str
    arms: Callable[[Setting, list[Any]], Sequence[Arm]]
    figures: Mapping[str, Callable[[Measured], str]]
    findings: Sequence[Callable[[Measured], list[Finding]]]
    varies: tuple[str, ...] = ()
    requires: tuple[Callable[[Setting], None], ...] = ()
    values: Values | None = None
    skipped: Callable[[Setting, list[Any]], Sequence[Skipped]] = lambda setting, values: ()
    details: tuple[Callable[[Measured], Detail], ...] = ()
    columns: Callable[[Measured], dict[str, dict[str, float]]] = no_columns

    def plan(self, setting: Setting) -> Plan:
        """The arms for this dataset.

        Raises:
            InputError: it cannot be studied, or a value makes no sense.
        """
        for refuse in self.requires:
            refuse(setting)
        values = self._values(setting)
        return Plan(tuple(self.arms(setting, values)), tuple(self.skipped(setting, values)))

    def _values(self, setting: Setting) -> list[Any]:
        """What to vary over, each once, in the order in which they are given."""
        if self.values is None:
            return []
        given: Sequence[Any] = setting.values or ()
        if setting.values is None:
            default = self.values.default
            given = default(setting) if callable(default) else default
        return [self.values.read(value) for value in given]

    def check(self, setting: Setting) -> None:
        """Refuse what would have no effect.

        Raises:
            InputError: values for a study without, or a setting that it varies itself.
        """
        if setting.values is not None and self.values is None:
            raise InputError(
                f"study {self.name} takes no values", where="--values", remedy="leave it out"
            )
        for key in self.varies:
            section, _, name = key.partition(".")
            if key != "views.include" and name in (setting.base.get(section) or {}):
                raise InputError(
                    f"is what study {self.name} varies", where=key, remedy="leave it out"
                )


def measure(setting: Setting, plan: Plan, outcomes: Mapping[str, Outcome]) -> Measured:
    """Resample, and test every arm against its reference."""
    samples = {label: outcome.per_user(setting.metric) for label, outcome in outcomes.items()}
    pairs = {arm.label: arm.against for arm in plan.arms if arm.against is not None}
    return Measured(setting, plan, outcomes, *contrasted(samples, pairs))
