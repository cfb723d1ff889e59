"""ACF against Eq. 4-10 written as loops over users, their items and the items' modalities."""

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from cliper.backbones import Batch, acf, create_backbone
from cliper.backbones.acf import without
from cliper.testing.conformance import BackboneConformance

D = 3
CASES = [("image", "text"), ("image",), ("text",)]


def create(tiny, features=None, **options: Any):
    options = {"embedding_size": D, "l2": 0.3, **options}
    model = create_backbone("acf", tiny.train, features or tiny.features, options)
    generator = torch.Generator().manual_seed(2)
    for name, parameter in model.named_parameters():  # biases that matter, attention that differs
        if "level" in name:
            parameter.data.uniform_(-2, 2, generator=generator)
    return model


def array(x: torch.Tensor) -> np.ndarray:
    return x.detach().double().numpy()


def components(tiny, model, features) -> list[list[np.ndarray]]:
    """x_lm of every item l and modality m."""
    result: list[list[np.ndarray]] = [[] for _ in range(tiny.N)]
    for m in features.modalities:
        table = array(features.tables[m])
        scale = np.mean([np.linalg.norm(row) for row in table])
        for item in range(tiny.N):
            result[item].append(array(model.content[m].weight) @ table[item] / scale)
    return result


def softmax(logits: list[float]) -> list[float]:
    total = sum(math.exp(x) for x in logits)
    return [math.exp(x) / total for x in logits]


def attention(level, sources: dict[str, np.ndarray]) -> float:
    hidden = sum(array(level.maps[s].weight) @ x for s, x in sources.items()) + array(level.bias)
    return float(array(level.out.weight)[0] @ np.maximum(hidden, 0))


def history_of(tiny, model, x, u: int, items: list[int]) -> np.ndarray:
    """Σ_l α(u,l) p_l over `items`."""
    user, v, p = array(model.users)[u], array(model.items), array(model.history)
    logits = []
    for item in items:
        beta = [1.0]
        if model.component_level is not None:
            beta = softmax(
                [attention(model.component_level, {"user": user, "content": c}) for c in x[item]]
            )
        content = sum(b * c for b, c in zip(beta, x[item], strict=True))
        sources = {"user": user, "item": v[item], "history": p[item], "content": content}
        logits.append(attention(model.item_level, sources))
    result = np.zeros(D)
    for alpha, item in zip(softmax(logits), items, strict=True):
        result += alpha * p[item]
    return result


def targets(tiny, model, x) -> np.ndarray:
    v = array(model.items)
    return v + np.array([sum(c) / len(c) for c in x]) if model.config.item_content else v


@pytest.mark.parametrize("modalities", CASES)
@pytest.mark.parametrize("item_content", [False, True])
def test_final_representations(
    tiny, modalities: tuple[str, ...], item_content: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acf, "USERS_AT_ONCE", 2)
    features = tiny.features.only(*modalities)
    model = create(tiny, features, item_content=item_content)
    x = components(tiny, model, features)
    expected = array(model.users).copy()
    for u in range(tiny.M):
        expected[u] += history_of(tiny, model, x, u, [i for a, i in tiny.pairs if a == u])
    users, items = model.embed()
    tiny.close(users, expected)
    tiny.close(items, targets(tiny, model, x))


@pytest.mark.parametrize("modalities", CASES)
@pytest.mark.parametrize("exclude", [False, True])
def test_loss(tiny, modalities: tuple[str, ...], exclude: bool) -> None:
    features = tiny.features.only(*modalities)
    model = create(tiny, features, exclude_positive=exclude, item_content=True)
    # User 2 has one item, so without it an empty history; user 0 appears twice.
    triples = [*tiny.triples, (2, 3, 0), (0, 0, 4)]
    batch = Batch(*(torch.tensor(column) for column in zip(*triples, strict=True)))
    x = components(tiny, model, features)
    users, items, history = array(model.users), array(model.items), array(model.history)
    final, total, penalty = targets(tiny, model, x), 0.0, 0.0
    for u, p, n in triples:
        taken = [i for a, i in tiny.pairs if a == u and not (exclude and i == p)]
        user = users[u] + history_of(tiny, model, x, u, taken)
        total += math.log1p(math.exp(user @ final[n] - user @ final[p]))
        penalty += sum((r**2).sum() for r in (users[u], items[p], items[n], history[p]))
    terms = model.loss(batch)
    tiny.close(terms["bpr"], total / len(triples))
    tiny.close(terms["l2"], 0.3 * penalty / 2 / len(triples))


def test_a_positive_outside_the_history_changes_nothing(tiny) -> None:
    losses = []
    for exclude in (False, True):
        model = create(tiny, exclude_positive=exclude)
        batch = Batch(torch.tensor([0, 4]), torch.tensor([4, 5]), torch.tensor([5, 0]))
        losses.append(model.loss(batch)["bpr"])
    assert torch.equal(*losses)


def test_a_history_that_was_all_positive_is_empty_and_without_gradient() -> None:
    history = torch.ones(2, D, requires_grad=True)
    share = torch.tensor([1.0, 0.5], requires_grad=True)
    p = torch.ones(2, D, requires_grad=True)
    left = without(history, share, p)
    assert left.tolist() == [[0] * D, [1] * D]
    left.sum().backward()
    for leaf in (history, share, p):
        assert torch.isfinite(leaf.grad).all() and not leaf.grad[0].any()


class TestAcf(BackboneConformance):
    """The paper's item is an id; with content beside it, cold items are found."""

    backbone = "acf"
    options: ClassVar = {"item_content": True}
    alternatives: ClassVar = {"item_content": False}


def test_the_papers_acf_gives_every_cold_item_the_same_score(tiny) -> None:
    model = create(tiny)
    users, items = model.embed()
    assert not (users @ items.T)[:, 5].any()
