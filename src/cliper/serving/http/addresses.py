"""Addresses are matched as they were sent, so that an id keeps a slash that was escaped in it."""

from typing import Annotated
from unicodedata import normalize
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from starlette.types import Scope

from cliper.serving.http.limits import MAX_ID


def as_sent(scope: Scope) -> None:
    """Let routes see a request's path still escaped: `/items/a%2Fsimilar` is the item `a/similar`,
    `/items/a/similar` what is similar to `a`.
    """
    scope["path"] = scope["raw_path"].decode("ascii")


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00]+$"),
    BeforeValidator(lambda text: unquote(text)),  # older Pydantic minds unquote's arguments
    AfterValidator(lambda name: normalize("NFC", name)),
]
"""A name in an address, such as an item's id."""
