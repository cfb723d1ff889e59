"""What `save_to_disk` of Hugging Face's `datasets` writes: a folder of Arrow streams."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cliper.data.readers.formats import reading, validated
from cliper.data.readers.general import check_names
from cliper.data.readers.rows import CHUNK, Role, Rows, arrow_chunks, picked
from cliper.data.readers.tables import Table
from cliper.errors import InputError
from cliper.files import read_json

_AGAIN = "save it again with save_to_disk"


def saved_table(folder: Path, role: Role) -> Table:
    """A folder with `state.json`, which names the Arrow files in their order.

    Raises:
        InputError: the folder is none of these, holds several splits, or is damaged.
    """
    _require(folder)
    with reading(str(folder)):
        files = _files(folder, read_json(folder / "state.json"))
        schemas = [_stream(file).schema for file in files]
        names = list(schemas[0].names)
        check_names(names, str(folder))
        if any(schema.names != names for schema in schemas):
            raise InputError("files with other columns", where=str(folder), remedy=_AGAIN)
        size = sum(batch.num_rows for file in files for batch in _stream(file))

    def rows(columns: Sequence[str] | None) -> Rows:
        wanted = picked(names, columns)
        named = {role if i == 0 else f"{role} {i + 1}": file for i, file in enumerate(files)}
        return Rows(
            named,
            lambda advance, _: arrow_chunks(
                _batches(folder, files, wanted, CHUNK[role]), wanted, names, advance
            ),
            label=str(folder), size=size,
        )  # fmt: skip

    return Table(str(folder), names, rows)


def _batches(
    folder: Path, files: list[Path], columns: list[str], size: int
) -> Iterator[pa.RecordBatch]:
    with reading(str(folder)):
        for file in files:
            for whole in _stream(file):
                batch = validated(whole.select(columns))
                for start in range(0, batch.num_rows, size):
                    yield batch.slice(start, size)


def _stream(file: Path) -> pa.RecordBatchStreamReader:
    return pa.ipc.open_stream(pa.memory_map(str(file)))  # columns not asked for are not read


def _require(folder: Path) -> None:
    if (folder / "state.json").is_file():
        return
    splits: Any = None
    if (folder / "dataset_dict.json").is_file():
        found = read_json(folder / "dataset_dict.json")
        splits = found.get("splits") if isinstance(found, dict) else None
    if isinstance(splits, list) and splits:
        names = ", ".join(str(name) for name in splits)
        raise InputError(
            f"several splits: {names}", where=str(folder), remedy=f"name one: {folder / splits[0]}"
        )
    raise InputError(
        "not a file, nor a folder that save_to_disk of Hugging Face's datasets wrote",
        where=str(folder),
        remedy="name one file",
    )


def _files(folder: Path, state: Any) -> list[Path]:
    if isinstance(state, dict) and any(
        state.get(key) for key in ("_indices_files", "_indices_data_files")
    ):
        raise InputError(
            "rows picked by an index of their own",
            where=str(folder),
            remedy="save .flatten_indices() of it",
        )
    try:
        names = [str(one["filename"]) for one in state["_data_files"]]
    except (KeyError, TypeError):
        names = []
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            shown = json.dumps(name)[:100]
            raise InputError(f"no file {shown}, which state.json names", where=str(folder))
    if not names:
        raise InputError("names no files", where=str(folder / "state.json"), remedy=_AGAIN)
    return [folder / name for name in names]
