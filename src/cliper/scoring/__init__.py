"""Scorers: what is left of a trained model, enough to rank with and to save."""

from cliper.scoring.base import ScoreFunction, Scorer, register_scorer, restore_scorer
from cliper.scoring.factors import FactorScorer
from cliper.scoring.filter import FilterScorer
from cliper.scoring.fold_in import (
    FactorFoldIn,
    FoldIn,
    LeastSquares,
    Neighbours,
    WeightsFoldIn,
    default_fold_in,
)
from cliper.scoring.history import HistoryScorer
from cliper.scoring.neural import NeuralScorer

__all__ = [
    "FactorFoldIn",
    "FactorScorer",
    "FilterScorer",
    "FoldIn",
    "HistoryScorer",
    "LeastSquares",
    "Neighbours",
    "NeuralScorer",
    "ScoreFunction",
    "Scorer",
    "WeightsFoldIn",
    "default_fold_in",
    "register_scorer",
    "restore_scorer",
]
