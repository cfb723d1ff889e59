"""Folded-in users against `implicit`, against the trained ones, and against the definitions."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from cliper.backbones import backbone_entry, create_backbone
from cliper.data import Interactions
from cliper.scoring import FactorFoldIn, FactorScorer, LeastSquares, Neighbours, Scorer
from cliper.scoring.fold_in import FoldIn
from cliper.testing import toy_world

WORLD = toy_world()


def folded(name: str, **options: object) -> tuple[Scorer, FoldIn]:
    features = None if backbone_entry(name).features == "none" else WORLD.features
    model = create_backbone(name, WORLD.train, features, options)
    model.eval()
    with torch.no_grad():
        scorer = model.scorer()
    config = backbone_entry(name).config.parse(options)
    fold_in = model.fold_in(config, scorer, WORLD.train.item_counts(), model.state_dict())
    assert fold_in is not None
    return scorer, fold_in


def histories(log: Interactions = WORLD.train) -> list[np.ndarray]:
    """What each user took, by time."""
    order = log.by_time()
    cuts = np.cumsum(log.user_counts())[:-1]
    return list(np.split(log.item_index[order], cuts))


def test_ials_is_what_implicit_recalculates() -> None:
    from implicit.cpu.als import AlternatingLeastSquares

    _, fold_in = folded("ials", embedding_size=8, confidence=7.0, ridge=0.5)
    assert isinstance(fold_in, FactorFoldIn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        solver = AlternatingLeastSquares(factors=8, regularization=0.5, dtype=np.float64)
    solver.item_factors = fold_in.known.items.numpy().astype(np.float64)
    solver.user_factors = np.zeros((1, 8))
    for taken in (np.array([3]), np.array([5, 0, 17]), np.arange(30)):
        row = sp.csr_matrix((np.full(len(taken), 8.0), ([0] * len(taken), taken)), shape=(1, 80))
        expected = solver.recalculate_user(0, row)
        found = fold_in.scorer([taken]).tensors()["users"][0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ease", "itemknn", "turbo-cf", "popularity", "sasrec", "gru4rec"])
def test_a_known_users_history_gives_the_known_scores(name: str) -> None:
    scorer, fold_in = folded(name)
    some = [0, 7, 41]
    scores = fold_in.scorer([histories()[user] for user in some])(torch.arange(len(some)))
    torch.testing.assert_close(scores, scorer(torch.tensor(some)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ease", "itemknn", "turbo-cf", "ials", "vbpr", "lightgcn"])
def test_where_a_score_is_a_sum_its_parts_add_up(name: str) -> None:
    _, fold_in = folded(name)
    assert fold_in.is_sum
    history, items = histories()[3], np.array([1, 2, 60, 79])
    parts = fold_in.parts(history, items)
    assert parts.shape == (4, len(history))
    scores = fold_in.scorer([history])(torch.tensor([0]))[0, items]
    nothing = fold_in.scorer([np.empty(0, np.int64)])(torch.tensor([0]))[0, items]  # a bias
    torch.testing.assert_close(parts.sum(1), scores - nothing, rtol=1e-4, atol=1e-5)


def test_elsewhere_a_part_is_what_the_score_loses() -> None:
    _, fold_in = folded("sasrec")
    assert not fold_in.is_sum
    history, items = histories()[3], np.array([1, 79])
    parts = fold_in.parts(history, items)
    for at in range(len(history)):
        both = fold_in.scorer([history, np.delete(history, at)])(torch.tensor([0, 1]))[:, items]
        torch.testing.assert_close(parts[:, at], both[0] - both[1])


def test_what_all_users_share_is_kept_and_not_solved_for() -> None:
    generator = torch.Generator().manual_seed(0)
    free = torch.randn(9, 3, generator=generator)
    items = torch.randn(20, 4, generator=generator)
    users = torch.cat([free, torch.full((9, 1), 2.5)], dim=1)
    taken = np.array([4, 11])
    whole = FactorFoldIn.fit(FactorScorer(users, items), LeastSquares())
    alone = FactorFoldIn.fit(FactorScorer(free, items[:, :3]), LeastSquares())
    vector = whole.scorer([taken]).tensors()["users"][0]
    assert vector[3] == 2.5
    assert whole.extended(whole.known).equation is whole.equation  # fitted once
    torch.testing.assert_close(vector[:3], alone.scorer([taken]).tensors()["users"][0])


def test_neighbours_receive_what_propagation_sends() -> None:
    """Of LightGCN's propagation, one step from the items' vectors, by its own matrix."""
    from cliper.graphs import normalized_adjacency

    matrix = WORLD.train.matrix()
    items = torch.randn(80, 5, generator=torch.Generator().manual_seed(1))
    known = FactorScorer(torch.randn(80, 5), items)
    fold_in = FactorFoldIn.fit(known, Neighbours(WORLD.train.item_counts()))
    received = normalized_adjacency(matrix)[:80, 80:] @ items.numpy()
    vectors = fold_in.scorer([matrix[user].indices for user in range(80)]).tensors()["users"]
    np.testing.assert_allclose(vectors, received, rtol=1e-5, atol=1e-6)
