"""Outside ids that a person typed or wrote into a file."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cliper.errors import InputError

if TYPE_CHECKING:
    from cliper.data import Vocabulary

SEARCHED = 50_000
SHOWN = 60  # characters of a title


def require_known(
    vocabulary: "Vocabulary", ids: Sequence[str], what: str, places: Sequence[str], aside: str = ""
) -> None:
    """Refuse an id that the vocabulary does not have.

    Args:
        vocabulary: the run's users or items.
        ids: as given.
        what: `user` or `item`.
        places: where each id was given, parallel to `ids`.
        aside: what else would help.

    Raises:
        InputError: names the first unknown id and the nearest known one.
    """
    found = vocabulary.find(list(ids))
    if (found >= 0).all():
        return
    first = int((found < 0).argmax())
    known = vocabulary.ids(range(min(len(vocabulary), SEARCHED)))
    near = difflib.get_close_matches(ids[first], known, n=1)
    nearest = f"; did you mean {near[0]!r}?" if near else ""
    why = f"the run's dataset has none: prepare drops {what}s with few rows (--k-core)"
    remedy = f"{why}{nearest}{aside}"
    raise InputError(f"unknown {what} {ids[first]!r}", where=places[first], remedy=remedy)


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
