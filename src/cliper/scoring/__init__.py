"""Scorers: what is left of a trained model, enough to rank with and to save."""

from cliper.scoring.base import ScoreFunction, Scorer, register_scorer, restore_scorer
from cliper.scoring.factors import FactorScorer
from cliper.scoring.filter import FilterScorer
from cliper.scoring.history import HistoryScorer
from cliper.scoring.neural import NeuralScorer

__all__ = [
    "FactorScorer",
    "FilterScorer",
    "HistoryScorer",
    "NeuralScorer",
    "ScoreFunction",
    "Scorer",
    "register_scorer",
    "restore_scorer",
]
