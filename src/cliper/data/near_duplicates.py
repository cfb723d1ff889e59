"""Pictures that look alike: the same motif saved again, scaled, or compressed anew.

A picture's perceptual hash is 64 bits of its low frequencies (pHash). Two pictures are near
duplicates where at most `MOST_BITS` of them differ.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

HashArray = npt.NDArray[np.uint64]
MOST_BITS = 3
_BANDS = 4  # of 16 bits: with at most 3 differing bits one band is equal (pigeonhole)


def near_duplicate_pairs(hashes: HashArray) -> npt.NDArray[np.int64]:
    """All pairs of rows that differ in at most three bits, without comparing all pairs.

    Args:
        hashes: (n,) distinct pictures' hashes.

    Returns:
        (p, 2) positions, each pair once, the lower first, sorted.

    >>> near_duplicate_pairs(np.array([0, 7, 2**63, 15], dtype=np.uint64)).tolist()
    [[0, 1], [0, 2], [1, 3]]
    """
    found = []
    for band in range(_BANDS):
        part = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.argsort(part, kind="stable")
        bounds = np.flatnonzero(np.diff(part[order])) + 1
        for group in np.split(order, bounds):
            for i, first in enumerate(group[:-1]):
                rest = group[i + 1 :]
                near = np.bitwise_count(hashes[first] ^ hashes[rest]) <= MOST_BITS
                found.append(np.stack([np.full(near.sum(), first), rest[near]], axis=1))
    if not found:
        return np.empty((0, 2), dtype=np.int64)
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def groups_of(pairs: npt.NDArray[np.int64], n: int) -> list[list[int]]:
    """Connected groups of two or more, the largest first.

    >>> groups_of(np.array([[0, 1], [3, 4], [1, 2]]), 6)
    [[0, 1, 2], [3, 4]]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    members: dict[int, list[int]] = {}
    for place in np.unique(pairs):
        members.setdefault(int(labels[place]), []).append(int(place))
    return sorted(members.values(), key=lambda group: (-len(group), group))


def named_groups(hashes: Sequence[int], names: Sequence[str]) -> list[list[str]]:
    """Groups of near duplicates by name, e.g. of items or files."""
    array = np.array(hashes, dtype=np.uint64)
    return [
        [names[i] for i in group] for group in groups_of(near_duplicate_pairs(array), len(array))
    ]
