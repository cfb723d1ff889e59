"""Wrong usage in one line that names the nearest right one, instead of click's three."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from cliper.cli.state import State


def nearest(name: str, known: Sequence[str]) -> str:
    """`cliper.config.nearest`, imported when something is wrong: it costs a third of `--help`."""
    from cliper.config import nearest as find

    return find(name, list(known))


class VerbGroup(click.Group):
    """A group that names the nearest verb."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or refuse in one line."""
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known:
            raise click.UsageError(f"no command {name!r} ({nearest(name, known)})", ctx)
        return super().resolve_command(ctx, args)


class Verb(click.Command):
    """A command with `--debug`; options in `many` take several values: `--user a b c`."""

    many: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=_set_debug,
                help="Show the traceback of an unexpected error.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat a `many` option before each of its values, then parse as usual."""
        return super().parse_args(ctx, spread(args, self.many))


def spread(args: Sequence[str], options: Sequence[str]) -> list[str]:
    """Write `--user a b` as `--user a --user b`.

    >>> spread(["run", "--user", "a", "b", "-k", "3"], ["--user"])
    ['run', '--user', 'a', '--user', 'b', '-k', '3']
    """
    result: list[str] = []
    current, first = None, False
    for token in args:
        if token in options:
            current, first = token, True
        elif current is not None and (first or not token.startswith("-")):
            if not first:
                result.append(current)
            first = False
        else:
            current = None
        result.append(token)
    return result


def verb(
    name: str, *, many: Sequence[str] = (), group: click.Group | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: make a function a verb, of `group` if there is one."""

    def make(function: Callable[..., Any]) -> click.Command:
        command = click.command(name, cls=Verb)(function)
        command.many = tuple(many)
        if group is not None:
            group.add_command(command)
        return command

    return make


def one_line(error: click.ClickException) -> str:
    """A usage error as `cliper VERB: what (what would be right)`."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "cliper"
    text = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, click.NoSuchOption) and context is not None:
        known = [o for p in context.command.params for o in p.opts if o.startswith("--")]
        text = f"no option {error.option_name!r} ({nearest(error.option_name, known)})"
    elif isinstance(error, click.exceptions.NoArgsIsHelpError):
        text = "no command"
    else:
        text = text[:1].lower() + text[1:]
    aside = "" if "(" in text else f" (see '{where} --help')"
    return f"{where}: {text}{aside}"


def _set_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.ensure_object(State).debug |= value
