"""How many requests a second one client may send."""

import time
from collections.abc import Callable

BURST_SECONDS = 2
"""Who was quiet so long may send the requests of so many seconds at once."""
MOST_CLIENTS = 10_000
"""Beyond so many those that were quiet long enough are forgotten."""


class Rate:
    """A bucket of tokens a client, filled at the rate.

    Args:
        rate: tokens a second; 0 refuses nothing.
        clock: seconds.

    >>> rate = Rate(1, clock=lambda: 0.0)
    >>> [rate.wait("a") for _ in range(3)], rate.wait("b")
    ([0.0, 0.0, 1.0], 0.0)
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self._clock = rate, clock
        self._full = max(1.0, rate * BURST_SECONDS)
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> float:
        """0 where a request may pass, which is counted; else after how many seconds one may."""
        if not self.rate:
            return 0.0
        now = self._clock()
        left, since = self._buckets.get(client, (self._full, now))
        left = min(self._full, left + (now - since) * self.rate)
        passes = left >= 1
        self._buckets[client] = (left - passes, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._forget(now)
        return 0.0 if passes else (1 - left) / self.rate

    def _forget(self, now: float) -> None:
        """Clients whose buckets are full again, or all where that is not enough."""
        kept = {
            client: bucket
            for client, bucket in self._buckets.items()
            if bucket[0] + (now - bucket[1]) * self.rate < self._full
        }
        self._buckets = kept if len(kept) <= MOST_CLIENTS else {}
