"""The end points of `/v1` (docs/serving.md), answered by the library."""

import hashlib
from collections.abc import Collection
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from starlette.types import ASGIApp

from cliper.serving.http.answers import K, WhereText, answer, checked
from cliper.serving.http.bodies import Answer, Explain, Name, Question, State
from cliper.serving.http.front import add_page
from cliper.serving.http.guard import Guard
from cliper.serving.http.limits import MAX_HISTORY, Limits
from cliper.serving.http.look import add_look
from cliper.serving.http.metrics import Metrics
from cliper.serving.http.problems import PROBLEM, Problem, answer_errors
from cliper.serving.http.reading import json_body, known_arguments, parsed_where, read_json
from cliper.serving.http.served import Served
from cliper.serving.http.shop import Shop
from cliper.serving.http.stock import add_stock

QUESTION = TypeAdapter(Question)


def application(
    shop: Shop, limits: Limits, keys: Collection[str] = (), other: Shop | None = None
) -> ASGIApp:
    """What a server runs.

    Args:
        shop: what is served.
        other: a second run on the same store, at `/other/v1`, to look at beside the first.
        limits: of a request.
        keys: of which a request must bring one; none are asked for where it is empty.
    """
    metrics = Metrics(shop)
    app = _api(shop, limits)
    add_page(app)
    if other is not None:
        app.mount("/other", _api(other, limits, "/other"))

    @app.get("/metrics", response_class=Response, summary="For Prometheus")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    known = [hashlib.sha256(key.encode()).digest() for key in keys]
    return Guard(app, limits, known, metrics)


def _api(shop: Shop, limits: Limits, at: str = "") -> FastAPI:
    """The end points for one run, below `at`."""
    app = FastAPI(
        title="cliper",
        version="1",
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
        responses={422: PROBLEM},
        dependencies=[Depends(known_arguments)],
    )
    answer_errors(app, shop.without_paths)
    _add_recommendations(app, shop, limits)
    add_stock(app, shop, limits, at)
    add_look(app, shop, limits)
    _add_model(app, shop)
    return app


def _add_recommendations(app: FastAPI, shop: Shop, limits: Limits) -> None:
    """Functions without `async` run in threads, so that a long one stops no other."""

    @app.get(
        "/v1/users/{user_id:path}/recommendations",
        response_model=Answer,
        responses={404: PROBLEM},
        summary="For a user of the training, or with events",
    )
    def for_user(
        user_id: Name,
        k: K = 10,
        exclude_seen: bool = True,
        where: WhereText = None,
        explain: Explain = False,
    ) -> Response:
        served = shop.now
        history = _history(shop, served, user_id)
        rows = served.recommender.recommend(
            [user_id] if history is None else None,
            checked(k, limits, explain),
            history=history,
            exclude_seen=exclude_seen,
            where=parsed_where(where),
            explain=explain,
        )
        return answer(served, rows)

    @app.post(
        "/v1/recommendations",
        response_model=Answer,
        responses={415: PROBLEM},
        summary="For anyone with a history",
        openapi_extra=json_body(QUESTION),
    )
    def for_anyone(question: Annotated[Question, Depends(_question)]) -> Response:
        served = shop.now
        rows = served.recommender.recommend(
            history=question.history,
            k=checked(question.k, limits, question.explain),
            exclude_seen=question.exclude_seen,
            candidates=question.candidates,
            where=question.where,
            explain=question.explain,
        )
        return answer(served, rows)

    @app.get(
        "/v1/items/{item_id:path}/similar",
        response_model=Answer,
        responses={404: PROBLEM},
        summary="The items nearest to one",
    )
    def similar(item_id: Name, k: K = 10, where: WhereText = None) -> Response:
        served = shop.now
        if not served.recommender.shelf.offers(item_id):
            raise Problem(404, f"unknown item {item_id!r}")
        rows = served.recommender.similar_items(
            [item_id], checked(k, limits), where=parsed_where(where)
        )
        return answer(served, rows)


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
    return await read_json(request, QUESTION)


def _history(shop: Shop, served: Served, user_id: str) -> list[str] | None:
    """What a user took, oldest first, where the training did not see all of it; else None.

    Raises:
        Problem: the training does not know the user, and no event does.
    """
    recommender, shelf = served.recommender, served.recommender.shelf
    told = [item for item in shop.store.history(user_id, MAX_HISTORY) if shelf.has(item)]
    trained = recommender.history_of(user_id)
    if not told and recommender.users.find([user_id])[0] < 0:
        remedy = "POST /v1/events tells of one, POST /v1/recommendations answers for a history"
        raise Problem(404, f"unknown user {user_id!r}; {remedy}")
    if shelf.fold_in is not None and not set(told) <= set(trained):
        return [*trained, *told]
    return None
