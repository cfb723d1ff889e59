"""GRCN against its formulas, written out as loops over the tiny world, and the common suite."""

import math

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.testing.conformance import BackboneConformance

FUSIONS = ("confidence", "max", "mean")


def softmax(values: dict[int, float]) -> dict[int, float]:
    total = sum(math.exp(v) for v in values.values())
    return {key: math.exp(v) / total for key, v in values.items()}


def content(tiny, model, modality: str) -> np.ndarray:
    """ī_m, with each modality divided by its mean row norm."""
    table = tiny.features.tables[modality].numpy().astype(np.float64)
    scaled = table / np.mean([np.linalg.norm(row) for row in table])
    projected = scaled @ model.content[modality].weight.detach().numpy().T
    projected = projected + model.bias[modality].detach().numpy()
    return np.where(projected > 0, projected, 0.01 * projected)


def prototypes(tiny, model, modality: str, rounds: int) -> np.ndarray:
    items = content(tiny, model, modality)
    users = model.prototypes[modality].detach().numpy().astype(np.float64)
    for _ in range(rounds):
        new = users.copy()
        for u in range(tiny.M):
            mine = [i for v, i in tiny.pairs if v == u]
            share = softmax({i: float(users[u] @ items[i]) for i in mine})
            for i in mine:
                new[u] += share[i] * items[i]
            new[u] /= np.linalg.norm(new[u])
        users = new
    return users


def refined(tiny, model, users, items, fusion: str) -> np.ndarray:
    """e (M+N, M+N): row h holds the weights of what h receives."""
    edges = np.zeros((tiny.M + tiny.N, tiny.M + tiny.N))
    neighbours: dict[int, list[int]] = {h: [] for h in range(len(edges))}
    for u, i in tiny.pairs:
        neighbours[u].append(tiny.M + i)
        neighbours[tiny.M + i].append(u)
    nodes = [np.concatenate([u, i]) for u, i in zip(users, items, strict=True)]
    confidence = np.ones((len(edges), len(nodes)))
    if fusion == "confidence":
        confidence = torch.cat([model.user_confidence, model.item_confidence], dim=1).T.detach()
    for h, near in neighbours.items():
        shares = [softmax({t: float(x[h] @ x[t]) for t in near}) for x in nodes]
        for t in near:
            weighed = [c * share[t] for c, share in zip(confidence[h], shares, strict=True)]
            edges[h, t] = np.mean(weighed) if fusion == "mean" else max(0.0, *weighed)
    return edges


@pytest.fixture
def options(tiny) -> dict[str, object]:
    return {"embedding_size": tiny.D, "l2": 0.2}


def build(tiny, options, **more):
    model = create_backbone("grcn", tiny.train, tiny.features, {**options, **more})
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():  # away from the zeros and ones of the start
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("rounds", [1, 3])
def test_neighbour_routing(tiny, options, rounds: int) -> None:
    model = build(tiny, options, n_routings=rounds)
    for modality in ("image", "text"):
        users, items = model.route(modality)
        tiny.close(users, prototypes(tiny, model, modality, rounds))
        tiny.close(items, content(tiny, model, modality))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_refined_edges(tiny, options, fusion: str) -> None:
    model = build(tiny, options, fusion=fusion)
    if fusion == "confidence":
        with torch.no_grad():
            model.user_confidence[:, 0] = -1  # trusts nothing: every edge towards it is pruned
    contents = [model.route(modality) for modality in ("image", "text")]
    users, items = zip(
        *((u.detach().numpy(), i.detach().numpy()) for u, i in contents), strict=True
    )
    expected = refined(tiny, model, users, items, fusion)
    towards_users, towards_items = model.refine(contents)
    dense = model.to_users.matrix(towards_users.detach()).to_dense()
    tiny.close(dense, expected[: tiny.M, tiny.M :])
    dense = model.to_items.matrix(towards_items.detach()).to_dense()
    tiny.close(dense, expected[tiny.M :, : tiny.M])
    if fusion == "confidence":
        assert (towards_users[model.to_users.rows == 0] == 0).all()


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("layers", [1, 2])
def test_representation_and_loss(tiny, options, fusion: str, layers: int) -> None:
    model = build(tiny, options, fusion=fusion, n_layers=layers)
    users = [prototypes(tiny, model, m, 3) for m in ("image", "text")]
    items = [content(tiny, model, m) for m in ("image", "text")]
    edges = refined(tiny, model, users, items, fusion)
    free = torch.cat([model.users, model.items]).detach().numpy().astype(np.float64)
    identifiers, layer = free.copy(), free
    for _ in range(layers):
        layer = edges @ layer
        identifiers += layer
    expected_users = np.concatenate([identifiers[: tiny.M], *users], axis=1)
    expected_items = np.concatenate([identifiers[tiny.M :], *items], axis=1)
    found = model.embed()
    tiny.close(found[0], expected_users)
    tiny.close(found[1], expected_items)
    terms = model.loss(tiny.batch)
    assert set(terms) == {"bpr", "l2"}
    tiny.close(terms["bpr"], tiny.bpr(expected_users, expected_items))
    first = [model.prototypes[m].detach().numpy() for m in ("image", "text")]
    penalty = tiny.l2(
        (free[: tiny.M], 0), (free[tiny.M :], 1), (free[tiny.M :], 2), *((x, 0) for x in first)
    )
    tiny.close(terms["l2"], 0.2 * penalty)


def test_gradient_reaches_features_through_every_edge(tiny, options) -> None:
    """The hand-written backward passes together, against finite differences."""
    model = build(tiny, options, fusion="mean").double()
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


def test_edges_start_trusted_and_an_item_without_interactions_is_its_content(tiny, options) -> None:
    model = create_backbone("grcn", tiny.train, tiny.features, options)
    assert (model.user_confidence == 1).all() and (model.item_confidence == 1).all()
    assert (model.embed()[1][5, : tiny.D] == 0).all()
    assert (model.embed()[1][5, tiny.D :] != 0).any()


def test_an_interaction_named_twice_is_one_edge(tiny, options) -> None:
    twice = tiny.train.select(np.array([0, *range(len(tiny.train))]))
    model = create_backbone("grcn", twice, tiny.features, options)
    assert len(model.to_users) == len(tiny.pairs)


class TestGrcn(BackboneConformance):
    backbone = "grcn"
    # The noisier image alone: with a weak penalty, identifiers take over what content could say.
    options = {"l2": 0.1}  # noqa: RUF012
