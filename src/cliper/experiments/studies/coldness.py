"""`coldness`: where does content pay? By how often an item was taken, and by how much is known."""

from collections.abc import Mapping, Sequence

import numpy as np

from cliper.data.splits.settings import default_split
from cliper.errors import InputError
from cliper.experiments.resample import Resampled
from cliper.experiments.studies.base import Detail, Finding, Measured, Study
from cliper.experiments.studies.counted import (
    KINDS,
    PAIRS,
    arm_label,
    by_count,
    count_table,
    cutoff,
    share_text,
)
from cliper.experiments.studies.figures import Point, difference_lines
from cliper.experiments.studies.modalities import no_content
from cliper.experiments.studies.plan import Arm, Plan, Setting
from cliper.experiments.studies.points import axis_title
from cliper.experiments.studies.words import span
from cliper.experiments.variants import Variant

COLD = "cold-item"
KIND_KEY, SHARE_KEY = "split.kind", "split.train_share"


class Coldness(Study):
    """No content, vanilla and CLIPER on cold items, on warm ones, and on less and less training."""

    name = "coldness"
    source = "the question behind all tables"
    question = "For which items, and with how much training data, does content pay?"
    what = "features, split, share of training rows"
    varies = (SHARE_KEY,)
    takes_values = True
    default_values = (0.05, 0.1, 0.25, 0.5, 1.0)

    def plan(self, setting: Setting) -> Plan:
        """Three kinds of features on the cold-item split and on every share of the warm one."""
        warm = warm_split(setting)
        shares = sorted({_share(v) for v in self.values(setting)} | {1.0}, reverse=True)
        arms = _arms(setting, "cold items", {KIND_KEY: COLD})
        for share in shares:
            thinned = {SHARE_KEY: share} if share < 1 else {}
            arms += _arms(setting, share_text(share), {KIND_KEY: warm, **thinned})
        return Plan(tuple(arms))

    def figures(self, measured: Measured) -> dict[str, str]:
        """Gains by training interactions of the item, and by share of the training rows."""
        found = by_count(measured)
        k = cutoff(measured)
        by_item = {
            f"{a} - {b}": [
                Point(f"{b_.label}{'*' if b_.among == 'cold items' else ''}",
                      *b_.samples.difference(a, b)) for b_ in found
            ]
            for a, b in PAIRS
        }  # fmt: skip
        by_share = {
            f"{a} - {b}": [
                Point(share_text(s), *measured.samples.difference(
                    arm_label(a, share_text(s)), arm_label(b, share_text(s))))
                for s in sorted(shares_of(measured))
            ]
            for a, b in PAIRS
        }  # fmt: skip
        return {
            self.name: difference_lines(
                by_item, "Gain by how often the item was taken",
                "training interactions of the item (*: ranked among cold items)",
                f"Recall@{k}, points",
                joined=False,  # cold items are ranked among others than the rest
            ),
            f"{self.name}-share": difference_lines(
                by_share, "Gain by share of the training rows", "share of each user's rows",
                axis_title(measured),
            ),
        }  # fmt: skip

    def details(self, measured: Measured) -> list[Detail]:
        """The table by training interactions."""
        return [count_table(by_count(measured), cutoff(measured))]

    def extra(self, measured: Measured) -> dict[str, dict[str, float]]:
        """Training rows of every arm, mean over seeds."""
        return {
            label: {"training rows": float(np.mean([r.results.dataset.train for r in o.runs]))}
            for label, o in measured.outcomes.items()
        }

    def findings(self, measured: Measured) -> list[Finding]:
        """Up to how many interactions, and down to which share, each gain can be told from 0."""
        found = by_count(measured)
        shares = sorted(shares_of(measured))
        result = []
        for a, b in PAIRS:
            by_item = [(f"{x.label} ({x.among})", x.samples, a, b) for x in found]
            result.append(_where(f"{a} over {b}, by training interactions of the item", by_item))
        for a, b in PAIRS:
            by_share = [
                (share_text(s), measured.samples,
                 arm_label(a, share_text(s)), arm_label(b, share_text(s)))
                for s in shares
            ]  # fmt: skip
            result.append(_where(f"{a} over {b}, by share of the training rows", by_share))
        return result


def warm_split(setting: Setting) -> str:
    """The split whose items have a history: the one asked for, `random` for cold-item."""
    kind = setting.base.get("split", {}).get("kind") or default_split(setting.dataset)
    return "random" if kind == COLD else str(kind)


def _arms(setting: Setting, where: str, settings: Mapping[str, object]) -> list[Arm]:
    """The three kinds of features on one split: vanilla over none, CLIPER over vanilla."""
    none, vanilla, cliper = (arm_label(kind, where) for kind in KINDS)
    return [
        Arm(none, no_content(setting).variant, settings),
        Arm(vanilla, Variant(setting.backbone, "vanilla"), settings, none),
        setting.cliper(cliper, settings, vanilla),
    ]


def _where(what: str, pairs: Sequence[tuple[str, Resampled, str, str]]) -> Finding:
    """Where one kind of features gains over another, of (label, samples, arm, other arm)."""
    groups: dict[str, list[str]] = {"gains": [], "loses": [], "users alone": [], "undecided": []}
    words: dict[str, str] = {}
    for label, samples, arm, other in pairs:
        gain, shown = samples.difference(arm, other), samples.evidence(arm, other)
        sign = "gains" if gain[0] > 0 else "loses"
        key = {"sure": sign, "users alone": "users alone", "none": "undecided"}[shown]
        groups[key].append(label)
        words[label] = f"{label} {span(*gain)}"
    parts = [
        f"{said} at {', '.join(words[label] for label in groups[key])}"
        for key, said in (
            ("gains", "gains"),
            ("loses", "loses"),
            ("users alone", "differs over users alone, which the seeds do not show,"),
        )
        if groups[key]
    ]
    if groups["undecided"]:
        parts.append(f"cannot be told from 0 at {', '.join(groups['undecided'])}")
    return Finding(f"{what}: {'; '.join(parts)}.", None, groups)


def shares_of(measured: Measured) -> set[float]:
    """The shares that were run on the warm split."""
    return {
        float(arm.settings.get(SHARE_KEY, 1.0))
        for arm in measured.plan.arms
        if arm.settings[KIND_KEY] != COLD
    }


def _share(value: object) -> float:
    try:
        share = float(str(value))
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise InputError(f"no share: {value!r}", where="--values", remedy="above 0, at most 1")
    return share
