"""Progress of a worker process, told on a line and shown by its parent."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from cliper.progress import INNER, Task, silent, task

EVERY = 0.2  # seconds between two messages of one bar


class ForwardingReporter:
    """Tells of tasks instead of showing them.

    Args:
        line: to the parent.
    """

    def __init__(self, line: Connection) -> None:
        self._line, self._count = line, 0

    def hello(self) -> None:
        """The process has started."""
        self._line.send(("hello",))

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Task]:
        """Tell of one task for as long as the block runs."""
        if description in INNER:
            yield silent()
            return
        self._count += 1
        bar = _Throttled(self._line, self._count)
        self._line.send(("open", self._count, description, total, unit))
        try:
            yield bar
        finally:
            bar.flush()
            self._line.send(("close", bar.identifier))


class _Throttled:
    def __init__(self, line: Connection, identifier: int) -> None:
        self._line, self.identifier = line, identifier
        self._amount, self._note, self._sent = 0.0, "", 0.0

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._amount += amount
        self._note = note or self._note
        if time.monotonic() - self._sent >= EVERY:
            self.flush()

    def flush(self) -> None:
        if self._amount or self._note:
            self._line.send(("advance", self.identifier, self._amount, self._note))
            self._amount, self._note, self._sent = 0.0, "", time.monotonic()


class ShownProgress:
    """The bars of one piece of work.

    Args:
        name: what people call it.
    """

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._bars: dict[int, tuple[ExitStack, Task]] = {}

    def show(self, message: tuple[Any, ...]) -> None:
        """Show what a message of `ForwardingReporter` says."""
        what, *values = message
        if what == "open":
            identifier, description, total, unit = values
            stack = ExitStack()
            shown = stack.enter_context(task(f"{self._name}: {description}", total, unit))
            self._bars[identifier] = (stack, shown)
        elif what == "advance":
            self._bars[values[0]][1].advance(*values[1:])
        elif what == "close":
            self._bars.pop(values[0])[0].close()

    def close(self) -> None:
        """Take what is left of them off the screen."""
        while self._bars:
            self._bars.popitem()[1][0].close()
