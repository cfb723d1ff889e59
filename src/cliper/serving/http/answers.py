"""What end points that rank items have in common."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic_core import to_json

from cliper.serving import Recommendation
from cliper.serving.http.bodies import Explain
from cliper.serving.http.limits import MAX_EXPLAINED, Limits
from cliper.serving.http.problems import Problem
from cliper.serving.http.served import Served

K = Annotated[int, Query(ge=1, description="How many items at most.")]
WhereText = Annotated[
    str | None,
    Query(
        description="Conditions on the items' fields, as JSON.",
        examples=['{"category": ["bags"], "price": {"lt": 50}}'],
    ),
]


def checked(k: int, limits: Limits, explain: Explain = False) -> int:
    """How many are asked for.

    Raises:
        Problem: too many.
    """
    most = min(limits.k, MAX_EXPLAINED) if explain else limits.k
    if k > most:
        told = " with reasons" if explain else ""
        raise Problem(422, f"k: at most {most}{told}")
    return k


def answer(served: Served, rows: Sequence[Recommendation]) -> Response:
    """Rows of the library as JSON."""
    items = []
    for row in rows:
        item: dict[str, Any] = {"item_id": row.item_id, "rank": row.rank, "score": row.score}
        if row.reasons is not None:
            item["reasons"] = row.reasons.json_object()
        items.append(item)
    told = to_json({"items": items, "model": served.name})
    return Response(told, media_type="application/json")
