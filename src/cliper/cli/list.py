"""`cliper list`: what there is to choose from."""

import click

from cliper.cli.output import json_option, print_json, print_table
from cliper.cli.usage import nearest, verb
from cliper.errors import InputError
from cliper.types import JsonObject

KINDS = ("backbones", "encoders", "fusions", "splits")


@verb("list")
@click.argument("kind", metavar="|".join(KINDS))
@json_option
def command(kind: str, as_json: bool) -> None:
    """Names and summaries of backbones, encoders, fusions or splits.

    \b
    Example:
      cliper list backbones --json
    """
    if kind not in KINDS:
        raise InputError(f"no list of {kind!r}", where="list", remedy=nearest(kind, list(KINDS)))
    rows = _rows(kind)
    if as_json:
        print_json(rows)
        return
    columns = list(rows[0])
    print_table(columns, [[_cell(row[c]) for c in columns] for row in rows])


def _rows(kind: str) -> list[JsonObject]:
    if kind == "backbones":
        from cliper.backbones import list_backbones

        return [
            {
                "name": e.name,
                "summary": e.summary,
                "uses_features": e.backbone.uses_features,
                "features": e.features,
                "modalities": ["image", "text"] if e.backbone.uses_features else [],
                "extra_inputs": list(e.backbone.extra_inputs),
            }
            for e in list_backbones()
        ]
    if kind == "encoders":
        from cliper.encoders.registry import list_encoders

        return list_encoders()
    if kind == "fusions":
        from cliper.representation import list_fusions

        return [dict(row) for row in list_fusions()]
    from cliper.data.splits import list_splits

    return [dict(row) for row in list_splits()]


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
