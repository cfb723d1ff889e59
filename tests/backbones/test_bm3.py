"""BM3 against its paper's formulas, written as loops, and the conformance suite."""

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.backbones.bm3 import Bm3
from cliper.testing.conformance import BackboneConformance

OPTIONS = {"embedding_size": 3, "n_layers": 2, "dropout": 0.0}


class TestBm3(BackboneConformance):
    backbone = "bm3"


def create(tiny, seed: int = 0, **options) -> Bm3:
    model = create_backbone("bm3", tiny.train, tiny.features, {**OPTIONS, **options}, seed)
    assert isinstance(model, Bm3)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():  # biases start at zero, which would hide them
        for linear in (model.predictor, *model.content.values()):
            linear.bias.uniform_(-1, 1, generator=generator)
    return model


def affine(linear: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    weight, bias = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    return np.array([weight.astype(np.float64) @ row + bias for row in x])


def representations(tiny, model: Bm3) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    free = model.nodes.detach().numpy().astype(np.float64)
    nodes = tiny.layer_mean(tiny.adjacency(), free, 2)
    content = {}
    for m, table in tiny.features.tables.items():
        f = table.numpy().astype(np.float64)
        content[m] = affine(model.content[m], f / np.mean([np.linalg.norm(row) for row in f]))
    return nodes[: tiny.M], nodes[tiny.M :] + free[tiny.M :], content


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_every_term_of_the_loss(tiny) -> None:
    model = create(tiny, l2=0.3, modality_weight=0.7)
    users, items, content = representations(tiny, model)
    predict = model.predictor
    expected = dict.fromkeys(("reconstruct", "align", "mask"), 0.0)
    for u, i, _ in tiny.triples:
        h_u, h_i = users[u], items[i]
        p_u, p_i = affine(predict, h_u[None])[0], affine(predict, h_i[None])[0]
        expected["reconstruct"] -= (cosine(p_u, h_i) + cosine(p_i, h_u)) / 3
        for h_m in content.values():
            p_m = affine(predict, h_m[i][None])[0]
            expected["align"] -= 0.7 * cosine(p_m, h_i) / 3
            expected["mask"] -= 0.7 * cosine(p_m, h_m[i]) / 3
    terms = model.loss(tiny.batch)
    for name, value in expected.items():
        tiny.close(terms[name], value)
    tiny.close(terms["l2"], 0.3 * tiny.l2((users, 0), (items, 1)))
    assert set(terms) == {*expected, "l2"}


def test_targets_let_no_gradient_through(tiny) -> None:
    model = create(tiny, l2=0.0)
    model.loss(tiny.batch)["reconstruct"].backward()
    x = model.nodes.detach().clone().requires_grad_()
    a = torch.from_numpy(tiny.adjacency()).float()
    nodes = (x + a @ x + a @ a @ x) / 3
    user = nodes[tiny.batch.users]
    item = (nodes + x)[tiny.M + tiny.batch.positives]
    weight, bias = model.predictor.weight.detach(), model.predictor.bias.detach()
    loss = torch.zeros(())
    for online, target in ((user, item.detach()), (item, user.detach())):
        predicted = online @ weight.T + bias
        norms = predicted.norm(dim=1) * target.norm(dim=1)
        loss = loss - ((predicted * target).sum(1) / norms).mean()
    loss.backward()
    torch.testing.assert_close(model.nodes.grad, x.grad)


@pytest.mark.parametrize("shared", [False, True])
def test_content_trains_its_maps_and_the_predictor_if_asked_to(tiny, shared: bool) -> None:
    model = create(tiny, l2=0.0, shared_predictor=shared)
    terms = model.loss(tiny.batch)
    (terms["align"] + terms["mask"]).backward()
    assert model.nodes.grad is None
    # As autograd has it for the plain formula.
    _, items, _ = representations(tiny, model)
    weight = model.predictor.weight.detach().clone().requires_grad_()
    rows = tiny.batch.positives
    h_i, loss = torch.tensor(items).float()[rows], torch.zeros(())
    maps = {}
    for m, table in tiny.features.tables.items():
        maps[m] = model.content[m].weight.detach().clone().requires_grad_()
        scale = table.norm(dim=1).mean()
        h_m = (table / scale)[rows] @ maps[m].T + model.content[m].bias.detach()
        predicted = h_m @ weight.T + model.predictor.bias.detach()
        for target in (h_i, h_m.detach()):
            loss = loss - torch.cosine_similarity(predicted, target).mean()
    loss.backward()
    for m, expected in maps.items():
        torch.testing.assert_close(model.content[m].weight.grad, expected.grad)
    if shared:
        torch.testing.assert_close(model.predictor.weight.grad, weight.grad)
    else:
        assert model.predictor.weight.grad is None


def test_negatives_are_not_looked_at(tiny) -> None:
    model = create(tiny)
    model.loss(tiny.batch)["reconstruct"].backward()
    assert model.nodes.grad is not None
    # Item 5 is no one's positive and a negative in the batch.
    assert model.nodes.grad[tiny.M + 5].abs().sum() == 0


def test_a_target_loses_the_share_it_should(tiny) -> None:
    model = create(tiny, dropout=0.3)
    model.on_epoch_start(torch.Generator().manual_seed(0))
    rows = torch.ones(500, 40, requires_grad=True)
    target = model.target(rows)
    assert not target.requires_grad
    assert set(target.unique().tolist()) == {0.0, 1.0}
    assert abs(target.mean().item() - 0.7) < 0.02
    assert torch.equal(model.eval().target(rows), rows)


@pytest.mark.parametrize("weight", [0.0, 0.6])
def test_scores_are_of_predictions_and_cold_items_are_their_content(tiny, weight: float) -> None:
    model = create(tiny, content_weight=weight)
    users, items, content = representations(tiny, model)
    length = np.mean([np.linalg.norm(items[i]) for i in range(5)])
    expected = np.zeros((tiny.N, 3))
    for i in range(tiny.N):
        unit = np.zeros(3)
        for h_m in content.values():
            p_m = affine(model.predictor, h_m[i][None])[0]
            unit += p_m / np.linalg.norm(p_m)
        aligned = length * unit / np.linalg.norm(unit)
        expected[i] = aligned if i == 5 else items[i] + weight * aligned
    assert np.all(items[5] == 0)
    found_users, found_items = model.embed()
    tiny.close(found_users, affine(model.predictor, users))
    tiny.close(found_items, affine(model.predictor, expected))
