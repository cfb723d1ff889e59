"""The one way from items and a log to a dataset directory, whatever layout they come from.

The log is read first. What it leaves says which items can stay at all, and only their texts are
kept while the catalogue goes by: memory grows with what stays, not with the catalogue.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pyarrow as pa

from cliper.data.catalogue import Catalogue
from cliper.data.dataset import Dataset
from cliper.data.directory import dataset_directory
from cliper.data.images import find_images, store_images
from cliper.data.interactions import Interactions
from cliper.data.kcore import k_core as core_mask
from cliper.data.ledger import SAMPLES, Ledger
from cliper.data.readers.embedded import Embedded
from cliper.data.readers.ids import near_miss
from cliper.data.readers.interactions import Log, Repeats, read_interactions
from cliper.data.readers.items import ImageChoice, RawCatalogue, read_items
from cliper.data.readers.rows import Rows, Wanted
from cliper.data.vocabulary import Vocabulary
from cliper.errors import InputError
from cliper.files import sha256_file
from cliper.types import BoolArray, IndexArray, JsonObject


@dataclass(frozen=True)
class Filters:
    """What stays.

    Attributes:
        min_rating: lower ratings are no positives.
        k_core: every user and item keeps at least so many rows.
        keep_unbought: catalogue items that do not occur in the log at all stay, after the others,
            as items that can be recommended.
        repeats: which row of a user and an item decides, see `read_interactions`.
        keep_html: tags and entities in the catalogue's texts stay (published layouts have readers
            of their own, which clean them).
        image_choice: of several pictures of an item the first is kept, or all for their mean.

    Raises:
        InputError: the lowest rating is no number, or the core is negative.
    """

    min_rating: float | None = None
    k_core: int = 5
    keep_unbought: bool = False
    repeats: Repeats = "any"
    keep_html: bool = True
    image_choice: ImageChoice = "first"

    def __post_init__(self) -> None:
        lowest = self.min_rating
        if lowest is not None and not (isinstance(lowest, Real) and np.isfinite(lowest)):
            what = f"the lowest rating must be a number, got {lowest!r}"
            raise InputError(what, where="min_rating", remedy="such as 4, or leave it out")
        if not isinstance(self.k_core, Integral) or self.k_core < 0:
            what = f"k-core needs a whole k of at least 0, got {self.k_core!r}"
            raise InputError(what, where="k_core")

    def as_json(self) -> JsonObject:
        """Name → value."""
        return {
            "min_rating": self.min_rating,
            "k_core": self.k_core,
            "keep_unbought": self.keep_unbought,
        }


@dataclass(frozen=True)
class Pictures:
    """Where an item's picture lies.

    Attributes:
        root: the folder that paths of the catalogue start from.
        by_name: where the catalogue names no paths, take pictures called after the item id.
        embedded: where those go that the catalogue itself holds.
    """

    root: Path
    by_name: bool
    embedded: Embedded | None = None


def assemble(
    items: Rows | None,
    log: Rows,
    out: Path,
    filters: Filters,
    *,
    ledger: Ledger,
    pictures: Pictures | None = None,
    name: str | None = None,
    keep_unlisted: bool = False,
    options: Mapping[str, object] | None = None,
    remarks: Callable[[Interactions], JsonObject] = lambda _: {},
) -> Dataset:
    """Read, filter and check, and write the dataset directory.

    The order: rows that cannot be read, ratings too low, items that the catalogue does not have,
    duplicate pairs (the earliest row stays, the first in the file where times are equal or
    unknown), then the k-core. Items outside the core leave the dataset. Everything that leaves is
    counted by reason in `dataset.json`; what becomes of values is counted for items that can stay.

    Users and items are numbered in the order of their ids as text and rows are sorted, so the
    result does not depend on the order of rows in the files (except between equal duplicates).

    Args:
        items: the catalogue; None for interactions alone.
        log: the interactions.
        out: the dataset directory; an earlier dataset there is replaced.
        filters: what stays.
        ledger: where the sources count, too.
        pictures: where pictures are; None for none.
        name: for people; by default the directory's name.
        keep_unlisted: items of the log that the catalogue does not have stay, without fields.
        options: what else the user chose, for `dataset.json`.
        remarks: more entries of `dataset.json`, given the interactions that stayed.

    Raises:
        InputError: broken input, nothing left, or `out` holds something else.
    """
    found = read_interactions(log, ledger, filters.min_rating, filters.repeats)
    raw = None
    if items is not None:
        stays, choice = _can_stay(found, filters), filters.image_choice
        raw = read_items(items, ledger, stays, filters.keep_html, choice)
    drop, near = np.zeros(len(found.user), dtype=np.bool_), ""
    if raw is not None and not keep_unlisted:
        drop = found.missing_in(raw.listed, ledger)
        near = near_miss([found.item_ids[i] for i in np.unique(found.item[drop])], raw.listed)
    rows = _filter(found, np.flatnonzero(~drop), filters.k_core, ledger)
    if not len(rows):
        raise InputError(
            f"no interaction is left of {found.n_read} ({_reasons(ledger)})",
            where=log.name,
            remedy=near or _remedy(ledger),
        )
    in_core = np.zeros(len(found.item_ids), dtype=np.bool_)
    in_core[found.item[rows]] = True
    unbought = _unbought(raw, found, in_core, filters.keep_unbought, ledger)
    table, item_ids = _interactions(found, rows, in_core, unbought)
    with dataset_directory(out) as work:
        catalogue = None
        if raw is not None:
            catalogue = _catalogue(raw, item_ids, pictures, work, ledger)
        about: JsonObject = {
            "source": {**(_facts(items) if items else {}), **_facts(log)},
            "options": {**filters.as_json(), **(options or {})},
            "read": {"rows": found.n_read, "items": None if raw is None else raw.n_read},
            "images": 0 if catalogue is None else sum(i is not None for i in catalogue.images),
            **_with_note(remarks(table), near),
            **time_facts(table, found.time_unit),
            **ledger.as_json(),
        }
        Dataset(name or out.resolve().name, table, catalogue, about=about).save(work)
    return Dataset.load(out)


def _with_note(remarks: JsonObject, note: str) -> JsonObject:
    return {**remarks, "notes": [*remarks.get("notes", []), note]} if note else remarks


def time_facts(log: Interactions, unit: str | None) -> JsonObject:
    """What `dataset.json` says of times: their unit, and how many rows have one in common."""
    if log.timestamp is None or unit is None:
        return {}
    return {"time_unit": unit, "equal_times": log.equal_times()}


def _can_stay(log: Log, filters: Filters) -> Wanted:
    """Which items can be in the dataset, judged by the log alone.

    Rows of items that the catalogue lacks are still in; without them the core only gets smaller.
    """
    core = _core(log, _first_of_pairs(log, np.arange(len(log.user))), filters.k_core)
    stays = {log.item_ids[code] for code in np.unique(log.item[core]).tolist()}
    if not filters.keep_unbought:
        return stays.__contains__
    bought = set(log.item_ids)
    return lambda item: item in stays or item not in bought


def _filter(log: Log, rows: IndexArray, k: int, ledger: Ledger) -> IndexArray:
    """Of `rows`, those that stay: the first of each pair, inside the k-core."""
    single = _first_of_pairs(log, rows)
    repeated = np.setdiff1d(rows, single, assume_unique=True)
    samples = [
        f"{log.user_ids[log.user[i]]}, {log.item_ids[log.item[i]]}" for i in repeated[:SAMPLES]
    ]
    ledger.drop("rows", "the same user and item again", len(repeated), samples)
    core = _core(log, single, k)
    ledger.drop("rows", f"outside the {k}-core", len(single) - len(core))
    return core


def _first_of_pairs(log: Log, rows: IndexArray) -> IndexArray:
    """Of `rows`, the earliest of each pair of user and item, in the file's order."""
    pair = log.user[rows].astype(np.int64) * max(1, len(log.item_ids)) + log.item[rows]
    keys = (pair,) if log.timestamp is None else (log.timestamp[rows], pair)
    order = np.lexsort(keys)  # stable: the file's order decides between equals
    first = np.ones(len(pair), dtype=np.bool_)
    first[order[1:]] = pair[order[1:]] != pair[order[:-1]]
    kept: IndexArray = rows[first]
    return kept


