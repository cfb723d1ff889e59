"""The sampler against sets: never a positive, uniform over the rest, every pair once."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from cliper.data import Interactions, Vocabulary
from cliper.testing import toy_world
from cliper.training import UniformSampler


def interactions(pairs: list[tuple[int, int]], m: int, n: int) -> Interactions:
    index = np.array(pairs, dtype=np.int64)
    users, items = Vocabulary(map(str, range(m))), Vocabulary(map(str, range(n)))
    return Interactions(users, items, index[:, 0].copy(), index[:, 1].copy())


def test_an_epoch_is_every_pair_once_with_a_true_negative() -> None:
    train = toy_world().train
    taken = set(zip(train.user_index.tolist(), train.item_index.tolist(), strict=True))
    sampler = UniformSampler(train, 64, np.random.default_rng(0))
    batches = list(sampler.epoch())
    assert len(batches) == sampler.batches
    pairs = [p for b in batches for p in zip(b.users.tolist(), b.positives.tolist(), strict=True)]
    assert sorted(pairs) == sorted(taken)
    negatives = [
        p for b in batches for p in zip(b.users.tolist(), b.negatives.tolist(), strict=True)
    ]
    assert not taken & set(negatives)


def test_negatives_are_uniform_over_what_a_user_did_not_take() -> None:
    train = interactions([(0, 0), (0, 1), (1, 2), (1, 3), (1, 4), (0, 5)], 2, 7)  # 6 is cold
    sampler = UniformSampler(train, 4, np.random.default_rng(0))
    drawn = sampler.negatives(np.zeros(9000, dtype=np.int64))
    counts = np.bincount(drawn, minlength=7)
    assert counts[[0, 1, 5, 6]].sum() == 0
    assert stats.chisquare(counts[[2, 3, 4]]).pvalue > 1e-3


def test_a_user_who_took_everything_is_left_out_and_counted() -> None:
    train = interactions([(0, 0), (0, 1), (1, 0)], 2, 3)
    sampler = UniformSampler(train, 2, np.random.default_rng(0))
    assert sampler.left_out == 2
    (batch,) = sampler.epoch()
    assert batch.users.tolist() == [1] and batch.negatives.tolist() == [1]


def dense_world(items: int = 60, pool: int = 50) -> Interactions:
    """User u leaves u items of the pool, for u of 1 to 6; user 0 takes five, so does user 7."""
    rng = np.random.default_rng(3)
    pairs = [(0, i) for i in range(5)] + [(7, i) for i in range(20, 25)]
    for user in range(1, 7):
        left = set(rng.choice(pool, user, replace=False).tolist())
        pairs += [(user, i) for i in range(pool) if i not in left]
    return interactions(pairs, 8, items)


def allowed(train: Interactions, user: int) -> list[int]:
    """By sets: items of the pool that the user did not take."""
    mine = set(train.item_index[train.user_index == user].tolist())
    return sorted(set(train.item_index.tolist()) - mine)


def test_users_who_took_nearly_everything_get_a_uniform_negative() -> None:
    train = dense_world()
    sampler = UniformSampler(train, 64, np.random.default_rng(1))
    users = np.tile(np.arange(8), 4000)
    drawn = sampler.negatives(users)
    for user in range(8):
        found, counts = np.unique(drawn[users == user], return_counts=True)
        assert found.tolist() == allowed(train, user)
        if len(found) > 1:
            assert stats.chisquare(counts).pvalue > 1e-4, user


def test_every_number_is_its_non_positive() -> None:
    """The way without refusals against a sorted list, for all that can be asked."""
    train = dense_world()
    sampler = UniformSampler(train, 64, np.random.default_rng(1))
    asked = [(u, n) for u in range(1, 7) for n in range(u)]
    users, numbers = (np.array(column) for column in zip(*asked, strict=True))
    expected = [allowed(train, u)[n] for u, n in asked]
    assert sampler._non_positive(users, numbers).tolist() == expected


class Counted(np.random.Generator):
    """Counts the numbers that are drawn."""

    drawn = 0

    def integers(  # type: ignore[no-untyped-def, override]
        self, low, high=None, size=None, **rest
    ):
        made = super().integers(low, high, size, **rest)
        self.drawn += int(np.size(made))
        return made


@pytest.mark.parametrize("left", [1, 3, 600, 1250, 5000])
def test_an_epoch_draws_a_bounded_number_of_times(left: int) -> None:
    """One of 10,000 items left: by refusals alone 10,000 draws a row were expected."""
    n = 10_000
    pairs = [(0, i) for i in range(n - left)] + [(1, i) for i in range(0, n, 100)] + [(1, n - 1)]
    pairs += [(2, i) for i in range(n)]  # the pool is everything; user 2 has no negative
    sampler = UniformSampler(interactions(pairs, 3, n), 2048, np.random.default_rng(0))
    generator = Counted(np.random.PCG64(0))
    sampler.generator = generator
    assert sum(len(batch) for batch in sampler.epoch()) == n - left + 101
    assert generator.drawn <= 8.5 * (n - left + 101)


def test_draws_of_ordinary_users_are_those_of_plain_refusal() -> None:
    """Nobody took more than 7/8 of the items: the same numbers as ever, byte for byte."""
    train = toy_world().train

    def plain(users: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
        pool = np.unique(train.item_index)
        taken = set(zip(train.user_index.tolist(), train.item_index.tolist(), strict=True))
        drawn = pool[rng.integers(len(pool), size=len(users))]
        again = [r for r, p in enumerate(zip(users, drawn, strict=True)) if tuple(p) in taken]
        while again:
            drawn[again] = pool[rng.integers(len(pool), size=len(again))]
            again = [r for r in again if (users[r], drawn[r]) in taken]
        return drawn

    sampler = UniformSampler(train, 64, np.random.default_rng(5))
    expected = plain(train.user_index, np.random.default_rng(5))
    assert sampler.negatives(train.user_index).tolist() == expected.tolist()
