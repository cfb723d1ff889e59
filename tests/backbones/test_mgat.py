"""MGAT against its formulas, written out as loops over the tiny world, and the common suite."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.testing.conformance import BackboneConformance

GATES = ("inner_product", "concatenation", "bi_interaction")


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def array(x: torch.Tensor) -> np.ndarray:
    return x.detach().numpy().astype(np.float64)


def gate_of(layer, gate: str, head: np.ndarray, tail: np.ndarray, degree: int) -> float:
    if gate == "inner_product":
        value = head @ tail / math.sqrt(degree)
    elif gate == "concatenation":
        value = array(layer.weights).ravel() @ np.concatenate([head, tail])
    else:
        first, second = array(layer.weights)
        value = first @ (head + tail) + second @ (head * tail)
    return 1 / (1 + math.exp(-value))


def attend(tiny, layer, gate: str, nodes: np.ndarray, free: np.ndarray) -> np.ndarray:
    """One layer for every node, neighbour by neighbour."""
    neighbours: dict[int, list[int]] = {h: [] for h in range(len(nodes))}
    for u, i in tiny.pairs:
        neighbours[u].append(tiny.M + i)
        neighbours[tiny.M + i].append(u)
    w1, w2, w3 = (array(x.weight) for x in (layer.message, layer.own, layer.combine))
    new = []
    for h, near in neighbours.items():
        total = sum(math.exp(nodes[h] @ nodes[t]) for t in near)
        received = np.zeros(nodes.shape[1])
        for t in near:
            attention = math.exp(nodes[h] @ nodes[t]) / total
            opened = gate_of(layer, gate, nodes[h], nodes[t], len(near))
            received += attention * opened * (w1 @ nodes[t])
        new.append(leaky(w3 @ leaky(received) + leaky(w2 @ nodes[h]) + free[h]))
    return np.array(new)


def propagate(tiny, model, gate: str, modality: str) -> np.ndarray:
    free = array(torch.cat([model.users, model.items]))
    table = array(tiny.features.tables[modality])
    table = table / np.mean([np.linalg.norm(row) for row in table])
    content = table @ array(model.content[modality].weight).T
    nodes = np.concatenate([array(model.preferences[modality]), content])
    nodes = np.array([row / max(float(np.linalg.norm(row)), 0.01) for row in nodes])
    outputs = []
    for layer in model.layers[modality]:
        nodes = attend(tiny, layer, gate, nodes, free)
        outputs.append(nodes)
    return np.concatenate(outputs, axis=1)


def build(tiny, **options):
    settings = {"embedding_size": tiny.D, "l2": 0.2, **options}
    model = create_backbone("mgat", tiny.train, tiny.features, settings)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("layers", [1, 2])
def test_attention_layers(tiny, gate: str, layers: int) -> None:
    model = build(tiny, gate=gate, n_layers=layers)
    for modality in ("image", "text"):
        users, items = zip(*model.propagate(modality), strict=True)
        expected = propagate(tiny, model, gate, modality)
        tiny.close(torch.cat(users, dim=1), expected[: tiny.M])
        tiny.close(torch.cat(items, dim=1), expected[tiny.M :])


@pytest.mark.parametrize("map_l2", [True, False])
@pytest.mark.parametrize("fusion", ["mean", "concatenation"])
@pytest.mark.parametrize("gate", GATES)
def test_representation_and_loss(tiny, gate: str, fusion: str, map_l2: bool) -> None:
    model = build(tiny, gate=gate, fusion=fusion, map_l2=map_l2)
    each = [propagate(tiny, model, gate, modality) for modality in ("image", "text")]
    nodes = sum(each) / 2 if fusion == "mean" else np.concatenate(each, axis=1)
    users, items = model.embed()
    tiny.close(users, nodes[: tiny.M])
    tiny.close(items, nodes[tiny.M :])
    terms = model.loss(tiny.batch)
    assert set(terms) == {"bpr", "l2"}
    tiny.close(terms["bpr"], tiny.bpr(nodes[: tiny.M], nodes[tiny.M :]))
    free, preferences = array(model.items), [array(x) for x in model.preferences.values()]
    penalty = tiny.l2((array(model.users), 0), (free, 1), (free, 2), *((x, 0) for x in preferences))
    if map_l2:  # every parameter that is no table of users or items
        named = model.named_parameters()
        maps = [x for name, x in named if name.startswith(("content.", "layers."))]
        penalty += sum(float((array(x) ** 2).sum()) for x in maps) / 2
    tiny.close(terms["l2"], 0.2 * penalty)


@pytest.mark.parametrize("gate", GATES)
def test_gradient_reaches_the_content_map(tiny, gate: str) -> None:
    """The hand-written backward passes together, against finite differences."""
    model = build(tiny, gate=gate).double()
    weight = model.content["text"].weight
    (gradient,) = torch.autograd.grad(sum(model.loss(tiny.batch).values()), weight)
    step = 1e-6
    for row, column in ((0, 0), (1, 3), (2, 4)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[row, column] += sign * step
                values.append(float(sum(model.loss(tiny.batch).values())))
                weight[row, column] -= sign * step
        numeric = (values[0] - values[1]) / (2 * step)
        assert numeric == pytest.approx(float(gradient[row, column]), rel=1e-5, abs=1e-9)


def test_an_item_without_interactions_is_its_content(tiny) -> None:
    model = create_backbone("mgat", tiny.train, tiny.features, {"embedding_size": tiny.D})
    assert (model.items[5] == 0).all()
    items = model.embed()[1]
    assert (items[5] != 0).any()


def test_an_item_without_features_has_a_bounded_gradient(tiny) -> None:
    tables = {m: table.clone() for m, table in tiny.features.tables.items()}
    tables["text"][0] = 0
    features = replace(tiny.features, tables=tables, mlp_width=4)
    model = create_backbone("mgat", tiny.train, features, {"embedding_size": tiny.D})
    sum(model.loss(tiny.batch).values()).backward()
    assert all(p.grad.abs().max() < 100 for p in model.parameters())


class TestMgat(BackboneConformance):
    backbone = "mgat"
