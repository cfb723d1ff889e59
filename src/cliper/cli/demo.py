"""`cliper demo`: the whole job on a generated shop."""

from pathlib import Path

import click

from cliper.cli.options import OUT
from cliper.cli.output import json_option, print_json, say
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("demo")
@click.option(
    "--out", type=OUT, default=Path("demo"), show_default=True,
    help="Gets dataset, runs and report.",
)  # fmt: skip
@json_option
def command(out: Path, as_json: bool) -> None:
    """Draw a small shop, train vanilla and CLIPER features on it, and compare.

    \b
    Example:
      cliper demo --out demo
    """
    from cliper.demo.run import run_demo

    keeps(f"finished parts are kept in {out}; the same command goes on")
    result = run_demo(out)
    if as_json:
        print_json({"table": result.table, "report": str(result.report)})
        return
    say(result.table)
    say(f"report: {result.report}")
