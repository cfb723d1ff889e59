"""End points for whoever looks around: search, users, values to filter by."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import pyarrow.compute as pc
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from cliper.data.pictures import PictureError, check_picture
from cliper.serving.http.answers import K, WhereText, answer, checked
from cliper.serving.http.bodies import Answer, Name, Users, Values
from cliper.serving.http.limits import MAX_ID, Limits
from cliper.serving.http.problems import PROBLEM, Problem
from cliper.serving.http.reading import parsed_where
from cliper.serving.http.shop import Shop

MOST_SHOWN = 100
Words = Annotated[str, Query(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00]+$")]
Part = Annotated[str, Query(max_length=MAX_ID)]


async def _picture(request: Request) -> bytes:
    """The body, which is the file."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise Problem(415, "the body must be a picture: image/jpeg, for example")
    return await request.body()


def add_look(app: FastAPI, shop: Shop, limits: Limits) -> None:
    """Add them to an application."""

    @app.get("/v1/search", response_model=Answer, summary="Items by words")
    def by_words(q: Words, k: K = 10, where: WhereText = None) -> Response:
        served = shop.now
        found = served.recommender.find(q, k=checked(k, limits), where=parsed_where(where))
        return answer(served, found)

    @app.post(
        "/v1/search",
        response_model=Answer,
        responses={415: PROBLEM},
        summary="Items by a picture",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    def by_picture(
        data: Annotated[bytes, Depends(_picture)], k: K = 10, where: WhereText = None
    ) -> Response:
        served, asked = shop.now, checked(k, limits)
        if len(data) > limits.picture:
            raise Problem(413, f"a picture of more than {limits.picture} bytes")
        try:
            check_picture(data)
        except PictureError as error:
            raise Problem(422, f"the picture: {error}") from None
        with TemporaryDirectory(prefix="cliper-") as folder:
            path = Path(folder, "picture")
            path.write_bytes(data)
            found = served.recommender.find(picture=path, k=asked, where=parsed_where(where))
        return answer(served, found)

    @app.get("/v1/users", response_model=Users, summary="Some users of the training")
    def users(q: Part = "", k: K = 10) -> Response:
        ids = shop.now.recommender.users.array
        found = ids.filter(pc.match_substring(ids, q)).slice(0, min(k, MOST_SHOWN))
        return JSONResponse({"users": found.to_pylist()})

    @app.get("/v1/fields/{name:path}", response_model=Values, summary="What to filter a field by")
    def values(name: Name, k: K = 50) -> Response:
        fields = shop.now.recommender.shelf.known_fields()
        found, numbers = fields.commonest(name, min(k, MOST_SHOWN))
        told = [{"value": value, "items": count} for value, count in found]
        return JSONResponse({"values": told, "numbers": numbers})
