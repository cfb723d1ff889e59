"""`views` (the paper's Fig. 2): what is lost without a view, and what one view does alone."""

from collections.abc import Sequence

from cliper.errors import InputError
from cliper.experiments.studies.base import Finding, Measured, Study
from cliper.experiments.studies.figures import difference_dots
from cliper.experiments.studies.plan import Plan, Setting
from cliper.experiments.studies.points import axis_title, contrast_points
from cliper.experiments.studies.words import (
    between,
    claim_verdict,
    order_finding,
    separated_finding,
    share,
)
from cliper.views.templates import GLOBAL

ALL = "all views"
REFITTED = (
    "The encoder is fitted on the catalogue's own pairs of the views in use: an arm without a view "
    "is the system without it, its encoder included."
)
MAKERS = ("brand", "director", "author", "artist", "manufacturer")
"""Fields that stand where the paper has the brand: who made the item."""


class Views(Study):
    """Leave one view out, the global one alone, every single one."""

    name = "views"
    source = "Figure 2"
    question = "Which views carry the gain, and is the whole more than the global view?"
    what = "views"
    varies = ("views.include",)

    def plan(self, setting: Setting) -> Plan:
        """All, each left out, each alone; vanilla beside them."""
        views = several_views(setting)
        arms = [setting.cliper(ALL)]
        if len(views) > 2:  # of two views, one left out is the other alone
            arms += [
                setting.cliper(without(v), {"views.include": [w for w in views if w != v]}, ALL)
                for v in views
            ]
        arms += [setting.cliper(only(v), {"views.include": [v]}, ALL) for v in views]
        return Plan((*arms, setting.vanilla(ALL)))

    def figures(self, measured: Measured) -> dict[str, str]:
        """Every arm's difference from all views."""
        title = "What each view is worth"
        axis = f"{axis_title(measured)}, against all views"
        return {self.name: difference_dots(contrast_points(measured), title, axis)}

    def findings(self, measured: Measured) -> list[Finding]:
        """The paper's sentences on Fig. 2, each tested."""
        views = measured.setting.views
        left_out = [without(v) for v in views if without(v) in measured.outcomes]
        found = []
        if left_out:
            found.append(separated_finding(measured, left_out, ALL))
            found += self._priority(measured)
        found.append(separated_finding(measured, [only(v) for v in views], ALL))
        if GLOBAL in views:
            rest = [ALL, *(label for label in left_out if label != without(GLOBAL))]
            found.append(_worst(measured, only(GLOBAL), rest))
        if measured.setting.fits_its_encoder:
            found.append(Finding(REFITTED))
        return found

    def _priority(self, measured: Measured) -> list[Finding]:
        """The drop without a view orders the views: the more is lost, the more it matters."""
        claimed = [v for v in paper_order(measured.setting.views) if v != GLOBAL]
        if len(claimed) < 2:
            return []
        labels = [without(v) for v in reversed(claimed)]
        finding = order_finding(measured, labels, "The paper's priority", of=" > ".join(claimed))
        return [finding]


def _worst(measured: Measured, label: str, others: Sequence[str]) -> Finding:
    below = measured.samples.probability_worst(label, others)
    nearest = min(others, key=measured.samples.mean)
    pairs = [(other, label) for other in others]
    result, remark = claim_verdict(measured.samples, below, pairs)
    text = (
        f"The paper's sentence that the global view alone is worse than all others: "
        f"{result}{remark}, true in {share(below)} of the draws. "
        f"{between(measured, label, nearest)}."
    )
    return Finding(text, result, {"claim": "global only is worst", "probability": below})


def several_views(setting: Setting) -> tuple[str, ...]:
    """The views, at least two.

    Raises:
        InputError: there is nothing to leave out.
    """
    if len(setting.views) < 2:
        raise InputError(
            f"{len(setting.views)} views to study",
            where="--views",
            remedy="a study of views needs two or more",
        )
    return setting.views


def without(view: str) -> str:
    """Label of the arm that leaves a view out."""
    return f"without {view}"


def only(view: str) -> str:
    """Label of the arm that has one view alone."""
    return f"only {view}"


def paper_order(views: Sequence[str]) -> list[str]:
    """The views at hand in the paper's order of priority, title > brand > description > categories.

    Whoever made the item stands where the paper has the brand.

    >>> paper_order(["categories", "director", "title", "cast"])
    ['title', 'director', 'categories']
    """
    maker = next((name for name in MAKERS if name in views), None)
    order = ("title", maker, "description", "categories")
    return [name for name in order if name is not None and name in views]
