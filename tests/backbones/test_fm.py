"""FM against its definition, the double loop over all pairs of a row's entries."""

import numpy as np
import pytest
import scipy.sparse as sp

from cliper.backbones import create_backbone
from cliper.backbones.fm import field_shares
from cliper.data import ItemFields
from cliper.testing.conformance import BackboneConformance

TOKENS = (
    ("categories", "a"), ("categories", "b"), ("categories", "c"), ("categories", "only cold"),
    ("maker", "m"), ("maker", "n"),
)  # fmt: skip
HELD = [[0, 4], [0, 1, 2, 5], [1, 2, 4], [4, 5], [], [0, 3, 4]]  # item 4 has none, 5 is cold
OPTIONS = {"embedding_size": 3, "l2": 0.3, "token_l2": 0.5}


@pytest.fixture
def fields(tiny) -> ItemFields:
    matrix = np.zeros((tiny.N, len(TOKENS)), np.float32)
    for item, tokens in enumerate(HELD):
        matrix[item, tokens] = 1
    return ItemFields(tiny.train.items.hash, sp.csr_matrix(matrix), TOKENS)


@pytest.fixture
def model(tiny, fields: ItemFields):
    model = create_backbone("fm", tiny.train, None, OPTIONS, 0, fields)
    generator = np.random.default_rng(5)
    for parameter in (model.item_weights, model.token_weights):
        values = generator.uniform(-1, 1, parameter.shape).astype(np.float32)
        parameter.data.copy_(parameter.data.new_tensor(values))
    return model


def shares(item: int) -> dict[int, float]:
    """x_t of an item's tokens."""
    names = [TOKENS[t][0] for t in HELD[item]]
    return {t: 1 / names.count(TOKENS[t][0]) for t in HELD[item]}


def scores(tiny, model) -> np.ndarray:
    """Eq. 1 without w₀ and w_u: Σ_a w_a x_a + Σ_{a<b} ⟨v_a, v_b⟩ x_a x_b, (M, N)."""
    users, items, tokens, item_weights, token_weights = (
        p.detach().double().numpy()
        for p in (model.users, model.items, model.tokens, model.item_weights, model.token_weights)
    )
    result = np.zeros((tiny.M, tiny.N))
    for u in range(tiny.M):
        for i in range(tiny.N):
            entries = [(1.0, 0.0, users[u]), (1.0, item_weights[i], items[i])]
            entries += [(x, token_weights[t, 0], tokens[t]) for t, x in shares(i).items()]
            for a, (x, w, v) in enumerate(entries):
                result[u, i] += w * x
                for y, _, other in entries[a + 1 :]:
                    result[u, i] += v @ other * x * y
    return result


def test_tokens_of_a_field_share_a_weight_of_one(tiny, fields: ItemFields) -> None:
    found = field_shares(fields).toarray()
    expected = np.zeros_like(found)
    for item in range(tiny.N):
        for token, share in shares(item).items():
            expected[item, token] = share
    np.testing.assert_allclose(found, expected)


def test_scores_are_those_of_the_double_loop(tiny, model) -> None:
    users, items = model.embed()
    tiny.close(users @ items.T, scores(tiny, model))


def test_loss(tiny, model) -> None:
    expected, total = scores(tiny, model), 0.0
    for u, p, n in tiny.triples:
        total += np.log1p(np.exp(expected[u, n] - expected[u, p]))
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], total / len(tiny.triples))
    users, items = model.users.detach().numpy(), model.items.detach().numpy()
    weights = model.item_weights.detach().numpy()[:, None]
    penalty = tiny.l2((users, 0), (items, 1), (items, 2), (weights, 1), (weights, 2))
    tiny.close(terms["l2"], 0.3 * penalty)
    tokens = (model.tokens.detach().numpy() ** 2).sum()
    tokens += (model.token_weights.detach().numpy() ** 2).sum()
    tiny.close(terms["token_l2"], 0.5 / 2 * tokens)


def test_what_nothing_trains_starts_at_zero(model) -> None:
    assert not model.items[5].any() and not model.tokens[3].any()
    assert model.items[:5].all() and model.tokens[:3].all() and model.tokens[4:].all()


class TestFm(BackboneConformance):
    """Content based by its tokens: cold items by theirs."""

    backbone = "fm"
