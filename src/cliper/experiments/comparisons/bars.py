"""A comparison as bars."""

from cliper.config import nearest
from cliper.errors import InputError
from cliper.experiments.comparisons.comparison import Comparison, deviation
from cliper.experiments.drawing.tables import metric_name
from cliper.extras import missing_extra
from cliper.notebook import Shown


def comparison_figure(comparison: Comparison, metric: str) -> Shown:
    """See `Comparison.plot`."""
    try:
        from cliper.experiments.drawing.figures import Bar, comparison_bars
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None
    known = list(comparison.outcomes[0].runs[0].results.test)
    if metric not in known:
        raise InputError(f"no metric {metric!r}", where="metric", remedy=nearest(metric, known))
    groups: dict[str, list[Bar]] = {}
    for outcome in comparison.outcomes:
        values = outcome.values(metric)
        spread = deviation(values) if len(values) > 1 else None
        bar = Bar(outcome.variant.label, float(values.mean()), spread)
        groups.setdefault(outcome.variant.backbone, []).append(bar)
    lines = [
        f"{backbone}, {bar.label}: {100 * bar.mean:.2f} %"
        for backbone, bars in groups.items()
        for bar in bars
    ]
    title = f"{metric_name(metric)} on the test split"
    return Shown("\n".join([title, *lines]), comparison_bars(groups, title))
