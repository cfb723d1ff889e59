"""Recommendations from a run directory."""

from cliper.serving.recommender import Recommendation, Recommender

__all__ = ["Recommendation", "Recommender"]
