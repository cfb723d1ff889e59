"""What one request may ask of the server."""

from dataclasses import dataclass

MAX_HISTORY = 1000
MAX_CANDIDATES = 10_000
MAX_EXPLAINED = 50
"""Most items with reasons in one answer: those of the views score each item anew."""
MAX_EVENTS = 1000
"""Most events in one request."""
MAX_ITEMS = 100
"""Most items in one request."""
MAX_ID = 1000
"""Longest id in characters."""
MAX_TEXT = 20_000
"""Longest value of a field in characters."""
MAX_VALUES = 1000
"""Most fields of an item, and most values of a field."""
MAX_NAME = 200
"""Longest name of a field in a filter."""
RECEIVE_SECONDS = 10.0
"""How long a request's body may take to arrive."""


@dataclass(frozen=True)
class Limits:
    """What `cliper serve` sets.

    Attributes:
        body: bytes of a request's body.
        k: items of an answer.
        concurrent: requests that are worked on at a time; more are refused, not queued.
        picture: bytes of a picture.
        rate: requests a second of one client; 0 for as many as it likes.
    """

    body: int = 1 << 20
    k: int = 1000
    concurrent: int = 32
    picture: int = 8 << 20
    rate: float = 0

    def body_of(self, path: str) -> int:
        """Bytes of a body, by where it goes: those with pictures may be larger (base 64)."""
        with_picture = path.removeprefix("/other").startswith(("/v1/items", "/v1/search"))
        return self.body + self.picture * 4 // 3 if with_picture else self.body
