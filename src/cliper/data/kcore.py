"""k-core: the largest set of rows in which every user and every item has at least k rows."""

import numpy as np
import numpy.typing as npt

from cliper.errors import InputError
from cliper.types import BoolArray


def k_core(
    user_index: npt.NDArray[np.integer], item_index: npt.NDArray[np.integer], k: int
) -> BoolArray:
    """Mask (n,) of the rows in the k-core of the user-item graph (Seidman, 1983).

    Rows of users and items with fewer than `k` rows are removed until nothing changes. The
    result does not depend on the order of removal. Rows are counted as they are, so duplicate
    pairs must be gone before.

    Args:
        user_index, item_index: non-negative integers (n,), parallel.
        k: at least 0; 0 and 1 keep every row.

    Raises:
        InputError: `k` is negative.

    >>> k_core(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 1]), 2).tolist()
    [True, True, True, True, False]
    """
    if k < 0:
        raise InputError(f"k-core needs k of at least 0, got {k}", where="k_core")
    rows = np.arange(len(user_index))
    users, items = np.asarray(user_index), np.asarray(item_index)
    while k > 1 and len(rows):
        keep = (np.bincount(users)[users] >= k) & (np.bincount(items)[items] >= k)
        if keep.all():
            break
        rows, users, items = rows[keep], users[keep], items[keep]
    mask = np.zeros(len(user_index), dtype=np.bool_)
    mask[rows] = True
    return mask
