"""Graphs against dense NumPy, scikit-learn and the law that edges are drawn by."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from cliper.graphs import (
    SparseGraph,
    knn_graph,
    layer_mean,
    nearest_neighbours,
    normalized_adjacency,
    sample_edges,
)


def random_matrix(m: int, n: int, seed: int) -> sp.csr_matrix:
    return sp.csr_matrix(sp.random(m, n, 0.3, random_state=seed, format="csr") > 0).astype(
        np.float32
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8), st.integers(1, 9), st.integers(0, 99))
def test_normalized_adjacency_is_the_dense_formula(m: int, n: int, seed: int) -> None:
    r = random_matrix(m, n, seed)
    dense = np.block([[np.zeros((m, m)), r.toarray()], [r.T.toarray(), np.zeros((n, n))]])
    degree = dense.sum(1)
    scale = np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    expected = scale[:, None] * dense * scale[None, :]
    np.testing.assert_allclose(normalized_adjacency(r).toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("symmetric", [True, False])
def test_sparse_graph_products_and_gradients(symmetric: bool) -> None:
    matrix = random_matrix(7, 7, 3)
    if symmetric:
        matrix = matrix + matrix.T
    graph = SparseGraph(matrix, symmetric=symmetric)
    x = torch.randn(7, 4, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weight = torch.randn(7, 4)
    (graph(x) * weight).sum().backward()
    (torch.from_numpy(matrix.toarray()) @ y * weight).sum().backward()
    torch.testing.assert_close(graph(x), torch.from_numpy(matrix.toarray()) @ x)
    torch.testing.assert_close(x.grad, y.grad)


def test_rectangular_graph() -> None:
    matrix = random_matrix(4, 9, 1)
    graph = SparseGraph(matrix, symmetric=False)
    x = torch.randn(9, 2, requires_grad=True)
    graph(x).sum().backward()
    expected = torch.from_numpy(matrix.toarray().sum(0))[:, None].expand(9, 2)
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("layers", [None, 0, 1, 3])
def test_hand_written_gradients_numerically(layers: int | None) -> None:
    matrix = (
        random_matrix(4, 5, 1) if layers is None else normalized_adjacency(random_matrix(4, 5, 1))
    )
    graph = SparseGraph(matrix, symmetric=layers is not None).double()
    x = torch.randn(matrix.shape[1], 2, dtype=torch.float64, requires_grad=True)
    run = graph if layers is None else lambda t: layer_mean(graph, t, layers)
    assert torch.autograd.gradcheck(run, x)


@pytest.mark.parametrize("rows", [None, [9, 2, 2, 13, 0], [9, 2, *range(14)]])
@pytest.mark.parametrize("layers", [0, 1, 2, 5])
def test_layer_mean_equals_the_plain_sum_of_products(layers: int, rows: list[int] | None) -> None:
    adjacency = normalized_adjacency(random_matrix(6, 8, 2))
    graph = SparseGraph(adjacency, symmetric=True)
    x = torch.randn(14, 3, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weight = torch.randn(len(rows or range(14)), 3)
    stack = [y]
    for _ in range(layers):
        stack.append(torch.from_numpy(adjacency.toarray()) @ stack[-1])
    plain = torch.stack(stack).mean(0)[rows or slice(None)]
    fast = layer_mean(graph, x, layers, None if rows is None else torch.tensor(rows))
    torch.testing.assert_close(fast, plain)
    (fast * weight).sum().backward()
    (plain * weight).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


def test_layer_mean_refuses_a_graph_that_is_not_its_own_adjoint() -> None:
    with pytest.raises(ValueError, match="symmetric"):
        layer_mean(SparseGraph(random_matrix(3, 3, 0), symmetric=False), torch.ones(3, 1), 1)


def test_nearest_neighbours_agree_with_scikit_learn() -> None:
    features = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    oracle = NearestNeighbors(n_neighbors=7, metric="cosine", algorithm="brute").fit(features)
    distance, index = oracle.kneighbors(features)
    found, similarity = nearest_neighbours(features, 7)
    np.testing.assert_allclose(similarity, 1 - distance, atol=1e-5)
    assert np.array_equal(found.numpy(), index)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 40))
def test_chunked_neighbours_equal_whole(chunk: int) -> None:
    features = torch.randn(33, 5, generator=torch.Generator().manual_seed(1))
    whole, chunked = nearest_neighbours(features, 4, 33), nearest_neighbours(features, 4, chunk)
    assert torch.equal(whole[0], chunked[0])
    torch.testing.assert_close(whole[1], chunked[1])


def test_knn_graph_rows_and_a_row_of_zeros() -> None:
    features = torch.randn(10, 4)
    features[3] = 0
    graph = knn_graph(features, 2)
    assert np.isfinite(graph.data).all()
    assert graph[3].nnz == 0
    plain = knn_graph(torch.randn(10, 4), 2)
    np.testing.assert_allclose(plain.sum(1), 1, rtol=1e-6)  # k ones over degree k
    cosines = knn_graph(torch.eye(4) + 0.1, 2, weighted=True)
    assert (cosines.data > 0).all() and len(np.unique(cosines.data.round(4))) > 1


def test_sampled_edges_follow_their_weights() -> None:
    """The first edge kept is drawn with probability ∝ 1/√(d_u d_i): compare the frequencies."""
    r = sp.csr_matrix(np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]], dtype=np.float32))
    users, items = np.asarray(r.sum(1)).ravel(), np.asarray(r.sum(0)).ravel()
    rows, columns = r.nonzero()
    weight = 1 / np.sqrt(users[rows] * items[columns])
    generator = np.random.default_rng(0)
    draws = 20_000
    counts = np.zeros(r.shape)
    for _ in range(draws):
        counts += sample_edges(r, 1 / r.nnz, generator).toarray()
    np.testing.assert_allclose(counts[rows, columns] / draws, weight / weight.sum(), atol=0.012)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 1.0), st.integers(0, 50))
def test_sampled_edges_are_distinct_edges_of_the_graph(keep: float, seed: int) -> None:
    r = random_matrix(9, 9, seed)
    if int(keep * r.nnz) == 0:
        return
    kept = sample_edges(r, keep, np.random.default_rng(seed))
    assert kept.nnz == int(keep * r.nnz) and (kept.data == 1).all()
    assert (kept.toarray() <= r.toarray()).all()
