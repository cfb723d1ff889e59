"""NeuMF against Eq. 8-12 and the binary cross-entropy, one pair at a time."""

import math

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.scoring import neural, restore_scorer
from cliper.testing.conformance import BackboneConformance

OPTIONS = {"embedding_size": 4, "l2": 0.3, "negatives": 1}


def logits(tiny, model) -> np.ndarray:
    """h · [p ⊙ q, MLP([p', q'])] of every pair."""
    users, items, h = (
        x.detach().double().numpy() for x in (model.users, model.items, model.h.weight[0])
    )
    result, d = np.zeros((tiny.M, tiny.N)), users.shape[1] // 2
    for u in range(tiny.M):
        for i in range(tiny.N):
            z = np.concatenate([users[u, d:], items[i, d:]])
            for layer in model.tower:
                weight, bias = (x.detach().double().numpy() for x in (layer.weight, layer.bias))
                z = np.maximum(weight @ z + bias, 0)
            result[u, i] = h @ np.concatenate([users[u, :d] * items[i, :d], z])
    return result


def shaken(tiny, **options):
    """A model whose biases are not zero."""
    model = create_backbone("neumf", tiny.train, options={**OPTIONS, **options})
    generator = torch.Generator().manual_seed(1)
    for layer in model.tower:
        layer.bias.data.uniform_(-0.5, 0.5, generator=generator)
    return model


@pytest.mark.parametrize(("size", "layers"), [(4, 1), (4, 3), (3, 2), (1, 4)])
def test_scores(tiny, size: int, layers: int) -> None:
    model = shaken(tiny, embedding_size=size, n_layers=layers)
    assert model.tower[0].in_features == 2 * size and len(model.tower) == layers
    scorer = model.scorer()
    tiny.close(scorer(torch.arange(tiny.M)), logits(tiny, model))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (16, 256)])
def test_blocks_change_nothing(
    tiny, rows: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neural, "USERS", rows)
    monkeypatch.setattr(neural, "ITEMS", columns)
    model = shaken(tiny)
    expected, users = logits(tiny, model), torch.tensor([4, 1])
    scorer = model.scorer()
    tiny.close(scorer(users), expected[[4, 1]])
    tiny.close(scorer.restrict(torch.tensor([5, 0]))(users), expected[[4, 1]][:, [5, 0]])
    again = restore_scorer("neural", scorer.tensors())
    assert torch.equal(again(users), scorer(users))


def test_loss(tiny) -> None:
    model = shaken(tiny)
    expected, total = logits(tiny, model), 0.0
    for u, p, n in tiny.triples:
        total -= math.log(1 / (1 + math.exp(-expected[u, p])))
        total -= math.log(1 - 1 / (1 + math.exp(-expected[u, n])))
    terms = model.loss(tiny.batch)
    tiny.close(terms["bce"], total / (2 * len(tiny.triples)))
    users, items = model.users.detach().numpy(), model.items.detach().numpy()
    tiny.close(terms["l2"], 0.3 * tiny.l2((users, 0), (items, 1), (items, 2)))


def test_further_negatives(tiny) -> None:
    model = shaken(tiny, negatives=4)
    model.draws.manual_seed(3)
    users, items = (x.tolist() for x in model.further_negatives(tiny.batch.users.repeat(500)))
    taken = set(tiny.pairs)
    for user in {0, 1, 3}:
        mine = [i for u, i in zip(users, items, strict=True) if u == user]
        free = [i for i in range(5) if (user, i) not in taken]  # item 5 is cold
        shares = np.bincount(mine, minlength=tiny.N) / len(mine)
        expected = [1 / len(free) if i in free else 0 for i in range(tiny.N)]
        np.testing.assert_allclose(shares, expected, atol=0.05)


def test_loss_of_four_negatives(tiny) -> None:
    model = shaken(tiny, negatives=4)
    expected, found = logits(tiny, model), []
    model.draws.manual_seed(3)
    further = model.further_negatives(tiny.batch.users)
    pairs = [(u, n) for u, _, n in tiny.triples]
    pairs += list(zip(*(x.tolist() for x in further), strict=True))
    assert len(tiny.triples) < len(pairs) <= 4 * len(tiny.triples)
    found = [-math.log(1 / (1 + math.exp(-expected[u, p]))) for u, p, _ in tiny.triples]
    found += [-math.log(1 - 1 / (1 + math.exp(-expected[pair]))) for pair in pairs]
    model.draws.manual_seed(3)
    tiny.close(model.loss(tiny.batch)["bce"], sum(found) / len(found))


class TestNeuMf(BackboneConformance):
    """Feature-free: it cannot know cold items."""

    backbone = "neumf"
