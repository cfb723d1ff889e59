"""`prepare files`: a catalogue and a log of interactions become a dataset directory."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from cliper.data.catalogue import Catalogue
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable, dataset_directory
from cliper.data.images import find_images, store_images
from cliper.data.interactions import Interactions
from cliper.data.kcore import k_core as core_mask
from cliper.data.ledger import SAMPLES, Ledger
from cliper.data.readers.interactions import Log, read_interactions
from cliper.data.readers.items import RawCatalogue, read_items
from cliper.data.vocabulary import Vocabulary
from cliper.errors import InputError
from cliper.files import sha256_file
from cliper.types import BoolArray, IndexArray, JsonObject


def prepare_files(
    items: Path | None,
    interactions: Path,
    images: Path | None,
    out: Path,
    min_rating: float | None = None,
    k_core: int = 5,
    keep_unbought: bool = False,
    name: str | None = None,
) -> Dataset:
    """Read, filter and check raw files, and write a dataset directory.

    The order: rows that cannot be read, ratings below `min_rating`, items that the catalogue does
    not have, duplicate pairs (the earliest row stays, the first in the file where times are equal
    or unknown), then the k-core. Items outside the core leave the dataset. Everything that leaves
    is counted by reason in `dataset.json`.

    Users and items are numbered in the order of their ids as text and rows are sorted, so the
    result does not depend on the order of rows in the files (except between equal duplicates).

    Args:
        items: catalogue (JSON Lines, CSV or Parquet), one row an item; None for none.
        interactions: log with `user_id`, `item_id`, perhaps `rating` and `timestamp`.
        images: folder that image paths start from; by default that of `items`. Where the catalogue
            has no column `image`, pictures named after the item id are looked for here.
        out: the dataset directory; an earlier dataset there is replaced.
        min_rating: lower ratings are no positives.
        k_core: every user and item keeps at least so many rows.
        keep_unbought: catalogue items that do not occur in the log at all stay, after the others,
            as items that can be recommended.
        name: for people; by default the directory's name.

    Raises:
        InputError: broken input, nothing left, or `out` holds something else.
    """
    out = Path(out)
    check_replaceable(out)
    if items is None and (images is not None or keep_unbought):
        raise InputError("images and unbought items need a catalogue", remedy="give --items")
    if min_rating is not None and not np.isfinite(min_rating):
        raise InputError(f"the lowest rating must be a number, got {min_rating}")
    ledger = Ledger()
    raw = None if items is None else read_items(Path(items), ledger)
    log = read_interactions(
        Path(interactions),
        ledger,
        catalogue=None if raw is None else raw.ids,
        min_rating=min_rating,
    )
    kept = _filter(log, k_core, ledger)
    if not kept.any():
        raise InputError(
            f"no interaction is left of {log.n_read} ({_reasons(ledger)})",
            where=str(interactions),
            remedy="lower --k-core or --min-rating, or mend the file",
        )
    log_rows = np.flatnonzero(kept)
    in_core = np.zeros(len(log.item_ids), dtype=np.bool_)
    in_core[log.item[log_rows]] = True
    unbought = _unbought(raw, log, in_core, keep_unbought, ledger)
    table, item_ids = _interactions(log, log_rows, in_core, unbought)
    with dataset_directory(out) as work:
        catalogue = None
        if raw is not None:
            root = Path(images) if images is not None else Path(str(items)).parent
            catalogue = _catalogue(raw, item_ids, root, images is not None, work, ledger)
        about: JsonObject = {
            "source": _sources(items=items, interactions=interactions),
            "options": {
                "min_rating": min_rating,
                "k_core": k_core,
                "keep_unbought": keep_unbought,
            },
            "read": {"rows": log.n_read, "items": None if raw is None else raw.n_read},
            "images": 0 if catalogue is None else sum(i is not None for i in catalogue.images),
            **ledger.as_json(),
        }
        Dataset(name or out.resolve().name, table, catalogue, about=about).save(work)
    return Dataset.load(out)


def _filter(log: Log, k: int, ledger: Ledger) -> BoolArray:
    """Rows that stay: the first of each pair, inside the k-core."""
    pair = log.user.astype(np.int64) * max(1, len(log.item_ids)) + log.item
    keys = (pair,) if log.timestamp is None else (log.timestamp, pair)
    order = np.lexsort(keys)  # stable: the file's order decides between equals
    repeated = np.zeros(len(pair), dtype=np.bool_)
    repeated[order[1:]] = pair[order[1:]] == pair[order[:-1]]
    del order, pair
    some = np.flatnonzero(repeated)[:SAMPLES]
    samples = [f"{log.user_ids[log.user[i]]}, {log.item_ids[log.item[i]]}" for i in some]
    ledger.drop("rows", "the same user and item again", int(repeated.sum()), samples)
    single = np.flatnonzero(~repeated)
    core = core_mask(log.user[single], log.item[single], k)
    ledger.drop("rows", f"outside the {k}-core", int((~core).sum()))
    kept = np.zeros(len(repeated), dtype=np.bool_)
    kept[single[core]] = True
    return kept


def _unbought(
    raw: RawCatalogue | None, log: Log, in_core: BoolArray, keep: bool, ledger: Ledger
) -> BoolArray:
    """Catalogue items that stay though nobody took them; the other losses are counted."""
    if raw is None:
        return np.zeros(0, dtype=np.bool_)
    n = len(raw.ids)
    never = ~log.in_log[:n]
    outside = ~never & ~in_core[:n]
    ledger.drop("items", "no kept interaction", int(outside.sum()), _named(raw, outside))
    if not keep:
        ledger.drop("items", "not in the log", int(never.sum()), _named(raw, never))
        return np.zeros(n, dtype=np.bool_)
    return never


def _named(raw: RawCatalogue, which: BoolArray) -> list[str]:
    return [f"item {raw.ids[i]}" for i in np.flatnonzero(which)[:SAMPLES]]


def _interactions(
    log: Log, rows: IndexArray, in_core: BoolArray, unbought: BoolArray
) -> tuple[Interactions, list[str]]:
    """The kept rows over vocabularies in the order of ids, sorted by user, time and item."""
    item_ids = sorted(log.item_ids[i] for i in np.flatnonzero(in_core))
    item_ids += sorted(log.item_ids[i] for i in np.flatnonzero(unbought))
    user_codes = np.unique(log.user[rows])
    user_ids = sorted(log.user_ids[i] for i in user_codes)
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
    raw: RawCatalogue, item_ids: list[str], root: Path, named: bool, work: Path, ledger: Ledger
) -> Catalogue:
    vocabulary = Vocabulary(item_ids)
    rows = Vocabulary(raw.ids).indices(item_ids)
    if raw.images is not None:
        names = [raw.images[row] for row in rows]
    elif named:
        names = find_images(item_ids, root)
    else:
        names = [None] * len(item_ids)
    urls = None if raw.image_urls is None else tuple(raw.image_urls[row] for row in rows)
    stored = store_images(names, item_ids, root, work, ledger, urls)
    fields = {field: raw.table.column(field).take(pa.array(rows)) for field in _fields(raw)}
    table = pa.table(fields) if fields else pa.table({"item_id": item_ids}).select([])
    return Catalogue(vocabulary, table, stored, work, urls)


def _fields(raw: RawCatalogue) -> list[str]:
    names: list[str] = raw.table.column_names
    return names


def _sources(**paths: Path | None) -> JsonObject:
    """File names, sizes and hashes; no absolute paths, they say more about a machine than data."""
    return {
        role: {
            "file": Path(path).name,
            "bytes": Path(path).stat().st_size,
            "sha256": sha256_file(Path(path)),
        }
        for role, path in paths.items()
        if path is not None
    }


def _reasons(ledger: Ledger) -> str:
    reasons = ledger.dropped("rows").items()
    return "; ".join(f"{reason}: {count}" for reason, count in reasons)
