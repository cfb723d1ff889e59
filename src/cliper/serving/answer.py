"""What a recommender answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import pyarrow as pa

from cliper.errors import InputError

Method = Literal["sum", "leave-one-out"]


@dataclass(frozen=True)
class HistoryShare:
    """The part of a score that one item of the history has."""

    item_id: str
    share: float


@dataclass(frozen=True)
class ViewShare:
    """The part of an item's content that one view, or the picture (`image`), has in a score."""

    view: str
    share: float


@dataclass(frozen=True)
class Reasons:
    """Why an item is recommended. Shares of either kind sum to 1; one is negative where its item
    or view speaks against the recommendation.

    Attributes:
        history: by share, the largest first.
        views: in the views' order; empty where the model knows nothing of content.
        method: `sum` where the score is a sum over the history and the shares are its terms,
            `leave-one-out` where a share is what the score loses without the item.
    """

    history: tuple[HistoryShare, ...]
    views: tuple[ViewShare, ...] = ()
    method: Method = "sum"

    def json_object(self) -> dict[str, Any]:
        """As `cliper serve` answers."""
        return {
            "history": [{"item_id": h.item_id, "share": h.share} for h in self.history],
            "views": [{"view": v.view, "share": v.share} for v in self.views],
            "method": self.method,
        }


@dataclass(frozen=True)
class Recommendation:
    """One row of an answer; `query` is the user (or item) asked about, empty for a history."""

    query: str
    rank: int
    item_id: str
    score: float
    reasons: Reasons | None = None


def frame_of(rows: Sequence[Recommendation]) -> Any:
    """A DataFrame of pandas: `query`, `rank`, `item_id`, `score`, and `reasons` where asked for.

    Raises:
        InputError: pandas is not installed.

    >>> frame_of([Recommendation("ann", 1, "mug", 0.5)]).to_dict("records")
    [{'query': 'ann', 'rank': 1, 'item_id': 'mug', 'score': 0.5}]
    """
    if find_spec("pandas") is None:
        raise InputError("pandas is not installed", remedy="pip install 'cliper[notebook]'")
    columns: dict[str, Any] = {
        "query": pa.array([row.query for row in rows], pa.string()),
        "rank": pa.array([row.rank for row in rows], pa.int64()),
        "item_id": pa.array([row.item_id for row in rows], pa.string()),
        "score": pa.array([row.score for row in rows], pa.float64()),
    }
    frame = pa.table(columns).to_pandas()
    if any(row.reasons is not None for row in rows):
        frame["reasons"] = [None if r.reasons is None else r.reasons.json_object() for r in rows]
    return frame
