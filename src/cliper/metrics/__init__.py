"""Ranking metrics: pure functions of hit matrices."""

from cliper.metrics.pointwise import (
    average_precision,
    hit_rate,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
)
from cliper.metrics.summary import METRICS, coverage, mean_over_users, per_user, saturated

__all__ = [
    "METRICS",
    "average_precision",
    "coverage",
    "hit_rate",
    "mean_over_users",
    "ndcg",
    "per_user",
    "precision",
    "recall",
    "reciprocal_rank",
    "saturated",
]
