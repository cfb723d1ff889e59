import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.data import k_core
from cliper.errors import InputError

PAIRS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), unique=True, max_size=80)


def loop_k_core(pairs: list[tuple[int, int]], k: int) -> set[tuple[int, int]]:
    """Remove one row at a time, whichever comes first."""
    left = set(pairs)
    while True:
        for user, item in sorted(left):
            if sum(u == user for u, _ in left) < k or sum(i == item for _, i in left) < k:
                left.remove((user, item))
                break
        else:
            return left


@settings(deadline=None)
@given(PAIRS, st.integers(0, 4))
def test_equals_removing_one_row_at_a_time(pairs: list[tuple[int, int]], k: int) -> None:
    users, items = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    mask = k_core(users, items, k)
    assert {pair for pair, kept in zip(pairs, mask, strict=True) if kept} == loop_k_core(pairs, k)


def test_a_chain_unravels_to_nothing() -> None:
    # user i holds items i and i+1: a path, whose 2-core is empty, one end at a time
    users = np.repeat(np.arange(500), 2)
    items = users + np.tile([0, 1], 500)
    assert not k_core(users, items, 2).any()
    assert k_core(users, items, 1).all()


def test_a_cycle_is_its_own_2_core() -> None:
    users = np.repeat(np.arange(50), 2)
    items = (users + np.tile([0, 1], 50)) % 50
    assert k_core(users, items, 2).all()
    assert not k_core(users, items, 3).any()


def test_negative_k_is_refused() -> None:
    with pytest.raises(InputError, match="at least 0"):
        k_core(np.array([0]), np.array([0]), -1)
