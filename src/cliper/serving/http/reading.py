"""Bodies and arguments, read by pydantic: no NaN, no broken Unicode, no endless nesting."""

from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from cliper.config import nearest
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


async def known_arguments(request: Request) -> None:
    """Refuse an argument that an address does not take: a misspelt filter would filter nothing.

    Raises:
        Problem: there is one, and the end point takes arguments.
    """
    taken = [one.alias for one in request.scope["route"].dependant.query_params]
    unknown = [name for name in request.query_params if name not in taken]
    if taken and unknown:
        raise Problem(422, f"query: unknown argument {unknown[0]!r}, {nearest(unknown[0], taken)}")


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
    """What OpenAPI says of a body that `read_json` reads; in one piece, as it has no other place
    for the parts of a schema.
    """
    schema = kind.json_schema()
    parts = schema.pop("$defs", {})

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return whole(parts[value["$ref"].removeprefix("#/$defs/")])
        return {name: whole(one) for name, one in value.items()}

    content = {"application/json": {"schema": whole(schema)}}
    return {"requestBody": {"required": True, "content": content}}
