"""MMSSL against its paper's formulas, written as loops, and the conformance suite."""

import math

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.backbones.mmssl import Mmssl, Reversal, contrast, relation_rows
from cliper.testing.conformance import BackboneConformance

OPTIONS = {
    "embedding_size": 3, "n_layers": 2, "n_heads": 2, "neighbours": 2, "dropout": 0.0,
    "view_weight": 0.7, "content_weight": 0.4, "discriminator_width": 4, "gumbel_noise": 0.0,
}  # fmt: skip


class TestMmssl(BackboneConformance):
    backbone = "mmssl"
    # A batch of the toy world has fewer users than the default takes.
    alternatives = {"contrast_users": 16}  # noqa: RUF012


def create(tiny, **options) -> Mmssl:
    model = create_backbone("mmssl", tiny.train, tiny.features, {**OPTIONS, **options})
    assert isinstance(model, Mmssl)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():  # biases start at zero, which would hide them
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-1, 1, generator=generator)
    model.find_relations()
    return model


def norm(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x)
    return x if length == 0 else x / length


def modality_aware(tiny, model: Mmssl) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    result = {}
    for m, table in tiny.features.tables.items():
        f = table.numpy().astype(np.float64)
        linear = model.content[m]
        weight, bias = linear.weight.detach().numpy(), linear.bias.detach().numpy()
        t = f / np.mean([np.linalg.norm(row) for row in f]) @ weight.T + bias
        users, items = np.zeros((tiny.M, 3)), np.zeros((tiny.N, 3))
        for u in range(tiny.M):
            mine = [i for v, i in tiny.pairs if v == u]
            users[u] = sum(t[i] for i in mine) / math.sqrt(len(mine))
        for i in range(tiny.N):
            takers = [u for u, j in tiny.pairs if j == i]
            items[i] = sum(users[u] for u in takers) / math.sqrt(len(takers)) if takers else t[i]
        result[m] = users, items
    return result


def views(tiny, model: Mmssl) -> dict[str, np.ndarray]:
    """ê^m by the learnt neighbours, then the attention over modalities, head by head."""
    e = model.nodes.detach().numpy().astype(np.float64)
    plain = {}
    for m, (users, items) in modality_aware(tiny, model).items():
        near = np.zeros((tiny.M, tiny.N))
        for u in range(tiny.M):
            cosine = [norm(users[u]) @ norm(items[i]) for i in range(tiny.N)]
            near[u, np.argsort(cosine)[-2:]] = 1
        plain[m] = np.zeros_like(e)
        for u in range(tiny.M):
            plain[m][u] = near[u] @ e[tiny.M :] / math.sqrt(near[u].sum())
        for i in range(tiny.N):
            if near[:, i].any():
                plain[m][tiny.M + i] = near[:, i] @ e[: tiny.M] / math.sqrt(near[:, i].sum())
    query = model.attention.query.weight.detach().numpy()
    key = model.attention.key.weight.detach().numpy()
    mixed = {m: np.zeros_like(e) for m in plain}
    for m in plain:
        for node in range(len(e)):
            for columns in ([0, 1], [2]):  # d = 3 in two heads
                q = (query @ plain[m][node])[columns]
                logits = [q @ (key @ plain[o][node])[columns] * math.sqrt(2 / 3) for o in plain]
                weights = np.exp(logits) / np.exp(logits).sum()
                for weight, other in zip(weights, plain, strict=True):
                    mixed[m][node, columns] += weight * plain[other][node, columns]
    return mixed


def propagated(tiny, model: Mmssl) -> np.ndarray:
    e = model.nodes.detach().numpy().astype(np.float64)
    mean = np.mean(list(views(tiny, model).values()), axis=0)
    start = np.array([e[n] + 0.7 * norm(mean[n]) for n in range(len(e))])
    return tiny.layer_mean(tiny.adjacency(), start, 2)


def final(tiny, model: Mmssl) -> tuple[np.ndarray, np.ndarray]:
    h = propagated(tiny, model)
    users, items = h[: tiny.M].copy(), h[tiny.M :].copy()
    for f_users, f_items in modality_aware(tiny, model).values():
        users += 0.4 * np.array([norm(f) for f in f_users])
        items += 0.4 * np.array([norm(f) for f in f_items])
    return users, items


