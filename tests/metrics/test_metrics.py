import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score, precision_score, recall_score

from cliper.errors import InputError
from cliper.metrics import METRICS, average_precision, coverage, mean_over_users, ndcg, per_user

N = 12


def drawn(seed: int, users: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Full rankings of N items: hits (U, N), and counts of relevant items."""
    rng = np.random.default_rng(seed)
    relevance = rng.random((users, N)) < rng.random((users, 1))
    order = np.argsort(rng.random((users, N)), axis=1)
    hits = np.take_along_axis(relevance, order, 1)
    return hits, relevance.sum(1)


def plain(name: str, hits: np.ndarray, n_relevant: int, k: int) -> float:
    """One user, place by place."""
    if n_relevant == 0:
        return 0.0
    places = [r for r in range(min(k, len(hits))) if hits[r]]
    if name == "recall":
        return len(places) / n_relevant
    if name == "precision":
        return len(places) / k
    if name == "hit_rate":
        return float(bool(places))
    if name == "mrr":
        return 1 / (places[0] + 1) if places else 0.0
    if name == "map":
        return sum((i + 1) / (r + 1) for i, r in enumerate(places)) / n_relevant
    ideal = sum(1 / math.log2(r + 2) for r in range(min(n_relevant, k)))
    return sum(1 / math.log2(r + 2) for r in places) / ideal


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 2 * N), cut=st.integers(0, N))
@pytest.mark.parametrize("name", list(METRICS))
def test_against_a_plain_loop(name: str, seed: int, k: int, cut: int) -> None:
    hits, n_relevant = drawn(seed)
    hits = hits[:, :cut]  # relevant items may lie beyond the list
    values = METRICS[name](hits, n_relevant, k)
    expected = [plain(name, row, n, k) for row, n in zip(hits, n_relevant, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@pytest.mark.parametrize("k", [1, 5, 12])
def test_against_scikit_learn(k: int) -> None:
    hits, n_relevant = drawn(5, users=40)
    for row, n, value in zip(hits, n_relevant, ndcg(hits, n_relevant, k), strict=True):
        if n:
            theirs = ndcg_score([row.astype(float)], [np.arange(N, 0, -1)], k=k)
            assert value == pytest.approx(theirs, rel=1e-9)
    shown = np.arange(N) < k
    for name, of in (("recall", recall_score), ("precision", precision_score)):
        for row, n, value in zip(hits, n_relevant, METRICS[name](hits, n_relevant, k), strict=True):
            if n:
                assert value == pytest.approx(of(row, shown)), name
    for row, n, value in zip(hits, n_relevant, average_precision(hits, n_relevant, N), strict=True):
        if n:
            assert value == pytest.approx(average_precision_score(row, np.arange(N, 0, -1)))


def test_users_without_relevant_items_stay_out_of_the_mean() -> None:
    hits = np.array([[True, False], [False, False], [False, False]])
    n_relevant = np.array([2, 0, 1])
    values = per_user(hits, n_relevant, [2])
    assert values["recall@2"].tolist() == [0.5, 0.0, 0.0]
    assert mean_over_users(values["recall@2"], n_relevant) == 0.25
    with pytest.raises(InputError, match="no user"):
        mean_over_users(np.zeros(2), np.zeros(2, dtype=int))


def test_names_and_cut_offs_are_checked() -> None:
    hits, n_relevant = drawn(0)
    with pytest.raises(InputError, match="did you mean 'recall'"):
        per_user(hits, n_relevant, [10], ["recal"])
    for ks in ([], [0], [10, -1]):
        with pytest.raises(InputError, match="cut-offs"):
            per_user(hits, n_relevant, ks)


def test_coverage_ignores_empty_places() -> None:
    assert coverage(np.full((2, 3), -1), 4) == 0.0
    assert coverage(np.array([[0, 3, 3], [-1, 0, 3]]), 4) == 0.5
