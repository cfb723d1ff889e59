"""What one request may ask of the server."""

from dataclasses import dataclass

MAX_HISTORY = 1000
MAX_CANDIDATES = 10_000
MAX_EXPLAINED = 50
"""Most items with reasons in one answer: those of the views score each item anew."""
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
    """

    body: int = 1 << 20
    k: int = 1000
    concurrent: int = 32
