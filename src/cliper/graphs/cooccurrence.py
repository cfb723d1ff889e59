"""User-user graphs from what users have in common: sparse products in bounded memory."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from cliper.types import IndexArray

CHUNK_PAIRS = 2**22  # at most 4 M candidate pairs at a time, some 150 MiB


def cooccurrence_graph(
    interactions: sp.csr_matrix, k: int, chunk_pairs: int | None = None
) -> sp.csr_matrix:
    """The k users with whom each user shares most items, and how many they share.

    Rows of R Rᵀ are made a chunk at a time and cut to their k largest entries at once, so that the
    whole product, dense wherever an item is popular, never exists.

    Args:
        interactions: R, (M, N); what is stored and not zero counts as one.
        k: neighbours per user; of users with equally many common items the lower indices.
        chunk_pairs: candidate pairs compared at once; one user's may be more, but at most M.

    Returns:
        CSR float32 (M, M) with sorted columns, at most k entries a row, none on the diagonal.

    >>> r = sp.csr_matrix([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    >>> cooccurrence_graph(r, k=1).toarray().astype(int).tolist()
    [[0, 2, 0], [2, 0, 0], [0, 2, 0]]
    """
    r = sp.csr_matrix(sp.csr_matrix(interactions) != 0).astype(np.int32)
    m = r.shape[0]
    transposed = r.T.tocsr()
    found = [
        _top(sp.csr_matrix(r[start:stop] @ transposed), start, k)
        for start, stop in _chunks(r, transposed, chunk_pairs or CHUNK_PAIRS)
    ]
    rows, columns, counts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    graph = sp.csr_matrix((counts.astype(np.float32), (rows, columns)), shape=(m, m))
    graph.sort_indices()
    return graph


def _chunks(r: sp.csr_matrix, transposed: sp.csr_matrix, chunk_pairs: int) -> list[tuple[int, int]]:
    """Ranges of users whose rows of R Rᵀ hold about `chunk_pairs` entries together."""
    # Row u has at most Σ_{i of u} d_i entries, and at most M.
    upper = np.minimum(r @ np.diff(transposed.indptr).astype(np.int64), r.shape[0])
    chunk = np.cumsum(upper) // chunk_pairs
    edges = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(chunk)]
    return list(pairwise(edges))


def _top(common: sp.csr_matrix, start: int, k: int) -> tuple[IndexArray, IndexArray, IndexArray]:
    """User, neighbour and count of the k best entries of each row; row 0 is user `start`."""
    m, highest = common.shape[1], int(common.data.max(initial=0))
    row = np.repeat(np.arange(common.shape[0]), np.diff(common.indptr))
    other = common.indices != row + start
    row, column, count = row[other], common.indices[other], common.data[other]
    # One integer orders by row, then most in common, then lowest index: sorting it sorts all.
    key = (row * (highest + 1) + (highest - count)) * np.int64(m) + column
    key.sort()
    row, rest = np.divmod(key, np.int64(m) * (highest + 1))
    lacking, column = np.divmod(rest, np.int64(m))
    place = np.arange(len(row)) - np.searchsorted(row, row)
    best = place < k
    return row[best] + start, column[best], highest - lacking[best]
