"""CLCRec against its losses, one triple and negative at a time."""

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from cliper.backbones import Batch, create_backbone
from cliper.backbones.clcrec import ClcRec, contrast
from cliper.testing.conformance import BackboneConformance


def create(tiny: Any, features: Any = None, **chosen: Any) -> ClcRec:
    chosen = {"embedding_size": 3, "hidden": 4, "l2": 0.2, "temperature": 0.5, **chosen}
    model = create_backbone("clcrec", tiny.train, features or tiny.features, chosen)
    assert isinstance(model, ClcRec)
    return model


def content(features: Any, model: ClcRec, item: int) -> np.ndarray:
    """f_i: W₂ LeakyReLU(W₁ x + b₁) + b₂, each modality divided by its mean row norm."""
    parts = []
    for table in features.tables.values():
        rows = table.double().numpy()
        parts.append(rows[item] / np.mean([np.linalg.norm(row) for row in rows]))
    first, second = (
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in (model.inner, model.outer)
    )
    hidden = first[0] @ np.concatenate(parts) + first[1]
    return second[0] @ np.where(hidden > 0, hidden, 0.01 * hidden) + second[1]


def softmax_loss(scores: list[float]) -> float:
    """-log of the first one's share."""
    return -math.log(math.exp(scores[0]) / sum(math.exp(s) for s in scores))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


# Triples of warm items: what the sampler draws.
TRIPLES = [(0, 1, 3), (1, 2, 0), (3, 0, 1), (2, 3, 4)]


@pytest.mark.parametrize("modalities", [("image", "text"), ("image",), ("text",)])
@pytest.mark.parametrize("negatives", [1, 2, 128])
def test_loss(tiny: Any, modalities: tuple[str, ...], negatives: int) -> None:
    features = tiny.features.only(*modalities)
    model = create(tiny, features, n_negatives=negatives, content_share=0.4, contrast_weight=0.3)
    with torch.no_grad():
        for layer in (model.inner, model.outer):
            layer.bias.uniform_(-1, 1)
    batch = Batch(*(torch.tensor(column) for column in zip(*TRIPLES, strict=True)))
    f = [content(features, model, i) for i in range(tiny.N)]
    z, users = (x.detach().double().numpy() for x in (model.items, model.users))
    others = [n for _, _, n in TRIPLES][:negatives]
    model.on_epoch_start(torch.Generator().manual_seed(3))
    drawn = torch.rand(len(TRIPLES) + len(others), generator=twin(model)) < 0.4
    assert negatives == 1 or (drawn.any() and not drawn.all())
    item = taste = 0.0
    for b, (u, p, _) in enumerate(TRIPLES):
        item += softmax_loss([cosine(z[p], f[j]) / 0.5 for j in (p, *others)])
        hybrids = [f[p] if drawn[b] else z[p]]
        for k, j in enumerate(others):
            hybrids.append(f[j] if drawn[len(TRIPLES) + k] else z[j])
        taste += softmax_loss([users[u] @ h / 0.5 for h in hybrids])
    squares = [sum(users[u] @ users[u] + z[p] @ z[p] for u, p, _ in TRIPLES)]
    squares += [z[j] @ z[j] for j in others]
    terms = model.loss(batch)
    tiny.close(terms["item"], 0.3 * item / len(TRIPLES))
    tiny.close(terms["user"], 0.7 * taste / len(TRIPLES))
    tiny.close(terms["l2"], 0.2 * sum(squares) / 2 / len(TRIPLES))


def twin(model: ClcRec) -> torch.Generator:
    """A copy of the generator that the model draws from."""
    copy = torch.Generator()
    copy.set_state(model.draws.get_state())
    return copy


def test_warm_items_score_by_embedding_and_cold_ones_by_content(tiny: Any) -> None:
    model = create(tiny)
    users, items = model.embed()
    tiny.close(users, model.users.detach())
    tiny.close(items[:5], model.items[:5].detach())
    tiny.close(items[5], content(tiny.features, model, 5))  # item 5 is cold


def test_contrast_has_the_gradient_of_its_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 2), (3, 2), (4, 2))
    inputs = [
        torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes
    ]
    assert torch.autograd.gradcheck(lambda a, p, n: contrast(a, p, n, 0.7), inputs)


def test_an_item_often_in_a_batch_is_encoded_once_and_counts_as_often(tiny: Any) -> None:
    model = create(tiny, content_share=0.0)
    once = Batch(*(torch.tensor(column) for column in zip(*TRIPLES[:1], strict=True)))
    twice = Batch(*(torch.tensor(column) for column in zip(*TRIPLES[:1] * 2, strict=True)))
    a = model.loss(once)["user"]
    model.config = model.config.model_copy(update={"n_negatives": 1})
    torch.testing.assert_close(model.loss(twice)["user"], a)


class TestClcRec(BackboneConformance):
    """Cold items by the encoder alone."""

    backbone = "clcrec"
    options: ClassVar = {"hidden": 16}
