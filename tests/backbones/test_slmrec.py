"""SLMRec against its formulas as dense matrices and loops, and the conformance suite."""

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from cliper.backbones import Batch, create_backbone
from cliper.backbones.slmrec import SlmRec
from cliper.testing.conformance import BackboneConformance

OPTIONS = {
    "embedding_size": 3, "n_layers": 3, "temperature": 0.4, "ssl_temperature": 0.7,
    "ssl_weight": 0.6, "feature_dropout": 0.4, "l2": 0.3,
}  # fmt: skip
# An item twice, as a batch may hold it.
TRIPLES = [(0, 1, 3), (1, 2, 5), (3, 0, 1), (1, 1, 4)]
BATCH = Batch(*(torch.tensor(column) for column in zip(*TRIPLES, strict=True)))
DISTINCT = [0, 1, 2]


class TestFineAndCoarse(BackboneConformance):
    backbone = "slmrec"
    conditions: ClassVar = {"feature_dropout": {"task": "fd"}}


class TestFeatureDropout(BackboneConformance):
    backbone = "slmrec"
    options: ClassVar = {"task": "fd"}
    alternatives: ClassVar = {"task": "fm"}
    warm_options = options


class TestFeatureMasking(BackboneConformance):
    backbone = "slmrec"
    options: ClassVar = {"task": "fm"}
    warm_options = options
    conditions: ClassVar = {"feature_dropout": {"task": "fd"}}


def create(tiny: Any, *modalities: str, **options: Any) -> SlmRec:
    features = tiny.features.only(*modalities) if modalities else tiny.features
    model = create_backbone("slmrec", tiny.train, features, {**OPTIONS, **options})
    assert isinstance(model, SlmRec)
    return model


def numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)


def item_channels(tiny: Any, model: SlmRec) -> list[np.ndarray]:
    channels = [numpy(model.items)]
    for m, linear in model.content.items():
        f = numpy(tiny.features.tables[m])
        scale = np.mean([np.linalg.norm(row) for row in f])
        channels.append(f @ numpy(linear.weight).T / scale)
    return channels


def convolved(tiny: Any, model: SlmRec, channels: list[np.ndarray]) -> list[np.ndarray]:
    """LightGCN's layer mean of each channel on its own, (M + N, d) each."""
    adjacency, k = tiny.adjacency(), model.config.n_layers
    stacks = [np.concatenate([numpy(model.users), channel]) for channel in channels]
    return [tiny.layer_mean(adjacency, stack, k) for stack in stacks]


