"""LGMRec against its paper's formulas, row by row."""

from typing import Any

import numpy as np
import pytest
import torch

from cliper.backbones import Backbone, create_backbone
from cliper.testing.conformance import BackboneConformance

OPTIONS = {
    "embedding_size": 3, "n_layers": 2, "n_modality_layers": 2, "n_hyper_layers": 2,
    "n_hyperedges": 4, "hyper_dropout": 0.3, "hyper_temperature": 0.6, "global_weight": 0.8,
    "contrast_weight": 0.7, "temperature": 0.4, "l2": 0.3,
}  # fmt: skip


class TestLgmrec(BackboneConformance):
    backbone = "lgmrec"


def make(tiny: Any, modalities: tuple[str, ...], **options: object) -> Backbone:
    features = tiny.features.only(*modalities)
    return create_backbone("lgmrec", tiny.train, features, {**OPTIONS, **options})


def scaled(tiny: Any, modality: str) -> np.ndarray:
    f = tiny.features.tables[modality].numpy().astype(np.float64)
    return f / np.mean([np.linalg.norm(row) for row in f])


def weight(maps: torch.nn.ModuleDict, modality: str) -> np.ndarray:
    return maps[modality].weight.detach().numpy().astype(np.float64)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def local(tiny: Any, model: Backbone, modality: str, layers: int) -> np.ndarray:
    """E_m: means for users, own content for items, then K products; the cold item stays."""
    items = scaled(tiny, modality) @ weight(model.content, modality).T
    users = np.zeros((tiny.M, tiny.D))
    for u in range(tiny.M):
        users[u] = np.mean([items[i] for a, i in tiny.pairs if a == u], axis=0)
    x = np.concatenate([users, items])
    for _ in range(layers):
        x = tiny.adjacency() @ x
        x[-1] = items[-1]
    return x


def logits(tiny: Any, model: Backbone, modality: str) -> tuple[np.ndarray, np.ndarray]:
    """H_u = R H_i and H_i = F Vᵀ, before any softmax."""
    items = scaled(tiny, modality) @ weight(model.hyperedges, modality).T
    users = np.zeros((tiny.M, items.shape[1]))
    for u, i in tiny.pairs:
        users[u] += items[i]
    return users, items


def softmax(h: np.ndarray) -> np.ndarray:
    result = np.zeros_like(h)
    for row in range(len(h)):
        result[row] = np.exp(h[row]) / np.exp(h[row]).sum()
    return result


def through_hyperedges(
    users: np.ndarray, items: np.ndarray, x: np.ndarray, layers: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each layer's E_u and E_i from the layer before; the last ones count."""
    for _ in range(layers):
        of_users, x = users @ items.T @ x, items @ items.T @ x
    return of_users, x


def final_rows(
    behaviour: np.ndarray, locals_: list[np.ndarray], wide: list[np.ndarray]
) -> np.ndarray:
    return behaviour + sum(unit(x) for x in locals_) + 0.8 * unit(sum(wide))


def info_nce(left: np.ndarray, right: np.ndarray, nodes: list[int], tau: float) -> float:
    left, right, total = unit(left), unit(right), 0.0
    for a in nodes:
        others = sum(np.exp(left[a] @ right[b] / tau) for b in nodes)
        total -= np.log(np.exp(left[a] @ right[a] / tau) / others)
    return total / len(nodes)


@pytest.mark.parametrize("modalities", [("image", "text"), ("image",), ("text",)])
@pytest.mark.parametrize("layers", [(0, 0, 1), (2, 2, 2), (1, 3, 3)])
def test_what_ranks_has_no_noise(
    tiny: Any, modalities: tuple[str, ...], layers: tuple[int, int, int]
) -> None:
    names = ("n_layers", "n_modality_layers", "n_hyper_layers")
    model = make(tiny, modalities, **dict(zip(names, layers, strict=True)))
    free = model.nodes.detach().numpy().astype(np.float64)
    behaviour = tiny.layer_mean(tiny.adjacency(), free, layers[0])
    contents = [local(tiny, model, m, layers[1]) for m in modalities]
    wide = []
    for m in modalities:
        users, items = (softmax(h / 0.6) for h in logits(tiny, model, m))
        wide.append(
            np.concatenate(through_hyperedges(users, items, behaviour[tiny.M :], layers[2]))
        )
    expected = final_rows(behaviour, contents, wide)
    for _ in range(2):
        users, items = model.embed()
        tiny.close(users, expected[: tiny.M])
        tiny.close(items, expected[tiny.M :])


@pytest.mark.parametrize("training", [True, False])
def test_every_term(tiny: Any, training: bool) -> None:
    model = make(tiny, ("image", "text")).train(training)
    model.on_epoch_start(torch.Generator().manual_seed(3))
    draws = torch.Generator().manual_seed(model.draws.initial_seed())

    def incidence(h: np.ndarray) -> np.ndarray:
        """The Gumbel softmax of rows h with the noise that the model will draw."""
        if not training:
            return softmax(h / 0.6)
        delta, kept = torch.rand(2, *h.shape, generator=draws).numpy().astype(np.float64)
        weights = softmax((h + np.log(delta) - np.log(1 - delta)) / 0.6)
        return np.where(kept < 0.7, weights / 0.7, 0)

    free = model.nodes.detach().numpy().astype(np.float64)
    behaviour = tiny.layer_mean(tiny.adjacency(), free, 2)
    batch_users = [0, 1, 3]
    contents, wide = [], []
    for m in ("image", "text"):
        contents.append(local(tiny, model, m, 2))
        of_users, of_items = logits(tiny, model, m)
        some, items = incidence(of_users[batch_users]), incidence(of_items)
        users = np.full((tiny.M, 4), 0.25)  # who is not in the batch takes no part
        users[batch_users] = some
        wide.append(through_hyperedges(users, items, behaviour[tiny.M :], 2))
    final = final_rows(behaviour, contents, [np.concatenate(pair) for pair in wide])
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], tiny.bpr(final[: tiny.M], final[tiny.M :]))
    (image_users, image_items), (text_users, text_items) = wide
    contrast = info_nce(image_users, text_users, batch_users, 0.4) + info_nce(
        image_items, text_items, [1, 2, 0], 0.4
    )
    tiny.close(terms["contrast"], 0.7 * contrast)
    tables = (free[: tiny.M], 0), (free[tiny.M :], 1), (free[tiny.M :], 2)
    tiny.close(terms["l2"], 0.3 * tiny.l2(*tables))
    assert len(terms) == 3


def test_dropout_and_noise_change_with_the_epoch(tiny: Any) -> None:
    model = make(tiny, ("image", "text"))
    losses = []
    for seed in (0, 0, 1):
        model.on_epoch_start(torch.Generator().manual_seed(seed))
        losses.append(model.loss(tiny.batch)["bpr"].item())
    assert losses[0] == losses[1] != losses[2]


def test_one_modality_has_no_other_to_contrast_with(tiny: Any) -> None:
    assert set(make(tiny, ("text",)).loss(tiny.batch)) == {"bpr", "l2"}


def test_a_cold_item_keeps_its_own_content_and_no_free_row(tiny: Any) -> None:
    model = make(tiny, ("image", "text"), n_modality_layers=3)
    assert not model.nodes[-1].any()
    own = [scaled(tiny, m)[-1] @ weight(model.content, m).T for m in ("image", "text")]
    wide = model.embed()[1][-1].detach().numpy() - sum(x / np.linalg.norm(x) for x in own)
    np.testing.assert_allclose(np.linalg.norm(wide), 0.8, rtol=1e-5)
