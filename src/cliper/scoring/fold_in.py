"""Users that a model has never seen, from what they took: the equations, all of them here.

The items stay as they were trained; a history j_1 … j_n gives the user's side of the score.

- `WeightsFoldIn`, item weights and filters (EASE, ItemKNN, Turbo-CF): score(u, i) = Σ_j W_ji, or
  h_u Σ_k a_k Pᵏ with h_u = Σ_j e_j. The history is all that they know of any user: exact.
- `FactorFoldIn` with `LeastSquares` (factor models). Hu, Koren and Volinsky, "Collaborative
  Filtering for Implicit Feedback Datasets", ICDM 2008, Eq. 4 with the item factors fixed:
  x_u = (YᵀY + α Σ_j y_j y_jᵀ + λ I)⁻¹ (1 + α) Σ_j y_j, and Section 5:
  score(u, i) = Σ_j (1 + α) y_iᵀ A⁻¹ y_j, a sum over the history. It is what iALS itself does; for
  models of other losses the factors are the same kind of thing, and α, λ are conventions.
- `FactorFoldIn` with `Neighbours` (graph models). A user node without a vector of its own receives
  x_u = Σ_j y_j / √(|u| |j|) from its items' final vectors, one step of LightGCN's propagation (He
  et al., SIGIR 2020, Eq. 3).
- `LeftOut`, everything else (sequence models read the history; NeuMF): no sum, so an item's part
  in a score is what the score loses without it.

Coordinates that are the same number for all trained users (the 1 that an item bias is multiplied
with) are not solved for: they keep that number.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cliper.scoring.base import Scorer
from cliper.scoring.factors import FactorScorer
from cliper.scoring.filter import FilterScorer
from cliper.scoring.history import HistoryScorer
from cliper.types import IndexArray


class FoldIn(ABC):
    """Scores for people who are known by what they took alone.

    Class attributes:
        is_sum: a score is a sum over the history, so that `parts` are exact.
    """

    is_sum: ClassVar[bool]

    @abstractmethod
    def scorer(self, histories: Sequence[IndexArray]) -> Scorer:
        """What ranks for B visitors, as users 0 … B-1; a history is item indices, oldest first."""

    @abstractmethod
    def extended(self, scorer: Scorer) -> Self:
        """The same for a scorer with more items behind those that there were."""

    def make_ready(self) -> None:
        """Do now what the first history would wait for."""
        return

    def parts(self, history: IndexArray, items: IndexArray) -> Tensor:
        """What each of the history's n items puts into the scores of t items: (t, n).

        Where a score is no sum: what it loses when that item is left out of the history.
        """
        some = torch.from_numpy(items)
        left_out = [np.delete(history, at) for at in range(len(history))]
        scores = self.scorer([history, *left_out]).restrict(some)(torch.arange(len(history) + 1))
        return (scores[:1] - scores[1:]).T


@dataclass(frozen=True, eq=False)
class WeightsFoldIn(FoldIn):
    """For scorers whose users are their histories and nothing else: exact.

    >>> weights = np.array([[0.0, 2.0], [3.0, 0.0]])
    >>> known = HistoryScorer(sp.csr_matrix([[1.0, 1.0]]), weights)
    >>> WeightsFoldIn(known).scorer([np.array([1])])(torch.tensor([0])).tolist()
    [[3.0, 0.0]]
    """

    is_sum: ClassVar[bool] = True
    known: HistoryScorer | FilterScorer

    def scorer(self, histories: Sequence[IndexArray]) -> Scorer:
        """The same weights on other histories."""
        return self.known.of(history_matrix(histories, self.known.history.shape[1]))

    def extended(self, scorer: Scorer) -> Self:
        """On the weights of `scorer`."""
        assert isinstance(scorer, HistoryScorer | FilterScorer)
        return replace(self, known=scorer)

    def parts(self, history: IndexArray, items: IndexArray) -> Tensor:
        """Scores of one-item histories, which add up to the score: both are linear in it."""
        alone = self.scorer([history[at : at + 1] for at in range(len(history))])
        return alone.restrict(torch.from_numpy(items))(torch.arange(len(history))).T


class UserEquation(ABC):
    """How a history becomes a vector of the free coordinates, as a sum over its items."""

    @abstractmethod
    def fitted(self, items: Tensor) -> Self:
        """Ready for the trained items (N, d)."""

    @abstractmethod
    def parts(self, taken: Tensor, rows: IndexArray) -> Tensor:
        """The sum's terms (n, d), from the vectors `taken` (n, d) of the items `rows` (n,)."""


