"""What every scorer is, and how one comes back from its tensors."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Self, TypeVar

from torch import Tensor

from cliper.errors import InputError

ScoreFunction = Callable[[Tensor], Tensor]
"""User indices (B,) to scores (B, N) of all items."""


class Scorer(ABC):
    """A function from users to scores of all items that can be saved, restricted and restored.

    Most models end in user and item factors (`FactorScorer`). Those that do not bring a scorer of
    their own, with a `kind` that `register_scorer` makes known.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(M, N): users and items."""

    @abstractmethod
    def __call__(self, users: Tensor) -> Tensor:
        """Scores (B, N) of users (B,)."""

    @abstractmethod
    def restrict(self, candidates: Tensor) -> Self:
        """The same scores for the items `candidates` (n,) alone, as columns 0 … n-1."""

    @abstractmethod
    def similarities(self, items: Tensor) -> Tensor:
        """Cosines (B, N) of the items (B,) with all items, by what the model knows of each."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """All that `from_tensors` needs."""

    @classmethod
    @abstractmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The scorer that `tensors` came from.

        Raises:
            KeyError: a tensor is missing.
        """


S = TypeVar("S", bound=type[Scorer])
_KINDS: dict[str, type[Scorer]] = {}


def register_scorer(scorer: S) -> S:
    """Class decorator: make a scorer known by its `kind`."""
    if scorer.kind in _KINDS:
        raise ValueError(f"two scorers are of kind {scorer.kind!r}")
    _KINDS[scorer.kind] = scorer
    return scorer


def restore_scorer(kind: str, tensors: Mapping[str, Tensor]) -> Scorer:
    """The scorer of one kind from its tensors.

    Raises:
        InputError: no scorer is of that kind, or a tensor is missing.
    """
    if kind not in _KINDS:
        raise InputError(
            f"no scorer of kind {kind!r}", remedy="import the package that its backbone came from"
        )
    try:
        return _KINDS[kind].from_tensors(tensors)
    except KeyError as missing:
        raise InputError(f"a tensor of the scorer is missing: {missing}") from None
