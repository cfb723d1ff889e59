"""`cliper verify`: everything in a directory against the digests that were written with it."""

from pathlib import Path

import click

from cliper.cli.output import json_option, print_facts, print_json
from cliper.cli.usage import verb


@verb("verify")
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def command(path: Path, as_json: bool) -> None:
    """Compare a dataset, its encodings, a run or a folder of them with their digests.

    Small files are compared whenever they are read; this reads all of them.

    \b
    Example:
      cliper verify data/films
    """
    from cliper.errors import InputError
    from cliper.sums import verify

    found = verify(path)
    damaged = [str(one) for one in found.damaged]
    facts = {"files": found.files, "without_digest": found.without, "damaged": damaged}
    if as_json:
        print_json({"path": str(path), **facts})
    if damaged:
        more = f" and {len(damaged) - 1:,} more" if len(damaged) > 1 else ""
        raise InputError(
            f"damaged, replaced or missing{more}",
            where=damaged[0],
            remedy="prepare, encode or train again, or take it from a copy",
        )
    if not as_json:
        rows = [("as written", found.files), ("without a digest", found.without)]
        print_facts([*rows], title=str(path))
