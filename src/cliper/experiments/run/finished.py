"""`Run`: a finished training, for people who work in Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

from cliper.notebook import Shown, html_table
from cliper.runs import Results, RunDirectory
from cliper.serving import Recommendation, Recommender, frame_of


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

    @overload
    def recommend(
        self, users: Sequence[str] | None = ..., k: int = ..., *, as_frame: Literal[True],
        **options: Any,
    ) -> Any: ...  # fmt: skip
    @overload
    def recommend(
        self, users: Sequence[str] | None = ..., k: int = ..., *, as_frame: Literal[False] = ...,
        **options: Any,
    ) -> list[Recommendation]: ...  # fmt: skip
    def recommend(
        self,
        users: Sequence[str] | None = None,
        k: int = 10,
        *,
        as_frame: bool = False,
        **options: Any,
    ) -> Any:
        """The k best items for each user, or for a `history`; see `Recommender.recommend`.

        With `as_frame` as a DataFrame of pandas (extra `notebook`).
        """
        found = self.recommender.recommend(users, k, **options)
        return frame_of(found) if as_frame else found

    @overload
    def similar_items(
        self, items: Sequence[str], k: int = ..., *, as_frame: Literal[True], **options: Any
    ) -> Any: ...
    @overload
    def similar_items(
        self, items: Sequence[str], k: int = ..., *, as_frame: Literal[False] = ..., **options: Any
    ) -> list[Recommendation]: ...
    def similar_items(
        self, items: Sequence[str], k: int = 10, *, as_frame: bool = False, **options: Any
    ) -> Any:
        """The k nearest items of each item; see `Recommender.similar_items`, and `recommend`."""
        found = self.recommender.similar_items(items, k, **options)
        return frame_of(found) if as_frame else found

    def show(self, user: str, k: int = 10, *, history: int = 10) -> Shown:
        """What a user took and what is recommended, as a notebook draws it: with pictures.

        Args:
            user: its id.
            k: how many recommendations.
            history: how many of the latest items that the user took.

        Raises:
            InputError: an unknown user, or k below 1.

        >>> run.show("ann").save("ann.html")  # doctest: +SKIP
        """
        from cliper.experiments.run.show import show_user  # pictures, for this alone

        return show_user(self.directory, self.recommender, user, k, history)

    def __repr__(self) -> str:
        r = self.results
        shown = "".join(f", {m} {v:.4f}" for m, v in list(r.test.items())[:1])
        return (
            f"Run({str(self.path)!r}: {r.backbone} with {_features(r)} on {r.dataset.name}{shown})"
        )

    def _repr_html_(self) -> str:
        r = self.results
        facts = [
            ("dataset", f"{r.dataset.name}: {r.dataset.users:,} users, {r.dataset.items:,} items"),
            ("split", f"{r.protocol.split}, seed {r.protocol.seed}"),
            ("features", _features(r)),
            ("epochs", f"{r.epochs_run}, best {r.best_epoch}"),
        ]
        numbers = [(metric, f"{100 * value:.2f} %") for metric, value in r.test.items()]
        return html_table(["", ""], [*facts, *numbers], f"{r.backbone}: {self.path}")


def _features(results: Results) -> str:
    facts = results.features
    encoder = f" of {facts.encoder}" if facts.encoder and facts.kind == "cliper" else ""
    return f"{facts.fusion or ''} {facts.kind} features{encoder}".strip()
