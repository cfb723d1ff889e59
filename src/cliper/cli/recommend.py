"""`cliper recommend`: the best items for users, by their outside ids."""

from pathlib import Path

import click

from cliper.cli.output import json_option, print_json, print_table
from cliper.cli.usage import verb
from cliper.errors import InputError


@verb("recommend", many=("--user",))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--user", "users", multiple=True, required=True, metavar="ID…", help="User ids.")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--candidates", type=click.Path(path_type=Path), help="File of item ids, one a line.")
@click.option("--include-seen", is_flag=True, help="Also what a user has already.")
@json_option
def command(
    run: Path,
    users: tuple[str, ...],
    k: int,
    candidates: Path | None,
    include_seen: bool,
    as_json: bool,
) -> None:
    """The k best items for each user, best first.

    \b
    Example:
      cliper recommend runs/films --user 17 42 -k 5
    """
    from cliper.serving import Recommender

    recommender = Recommender.load(run)
    pool = None
    if candidates is not None:
        pool = read_ids(candidates)
        known = recommender.items.find([name for _, name in pool])
        for (line, name), index in zip(pool, known.tolist(), strict=True):
            if index < 0:
                raise InputError(
                    f"unknown item {name!r}",
                    where=f"{candidates}, line {line}",
                    remedy="name items of the run's dataset",
                )
    rows = recommender.recommend(
        users,
        k,
        exclude_seen=not include_seen,
        candidates=None if pool is None else [name for _, name in pool],
    )
    if as_json:
        found = [
            {"user_id": r.query, "rank": r.rank, "item_id": r.item_id, "score": r.score}
            for r in rows
        ]
        print_json({"run": str(run), "k": k, "recommendations": found})
        return
    cells = [[r.query, str(r.rank), r.item_id, f"{r.score:.4f}"] for r in rows]
    print_table(["user_id", "rank", "item_id", "score"], cells, right=[1, 3])


def read_ids(path: Path) -> list[tuple[int, str]]:
    """(line number, id) of a text file with one id a line; blank lines do not count.

    Raises:
        InputError: the file cannot be read or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(
            f"cannot be read: {why}", where=str(path), remedy="give a text file, one id a line"
        ) from None
    ids = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not ids:
        raise InputError("names no item", where=str(path), remedy="write one id a line")
    return ids
