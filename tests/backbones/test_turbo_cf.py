"""Turbo-CF against dense loops, and its scorer."""

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.scoring import restore_scorer
from cliper.testing.conformance import BackboneConformance


class TestTurboCf(BackboneConformance):
    backbone = "turbo-cf"


def item_graph(tiny, alpha: float, power: float) -> tuple[np.ndarray, np.ndarray]:
    """R and P̄, dense, one entry at a time."""
    r = np.zeros((tiny.M, tiny.N))
    for u, i in tiny.pairs:
        r[u, i] = 1
    scaled = np.zeros_like(r)
    for u, i in tiny.pairs:
        scaled[u, i] = r[u].sum() ** -alpha * r[:, i].sum() ** (alpha - 1)
    graph = np.zeros((tiny.N, tiny.N))
    for i in range(tiny.N):
        for j in range(tiny.N):
            product = sum(scaled[u, i] * scaled[u, j] for u in range(tiny.M))
            graph[i, j] = product**power if product else 0
    return r, graph


@pytest.mark.parametrize(("alpha", "power"), [(0.5, 1.0), (0.2, 0.7), (1.0, 1.5)])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_scores(tiny, alpha: float, power: float, order: int) -> None:
    r, p = item_graph(tiny, alpha, power)
    polynomial = {
        1: p,
        2: 2 * p - p @ p,
        3: p + 0.01 * (-p @ p @ p + 10 * p @ p - 29 * p),
    }[order]
    options = {"alpha": alpha, "power": power, "order": order}
    scorer = create_backbone("turbo-cf", tiny.train, options=options).scorer()
    tiny.close(scorer(torch.arange(tiny.M)), r @ polynomial)
    some = torch.tensor([4, 5, 1])
    restricted = scorer.restrict(some)
    assert restricted.shape == (tiny.M, 3)
    tiny.close(restricted(torch.tensor([2, 0])), (r @ polynomial)[[2, 0]][:, some])
    again = restore_scorer(restricted.kind, restricted.tensors()).restrict(torch.tensor([2]))
    tiny.close(again(torch.tensor([3])), (r @ polynomial)[[3]][:, [1]])


def test_symmetric_normalisation_bounds_the_spectrum(tiny) -> None:
    """With α = 1/2 and s = 1 the eigenvalues are within [0, 1], as the filters presume."""
    graph = create_backbone("turbo-cf", tiny.train).graph.toarray()
    np.testing.assert_allclose(graph, graph.T)
    values = np.linalg.eigvalsh(graph)
    assert values.min() > -1e-6 and values.max() == pytest.approx(1, abs=1e-6)
