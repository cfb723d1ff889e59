"""PGL against its paper's formulas, written out densely, and the conformance suite."""

import math

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.testing.conformance import BackboneConformance

OPTIONS = {
    "embedding_size": 3, "n_layers": 3, "n_item_layers": 2, "neighbours": 2, "image_weight": 0.3,
    "edge_dropout": 0.0, "feature_dropout": 0.0, "contrast_weight": 0.7, "temperature": 0.5,
    "l2": 0.3,
}  # fmt: skip


class TestPgl(BackboneConformance):
    backbone = "pgl"
    conditions = {"rank": {"principal": "global", "rank": 4}}  # noqa: RUF012
    alternatives = {"rank": 3}  # noqa: RUF012


class TestPglGlobal(BackboneConformance):
    backbone = "pgl"
    # Rank 64 of a world of 80 × 80 would be all of it.
    options = {"principal": "global", "rank": 6}  # noqa: RUF012
    conditions = {"edge_dropout": {"principal": "local"}}  # noqa: RUF012
    alternatives = {"principal": "local"}  # noqa: RUF012
    warm_options = {"principal": "global"}  # noqa: RUF012


def create(tiny, features=None, **options):
    return create_backbone("pgl", tiny.train, features or tiny.features, {**OPTIONS, **options})


def item_graph(features, k: int, shares: dict[str, float]) -> np.ndarray:
    total = 0
    for m, share in shares.items():
        f = features.tables[m].numpy()
        n = len(f)
        graph = np.zeros((n, n))
        for a in range(n):
            cosine = [f[a] @ f[b] / np.linalg.norm(f[a]) / np.linalg.norm(f[b]) for b in range(n)]
            for b in sorted(range(n), key=lambda b: -cosine[b])[:k]:
                graph[a, b] = 1
        degree = graph.sum(1)
        total = total + share * graph / np.sqrt(np.outer(degree, degree))
    return total


def layer_zero(tiny, model, modalities=("image", "text")) -> np.ndarray:
    parts = []
    for m in modalities:
        f = tiny.features.tables[m].numpy().astype(np.float64)
        f = f / np.mean([math.sqrt((row**2).sum()) for row in f])
        parts.append(f @ model.content[m].weight.detach().numpy().T)
    return np.concatenate([model.users.detach().numpy(), np.concatenate(parts, axis=1)])


def final(tiny, x: np.ndarray, adjacency: np.ndarray, graph: np.ndarray):
    nodes = tiny.layer_mean(adjacency, x, OPTIONS["n_layers"])
    return nodes[: tiny.M], nodes[tiny.M :] + graph @ graph @ x[tiny.M :]


def info_nce(anchor: np.ndarray, other: np.ndarray, temperature: float) -> float:
    total = 0.0
    for a in range(len(anchor)):
        logits = [
            anchor[a] @ row / np.linalg.norm(anchor[a]) / np.linalg.norm(row) / temperature
            for row in other
        ]
        total -= math.log(math.exp(logits[a]) / sum(math.exp(x) for x in logits))
    return total / len(anchor)


def low_rank_adjacency(tiny, rank: int) -> np.ndarray:
    """The best approximation of that rank to each off-diagonal block of Â."""
    u, s, vt = np.linalg.svd(tiny.adjacency()[: tiny.M, tiny.M :])
    block = sum(s[k] * np.outer(u[:, k], vt[k]) for k in range(rank))
    result = np.zeros((tiny.M + tiny.N, tiny.M + tiny.N))
    result[: tiny.M, tiny.M :], result[tiny.M :, : tiny.M] = block, block.T
    return result


def test_final_representations(tiny) -> None:
    model = create(tiny)
    graph = item_graph(tiny.features, 2, {"image": 0.3, "text": 0.7})
    users, items = final(tiny, layer_zero(tiny, model), tiny.adjacency(), graph)
    tiny.close(model.embed()[0], users)
    tiny.close(model.embed()[1], items)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_one_modality_has_one_graph(tiny, modality: str) -> None:
    model = create(tiny, tiny.features.only(modality))
    graph = item_graph(tiny.features, 2, {modality: 1.0})
    x = layer_zero(tiny, model, (modality,))
    tiny.close(model.embed()[1], final(tiny, x, tiny.adjacency(), graph)[1])


