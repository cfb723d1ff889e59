"""`cliper bench`: the project's benchmarks here, beside the committed numbers."""

import click

from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.usage import verb


@verb("bench")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@json_option
def command(names: tuple[str, ...], as_json: bool) -> None:
    """Run benchmarks of a checkout as its results/ were made; without names, list them.

    \b
    Example:
      cliper bench ranking training
    """
    from cliper.bench import Checkout, beside

    checkout = Checkout.find()
    if not names:
        listed = [
            {"name": name, "summary": checkout.summary(name), "page": f"results/{entry.page}"}
            for name, entry in checkout.benchmarks.items()
        ]
        if as_json:
            print_json({"benchmarks": listed})
        else:
            rows = [[one["name"], one["summary"], one["page"]] for one in listed]
            print_table(["name", "measures", "committed"], rows)
        return
    checkout.check(list(names))
    found = {}
    for name in names:
        page = f"results/{checkout.benchmarks[name].page}"
        say(f"{name}: measuring, which may take minutes; leave the machine alone", err=True)
        numbers = beside(checkout.run(name), checkout.committed(name))
        found[name] = [
            {"what": one.what, "here": one.here, "committed": one.committed, "ratio": one.ratio}
            for one in numbers
        ]
        if not as_json:
            cells = [
                [one.what, *map(_shown, (one.here, one.committed, one.ratio))] for one in numbers
            ]
            title = f"{name}: here beside {page}"
            print_table(
                ["", "here", "committed", "here / committed"], cells, title=title, right=[1, 2, 3]
            )
    if as_json:
        print_json(found)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
