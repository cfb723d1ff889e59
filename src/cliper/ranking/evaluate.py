"""Ranking and metrics together: how well held-out items are found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cliper.data.interactions import Interactions
from cliper.errors import InputError
from cliper.metrics import mean_over_users, per_user
from cliper.ranking.pairs import PairsByUser
from cliper.ranking.rank import CHUNK_SIZE, rank
from cliper.scoring import FactorScorer, ScoreFunction
from cliper.types import BoolArray, IndexArray


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Metrics of one model on one held-out part.

    Attributes:
        metrics: `recall@20` → mean over `users`, a fraction, unrounded.
        per_user: the same keys → float64 (U,), parallel to `users`, for paired tests.
        users: int64 (U,), the users with at least one relevant item among the candidates.
        n_outside: relevant pairs that were left out because the item is no candidate.
    """

    metrics: Mapping[str, float]
    per_user: Mapping[str, npt.NDArray[np.float64]]
    users: IndexArray
    n_outside: int = 0

    @property
    def errors(self) -> dict[str, float]:
        """Standard errors of `metrics`, of users drawn from as many more; 0 for one user."""
        root = math.sqrt(len(self.users))
        spread = min(1, len(self.users) - 1)
        return {k: float(np.std(v, ddof=spread)) / root for k, v in self.per_user.items()}


def evaluate(
    scorer: FactorScorer | ScoreFunction,
    relevant: Interactions,
    *,
    train: Interactions | None = None,
    valid: Interactions | None = None,
    candidates: IndexArray | Sequence[int] | None = None,
    ks: Sequence[int] = (10, 20, 50),
    names: Sequence[str] = ("recall", "ndcg"),
    chunk_size: int = CHUNK_SIZE,
) -> Evaluation:
    """Rank all candidates for every user with a relevant item, and measure.

    `mask: train` of the published protocol is `train=…` alone; `mask: train+valid` gives `valid`
    too. A relevant pair that is also masked cannot be found and counts as missed.

    Args:
        scorer: factors, or a function from user indices (B,) to scores (B, N).
        relevant: the held-out pairs.
        train: pairs that are not ranked.
        valid: further pairs that are not ranked.
        candidates: item indices to rank among (cold items); None for all.
        ks: cut-offs.
        names: metrics, of `cliper.metrics.METRICS`.
        chunk_size: users at a time; changes speed and memory, not the result.

    Raises:
        InputError: no user has a relevant item, or a bad argument.
        MismatchError: the parts speak of different users or items.
    """
    columns = None if candidates is None else np.unique(np.asarray(candidates, dtype=np.int64))
    if columns is not None and ((columns < 0) | (columns >= relevant.n_items)).any():
        raise InputError(f"a candidate is not one of the {relevant.n_items} items")
    exclude = [part for part in (train, valid) if part is not None]
    PairsByUser.check([relevant, *exclude])
    targets = PairsByUser([relevant], columns)
    users = np.flatnonzero(targets.counts)
    if not len(users):
        raise InputError("no user has a relevant item to be found", where="evaluation")
    if not ks or min(ks) < 1:
        raise InputError(f"cut-offs {list(ks)}", where="evaluation.k", remedy="1 or more each")
    ranking = rank(
        scorer, users, max(ks), exclude=exclude, candidates=columns, chunk_size=chunk_size
    )
    hits = find_hits(ranking.items, users, PairsByUser([relevant]), chunk_size)
    n_relevant = targets.counts[users]
    values = per_user(hits, n_relevant, ks, names)
    means = {key: mean_over_users(value, n_relevant) for key, value in values.items()}
    return Evaluation(means, values, users, targets.outside)


def find_hits(
    items: IndexArray, users: IndexArray, relevant: PairsByUser, chunk_size: int = CHUNK_SIZE
) -> BoolArray:
    """Which ranked items are relevant: bool (U, K).

    One chunk of users at a time is marked in a reused bool table (chunk, N), so the cost is that
    of the pairs and of the list, and no matrix of all users is held.

    Args:
        items: (U, K) item indices, -1 for an empty place (never a hit).
        users: (U,) user indices.
        relevant: over all N items.
        chunk_size: users at a time.
    """
    hits = np.zeros(items.shape, dtype=np.bool_)
    # the last column stays False: it is where -1 looks
    marks = np.zeros((min(chunk_size, len(users)), relevant.width + 1), dtype=np.bool_)
    for start in range(0, len(users), chunk_size):
        part = slice(start, start + chunk_size)
        flat = relevant.flat(users[part]).numpy()
        row, column = np.divmod(flat, relevant.width)
        marks[row, column] = True
        rows = np.arange(len(users[part]))[:, None]
        hits[part] = marks[rows, items[part]]
        marks[row, column] = False
    return hits
