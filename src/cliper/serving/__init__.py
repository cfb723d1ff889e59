"""Recommendations from a run directory."""

from cliper.serving.answer import HistoryShare, Reasons, Recommendation, ViewShare, frame_of
from cliper.serving.recommender import Recommender

__all__ = ["HistoryShare", "Reasons", "Recommendation", "Recommender", "ViewShare", "frame_of"]
