"""Nearest neighbours of many items without comparing all pairs, by FAISS; how well is measured.

An inverted file with 4-bit product quantisation, candidates ranked again by their exact cosines
(Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", TPAMI 2011; André,
Kermarrec and Le Scouarnec, "Quicker ADC", TPAMI 2021). How many of its cells are looked into is
doubled until a sample of the rows, compared with all rows, finds `RECALL` of its neighbours.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from cliper.dense import matmul
from cliper.extras import missing_extra
from cliper.progress import task

NeighbourSearch = Literal["exact", "approximate", "auto"]

FEW = 4096
"""All pairs of up to so many items are compared in any case."""
MANY = 100_000
"""`auto` compares all pairs of up to so many items: about a minute on two cores."""
RECALL = 0.99
SAMPLE = 1000  # rows by which recall is measured
TRAINED_ON = 64  # rows a cell that the cells are made from
CANDIDATES = 16  # ranked exactly, a neighbour that is wanted
CHUNK = 16_384  # rows searched at a time


@dataclass
class Searched:
    """What `neighbour_search` was asked for, and the recall of each approximate search in it."""

    kind: NeighbourSearch
    recalls: list[float] = field(default_factory=list)


_SEARCH: ContextVar[Searched | None] = ContextVar("neighbour_search", default=None)


@contextmanager
def neighbour_search(kind: NeighbourSearch) -> Iterator[Searched]:
    """Inside, item graphs are made this way; outside all pairs are compared.

    Args:
        kind: `exact`; `approximate`, but of up to `FEW` items; `auto`, approximate above `MANY`.
    """
    searched = Searched(kind)
    token = _SEARCH.set(searched)
    try:
        yield searched
    finally:
        _SEARCH.reset(token)


def is_approximate(n: int) -> bool:
    """Whether the neighbours of n rows are searched approximately here."""
    searched = _SEARCH.get()
    kind = "exact" if searched is None else searched.kind
    return n > {"exact": math.inf, "approximate": FEW, "auto": MANY}[kind]


def approximate_neighbours(unit: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """About the k rows with the largest inner product with each row, itself included.

    The same rows give the same neighbours on one machine. Where no number of cells reaches
    `RECALL`, all cells are looked into.

    Args:
        unit: (N, D) rows of length 1 or 0, on the CPU.
        k: neighbours per row, at most N, which is more than `FEW`.

    Returns:
        Indices int64 and exact inner products float32, both (N, k), best first.

    Raises:
        InputError: FAISS is not installed.
    """
    faiss = _faiss()
    x = unit.cpu().contiguous().numpy()
    n, width = x.shape
    generator = np.random.default_rng(0)
    cells = int(np.sqrt(n))
    even = width + width % 2
    if even != width:
        x = np.pad(x, ((0, 0), (0, 1)))
    index = faiss.index_factory(
        even, f"IVF{cells},PQ{even // 2}x4fs,RFlat", faiss.METRIC_INNER_PRODUCT
    )
    inverted = faiss.extract_index_ivf(index)
    inverted.cp.max_points_per_centroid = TRAINED_ON
    index.train(x[np.sort(generator.permutation(n)[: TRAINED_ON * cells])])
    index.add(x)
    index.k_factor = CANDIDATES
    rows = np.sort(generator.permutation(n)[:SAMPLE])
    true = torch.topk(matmul(torch.from_numpy(x[rows]), torch.from_numpy(x).T), k, dim=1)
    recall, probes = 0.0, min(16, cells)
    while True:
        inverted.nprobe = probes
        recall = _recall(index.search(x[rows], k)[0], true.values.numpy())
        if recall >= RECALL or probes == cells:
            break
        probes = min(2 * probes, cells)
    searched = _SEARCH.get()
    if searched is not None:
        searched.recalls.append(recall)
    found = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    with task("item graph", total=n) as progress:
        for start in range(0, n, CHUNK):
            part = slice(start, start + CHUNK)
            found[1][part], found[0][part] = index.search(x[part], k)
            progress.advance(len(x[part]))
    return _completed(unit, *(torch.from_numpy(f) for f in found))


def _recall(found: np.ndarray, true: np.ndarray) -> float:
    """Share of places whose inner product is as large as the true neighbour's in that row.

    By values, so that of equally near rows each is right: |found ≥ k-th best|, but for rounding.
    """
    return float((found >= true[:, -1:] - 1e-5).mean())


def _completed(unit: Tensor, indices: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Rows for which the cells held fewer than k are compared with all."""
    short = (indices < 0).any(dim=1).nonzero().squeeze(1)
    for rows in torch.split(short, 16):
        values[rows], indices[rows] = torch.topk(
            matmul(unit[rows], unit.T), indices.shape[1], dim=1
        )
    return indices, values


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from None
    return faiss
