"""Graphs whose edges carry trained weights: attention, refined and learned graphs."""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from cliper.graphs.sparse import product
from cliper.types import IndexArray


class EdgeGraph(nn.Module):
    """A fixed set of E edges; the weight of each edge is an argument, with its gradient.

    Edges are kept sorted by row, then column, in `rows` and `columns`; every vector of E values
    is parallel to these. A product keeps no E×d intermediate: forward is a CSR product, backward
    is the transposed product and one inner product per edge (a sampled dense-dense product).

    Args:
        rows, columns: int (E,) distinct edges in any order.
        shape: (m, n) of the matrix.

    >>> graph = EdgeGraph(np.array([0, 0, 1]), np.array([0, 1, 1]), (2, 2))
    >>> graph(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([[1.0], [10.0]])).tolist()
    [[21.0], [30.0]]
    """

    rows: Tensor
    columns: Tensor
    crow: Tensor
    turned_crow: Tensor
    turned_columns: Tensor
    order: Tensor

    def __init__(self, rows: IndexArray, columns: IndexArray, shape: tuple[int, int]) -> None:
        super().__init__()
        numbered = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        if numbered.nnz != len(rows):
            raise ValueError("an edge is named twice")
        numbered.sort_indices()
        numbered.data = np.arange(len(rows), dtype=np.int64)
        turned = numbered.T.tocsr()
        turned.sort_indices()
        at = np.repeat(np.arange(shape[0]), np.diff(numbered.indptr))
        buffers = {
            "rows": at,
            "columns": numbered.indices.astype(np.int64),
            "crow": numbered.indptr.astype(np.int64),
            "turned_crow": turned.indptr.astype(np.int64),
            "turned_columns": turned.indices.astype(np.int64),
            "order": turned.data,
        }
        for name, array in buffers.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)
        self.shape = shape

    def __len__(self) -> int:
        return len(self.rows)

    def matrix(self, values: Tensor) -> Tensor:
        """The (m, n) CSR tensor with these values (E,)."""
        return torch.sparse_csr_tensor(
            self.crow, self.columns, values, self.shape, check_invariants=False
        )

    def turned(self, values: Tensor) -> Tensor:
        """Its transpose, (n, m)."""
        m, n = self.shape
        return torch.sparse_csr_tensor(
            self.turned_crow,
            self.turned_columns,
            values.index_select(0, self.order),
            (n, m),
            check_invariants=False,
        )

    def forward(self, values: Tensor, x: Tensor) -> Tensor:
        """A(values) @ x for values (E,) and x (n, d): (m, d)."""
        product: Tensor = _EdgeProduct.apply(self, values, x)  # type: ignore[no-untyped-call]
        return product

    def dot(self, left: Tensor, right: Tensor) -> Tensor:
        """One inner product per edge, of left (m, d) at its row and right (n, d) at its column."""
        product: Tensor = _EdgeDot.apply(self, left, right)  # type: ignore[no-untyped-call]
        return product

    def softmax(self, logits: Tensor) -> Tensor:
        """Softmax over each row's own edges: (E,)."""
        return segment_softmax(logits, self.rows, self.shape[0])


def segment_softmax(logits: Tensor, rows: Tensor, n: int) -> Tensor:
    """Softmax of logits (E,) over the edges of each of n rows; `rows` (E,) are below n."""
    top = logits.new_full((n,), -torch.inf)
    top = top.scatter_reduce(0, rows, logits.detach(), "amax")
    weights = (logits - top.index_select(0, rows)).exp()
    total = logits.new_zeros(n).index_add(0, rows, weights)
    return weights / total.index_select(0, rows)


def bipartite_edges(interactions: sp.csr_matrix) -> tuple[EdgeGraph, EdgeGraph]:
    """The edges of R (M, N) towards users, a graph (M, N), and towards items, (N, M)."""
    users, items = interactions.nonzero()
    m, n = interactions.shape
    return EdgeGraph(users, items, (m, n)), EdgeGraph(items, users, (n, m))


def _sampled(graph: EdgeGraph, left: Tensor, right: Tensor) -> Tensor:
    pattern = graph.matrix(left.new_zeros(len(graph)))
    products = torch.sparse.sampled_addmm(pattern, left.contiguous(), right.T, beta=0.0)
    values: Tensor = products.values()
    return values


class _EdgeProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, graph: EdgeGraph, values: Tensor, x: Tensor
    ) -> Tensor:
        ctx.graph = graph  # type: ignore[attr-defined]
        ctx.save_for_backward(values, x)
        return product(graph.matrix(values), x)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[None, Tensor | None, Tensor | None]:
        values, x = ctx.saved_tensors  # type: ignore[attr-defined]
        graph: EdgeGraph = ctx.graph  # type: ignore[attr-defined]
        needs = ctx.needs_input_grad  # type: ignore[attr-defined]
        gradient = gradient.contiguous()
        by_value = _sampled(graph, gradient, x) if needs[1] else None
        by_x = product(graph.turned(values), gradient) if needs[2] else None
        return None, by_value, by_x


class _EdgeDot(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, graph: EdgeGraph, left: Tensor, right: Tensor
    ) -> Tensor:
        ctx.graph = graph  # type: ignore[attr-defined]
        ctx.save_for_backward(left, right)
        return _sampled(graph, left, right)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[None, Tensor | None, Tensor | None]:
        left, right = ctx.saved_tensors  # type: ignore[attr-defined]
        graph: EdgeGraph = ctx.graph  # type: ignore[attr-defined]
        needs = ctx.needs_input_grad  # type: ignore[attr-defined]
        by_left = product(graph.matrix(gradient), right) if needs[1] else None
        by_right = product(graph.turned(gradient), left) if needs[2] else None
        return None, by_left, by_right
