"""The headline of a comparison: a lift where users and seeds show one, else that none is shown."""

from cliper.experiments.comparisons.comparison import Comparison, Outcome
from cliper.experiments.comparisons.stops import far_apart
from cliper.experiments.drawing.tables import metric_name
from cliper.experiments.reports.comparison_section import p_text
from cliper.experiments.statistics.contrast import Contrast


def highlight(
    heading: str, comparison: Comparison, before: Outcome, after: Outcome
) -> tuple[str, str, str]:
    """(value, what it is, remark) of one pair whose lift exists.

    Args:
        heading: of the comparison, may be empty.
        comparison: has a contrast of `after`.
        before: the baseline.
        after: what is compared with it.
    """
    name = after.variant.name
    contrast, shown = comparison.contrasts[name], comparison.evidence(name)
    assert contrast.lift is not None
    measured = f"{100 * contrast.lift:+.1f} %"
    remarks = [heading or f"{before.runs[0].results.protocol.split} split"]
    if shown == "users alone":
        remarks.append(f"{measured} measured, over users alone: the seeds do not show it")
    elif shown == "none":
        remarks.append(f"{measured} measured, no significant difference")
    remarks.append(_p_values(contrast, len(after.runs)))
    if far_apart(before.runs) or far_apart(after.runs):
        remarks.append("the seeds stopped far apart")
    what = f"{metric_name(comparison.metric)}, {after.variant.label} against vanilla"
    return (measured if shown == "sure" else "not shown"), what, "; ".join(r for r in remarks if r)


def _p_values(contrast: Contrast, n_seeds: int) -> str:
    p_users, p_seeds = contrast.p_users, contrast.p_seeds
    parts = [] if p_users is None else [f"{p_text(p_users)} over users"]
    if p_seeds is not None:
        parts.append(f"{p_text(p_seeds)} over {n_seeds} seeds")
    else:
        parts.append(f"no p over seeds: {contrast.why_no_p_seeds}")
    return ", ".join(parts)
