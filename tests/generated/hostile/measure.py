"""What reading one file costs: in a process of its own, which may die of it."""

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

Read = Callable[[bytes], str]
"""Reads a file's bytes and says in a few words what came of it; must be importable by name."""


@dataclass(frozen=True)
class Cost:
    """What one reading took.

    Attributes:
        outcome: what the reader said, or how the process died.
        cpu_seconds: of all its threads.
        wall_seconds: as a clock has it.
        peak_bytes: memory beyond what the process held when it began, the file's bytes aside.
    """

    outcome: str
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


class Meter:
    """Runs each reading in a fork of one process that holds some modules and nothing else (Unix).

    Use it in a `with` block.

    Args:
        modules: what the readers need, so that importing it is not measured.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._nursery = context.Process(target=_serve, args=(there, tuple(modules)), daemon=True)
        self._nursery.start()
        there.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.close()
        self._nursery.join()

    def __call__(
        self, read: Read, data: bytes, limit: int | None = None, timeout: float = 60.0
    ) -> Cost:
        """Read `data` in a fresh process.

        Args:
            read: the reader.
            data: the file.
            limit: bytes of address space that it may take beyond what it holds at the start.
            timeout: seconds after which it is killed.
        """
        self._here.send((read, data, limit, timeout))
        cost: Cost = self._here.recv()
        return cost


def _serve(requests: Connection, modules: Sequence[str]) -> None:
    for module in modules:
        import_module(module)
    while True:
        try:
            read, data, limit, timeout = requests.recv()
        except EOFError:
            return
        requests.send(_forked(read, data, limit, timeout))


def _forked(read: Read, data: bytes, limit: int | None, timeout: float) -> Cost:
    here, there = multiprocessing.Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        try:
            _child(there, read, data, limit)
        finally:
            os._exit(1)
    there.close()
    cost = None
    with here, suppress(EOFError):
        if here.poll(timeout):
            cost = here.recv()
        else:
            os.kill(pid, signal.SIGKILL)
            cost = Cost(f"killed after {timeout:g} s", timeout, timeout, 0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return cost or Cost(f"died (exit status {status})", 0.0, 0.0, 0)


def _child(answer: Connection, read: Read, data: bytes, limit: int | None) -> None:
    size, resident = (
        int(pages) * os.sysconf("SC_PAGE_SIZE")
        for pages in Path("/proc/self/statm").read_text().split()[:2]
    )
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_AS, (size + limit, size + limit))
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        outcome = read(data)
    except Exception as error:
        outcome = f"raised {type(error).__name__}: {str(error)[:80]}"
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - resident
    answer.send(Cost(outcome, cpu, wall, max(0, peak)))
    os._exit(0)
