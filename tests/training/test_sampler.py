"""The sampler against sets: never a positive, uniform over the rest, every pair once."""

import numpy as np
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
