"""MMGCN against its paper's formulas, node by node."""

from typing import Any

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.backbones.mmgcn import Mmgcn, mean_adjacency
from cliper.backbones.mmgcn_layer import Layer
from cliper.graphs import SparseGraph
from cliper.representation.features import ItemFeatures
from cliper.testing.conformance import BackboneConformance


def make(tiny: Any, features: ItemFeatures | None = None, **options: Any) -> Mmgcn:
    options = {"embedding_size": tiny.D, **options}
    model = create_backbone("mmgcn", tiny.train, features or tiny.features, options)
    assert isinstance(model, Mmgcn)
    return model


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def weight(linear: torch.nn.Module) -> np.ndarray:
    return linear.weight.detach().numpy().astype(np.float64)  # type: ignore[operator,union-attr]


def content(tiny: Any, model: Mmgcn, modality: str) -> np.ndarray:
    """W f of every item, f divided by the modality's mean norm."""
    f = tiny.features.tables[modality].numpy().astype(np.float64)
    return f / np.mean([np.linalg.norm(row) for row in f]) @ weight(model.content[modality]).T


def combine(layer: Any, h: np.ndarray, own: np.ndarray) -> np.ndarray:
    """LeakyReLU(W₃ [h ‖ x̂]), or LeakyReLU(W₃ h + x̂)."""
    if isinstance(layer.join_own, torch.nn.Identity):
        return leaky(weight(layer.join) @ h + own)
    w3 = np.concatenate([weight(layer.join), weight(layer.join_own)], axis=1)
    return leaky(w3 @ np.concatenate([h, own]))


def nodes(tiny: Any, model: Mmgcn) -> np.ndarray:
    """Final representations of users and items, by loops over nodes and neighbours."""
    ids = model.ids.detach().numpy().astype(np.float64)
    outputs = []
    for modality in model.features:
        preference = model.preferences[modality].detach().numpy()
        x = np.concatenate([preference, content(tiny, model, modality)])
        for layer in model.layers[modality]:
            new = []
            for node in range(tiny.M + tiny.N):
                near = [tiny.M + i for u, i in tiny.pairs if u == node]
                near += [u for u, i in tiny.pairs if tiny.M + i == node]
                messages = [weight(layer.aggregate) @ x[other] for other in near]
                h = leaky(np.mean(messages, axis=0) if near else np.zeros(tiny.D))
                own = leaky(weight(layer.own) @ x[node]) + ids[node]
                new.append(combine(layer, h, own))
            x = np.stack(new)
        outputs.append(x)
    return np.mean(outputs, axis=0)


def alone(tiny: Any, model: Mmgcn, item: int) -> np.ndarray:
    """An item as it would be without neighbours and ID."""
    outputs = []
    for modality in model.features:
        x = content(tiny, model, modality)[item]
        for layer in model.layers[modality]:
            x = combine(layer, np.zeros(tiny.D), leaky(weight(layer.own) @ x))
        outputs.append(x)
    return np.mean(outputs, axis=0)


