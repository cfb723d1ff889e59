"""The engine of one machine: `concurrent.futures`, a pool of one process for each worker.

In a pool of several processes one that is killed breaks the pool, and all work in it is lost. A
pool of one loses the one piece that it had, which is done again.
"""

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any, Self

import torch

from cliper.errors import CliperError
from cliper.parallel.messages import EVERY, ForwardingReporter, ShownProgress
from cliper.parallel.work import TRIES, Work, WorkResult, do
from cliper.progress import reporting

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Processes:
    """Worker processes that end with this engine, and with this process however it ends.

    Args:
        open_state: at the top of a module, or a `partial` of such; called once in each process
            for what every function gets first.
        processes: how many.
        threads: PyTorch threads of each; this process's number divided if None.
    """

    def __init__(
        self, open_state: Callable[[], Any], processes: int, threads: int | None = None
    ) -> None:
        self._open_state, self._count = open_state, processes
        self.threads = threads or max(1, torch.get_num_threads() // processes)
        self._context = _context()
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.close()
        self._workers.clear()

    def results(self, work: Iterator[Work]) -> Iterator[WorkResult]:
        """See `Engine`; a piece whose process died is done again.

        Raises:
            CliperError: a process could not be started.
        """
        again: list[Work] = []
        lost: Counter[int] = Counter()
        while True:
            while len(self._busy) < self._count:
                piece = again.pop() if again else next(work, None)
                if piece is None:
                    break
                self._idle().begin(piece)
            if not self._busy:
                return
            wait([worker.future for worker in self._busy], EVERY, FIRST_COMPLETED)
            for worker in self._busy:
                is_done = worker.future.done()  # asked first: all that it told is there then
                worker.show_progress()
                if not is_done:
                    continue
                piece = worker.end()
                result = self._result(worker, piece)
                if result is None:
                    lost[piece.number] += 1
                    if lost[piece.number] < TRIES:
                        again.append(piece)
                        continue
                    text = f"its worker process was ended from outside {TRIES} times"
                    error = f"{text}, perhaps for lack of memory"
                    result = WorkResult(piece.number, piece.name, error=error)
                yield result

    @property
    def _busy(self) -> "list[_Worker]":
        return [worker for worker in self._workers if worker.work is not None]

    def _idle(self) -> "_Worker":
        worker = next((worker for worker in self._workers if worker.work is None), None)
        if worker is None:
            worker = _Worker(self._context, self._open_state, self.threads)
            self._workers.append(worker)
        return worker

    def _result(self, worker: "_Worker", work: Work) -> WorkResult | None:
        """None where the process has died of it."""
        try:
            result: WorkResult = worker.future.result()
        except BrokenProcessPool:
            self._workers.remove(worker)
            worker.close()
            if not worker.has_started:
                raise CliperError(f"{work.name}: no worker process could be started") from None
            return None
        return result


class _Worker:
    """One process, what it does, and a line on which it tells of its progress."""

    future: Future[Any]

    def __init__(self, context: BaseContext, open_state: Callable[[], Any], threads: int) -> None:
        self._line, self._theirs = context.Pipe()
        self._threads = threads
        self._executor = ProcessPoolExecutor(
            1, context, _begin, (self._theirs, open_state, threads)
        )
        self.work: Work | None = None
        self.has_started = False
        self._shown = ShownProgress()

    def begin(self, work: Work) -> None:
        """Give it something to do; the first piece starts the process."""
        self.work, self._shown = work, ShownProgress(work.name)
        before = dict(os.environ)
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(self._threads)))
        try:
            self.future = self._executor.submit(_do, work)
        finally:
            for name in THREAD_VARIABLES:
                del os.environ[name]
            os.environ.update(before)
        self._theirs.close()

    def end(self) -> Work:
        """It is done with it, or lost; its bars leave the screen."""
        assert self.work is not None
        work, self.work = self.work, None
        self._shown.close()
        return work

    def show_progress(self) -> None:
        """Show what it has told."""
        with suppress(EOFError, OSError):  # it is gone, as its future will say
            while self._line.poll():
                self.has_started = True
                self._shown.show(self._line.recv())

    def close(self) -> None:
        """End the process, whatever it does: it leaves when the line is cut."""
        self._shown.close()
        self._line.close()
        self._executor.shutdown()


def _context() -> BaseContext:
    """Workers are fresh processes; on Linux they share one import of PyTorch, made by a server."""
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # The first optimiser of a process imports `torch._dynamo`, which takes two seconds.
    context.set_forkserver_preload([__name__, "torch._dynamo"])
    return context


_process: "_Process | None" = None


class _Process:
    """What a worker process has."""

    def __init__(self, line: Connection, open_state: Callable[[], Any]) -> None:
        self.reporter = ForwardingReporter(line)
        self._open_state = open_state
        self._state: Any = None

    def state(self) -> Any:
        """Made for the first piece of work, so that what is wrong with it is that piece's error."""
        if self._state is None:
            self._state = self._open_state()
        return self._state


def _begin(line: Connection, open_state: Callable[[], Any], threads: int) -> None:
    global _process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    threading.Thread(target=_leave_when_cut, args=(line,), daemon=True).start()
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore", message="Sparse (CSR tensor|invariant)")
    _process = _Process(line, open_state)
    try:
        _process.reporter.hello()
    except OSError:  # the command was ended meanwhile: nobody is there to tell
        os._exit(1)


def _do(work: Work) -> WorkResult:
    assert _process is not None
    with reporting(_process.reporter):
        return do(work, _process.state())


def _leave_when_cut(line: Connection) -> None:
    """The parent says nothing on the line; it ends when the parent closes it, or is gone."""
    with suppress(EOFError, OSError):
        line.recv()
    os._exit(1)