def test_final_representations(tiny) -> None:
    model = create(tiny)
    for found, expected in zip(model.embed(), final(tiny, model), strict=True):
        tiny.close(found, expected)


def test_ranking_and_penalty_terms(tiny) -> None:
    model = create(tiny, l2=0.3)
    terms = model.loss(tiny.batch)
    users, items = final(tiny, model)
    tiny.close(terms["bpr"], tiny.bpr(users, items))
    e = model.nodes.detach().numpy()
    tiny.close(terms["l2"], 0.3 * tiny.l2((e[: tiny.M], 0), (e[tiny.M :], 1), (e[tiny.M :], 2)))
    assert set(terms) == {"bpr", "l2", "contrast", "adversarial"}


def test_contrastive_part(tiny) -> None:
    model = create(tiny, contrast_weight=0.2, temperature=0.4)
    h, expected = propagated(tiny, model), 0.0
    who = sorted({u for u, _, _ in tiny.triples})
    for view in views(tiny, model).values():
        for u in who:
            anchor = norm(view[u])
            between = [math.exp(anchor @ norm(h[v]) / 0.4) for v in who]
            within = [math.exp(anchor @ norm(view[v]) / 0.4) for v in who if v != u]
            positive = math.exp(anchor @ norm(h[u]) / 0.4)
            expected -= math.log(positive / (sum(between) + sum(within))) / len(who)
    tiny.close(model.loss(tiny.batch)["contrast"], 0.2 * expected)


def test_a_user_twice_in_the_batch_is_not_their_own_negative(tiny) -> None:
    model = create(tiny)
    twice = type(tiny.batch)(*(torch.cat([c, c]) for c in vars(tiny.batch).values()))
    once = model.loss(tiny.batch)["contrast"]
    torch.testing.assert_close(model.loss(twice)["contrast"], once)
    fewer = create(tiny, contrast_users=2).loss(tiny.batch)["contrast"]
    assert not torch.equal(fewer, once)


def judge(model: Mmssl, row: np.ndarray) -> tuple[float, np.ndarray]:
    """D of one row, and its gradient by the chain rule."""
    d = model.discriminator
    assert d is not None
    layers = [
        (layer.weight.detach().numpy().astype(np.float64), layer.bias.detach().numpy())
        for layer in (d.first, d.second, d.last)
    ]
    x, slope = row, np.eye(len(row))
    for weight, bias in layers[:2]:
        z = weight @ x + bias
        leak = np.where(z > 0, 1.0, 0.01)
        x, slope = leak * z, leak[:, None] * (weight @ slope)
    weight, bias = layers[2]
    value = 1 / (1 + math.exp(-(weight @ x + bias)[0]))
    return value, value * (1 - value) * (weight @ slope)[0]


def rows_of_both_kinds(tiny, model: Mmssl) -> tuple[list[np.ndarray], list[np.ndarray]]:
    h = propagated(tiny, model)
    observed, made = [], []
    for u, _, _ in tiny.triples:
        r = np.array([float((u, i) in tiny.pairs) for i in range(tiny.N)])
        soft = np.exp(r / 0.2) / np.exp(r / 0.2).sum()
        observed.append(norm(soft + 0.1 * np.array([norm(h[u]) @ norm(x) for x in h[tiny.M :]])))
    for users, items in modality_aware(tiny, model).values():
        for u, _, _ in tiny.triples:
            made.append(norm(np.array([norm(users[u]) @ norm(f) for f in items])))
    return observed, made


def test_adversarial_gap(tiny) -> None:
    model = create(tiny, adversarial_weight=0.5, gradient_penalty=0.0)
    observed, made = rows_of_both_kinds(tiny, model)
    real = np.mean([judge(model, row)[0] for row in observed])
    fake = [np.mean([judge(model, row)[0] for row in made[at : at + 3]]) for at in (0, 3)]
    expected = 0.5 * sum(value - real for value in fake)
    tiny.close(model.loss(tiny.batch)["adversarial"], expected)


