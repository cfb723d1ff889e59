"""A share of the training rows: counted by hand, nested, and nobody lost."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.data import Dataset, Interactions, Split, Vocabulary, make_split
from cliper.data.splits.thin import thin
from cliper.errors import InputError


def split_of(seed: int) -> Split:
    rng = np.random.default_rng(seed)
    pairs = np.unique(rng.integers(0, 30, 500) ** 2 // 30 * 40 + rng.integers(0, 40, 500))
    users, items = (Vocabulary([f"{p}{i}" for i in range(40)]) for p in "ui")
    log = Interactions(users, items, pairs // 40, pairs % 40, None, rng.permutation(len(pairs)))
    return make_split(Dataset("toy", log), "random", seed)


def rows(part: Interactions) -> list[tuple[int, int, int]]:
    assert part.timestamp is not None
    return list(zip(part.user_index.tolist(), part.item_index.tolist(), part.timestamp.tolist(),
                    strict=True))  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.sampled_from(["0.01", "0.1", "0.25", "0.5", "0.9"]))
def test_each_user_keeps_the_share_rounded_up(seed: int, share: str) -> None:
    whole = split_of(seed)
    thinned = thin(whole, float(share))
    for user in range(whole.train.n_users):
        had = int((whole.train.user_index == user).sum())
        kept = int((thinned.train.user_index == user).sum())
        assert kept == -((-had * Fraction(share)) // 1)
    assert thinned.withheld is not None
    assert sorted(rows(thinned.train) + rows(thinned.withheld)) == sorted(rows(whole.train))
    assert sorted(rows(thinned.taken)) == sorted(rows(whole.train))
    assert rows(thinned.test) == rows(whole.test)
    assert rows(thinned.valid) == rows(whole.valid)


def test_smaller_shares_keep_a_subset_and_the_draw_is_the_seeds() -> None:
    whole = split_of(3)
    few, more = thin(whole, 0.2), thin(whole, 0.6)
    assert set(rows(few.train)) < set(rows(more.train))
    assert rows(thin(whole, 0.2).train) == rows(few.train)


def test_the_whole_is_the_split_itself() -> None:
    whole = split_of(0)
    assert thin(whole, 1.0) is whole
    assert whole.taken is whole.train


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_bad_shares(share: float) -> None:
    with pytest.raises(InputError, match="train_share"):
        thin(split_of(0), share)
