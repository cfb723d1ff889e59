"""Progress for people: bars on a terminal, lines elsewhere."""

import io

import pytest
from rich.console import Console

from cliper.cli.progress import LineReporter, RichReporter, make_reporter
from cliper.progress import reporting, task


def work() -> None:
    with task("comparing", total=2) as outer:
        for epoch in range(2):
            with task("training Bpr", total=3) as inner, task("ranking", total=1) as hidden:
                hidden.advance()
                inner.advance(3, note=f"loss {epoch}")
            outer.advance()


def test_lines_at_start_and_end_only():
    stream = io.StringIO()
    with reporting(LineReporter(stream)):
        work()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 6
    assert lines[0] == "comparing (2) …"
    assert lines[2].startswith("  training Bpr: 3 in ")
    assert lines[2].endswith(", loss 0")
    assert "/s" in lines[2]
    assert not any("ranking" in line for line in lines)


def test_a_task_that_breaks_does_not_claim_to_be_done():
    stream = io.StringIO()
    with pytest.raises(ValueError), reporting(LineReporter(stream)), task("reading"):
        raise ValueError
    assert stream.getvalue() == "reading …\n"


def test_bars_show_speed_and_note_and_stop():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=160)
    reporter = RichReporter(console)
    with reporting(reporter):
        work()
        work()
    shown = stream.getvalue()
    assert "comparing" in shown
    assert "2/2" in shown
    assert "/s" in shown
    assert shown.count("\x1b[?25h") == 2  # the cursor is given back


def test_the_stream_decides():
    assert isinstance(make_reporter(io.StringIO()), LineReporter)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(make_reporter(Terminal()), RichReporter)
