"""SMORE against its paper's formulas, written out as loops, and the conformance suite."""

import cmath
import math

import numpy as np
import pytest
import torch

from cliper.backbones import Backbone, create_backbone
from cliper.testing.conformance import BackboneConformance

OPTIONS = {
    "embedding_size": 3, "n_layers": 2, "n_item_layers": 2, "image_neighbours": 3,
    "text_neighbours": 2, "dropout": 0.0, "contrast_weight": 0.7, "temperature": 0.5, "l2": 0.3,
}  # fmt: skip


class TestSmore(BackboneConformance):
    backbone = "smore"
    # 40 and 15 of 80 items would be a whole group and as many strangers.
    options = {"image_neighbours": 8, "text_neighbours": 5}  # noqa: RUF012


def create(tiny, features=None, **options) -> Backbone:
    """A model none of whose parameters is at its tame starting value."""
    model = create_backbone("smore", tiny.train, features or tiny.features, {**OPTIONS, **options})
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    return model


def dft(x: np.ndarray) -> np.ndarray:
    """Orthonormal discrete Fourier transform of one row, by its definition."""
    d = len(x)
    rows = [sum(x[n] * cmath.exp(-2j * math.pi * n * k / d) for n in range(d)) for k in range(d)]
    return np.array(rows) / math.sqrt(d)


