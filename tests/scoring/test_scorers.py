"""Scorers against dense products, and through their tensors and back."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from cliper.errors import InputError
from cliper.ranking import rank
from cliper.scoring import HistoryScorer, restore_scorer

HISTORY = sp.random(5, 7, 0.5, format="csr", random_state=0)
HISTORY.data[:] = 1
WEIGHTS = sp.random(7, 7, 0.4, format="csr", random_state=1)


@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS.toarray()], ids=["sparse", "dense"])
def test_history_scorer(weights) -> None:
    scorer = HistoryScorer(HISTORY, weights)
    dense = (HISTORY @ WEIGHTS).toarray()
    users, some = torch.tensor([3, 0]), torch.tensor([6, 2])
    np.testing.assert_allclose(scorer(users), dense[[3, 0]], rtol=1e-6)
    np.testing.assert_allclose(scorer.restrict(some)(users), dense[[3, 0]][:, [6, 2]], rtol=1e-6)
    columns = WEIGHTS.toarray().T
    lengths = np.maximum(np.linalg.norm(columns, axis=1), 1e-12)
    cosines = columns @ columns.T / np.outer(lengths, lengths)
    np.testing.assert_allclose(scorer.similarities(some), cosines[[6, 2]], rtol=1e-5, atol=1e-7)
    again = restore_scorer("history", scorer.tensors())
    assert torch.equal(again(users), scorer(users)) and again.shape == (5, 7)
    ranked = rank(scorer, [3, 0], 2, candidates=[2, 4, 6])
    for row, user in zip(ranked.items, [3, 0], strict=True):
        assert row.tolist() == sorted([2, 4, 6], key=lambda i: (-dense[user, i], i))[:2]


def test_an_unknown_kind_or_a_missing_tensor_is_said() -> None:
    with pytest.raises(InputError, match="no scorer of kind 'other'"):
        restore_scorer("other", {})
    with pytest.raises(InputError, match="missing"):
        restore_scorer("factors", {"users": torch.ones(1, 1)})
