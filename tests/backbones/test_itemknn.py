"""ItemKNN against loops, by who took the items and by what they are."""

import numpy as np
import pytest
import torch
from implicit.nearest_neighbours import CosineRecommender

from cliper.backbones import create_backbone
from cliper.errors import InputError
from cliper.testing.conformance import BackboneConformance


class TestItemKnn(BackboneConformance):
    backbone = "itemknn"
    options = {"k": 10}  # noqa: RUF012
    alternatives = {"k": 3}  # noqa: RUF012
    conditions = {"shrinkage": {"case": "none"}}  # noqa: RUF012
    warm_case = "none"  # neighbours by content alone know nothing of popularity


def kept(similarity: np.ndarray, allowed: set[int], k: int) -> np.ndarray:
    """Row i keeps its k largest positive entries among the allowed, itself left out."""
    result = np.zeros_like(similarity)
    for i in range(len(similarity)):
        others = [j for j in sorted(allowed) if j != i and similarity[i, j] > 0]
        for j in sorted(others, key=lambda j: -similarity[i, j])[:k]:
            result[i, j] = similarity[i, j]
    return result


def summed(tiny, similarity: np.ndarray) -> np.ndarray:
    """score(u, i) = Σ over the user's items j of what i's list says of j."""
    scores = np.zeros((tiny.M, tiny.N))
    for u, j in tiny.pairs:
        for i in range(tiny.N):
            scores[u, i] += similarity[i, j]
    return scores


@pytest.mark.parametrize("k", [1, 2, 50])
@pytest.mark.parametrize("shrinkage", [0.0, 3.0])
def test_by_co_occurrence(tiny, k: int, shrinkage: float) -> None:
    takers = [{u for u, j in tiny.pairs if j == i} for i in range(tiny.N)]
    cosine = np.zeros((tiny.N, tiny.N))
    for i in range(tiny.N):
        for j in range(tiny.N):
            norm = np.sqrt(len(takers[i]) * len(takers[j]))
            cosine[i, j] = len(takers[i] & takers[j]) / max(norm + shrinkage, 1e-9)
    model = create_backbone("itemknn", tiny.train, options={"k": k, "shrinkage": shrinkage})
    expected = summed(tiny, kept(cosine, set(range(tiny.N)), k))
    tiny.close(model.scorer()(torch.arange(tiny.M)), expected)


@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("modalities", [("image",), ("text",), ("image", "text")])
def test_by_content(tiny, k: int, modalities) -> None:
    taken = {i for _, i in tiny.pairs}
    mean = np.zeros((tiny.N, tiny.N))
    for modality in modalities:
        f = tiny.features.tables[modality].numpy().astype(np.float64)
        cosine = np.zeros((tiny.N, tiny.N))
        for i in range(tiny.N):
            for j in range(tiny.N):
                cosine[i, j] = f[i] @ f[j] / np.linalg.norm(f[i]) / np.linalg.norm(f[j])
        mean += kept(cosine, taken, k) / len(modalities)
    features = tiny.features.only(*modalities)
    scorer = create_backbone("itemknn", tiny.train, features, {"k": k}).scorer()
    tiny.close(scorer(torch.arange(tiny.M)), summed(tiny, mean))


def test_shrinkage_is_refused_where_it_has_no_effect(tiny) -> None:
    with pytest.raises(InputError, match="no effect"):
        create_backbone("itemknn", tiny.train, tiny.features, {"shrinkage": 1.0})


@pytest.mark.filterwarnings("ignore:Method expects CSR")
def test_cosines_are_those_of_the_library(tiny) -> None:
    """Where every neighbour is kept, of `implicit`'s item-kNN."""
    history = tiny.train.matrix()
    theirs = CosineRecommender(K=tiny.N + 1)
    theirs.fit(history.astype(np.float64), show_progress=False)
    similarity = theirs.similarity.toarray()
    np.fill_diagonal(similarity, 0)
    scores = create_backbone("itemknn", tiny.train).scorer()(torch.arange(tiny.M))
    tiny.close(scores, history.toarray() @ similarity.T)
