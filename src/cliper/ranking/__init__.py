"""Full ranking in chunks, masking, top-k, evaluation."""

from cliper.ranking.evaluate import Evaluation, evaluate
from cliper.ranking.rank import CHUNK_SIZE, Ranking, rank
from cliper.ranking.scorer import FactorScorer, ScoreFunction
from cliper.ranking.topk import top_k

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
