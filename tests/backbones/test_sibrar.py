"""SiBraR against its score and losses, one item and modality at a time."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from cliper.backbones import create_backbone
from cliper.backbones.sibrar import Sibrar, grouped_info_nce, unit_rows
from cliper.testing.conformance import BackboneConformance


def create(tiny: Any, features: Any = None, **chosen: Any) -> Sibrar:
    chosen = {"embedding_size": 3, "hidden": 4, "l2": 0.2, "dropout": 0.0, **chosen}
    model = create_backbone("sibrar", tiny.train, features or tiny.features, chosen)
    assert isinstance(model, Sibrar)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:
                parameter.uniform_(-1, 1)
    return model


def affine(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    return layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()


def encode(tiny: Any, features: Any, model: Sibrar, item: int, modality: str | None) -> np.ndarray:
    """g of one modality of one item; None is its column of R."""
    if modality is None:
        takers = [[u for u, i in tiny.pairs if i == j] for j in range(tiny.N)]
        scale = np.mean([math.sqrt(len(t)) for t in takers if t])
        table = model.column_map.detach().double().numpy()
        z = model.column_bias.detach().double().numpy()
        for u in takers[item]:
            z = z + table[u] / scale
    else:
        rows = features.tables[modality].double().numpy()
        weight, bias = affine(model.content[modality])
        z = weight @ rows[item] / np.mean([np.linalg.norm(row) for row in rows]) + bias
    (w1, b1), (w2, b2) = affine(model.inner), affine(model.outer)
    return w2 @ np.maximum(w1 @ z + b1, 0) + b2


def users_of(tiny: Any, model: Sibrar) -> np.ndarray:
    table = model.user_map.detach().double().numpy()
    if model.config.users == "free":
        return table
    taken = [[i for u, i in tiny.pairs if u == v] for v in range(tiny.M)]
    scale = np.mean([math.sqrt(len(t)) for t in taken])
    return np.stack([sum(table[i] for i in t) / scale for t in taken])


@pytest.mark.parametrize("users", ["profile", "free"])
@pytest.mark.parametrize("modalities", [("image", "text"), ("image",), ("text",)])
def test_scores(tiny: Any, modalities: tuple[str, ...], users: str) -> None:
    features = tiny.features.only(*modalities)
    tables = {m: t.clone() for m, t in features.tables.items()}
    tables[modalities[0]][2] = 0  # item 2 lacks one modality
    tables = dict(tables)
    if len(modalities) == 1:
        tables[modalities[0]][5] = 0  # and item 5, cold, has nothing
    features = replace(features, tables=tables)
    model = create(tiny, features, users=users).eval()
    expected = np.zeros((tiny.N, 3))
    for i in range(tiny.N):
        has: list[str | None] = [m for m in modalities if tables[m][i].any()]
        if any(j == i for _, j in tiny.pairs):
            has.append(None)
        for m in has:
            expected[i] += encode(tiny, features, model, i, m) / len(has)
    got_users, got_items = model.embed()
    tiny.close(got_users, users_of(tiny, model))
    tiny.close(got_items, expected)


def info_nce(a: list[np.ndarray], b: list[np.ndarray], temperature: float) -> list[float]:
    """-log of the share of one's own, of each of `a` among all of `b`."""
    losses = []
    for k, x in enumerate(a):
        cosines = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in b]
        shares = [math.exp(c / temperature) for c in cosines]
        losses.append(-math.log(shares[k] / sum(shares)))
    return losses


TRIPLES = [(0, 1, 3), (1, 2, 0), (3, 0, 1)]


@pytest.mark.parametrize("group", [2, 4, 99])
@pytest.mark.parametrize("modalities", [("image", "text"), ("text",)])
def test_loss(tiny: Any, modalities: tuple[str, ...], group: int) -> None:
    features = tiny.features.only(*modalities)
    model = create(tiny, features, group=group, contrast_weight=0.3, temperature=0.5)
    batch = type(tiny.batch)(*(torch.tensor(c) for c in zip(*TRIPLES, strict=True)))
    items = sorted({i for _, p, n in TRIPLES for i in (p, n)})
    model.on_epoch_start(torch.Generator().manual_seed(1))
    state = model.draws.get_state()
    drawn = model.draw(torch.tensor(items))
    order = torch.randperm(len(items), generator=model.draws).tolist()
    model.draws.set_state(state)
    kinds: list[str | None] = [*modalities, None]
    left, right = (
        [encode(tiny, features, model, i, kinds[m]) for i, m in zip(items, row, strict=True)]
        for row in drawn.tolist()
    )
    users, ranking, squares = users_of(tiny, model), 0.0, 0.0
    for u, p, n in TRIPLES:
        positive, negative = ((left[k] + right[k]) / 2 for k in map(items.index, (p, n)))
        ranking += math.log1p(math.exp(-(users[u] @ positive - users[u] @ negative)))
        squares += users[u] @ users[u] + positive @ positive + negative @ negative
    size, contrasts = min(group, len(items)), []
    for start in range(0, len(items) - size + 1, size):
        a, b = ([side[k] for k in order[start : start + size]] for side in (left, right))
        contrasts += info_nce(a, b, 0.5) + info_nce(b, a, 0.5)
    terms = model.loss(batch)
    tiny.close(terms["bpr"], ranking / 3)
    tiny.close(terms["contrast"], 0.3 * np.mean(contrasts))
    tiny.close(terms["l2"], 0.2 * squares / 2 / 3)


def test_two_modalities_are_drawn_of_those_an_item_has(tiny: Any) -> None:
    tables = {m: t.clone() for m, t in tiny.features.tables.items()}
    tables["image"][2] = 0
    model = create(tiny, replace(tiny.features, tables=tables))
    drawn = model.draw(torch.tensor([0, 2, 5]).repeat(600)).view(2, 600, 3)
    pairs = [{tuple(sorted(p)) for p in drawn[:, :, k].T.tolist()} for k in range(3)]
    # 0: image, 1: text, 2: interactions. Item 2 has no image, item 5 nobody.
    assert pairs == [{(0, 1), (0, 2), (1, 2)}, {(1, 2)}, {(0, 1)}]
    often = [float((drawn[:, :, 0] == m).float().mean()) for m in range(3)]
    np.testing.assert_allclose(often, 1 / 3, atol=0.04)
    alone = create(tiny, tiny.features.only("text")).draw(torch.tensor([5]))
    assert alone.tolist() == [[0], [0]]


def test_dropout_falls_on_what_enters_the_branch_in_training_alone(tiny: Any) -> None:
    model = create(tiny, dropout=0.5)
    entered: list[torch.Tensor] = []
    model.inner.register_forward_pre_hook(lambda _, z: entered.append(z[0].detach()))
    items = torch.tensor([0, 1]).repeat(500)
    model.pair(items), model.eval().pair(items)
    share = float((entered[0] == 0).float().mean())
    assert 0.45 < share < 0.55 and not (entered[1] == 0).any()


def test_contrast_has_the_gradient_of_its_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    pair = [
        torch.randn(7, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        for _ in range(2)
    ]
    assert torch.autograd.gradcheck(lambda a, b: grouped_info_nce(a, b, 3, 0.7), pair)


def test_rows_are_divided_by_their_mean_norm() -> None:
    dense = np.array([[1, 1, 0], [0, 0, 0], [3, 0, 4]], np.float32)
    np.testing.assert_allclose(
        unit_rows(sp.csr_matrix(dense)).toarray(), dense / ((math.sqrt(2) + 5) / 2), rtol=1e-6
    )


class TestSibrar(BackboneConformance):
    """Cold items by the modalities they have."""

    backbone = "sibrar"
