"""Sentences that the numbers decide: differences with intervals, verdicts on claims."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from cliper.experiments.drawing.tables import metric_name
from cliper.experiments.statistics.resample import Resampled
from cliper.experiments.statistics.significance import SIGNIFICANT, holm
from cliper.experiments.studies.study import Finding, Measured

SURE = 0.95


def span(difference: float, low: float, high: float) -> str:
    """A difference in points with its interval.

    >>> span(0.0123, -0.001, 0.02)
    '+1.23 points (95 % interval -0.10 to +2.00)'
    """
    return f"{100 * difference:+.2f} points (95 % interval {100 * low:+.2f} to {100 * high:+.2f})"


def between(measured: Measured, label: str, against: str) -> str:
    """E.g. `text - image +1.23 points (95 % interval …)`."""
    return f"{label} - {against} {span(*measured.samples.difference(label, against))}"


def verdict(probability: float) -> str:
    """`holds`, `does not hold` or `open`, by the share of draws in which a claim is true.

    >>> verdict(0.97), verdict(0.5), verdict(0.01)
    ('holds', 'open', 'does not hold')
    """
    if probability >= SURE:
        return "holds"
    return "does not hold" if probability <= 1 - SURE else "open"


def claim_verdict(
    samples: Resampled, probability: float, pairs: Sequence[tuple[str, str]]
) -> tuple[str, str]:
    """The verdict on a claim about trained arms, and what to add to it.

    The draws decide, and the seeds must agree: with three seeds all draws say the same once in
    four times by chance alone. A claim holds if the paired test over seeds shows every pair (no
    correction: all are needed), and does not if it shows the reverse of one (Holm-corrected).

    Args:
        samples: of the arms.
        probability: share of the draws in which the claim is true.
        pairs: the claim as pairs, the first above the second.

    Returns:
        `holds`, `does not hold` or `open`; a remark, empty where draws and seeds agree.
    """
    by_draws = verdict(probability)
    if by_draws == "open":
        return by_draws, ""
    tests = [samples.over_seeds(a, b) for a, b in pairs]
    gaps = [samples.mean(a) - samples.mean(b) for a, b in pairs]
    if by_draws == "holds":
        agrees = all(test.agrees and gap > 0 for test, gap in zip(tests, gaps, strict=True))
    else:
        corrected = holm([test.p for test in tests])
        agrees = any(
            gap < 0 and (test.agrees if p is None else p < SIGNIFICANT)
            for test, p, gap in zip(tests, corrected, gaps, strict=True)
        )
    if agrees:
        return by_draws, ""
    return "open", f" (by the draws it {by_draws}, but the test over seeds does not show it)"


def share(probability: float) -> str:
    """A share of draws as percent.

    >>> share(0.034), share(0.0), share(1.0)
    ('3.4 %', '0.0 %', '100.0 %')
    """
    return f"{100 * probability:.1f} %"


def orders(claim: Sequence[str], who: str) -> Callable[[Measured], list[Finding]]:
    """Does an order that somebody claims hold here? See `order_finding`."""
    return lambda measured: [order_finding(measured, claim, who)]


def is_best(claim: str, who: str, of: str = "") -> Callable[[Measured], list[Finding]]:
    """Is this arm the best of all, as somebody claims? Nothing where it was not run.

    `of`: how the labels of those begin that the claim is about.
    """

    def say(measured: Measured) -> list[Finding]:
        among = [label for label in measured.outcomes if label.startswith(of)]
        return [best_finding(measured, claim, among, who)] if claim in among else []

    return say


def differs(against: str | None = None) -> Callable[[Measured], list[Finding]]:
    """Which of all arms differ from their reference, under its label or a name for it."""

    def say(measured: Measured) -> list[Finding]:
        name = measured.reference if against is None else against
        return [separated_finding(measured, list(measured.contrasts), name)]

    return say


def order_finding(measured: Measured, claim: Sequence[str], who: str, *, of: str = "") -> Finding:
    """Does an order that somebody claims hold here?

    Args:
        measured: the runs.
        claim: labels, the best first.
        who: whose claim, e.g. `The paper's order`.
        of: what is ordered, where the labels do not say it.
    """
    probability = measured.samples.probability(claim)
    observed = measured.samples.ranked(claim)
    result, remark = claim_verdict(measured.samples, probability, list(pairwise(claim)))
    pairs = [
        {"pair": [a, b], **_numbers(measured.samples.difference(a, b))} for a, b in pairwise(claim)
    ]
    steps = "; ".join(between(measured, a, b) for a, b in pairwise(claim))
    text = (
        f"{who}{f' of {of}' if of else ''}, {' > '.join(claim)}: {result}{remark}. Measured "
        f"{' > '.join(observed)}; the claimed order comes up in {share(probability)} of the draws. "
        f"{steps}."
    )
    return Finding(
        text,
        result,
        {"claim": list(claim), "observed": observed, "probability": probability, "steps": pairs},
    )


def best_finding(measured: Measured, claim: str, among: Sequence[str], who: str) -> Finding:
    """Is this arm the best of some, as somebody claims?"""
    samples = measured.samples
    probability = samples.probability_best(claim, among)
    best = samples.ranked(among)[0]
    pairs = [(claim, other) for other in among if other != claim]
    result, remark = claim_verdict(samples, probability, pairs)
    text = (
        f"{who}, {claim} is best: {result}{remark}. Measured best: {best}; {claim} is the best in "
        f"{share(probability)} of the draws"
    )
    if best != claim:
        text += f"; {between(measured, claim, best)}"
    numbers = {"claim": claim, "best": best, "probability": probability}
    return Finding(f"{text}.", result, numbers)


def separated_finding(measured: Measured, labels: Sequence[str], against: str) -> Finding:
    """Which arms differ from the reference at all."""
    chosen = [measured.contrasts[label] for label in labels]
    sure = [c for c in chosen if c.evidence == "sure"]
    above = [c for c in sure if c.difference > 0]
    below = [c for c in sure if c.difference < 0]
    alone = [c for c in chosen if c.evidence == "users alone"]
    rest = [c for c in chosen if c.evidence == "none"]
    parts = [
        f"{word}: " + ", ".join(f"{c.label} {span(c.difference, c.low, c.high)}" for c in group)
        for word, group in (
            ("above", above),
            ("below", below),
            ("over users alone, the seeds do not show it", alone),
        )
        if group
    ]
    if rest:
        parts.append("no difference can be told for " + ", ".join(c.label for c in rest))
    name = metric_name(measured.metric)
    numbers = {
        "above": [c.label for c in above],
        "below": [c.label for c in below],
        "users alone": [c.label for c in alone],
        "undecided": [c.label for c in rest],
    }
    return Finding(f"Against {against} in {name}, {'; '.join(parts)}.", None, numbers)


def _numbers(values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("difference", "low", "high"), values, strict=True))
