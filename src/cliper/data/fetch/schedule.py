"""`Schedule`: which request may start when, host by host.

Pure bookkeeping over a clock that the caller reads: nothing waits in here. A request that is not
due (a repetition, a host that asked for a pause) takes no place of one that is.
"""

import heapq
import itertools
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Host(Generic[T]):
    jobs: list[tuple[float, int, T]] = field(default_factory=list)  # a heap: due, order, job
    running: int = 0
    next_start: float = 0.0


class Schedule(Generic[T]):
    """Jobs by host; each host has few at a time, and so many starts a second.

    >>> schedule = Schedule(per_host=1, rate=10.0)
    >>> for job in "ab":
    ...     schedule.add("x.org", job)
    >>> schedule.take(now=0.0), schedule.take(now=0.0), schedule.wait(now=0.0)
    (('x.org', 'a'), None, None)
    >>> schedule.finish("x.org")
    >>> round(schedule.wait(now=0.0), 3), schedule.take(now=0.2)
    (0.1, ('x.org', 'b'))

    Args:
        per_host: jobs of one host that run at once.
        rate: jobs of one host that start per second.
    """

    def __init__(self, per_host: int, rate: float) -> None:
        self._per_host = per_host
        self._interval = 1.0 / rate
        self._hosts: dict[str, _Host[T]] = {}
        self._look: list[tuple[float, int, str]] = []  # when to look at a host again
        self._order = itertools.count()
        self.waiting = 0

    def add(self, host: str, job: T, at: float = 0.0) -> None:
        """Queue a job, not to start before `at`; equal times keep their order."""
        state = self._hosts.setdefault(host, _Host())
        heapq.heappush(state.jobs, (at, next(self._order), job))
        self.waiting += 1
        # Only a new head changes when the host is due; a look for every job would double memory.
        if state.jobs[0][2] is job and state.running < self._per_host:
            self._look_at(host, state)

    def take(self, now: float) -> tuple[str, T] | None:
        """Start the next job that is due, or None; `finish` must follow."""
        self._settle(now)
        if not self._look or self._look[0][0] > now:
            return None
        host = heapq.heappop(self._look)[2]
        state = self._hosts[host]
        job = heapq.heappop(state.jobs)[2]
        self.waiting -= 1
        state.running += 1
        state.next_start = max(now, state.next_start) + self._interval
        if state.jobs and state.running < self._per_host:
            self._look_at(host, state)
        return host, job

    def wait(self, now: float) -> float | None:
        """Seconds until a job may start; None when that depends on one that runs, or none waits."""
        self._settle(now)
        return max(0.0, self._look[0][0] - now) if self._look else None

    def finish(self, host: str) -> None:
        """A job of this host has ended."""
        state = self._hosts[host]
        state.running -= 1
        if state.jobs:
            self._look_at(host, state)

    def pause(self, host: str, until: float) -> None:
        """Start nothing of this host before `until`."""
        state = self._hosts[host]
        state.next_start = max(state.next_start, until)

    def close(self, host: str) -> list[T]:
        """Forget what waits for this host, and return it in order."""
        state = self._hosts[host]
        jobs = [job for _, _, job in sorted(state.jobs, key=lambda entry: entry[:2])]
        self.waiting -= len(jobs)
        state.jobs.clear()
        return jobs

    def _look_at(self, host: str, state: _Host[T]) -> None:
        due = max(state.next_start, state.jobs[0][0])
        heapq.heappush(self._look, (due, next(self._order), host))

    def _settle(self, now: float) -> None:
        """Bring a host to the front that really is due; drop looks that came to nothing."""
        while self._look:
            at, _, host = self._look[0]
            state = self._hosts[host]
            if not state.jobs or state.running >= self._per_host:
                heapq.heappop(self._look)
                continue
            due = max(state.next_start, state.jobs[0][0])
            if due <= max(at, now):
                return
            heapq.heapreplace(self._look, (due, next(self._order), host))
