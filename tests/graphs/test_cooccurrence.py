"""The users' co-occurrence graph against a double loop over pairs of users."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.graphs.cooccurrence import _chunks, cooccurrence_graph


def brute_force(r: np.ndarray, k: int) -> np.ndarray:
    m = len(r)
    expected = np.zeros((m, m))
    for u in range(m):
        common = {v: sum(1 for i in range(r.shape[1]) if r[u, i] and r[v, i]) for v in range(m)}
        others = [v for v in range(m) if v != u and common[v] > 0]
        for v in sorted(others, key=lambda v: (-common[v], v))[:k]:
            expected[u, v] = common[v]
    return expected


@settings(max_examples=60, deadline=None)
@given(
    m=st.integers(1, 14),
    n=st.integers(1, 9),
    k=st.integers(1, 16),
    density=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    chunk_pairs=st.sampled_from([1, 7, 40, None]),
    seed=st.integers(0, 999),
)
def test_it_is_the_double_loop(
    m: int, n: int, k: int, density: float, chunk_pairs: int | None, seed: int
) -> None:
    r = np.random.default_rng(seed).random((m, n)) < density
    graph = cooccurrence_graph(sp.csr_matrix(r.astype(np.float32)), k, chunk_pairs)
    np.testing.assert_array_equal(graph.toarray(), brute_force(r, k))
    assert graph.nnz == np.count_nonzero(graph.toarray())
    assert np.diff(graph.indptr).max(initial=0) <= k
    assert graph.has_canonical_format and graph.dtype == np.float32


def test_of_equals_the_lower_index_is_nearer() -> None:
    graph = cooccurrence_graph(sp.csr_matrix(np.ones((6, 2))), k=2)
    assert graph.indices.reshape(6, 2).tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]]
    assert (graph.data == 2).all()


def test_weights_and_stored_zeros_do_not_count() -> None:
    r = sp.csr_matrix(np.array([[5.0, 2.0, 1.0], [3.0, 0.5, 0.0], [0.0, 0.0, 4.0]]))
    r.data[r.data == 4.0] = 0.0
    assert cooccurrence_graph(r, k=2).toarray().tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("chunk_pairs", [50, 300, 10**6])
def test_chunks_cover_every_user_once_and_stay_bounded(chunk_pairs: int) -> None:
    r = sp.random(200, 40, 0.1, random_state=0, format="csr").astype(bool).astype(np.int32)
    chunks = _chunks(r, r.T.tocsr(), chunk_pairs)
    assert [u for start, stop in chunks for u in range(start, stop)] == list(range(200))
    sizes = [(r[start:stop] @ r.T).nnz for start, stop in chunks]
    # A range ends with the user who crosses the bound, and no user has more than M candidates.
    assert max(sizes) <= chunk_pairs + 200
