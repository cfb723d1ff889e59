"""What is done, what became of it, and the engine that does it in this process."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from cliper.errors import InputError

TRIES = 3
"""Of a piece whose worker dies; a piece that itself kills its worker must end."""
# A path that the user gave cannot be used as one.
PATH_ERRORS = (PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)


@dataclass(frozen=True)
class Work:
    """One piece of work.

    Attributes:
        number: what its result is known by.
        name: what people call it, e.g. `freedom-cliper-attention seed 3`.
        function: at the top of a module; gets the engine's state and the arguments.
        arguments: plain values.
    """

    number: int
    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class WorkResult:
    """What became of a piece of work: its plain value, or one line that says what went wrong."""

    number: int
    name: str
    value: Any = None
    error: str = ""


class Engine(Protocol):
    """Does work; a context manager that leaves nobody behind."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def results(self, work: Iterator[Work]) -> Iterator[WorkResult]:
        """Do all of it and yield results as they come.

        A piece is taken from `work` when there is room for it, so it may depend on the results
        that were yielded before.

        Raises:
            InputError: the first piece that was given something wrong; the others are given up.
        """
        ...


class Here:
    """The engine of this very process: one piece after the other.

    Args:
        state: what every function gets first.

    >>> double = Work(7, "double", lambda state, by: state * by, {"by": 2})
    >>> with Here(21) as engine:
    ...     next(engine.results(iter([double])))
    WorkResult(number=7, name='double', value=42, error='')
    """

    def __init__(self, state: Any) -> None:
        self._state = state

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def results(self, work: Iterator[Work]) -> Iterator[WorkResult]:
        """See `Engine`."""
        for piece in work:
            yield do(piece, self._state)


def do(work: Work, state: Any) -> WorkResult:
    """Do one piece; what fails costs itself alone, unless the user can put it right.

    Raises:
        InputError: it was given something wrong.
    """
    try:
        return WorkResult(work.number, work.name, work.function(state, **work.arguments))
    except InputError:
        raise
    except PATH_ERRORS as error:
        raise InputError(str(error.strerror), where=str(error.filename)) from error
    except Exception as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return WorkResult(work.number, work.name, error=line)
