"""Bodies and arguments, read by pydantic: no NaN, no broken Unicode, no endless nesting."""

from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from cliper.serving.http.bodies import WHERE
from cliper.serving.http.problems import Problem

T = TypeVar("T")


async def read_json(request: Request, kind: TypeAdapter[T]) -> T:
    """The body.

    Raises:
        Problem: it is declared to be something else.
        RequestValidationError: it is not what it should be.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json":
        raise Problem(415, "the body must be application/json")
    try:
        return kind.validate_json(await request.body())
    except ValidationError as error:
        raise invalid(error, "body") from None


def parsed_where(where: str | None) -> dict[str, Any] | None:
    """A filter from an address."""
    if where is None:
        return None
    try:
        return WHERE.validate_json(where)
    except ValidationError as error:
        raise invalid(error, "query", "where") from None


def invalid(error: ValidationError, *place: str) -> RequestValidationError:
    """What the framework raises for the same mistake elsewhere."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return RequestValidationError([{**e, "loc": (*place, *e["loc"])} for e in found])


def json_body(kind: TypeAdapter[Any]) -> dict[str, Any]:
    """What OpenAPI says of a body that `read_json` reads."""
    content = {"application/json": {"schema": kind.json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