def test_loss_on_the_full_graph(tiny) -> None:
    model = create(tiny)
    x = layer_zero(tiny, model)
    graph = item_graph(tiny.features, 2, {"image": 0.3, "text": 0.7})
    users, items = final(tiny, x, tiny.adjacency(), graph)
    terms = model.loss(tiny.batch)
    assert set(terms) == {"bpr", "contrast", "l2"}
    tiny.close(terms["bpr"], tiny.bpr(users, items))
    free = x[: tiny.M], x[tiny.M :]
    tiny.close(terms["l2"], 0.3 * tiny.l2((free[0], 0), (free[1], 1), (free[1], 2)))
    rows = users[[t[0] for t in tiny.triples]], items[[t[1] for t in tiny.triples]]
    tiny.close(terms["contrast"], 0.7 * sum(info_nce(r, r, 0.5) for r in rows))


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_global_trains_on_the_truncated_svd_and_ranks_on_the_full_graph(tiny, rank: int) -> None:
    model = create(tiny, principal="global", rank=rank)
    x = layer_zero(tiny, model)
    graph = item_graph(tiny.features, 2, {"image": 0.3, "text": 0.7})
    users, items = final(tiny, x, low_rank_adjacency(tiny, rank), graph)
    tiny.close(model.loss(tiny.batch)["bpr"], tiny.bpr(users, items))
    tiny.close(model.embed()[1], final(tiny, x, tiny.adjacency(), graph)[1])


@pytest.mark.parametrize("layers", [0, 1, 2, 5])
def test_low_rank_layers_are_products_with_the_low_rank_matrix(tiny, layers: int) -> None:
    model = create(tiny, principal="global", rank=2)
    x = np.random.default_rng(0).standard_normal((tiny.M + tiny.N, 4))
    found = model.principal.layer_mean(torch.from_numpy(x).float(), layers)
    tiny.close(found, tiny.layer_mean(low_rank_adjacency(tiny, 2), x, layers))


@pytest.mark.parametrize("rank", [5, 64])
def test_a_rank_of_the_smaller_side_is_the_full_graph(tiny, rank: int) -> None:
    model = create(tiny, principal="global", rank=rank)
    full = create(tiny)
    assert torch.equal(model.loss(tiny.batch)["bpr"], full.loss(tiny.batch)["bpr"])


def test_local_trains_on_drawn_edges_and_ranks_on_the_full_graph(tiny) -> None:
    model = create(tiny, edge_dropout=0.5)
    before = torch.cat(model.embed())
    model.on_epoch_start(torch.Generator().manual_seed(0))
    kept = model.principal.tensor.to_dense().numpy()[: tiny.M, tiny.M :] > 0
    assert kept.sum() == len(tiny.pairs) // 2
    adjacency = np.zeros((tiny.M + tiny.N, tiny.M + tiny.N))
    for u, i in zip(*np.nonzero(kept), strict=True):
        assert (u, i) in tiny.pairs
        value = 1 / math.sqrt(kept[u].sum() * kept[:, i].sum())
        adjacency[u, tiny.M + i] = adjacency[tiny.M + i, u] = value
    graph = item_graph(tiny.features, 2, {"image": 0.3, "text": 0.7})
    users, items = final(tiny, layer_zero(tiny, model), adjacency, graph)
    tiny.close(model.loss(tiny.batch)["bpr"], tiny.bpr(users, items))
    assert torch.equal(before, torch.cat(model.embed()))


def test_views_drop_features_and_repeat_with_their_seed(tiny) -> None:
    model = create(tiny, feature_dropout=0.5)
    losses = []
    for _ in range(2):
        model.on_epoch_start(torch.Generator().manual_seed(0))
        view = model._view(torch.ones(100, 8))
        assert set(view.unique().tolist()) == {0.0, 1.0}
        assert abs(float(view.mean()) - 0.5) < 0.1
        assert not torch.equal(view, model._view(torch.ones(100, 8)))
        losses.append(float(model.loss(tiny.batch)["contrast"].detach()))
    assert losses[0] == losses[1]


def test_a_row_that_occurs_twice_is_no_negative_of_itself(tiny) -> None:
    model = create(tiny)
    twice = type(tiny.batch)(*(torch.cat([c, c]) for c in vars(tiny.batch).values()))
    for name, term in model.loss(tiny.batch).items():
        torch.testing.assert_close(model.loss(twice)[name], term)
