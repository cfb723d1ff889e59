"""LATTICE against its formulas as dense matrices, and against the conformance suite."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.backbones.lattice import Lattice
from cliper.representation.features import ItemFeatures
from cliper.testing.conformance import BackboneConformance

OPTIONS = {
    "embedding_size": 3, "n_layers": 2, "n_item_layers": 2, "neighbours": 2, "raw_weight": 0.6,
    "l2": 0.3,
}  # fmt: skip


class TestLattice(BackboneConformance):
    backbone = "lattice"


class TestLatticeWithTrainedRows(BackboneConformance):
    backbone = "lattice"
    options: ClassVar = {"trainable_features": True, "n_item_layers": 2}
    alternatives: ClassVar = {"trainable_features": False, "n_item_layers": 1}
    warm_options = options


class TestLatticeOfTheLearnedGraphAlone(BackboneConformance):
    backbone = "lattice"
    options: ClassVar = {"raw_weight": 0.0}
    warm_options = options


def create(tiny: Any, features: ItemFeatures | None = None, **options: Any) -> Lattice:
    chosen = {**OPTIONS, **options}
    model = create_backbone("lattice", tiny.train, features or tiny.features, chosen)
    assert isinstance(model, Lattice)
    if model.modality_logits is not None:
        with torch.no_grad():
            model.modality_logits.copy_(torch.tensor([0.4, -0.5]))
    return model


def cosine(f: np.ndarray, a: int, b: int) -> float:
    norms = np.linalg.norm(f[a]) * np.linalg.norm(f[b])
    return float(f[a] @ f[b] / norms) if norms > 0 else 0.0


def mask(f: np.ndarray, k: int) -> np.ndarray:
    n = len(f)
    kept = np.zeros((n, n))
    for a in range(n):
        for b in sorted(range(n), key=lambda b: -cosine(f, a, b))[:k]:
            kept[a, b] = 1
    return kept


def weighted(f: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Eq. 1-2."""
    n = len(f)
    return np.array([[kept[a, b] * max(0.0, cosine(f, a, b)) for b in range(n)] for a in range(n)])


def normalised(graph: np.ndarray) -> np.ndarray:
    """Eq. 3."""
    degree = graph.sum(1)
    result = np.zeros_like(graph)
    for a in range(len(graph)):
        for b in range(len(graph)):
            if graph[a, b]:
                result[a, b] = graph[a, b] / np.sqrt(degree[a] * degree[b])
    return result


def numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)


def projected(model: Lattice, features: ItemFeatures) -> dict[str, np.ndarray]:
    return {m: numpy(t) @ numpy(model.content[m].weight).T for m, t in features.tables.items()}


def final(
    tiny: Any,
    model: Lattice,
    features: ItemFeatures,
    near: dict[str, np.ndarray] | None = None,
    alphas: tuple[float, ...] = (0.4, -0.5),
) -> tuple[np.ndarray, np.ndarray]:
    """Users and items by Eq. 5-8; `near` is another topology than that of the parameters."""
    options: ClassVar = model.config
    shares = np.exp(alphas) / np.exp(alphas).sum()
    tables, learned, raw = projected(model, features), np.zeros((6, 6)), np.zeros((6, 6))
    for share, (m, f) in zip(shares, features.tables.items(), strict=True):
        kept = near[m] if near else mask(tables[m], options.neighbours)
        learned += share * weighted(tables[m], kept)
        raw += share * normalised(weighted(numpy(f), mask(numpy(f), options.neighbours)))
    graph = (1 - options.raw_weight) * normalised(learned) + options.raw_weight * raw
    free = numpy(model.nodes)
    h = np.linalg.matrix_power(graph, options.n_item_layers) @ free[5:]
    nodes = tiny.layer_mean(tiny.adjacency(), free, options.n_layers)
    for i in range(6):
        if np.linalg.norm(h[i]) > 0:
            nodes[5 + i] += h[i] / np.linalg.norm(h[i])
    return nodes[:5], nodes[5:]