def test_gradient_penalty_is_taken_between_the_two_kinds(tiny) -> None:
    model = create(tiny, adversarial_weight=1.0, gradient_penalty=2.0)
    gap = create(tiny, adversarial_weight=1.0, gradient_penalty=0.0)
    model.draws.manual_seed(9)
    found = model.loss(tiny.batch)["adversarial"] - gap.loss(tiny.batch)["adversarial"]
    observed, made = rows_of_both_kinds(tiny, model)
    replay = torch.Generator().manual_seed(9)
    torch.rand(3, tiny.N, generator=replay)  # the Gumbel draws
    shares = torch.rand(6, 1, generator=replay).numpy()[:, 0].astype(np.float64)
    slopes = [
        judge(model, share * observed[at % 3] + (1 - share) * made[at])[1]
        for at, share in enumerate(shares)
    ]
    tiny.close(found, 2.0 * 2 * np.mean([(np.linalg.norm(s) - 1) ** 2 for s in slopes]))


def test_observed_rows_are_softened_by_gumbel_noise(tiny) -> None:
    model = create(tiny, gumbel_noise=0.3, gumbel_temperature=0.5, auxiliary_weight=0.0)
    model.draws.manual_seed(4)
    found = model.observed_rows(torch.tensor([1]), model.propagate()[0].detach())
    uniform = torch.rand(1, tiny.N, generator=torch.Generator().manual_seed(4)).numpy()[0]
    r = np.array([0, 1, 1, 0, 0, 0], dtype=np.float64)
    soft = np.exp((r - 0.3 * np.log(-np.log(uniform))) / 0.5)
    tiny.close(found[0], norm(soft))


def test_the_two_players_pull_apart(tiny) -> None:
    """D descends the gap as it is; what made the rows ascends it."""
    model = create(tiny, adversarial_weight=1.0, gradient_penalty=0.0)
    model.loss(tiny.batch)["adversarial"].backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    observed = model.observed_rows(tiny.batch.users, model.propagate()[0].detach())
    assert model.discriminator is not None
    gap = torch.zeros(())
    for users, items in model.modality_aware(dropout=0.0).values():
        made = relation_rows(users[tiny.batch.users], items)
        gap = gap + model.discriminator(made).mean() - model.discriminator(observed).mean()
    gap.backward()
    assert any(name.startswith("content") for name in found)
    for name, parameter in model.named_parameters():
        if name in found:
            sign = 1 if name.startswith("discriminator") else -1
            torch.testing.assert_close(found[name], sign * parameter.grad, rtol=1e-4, atol=1e-7)
    assert "nodes" not in found  # an observed row is what there is, no one's to change


def test_reversal_is_the_identity_forward() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    y = Reversal.apply(x)
    assert torch.equal(x, y)
    (y * 3).sum().backward()
    assert torch.equal(x.grad, torch.full((2, 3), -3.0))


def test_without_a_duel_there_is_no_discriminator(tiny) -> None:
    model = create(tiny, adversarial_weight=0.0)
    assert model.discriminator is None
    assert "adversarial" not in model.loss(tiny.batch)


def test_one_modality_attends_to_nothing(tiny) -> None:
    model = create_backbone("mmssl", tiny.train, tiny.features.only("text"), OPTIONS)
    assert model.attention is None
    _, (view,) = model.propagate()
    tiny.close(view, model.relations["text"](model.nodes).detach().numpy())


def test_relations_follow_the_features_from_epoch_to_epoch(tiny) -> None:
    model = create(tiny)
    with torch.no_grad():
        for linear in model.content.values():
            linear.weight.neg_()
            linear.bias.uniform_(-1, 1, generator=torch.Generator().manual_seed(5))
    before = {m: graph.col.clone() for m, graph in model.relations.items()}
    model.on_epoch_start(torch.Generator().manual_seed(0))
    assert any(not torch.equal(before[m], graph.col) for m, graph in model.relations.items())
    for found, expected in zip(model.embed(), final(tiny, model), strict=True):
        tiny.close(found, expected)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_dropout_on_transformed_features(tiny, share: float) -> None:
    model = create(tiny)
    model.draws.manual_seed(1)
    (users, _), _ = model.modality_aware(share).values()
    plain, _ = model.modality_aware(0.0)["image"]
    assert torch.equal(users, plain) == (share == 0)


def test_contrast_prefers_the_same_user() -> None:
    x = torch.eye(4)
    assert contrast(x, x, 0.1) < contrast(x, x.roll(1, 0), 0.1)
