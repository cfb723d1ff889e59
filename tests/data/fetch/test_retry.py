import datetime
from random import Random

import pytest

from cliper.data.fetch.retry import backoff, retry_after

NOW = datetime.datetime(1994, 11, 6, 8, 49, 7, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 40, 9_999_999_999.0),
        # The three forms of RFC 9110, 5.6.7, all of the same moment.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30.0),
        ("Sun Nov  6 08:49:37 1994", 30.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("", None),
        (None, None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_waits_double_up_to_the_longest_and_are_spread() -> None:
    jitter = Random(0)
    for tries, longest in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (500, 10)):
        waits = [backoff(tries, 1.0, 10.0, jitter) for _ in range(300)]
        assert longest / 2 <= min(waits) < 0.55 * longest
        assert 0.95 * longest < max(waits) <= longest
