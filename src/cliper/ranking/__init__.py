"""Full ranking in chunks, masking, top-k, evaluation."""

from cliper.ranking.evaluate import Evaluation, evaluate
from cliper.ranking.rank import CHUNK_SIZE, Ranking, rank
from cliper.ranking.topk import top_k
from cliper.scoring import FactorScorer, ScoreFunction

__all__ = [
    "CHUNK_SIZE",
    "Evaluation",
    "FactorScorer",
    "Ranking",
    "ScoreFunction",
    "evaluate",
    "rank",
    "top_k",
]
