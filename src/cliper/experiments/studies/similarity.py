"""How similar each view is to its item's picture, as Eq. 2 sees it, and what that tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from cliper.errors import InputError
from cliper.experiments.drawing.adaptation import with_figure
from cliper.experiments.statistics.correlation import RankCorrelation, rank_correlation
from cliper.experiments.statistics.resample import DRAWS, interval
from cliper.experiments.statistics.significance import DoubleArray
from cliper.experiments.studies.arms import ALL, THRESHOLD, without
from cliper.experiments.studies.figures import rank_heatmap
from cliper.experiments.studies.findings import share, span, verdict
from cliper.experiments.studies.setting import Setting, paper_order
from cliper.experiments.studies.study import Detail, Finding, Measured
from cliper.representation.from_encodings import as_tensor
from cliper.representation.represent import encodings_of
from cliper.representation.similarity import above, cosine
from cliper.views.templates import GLOBAL

_CHUNK = 100
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@lru_cache(maxsize=1)
def view_cosines(setting: Setting) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Cosines (N, C) of the study's views with the images, and which of them exist (N, C).

    One exists where the item has a picture and the view.
    """
    config = setting.config(setting.cliper("all"), setting.seeds[0])
    encodings = encodings_of(setting.dataset, config.representation, with_figure())
    values = cosine(as_tensor(encodings.text), as_tensor(encodings.image)).numpy()
    known = encodings.text_present.T & encodings.image_present[:, None]
    return np.where(known, values, 0).astype(np.float32), known


def quantiles(setting: Setting) -> list[float]:
    """Thresholds at quantiles of the catalogue's own similarities.

    Raises:
        InputError: there are none.
    """
    cosines, known = view_cosines(setting)
    values = cosines[known]
    if not len(values):
        raise InputError("no item has a picture and a text", where=setting.dataset.name)
    # three digits, so that the threshold can be typed again
    return [round(float(q), 3) for q in np.quantile(values, _QUANTILES)]


def views_kept(measured: Measured) -> dict[str, dict[str, float]]:
    """How many of the pictured items' views each threshold leaves."""
    cosines, known = view_cosines(measured.setting)
    return {
        arm.label: {"views kept": kept_share(cosines, known, arm.settings.get(THRESHOLD))}
        for arm in measured.plan.arms
    }


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


@dataclass(frozen=True, eq=False)
class Importance:
    """Ranks of similarities, counted.

    Attributes:
        views: names of the C views.
        ranks: int64 (N, C) of the items with a picture and two views or more; -1 for no view.
        counts: int64 (C, C), items whose view j has rank r.
        draws: float64 (B, C), mean ranks when items are drawn again.
    """

    views: tuple[str, ...]
    ranks: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    draws: DoubleArray

    @property
    def sums(self) -> DoubleArray:
        """The paper's last row: Σ rank · count of each view; smaller is more similar."""
        sums: DoubleArray = np.arange(len(self.counts), dtype=np.float64) @ self.counts
        return sums

    @property
    def means(self) -> DoubleArray:
        """Mean rank of each view where it is there: the sum without the effect of missing views."""
        means: DoubleArray = self.sums / np.maximum(self.counts.sum(axis=0), 1)
        return means

    def ordered(self) -> list[str]:
        """The views, the most similar first."""
        return [self.views[j] for j in np.argsort(self.means, kind="stable")]


def heatmap(measured: Measured) -> str:
    """The paper's Fig. 5."""
    found = importance(measured.setting)
    title = "Rank of each view's similarity to the picture"
    return rank_heatmap(found.counts, found.sums.tolist(), found.views, title)


def importance_findings(measured: Measured) -> list[Finding]:
    """The order, the most frequent view of each rank, and the correlation with the ablation."""
    found = importance(measured.setting)
    views = found.views
    findings = [_order(found), _modes(found), _agreement(found, measured, views, "all views")]
    fields = tuple(v for v in views if v != GLOBAL)
    if len(fields) != len(views) and len(fields) > 2:
        findings.append(_agreement(found, measured, fields, "the views without the global one"))
    return findings


@lru_cache(maxsize=1)
def importance(setting: Setting, draws: int = DRAWS, seed: int = 0) -> Importance:
    """Rank every item's views by similarity to its picture, and draw items again.

    Raises:
        InputError: no item has a picture and two views.
    """
    cosines, known = view_cosines(setting)
    usable = known.sum(axis=1) >= 2
    if not usable.any():
        raise InputError("no item has a picture and two views", where=setting.dataset.name)
    ranks = similarity_ranks(cosines[usable], known[usable])
    counts = np.stack([(ranks == r).sum(axis=0) for r in range(len(setting.views))])
    generator = np.random.default_rng(seed)
    there = (ranks >= 0).astype(np.float64)
    values = np.where(ranks >= 0, ranks, 0).astype(np.float64)
    n = len(ranks)
    means = []
    for start in range(0, draws, _CHUNK):
        weight = generator.multinomial(n, np.full(n, 1 / n), min(_CHUNK, draws - start))
        means.append(weight @ values / np.maximum(weight @ there, 1))
    return Importance(setting.views, ranks, counts, np.concatenate(means))