def _core(log: Log, rows: IndexArray, k: int) -> IndexArray:
    kept: IndexArray = rows[core_mask(log.user[rows], log.item[rows], k)]
    return kept


def _unbought(
    raw: RawCatalogue | None, log: Log, in_core: BoolArray, keep: bool, ledger: Ledger
) -> list[str]:
    """Catalogue items that stay though nobody took them; the other losses are counted."""
    if raw is None:
        return []
    code = {item: at for at, item in enumerate(log.item_ids)}
    outside = [item for item in raw.listed if item in code and not in_core[code[item]]]
    never = [item for item in raw.listed if item not in code]
    ledger.drop("items", "no kept interaction", len(outside), _named(outside))
    if keep:
        return never
    ledger.drop("items", "not in the log", len(never), _named(never))
    return []


def _named(items: list[str]) -> list[str]:
    return [f"item {item}" for item in items[:SAMPLES]]


def _interactions(
    log: Log, rows: IndexArray, in_core: BoolArray, unbought: list[str]
) -> tuple[Interactions, list[str]]:
    """The kept rows over vocabularies in the order of ids, sorted by user, time and item."""
    item_ids = sorted(log.item_ids[i] for i in np.flatnonzero(in_core))
    item_ids += sorted(unbought)
    user_ids = sorted(log.user_ids[i] for i in np.unique(log.user[rows]))
    users, items = Vocabulary(user_ids), Vocabulary(item_ids)
    user = _lookup(users, log.user_ids)[log.user[rows]]
    item = _lookup(items, log.item_ids)[log.item[rows]]
    time = None if log.timestamp is None else log.timestamp[rows]
    order = np.lexsort((item, user) if time is None else (item, time, user))
    table = Interactions(
        users,
        items,
        user[order],
        item[order],
        None if log.rating is None else log.rating[rows][order],
        None if time is None else time[order],
    )
    return table, item_ids


