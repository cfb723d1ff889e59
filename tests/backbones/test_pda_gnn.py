"""PDA-GNN against its docstring's formulas, written as loops over nodes and attributes."""

import numpy as np
import torch

from cliper.backbones import create_backbone
from cliper.backbones.pda_gnn import PdaGnn
from cliper.testing.conformance import BackboneConformance

OPTIONS = {"embedding_size": 3, "n_layers": 2, "edge_dropout": 0.0, "l2": 0.3}


def built(tiny, **options) -> PdaGnn:
    model = create_backbone("pda-gnn", tiny.train, options={**OPTIONS, **options})
    assert isinstance(model, PdaGnn)
    return model


def final_rows(tiny, model: PdaGnn, adjacency: np.ndarray) -> np.ndarray:
    """e of every node, one node and one pair of attributes at a time."""
    w = model.value.weight.detach().double().numpy()
    a = model.query.detach().double().numpy()
    parts = [
        tiny.layer_mean(adjacency, table.detach().double().numpy(), k)
        for k, table in enumerate(model.attributes)
    ]
    rows = []
    for node in range(tiny.M + tiny.N):
        z = [w @ x[node] for x in parts]
        e = np.zeros(len(w))
        for own in z:
            logits = np.array([a[0] @ own + a[1] @ other for other in z])
            weights = np.exp(np.where(logits > 0, logits, 0.2 * logits))
            weights /= weights.sum()
            for weight, other in zip(weights, z, strict=True):
                e += weight * other
        rows.append(e)
    return np.stack(rows)


def test_attributes_travel_their_own_distance_and_are_integrated(tiny) -> None:
    model = built(tiny)
    with torch.no_grad():  # far from where the attention is even
        model.query.mul_(5)
    tiny.close(torch.cat(model.embed()), final_rows(tiny, model, tiny.adjacency()))


def test_loss(tiny) -> None:
    model = built(tiny, distance_weight=0.7)
    nodes = final_rows(tiny, model, tiny.adjacency())
    free = [table.detach().double().numpy() for table in model.attributes]
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], tiny.bpr(nodes[: tiny.M], nodes[tiny.M :]))
    users, items = nodes[: tiny.M], nodes[tiny.M :]
    tiny.close(terms["l2"], 0.3 * tiny.l2((users, 0), (items, 1), (items, 2)))
    cosines = 0.0
    rows = [node for u, p, n in tiny.triples for node in (u, tiny.M + p, tiny.M + n)]
    for node in rows:
        for k in range(3):
            for other in range(k + 1, 3):
                x, y = free[k][node], free[other][node]
                cosines += x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    tiny.close(terms["distance"], 0.7 * cosines / len(rows))


def test_dropped_edges_are_whole_and_the_rest_is_scaled(tiny) -> None:
    model = built(tiny, edge_dropout=0.5)
    model.on_epoch_start(torch.Generator().manual_seed(3))
    pruned, whole = model.pruned.tensor.to_dense().numpy(), tiny.adjacency()
    np.testing.assert_array_equal(pruned, pruned.T)
    kept = pruned > 0
    assert 0 < kept.sum() < (whole > 0).sum()
    np.testing.assert_allclose(pruned[kept], 2 * whole[kept], rtol=1e-5)
    nodes = final_rows(tiny, model, pruned)
    tiny.close(model.loss(tiny.batch)["bpr"], tiny.bpr(nodes[: tiny.M], nodes[tiny.M :]))
    tiny.close(torch.cat(model.embed()), final_rows(tiny, model, whole))  # nothing is dropped


def test_the_mean_of_dropped_graphs_is_the_whole_graph(tiny) -> None:
    model, generator = built(tiny, edge_dropout=0.4), torch.Generator().manual_seed(0)
    total = np.zeros((tiny.M + tiny.N,) * 2)
    for _ in range(2000):
        model.on_epoch_start(generator)
        total += model.pruned.tensor.to_dense().numpy()
    np.testing.assert_allclose(total / 2000, tiny.adjacency(), atol=0.05)


def test_gradient_is_that_of_the_dense_formula(tiny) -> None:
    model = built(tiny, distance_weight=0.7)
    sum(model.loss(tiny.batch).values()).backward()
    found = [p.grad.clone() for p in model.parameters()]
    adjacency = torch.from_numpy(tiny.adjacency()).float()
    parts, rows = (
        [],
        torch.cat([tiny.batch.users, tiny.M + tiny.batch.positives, tiny.M + tiny.batch.negatives]),
    )
    for k, table in enumerate(model.attributes):
        layers = [table]
        for _ in range(k):
            layers.append(adjacency @ layers[-1])
        parts.append(torch.stack(layers).mean(0) @ model.value.weight.T)
    z = torch.stack(parts, dim=1)
    logits = (z @ model.query[0])[:, :, None] + (z @ model.query[1])[:, None, :]
    alpha = torch.nn.functional.leaky_relu(logits, 0.2).softmax(dim=2)
    final = (alpha @ z).sum(dim=1)[rows]
    user, positive, negative = final.chunk(3)
    loss = -torch.nn.functional.logsigmoid((user * (positive - negative)).sum(1)).mean()
    free = [table[rows] for table in model.attributes]
    loss = loss + 0.3 * final.pow(2).sum() / 2 / len(tiny.batch)
    for k in range(3):
        for other in range(k + 1, 3):
            cosine = torch.nn.functional.cosine_similarity(free[k], free[other])
            loss = loss + 0.7 * cosine.mean()
    expected = torch.autograd.grad(loss, list(model.parameters()))
    torch.testing.assert_close(found, list(expected))


class TestPdaGnn(BackboneConformance):
    """Feature-free: it cannot know cold items."""

    backbone = "pda-gnn"
