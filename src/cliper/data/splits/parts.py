"""What every split computes: the part that each row belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from cliper.data.dataset import Dataset
from cliper.errors import InputError
from cliper.types import BoolArray, IndexArray

Part = Literal["train", "valid", "test", "given"]
TRAIN, VALID, TEST, GIVEN, DROPPED = 0, 1, 2, 3, -1
_CODES: dict[Part, int] = {"train": TRAIN, "valid": VALID, "test": TEST, "given": GIVEN}


@dataclass(frozen=True, eq=False)
class Parts:
    """Part of each row, int8 (n,): 0 train … 3 given, -1 dropped; and what is ranked."""

    part: np.ndarray[Any, np.dtype[np.int8]]
    dropped: Mapping[str, int] = field(default_factory=dict)
    valid_candidates: IndexArray | None = None
    test_candidates: IndexArray | None = None

    def mask(self, part: Part) -> BoolArray:
        """Rows of one part, bool (n,)."""
        mask: BoolArray = self.part == _CODES[part]
        return mask

    def count(self, part: Part) -> int:
        """Number of rows of one part."""
        return int(self.mask(part).sum())


def timestamps(dataset: Dataset, kind: str) -> IndexArray:
    """The dataset's timestamps (n,).

    Raises:
        InputError: it has none.
    """
    times = dataset.interactions.timestamp
    if times is None:
        raise InputError(
            f"the {kind} split needs timestamps and this dataset has none",
            where=dataset.name,
            remedy="prepare it with a 'timestamp' column, or use --split random",
        )
    return times


def drop_users_without_training(
    part: np.ndarray[Any, np.dtype[np.int8]], user_index: IndexArray, n_users: int
) -> dict[str, int]:
    """Mark the held-out rows of users without a training row as dropped, in place.

    Nothing is known of such a user when training ends, so ranking for them measures nothing.
    Returns reason → number of rows.
    """
    trained = np.zeros(n_users, dtype=np.bool_)
    trained[user_index[part == TRAIN]] = True
    dropped: dict[str, int] = {}
    for name, code in (("valid", VALID), ("test", TEST)):
        lost = (part == code) & ~trained[user_index]
        if lost.any():
            dropped[f"{name} row of a user without a training row"] = int(lost.sum())
            part[lost] = DROPPED
    return dropped
