"""End points by which a server is told: events of users, items that come, change and go."""

import time
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from cliper.data.pictures import PictureError, check_picture
from cliper.serving.http.bodies import (
    CONTENT,
    EVENTS,
    ITEM,
    ITEM_LIST,
    ITEMS,
    Accepted,
    Content,
    EventBody,
    Item,
    Name,
    NewItem,
)
from cliper.serving.http.limits import Limits
from cliper.serving.http.problems import PROBLEM, Problem
from cliper.serving.http.reading import json_body, read_json
from cliper.serving.http.shop import Shop
from cliper.serving.store import Event, Kept

KINDS = (
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/gif", 0, b"GIF8"),
    ("image/webp", 8, b"WEBP"),
    ("image/avif", 4, b"ftypavif"),
    ("image/bmp", 0, b"BM"),
)


async def _events(request: Request) -> list[EventBody]:
    return await read_json(request, EVENTS)


async def _items(request: Request) -> list[NewItem]:
    if (await request.body()).lstrip().startswith(b"["):
        return await read_json(request, ITEM_LIST)
    return [await read_json(request, ITEM)]


async def _content(request: Request) -> Content:
    return await read_json(request, CONTENT)


def add_stock(app: FastAPI, shop: Shop, limits: Limits, at: str) -> None:
    """Add them to an application, whose addresses begin with `at`."""

    @app.post(
        "/v1/events",
        status_code=202,
        response_model=Accepted,
        responses={415: PROBLEM},
        summary="Who took what",
        openapi_extra=json_body(EVENTS),
    )
    def events(told: Annotated[list[EventBody], Depends(_events)]) -> Response:
        now = time.time()
        kept = [
            Event(e.user_id, e.item_id, now if e.timestamp is None else e.timestamp) for e in told
        ]
        known = shop.store.add_events(kept)
        return JSONResponse({"accepted": len(kept), "known": known}, 202)

    @app.post(
        "/v1/items",
        status_code=201,
        response_model=list[Item],
        responses={409: PROBLEM, 415: PROBLEM},
        summary="Items that come",
        openapi_extra=json_body(ITEMS),
    )
    def add(told: Annotated[list[NewItem], Depends(_items)]) -> Response:
        shop.put([_kept(one.item_id, one, limits) for one in told], new=True)
        return JSONResponse([_shown(shop, one.item_id, at) for one in told], 201)

    @app.put(
        "/v1/items/{item_id:path}",
        response_model=Item,
        responses={415: PROBLEM},
        summary="An item as it is from now on",
        openapi_extra=json_body(CONTENT),
    )
    def replace(item_id: Name, told: Annotated[Content, Depends(_content)]) -> Response:
        shop.put([_kept(item_id, told, limits)], new=False)
        return JSONResponse(_shown(shop, item_id, at))

    @app.delete(
        "/v1/items/{item_id:path}",
        status_code=204,
        responses={404: PROBLEM},
        summary="An item that is there no longer",
    )
    def remove(item_id: Name) -> Response:
        shop.remove(item_id)
        return Response(status_code=204)

    @app.get(
        "/v1/items/{item_id:path}/picture",
        response_class=Response,
        responses={404: PROBLEM},
        summary="An item's picture",
    )
    def picture(item_id: Name) -> Response:
        data = shop.picture(item_id) if shop.now.recommender.shelf.offers(item_id) else None
        kind = None if data is None else picture_kind(data)
        if kind is None:
            raise Problem(404, f"no picture of {item_id!r}")
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=60"}
        return Response(data, media_type=kind, headers=headers)

    @app.get(
        "/v1/items/{item_id:path}",
        response_model=Item,
        responses={404: PROBLEM},
        summary="An item's fields",
    )
    def show(item_id: Name) -> Response:
        return JSONResponse(_shown(shop, item_id, at))


def _kept(item_id: str, told: Content, limits: Limits) -> Kept:
    fields = {name: value for name, value in told.fields.items() if value is not None}
    for reserved in {"item_id", "image"} & fields.keys():
        raise Problem(422, f"fields: {reserved!r} is no field")
    if told.picture is not None:
        if len(told.picture) > limits.picture:
            raise Problem(413, f"a picture of more than {limits.picture} bytes")
        try:
            check_picture(told.picture)
        except PictureError as error:
            raise Problem(422, f"picture of {item_id!r}: {error}") from None
    return Kept(item_id, fields, told.picture)


def _shown(shop: Shop, item_id: str, at: str) -> dict[str, Any]:
    recommender = shop.now.recommender
    if not recommender.shelf.offers(item_id):
        raise Problem(404, f"unknown item {item_id!r}")
    where = f"{at}/v1/items/{quote(item_id, safe='')}/picture"
    picture = where if shop.has_picture(item_id) else None
    return {"item_id": item_id, "fields": recommender.shelf.fields_of(item_id), "picture": picture}


def picture_kind(data: bytes) -> str | None:
    """The media type of a picture that browsers show, by its first bytes.

    >>> picture_kind(b"RIFF....WEBPVP8"), picture_kind(b"<svg onload=...>")
    ('image/webp', None)
    """
    for kind, at, magic in KINDS:
        if data[at : at + len(magic)] == magic:
            return kind
    return None