def _lookup(vocabulary: Vocabulary, ids: list[str]) -> IndexArray:
    return vocabulary.find(pa.array(ids, pa.string()))


def _catalogue(
    raw: RawCatalogue, item_ids: list[str], pictures: Pictures | None, work: Path, ledger: Ledger
) -> Catalogue:
    vocabulary = Vocabulary(item_ids)
    found = Vocabulary(raw.ids).find(item_ids)
    ledger.change(
        "items",
        "not in the catalogue, kept without fields",
        int((found < 0).sum()),
        _named([item for item, row in zip(item_ids, found, strict=True) if row < 0]),
    )
    rows = pa.array(found, mask=found < 0)  # a null index takes a null
    if raw.images is not None:
        names = [raw.images[row] if row >= 0 else None for row in found]
    elif pictures is not None and pictures.by_name:
        names = find_images(item_ids, pictures.root)
    else:
        names = [None] * len(item_ids)
    urls = None
    if raw.image_urls is not None:
        urls = tuple(raw.image_urls[row] if row >= 0 else () for row in found)
    root = work if pictures is None else pictures.root
    inside = pictures.embedded.folder if pictures and pictures.embedded else None
    more: list[tuple[int, str]] = []  # further pictures, with the item's place
    if raw.more_images is not None:
        more = [(i, n) for i, row in enumerate(found) if row >= 0 for n in raw.more_images[row]]
    stored = store_images(
        [*names, *(name for _, name in more)],
        [*item_ids, *(item_ids[i] for i, _ in more)],
        root, work, ledger, None if urls is None else (*urls, *((),) * len(more)), inside,
    )  # fmt: skip
    images, further = _grouped(stored, [i for i, _ in more], len(item_ids))
    fields: list[str] = raw.table.column_names
    columns = {field: raw.table.column(field).take(rows) for field in fields}
    table = pa.table(columns) if fields else pa.table({"item_id": item_ids}).select([])
    kept = further if raw.more_images is not None else None
    return Catalogue(vocabulary, table, images, work, urls, kept)


def _grouped(
    stored: tuple[str | None, ...], owner: list[int], n: int
) -> tuple[tuple[str | None, ...], tuple[tuple[str, ...], ...]]:
    """Each item's first usable picture, and the others; the first n are their items' own."""
    all_of: list[dict[str, None]] = [{} for _ in range(n)]
    for item, name in zip([*range(n), *owner], stored, strict=True):
        if name is not None:
            all_of[item][name] = None
    images = tuple(next(iter(names), None) for names in all_of)
    return images, tuple(tuple(names)[1:] for names in all_of)


def _facts(rows: Rows) -> JsonObject:
    return {**file_facts(rows.files), **rows.facts}


def file_facts(files: Mapping[str, Path]) -> JsonObject:
    """File names, sizes and hashes; no absolute paths, they say more about a machine than data."""
    return {
        role: {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for role, path in files.items()
    }


_REMEDIES = {
    "outside the": "lower --k-core",
    "rating below": "lower --min-rating",
    "rating missing": "mend the file, or name its --decimal sign or --columns rating=…",
}


def _remedy(ledger: Ledger) -> str:
    """What would have kept most of the rows that were dropped."""
    dropped = ledger.dropped("rows")
    most = max(dropped, key=lambda reason: dropped[reason], default="")
    found = [remedy for start, remedy in _REMEDIES.items() if most.startswith(start)]
    return found[0] if found else "mend the file"


def _reasons(ledger: Ledger) -> str:
    reasons = ledger.dropped("rows").items()
    return "; ".join(f"{reason}: {count}" for reason, count in reasons)
