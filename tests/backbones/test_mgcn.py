"""MGCN against its paper's formulas, node by node."""

from typing import Any

import numpy as np
import pytest
import torch

from cliper.backbones import Backbone, create_backbone
from cliper.testing.conformance import BackboneConformance

OPTIONS = {
    "embedding_size": 3, "n_layers": 2, "neighbours": 3,
    "contrast_weight": 0.7, "temperature": 0.4, "l2": 0.3,
}  # fmt: skip


class TestMgcn(BackboneConformance):
    backbone = "mgcn"


def make(tiny: Any, modalities: tuple[str, ...]) -> Backbone:
    """A model with every bias away from zero, so that none can be forgotten."""
    model = create_backbone("mgcn", tiny.train, tiny.features.only(*modalities), OPTIONS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    return model


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def parameters(module: torch.nn.Module) -> list[np.ndarray]:
    return [p.detach().numpy().astype(np.float64) for p in module.parameters()]


def item_graph(f: np.ndarray, k: int) -> np.ndarray:
    """Cosines (not below zero) of each row's k nearest rows, normalised by the row sums."""
    n = len(f)
    graph = np.zeros((n, n))
    for a in range(n):
        cosine = [f[a] @ f[b] / np.linalg.norm(f[a]) / np.linalg.norm(f[b]) for b in range(n)]
        for b in sorted(range(n), key=lambda b: -cosine[b])[:k]:
            graph[a, b] = max(cosine[b], 0)
    degree = graph.sum(1)
    return graph / np.sqrt(np.outer(degree, degree))


def content_of(tiny: Any, model: Backbone, modality: str) -> np.ndarray:
    """Ē_m of users and items (M + N, d)."""
    f = tiny.features.tables[modality].numpy().astype(np.float64)
    f = f / np.mean([np.linalg.norm(row) for row in f])
    w1, b1, w2, b2 = parameters(model.purifier[modality])
    free = model.nodes.detach().numpy()[tiny.M :]
    purified = np.zeros((tiny.N, tiny.D))
    for i in range(tiny.N):
        purified[i] = free[i] * sigmoid(w2 @ (w1 @ f[i] + b1) + b2)
    items = item_graph(f, k=3) @ purified
    users = np.zeros((tiny.M, tiny.D))
    for u, i in tiny.pairs:
        n_u = sum(a == u for a, _ in tiny.pairs)
        n_i = sum(b == i for _, b in tiny.pairs)
        users[u] += items[i] / np.sqrt(n_u * n_i)
    return np.concatenate([users, items])


def fused(model: Backbone, behaviour: np.ndarray, contents: list[np.ndarray]) -> np.ndarray:
    """E_mul, node by node."""
    gates = [parameters(gate) for gate in model.preference.values()]
    w4, b4, q = parameters(model.attention)
    result = np.zeros_like(behaviour)
    for node in range(len(behaviour)):
        parts = [content[node] for content in contents]
        logits = np.array([(q @ np.tanh(w4 @ part + b4)).item() for part in parts])
        alpha = np.exp(logits) / np.exp(logits).sum()
        shared = sum(a * part for a, part in zip(alpha, parts, strict=True))
        specific = 0
        for part, (w3, b3) in zip(parts, gates, strict=True):
            specific += (part - shared) * sigmoid(w3 @ behaviour[node] + b3)
        result[node] = shared + specific / len(parts)
    return result


def info_nce(left: np.ndarray, right: np.ndarray, nodes: list[int], tau: float) -> float:
    total = 0.0
    for a in nodes:
        cosine = {
            b: left[a] @ right[b] / np.linalg.norm(left[a]) / np.linalg.norm(right[b])
            for b in nodes
        }
        total -= np.log(np.exp(cosine[a] / tau) / sum(np.exp(c / tau) for c in cosine.values()))
    return total / len(nodes)


@pytest.mark.parametrize("modalities", [("image", "text"), ("image",), ("text",)])
def test_every_view_and_term(tiny: Any, modalities: tuple[str, ...]) -> None:
    model = make(tiny, modalities)
    free = model.nodes.detach().numpy().astype(np.float64)
    behaviour = tiny.layer_mean(tiny.adjacency(), free, 2)
    contents = [content_of(tiny, model, m) for m in modalities]
    for found, expected in zip(model.views(), (behaviour, np.hstack(contents)), strict=True):
        tiny.close(found, expected)
    many = fused(model, behaviour, contents) if len(modalities) > 1 else contents[0]
    final = behaviour + many
    users, items = model.embed()
    tiny.close(users, final[: tiny.M])
    tiny.close(items, final[tiny.M :])
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], tiny.bpr(final[: tiny.M], final[tiny.M :]))
    of_users = info_nce(many, behaviour, [0, 1, 3], 0.4)
    of_items = info_nce(many, behaviour, [tiny.M + i for i in (1, 2, 0)], 0.4)
    tiny.close(terms["contrast"], 0.7 * (of_users + of_items))
    tables = (free[: tiny.M], 0), (free[tiny.M :], 1), (free[tiny.M :], 2)
    tiny.close(terms["l2"], 0.3 * tiny.l2(*tables))
    assert len(terms) == 3


def test_a_repeated_user_or_item_counts_once_in_the_contrast(tiny: Any) -> None:
    model = make(tiny, ("image", "text"))
    twice = type(tiny.batch)(*(torch.cat([column, column]) for column in vars(tiny.batch).values()))
    once, again = model.loss(tiny.batch), model.loss(twice)
    for name in once:
        torch.testing.assert_close(once[name], again[name])


def test_one_modality_has_nothing_to_fuse(tiny: Any) -> None:
    model = make(tiny, ("text",))
    assert model.attention is None and not model.preference
    assert list(model.item_graphs) == list(model.purifier) == ["text"]


def test_a_cold_item_is_its_neighbours(tiny: Any) -> None:
    """Item 5 has neither an edge nor a free row: all that it is comes through the item graphs."""
    model = create_backbone("mgcn", tiny.train, tiny.features, OPTIONS)
    behaviour, content = model.views()
    assert not behaviour[-1].any() and content[-1].any()
    tiny.close(model.embed()[1][-1], model.fuse(behaviour[-1:], content[-1:])[0].detach())
