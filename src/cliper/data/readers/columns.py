"""Which column of a file is what: named by the user, or by one of the names that people give."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cliper.config import nearest
from cliper.data.readers.rows import Advance, Chunk, Rows, Wanted
from cliper.data.readers.tables import Table
from cliper.errors import InputError

_USER = "user uid userid customer customerid reviewerid visitorid memberid clientid buyerid"
_ITEM = (
    "item iid itemid movieid productid asin sku isbn articleid bookid trackid songid newsid goodid "
    "goodsid videoid recipeid businessid"
)
_RATING = "rating ratings score stars overall ratingvalue"
_TIME = (
    "timestamp time ts date datetime unixreviewtime eventtime createdat orderedat purchasedat "
    "boughtat orderdate purchasedate orderedon reviewtime"
)
_LOG = {"user_id": _USER, "item_id": _ITEM, "rating": _RATING, "timestamp": _TIME}
_ITEMS = {"item_id": f"{_ITEM} id", "image": "image img picture imagepath imagefile"}
ROLES = {"user": "user_id", "item": "item_id", "rating": "rating", "time": "timestamp"}
ITEM_ROLES = {"item": "item_id", "image": "image"}


@dataclass(frozen=True)
class Named:
    """A table's rows under the standard names.

    Attributes:
        rows: the rows.
        used: standard name → the table's.
        unused: of a log, columns that are nothing of these.
    """

    rows: Rows
    used: Mapping[str, str]
    unused: tuple[str, ...]

    @property
    def notes(self) -> list[str]:
        """What to tell: names that were taken for others, and columns that were passed over."""
        name = Path(self.rows.name).name
        other = [f"{ours} from {theirs!r}" for ours, theirs in self.used.items() if ours != theirs]
        told = [f"{name}: {', '.join(other)}"] if other else []
        if self.unused:
            cut = ", ".join(self.unused[:10]) + (", …" if len(self.unused) > 10 else "")
            time = "" if "timestamp" in self.used else (
                "; without a time no split by time (--columns time=… names one)"
            )  # fmt: skip
            told.append(f"{name}: not used: {cut}{time}")
        elif "user_id" in self.used and "timestamp" not in self.used:
            told.append(f"{name}: no times, so no split by time")
        return told


def named_log(table: Table, given: Mapping[str, str], decimal: str = ".") -> Named:
    """A log under `user_id`, `item_id`, `rating`, `timestamp`.

    Args:
        table: the log.
        given: role (`user`, `item`, `rating`, `time`) → the table's name of it.
        decimal: the sign before a rating's fraction.

    Raises:
        InputError: an unknown role, a column that is not there, or several for one role.
    """
    used = _used(table.names, given, ROLES, _LOG, table.name, "--columns")
    unused = tuple(name for name in table.names if name not in used.values())
    return Named(_renamed(table.rows(list(used.values())), used, decimal), used, unused)


def named_items(table: Table, given: Mapping[str, str]) -> Named:
    """A catalogue under `item_id`, perhaps `image`, and fields; as `named_log`."""
    used = _used(table.names, given, ITEM_ROLES, _ITEMS, table.name, "--item-columns")
    return Named(_renamed(table.rows(None), used, "."), used, ())


def parse_columns(text: str | None, option: str) -> dict[str, str]:
    """`user=uid,item=sku` as a mapping.

    Raises:
        InputError: not of this form, or a role twice.
    """
    pairs = [one.partition("=") for one in (text or "").split(",") if one.strip()]
    found = {role.strip(): name.strip() for role, _, name in pairs}
    if len(found) < len(pairs) or not all(role and name for role, name in found.items()):
        raise InputError(f"not role=column,…: {text!r}", where=option)
    return found


def bare(name: str) -> str:
    """A column's name without what RecBole writes behind it.

    >>> bare("user_id:token"), bare("time:of:day")
    ('user_id', 'time:of:day')
    """
    head, colon, kind = name.rpartition(":")
    return head if colon and kind in ("token", "token_seq", "float", "float_seq") else name


def _used(
    names: list[str],
    given: Mapping[str, str],
    roles: Mapping[str, str],
    known: Mapping[str, str],
    where: str,
    option: str,
) -> dict[str, str]:
    used: dict[str, str] = {}
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise InputError(f"a mapping of roles, got {kind}", where=option, remedy="{'item': 'sku'}")
    for role, name in given.items():
        if role not in roles:
            raise InputError(f"no role {role!r}", where=option, remedy=nearest(role, list(roles)))
        if name not in names:
            raise InputError(f"no column {name!r}", where=where, remedy=nearest(name, names))
        used[roles[role]] = name
    for standard, others in known.items():
        if standard in used:
            continue
        free = [name for name in names if name not in used.values()]
        exact = [name for name in free if bare(name) == standard]
        alike = [name for name in free if _plain(bare(name)) in (_plain(standard), *others.split())]
        found = exact or alike
        if len(found) > 1:
            role = next(role for role, name in roles.items() if name == standard)
            raise InputError(
                f"{' and '.join(map(repr, found[:3]))} may each be the {standard}",
                where=where,
                remedy=f"say which: {option} {role}=…",
            )
        if found:
            used[standard] = found[0]
    return used


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace(" ", "").replace("-", "")


def _renamed(rows: Rows, used: Mapping[str, str], decimal: str) -> Rows:
    ours = {theirs: standard for standard, theirs in used.items()}

    def read(under: Rows, advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        for chunk in under.read(advance, wanted):
            columns = {ours.get(name, bare(name)): v for name, v in chunk.columns.items()}
            rating = columns.get("rating")
            if decimal != "." and isinstance(rating, list):
                columns["rating"] = _with_points(rating, decimal)
            names = [ours.get(name, bare(name)) for name in chunk.names]
            yield replace(chunk, columns=columns, names=names)

    return replace(rows, read=partial(read, rows))


def _with_points(values: list[str], decimal: str) -> pa.Array:
    """`1.234,5` as `1234.5`: what is not the decimal sign separates thousands."""
    array = pa.array(values, pa.string())
    for sign in (",", ".", " ", "'", "\u00a0", "\u202f"):
        if sign != decimal:
            array = pc.replace_substring(array, sign, "")
    return pc.replace_substring(array, decimal, ".")
