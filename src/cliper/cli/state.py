"""What one invocation of the command line remembers."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import click

from cliper.files import write_text


@dataclass
class State:
    """Shared by the root command and its verb.

    Attributes:
        debug: show tracebacks.
        on_interrupt: what is kept after Ctrl-C, and how to go on; set by the verb.
        arguments: what was typed after `cliper`.
    """

    debug: bool = False
    on_interrupt: str = ""
    arguments: tuple[str, ...] = ()


def state() -> State:
    """The running invocation's state."""
    return click.get_current_context().ensure_object(State)


def keeps(what: str) -> None:
    """Say what an interruption would leave behind, before long work starts."""
    state().on_interrupt = what


def note_command(out: Path) -> None:
    """Keep what was typed in `out/command.txt`, a line a different command, for the report."""
    line = shlex.join(("cliper", *state().arguments))
    path = out / "command.txt"
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    if line not in lines:
        write_text(path, "\n".join([*lines, line]) + "\n")
