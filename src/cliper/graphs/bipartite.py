"""Adjacencies of the user-item graph."""

import numpy as np
import scipy.sparse as sp

from cliper.types import FloatArray, IndexArray


def inverse_sqrt(degrees: FloatArray) -> FloatArray:
    """1/√d where d > 0, else 0: an isolated node neither sends nor receives.

    >>> inverse_sqrt(np.array([4.0, 0.0], dtype=np.float32)).tolist()
    [0.5, 0.0]
    """
    safe = np.where(degrees > 0, degrees, 1.0)
    return np.where(degrees > 0, 1.0 / np.sqrt(safe), 0.0).astype(np.float32)


def normalized_adjacency(interactions: sp.csr_matrix) -> sp.csr_matrix:
    """Â = D^(-1/2) A D^(-1/2) with A = [[0, R], [Rᵀ, 0]] (LightGCN, Eq. 8).

    Args:
        interactions: R, (M, N), non-negative.

    Returns:
        Symmetric CSR, (M+N, M+N), users first.

    >>> adjacency = normalized_adjacency(sp.csr_matrix([[1.0, 1.0]])).toarray()
    >>> adjacency.astype(float).round(3).tolist()
    [[0.0, 0.707, 0.707], [0.707, 0.0, 0.0], [0.707, 0.0, 0.0]]
    """
    r = sp.csr_matrix(interactions, dtype=np.float32)
    users = inverse_sqrt(np.asarray(r.sum(axis=1), dtype=np.float32).ravel())
    items = inverse_sqrt(np.asarray(r.sum(axis=0), dtype=np.float32).ravel())
    scaled = sp.csr_matrix(sp.diags(users) @ r @ sp.diags(items), dtype=np.float32)
    return sp.csr_matrix(sp.bmat([[None, scaled], [scaled.T, None]], format="csr"))


def sample_edges(
    interactions: sp.csr_matrix, keep: float, generator: np.random.Generator
) -> sp.csr_matrix:
    """Degree-sensitive edge pruning (FREEDOM, Eq. 7): keep a share of the edges.

    ⌊keep·nnz⌋ edges are drawn without replacement with probability ∝ 1/√(d_u d_i), by the
    exponential-races method (the smallest E/w win), which has no limit on the number of edges.

    Args:
        interactions: R, (M, N), binary CSR.
        keep: share of the edges that stay, in (0, 1].
        generator: source of the draw.
    """
    counts = np.diff(interactions.indptr)
    items = np.bincount(interactions.indices, minlength=interactions.shape[1])
    weight = 1.0 / np.sqrt(np.repeat(counts, counts) * items[interactions.indices])
    n_keep = int(keep * interactions.nnz)
    races = generator.standard_exponential(interactions.nnz) / weight
    kept: IndexArray = np.sort(np.argpartition(races, n_keep - 1)[:n_keep])
    rows = np.repeat(np.arange(interactions.shape[0]), counts)[kept]
    ones = np.ones(n_keep, dtype=np.float32)
    return sp.csr_matrix((ones, (rows, interactions.indices[kept])), shape=interactions.shape)
