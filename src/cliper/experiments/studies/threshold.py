"""`threshold` (the summary's second experiment): drop views that do not agree with the picture."""

import numpy as np
import numpy.typing as npt
import torch

from cliper.errors import InputError
from cliper.experiments.studies.base import Finding, Measured, Study
from cliper.experiments.studies.cosines import view_cosines
from cliper.experiments.studies.figures import difference_lines
from cliper.experiments.studies.plan import Plan, Setting
from cliper.experiments.studies.points import axis_title, scale_points
from cliper.experiments.studies.temperature import needs_attention
from cliper.experiments.studies.views import several_views
from cliper.experiments.studies.words import best_finding, separated_finding
from cliper.representation.similarity import above

NONE, BEST = "none", "best view alone"
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
KEY = "fusion.threshold"
ABOVE_ALL = 2.0


class Threshold(Study):
    """Thresholds at quantiles of the catalogue's own similarities, from none to the best alone."""

    name = "threshold"
    source = "follow-up 2 of the summary"
    question = "Is a view that does not agree with the picture better left out?"
    what = "threshold"
    varies = (KEY,)
    takes_values = True

    def plan(self, setting: Setting) -> Plan:
        """No threshold (the reference), the values, and only the best view."""
        needs_attention(setting, self.name)
        several_views(setting)
        chosen = {label_of(v): v for v in self._thresholds(setting)}
        arms = [setting.cliper(NONE)]
        arms += [setting.cliper(label, {KEY: v}, NONE) for label, v in chosen.items()]
        return Plan((*arms, setting.cliper(BEST, {KEY: ABOVE_ALL}, NONE)))

    def _thresholds(self, setting: Setting) -> list[float]:
        if setting.values is not None:
            return sorted({_cosine(v) for v in setting.values})
        cosines, known = view_cosines(setting)
        values = cosines[known]
        if not len(values):
            raise InputError("no item has a picture and a text", where=setting.dataset.name)
        # three digits, so that the threshold can be typed again
        return sorted({round(float(q), 3) for q in np.quantile(values, SHARES)})

    def extra(self, measured: Measured) -> dict[str, dict[str, float]]:
        """How many of the pictured items' views are left."""
        cosines, known = view_cosines(measured.setting)
        return {
            arm.label: {"views kept": kept_share(cosines, known, arm.settings.get(KEY))}
            for arm in measured.plan.arms
        }

    def figures(self, measured: Measured) -> dict[str, str]:
        """The difference from no threshold along it."""
        ticks = [(label.removeprefix("≥ ").split()[0], label) for label in measured.outcomes]
        points = scale_points(measured, ticks, NONE)
        axis = f"{axis_title(measured)}, against none"
        title = "Views under a similarity dropped"
        return {self.name: difference_lines({"CLIPER": points}, title, "threshold (cosine)", axis)}

    def findings(self, measured: Measured) -> list[Finding]:
        """Is any threshold better than none?"""
        labels = list(measured.outcomes)
        return [
            best_finding(measured, NONE, labels, "If no threshold pays"),
            separated_finding(measured, list(measured.contrasts), "no threshold"),
        ]


def kept_share(
    cosines: npt.NDArray[np.float32], known: npt.NDArray[np.bool_], threshold: float | None
) -> float:
    """Share of the known (N, C) similarities whose view stays."""
    if threshold is None:
        return 1.0
    rows = known.any(axis=1)
    present = torch.from_numpy(known[rows])
    kept = above(torch.from_numpy(cosines[rows]), present, threshold)
    return float(kept.sum()) / float(present.sum())


def label_of(threshold: float) -> str:
    """A threshold as a label.

    >>> label_of(0.25)
    '≥ 0.25'
    """
    return f"≥ {threshold:g}"


def _cosine(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = float("nan")
    if not -1 <= number <= 1:
        raise InputError(f"no cosine: {value!r}", where="--values", remedy="numbers from -1 to 1")
    return number
