"""Item-item graphs from content: cosine k-nearest neighbours in bounded memory."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cliper.dense import matmul
from cliper.graphs.approximate import approximate_neighbours, is_approximate
from cliper.graphs.bipartite import inverse_sqrt

CHUNK_FLOATS = 2**24  # 64 MiB of similarities at a time


def nearest_neighbours(
    features: Tensor, k: int, chunk_size: int | None = None
) -> tuple[Tensor, Tensor]:
    """The k most cosine-similar rows of each row, itself included, without any N×N matrix.

    All rows are compared, unless `neighbour_search` says otherwise (`cliper.graphs.approximate`).

    Args:
        features: (N, D); an all-zero row has similarity 0 to everything.
        k: neighbours per row, at most N.
        chunk_size: rows compared at once; by default as many as make 64 MiB of similarities.

    Returns:
        Indices int64 and similarities float32, both (N, min(k, N)), best first.
    """
    unit = torch.nn.functional.normalize(features.detach().float(), dim=1)
    k = min(k, len(unit))
    if is_approximate(len(unit)):
        return approximate_neighbours(unit, k)
    chunk_size = chunk_size or max(1, CHUNK_FLOATS // max(1, len(unit)))
    found = [torch.topk(matmul(rows, unit.T), k, dim=1) for rows in torch.split(unit, chunk_size)]
    return torch.cat([f.indices for f in found]), torch.cat([f.values for f in found])


def knn_graph(features: Tensor, k: int, *, weighted: bool = False) -> sp.csr_matrix:
    """Normalised directed kNN graph S̃ = D^(-1/2) S D^(-1/2) (FREEDOM, Eq. 3-4).

    S holds 1 (or the cosine, when `weighted`) for each of a row's k nearest items, and D the
    row sums of S. S is not symmetric: being near is not mutual.

    Args:
        features: (N, D); an all-zero row gets no neighbours.
        k: neighbours per item, the item itself among them.
        weighted: keep cosines as weights (LATTICE) instead of ones (FREEDOM).
    """
    indices, values = nearest_neighbours(features, k)
    n, width = indices.shape
    data = values.clamp(min=0).numpy() if weighted else np.ones((n, width), np.float32)
    empty = (features == 0).all(dim=1).numpy()  # nothing is known of it, nothing is near it
    data = np.where(empty[:, None], 0, data).ravel()
    rows = np.repeat(np.arange(n), width)
    graph = sp.csr_matrix((data, (rows, indices.numpy().ravel())), shape=(n, n), dtype=np.float32)
    graph.eliminate_zeros()
    scale = sp.diags(inverse_sqrt(np.asarray(graph.sum(axis=1), dtype=np.float32).ravel()))
    return sp.csr_matrix(scale @ graph @ scale, dtype=np.float32)


def mixed_knn_graph(features: Mapping[str, Tensor], k: int, image_weight: float) -> sp.csr_matrix:
    """S = α S_image + (1 - α) S_text of the modalities' graphs (FREEDOM, Eq. 5), or the only one.

    Args:
        features: (N, D_m) of `image`, `text` or both.
        k: neighbours per item and modality, the item itself among them.
        image_weight: α.
    """
    graphs = {modality: knn_graph(table, k) for modality, table in features.items()}
    if len(graphs) == 1:
        return next(iter(graphs.values()))
    return sp.csr_matrix(image_weight * graphs["image"] + (1 - image_weight) * graphs["text"])