def filtered(spectrum: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """F⁻¹(ω ⊙ x̃) of a real row; the upper frequencies are the lower ones' conjugates.

    A real row has real weights at frequency 0 and, where d is even, at d/2.
    """
    d = len(spectrum)
    omega = np.zeros(d, dtype=complex)
    for k in range(d // 2 + 1):
        real = k in (0, d / 2)
        omega[k] = complex(pairs[k, 0], 0 if real else pairs[k, 1])
        omega[-k % d] = omega[k].conjugate()
    product = omega * spectrum
    rows = [
        sum(product[k] * cmath.exp(2j * math.pi * n * k / d) for k in range(d)) for n in range(d)
    ]
    return np.array(rows).real / math.sqrt(d)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum()


def cosine_graph(f: np.ndarray, k: int) -> np.ndarray:
    n = len(f)
    graph = np.zeros((n, n))
    for a in range(n):
        cosine = [f[a] @ f[b] / np.linalg.norm(f[a]) / np.linalg.norm(f[b]) for b in range(n)]
        for b in sorted(range(n), key=lambda b: -cosine[b])[:k]:
            graph[a, b] = max(0.0, cosine[b])
    degree = graph.sum(1)
    return np.array(
        [[graph[a, b] / math.sqrt(degree[a] * degree[b]) for b in range(n)] for a in range(n)]
    )


def info_nce(anchor: np.ndarray, other: np.ndarray, temperature: float) -> float:
    total = 0.0
    for a in range(len(anchor)):
        logits = [
            anchor[a] @ row / np.linalg.norm(anchor[a]) / np.linalg.norm(row) / temperature
            for row in other
        ]
        total -= math.log(math.exp(logits[a]) / sum(math.exp(x) for x in logits))
    return total / len(anchor)


def paper(tiny, model, modalities=("image", "text"), **options):
    """E_b and E_s, (M + N, d) each, row by row."""
    option = {**OPTIONS, **options}
    p = {n: x.detach().numpy().astype(np.float64) for n, x in model.named_parameters()}
    d = option["embedding_size"]
    free = p["nodes"]
    spectra = {}
    for m in modalities:
        f = tiny.features.tables[m].numpy().astype(np.float64)
        f = f / math.sqrt((f**2).mean())
        hidden = f @ p[f"content.{m}.weight"].T + p[f"content.{m}.bias"]
        spectra[m] = [dft(row) for row in hidden]
    spectra["fused"] = [np.prod(rows, axis=0) for rows in zip(*spectra.values(), strict=True)]
    graphs = {
        m: cosine_graph(tiny.features.tables[m].numpy(), option[f"{m}_neighbours"])
        for m in modalities
    }
    graphs["fused"] = np.max(list(graphs.values()), axis=0)
    adjacency = tiny.adjacency()
    views = {}
    for v, spectrum in spectra.items():
        gate = []
        for row in spectrum:
            denoised = filtered(row, p[f"filters.{v}.pairs"])
            gate.append(sigmoid(p[f"gates.{v}.weight"] @ denoised + p[f"gates.{v}.bias"]))
        items = free[tiny.M :] * np.array(gate)
        for _ in range(option["n_item_layers"]):
            items = graphs[v] @ items
        views[v] = np.concatenate([adjacency[: tiny.M, tiny.M :] @ items, items])
    behaviour = tiny.layer_mean(adjacency, free, option["n_layers"])
    side = np.zeros_like(behaviour)
    weight, bias = p["preference.gate.weight"], p["preference.gate.bias"]
    for row in range(tiny.M + tiny.N):
        parts = []
        for at, v in enumerate(views):
            rows = slice(at * d, (at + 1) * d)
            part = sigmoid(weight[rows] @ behaviour[row] + bias[rows]) * views[v][row]
            if v != "fused":
                name = f"preference.attention.{v}"
                hidden = np.tanh(p[f"{name}.0.weight"] @ views["fused"][row] + p[f"{name}.0.bias"])
                part = part * softmax(p[f"{name}.2.weight"] @ hidden)
            parts.append(part)
        side[row] = np.mean(parts, axis=0)
    return behaviour, side


@pytest.mark.parametrize("width", [3, 4])
def test_final_representations(tiny, width: int) -> None:
    model = create(tiny, embedding_size=width)
    behaviour, side = paper(tiny, model, embedding_size=width)
    users, items = model.embed()
    tiny.close(users, (behaviour + side)[: tiny.M])
    tiny.close(items, (behaviour + side)[tiny.M :])


@pytest.mark.parametrize("modality", ["image", "text"])
def test_one_modality_is_fused_with_nothing(tiny, modality: str) -> None:
    model = create(tiny, tiny.features.only(modality))
    behaviour, side = paper(tiny, model, (modality,))
    tiny.close(torch.cat(model.embed()), behaviour + side)


def test_the_fused_modality_is_a_circular_convolution(tiny) -> None:
    """Before any training: ω is the identity, and a product of spectra a convolution."""
    model = create_backbone("smore", tiny.train, tiny.features, OPTIONS)
    found = model.denoise()
    image, text = (
        model.content[m](model.features[m]()).detach().numpy() for m in ("image", "text")
    )
    tiny.close(found["image"], image)
    d = image.shape[1]
    expected = np.zeros_like(image)
    for row in range(tiny.N):
        for n in range(d):
            terms = [image[row, k] * text[row, (n - k) % d] for k in range(d)]
            expected[row, n] = sum(terms) / math.sqrt(d)
    tiny.close(found["fused"], expected)


def test_loss(tiny) -> None:
    model = create(tiny)
    behaviour, side = paper(tiny, model)
    nodes, free = behaviour + side, model.nodes.detach().numpy().astype(np.float64)
    terms = model.loss(tiny.batch)
    assert set(terms) == {"bpr", "contrast", "l2"}
    tiny.close(terms["bpr"], tiny.bpr(nodes[: tiny.M], nodes[tiny.M :]))
    users, items = free[: tiny.M], free[tiny.M :]
    tiny.close(terms["l2"], 0.3 * tiny.l2((users, 0), (items, 1), (items, 2)))
    rows = [t[0] for t in tiny.triples], [t[1] + tiny.M for t in tiny.triples]
    contrast = sum(info_nce(side[r], behaviour[r], 0.5) for r in rows)
    tiny.close(terms["contrast"], 0.7 * contrast)


def test_a_row_that_occurs_twice_is_no_negative_of_itself(tiny) -> None:
    model = create(tiny)
    twice = type(tiny.batch)(*(torch.cat([c, c]) for c in vars(tiny.batch).values()))
    for name, term in model.loss(tiny.batch).items():
        torch.testing.assert_close(model.loss(twice)[name], term)


def test_dropout_is_of_preferences_in_training_alone(tiny) -> None:
    model = create(tiny, dropout=0.5)
    before = torch.cat(model.embed())
    behaviour, views = model.propagate()
    keep = model._keep(views)
    assert set(keep.unique().tolist()) == {0.0, 2.0}
    dropped = model.preference(behaviour, views, torch.zeros_like(keep))
    assert not dropped.any()
    losses = [float(model.loss(tiny.batch)["bpr"].detach()) for _ in range(2)]
    assert losses[0] != losses[1]
    assert torch.equal(before, torch.cat(model.embed()))
    model.on_epoch_start(torch.Generator().manual_seed(0))
    again = float(model.loss(tiny.batch)["bpr"].detach())
    model.on_epoch_start(torch.Generator().manual_seed(0))
    assert again == float(model.loss(tiny.batch)["bpr"].detach())
