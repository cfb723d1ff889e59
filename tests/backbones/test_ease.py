"""EASE against the paper's closed form and its own objective."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from cliper.backbones import create_backbone, ease
from cliper.errors import InputError
from cliper.testing.conformance import BackboneConformance


class TestEase(BackboneConformance):
    backbone = "ease"


def closed_form(tiny, l2: float) -> np.ndarray:
    """Eq. 6 and 8, element by element."""
    x = np.zeros((tiny.M, tiny.N))
    for u, i in tiny.pairs:
        x[u, i] = 1
    p = np.linalg.inv(x.T @ x + l2 * np.eye(tiny.N))
    b = np.zeros((tiny.N, tiny.N))
    for i in range(tiny.N):
        for j in range(tiny.N):
            if i != j:
                b[i, j] = -p[i, j] / p[j, j]
    return x @ b


def test_scores_are_the_closed_form(tiny) -> None:
    for l2 in (0.3, 20.0):
        model = create_backbone("ease", tiny.train, options={"ridge": l2})
        tiny.close(model.scorer()(torch.arange(tiny.M)), closed_form(tiny, l2))


def test_weights_minimise_the_objective_under_a_zero_diagonal(tiny) -> None:
    model = create_backbone("ease", tiny.train, options={"ridge": 0.7})
    x = tiny.train.matrix().toarray().astype(np.float64)
    b = model.weights.astype(np.float64)
    assert not np.diagonal(b).any()
    gradient = -2 * x.T @ (x - x @ b) + 2 * 0.7 * b
    np.fill_diagonal(gradient, 0)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_double_precision_is_needed_and_kept() -> None:
    generator = np.random.default_rng(0)
    x = sp.random(300, 200, 0.2, random_state=generator, data_rvs=np.ones)
    gram = np.asfortranarray((x.T @ x).toarray())
    p = np.linalg.inv(gram + 1e-3 * np.eye(200))
    expected = -p / np.diagonal(p)
    np.fill_diagonal(expected, 0)
    found = ease.item_weights(gram, 1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_too_many_items_are_refused_before_anything_is_held(tiny, monkeypatch) -> None:
    monkeypatch.setattr(ease, "MAX_BYTES", 12 * tiny.N**2 - 1)
    with pytest.raises(InputError, match="EASE needs"):
        create_backbone("ease", tiny.train)
