"""GRU4Rec against its cell written as loops, and its losses term by term."""

import math

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.testing.conformance import BackboneConformance

D = 4


class TestGru4Rec(BackboneConformance):
    backbone = "gru4rec"
    options = {"embedding_size": 32, "dropout": 0.2}  # noqa: RUF012
    alternatives = {"max_length": 3}  # noqa: RUF012


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def expected_states(model, x: np.ndarray) -> np.ndarray:
    """Eq. 1 to 4, one step and one unit after another."""
    gru = {n: p.detach().numpy().astype(np.float64) for n, p in model.gru.named_parameters()}
    for layer in range(model.gru.num_layers):
        w, u = gru[f"weight_ih_l{layer}"], gru[f"weight_hh_l{layer}"]
        b, c = gru[f"bias_ih_l{layer}"], gru[f"bias_hh_l{layer}"]
        h, states = np.zeros(D), []
        for step in x:
            new = np.zeros(D)
            for k in range(D):
                r = sigmoid(w[k] @ step + b[k] + u[k] @ h + c[k])
                z = sigmoid(w[D + k] @ step + b[D + k] + u[D + k] @ h + c[D + k])
                inside = u[2 * D + k] @ h + c[2 * D + k]
                candidate = math.tanh(w[2 * D + k] @ step + b[2 * D + k] + r * inside)
                new[k] = (1 - z) * candidate + z * h[k]
            h = new
            states.append(h)
        x = np.array(states)
    return x


@pytest.mark.parametrize("layers", [1, 2])
def test_states(tiny, layers: int) -> None:
    options = {"embedding_size": D, "n_layers": layers}
    model = create_backbone("gru4rec", tiny.train, tiny.features, options).eval()
    with torch.no_grad():
        for parameter in model.gru.parameters():
            parameter += 0.2 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(1)
            )
    items = model.describe(torch.tensor([1, 0, 3, 5, 2]))
    expected = expected_states(model, items.detach().numpy().astype(np.float64))
    tiny.close(model.states(items, torch.tensor([5])), expected)
    stamped = sorted(zip(tiny.train.timestamp, tiny.pairs, strict=True))
    every = model.describe().detach().numpy().astype(np.float64)
    scores = model.scorer()(torch.arange(5))
    for u in range(5):
        read = [i for _, (v, i) in stamped if v == u]
        tiny.close(scores[u], every @ expected_states(model, every[read])[-1])


@pytest.mark.parametrize("ranking", ["bpr", "top1"])
def test_each_loss(tiny, ranking: str) -> None:
    options = {"embedding_size": D, "ranking": ranking}
    model = create_backbone("gru4rec", tiny.train, options=options)
    positive, negative = torch.tensor([0.4, -2.0, 0.1]), torch.tensor([0.9, 0.3, -1.5])
    total = 0.0
    for p, n in zip(positive.tolist(), negative.tolist(), strict=True):
        if ranking == "bpr":
            total -= math.log(sigmoid(p - n))
        else:
            total += sigmoid(n - p) + sigmoid(n * n)
    terms = model.pair_loss(positive, negative)
    assert list(terms) == [ranking]
    tiny.close(terms[ranking], total)


def test_initial_weights_come_from_the_seed_alone(tiny) -> None:
    before = torch.get_rng_state()
    options = {"embedding_size": D}
    first = create_backbone("gru4rec", tiny.train, options=options, seed=1)
    torch.manual_seed(99)
    again = create_backbone("gru4rec", tiny.train, options=options, seed=1)
    torch.set_rng_state(before)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
