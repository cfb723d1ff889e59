"""One user in a notebook: what they have, and what a run recommends, with pictures."""

from collections.abc import Sequence
from pathlib import Path

from cliper.escape import one_line
from cliper.experiments.drawing.thumbnails import make_thumbnails
from cliper.notebook import Shown, escaped
from cliper.runs import RunDirectory
from cliper.serving import Recommender

BUDGET = 400_000
"""Bytes of all pictures."""
_CARD = "display:inline-block;vertical-align:top;width:132px;margin:0 8px 8px 0;font-size:12px"
_PICTURE = "width:132px;height:132px;object-fit:contain;background:#8881"


def show_user(
    run: RunDirectory, recommender: Recommender, user: str, k: int, history: int
) -> Shown:
    """See `Run.show`."""
    taken = recommender.history_of(user)[-history:] if history else []
    rows = recommender.recommend([user], k)
    paths = _pictures(run, recommender, [*taken, *(row.item_id for row in rows)])
    found = make_thumbnails([path for path in paths.values() if path is not None], BUDGET)
    title = recommender.shelf.title

    def cards(items: Sequence[tuple[str, str]]) -> str:
        return "".join(
            _card(found.get(paths[item]), title(item) or item, below) for item, below in items
        )

    mine = [(item, "") for item in taken]
    theirs = [(row.item_id, f"{row.rank}. {row.score:.3f}") for row in rows]
    parts = [f"<h4>{escaped(user)} took</h4>{cards(mine)}"] if mine else []
    parts.append(f"<h4>recommended to {escaped(user)}</h4>{cards(theirs)}")
    lines = [f"{one_line(user)} took: " + ", ".join(map(one_line, taken))] if taken else []
    lines += [
        f"{row.rank}. {one_line(row.item_id)}  {row.score:.3f}  {one_line(title(row.item_id))}"
        for row in rows
    ]
    return Shown("\n".join(lines), "".join(parts))


def _card(picture: str | None, title: str, below: str) -> str:
    image = f'<img src="{picture}" alt="" style="{_PICTURE}">' if picture else ""
    empty = f'<div style="{_PICTURE}"></div>'
    note = f"<br><small>{escaped(below)}</small>" if below else ""
    return f'<div style="{_CARD}">{image or empty}<br>{escaped(title[:60])}{note}</div>'


def _pictures(
    run: RunDirectory, recommender: Recommender, items: Sequence[str]
) -> dict[str, Path | None]:
    """Each item's picture, where the run knows one and the dataset is there."""
    names = run.read_pictures()
    found: dict[str, Path | None] = dict.fromkeys(items)
    if names is None:
        return found
    dataset = Path(run.read_config()["dataset"]["path"])
    for item in items:
        row = int(recommender.items.find([item])[0])
        name = names[row].as_py() if 0 <= row < len(names) else None
        path = None if name is None else dataset / name
        found[item] = path if path is not None and path.is_file() else None
    return found