@pytest.mark.parametrize("combination", ["concatenate", "add"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_propagation_and_scores(tiny: Any, layers: int, combination: str) -> None:
    model = make(tiny, n_layers=layers, combination=combination)
    expected = nodes(tiny, model)
    users, items = model.embed()
    tiny.close(users, expected[: tiny.M])
    tiny.close(items, expected[tiny.M :])


@pytest.mark.parametrize("modality", ["image", "text"])
def test_one_modality_is_not_averaged_with_anything(tiny: Any, modality: Any) -> None:
    model = make(tiny, tiny.features.only(modality), n_layers=2)
    tiny.close(torch.cat(model.embed()), nodes(tiny, model))


@pytest.mark.parametrize("combination", ["concatenate", "add"])
def test_loss(tiny: Any, combination: str) -> None:
    model = make(tiny, n_layers=2, combination=combination, l2=0.3)
    expected = nodes(tiny, model)
    terms = model.loss(tiny.batch)
    assert set(terms) == {"bpr", "l2"}
    tiny.close(terms["bpr"], tiny.bpr(expected[: tiny.M], expected[tiny.M :]))
    ids = model.ids.detach().numpy()
    rows = [(ids, 0), (ids[tiny.M :], 1), (ids[tiny.M :], 2)]
    rows += [(preference.detach().numpy(), 0) for preference in model.preferences.values()]
    tiny.close(terms["l2"], 0.3 * tiny.l2(*rows))


@pytest.mark.parametrize("combination", ["concatenate", "add"])
def test_the_gradient_is_the_slope(tiny: Any, combination: str) -> None:
    model = make(tiny, combination=combination, l2=0.3, id_dropout=0.5).double()
    parameters = list(model.parameters())
    generator = torch.Generator().manual_seed(1)
    steps = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]

    def loss(size: float) -> torch.Tensor:
        model.on_epoch_start(torch.Generator().manual_seed(0))  # the same items are drawn
        with torch.no_grad():
            for parameter, step in zip(parameters, steps, strict=True):
                parameter += size * step
        return torch.stack(list(model.loss(tiny.batch).values())).sum()

    loss(0.0).backward()
    slope = sum((p.grad * s).sum() for p, s in zip(parameters, steps, strict=True))
    plus, minus = loss(1e-7), loss(-2e-7)
    torch.testing.assert_close((plus - minus) / 2e-7, slope, rtol=1e-5, atol=1e-7)


def test_a_cold_item_is_its_content_alone(tiny: Any) -> None:
    model = make(tiny, n_layers=3)
    cold = 5
    assert (model.ids[tiny.M + cold] == 0).all()
    every = model.isolated(torch.arange(tiny.N))
    tiny.close(every[cold], model.embed()[1][cold].detach().numpy())
    for item in range(tiny.N):
        tiny.close(every[item], alone(tiny, model, item))


def test_drawn_items_are_seen_as_cold_in_training_only(tiny: Any) -> None:
    model = make(tiny, n_layers=2, id_dropout=0.5)
    before = [x.clone() for x in model.embed()]
    expected = nodes(tiny, model)
    model.on_epoch_start(torch.Generator().manual_seed(3))
    state = model.draws.get_state()
    drawn = torch.rand(2 * len(tiny.triples), generator=model.draws) < 0.5
    assert 0 < drawn.sum() < len(drawn)
    model.draws.set_state(state)
    total = 0.0
    for t, (u, p, n) in enumerate(tiny.triples):
        seen = [
            alone(tiny, model, i) if drawn[t + side * len(tiny.triples)] else expected[tiny.M + i]
            for side, i in enumerate((p, n))
        ]
        total += np.log1p(np.exp(expected[u] @ (seen[1] - seen[0])))
    tiny.close(model.loss(tiny.batch)["bpr"], total / len(tiny.triples))
    for a, b in zip(before, model.embed(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("block", [4, 8192])
@pytest.mark.parametrize("rows", [None, [3, 0, 3, 7, 5]])
@pytest.mark.parametrize("combination", ["concatenate", "add"])
def test_a_layer_is_its_plain_expression_and_so_is_its_gradient(
    tiny: Any,
    monkeypatch: pytest.MonkeyPatch,
    combination: str,
    rows: list[int] | None,
    block: int,
) -> None:
    monkeypatch.setattr("cliper.backbones.mmgcn_layer.BLOCK", block)
    generator = torch.Generator().manual_seed(0)
    layer = Layer(tiny.D, combination, generator).double()
    mean = SparseGraph(mean_adjacency(tiny.train.matrix()), symmetric=False).double()
    n = tiny.M + tiny.N
    x, ids = (
        torch.randn(n, tiny.D, generator=generator, dtype=torch.float64, requires_grad=True)
        for _ in range(2)
    )
    wanted = None if rows is None else torch.tensor(rows)
    weights = list(layer.parameters())

    def fast(x: torch.Tensor, ids: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return layer(x, mean, ids, wanted)

    leaky_relu = torch.nn.functional.leaky_relu
    h = leaky_relu(layer.aggregate(torch.as_tensor(mean.tensor.to_dense()) @ x))
    own = layer.join_own(leaky_relu(layer.own(x)) + ids)
    plain = leaky_relu(layer.join(h) + own)
    torch.testing.assert_close(fast(x, ids), plain if wanted is None else plain[wanted])
    assert torch.autograd.gradcheck(fast, (x, ids, *weights))


def test_mean_adjacency(tiny: Any) -> None:
    dense = tiny.adjacency() > 0
    degree = dense.sum(axis=1, keepdims=True)
    expected = np.divide(dense, degree, out=np.zeros(dense.shape), where=degree > 0)
    np.testing.assert_allclose(mean_adjacency(tiny.train.matrix()).toarray(), expected, rtol=1e-6)


def test_every_weight_is_trained_and_depth_and_width_are_honoured(tiny: Any) -> None:
    for layers, width in ((1, 2), (4, 7)):
        model = make(tiny, n_layers=layers, embedding_size=width)
        names = {name for name, _ in model.named_parameters()}
        assert {"ids", "preferences.image", "preferences.text"} <= names
        assert all(len(stack) == layers for stack in model.layers.values())
        assert all(x.shape[1] == width for x in model.embed())


class TestMmgcn(BackboneConformance):
    backbone = "mmgcn"
    # As published it leans on IDs and neighbours, which cold items have not.
    options = {"id_dropout": 0.3}  # noqa: RUF012
