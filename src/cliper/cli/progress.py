"""Progress on stderr: bars with speed and time left on a terminal, one line a task elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from cliper.escape import one_line
from cliper.progress import INNER, Reporter, Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


def make_reporter(stream: TextIO | None = None) -> Reporter:
    """The reporter that suits where stderr goes."""
    stream = stream or sys.stderr
    return RichReporter() if stream.isatty() else LineReporter(stream)


class LineReporter:
    """A line when a task starts and one when it ends.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._depth = 0

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Task]:
        """Announce a task, and say how long it took."""
        if description in INNER or total == 0:
            yield _Count()
            return
        counter, start = _Count(), time.perf_counter()
        indent = "  " * self._depth
        of = f" ({_amount(total, unit)})" if total else ""
        print(f"{indent}{one_line(description)}{of} …", file=self._stream, flush=True)
        self._depth += 1
        try:
            yield counter
        finally:
            self._depth -= 1
        seconds = time.perf_counter() - start
        note = f", {counter.note}" if counter.note and not counter.note.endswith("/s") else ""
        speed = counter.done / seconds if seconds else 0.0
        rate = f", {_amount(speed, unit, digits=1)}/s" if speed else ""
        done = f"{_amount(counter.done, unit)} in {seconds:.1f} s{rate}{note}"
        print(
            f"{indent}{one_line(description)}: {done}",
            file=self._stream,
            flush=True,
        )


def _amount(value: float, unit: str, digits: int = 0) -> str:
    """A count, or bytes in the unit that suits them.

    >>> _amount(1234, ""), _amount(2_345_678, "B")
    ('1,234', '2.3 MB')
    """
    if unit != "B":
        return f"{value:,.{digits}f}"
    for name in ("B", "kB", "MB", "GB"):
        if value < 1000 or name == "GB":
            break
        value /= 1000
    return f"{value:,.{0 if name == 'B' else 1}f} {name}"


class _Count:
    def __init__(self) -> None:
        self.done, self.note = 0.0, ""

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.done += amount
        self.note = note or self.note


class RichReporter:
    """Live bars: what is done, the speed, the time left, and a note (a loss).

    Args:
        console: where to; stderr by default.
    """

    def __init__(self, console: "Console | None" = None) -> None:
        self._console = console
        self._progress: Progress | None = None

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Task]:
        """Show a bar for as long as the block runs; finished bars leave the screen."""
        if description in INNER or total == 0:
            yield _Count()
            return
        outermost = self._progress is None
        progress = self._progress = self._progress or _make_progress(self._console)
        if outermost:
            progress.start()
        identifier = progress.add_task(one_line(description), total=total, note="", unit=unit)
        try:
            yield _Bar(progress, identifier)
        finally:
            if outermost:
                progress.stop()
                self._progress = None
            else:
                progress.remove_task(identifier)


class _Bar:
    def __init__(self, progress: "Progress", identifier: "TaskID") -> None:
        self._progress, self._identifier = progress, identifier

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._progress.advance(self._identifier, amount)
        if note:
            self._progress.update(self._identifier, note=note)


def _make_progress(console: "Console | None") -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as RichTask
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: RichTask) -> Text:
            speed = task.finished_speed or task.speed
            shown = "" if speed is None else f"{_amount(speed, task.fields['unit'], digits=1)}/s"
            return Text(shown, style="progress.data.speed")

    class Done(ProgressColumn):
        def render(self, task: RichTask) -> Text:
            unit = task.fields["unit"]
            done = _amount(task.completed, unit).replace(",", "")
            of = "?" if task.total is None else _amount(task.total, unit).replace(",", "")
            return Text(f"{done}/{of}", style="progress.download")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        Done(),
        Speed(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[note]}", markup=True),
        console=console or Console(stderr=True),
    )
