"""Progress of long work: silent in a library, a bar on stderr in a command.

Code that takes long opens a `task`; whoever talks to a person installs a `Reporter`. The library
never prints on its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

# So many of these happen inside a training that showing each would bury the rest.
INNER = ("ranking",)


class Task(Protocol):
    """One piece of long work under way."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Say that `amount` more is done; `note` is shown beside the bar (a loss, a rate)."""
        ...


class Reporter(Protocol):
    """Shows tasks to a person."""

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Task]:
        """Show one task for as long as the block runs.

        `total` is None where it is unknown; `unit` is "B" for bytes, else what is counted says
        the description.
        """
        ...


class _Silent:
    def advance(self, amount: float = 1, note: str = "") -> None:
        pass

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Task]:
        yield self


def silent() -> Task:
    """A task that nobody sees."""
    return _Silent()


SILENT: Reporter = _Silent()
"""Shows nothing."""
_reporter: ContextVar[Reporter] = ContextVar("reporter", default=SILENT)


@contextmanager
def task(description: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
    """Open a task with whatever reporter is installed; `unit` is "B" where bytes are counted.

    >>> with task("counting", total=2) as t:
    ...     t.advance(2)
    """
    with _reporter.get().task(description, total, unit) as opened:
        yield opened


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Install `reporter` for the block."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)