@pytest.mark.parametrize("raw_weight", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("layers", [(0, 1), (2, 2)])
def test_lattice(tiny: Any, raw_weight: float, layers: tuple[int, int]) -> None:
    n_layers, n_item_layers = layers
    model = create(tiny, raw_weight=raw_weight, n_layers=n_layers, n_item_layers=n_item_layers)
    if raw_weight == 1:
        assert not model.content and not model.near
        model.content.update(create(tiny).content)  # for the reference, which gives them weight 0
    users, items = final(tiny, model, tiny.features)
    if raw_weight == 1:
        model.content.clear()
    for found, expected in zip(model.embed(), (users, items), strict=True):
        tiny.close(found, expected)
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], tiny.bpr(users, items))
    free = numpy(model.nodes)
    tiny.close(terms["l2"], 0.3 * tiny.l2((free[:5], 0), (free[5:], 1), (free[5:], 2)))
    assert list(terms) == ["bpr", "l2"]


def test_one_modality_has_no_weight_to_train(tiny: Any) -> None:
    features = tiny.features.only("text")
    model = create(tiny, features)
    assert model.modality_logits is None
    for found, expected in zip(
        model.embed(), final(tiny, model, features, alphas=(0.0,)), strict=True
    ):
        tiny.close(found, expected)


def test_an_item_of_which_nothing_is_known_has_no_neighbours(tiny: Any) -> None:
    tables = {m: t.clone() for m, t in tiny.features.tables.items()}
    for table in tables.values():
        table[0] = 0
    features = replace(tiny.features, tables=tables)
    model = create(tiny, features)
    for found, expected in zip(model.embed(), final(tiny, model, features), strict=True):
        tiny.close(found, expected)
    sum(model.loss(tiny.batch).values()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_training_keeps_the_neighbours_of_the_epochs_start_and_renews_their_weights(
    tiny: Any,
) -> None:
    model = create(tiny)
    kept = {m: mask(x, 2) for m, x in projected(model, tiny.features).items()}
    with torch.no_grad():
        for linear in model.content.values():
            linear.weight.copy_(torch.randn(linear.weight.shape))
    now = {m: mask(x, 2) for m, x in projected(model, tiny.features).items()}
    assert any((kept[m] != now[m]).any() for m in kept)
    stale, fresh = final(tiny, model, tiny.features, kept), final(tiny, model, tiny.features)
    tiny.close(model.loss(tiny.batch)["bpr"], tiny.bpr(*stale))
    for found, expected in zip(model.embed(), fresh, strict=True):
        tiny.close(found, expected)
    model.on_epoch_start(torch.Generator())
    tiny.close(model.loss(tiny.batch)["bpr"], tiny.bpr(*fresh))


def test_gradients_are_those_of_the_dense_formula(tiny: Any) -> None:
    model = create(tiny, trainable_features=True)
    model.loss(tiny.batch)["bpr"].backward()
    leaves = {n: p.detach().double().requires_grad_() for n, p in model.named_parameters()}
    shares, learned, raw = leaves["modality_logits"].softmax(0), 0, 0
    for share, m in zip(shares, ("image", "text"), strict=True):
        x = leaves[f"features.{m}.table"] @ leaves[f"content.{m}.weight"].T
        x = x / x.norm(dim=1, keepdim=True)
        learned = learned + share * (x @ x.T).clamp(min=0) * torch.tensor(mask(numpy(x), 2))
        f = numpy(tiny.features.tables[m])
        raw = raw + share * torch.tensor(normalised(weighted(f, mask(f, 2))))
    root = learned.sum(1).rsqrt()
    graph = 0.4 * root[:, None] * learned * root + 0.6 * raw
    nodes, adjacency = leaves["nodes"], torch.tensor(tiny.adjacency())
    h = graph @ graph @ nodes[5:]
    mean = (nodes + adjacency @ nodes + adjacency @ adjacency @ nodes) / 3
    items = mean[5:] + h / h.norm(dim=1, keepdim=True)
    difference = items[tiny.batch.positives] - items[tiny.batch.negatives]
    score = (mean[tiny.batch.users] * difference).sum(1)
    (-torch.nn.functional.logsigmoid(score).mean()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
        torch.testing.assert_close(
            parameter.grad.double(), leaves[name].grad, rtol=1e-3, atol=1e-6, msg=name
        )