def similarity_ranks(
    cosines: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Rank of each view among an item's own: 0 for the most similar, -1 where there is none.

    Equal similarities share the better rank.

    Args:
        cosines, known: (N, C).

    >>> similarity_ranks(np.array([[0.1, 0.3, 0.2]], np.float32), np.array([[True, True, False]]))
    array([[ 1,  0, -1]])
    """
    above = (cosines[:, None, :] > cosines[:, :, None]) & known[:, None, :]
    return np.where(known, above.sum(axis=2), -1).astype(np.int64)


def rank_counts(measured: Measured) -> Detail:
    """The heatmap's numbers."""
    found = importance(measured.setting)
    rows = [(str(r), *(f"{n:,}" for n in row)) for r, row in enumerate(found.counts)]
    rows.append(("sum of rank × items", *(f"{s:,.0f}" for s in found.sums)))
    records: list[dict[str, object]] = [
        {"rank": r, **dict(zip(found.views, map(int, row), strict=True))}
        for r, row in enumerate(found.counts)
    ]
    records.append({"rank": "sum", **dict(zip(found.views, map(float, found.sums), strict=True))})
    caption = (
        f"{len(found.ranks)} items with a picture and two views or more: how many have the view at "
        "this rank (0: most similar to the picture); last row as in the paper, smaller is more "
        "similar"
    )
    return Detail("ranks", ("rank", *found.views), tuple(rows), tuple(records), caption)


def rank_beside_loss(measured: Measured) -> Detail:
    """Each view's rank beside what leaving it out loses."""
    found = importance(measured.setting)
    rows, records = [], []
    for view in found.ordered():
        j = found.views.index(view)
        low, high = interval(found.draws[:, j])
        loss = measured.samples.difference(ALL, without(view))
        rows.append((view, f"{found.means[j]:.2f} ({low:.2f} to {high:.2f})", span(*loss)))
        records.append(
            {"view": view, "mean rank": float(found.means[j]), "mean rank low": low,
             "mean rank high": high, "loss": loss[0], "loss low": loss[1], "loss high": loss[2]}
        )  # fmt: skip
    caption = "mean rank with its 95 % interval over items; what leaving the view out loses"
    return Detail(
        "loss", ("view", "mean rank", "loss without it"), tuple(rows), tuple(records), caption
    )


def _order(found: Importance) -> Finding:
    named = paper_importance(found.views)
    observed = [v for v in found.ordered() if v in named]
    text = f"By mean rank, most similar first: {', '.join(found.ordered())}."
    if len(named) < 2:
        return Finding(text, None, {"observed": found.ordered()})
    columns = np.stack([found.draws[:, found.views.index(v)] for v in named], axis=1)
    probability = float((columns[:, :-1] < columns[:, 1:]).all(axis=1).mean())
    text += (
        f" The paper's order ({', '.join(named)}): {verdict(probability)}, in "
        f"{share(probability)} of the draws of items."
    )
    numbers = {"claim": named, "observed": observed, "probability": probability}
    return Finding(text, verdict(probability), numbers)


def _modes(found: Importance) -> Finding:
    modes = [found.views[int(row.argmax())] for row in found.counts]
    shares = [int(row.max()) / max(int(row.sum()), 1) for row in found.counts]
    parts = [
        f"rank {r}: {view} ({100 * part:.0f} %)"
        for r, (view, part) in enumerate(zip(modes, shares, strict=True))
    ]
    text = f"Most frequent view of each rank: {', '.join(parts)}"
    distinct = len(set(modes)) == len(modes)
    text += "." if distinct else "; not every view is the most frequent one somewhere."
    return Finding(text, None, {"modes": modes, "shares": shares})


def _agreement(found: Importance, measured: Measured, views: Sequence[str], whom: str) -> Finding:
    """Rank correlation of similarity with what the view's absence costs."""
    which = [found.views.index(v) for v in views]
    samples = measured.samples
    losses = np.array([samples.mean(ALL) - samples.mean(without(v)) for v in views])
    drawn = np.stack([samples.column(ALL) - samples.column(without(v)) for v in views], axis=1)
    result = rank_correlation(-found.means[which], losses, -found.draws[:, which], drawn)
    return Finding(_agreement_text(result, whom, len(views)), result.verdict, result.numbers())


def _agreement_text(result: RankCorrelation, whom: str, n: int) -> str:
    if result.rho is None:
        return (
            "The paper's reading, that the order of similarities is the order of usefulness: open "
            f"over {whom}. There is no correlation: all views are equally similar or useful."
        )
    return (
        "The paper's reading, that the order of similarities is the order of usefulness: "
        f"{result.verdict} over {whom}. Spearman's ρ = {result.rho:+.2f} (n = {n}, permutation "
        f"p = {result.p:.3f}, the least possible is {result.least_p:.3f}; 95 % interval over "
        f"items, users and seeds {result.low:+.2f} to {result.high:+.2f})."
    )


def paper_importance(views: Sequence[str]) -> list[str]:
    """The views at hand in the order of the paper's importance sum.

    >>> paper_importance(["title", "director", "categories", "global"])
    ['global', 'title', 'director', 'categories']
    """
    maker = [v for v in paper_order(views) if v not in ("title", "description", "categories")]
    order = (GLOBAL, "title", "description", *maker, "categories")
    return [v for v in order if v in views]
