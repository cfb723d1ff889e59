"""ItemKNN: what is like the things you took, by who took them or by what they are.

Deshpande and Karypis, "Item-Based Top-N Recommendation Algorithms", ACM TOIS 22(1), 2004:
score(u, i) = Σ_{j in R(u)} sim(j, i) with sim kept for the k most similar j of each i alone.

Without features the similarity is the cosine of two columns of R, |U_i ∩ U_j| over
√(|U_i| |U_j|) + shrinkage (damping in the manner of Bell and Koren, ICDM 2007). With features it is
the cosine of what is known of the items, the k nearest per modality, averaged over the modalities:
the simplest content model, which any learned one must beat on cold items.

Deviations: the k neighbours are those of the item that is scored, and are looked for among the
items with training interactions only. The paper takes the neighbours of the items in the history; a
cold item would then compete with all others for a place in their lists and mostly get none.
"""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from cliper.backbones import Backbone, register_backbone
from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.errors import InputError
from cliper.representation.features import ItemFeatures
from cliper.scoring import HistoryScorer

CHUNK_FLOATS = 2**24  # 64 MiB of similarities at a time


class ItemKnnConfig(StrictConfig):
    """Settings of ItemKNN."""

    k: int = Field(50, ge=1, le=100_000, description="neighbours that an item keeps")
    shrinkage: float = Field(
        0.0, ge=0, le=1e6, description="damps the cosine of rarely taken items; without features"
    )


@register_backbone("itemknn", ItemKnnConfig, "nearest items by co-occurrence, or content if given")
class ItemKnn(Backbone):
    """One sparse matrix (N, N) of at most k similarities per item and modality."""

    items_interact = False

    uses_features = True
    features_optional = True
    is_trained = False

    def __init__(
        self,
        config: ItemKnnConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.history = interactions.matrix()
        if features is None or not features.modalities:
            near = collaborative_neighbours(self.history, config.k, config.shrinkage)
        elif config.shrinkage > 0:
            raise InputError(
                "has no effect where content decides what is similar",
                where="backbone.shrinkage",
                remedy="leave it out, or use --features none",
            )
        else:
            taken = torch.from_numpy(np.flatnonzero(interactions.item_counts()))
            modalities = [features.tables[m] for m in features.modalities]
            parts = [content_neighbours(table, taken, config.k) for table in modalities]
            near = sum(parts[1:], start=parts[0]) / len(parts)
        self.weights = sp.csr_matrix(near.T, dtype=np.float32)

    def scorer(self, history: Interactions | None = None) -> HistoryScorer:
        """Sums of similarities to the training items, whatever `history`: a baseline must not see
        more of a user than the models that it is compared with."""
        return HistoryScorer(self.history, self.weights)


def collaborative_neighbours(history: sp.csr_matrix, k: int, shrinkage: float) -> sp.csr_matrix:
    """Row i holds the damped cosines of its k nearest items, itself left out: (N, N).

    Args:
        history: R (M, N), binary.
        k: neighbours per item; of equal ones the lower index.
        shrinkage: added to the denominator.
    """
    n = history.shape[1]
    columns = history.T.tocsr()
    norm = np.sqrt(np.asarray(history.sum(axis=0), dtype=np.float64).ravel())
    rows_at_once = max(1, CHUNK_FLOATS // max(1, n))
    kept = []
    for start in range(0, n, rows_at_once):
        common = (columns[start : start + rows_at_once] @ history).tocoo()
        row, column = common.row + start, common.col
        value = common.data / (norm[row] * norm[column] + shrinkage)
        other = row != column
        row, column, value = row[other], column[other], value[other]
        order = np.lexsort((column, -value, row))
        row, column, value = row[order], column[order], value[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        near = place < k
        kept.append((row[near], column[near], value[near]))
    row, column, value = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return sp.csr_matrix((value, (row, column)), shape=(n, n), dtype=np.float32)


def content_neighbours(table: Tensor, taken: Tensor, k: int) -> sp.csr_matrix:
    """Row i holds the positive cosines of its k nearest items of `taken`, itself left out: (N, N).

    Args:
        table: one modality (N, D); a zero row is near to nothing.
        taken: indices of the items that occur in a history.
        k: neighbours per item.
    """
    n = len(table)
    unit = torch.nn.functional.normalize(table.detach().float(), dim=1)
    pool = unit[taken]
    place = torch.full((n,), -1)
    place[taken] = torch.arange(len(taken))
    rows_at_once = max(1, CHUNK_FLOATS // max(1, len(pool)))
    found_values, found_columns = [], []
    for start in range(0, n, rows_at_once):
        cosines = unit[start : start + rows_at_once] @ pool.T
        mine = place[start : start + rows_at_once]
        inside = (mine >= 0).nonzero().squeeze(1)
        cosines[inside, mine[inside]] = 0  # not its own neighbour
        values, columns = cosines.topk(min(k, len(pool)), dim=1)
        found_values.append(values.clamp(min=0))
        found_columns.append(taken[columns])
    values, columns = torch.cat(found_values), torch.cat(found_columns)
    rows = np.repeat(np.arange(n), values.shape[1])
    flat = (values.numpy().ravel(), (rows, columns.numpy().ravel()))
    near = sp.csr_matrix(flat, shape=(n, n), dtype=np.float32)
    near.eliminate_zeros()
    return near