def fused(model: SlmRec, nodes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    both = np.concatenate(nodes, axis=1)
    return both[:5] @ numpy(model.fuse_users.weight).T, both[5:] @ numpy(model.fuse_items.weight).T


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def contrast(
    left: np.ndarray, right: np.ndarray, temperature: float, drawn: list[float] | None = None
) -> float:
    """-mean_i log exp(cos(l_i, r_i)/τ) / Σ_j w_j exp(cos(l_i, r_j)/τ), w_j = 1 or 1/(B q_j)."""
    left, right, total, n = unit(left), unit(right), 0.0, len(right)
    weights = [1.0] * n if drawn is None else [1 / (n * q) for q in drawn]
    for i in range(len(left)):
        every = sum(weights[j] * math.exp(left[i] @ right[j] / temperature) for j in range(n))
        total -= math.log(math.exp(left[i] @ right[i] / temperature) / every)
    return total / len(left)


@pytest.mark.parametrize("modalities", [(), ("image",), ("text",)])
@pytest.mark.parametrize("layers", [0, 1, 2, 3, 4])
def test_scores_and_main_loss(tiny: Any, layers: int, modalities: tuple[str, ...]) -> None:
    model = create(tiny, *modalities, n_layers=layers)
    nodes = convolved(tiny, model, item_channels(tiny, model))
    users, items = fused(model, nodes)
    for found, expected in zip(model.embed(), (users, items), strict=True):
        tiny.close(found, unit(expected))
    product = create(tiny, *modalities, n_layers=layers, score="product")
    product.load_state_dict(model.state_dict())
    found_users, found_items = product.embed()
    tiny.close(found_users, users)
    # Item 5 is no one's: its direction alone is known.
    length = np.mean([np.linalg.norm(row) for row in items[:5]])
    tiny.close(found_items, [*items[:5], length * items[5] / np.linalg.norm(items[5])])
    terms = model.loss(BATCH)
    pairs = [(u, p) for u, p, _ in TRIPLES]
    anchors, positives = users[[u for u, _ in pairs]], items[[p for _, p in pairs]]
    # Items by their share of the training pairs: 0 has two of nine, 1 two and 2 one.
    drawn = [{0: 2 / 9, 1: 2 / 9, 2: 1 / 9}[p] for _, p in pairs]
    tiny.close(terms["main"], contrast(anchors, positives, 0.4, drawn))
    published = create(tiny, *modalities, n_layers=layers, correct_popularity=False)
    published.load_state_dict(model.state_dict())
    tiny.close(published.loss(BATCH)["main"], contrast(anchors, positives, 0.4))
    free_users, free_items = numpy(model.users), numpy(model.items)
    squares = sum((free_users[u] ** 2).sum() + (free_items[p] ** 2).sum() for u, p in pairs)
    tiny.close(terms["l2"], 0.3 * squares / 2 / len(pairs))


@pytest.mark.parametrize("modalities", [(), ("image",)])
def test_fine_and_coarse(tiny: Any, modalities: tuple[str, ...]) -> None:
    model = create(tiny, *modalities)
    nodes = convolved(tiny, model, item_channels(tiny, model))
    z, *content = (node[5:][DISTINCT] for node in nodes)
    expected = 0.0
    for anchor, other, x in zip(model.anchors, model.others, content, strict=True):
        z = z @ numpy(anchor.weight).T
        expected += contrast(z, x @ numpy(other.weight).T, 0.7)
    assert len(content) == (1 if modalities else 2)
    tiny.close(model.loss(BATCH)["fac"], 0.6 * expected)


@pytest.mark.parametrize("modalities", [(), ("text",)])
@pytest.mark.parametrize("seed", range(4))
def test_feature_masking(tiny: Any, modalities: tuple[str, ...], seed: int) -> None:
    model = create(tiny, *modalities, task="fm")
    model.on_epoch_start(torch.Generator().manual_seed(seed))
    again = torch.Generator()
    again.set_state(model.draws.get_state())
    channels = item_channels(tiny, model)
    views = []
    for masked in torch.randperm(len(channels), generator=again)[:2].tolist():
        kept = [0 * x if c == masked else x for c, x in enumerate(channels)]
        views.append(fused(model, convolved(tiny, model, kept))[1][DISTINCT])
    tiny.close(model.loss(BATCH)["fm"], 0.6 * contrast(*views, 0.7))


@pytest.mark.parametrize("layers", [0, 2, 3])
def test_feature_dropout(tiny: Any, layers: int) -> None:
    model = create(tiny, task="fd", n_layers=layers)
    model.on_epoch_start(torch.Generator().manual_seed(1))
    again = torch.Generator()
    again.set_state(model.draws.get_state())
    free, *content = item_channels(tiny, model)
    views = []
    for draw in torch.rand(2, 6, 6, generator=again).numpy():
        dropped = np.concatenate(content, axis=1) * (draw < 0.6) / 0.6
        nodes = convolved(tiny, model, [free, dropped[:, :3], dropped[:, 3:]])
        views.append(fused(model, nodes)[1][DISTINCT])
    terms = model.loss(BATCH)
    tiny.close(terms["fd"], 0.6 * contrast(*views, 0.7))
    assert list(terms) == ["main", "l2", "fd"]


def test_without_a_task_nothing_is_kept_for_it(tiny: Any) -> None:
    model = create(tiny, ssl_weight=0.0)
    assert not model.anchors and not model.others
    assert list(model.loss(BATCH)) == ["main", "l2"]


@pytest.mark.parametrize("layers", [0, 1, 2, 3, 4, 5])
def test_features_heard_once_are_those_heard_in_every_step(tiny: Any, layers: int) -> None:
    fast, plain = (create(tiny, n_layers=layers) for _ in range(2))
    assert fast.fixed == ["image", "text"]
    plain.fixed = []  # as if an MLP trained their features
    results = []
    for model in (fast, plain):
        torch.stack(list(model.loss(BATCH).values())).sum().backward()
        gradients = [p.grad for p in model.parameters()]
        results.append([*model.embed(), *gradients])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_features_of_a_trained_fusion_are_heard_in_every_step(tiny: Any) -> None:
    features = replace(tiny.features, mlp_width=2)
    model = create_backbone("slmrec", tiny.train, features, OPTIONS)
    assert isinstance(model, SlmRec)
    assert model.fixed == ["image"]
    torch.stack(list(model.loss(BATCH).values())).sum().backward()
    assert all((p.grad != 0).any() for p in model.features["text"].parameters())
