"""When to come back: exponential back-off with jitter, and what `Retry-After` asks for."""

import datetime
from email.utils import parsedate_to_datetime
from random import Random


def retry_after(value: str | None, now: datetime.datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110, 10.2.3), None where it says nothing.

    >>> now = datetime.datetime(2015, 10, 21, 7, 28, tzinfo=datetime.UTC)
    >>> retry_after("120", now), retry_after("Wed, 21 Oct 2015 07:28:30 GMT", now)
    (120.0, 30.0)

    Args:
        value: whole seconds, or an HTTP date; a date that has passed asks for no wait.
        now: with a time zone.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:  # asctime, one of the three forms, names no zone and means UTC
        date = date.replace(tzinfo=datetime.UTC)
    return max(0.0, (date - now).total_seconds())


def backoff(tries: int, first: float, most: float, generator: Random) -> float:
    """Seconds before the next try when `tries` (≥ 1) have failed.

    Between half of the doubled wait and all of it: spread, so that many requests do not come back
    at once, but never at once.

    Args:
        tries: so far.
        first: the longest wait before the first repetition, seconds.
        most: the longest wait of all.
        generator: draws the jitter.
    """
    longest = min(most, first * 2.0 ** min(tries - 1, 60))
    return longest * (0.5 + 0.5 * generator.random())
