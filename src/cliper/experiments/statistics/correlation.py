"""Spearman's rank correlation of a handful of things, with a test that is exact for few."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cliper.experiments.statistics.resample import interval
from cliper.experiments.statistics.significance import DoubleArray

_EXACT = 7
"""Up to so many things every order is tried (7! = 5,040), beyond a sample of them."""


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's ρ.

    Attributes:
        rho: as measured; None, and p with it, where one side is all ties.
        p: two-sided, over all (or 9,999 drawn) orders of one side; `least_p` is what it could be.
        low, high: 95 % percentile interval over draws of both sides.
    """

    rho: float | None
    p: float | None
    least_p: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`holds` where the interval is above 0 and the orders are unlikely by chance."""
        if self.p is None:
            return "open"
        if self.low > 0 and self.p < 0.05:
            return "holds"
        return "does not hold" if self.high < 0 else "open"

    def numbers(self) -> dict[str, float | None]:
        """As plain numbers."""
        return {"rho": self.rho, "p": self.p, "low": self.low, "high": self.high}


def rank_correlation(
    x: DoubleArray, y: DoubleArray, x_draws: DoubleArray, y_draws: DoubleArray
) -> RankCorrelation:
    """ρ of x and y (n,), its permutation test, and its interval over their draws (B, n).

    Draws in which one side is all ties have no ρ and are left out; where the data itself is so,
    there is no ρ and no p, and the interval says nothing.
    """
    n = len(x)
    count = math.factorial(n)
    least = 2 / count if n <= _EXACT else 2 / 10_000
    rho = float(spearman(x[None], y[None])[0])
    if math.isnan(rho):
        return RankCorrelation(None, None, least, -1.0, 1.0)
    result = stats.permutation_test(
        (x,),
        lambda shuffled: float(spearman(shuffled[None], y[None])[0]),
        permutation_type="pairings",
        vectorized=False,
        n_resamples=np.inf if n <= _EXACT else 9999,
        rng=np.random.default_rng(0),
    )
    draws = spearman(x_draws, y_draws)
    draws = draws[np.isfinite(draws)]
    low, high = interval(draws) if len(draws) else (-1.0, 1.0)
    return RankCorrelation(rho, float(result.pvalue), least, low, high)


def spearman(x: DoubleArray, y: DoubleArray) -> DoubleArray:
    """ρ row by row of (B, n) and (B, n); NaN where a row is all ties.

    >>> spearman(np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 30.0, 20.0]]))
    array([0.5])
    """
    a, b = (stats.rankdata(side, axis=1) for side in (x, y))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    nothing = np.full(len(a), np.nan)
    rho: DoubleArray = np.divide((a * b).sum(axis=1), scale, out=nothing, where=scale > 0)
    return rho
