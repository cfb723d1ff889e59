"""Graphs with weighted edges against dense matrices and numerical gradients."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from cliper.graphs import EdgeGraph, SparseGraph
from cliper.graphs.edges import segment_softmax
from cliper.graphs.sparse import product

ROWS, COLUMNS = np.array([2, 0, 0, 3, 2, 1]), np.array([4, 1, 0, 2, 0, 3])  # row 4 is empty


@pytest.fixture
def graph() -> EdgeGraph:
    return EdgeGraph(ROWS, COLUMNS, (5, 6))


def dense(graph: EdgeGraph, values: torch.Tensor) -> torch.Tensor:
    matrix = torch.zeros(graph.shape, dtype=values.dtype)
    for row, column, value in zip(graph.rows, graph.columns, values, strict=True):
        matrix[row, column] += value
    return matrix


def test_edges_are_sorted_and_complete(graph: EdgeGraph) -> None:
    pairs = list(zip(graph.rows.tolist(), graph.columns.tolist(), strict=True))
    assert pairs == sorted(zip(ROWS.tolist(), COLUMNS.tolist(), strict=True))


def test_product_and_softmax_are_those_of_the_dense_matrix(graph: EdgeGraph) -> None:
    values, x = torch.randn(6), torch.randn(6, 3)
    torch.testing.assert_close(graph(values, x), dense(graph, values) @ x)
    left = torch.randn(5, 3)
    products = torch.stack([left[r] @ x[c] for r, c in zip(graph.rows, graph.columns, strict=True)])
    torch.testing.assert_close(graph.dot(left, x), products)
    weights = graph.softmax(values * 50)
    for row in range(5):
        mine = graph.rows == row
        torch.testing.assert_close(weights[mine], torch.softmax(50 * values[mine], 0))


def test_gradients_numerically(graph: EdgeGraph) -> None:
    values = torch.randn(6, dtype=torch.float64, requires_grad=True)
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    left = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(graph, (values, x))
    assert torch.autograd.gradcheck(graph.dot, (left, x))
    assert torch.autograd.gradcheck(graph.softmax, (values,))


def test_a_repeated_edge_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        EdgeGraph(np.array([0, 0]), np.array([1, 1]), (2, 2))


def test_a_product_ignores_what_its_memory_held() -> None:
    matrix = sp.random(50, 40, 0.2, format="csr", random_state=0, dtype=np.float32)
    x = torch.randn(40, 3)
    csr = SparseGraph(matrix, symmetric=False).tensor
    for _ in range(20):  # freed memory full of NaN is what `new_empty` is likely to get
        poison = torch.full((50, 3), torch.nan)
        del poison
        torch.testing.assert_close(product(csr, x), csr.to_dense() @ x)
    nan = torch.full((50, 3), torch.nan)
    torch.testing.assert_close(torch.addmm(nan, csr, x, beta=0), csr.to_dense() @ x)


def test_softmax_of_segments_takes_any_size_of_logit() -> None:
    rows = torch.tensor([0, 0, 2, 2, 2])
    logits = torch.tensor([1000.0, 999.0, -1000.0, -1000.0, -1001.0], requires_grad=True)
    found = segment_softmax(logits, rows, 3)
    expected = torch.cat([logits[:2].softmax(0), logits[2:].softmax(0)])
    torch.testing.assert_close(found, expected)
    weight = torch.arange(5.0)
    torch.testing.assert_close(
        torch.autograd.grad((found * weight).sum(), logits),
        torch.autograd.grad((expected * weight).sum(), logits),
    )
