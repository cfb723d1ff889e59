"""Answers against a loop over every item, ties and long lists of users included."""

import numpy as np
import pytest
import torch

from cliper.data import Vocabulary
from cliper.errors import InputError
from cliper.scoring import FactorScorer
from cliper.serving import Recommender

M, N = 600, 40  # more users than are scored at once


def recommender() -> Recommender:
    """Scores are small whole numbers, so that most places are tied."""
    rng = np.random.default_rng(0)
    users = torch.from_numpy(rng.integers(0, 2, (M, 3)).astype(np.float32))
    items = torch.from_numpy(rng.integers(0, 3, (N, 3)).astype(np.float32))
    seen_user, seen_item = np.nonzero(rng.random((M, N)) < 0.2)
    order = rng.permutation(len(seen_user))
    return Recommender(
        Vocabulary([f"u{i}" for i in range(M)]),
        Vocabulary([f"i{i}" for i in range(N)]),
        FactorScorer(users, items),
        seen_user[order],
        seen_item[order],
        np.ones(N, np.int64),
    )


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("pool", [None, [7, 3, 20, 21]])
def test_the_best_by_score_then_by_index(exclude_seen: bool, pool: list[int] | None) -> None:
    model = recommender()
    users = [f"u{i}" for i in reversed(range(M))]
    candidates = None if pool is None else [f"i{i}" for i in pool]
    rows = model.recommend(users, 5, exclude_seen=exclude_seen, candidates=candidates)
    expected = []
    for user in reversed(range(M)):
        taken = set(model.seen(user).tolist()) if exclude_seen else set()
        scores = model.scorer(torch.tensor([user]))[0].tolist()
        left = [i for i in sorted(pool or range(N)) if i not in taken]
        best = sorted(left, key=lambda i: (-scores[i], i))[:5]
        expected += [(f"u{user}", n, f"i{i}", scores[i]) for n, i in enumerate(best, 1)]
    assert [(r.query, r.rank, r.item_id, r.score) for r in rows] == expected


def test_similar_items_by_cosine_then_by_index_and_never_the_item_itself() -> None:
    model = recommender()
    vectors = model.scorer.tensors()["items"].numpy().astype(np.float64)
    norms = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    cosines = (vectors / norms[:, None]) @ (vectors / norms[:, None]).T
    for row in (0, 11, 39):
        found = model.similar_items([f"i{row}"], N + 5)
        assert sorted(r.item_id for r in found) == sorted(f"i{i}" for i in range(N) if i != row)
        scores = [r.score for r in found]
        assert scores == sorted(scores, reverse=True)
        for r in found:
            assert r.score == pytest.approx(cosines[row, int(r.item_id[1:])], abs=1e-6)


def test_no_users_and_no_places() -> None:
    assert recommender().recommend([], 5) == []
    with pytest.raises(InputError, match="k is 0"):
        recommender().recommend(["u0"], 0)
