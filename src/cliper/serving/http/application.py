"""The end points of `/v1` (docs/serving.md), answered by the library."""

import hashlib
from collections.abc import Collection, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.types import ASGIApp

from cliper.data import Vocabulary
from cliper.serving import Recommendation
from cliper.serving.http.bodies import WHERE, Answer, Explain, ProblemDetail, Question, State
from cliper.serving.http.guard import Guard
from cliper.serving.http.limits import MAX_EXPLAINED, Limits
from cliper.serving.http.metrics import Metrics
from cliper.serving.http.problems import Problem, answer_errors
from cliper.serving.http.served import Served, Shop

K = Annotated[int, Query(ge=1, description="How many items at most.")]
WhereText = Annotated[
    str | None,
    Query(
        description="Conditions on the items' fields, as JSON.",
        examples=['{"category": ["bags"], "price": {"lt": 50}}'],
    ),
]
PROBLEM: dict[str, Any] = {
    "description": "What is wrong",
    "content": {"application/problem+json": {"schema": ProblemDetail.model_json_schema()}},
}


def application(shop: Shop, limits: Limits, keys: Collection[str] = ()) -> ASGIApp:
    """What a server runs.

    Args:
        shop: what is served.
        limits: of a request.
        keys: of which a request must bring one; none are asked for where it is empty.
    """
    metrics = Metrics(shop)
    app = FastAPI(
        title="cliper",
        version="1",
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
        responses={422: PROBLEM},
    )
    answer_errors(app)
    _add_recommendations(app, shop, limits)
    _add_model(app, shop)

    @app.get("/metrics", response_class=Response, summary="For Prometheus")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    known = [hashlib.sha256(key.encode()).digest() for key in keys]
    return Guard(app, limits, known, metrics)


def _add_recommendations(app: FastAPI, shop: Shop, limits: Limits) -> None:
    """Functions without `async` run in threads, so that a long one stops no other."""

    @app.get(
        "/v1/users/{user_id:path}/recommendations",
        response_model=Answer,
        responses={404: PROBLEM},
        summary="For a user of the training",
    )
    def for_user(
        user_id: str,
        k: K = 10,
        exclude_seen: bool = True,
        where: WhereText = None,
        explain: Explain = False,
    ) -> Response:
        served = shop.now
        _require(served.recommender.users, user_id, "user")
        rows = served.recommender.recommend(
            [user_id],
            _checked(k, limits, explain),
            exclude_seen=exclude_seen,
            where=_parsed(where),
            explain=explain,
        )
        return _answer(served, rows)

    @app.post(
        "/v1/recommendations",
        response_model=Answer,
        responses={415: PROBLEM},
        summary="For anyone with a history",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": Question.model_json_schema()}},
            }
        },
    )
    def for_anyone(question: Annotated[Question, Depends(_question)]) -> Response:
        served = shop.now
        rows = served.recommender.recommend(
            history=question.history,
            k=_checked(question.k, limits, question.explain),
            exclude_seen=question.exclude_seen,
            candidates=question.candidates,
            where=question.where,
            explain=question.explain,
        )
        return _answer(served, rows)

    @app.get(
        "/v1/items/{item_id:path}/similar",
        response_model=Answer,
        responses={404: PROBLEM},
        summary="The items nearest to one",
    )
    def similar(item_id: str, k: K = 10, where: WhereText = None) -> Response:
        served = shop.now
        _require(served.recommender.items, item_id, "item")
        rows = served.recommender.similar_items(
            [item_id], _checked(k, limits), where=_parsed(where)
        )
        return _answer(served, rows)


def _add_model(app: FastAPI, shop: Shop) -> None:
    @app.get("/v1/model", summary="What is served")
    async def model() -> dict[str, Any]:
        return shop.now.facts

    @app.post("/v1/model/reload", responses={409: PROBLEM}, summary="Read the run again")
    def reload() -> dict[str, Any]:
        return shop.reload().facts

    @app.get("/v1/health", response_model=State, summary="Alive")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/v1/ready", response_model=State, summary="Ready to answer")
    async def ready() -> Response:
        return JSONResponse({"status": "ready", "model": shop.now.name})


async def _question(request: Request) -> Question:
    """The body, read by pydantic: no NaN, no broken Unicode, no endless nesting gets through."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "the body must be application/json")
    try:
        return Question.model_validate_json(await request.body())
    except ValidationError as error:
        raise _invalid(error, "body") from None


def _parsed(where: str | None) -> dict[str, Any] | None:
    if where is None:
        return None
    try:
        return WHERE.validate_json(where)
    except ValidationError as error:
        raise _invalid(error, "query", "where") from None


def _invalid(error: ValidationError, *place: str) -> RequestValidationError:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**e, "loc": (*place, *e["loc"])} for e in found])


def _checked(k: int, limits: Limits, explain: Explain = False) -> int:
    most = min(limits.k, MAX_EXPLAINED) if explain else limits.k
    if k > most:
        told = " with reasons" if explain else ""
        raise Problem(422, f"k: at most {most}{told}")
    return k


def _require(known: Vocabulary, name: str, what: str) -> None:
    if known.find([name])[0] < 0:
        remedy = "; POST /v1/recommendations answers for a history" if what == "user" else ""
        raise Problem(404, f"unknown {what} {name!r}{remedy}")


def _answer(served: Served, rows: Sequence[Recommendation]) -> Response:
    items = []
    for row in rows:
        item: dict[str, Any] = {"item_id": row.item_id, "rank": row.rank, "score": row.score}
        if row.reasons is not None:
            item["reasons"] = row.reasons.json_object()
        items.append(item)
    return JSONResponse({"items": items, "model": served.name})
