"""What a recommender answers."""

from dataclasses import dataclass
from typing import Any, Literal

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
