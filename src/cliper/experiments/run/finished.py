"""`Run`: a finished training, for people who work in Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cliper.runs import Results, RunDirectory
from cliper.serving import Recommendation, Recommender


@dataclass(frozen=True)
class Run:
    """A run directory with its results.

    Attributes:
        path: the directory.
        results: what `results.json` holds, e.g. `run.results.test["recall@20"]`.
    """

    path: Path
    results: Results

    @classmethod
    def load(cls, path: Path | str) -> "Run":
        """Open a finished run.

        Raises:
            InputError: there is none at `path`.
        """
        return cls(Path(path), RunDirectory(Path(path)).read_results())

    @property
    def directory(self) -> RunDirectory:
        """The files behind it."""
        return RunDirectory(self.path)

    @cached_property
    def recommender(self) -> Recommender:
        """What answers `recommend` and `similar_items`, loaded on first use."""
        return Recommender.load(self.path)

    def recommend(
        self, users: Sequence[str] | None = None, k: int = 10, **options: Any
    ) -> list[Recommendation]:
        """The k best items for each user, or for a `history`; see `Recommender.recommend`."""
        return self.recommender.recommend(users, k, **options)

    def similar_items(
        self, items: Sequence[str], k: int = 10, **options: Any
    ) -> list[Recommendation]:
        """The k nearest items of each item; see `Recommender.similar_items`."""
        return self.recommender.similar_items(items, k, **options)
