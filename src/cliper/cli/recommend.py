"""`cliper recommend`: the best items for users, by their outside ids."""

from dataclasses import replace
from pathlib import Path

import click

from cliper.cli.ids import read_ids, require_known
from cliper.cli.output import json_option, print_json, say
from cliper.cli.ranked import print_ranked
from cliper.cli.usage import verb


@verb("recommend", many=("--user",))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--user", "users", multiple=True, required=True, metavar="ID…", help="User ids.")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--candidates", type=click.Path(path_type=Path), help="File of item ids, one a line.")
@click.option("--include-seen", is_flag=True, help="Also what a user has already.")
@click.option("--popular", is_flag=True,
              help="Users that the run lacks get the most taken items.")  # fmt: skip
@json_option
def command(
    run: Path,
    users: tuple[str, ...],
    k: int,
    candidates: Path | None,
    include_seen: bool,
    popular: bool,
    as_json: bool,
) -> None:
    """The k best items for each user, best first.

    \b
    Example:
      cliper recommend runs/films --user 17 42 -k 5
      cliper recommend runs/films --user 17 someone-new --popular
    """
    from cliper.serving import Recommender

    recommender = Recommender.load(run, exact=True)
    unknown = [] if not popular else [u for u in users if recommender.users.find([u])[0] < 0]
    known = [user for user in users if user not in unknown]
    aside = "" if popular else "; --popular gives unknown users the most taken items"
    require_known(recommender.users, known, "user", ["--user"] * len(known), aside)
    pool = None
    if candidates is not None:
        lines, pool = zip(*read_ids(candidates), strict=True)
        places = [f"{candidates}, line {line}" for line in lines]
        require_known(recommender.items, pool, "item", places)
    rows = []
    if known:
        rows = recommender.recommend(known, k, exclude_seen=not include_seen, candidates=pool)
    most_taken = recommender.recommend(history=[], k=k, candidates=pool) if unknown else []
    rows += [replace(row, query=user) for user in unknown for row in most_taken]
    if as_json:
        found = [
            {"user_id": r.query, "rank": r.rank, "item_id": r.item_id, "score": r.score}
            for r in rows
        ]
        print_json({"run": str(run), "k": k, "recommendations": found, "popular": unknown})
        return
    print_ranked(recommender, rows, "user_id", "item_id")
    if unknown:
        say(f"note: by popularity, not in the run: {', '.join(unknown)}; the score counts takers")
