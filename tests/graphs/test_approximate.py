"""Neighbours without all pairs: scikit-learn says which are right, FAISS which are found."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from cliper.errors import InputError
from cliper.graphs import approximate, knn_graph, nearest_neighbours, neighbour_search


@pytest.fixture
def threads() -> Iterator[None]:
    faiss = pytest.importorskip("faiss")
    before = faiss.omp_get_max_threads()
    yield
    faiss.omp_set_num_threads(before)


def clusters(n: int, width: int = 33, seed: int = 0) -> Tensor:
    """Items around a few dozen centres, an odd number of columns."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(40, width, generator=generator)
    near = centres[torch.randint(40, (n,), generator=generator)]
    return near + 0.5 * torch.randn(n, width, generator=generator)


def test_recall_by_scikit_learn_and_what_the_sample_says(threads: None) -> None:
    x = clusters(6000)
    with neighbour_search("approximate") as searched:
        found, similarity = nearest_neighbours(x, 10)
    model = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(x.numpy())
    true = model.kneighbors(return_distance=False, X=x.numpy())
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), true, strict=True)])
    assert recall >= approximate.RECALL - 0.005
    assert searched.recalls == [pytest.approx(recall, abs=0.01)]
    unit = torch.nn.functional.normalize(x, dim=1)
    by_hand = (unit[:, None] * unit[found]).sum(dim=2)
    torch.testing.assert_close(similarity, by_hand, rtol=1e-4, atol=1e-5)
    assert (similarity.diff(dim=1) <= 0).all()


def test_the_same_rows_give_the_same_bytes_with_any_number_of_threads(threads: None) -> None:
    import faiss

    x, found = clusters(5000), []
    for number in (1, 2, 2):
        faiss.omp_set_num_threads(number)
        with neighbour_search("approximate"):
            found.append(nearest_neighbours(x, 5))
    for indices, values in found[1:]:
        assert torch.equal(indices, found[0][0]) and torch.equal(values, found[0][1])


def test_auto_compares_all_pairs_of_few_items(monkeypatch: pytest.MonkeyPatch) -> None:
    x = clusters(4200)
    with neighbour_search("auto") as searched:
        few = nearest_neighbours(x, 4)
    assert torch.equal(few[0], nearest_neighbours(x, 4)[0]) and not searched.recalls
    monkeypatch.setattr(approximate, "MANY", 4199)
    with neighbour_search("auto") as searched:
        nearest_neighbours(x, 4)
    assert len(searched.recalls) == 1


def test_rows_of_zeros_and_items_that_are_equal(threads: None) -> None:
    x = clusters(5000)
    x[:40] = 0
    x[50:80] = x[49]
    with neighbour_search("approximate"):
        graph = knn_graph(x, 6)
        indices, _ = nearest_neighbours(x, 6)
    assert (indices >= 0).all() and graph[:40].nnz == 0
    assert (np.diff(graph.indptr)[40:] == 6).all()


def test_few_rows_are_all_compared() -> None:
    x = clusters(approximate.FEW)
    with neighbour_search("approximate") as searched:
        found = nearest_neighbours(x, 3)
    assert torch.equal(found[0], nearest_neighbours(x, 3)[0]) and not searched.recalls


def test_without_faiss_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with neighbour_search("approximate"), pytest.raises(InputError, match=r"cliper\[graphs\]"):
        nearest_neighbours(clusters(5000), 3)
