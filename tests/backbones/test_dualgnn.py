"""DualGNN against its paper's formulas, user by user."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.backbones.dualgnn import (
    DualGnn,
    neighbour_table,
    nodes_of_length,
    weighted_nodes,
)
from cliper.data import Interactions
from cliper.graphs.cooccurrence import cooccurrence_graph
from cliper.representation.features import ItemFeatures
from cliper.testing.conformance import BackboneConformance

EXTRA = [(0, 2), (1, 0), (3, 3), (1, 4)]


@pytest.fixture
def world(tiny: Any) -> Any:
    """The tiny world with more in common between its users, and user 2 with nobody."""
    pairs = [(u, i) for u, i in tiny.pairs if u != 2] + EXTRA
    index = np.array(pairs, dtype=np.int64)
    train = Interactions(tiny.train.users, tiny.train.items, index[:, 0].copy(), index[:, 1].copy())
    return replace(tiny, train=train, pairs=pairs)


def make(world: Any, features: ItemFeatures | None = None, **options: Any) -> DualGnn:
    options = {"embedding_size": world.D, "neighbours": 2, **options}
    model = create_backbone("dualgnn", world.train, features or world.features, options)
    assert isinstance(model, DualGnn)
    if model.modality_logits is not None:
        with torch.no_grad():
            model.modality_logits.normal_(generator=torch.Generator().manual_seed(5))
    return model


def unit(rows: np.ndarray) -> np.ndarray:
    return np.stack([row / np.linalg.norm(row) for row in rows])


def softmax(values: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def near(world: Any, user: int, k: int) -> list[tuple[int, int]]:
    """(neighbour, number of common items), the k best, the lower index first of equals."""
    mine = {i for u, i in world.pairs if u == user}
    common = [(v, len(mine & {i for u, i in world.pairs if u == v})) for v in range(world.M)]
    others = [(v, c) for v, c in common if v != user and c > 0]
    return sorted(others, key=lambda pair: (-pair[1], pair[0]))[:k]


def single_modal(world: Any, model: DualGnn, layers: int) -> list[np.ndarray]:
    """z_m = x_m + Â x_m + ... of each modality, (M + N, d)."""
    adjacency, result = world.adjacency(), []
    for at, modality in enumerate(model.features):
        f = world.features.tables[modality].numpy().astype(np.float64)
        f = f / np.mean([np.linalg.norm(row) for row in f])
        linear = model.content[modality]
        content = f @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        content = np.where(content > 0, content, 0.01 * content)
        preference = model.preferences.detach().numpy()[:, at * world.D : (at + 1) * world.D]
        term = np.concatenate([unit(preference), unit(content)])
        z = term.copy()
        for _ in range(layers):
            term = adjacency @ term
            z += term
        result.append(z)
    return result


def final(
    world: Any, model: DualGnn, layers: int, k: int, weighting: str
) -> tuple[np.ndarray, np.ndarray]:
    z = single_modal(world, model, layers)
    h = []
    for u in range(world.M):
        logits = [0.0] if model.modality_logits is None else model.modality_logits[u].tolist()
        h.append(sum(a * z_m[u] for a, z_m in zip(softmax(logits), z, strict=True)))
    users = []
    for u in range(world.M):
        neighbours = near(world, u, k)
        weights = softmax([c if weighting == "softmax" else 0 for _, c in neighbours])
        users.append(h[u] + sum(w * h[v] for w, (v, _) in zip(weights, neighbours, strict=True)))
    return np.stack(users), sum(z_m[world.M :] for z_m in z)


@pytest.mark.parametrize("weighting", ["softmax", "mean"])
@pytest.mark.parametrize(("layers", "k"), [(0, 1), (1, 2), (2, 3), (3, 40)])
def test_propagation_and_scores(world: Any, layers: int, k: int, weighting: str) -> None:
    model = make(world, n_layers=layers, neighbours=k, neighbour_weights=weighting)
    expected = final(world, model, layers, k, weighting)
    users, items = model.embed()
    world.close(users, expected[0])
    world.close(items, expected[1])


@pytest.mark.parametrize("modality", ["image", "text"])
def test_with_one_modality_there_is_nothing_to_weigh(world: Any, modality: Any) -> None:
    model = make(world, world.features.only(modality))
    assert model.modality_logits is None
    for found, expected in zip(model.embed(), final(world, model, 2, 2, "softmax"), strict=True):
        world.close(found, expected)


def test_loss(world: Any) -> None:
    model = make(world, l2=0.3)
    terms = model.loss(world.batch)
    assert set(terms) == {"bpr", "l2"}
    world.close(terms["bpr"], world.bpr(*final(world, model, 2, 2, "softmax")))
    world.close(terms["l2"], 0.3 * world.l2((model.preferences.detach().numpy(), 0)))


def test_the_gradient_is_the_slope(world: Any) -> None:
    model = make(world, l2=0.3).double()
    parameters = list(model.parameters())
    generator = torch.Generator().manual_seed(1)
    steps = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]

    def loss(size: float) -> torch.Tensor:
        with torch.no_grad():
            for parameter, step in zip(parameters, steps, strict=True):
                parameter += size * step
        return torch.stack(list(model.loss(world.batch).values())).sum()

    loss(0.0).backward()
    slope = sum((p.grad * s).sum() for p, s in zip(parameters, steps, strict=True))
    plus, minus = loss(1e-7), loss(-2e-7)
    torch.testing.assert_close((plus - minus) / 2e-7, slope, rtol=1e-5, atol=1e-7)


def test_modality_weights_are_soft_maxed_in_every_forward_pass(world: Any) -> None:
    model = make(world)
    assert model.modality_logits is not None
    with torch.no_grad():
        model.modality_logits[:] = torch.tensor([100.0, 0.0])
    image = single_modal(world, model, 2)[0]
    world.close(model.propagate()[0], image[: world.M])
    with torch.no_grad():
        model.modality_logits[:] = torch.tensor([0.0, 100.0])
    text = single_modal(world, model, 2)[1]
    world.close(model.propagate()[0], text[: world.M])


def test_at_first_all_modalities_count_the_same(world: Any) -> None:
    model = create_backbone("dualgnn", world.train, world.features, {})
    assert (model.modality_logits == 0).all()


def test_a_user_with_nothing_in_common_has_no_neighbours(world: Any) -> None:
    model = make(world)
    assert (model.neighbour_weights[2] == 0).all()
    assert torch.equal(model.embed()[0][2], model.propagate()[0][2])


def test_neighbour_table(world: Any) -> None:
    graph = cooccurrence_graph(world.train.matrix(), k=3)
    neighbours, weights = neighbour_table(graph, "softmax")
    for u in range(world.M):
        expected = near(world, u, 3)
        shares = dict(zip([v for v, _ in expected], softmax([c for _, c in expected]), strict=True))
        found = {int(v): float(w) for v, w in zip(neighbours[u], weights[u], strict=True) if w > 0}
        assert found == pytest.approx(shares)


@pytest.mark.parametrize("width", [2, 7])
def test_the_embedding_size_is_the_width(world: Any, width: int) -> None:
    model = make(world, embedding_size=width)
    assert [x.shape for x in model.embed()] == [(world.M, width), (world.N, width)]
    assert model.preferences.shape == (world.M, 2 * width)


class TestDualGnn(BackboneConformance):
    backbone = "dualgnn"
    # A user of the toy world has 19 others with a common item, fewer than the default asks for.
    alternatives = {"neighbours": 5}  # noqa: RUF012


def test_the_hand_written_gradients_numerically() -> None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        values = torch.randn(*shape, dtype=torch.float64, generator=generator)
        return values.requires_grad_()

    normalize = torch.nn.functional.normalize
    users, items = random(4, 2, 3), [random(3, 3) for _ in range(2)]
    weights, z = random(4, 2), [random(7, 3) for _ in range(2)]
    for c, x in enumerate(nodes_of_length(3.0, users, items)):
        torch.testing.assert_close(x[:4], 3 * normalize(users[:, c], dim=1))
        torch.testing.assert_close(x[4:], 3 * normalize(items[c], dim=1))
    of_users, of_items = weighted_nodes(weights, z)
    both = torch.stack(z, dim=1)
    torch.testing.assert_close(of_users, torch.einsum("ncd,nc->nd", both[:4], weights))
    torch.testing.assert_close(of_items, both[4:].sum(1))
    assert torch.autograd.gradcheck(lambda u, *i: nodes_of_length(3.0, u, list(i)), (users, *items))
    assert torch.autograd.gradcheck(lambda w, *x: weighted_nodes(w, list(x)), (weights, *z))


def test_a_row_of_zeros_has_no_direction_and_a_finite_gradient() -> None:
    users = torch.zeros(2, 1, 3, requires_grad=True)
    (x,) = nodes_of_length(1.0, users, [torch.ones(1, 3)])
    x.sum().backward()
    assert (x[:2] == 0).all()
    assert torch.isfinite(users.grad).all()
