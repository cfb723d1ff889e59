"""Errors as `application/problem+json` (RFC 9457): one line of what is wrong, no traceback."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from cliper.errors import InputError
from cliper.serving.http.bodies import ProblemDetail

PROBLEM: dict[str, Any] = {
    "description": "What is wrong",
    "content": {"application/problem+json": {"schema": ProblemDetail.model_json_schema()}},
}
LOG = logging.getLogger("cliper.serve")
MAX_DETAIL, MAX_ERRORS = 300, 10


class Problem(Exception):
    """A request that is refused with a status of its own."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Response:
    """An answer that says what is wrong; what the request sent is cut short in it."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _short(detail),
    }
    if errors:
        told["errors"] = list(errors)
    return Response(
        json.dumps(told), status, dict(headers or {}), media_type="application/problem+json"
    )


def answer_errors(app: FastAPI, without_paths: Callable[[str], str]) -> None:
    """Make every error of an application a problem.

    Args:
        without_paths: takes out of a message where things lie on this machine.
    """

    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem(error.status, error.detail, error.headers)

    def wrong_input(_: Request, error: Exception) -> Response:
        return problem(422, without_paths(str(error)))

    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = [
            {"where": _short(".".join(map(str, e["loc"]))), "what": _short(str(e["msg"]))}
            for e in error.errors()[:MAX_ERRORS]
        ]
        return problem(422, "{where}: {what}".format(**found[0]), errors=found)

    def of_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, str(error.detail), error.headers)

    def no_store(_: Request, error: Exception) -> Response:
        LOG.error("the store does not answer: %s", str(error).partition("\n")[0])
        return problem(503, "the store does not answer", {"Retry-After": "1"})

    def unexpected(_: Request, error: Exception) -> Response:
        return problem(500, "an error of the server; its log has the details")

    app.add_exception_handler(Problem, refused)
    app.add_exception_handler(InputError, wrong_input)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(SQLAlchemyError, no_store)
    app.add_exception_handler(Exception, unexpected)


def _short(text: str) -> str:
    return text if len(text) <= MAX_DETAIL else text[:MAX_DETAIL] + "…"