@dataclass(frozen=True, eq=False)
class LeastSquares(UserEquation):
    """x_u = (YᵀY + α Σ_j y_j y_jᵀ + λ I)⁻¹ (1 + α) Σ_j y_j, in float64.

    Attributes:
        confidence: α.
        ridge: λ.
        relative: λ is in units of the mean of YᵀY's diagonal, so that it means the same whatever
            the factors' scale; False for λ as it is.
    """

    confidence: float = 40.0
    ridge: float = 1.0
    relative: bool = True
    gram: Tensor | None = None

    def fitted(self, items: Tensor) -> Self:
        """With YᵀY, and λ in its place on the diagonal."""
        y = items.double()
        gram = y.T @ y
        scale = gram.diagonal().mean().clamp(min=1e-12) if self.relative else 1.0
        gram.diagonal().add_(self.ridge * scale)
        return replace(self, gram=gram)

    def parts(self, taken: Tensor, rows: IndexArray) -> Tensor:
        """(1 + α) A⁻¹ y_j."""
        assert self.gram is not None
        y = taken.double()
        a = self.gram + self.confidence * (y.T @ y)
        terms: Tensor = torch.linalg.solve(a, (1 + self.confidence) * y.T)
        return terms.T.float()


@dataclass(frozen=True, eq=False)
class Neighbours(UserEquation):
    """x_u = Σ_j y_j / √(|u| |j|), |j| an item's training interactions (N,), at least 1."""

    counts: IndexArray

    def fitted(self, items: Tensor) -> Self:
        """As it is."""
        return self

    def parts(self, taken: Tensor, rows: IndexArray) -> Tensor:
        """y_j / √(|u| |j|); an item that came later counts as taken once."""
        known = rows < len(self.counts)
        counts = np.where(known, self.counts[np.where(known, rows, 0)], 1)
        scale = 1 / np.sqrt(np.maximum(counts, 1) * len(rows))
        return taken * torch.from_numpy(scale.astype(np.float32))[:, None]


@dataclass(eq=False)
class Fitting:
    """An equation and what it is fitted to, once, when somebody comes with a history."""

    unfitted: UserEquation
    items: Tensor
    free: Tensor

    @cached_property
    def equation(self) -> UserEquation:
        """Fitted."""
        items = self.items if bool(self.free.all()) else self.items[:, self.free]
        return self.unfitted.fitted(items)


@dataclass(frozen=True, eq=False)
class FactorFoldIn(FoldIn):
    """For inner products: a user vector from the vectors of the history.

    Attributes:
        known: the scorer of the trained users, for its items.
        fixed: what every user vector has, (d,), zero in the free coordinates.
        free: bool (d,).
        fitting: of the equation to the trained items' free coordinates.
    """

    is_sum: ClassVar[bool] = True
    known: FactorScorer
    fixed: Tensor
    free: Tensor
    fitting: "Fitting"

    @classmethod
    def fit(cls, known: FactorScorer, equation: UserEquation) -> Self:
        """For a trained model; what all its users have in common stays as it is."""
        users, items = known.users.detach(), known.items.detach()
        if len(users) > 1:
            free = users.amin(dim=0) != users.amax(dim=0)
        else:
            free = torch.zeros(users.shape[1], dtype=torch.bool)
        fixed = torch.where(free, 0.0, users[0]) if len(users) else torch.zeros(items.shape[1])
        return cls(known, fixed, free, Fitting(equation, items, free))

    @property
    def equation(self) -> UserEquation:
        """Fitted to the free coordinates, when it is first asked for."""
        return self.fitting.equation

    def make_ready(self) -> None:
        """Fit the equation."""
        self.fitting.equation  # noqa: B018

    def vectors(self, history: IndexArray) -> Tensor:
        """The terms (n, d) of a user vector, `fixed` apart."""
        taken = self.known.items[torch.from_numpy(history)]
        terms = torch.zeros_like(taken)
        if len(history) and bool(self.free.any()):
            terms[:, self.free] = self.equation.parts(taken[:, self.free], history)
        return terms

    def scorer(self, histories: Sequence[IndexArray]) -> FactorScorer:
        """Folded vectors beside the items."""
        users = [self.fixed + self.vectors(history).sum(0) for history in histories]
        return self.known.of(torch.stack(users) if users else self.known.users[:0])

    def extended(self, scorer: Scorer) -> Self:
        """With more items; what was fitted to the trained ones stays."""
        assert isinstance(scorer, FactorScorer)
        return replace(self, known=scorer)

    def parts(self, history: IndexArray, items: IndexArray) -> Tensor:
        """y_i · x_j for each term x_j; what a bias adds is no item's."""
        return self.known.items[torch.from_numpy(items)] @ self.vectors(history).T


def default_fold_in(scorer: Scorer) -> FoldIn | None:
    """By the scorer's kind: exact for weights, `LeastSquares` for factors, None for others."""
    if isinstance(scorer, HistoryScorer | FilterScorer):
        return WeightsFoldIn(scorer)
    if isinstance(scorer, FactorScorer):
        return FactorFoldIn.fit(scorer, LeastSquares())
    return None


def history_matrix(histories: Sequence[IndexArray], n_items: int) -> sp.csr_matrix:
    """Binary CSR (B, N) of histories; an item that occurs twice counts once.

    >>> history_matrix([np.array([2, 0]), np.array([], dtype=int)], 3).toarray().tolist()
    [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    distinct = [np.unique(history) for history in histories]
    ends = np.cumsum([0, *map(len, distinct)])
    columns = np.concatenate([np.empty(0, np.int64), *distinct])
    ones = np.ones(len(columns), dtype=np.float32)
    return sp.csr_matrix((ones, columns, ends), shape=(len(histories), n_items))
