"""Answers as a data frame."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import pyarrow as pa

from cliper.errors import InputError
from cliper.serving.answer import Recommendation


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
