"""How fetching one address ended: a picture, or a cause that can be counted."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Again = Literal["now", "later", "never"]
"""When to try again: in this run and the next; only in the next; only when asked to."""


class Cause(StrEnum):
    """Why an address gave no picture; the value is what reports say."""

    BAD_ADDRESS = "not a usable address"
    REFUSED_ADDRESS = "refused: not a public address"
    UNKNOWN_HOST = "the host's name cannot be resolved"
    NO_CONNECTION = "no connection"
    NO_SECURITY = "no secure connection"
    NO_ANSWER = "no answer in time"
    TOO_SLOW = "not finished in time"
    CLOSED_EARLY = "the connection closed early"
    BROKEN_PROTOCOL = "not understandable as HTTP"
    HTTP_ERROR = "HTTP error"
    TOO_MANY_REDIRECTS = "too many redirects"
    BAD_REDIRECT = "a redirect that leads nowhere"
    TOO_LARGE = "too many bytes"
    BAD_CODING = "a content coding that cannot be undone"
    EMPTY = "an empty answer"
    NO_PICTURE = "no picture"
    BROKEN_PICTURE = "a broken picture"
    TOO_MANY_PIXELS = "too many pixels"
    HOST_GIVEN_UP = "the host was given up for this run"


_AGAIN: dict[Cause, Again] = {
    Cause.BAD_ADDRESS: "never",
    Cause.REFUSED_ADDRESS: "later",  # a host may be allowed by then
    Cause.UNKNOWN_HOST: "later",
    Cause.NO_CONNECTION: "now",
    Cause.NO_SECURITY: "later",
    Cause.NO_ANSWER: "now",
    Cause.TOO_SLOW: "now",
    Cause.CLOSED_EARLY: "now",
    Cause.BROKEN_PROTOCOL: "later",
    Cause.HTTP_ERROR: "never",  # `http_error` knows better
    Cause.TOO_MANY_REDIRECTS: "never",
    Cause.BAD_REDIRECT: "never",
    Cause.TOO_LARGE: "never",
    Cause.BAD_CODING: "never",
    Cause.EMPTY: "later",
    Cause.NO_PICTURE: "never",
    Cause.BROKEN_PICTURE: "never",
    Cause.TOO_MANY_PIXELS: "never",
    Cause.HOST_GIVEN_UP: "later",
}
# Answers that say "not now": RFC 9110 (408, 500, 502–504), RFC 8470 (425), RFC 6585 (429).
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
# Causes that say nothing is there, or that it does not want to talk: a host's count of these in a
# row decides when it is given up.
SILENCE = frozenset(
    {
        Cause.UNKNOWN_HOST,
        Cause.NO_CONNECTION,
        Cause.NO_SECURITY,
        Cause.NO_ANSWER,
        Cause.TOO_SLOW,
    }
)


@dataclass(frozen=True)
class Failure:
    """Why one address gave no picture.

    Attributes:
        cause: one of a few, to be counted.
        detail: what exactly, for the report.
        status: the HTTP status, where there was an answer.
        again: when it makes sense to try again.
        wait: seconds that the server asked to stay away, if it did.
    """

    cause: Cause
    detail: str
    status: int | None
    again: Again
    wait: float | None = None

    @property
    def label(self) -> str:
        """The cause for counting; HTTP errors one by one.

        >>> http_error(404).label
        'HTTP 404 Not Found'
        """
        return self.detail if self.cause is Cause.HTTP_ERROR else self.cause.value


@dataclass(frozen=True)
class Picture:
    """A verified picture, stored.

    Attributes:
        file: its name in the store.
        size: its bytes.
    """

    file: str
    size: int


Outcome = Picture | Failure


class FetchError(Exception):
    """Raised on the way to a picture; becomes a `Failure`."""

    def __init__(
        self,
        cause: Cause,
        detail: str = "",
        *,
        status: int | None = None,
        again: Again | None = None,
    ) -> None:
        super().__init__(f"{cause.value}: {detail}")
        self.failure = Failure(cause, detail, status, again or _AGAIN[cause])


def http_error(status: int, wait: float | None = None) -> Failure:
    """The failure that an HTTP status stands for; `wait` is what `Retry-After` asks for."""
    from http import HTTPStatus

    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    again: Again = "now" if status in _TRANSIENT_STATUS else "never"
    return Failure(Cause.HTTP_ERROR, f"HTTP {status}{phrase}", status, again, wait)
