"""DeepStyle against its score and loss, one user and item at a time."""

from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

from cliper.backbones import create_backbone
from cliper.data import ItemFields
from cliper.errors import InputError
from cliper.testing.conformance import BackboneConformance

TOKENS = (
    ("categories", "a"), ("categories", "b"), ("categories", "only cold"),
    ("maker", "m"), ("maker", "n"),
)  # fmt: skip
HELD = [[0], [0, 1], [1, 3], [3, 4], [0, 4], [1, 2]]  # item 3 has no category, item 5 is cold


@pytest.fixture
def fields(tiny) -> ItemFields:
    matrix = np.zeros((tiny.N, len(TOKENS)), np.float32)
    for item, tokens in enumerate(HELD):
        matrix[item, tokens] = 1
    return ItemFields(tiny.train.items.hash, sp.csr_matrix(matrix), TOKENS)


def create(tiny, fields: ItemFields, features=None, **chosen: Any):
    chosen = {"embedding_size": 3, "l2": 0.2, "content_l2": 0.4, **chosen}
    return create_backbone("deepstyle", tiny.train, features or tiny.features, chosen, 0, fields)


def parts(tiny, model, features, columns: list[int]) -> tuple[np.ndarray, ...]:
    """p (M, d), q (N, d), l̄ (N, d) and s (N, d), in loops."""
    p, q, free = (x.detach().double().numpy() for x in (model.users, model.items, model.categories))
    category, style = np.zeros((tiny.N, 3)), np.zeros((tiny.N, 3))
    for i in range(tiny.N):
        mine = [columns.index(t) for t in HELD[i] if t in columns]
        for t in mine:
            category[i] += free[t] / len(mine)
        for m, table in features.tables.items():
            scale = np.mean([np.linalg.norm(row) for row in table.numpy()])
            style[i] += model.content[m].weight.detach().numpy() @ table[i].numpy() / scale
        style[i] -= category[i]
    return p, q, category, style


@pytest.mark.parametrize("modalities", [("image", "text"), ("image",), ("text",)])
def test_scores_and_loss(tiny, fields: ItemFields, modalities: tuple[str, ...]) -> None:
    features = tiny.features.only(*modalities)
    model = create(tiny, fields, features)
    p, q, category, style = parts(tiny, model, features, [0, 1, 2])
    expected = np.array([[p[u] @ (style[i] + q[i]) for i in range(tiny.N)] for u in range(tiny.M)])
    users, items = model.embed()
    tiny.close(users @ items.T, expected)
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], tiny.bpr(p, style + q))
    penalty = tiny.l2((p, 0), (q, 1), (q, 2), (category, 1), (category, 2))
    tiny.close(terms["l2"], 0.2 * penalty)
    maps = sum((w.detach().numpy() ** 2).sum() for w in model.content.parameters())
    tiny.close(terms["content_l2"], 0.4 / 2 * maps)


def test_another_field_holds_the_categories(tiny, fields: ItemFields) -> None:
    model = create(tiny, fields, category_field="maker")
    p, q, _, style = parts(tiny, model, tiny.features, [3, 4])
    users, items = model.embed()
    tiny.close(users, p)
    tiny.close(items, style + q)


def test_what_nothing_trains_starts_at_zero(tiny, fields: ItemFields) -> None:
    model = create(tiny, fields)
    assert not model.items[5].any() and not model.categories[2].any()
    assert model.items[:5].all() and model.categories[:2].all()


def test_a_field_without_tokens_is_refused(tiny, fields: ItemFields) -> None:
    with pytest.raises(InputError, match="colour"):
        create(tiny, fields, category_field="colour")


class TestDeepStyle(BackboneConformance):
    """Content based: cold items by their style."""

    backbone = "deepstyle"
    alternatives: ClassVar = {"category_field": "maker"}
