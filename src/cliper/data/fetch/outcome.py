"""How fetching one address ended: a picture, or a cause that can be counted."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Again = Literal["now", "later", "never"]
"""When to try again: in this run and the next; only in the next; only when asked to."""


class Cause(StrEnum):
    """Why an address gave no picture; the value is what reports say, `again` when to try again."""

    again: Again

    def __new__(cls, told: str, again: Again = "later") -> "Cause":
        """A cause and when to try again."""
        cause = str.__new__(cls, told)
        cause._value_ = told
        cause.again = again
        return cause

    BAD_ADDRESS = "not a usable address", "never"
    REFUSED_ADDRESS = "refused: not a public address", "later"  # a host may be allowed by then
    UNKNOWN_HOST = "the host's name cannot be resolved", "later"
    NO_CONNECTION = "no connection", "now"
    NO_SECURITY = "no secure connection", "later"
    NO_ANSWER = "no answer in time", "now"
    TOO_SLOW = "not finished in time", "now"
    CLOSED_EARLY = "the connection closed early", "now"
    BROKEN_PROTOCOL = "not understandable as HTTP", "later"
    HTTP_ERROR = "HTTP error", "never"  # `http_error` knows better
    TOO_MANY_REDIRECTS = "too many redirects", "never"
    BAD_REDIRECT = "a redirect that leads nowhere", "never"
    TOO_LARGE = "too many bytes", "never"
    BAD_CODING = "a content coding that cannot be undone", "never"
    EMPTY = "an empty answer", "later"
    NO_PICTURE = "no picture", "never"
    BROKEN_PICTURE = "a broken picture", "never"
    TOO_MANY_PIXELS = "too many pixels", "never"
    HOST_GIVEN_UP = "the host was given up for this run", "later"


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
        self.failure = Failure(cause, detail, status, again or cause.again)


def http_error(status: int, wait: float | None = None) -> Failure:
    """The failure that an HTTP status stands for; `wait` is what `Retry-After` asks for."""
    from http import HTTPStatus

    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    again: Again = "now" if status in _TRANSIENT_STATUS else "never"
    return Failure(Cause.HTTP_ERROR, f"HTTP {status}{phrase}", status, again, wait)
