"""Candidates among very many items without scoring all of them, by FAISS; how well is measured.

An inverted file over the item vectors for inner products (Jégou, Douze and Schmid, "Product
Quantization for Nearest Neighbor Search", TPAMI 2011, Section IV, without the quantisation). How
many of its cells are looked into is doubled until a sample of users finds `RECALL` of what scoring
all items finds. The scorer ranks the candidates itself, so that scores and ties are what they
would have been.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from cliper.extras import missing_extra
from cliper.scoring import FactorScorer
from cliper.types import IndexArray

EXACT = 200_000
"""Among up to so many items all are scored."""
RECALL = 0.995
SAMPLE = 256  # users by whom recall is measured
PLACES = 10  # of each
TRAINED_ON = 40  # rows a cell that the cells are made from
MORE = 4  # candidates, a place that is wanted


@dataclass(frozen=True, eq=False)
class Nearest:
    """An index of the first n items of a scorer; those behind are candidates always.

    Attributes:
        index: FAISS's.
        n: items in it.
        probes: cells to look into.
        recall: of the sample, with so many.
    """

    index: Any
    n: int
    probes: int
    recall: float

    @classmethod
    def of(cls, scorer: FactorScorer) -> Self | None:
        """Of a scorer's items; None where they are few, or FAISS is not installed."""
        items = scorer.items.detach().float().cpu().contiguous().numpy()
        if len(items) <= EXACT:
            return None
        faiss = _faiss()
        if faiss is None:
            return None
        generator = np.random.default_rng(0)
        cells = int(np.sqrt(len(items)))
        index = faiss.index_factory(items.shape[1], f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
        index.cp.max_points_per_centroid = TRAINED_ON
        sample = np.sort(generator.permutation(len(items))[: TRAINED_ON * cells])
        index.train(items[sample])
        index.add(items)
        users = scorer.users.detach().float().cpu().numpy()
        users = users[np.sort(generator.permutation(len(users))[:SAMPLE])]
        true = torch.cat(
            [torch.topk(rows @ torch.from_numpy(items).T, PLACES, dim=1).values
             for rows in torch.split(torch.from_numpy(users), 16)]
        ).numpy()  # fmt: skip
        probes, recall = min(8, cells), 0.0
        while len(users):
            index.nprobe = probes
            found = index.search(users, PLACES)[0]
            recall = float((found >= true[:, -1:] - 1e-5 * np.abs(true[:, -1:])).mean())
            if recall >= RECALL or probes == cells:
                break
            probes = min(2 * probes, cells)
        return cls(index, len(items), probes if len(users) else cells, recall)

    def candidates(
        self, vector: Tensor, k: int, hidden: IndexArray, count: int, pool: IndexArray | None
    ) -> IndexArray:
        """Sorted indices of items among which the best k are, but for the recall.

        Args:
            vector: of the user, (d,).
            k: wanted.
            hidden: items that will not be offered.
            count: of all items, at least n.
            pool: sorted indices of those that may be offered; None for all.
        """
        faiss = _faiss()
        wanted = min(self.n, MORE * k + len(hidden))
        probes, chosen = self.probes, None
        behind = np.arange(self.n, count)
        if pool is not None:
            inside, behind = np.split(pool, np.searchsorted(pool, [self.n]))
            mask = np.zeros(-(-self.n // 8) * 8, np.bool_)
            mask[inside] = True
            bits = np.packbits(mask, bitorder="little")
            chosen = faiss.IDSelectorBitmap(bits)
            # among a part of the items the best lie further away
            probes = min(self.index.nlist, probes * -(-self.n // max(1, len(inside))))
        how = faiss.SearchParametersIVF(sel=chosen, nprobe=probes)
        query = vector.detach().float().cpu().numpy()[None]
        found = self.index.search(query, wanted, params=how)[1][0]
        return np.union1d(found[found >= 0], behind)


def _faiss() -> Any:
    """None where it is not installed."""
    try:
        import faiss
    except ModuleNotFoundError as error:
        if missing_extra(error) is None:
            raise
        return None
    return faiss
