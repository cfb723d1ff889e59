"""What one invocation of the command line remembers."""

from dataclasses import dataclass

import click


@dataclass
class State:
    """Shared by the root command and its verb.

    Attributes:
        debug: show tracebacks.
        on_interrupt: what is kept after Ctrl-C, and how to go on; set by the verb.
    """

    debug: bool = False
    on_interrupt: str = ""


def state() -> State:
    """The running invocation's state."""
    return click.get_current_context().ensure_object(State)


def keeps(what: str) -> None:
    """Say what an interruption would leave behind, before long work starts."""
    state().on_interrupt = what
