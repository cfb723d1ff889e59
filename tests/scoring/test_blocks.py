"""A score's bits depend on its user and its item alone: not on who else is asked about, among
which candidates, in which chunks, by how many threads.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from cliper.data import Interactions, Vocabulary
from cliper.ranking import rank
from cliper.scoring import FactorScorer, FilterScorer, HistoryScorer, NeuralScorer, Scorer
from cliper.scoring.blocks import COLUMNS, ROWS, Columns
from cliper.serving import Recommender

M = 80
SIZES = [*range(1, 68), COLUMNS - 1, COLUMNS + 3]
SMALL = (1, 7, 66)  # for scorers that are not products of factors


def twins(n: int, d: int, generator: torch.Generator) -> torch.Tensor:
    """n rows of which the second half repeats the first, so that everyone has ties."""
    half = torch.randn(n - n // 2, d, generator=generator)
    return torch.cat([half, half[: n // 2]])


def neural(n: int, d: int, generator: torch.Generator) -> NeuralScorer:
    layers = []
    for inside, out in ((2 * d, d), (d, max(1, d // 2))):
        weight = torch.randn(out, inside, generator=generator) / inside**0.5
        layers.append((weight, torch.randn(out, generator=generator)))
    users = torch.randn(M, 2 * d, generator=generator)
    h = torch.randn(d + max(1, d // 2), generator=generator)
    return NeuralScorer(users, twins(n, 2 * d, generator), tuple(layers), h)


def scorers(n: int, d: int, seed: int) -> Iterator[Scorer]:
    generator = torch.Generator().manual_seed(seed)
    users = torch.randn(M, d, generator=generator)
    yield FactorScorer(users, twins(n, d, generator))
    if n in SMALL:
        yield neural(n, d, generator)
        taken = sp.random(M, n, 0.3, format="csr", random_state=seed, dtype=np.float32)
        columns = twins(n, n, generator).T.contiguous().numpy()  # equal items, equal columns
        yield HistoryScorer(taken, columns)
        yield HistoryScorer(taken, sp.csr_matrix(np.where(columns > 0.5, columns, 0)))
        graph = np.abs(columns @ columns.T)
        yield FilterScorer(taken, sp.csr_matrix(graph), [1.0, 0.5])


@pytest.mark.parametrize("d", [3, 64])
def test_scores_do_not_depend_on_who_is_asked_with_whom(d: int) -> None:
    for n in SIZES:
        for scorer in scorers(n, d, seed=n):
            whole = scorer(torch.arange(M))
            assert whole.shape == (M, n)
            if not isinstance(scorer, FilterScorer):  # whose equal items have other neighbours
                half = n - n // 2
                assert torch.equal(whole[:, half:], whole[:, : n // 2]), (n, type(scorer))
            for some in ([5], [79, 3, 3], list(range(7, 60))):
                assert torch.equal(scorer(torch.tensor(some)), whole[some]), (n, type(scorer))
            pool = torch.arange(n - 1, -1, -3).flip(0)
            assert torch.equal(scorer.restrict(pool)(torch.arange(M)), whole[:, pool])


def test_threads_do_not_change_a_bit() -> None:
    before = torch.get_num_threads()
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append([s(torch.arange(M)) for n in (7, 66) for s in scorers(n, 64, seed=1)])
    torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_products_against_float64() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(2 * COLUMNS + 5, 24, generator=generator)
    columns = Columns(vectors)
    for count in (0, 1, ROWS, 2 * ROWS + 1):
        rows = torch.randn(count, 24, generator=generator)
        buffer = torch.full((columns.numbers(count) + 3,), torch.nan)
        for found in (columns.products(rows), columns.products(rows, buffer)):
            exact = rows.double() @ vectors.double().T
            assert found.shape == exact.shape
            torch.testing.assert_close(found.double(), exact, atol=1e-4, rtol=1e-5)
        assert torch.isnan(buffer[-3:]).all()
    assert Columns(vectors[:0]).products(vectors[:4]).shape == (4, 0)


@pytest.mark.parametrize("n", [7, 66])
def test_lists_are_the_same_alone_together_and_from_the_recommender(n: int) -> None:
    users, items = (Vocabulary([f"{k}{i}" for i in range(c)]) for k, c in (("u", M), ("i", n)))
    taken = np.random.default_rng(n).random((M, n)) < 0.2
    train = Interactions(users, items, *np.nonzero(taken))
    for scorer in scorers(n, 64, seed=n):
        whole = rank(scorer, np.arange(M), 5, exclude=[train])
        scores = scorer(torch.arange(M)).numpy()
        for user in range(M):  # the rule, written down again
            left = sorted(np.flatnonzero(~taken[user]), key=lambda i: (-scores[user, i], i))[:5]
            assert [i for i in whole.items[user] if i >= 0] == left
        for chunk in (1, 31):
            again = rank(scorer, np.arange(M), 5, exclude=[train], chunk_size=chunk)
            np.testing.assert_array_equal(again.items, whole.items)
            np.testing.assert_array_equal(again.scores, whole.scores)
        shop = Recommender(
            users, items, scorer, train.user_index, train.item_index, train.item_counts()
        )
        names = [f"u{u}" for u in range(M)]
        together = shop.recommend(names, k=5)
        alone = [line for name in names for line in shop.recommend([name], k=5)]
        assert together == alone
        listed = [[int(x.item_id[1:]) for x in together if x.query == name] for name in names]
        assert listed == [[int(i) for i in row if i >= 0] for row in whole.items]
        near = shop.similar_items([f"i{i}" for i in range(n)], k=3)
        assert near == [x for i in range(n) for x in shop.similar_items([f"i{i}"], k=3)]
