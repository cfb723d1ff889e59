"""`prepare mmrec`: a folder in the layout of the MMRec toolbox becomes a dataset directory."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cliper.data.assemble import file_facts, time_facts
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable, dataset_directory
from cliper.data.interactions import Interactions
from cliper.data.ledger import SAMPLES, Ledger
from cliper.data.readers.features import copy_features
from cliper.data.readers.general import file_rows
from cliper.data.readers.rows import Rows
from cliper.data.readers.times import Times, TimeUnit, one_unit, read_times
from cliper.data.readers.values import to_numbers
from cliper.data.vocabulary import Vocabulary
from cliper.errors import InputError
from cliper.types import BoolArray, FloatArray, IndexArray, JsonObject

_GAPS = 1_000  # item numbers per item that occurs; more is no numbering
_SPELLINGS = {
    "user": ("userID", "user_id"),
    "item": ("itemID", "item_id"),
    "rating": ("rating",),
    "timestamp": ("timestamp",),
    "split": ("x_label",),
}
_FEATURES = {"image": "image_feat.npy", "text": "text_feat.npy"}


def prepare_mmrec(source: Path, out: Path, name: str | None = None) -> Dataset:
    """Read `<name>.inter`, `image_feat.npy` and `text_feat.npy`, and write a dataset directory.

    The log is tab-separated with `userID`, `itemID` (or `user_id`, `item_id`), perhaps `rating`,
    `timestamp` and `x_label` (0 train, 1 validation, 2 test), which becomes the given split. The
    item of row i of the features has the id `str(i)`; items without interactions stay, so rows
    stay aligned. Nothing is filtered but duplicate pairs and rows with an unreadable rating or
    time. Features are copied as float32 to `out/features/` and described in
    `about["features"]`: file, shape, sha256 and the number of zero rows.

    Args:
        source: the folder.
        out: the dataset directory; an earlier dataset there is replaced.
        name: for people; by default the log's name.

    Raises:
        InputError: no log or several, broken rows, features that do not fit or are not finite.
    """
    source, out = Path(source), Path(out)
    check_replaceable(out)
    log_path = _find_log(source)
    ledger = Ledger()
    columns, n_read, unit = _read(file_rows(log_path, "interactions"), ledger)
    with dataset_directory(out) as work:
        features: JsonObject = {}
        n_items: int | None = None
        for modality, file in _FEATURES.items():
            if (source / file).exists():
                target = work / "features" / f"{modality}.npy"
                found = copy_features(source / file, target, three=modality == "text")
                features[modality] = {"file": f"features/{modality}.npy", **found}
                n_items = _same_count(n_items, found["shape"][-2], source / file)
        table, given = _interactions(columns, n_items, log_path, ledger)
        files = [log_path, *(source / f for f in _FEATURES.values() if (source / f).exists())]
        about: JsonObject = {
            "source": file_facts({path.name: path for path in files}),
            "options": {},
            "read": {"rows": n_read, "items": n_items},
            "features": features,
            **time_facts(table, unit),
            **ledger.as_json(),
        }
        label = name or log_path.name.split(".")[0]
        Dataset(label, table, given_split=given, about=about).save(work)
    return Dataset.load(out)


def _find_log(source: Path) -> Path:
    if not source.is_dir():
        raise InputError("no such folder", where=str(source), remedy="name the dataset's folder")
    logs = sorted(source.glob("*.inter"))
    if len(logs) != 1:
        found = ", ".join(path.name for path in logs) or "none"
        raise InputError(
            "one file <name>.inter is needed", where=str(source), remedy=f"found: {found}"
        )
    return logs[0]


def _read(source: Rows, ledger: Ledger) -> tuple[dict[str, npt.NDArray[Any]], int, TimeUnit | None]:
    """The kept rows, column by column, the number of rows of the file, and the unit of times."""
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    times: list[Times] = []
    n_read = 0
    for chunk in source.chunks():
        plain = {column.split(":")[0]: values for column, values in chunk.columns.items()}
        found = {
            key: next((plain[name] for name in names if name in plain), None)
            for key, names in _SPELLINGS.items()
        }
        for key in ("user", "item"):
            if found[key] is None:
                raise InputError(
                    f"no column {_SPELLINGS[key][0]!r}",
                    where=source.name,
                    remedy=f"the file has: {', '.join(plain)}; columns are parted by tabs",
                )
        n_read += len(chunk.numbers)
        keep = np.ones(len(chunk.numbers), dtype=np.bool_)
        row: dict[str, npt.NDArray[Any]] = {
            key: _indices(found[key], chunk.numbers, _SPELLINGS[key][0], source.name)
            for key in ("user", "item")
        }
        if found["split"] is not None:
            row["split"] = _indices(found["split"], chunk.numbers, "x_label", source.name)
            _refuse(row["split"] > 2, row["split"], chunk.numbers, "x_label", source.name)
        if found["rating"] is not None:
            row["rating"] = to_numbers(found["rating"], np.float32)
            _drop(ledger, keep, "rating", np.isnan(row["rating"]), chunk.numbers)
        if found["timestamp"] is not None:
            read = read_times(found["timestamp"])
            _drop(ledger, keep, "timestamp", ~read.known, chunk.numbers)
            times.append(read.select(keep))
        row["number"] = chunk.numbers
        for key, values in row.items():
            parts.setdefault(key, []).append(values[keep])
    if not n_read:
        raise InputError("a header and no rows", where=source.name, remedy="add interactions")
    columns = {key: np.concatenate(values) for key, values in parts.items()}
    unit: TimeUnit | None = None
    if times:
        columns["timestamp"], unit = one_unit(
            Times.joined(times), columns["number"], source.name, ledger
        )
    return columns, n_read, unit


def _drop(
    ledger: Ledger, keep: BoolArray, column: str, bad: BoolArray, numbers: IndexArray
) -> None:
    rows = np.flatnonzero(keep & bad)
    samples = [f"row {numbers[i]}" for i in rows[:SAMPLES]]
    ledger.drop("rows", f"{column} missing or not readable", len(rows), samples)
    keep &= ~bad


def _indices(values: Any, numbers: IndexArray, column: str, where: str) -> IndexArray:
    """Whole numbers from 0; MMRec counts users and items so."""
    found = to_numbers(values)
    _refuse(~(found >= 0) | (found % 1 != 0) | (found > 2**31), values, numbers, column, where)
    return found.astype(np.int64)


def _refuse(bad: BoolArray, values: Any, numbers: IndexArray, column: str, where: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{column} is {str(values[row])!r}",
            where=f"{where}, row {numbers[row]}",
            remedy="0, 1 or 2" if column == "x_label" else "whole numbers from 0",
        )


def _same_count(before: int | None, now: int, path: Path) -> int:
    if before is not None and before != now:
        raise InputError(
            f"{now} rows where the image features have {before}",
            where=str(path),
            remedy="both need one row an item, in the same order",
        )
    return now


def _interactions(
    columns: dict[str, npt.NDArray[Any]], n_items: int | None, path: Path, ledger: Ledger
) -> tuple[Interactions, npt.NDArray[np.int8] | None]:
    user, item = columns["user"], columns["item"]
    if not len(user):
        raise InputError("no row can be read", where=str(path), remedy="mend ratings and times")
    n = int(item.max()) + 1 if n_items is None else n_items
    occurring = len(np.unique(item))
    if n_items is None and n > _GAPS * occurring:  # nothing else bounds the vocabulary
        raise InputError(
            f"itemID goes up to {n - 1} and {occurring} of these items occur",
            where=str(path),
            remedy="number the items from 0 without gaps, or prepare outside ids with "
            "'cliper prepare files'",
        )
    beyond = f"the features have {n} rows (items 0 to {n - 1}), itemID"
    _refuse(item >= n, item, columns["number"], beyond, str(path))
    time = columns.get("timestamp")
    order = np.lexsort((item, user) if time is None else (time, item, user))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = np.diff(user[order] * n + item[order]) != 0
    ledger.drop("rows", "the same user and item again", int((~first).sum()))
    kept = order[first]
    if time is not None:
        kept = kept[np.lexsort((item[kept], time[kept], user[kept]))]
    numbers, user_index = np.unique(user[kept], return_inverse=True)
    rating: FloatArray | None = None
    if "rating" in columns:
        rating = columns["rating"][kept].astype(np.float32)
    table = Interactions(
        Vocabulary([str(number) for number in numbers]),
        Vocabulary([str(number) for number in range(n)]),
        user_index.astype(np.int64),
        item[kept],
        rating,
        None if time is None else time[kept],
    )
    given = columns["split"][kept].astype(np.int8) if "split" in columns else None
    return table, given
