"""iALS against alternating least squares written as loops."""

import numpy as np
import pytest
import torch

from cliper.backbones import create_backbone
from cliper.testing.conformance import BackboneConformance


class TestIals(BackboneConformance):
    backbone = "ials"
    options = {"embedding_size": 8}  # noqa: RUF012
    warm_share = None  # the measure that the others are held against


def solved(rows: int, preference: np.ndarray, other: np.ndarray, alpha: float, l2: float):
    """Eq. 4: x_u = (Yᵀ C^u Y + λI)⁻¹ Yᵀ C^u p(u), one u at a time."""
    d = other.shape[1]
    found = np.zeros((rows, d))
    for u in range(rows):
        left, right = l2 * np.eye(d), np.zeros(d)
        for i, y in enumerate(other):
            c = 1 + alpha * preference[u, i]
            left += c * np.outer(y, y)
            right += c * preference[u, i] * y
        found[u] = np.linalg.solve(left, right)
    return found


@pytest.mark.parametrize("sweeps", [1, 2, 5])
def test_factors_are_those_of_the_loops_from_the_same_start(tiny, sweeps: int) -> None:
    options = {"embedding_size": 3, "sweeps": sweeps, "confidence": 7.0, "ridge": 0.4}
    model = create_backbone("ials", tiny.train, options=options, seed=3)
    start = torch.rand(tiny.N, 3, generator=torch.Generator().manual_seed(3)).numpy() * 0.01
    items = start.astype(np.float64)
    preference = np.zeros((tiny.M, tiny.N))
    for u, i in tiny.pairs:
        preference[u, i] = 1
    for _ in range(sweeps):
        users = solved(tiny.M, preference, items, 7.0, 0.4)
        items = solved(tiny.N, preference.T, users, 7.0, 0.4)
    found = model.embed()
    np.testing.assert_allclose(found[0].numpy(), users, rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(found[1].numpy(), items, rtol=2e-4, atol=1e-5)


def test_a_cold_item_has_no_factors(tiny) -> None:
    assert not create_backbone("ials", tiny.train).embed()[1][5].any()
