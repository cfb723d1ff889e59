"""NGCF against Eq. 3-11 written as loops over messages."""

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.backbones.ngcf import Ngcf
from cliper.testing.conformance import BackboneConformance

OPTIONS = {"embedding_size": 3, "n_layers": 2, "message_dropout": 0.0, "l2": 0.3}


def propagated(tiny, model, messages=None, own=None) -> list[np.ndarray]:
    """E of layers 0..L; `messages[l][a, b]` scales the message b → a, `own[l][a]` that to oneself.

    One message at a time, as Eq. 3 and 4 have it; dropout scales messages.
    """
    n = tiny.M + tiny.N
    adjacency, x = tiny.adjacency(), model.nodes.detach().double().numpy()
    layers = [x]
    for at, (plain, affine) in enumerate(zip(model.plain, model.affine, strict=True)):
        w1, w2 = (w.weight.detach().double().numpy() for w in (plain, affine))
        out = np.zeros_like(x)
        for a in range(n):
            out[a] = w1 @ x[a] * (1 if own is None else own[at][a])
            for b in range(n):
                message = adjacency[a, b] * (w1 @ x[b] + w2 @ (x[b] * x[a]))
                out[a] += message * (1 if messages is None else messages[at][a, b])
        x = np.where(out > 0, out, 0.2 * out)
        layers.append(x)
    return layers


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_propagation_and_concatenation(tiny, layers: int) -> None:
    model = create_backbone("ngcf", tiny.train, options={**OPTIONS, "n_layers": layers})
    expected = np.concatenate(propagated(tiny, model), axis=1)
    users, items = model.embed()
    assert users.shape[1] == 3 * (layers + 1)
    tiny.close(users, expected[: tiny.M])
    tiny.close(items, expected[tiny.M :])


def test_loss(tiny) -> None:
    model = create_backbone("ngcf", tiny.train, options=OPTIONS)
    layers = propagated(tiny, model)
    nodes, free = np.concatenate(layers, axis=1), layers[0]
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], tiny.bpr(nodes[: tiny.M], nodes[tiny.M :]))
    users, items = free[: tiny.M], free[tiny.M :]
    maps = sum((w.weight.detach().numpy() ** 2).sum() for w in (*model.plain, *model.affine))
    penalty = tiny.l2((users, 0), (items, 1), (items, 2)) + maps / 2
    tiny.close(terms["l2"], 0.3 * penalty)


def drawn(generator: torch.Generator, size: int, dropout: float) -> np.ndarray:
    kept = torch.rand(size, generator=generator).numpy() >= dropout
    return kept / (1 - dropout)


def test_message_dropout_drops_whole_messages_by_edge_and_layer(tiny) -> None:
    model = create_backbone("ngcf", tiny.train, options={**OPTIONS, "message_dropout": 0.5})
    model.on_epoch_start(torch.Generator().manual_seed(3))
    again = torch.Generator().set_state(model.draws.get_state())
    messages, own = [], []
    for _ in range(2):
        scale = np.zeros((tiny.M + tiny.N, tiny.M + tiny.N))
        rows, columns = np.nonzero(tiny.adjacency())
        scale[rows, columns] = drawn(again, len(rows), 0.5)
        messages.append(scale)
        own.append(drawn(again, tiny.M + tiny.N, 0.5))
    nodes = np.concatenate(propagated(tiny, model, messages, own), axis=1)
    tiny.close(model.loss(tiny.batch)["bpr"], tiny.bpr(nodes[: tiny.M], nodes[tiny.M :]))
    whole = np.concatenate(propagated(tiny, model), axis=1)
    tiny.close(torch.cat(model.embed()), whole)  # nothing is dropped where it ranks


def test_node_dropout_silences_a_sender(tiny) -> None:
    model = create_backbone("ngcf", tiny.train, options={**OPTIONS, "node_dropout": 0.5})
    again = torch.Generator().set_state(model.draws.get_state())
    senders = [drawn(again, tiny.M + tiny.N, 0.5) for _ in range(2)]
    messages = [np.tile(s, (len(s), 1)) for s in senders]
    nodes = np.concatenate(propagated(tiny, model, messages, senders), axis=1)
    tiny.close(model.loss(tiny.batch)["bpr"], tiny.bpr(nodes[: tiny.M], nodes[tiny.M :]))


def test_gradient_is_that_of_the_dense_formula(tiny) -> None:
    model = create_backbone("ngcf", tiny.train, options={**OPTIONS, "message_dropout": 0.5})
    assert isinstance(model, Ngcf)
    state = model.draws.get_state()
    model.loss(tiny.batch)["bpr"].backward()
    found = [p.grad.clone() for p in model.parameters()]
    again = torch.Generator().set_state(state)
    adjacency = torch.from_numpy(tiny.adjacency()).float()
    x = model.nodes
    layers = [x]
    for plain, affine in zip(model.plain, model.affine, strict=True):
        scale = adjacency.clone()
        rows, columns = adjacency.nonzero(as_tuple=True)
        scale[rows, columns] *= torch.from_numpy(drawn(again, len(rows), 0.5)).float()
        own = torch.from_numpy(drawn(again, len(x), 0.5)).float()[:, None]
        out = (scale @ x + own * x) @ plain.weight.T + ((scale @ x) * x) @ affine.weight.T
        x = torch.nn.functional.leaky_relu(out, 0.2)
        layers.append(x)
    nodes, b = torch.cat(layers, dim=1), tiny.batch
    difference = nodes[tiny.M + b.positives] - nodes[tiny.M + b.negatives]
    loss = -torch.nn.functional.logsigmoid((nodes[b.users] * difference).sum(1)).mean()
    expected = torch.autograd.grad(loss, list(model.parameters()))
    torch.testing.assert_close(found, list(expected))


class TestNgcf(BackboneConformance):
    """Feature-free: it cannot know cold items."""

    backbone = "ngcf"
