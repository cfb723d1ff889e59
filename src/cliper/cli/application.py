"""`main`: the root command, and how every outcome becomes an exit status."""

import errno
import io
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module

import click

from cliper import __version__
from cliper.cli.state import State
from cliper.cli.usage import VerbGroup, one_line
from cliper.errors import InputError
from cliper.escape import one_line as escaped
from cliper.extras import missing_extra
from cliper.progress import reporting

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.EEXIST,
             errno.ENAMETOOLONG, errno.ELOOP)  # fmt: skip

VERBS = (
    "demo",
    "prepare",
    "images",
    "encode",
    "augment",
    "train",
    "evaluate",
    "run",
    "compare",
    "search",
    "study",
    "recommend",
    "similar",
    "export",
    "verify",
    "serve",
    "report",
    "describe",
    "list",
    "bench",
    "doctor",
)


class _Root(VerbGroup):
    """Imports a verb's file when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"cliper.cli.{cmd_name}").command
        return command


@click.command(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
@click.pass_context
def root(context: click.Context, debug: bool) -> None:
    """Multi-modal recommendation with multi-view, image-aligned item representations.

    \b
    Example:
      cliper prepare files --items items.jsonl --interactions log.csv --out data/shop
      cliper train data/shop --backbone freedom --features cliper --out runs/shop
      cliper recommend runs/shop --user u7

    Exit status: 0 done, 2 your input is wrong, 130 interrupted, 1 anything else.
    """
    context.ensure_object(State).debug |= debug


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status; never a traceback unless asked for.

    >>> main(["list", "nonsense"])
    2
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # PyTorch says so of every sparse product; it is nothing that a user could act on
    warnings.filterwarnings("ignore", message="Sparse (CSR tensor|invariant)")
    debug = os.environ.get("CLIPER_DEBUG", "") not in ("", "0")
    current = State(debug=debug, arguments=tuple(given))
    if sys.stderr is None:  # its number would go to the next file that is opened
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 (for as long as we run)
    if sys.stdout is None:
        return _say("cliper: standard output is closed (send it to a file or /dev/null)", BAD_INPUT)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an encoding that lacks a letter gives its name
            stream.reconfigure(errors="backslashreplace")
    try:
        with root.make_context("cliper", given or ["--help"], obj=current) as context:
            from cliper.cli.progress import make_reporter

            with reporting(make_reporter()):
                root.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        return _say(one_line(error), BAD_INPUT)
    except InputError as error:
        _traceback(current)
        return _say(f"cliper: {_joined(str(error))}", BAD_INPUT)
    except ModuleNotFoundError as error:
        _traceback(current)
        known = missing_extra(error)
        return _say(f"cliper: {known or error}", FAILED if known is None else BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        kept = current.on_interrupt or "nothing was written"
        return _say(f"cliper: interrupted; {kept}", INTERRUPTED)
    except BrokenPipeError:  # the reader of stdout has left; Python would complain at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # a path that cannot be used as one, a disk that is full
        _traceback(current)
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        is_input = error.errno in _UNUSABLE and error.filename
        return _say(f"cliper: {_joined(named)}", BAD_INPUT if is_input else FAILED)
    except Exception as error:
        _traceback(current)
        hint = "" if current.debug else " (--debug shows where)"
        return _say(f"cliper: {type(error).__name__}: {_joined(str(error))}{hint}", FAILED)
    return DONE


def _say(line: str, status: int) -> int:
    click.echo(escaped(line), err=True)
    return status


def _traceback(current: State) -> None:
    if current.debug:
        traceback.print_exc()


def _joined(text: str) -> str:
    """A message on one line, whatever it was made of."""
    return escaped(" ".join(text.split())) or "no message"
