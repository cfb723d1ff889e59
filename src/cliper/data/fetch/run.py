"""The run itself: requests start as the schedule allows, outcomes decide what is asked next."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from cliper.data.fetch.candidates import Candidates
from cliper.data.fetch.download import Downloader, downloader, parse_address
from cliper.data.fetch.network import Resolver
from cliper.data.fetch.outcome import (
    SILENCE,
    Cause,
    Failure,
    FetchError,
    Outcome,
    Picture,
)
from cliper.data.fetch.retry import backoff
from cliper.data.fetch.schedule import Schedule
from cliper.data.fetch.settings import FetchSettings
from cliper.data.fetch.store import PictureStore

# Each may hold a decoded picture; more would cost memory and gain nothing over the network.
_DECODING_THREADS = 2

Progress = Callable[[int, bool], None]
"""Told how many items an outcome settled, and whether it was a picture."""


@dataclass(frozen=True)
class _Job:
    address: str
    tries: int = 0


class FetchRun:
    """Fetches what the candidates need.

    Args:
        candidates: which addresses are wanted.
        store: where pictures and outcomes are kept.
        settings: limits.
        progress: told of every settled item.
        resolve: host to addresses; the system's by default.

    Attributes:
        requests: tries made.
        bytes: of the pictures stored.
    """

    def __init__(
        self,
        candidates: Candidates,
        store: PictureStore,
        settings: FetchSettings,
        progress: Progress,
        resolve: Resolver | None = None,
    ) -> None:
        self._candidates = candidates
        self._store = store
        self._settings = settings
        self._progress = progress
        self._resolve = resolve
        self._schedule: Schedule[_Job] = Schedule(settings.per_host, settings.rate)
        self._jitter = Random(settings.seed)
        self._silent: Counter[str] = Counter()
        self._closed: dict[str, str] = {}
        self.requests = 0
        self.bytes = 0

    async def run(self) -> None:
        """Fetch until every item has a picture or no address left.

        A cancellation stops what is under way; what was finished is in the store.
        """
        self._ask_for(self._candidates.start())
        running: set[asyncio.Task[None]] = set()
        with ThreadPoolExecutor(_DECODING_THREADS, thread_name_prefix="verify") as decoding:
            async with downloader(self._settings, self._resolve) as client:
                try:
                    while running or self._schedule.waiting:
                        self._start_due(client, decoding, running)
                        running = await self._some_done(running)
                finally:
                    for task in running:
                        task.cancel()
                    with suppress(asyncio.CancelledError):
                        await asyncio.gather(*running, return_exceptions=True)

    def _start_due(
        self, client: Downloader, decoding: ThreadPoolExecutor, running: set[asyncio.Task[None]]
    ) -> None:
        while len(running) < self._settings.concurrency:
            taken = self._schedule.take(time.monotonic())
            if taken is None:
                return
            host, job = taken
            running.add(asyncio.create_task(self._one(client, decoding, host, job)))

    async def _some_done(self, running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
        """Wait until a task ends or the next may start; an error of the program is raised."""
        wait = self._schedule.wait(time.monotonic())
        if len(running) >= self._settings.concurrency:
            wait = None
        if not running:
            await asyncio.sleep(wait or 0.0)
            return running
        done, pending = await asyncio.wait(
            running, timeout=wait, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()
        return pending

    async def _one(
        self, client: Downloader, decoding: ThreadPoolExecutor, host: str, job: _Job
    ) -> None:
        try:
            self.requests += 1
            answer = await client.get(job.address)
        finally:
            self._schedule.finish(host)
        outcome: Outcome
        if isinstance(answer, Failure):
            outcome = answer
        else:
            loop = asyncio.get_running_loop()
            outcome = await loop.run_in_executor(decoding, self._store.keep, answer)
        self._judge(host, _Job(job.address, job.tries + 1), outcome)

    def _judge(self, host: str, job: _Job, outcome: Outcome) -> None:
        """Keep an outcome, or try again; a host that stays silent or asks for long is left."""
        if isinstance(outcome, Picture):
            self._silent[host] = 0
            self.bytes += outcome.size
            self._settle(job.address, outcome)
            return
        silent = outcome.cause in SILENCE
        self._silent[host] = self._silent[host] + 1 if silent else 0
        too_silent = self._silent[host] >= self._settings.give_up_after
        again = outcome.again == "now" and job.tries <= self._settings.retries
        if host in self._closed or not again:
            self._settle(job.address, outcome)
        else:
            self._again(host, job, outcome)
        if too_silent:
            self._give_up(host, f"no answer {self._settings.give_up_after} times in a row")

    def _again(self, host: str, job: _Job, outcome: Failure) -> None:
        first, longest = self._settings.backoff, self._settings.longest_wait
        wait = backoff(job.tries, first, longest, self._jitter)
        if outcome.wait is not None and outcome.wait > longest:
            self._settle(job.address, outcome)
            self._give_up(host, f"it asks to wait {outcome.wait:.0f} s")
            return
        if outcome.wait is not None:
            wait = max(wait, outcome.wait)
        until = time.monotonic() + wait
        if outcome.wait is not None or outcome.status in (429, 503):
            self._schedule.pause(host, until)  # it is the host that wants less, not this address
        self._schedule.add(host, job, until)

    def _give_up(self, host: str, why: str) -> None:
        if host in self._closed:
            return
        self._closed[host] = why
        for job in self._schedule.close(host):
            self._settle(job.address, FetchError(Cause.HOST_GIVEN_UP, f"{host}: {why}").failure)

    def _settle(self, address: str, outcome: Outcome) -> None:
        self._ask_for(self._note(address, outcome))

    def _note(self, address: str, outcome: Outcome) -> list[str]:
        """Keep an outcome; the addresses that are wanted because of it."""
        self._store.record(address, outcome)
        before = self._candidates.unresolved
        wanted = self._candidates.resolve(address, outcome)
        self._progress(before - self._candidates.unresolved, isinstance(outcome, Picture))
        return wanted

    def _ask_for(self, addresses: list[str]) -> None:
        """Queue addresses; those that cannot be asked for are settled at once."""
        queue = deque(addresses)
        while queue:
            address = queue.popleft()
            try:
                host = parse_address(address).host.lower()
                if host in self._closed:
                    raise FetchError(Cause.HOST_GIVEN_UP, f"{host}: {self._closed[host]}")
                self._schedule.add(host, _Job(address))
            except FetchError as error:
                queue.extend(self._note(address, error.failure))
