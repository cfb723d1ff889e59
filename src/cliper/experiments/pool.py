"""A few worker processes that share one dataset, and the loop that keeps them busy.

Work travels as plain values over pipes. A worker dies with its parent, however that ends, so a
killed command leaves nobody behind who would go on writing into its folders.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, Self

import torch

from cliper.data import Dataset
from cliper.errors import CliperError
from cliper.experiments import worker
from cliper.progress import Task, task

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
OnReport = Callable[[int, int, float], bool]


@dataclass(frozen=True)
class WorkItem:
    """One thing to do.

    Attributes:
        number: what the outcome is known by.
        kind: a name of `worker.WORK`.
        name: what people call it.
        arguments: plain values for the function of that kind.
    """

    number: int
    kind: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class WorkOutcome:
    """What became of an item: its plain value, or one line that says what went wrong."""

    number: int
    value: Any = None
    error: str = ""
    is_input_error: bool = False


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    item: WorkItem | None = None
    bars: dict[int, tuple[ExitStack, Task]] = field(default_factory=dict)

    def close_bars(self) -> None:
        """Take what it showed off the screen."""
        while self.bars:
            self.bars.popitem()[1][0].close()


class Pool:
    """Worker processes; a context manager that ends them.

    Args:
        dataset: has a path; every worker loads it once.
        processes: how many.
        threads: PyTorch threads of each; this process's number divided if None.
    """

    def __init__(self, dataset: Dataset, processes: int, threads: int | None = None) -> None:
        self._dataset = (str(dataset.path), dataset.hash)
        self.threads = threads or max(1, torch.get_num_threads() // processes)
        self._size = processes
        self._context = _context()
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._workers:
            member.close_bars()
            member.pipe.close()  # an idle worker leaves by itself
            if member.item is not None:
                member.process.terminate()
        for member in self._workers:
            member.process.join(timeout=10)
            if member.process.is_alive():
                member.process.kill()
        self._workers.clear()

    def outcomes(
        self, items: Iterator[WorkItem], on_report: OnReport = lambda number, step, value: True
    ) -> Iterator[WorkOutcome]:
        """Do all items and yield their outcomes as they come.

        An item is taken from `items` when a worker is free, so it may depend on the outcomes that
        were yielded before.

        Args:
            items: what to do.
            on_report: gets (item number, step, value) of work that reports how it is doing, and
                answers whether it should go on.

        Raises:
            CliperError: a worker could not be started.
        """
        while True:
            while len(self._busy) < self._size and (item := next(items, None)) is not None:
                self._give(item)
            if not self._busy:
                return
            yield from self._listen(on_report)

    @property
    def _busy(self) -> list[_Worker]:
        return [member for member in self._workers if member.item is not None]

    def _give(self, item: WorkItem) -> None:
        idle = next((member for member in self._workers if member.item is None), None)
        member = idle or self._start()
        member.item = item
        member.pipe.send((item.kind, dict(item.arguments)))

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=worker.main, args=(theirs, *self._dataset, self.threads), daemon=True
        )
        with _environment(dict.fromkeys(THREAD_VARIABLES, str(self.threads))):
            process.start()
        theirs.close()
        member = _Worker(process, ours)
        self._workers.append(member)
        return member

    def _listen(self, on_report: OnReport) -> Iterator[WorkOutcome]:
        by_pipe = {member.pipe: member for member in self._busy}
        for pipe in wait(list(by_pipe)):
            member = by_pipe[pipe]  # type: ignore[index]
            assert member.item is not None
            try:
                what, *values = member.pipe.recv()
            except (EOFError, ConnectionResetError):
                yield self._lost(member)
                continue
            if what == "report":
                member.pipe.send(on_report(member.item.number, *values))
            elif what in ("open", "advance", "close"):
                self._show(member, what, values)
            else:
                number, member.item = member.item.number, None
                member.close_bars()
                if what == "done":
                    yield WorkOutcome(number, values[0])
                else:
                    yield WorkOutcome(number, error=values[1], is_input_error=values[0])

    def _lost(self, member: _Worker) -> WorkOutcome:
        """A worker ended without a word: out of memory, or killed by somebody."""
        assert member.item is not None
        member.close_bars()
        member.process.join(timeout=10)
        code = member.process.exitcode
        self._workers.remove(member)
        if code is not None and code > 0:
            raise CliperError(f"{member.item.name}: the worker process ended with status {code}")
        how = f"by signal {-code}" if code else "without a word"
        text = f"its worker process was ended {how}, perhaps for lack of memory"
        return WorkOutcome(member.item.number, error=text)

    def _show(self, member: _Worker, what: str, values: list[Any]) -> None:
        assert member.item is not None
        identifier = values[0]
        if what == "open":
            stack, (_, description, total, unit) = ExitStack(), values
            shown = stack.enter_context(task(f"{member.item.name}: {description}", total, unit))
            member.bars[identifier] = (stack, shown)
        elif what == "advance":
            member.bars[identifier][1].advance(values[1], values[2])
        else:
            member.bars.pop(identifier)[0].close()


def _context() -> ForkServerContext | SpawnContext:
    """Workers are fresh processes; on Linux they share one import of PyTorch, made by a server."""
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # The first optimiser of a process imports `torch._dynamo`, which takes two seconds.
    context.set_forkserver_preload([worker.__name__, "torch._dynamo"])
    return context


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a child that is started in the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
