"""`Split`: train, validation and test of one dataset, and what is ranked in each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cliper.data.interactions import Interactions
from cliper.types import IndexArray

SplitKind = Literal[
    "given", "random", "user-time", "global-time", "leave-one-out", "cold-item", "new-user"
]


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint sets of interactions over the same vocabularies.

    Attributes:
        kind, seed: how it was made.
        train, valid, test: the parts.
        valid_candidates, test_candidates: item indices that are ranked, or None for all items
            (the cold-item split ranks among the cold items of that part).
        dropped: rows that belong to no part, counted by reason.
        withheld: training rows that were taken out (`thin`), None where none were. They have
            happened: they are masked in rankings.
        given: histories of users without training rows, which are folded in before their other
            rows are ranked (the new-user split); None for the other kinds.
        equal_times: rows of the dataset that share user and time with another; their order is
            drawn by the seed.
    """

    kind: SplitKind
    seed: int
    train: Interactions
    valid: Interactions
    test: Interactions
    valid_candidates: IndexArray | None = None
    test_candidates: IndexArray | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    withheld: Interactions | None = None
    given: Interactions | None = None
    equal_times: int = 0

    @property
    def taken(self) -> Interactions:
        """What has happened when items are masked: `train`, what was withheld or given."""
        taken = self.train
        for part in (self.withheld, self.given):
            taken = taken if part is None else taken.joined(part)
        return taken
