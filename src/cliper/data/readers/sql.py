"""Rows that a query gives, from any database that SQLAlchemy knows; nothing is written there."""

import datetime
import decimal
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from cliper.data.readers.general import check_names
from cliper.data.readers.rows import CHUNK, Advance, Chunk, Role, Rows, picked
from cliper.data.readers.tables import Table
from cliper.errors import InputError
from cliper.types import JsonObject

if TYPE_CHECKING:
    from sqlalchemy import CursorResult, Engine

    Result = CursorResult[Any]


class Database:
    """A database that is open for reading.

    Args:
        engine: of SQLAlchemy.
        about: what `dataset.json` says of it: its kind and name, nothing of who asked.
    """

    def __init__(self, engine: "Engine", about: JsonObject) -> None:
        self._engine, self._about = engine, about
        self._open = ExitStack()  # a query that fails leaves its connection behind

    def table(self, query: str, role: Role) -> Table:
        """What a query gives, row by row; it is asked once.

        Raises:
            InputError: the database does not answer, or not with rows.
        """
        where = f"the query of {role}"
        with _asking(where):
            connection = self._open.enter_context(self._engine.connect())
            connection = connection.execution_options(
                stream_results=True, no_parameters=True, max_row_buffer=CHUNK[role]
            )
            result = connection.exec_driver_sql(query)
        if not result.returns_rows:
            raise InputError("gives no rows", where=where, remedy="SELECT …")
        names = list(map(str, result.keys()))
        check_names(names, where)
        facts: JsonObject = {role: {**self._about, "query": query}}

        def rows(columns: Sequence[str] | None) -> Rows:
            wanted = picked(names, columns)
            return Rows(
                {},
                lambda advance, _: _chunks(result, names, wanted, where, CHUNK[role], advance),
                label=where, facts=facts,
            )  # fmt: skip

        return Table(where, names, rows)

    def close(self) -> None:
        """Give up every connection; nothing was committed."""
        self._open.close()
        self._engine.dispose()


@contextmanager
def database(address: str) -> Iterator[Database]:
    """Open a database by its address, `sqlite:///shop.db` or `postgresql+psycopg://…`.

    SQLite is opened read-only; elsewhere nothing is committed.

    Raises:
        InputError: no such kind of database, its driver is missing, or no such file.
    """
    try:
        import sqlalchemy
    except ModuleNotFoundError:
        raise InputError(
            "sqlalchemy is not installed", remedy="pip install 'cliper[sql]'"
        ) from None
    where = "--database"
    try:
        url = sqlalchemy.make_url(address)
        kind = url.get_backend_name()
        name = url.database or ""
        if kind == "sqlite":
            if not Path(name).is_file():
                raise InputError("no such file", where=name or address)
            name = Path(name).name
            path = quote(str(Path(url.database or "").resolve()))
            url = url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
        engine = sqlalchemy.create_engine(url)
    except sqlalchemy.exc.NoSuchModuleError:
        raise InputError(f"no kind of database {url.drivername!r}", where=where) from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        remedy = "such as sqlite:///shop.db or postgresql+psycopg://user@host/shop"
        raise InputError("not a database's address", where=where, remedy=remedy) from None
    except ModuleNotFoundError as error:
        raise InputError(
            f"the driver {error.name} is not installed", where=where, remedy="pip install it"
        ) from None
    opened = Database(engine, {"database": kind, "name": name})
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def _asking(where: str) -> Iterator[None]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, UnicodeDecodeError, MemoryError) as error:  # of a damaged file
        what = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
        what = what or "out of memory"
        raise InputError(f"the database says: {what}", where=where) from None


def _chunks(
    result: "Result", names: list[str], wanted: list[str], where: str, size: int, advance: Advance
) -> Iterator[Chunk]:
    start = 1
    while True:
        with _asking(where):
            rows = result.fetchmany(size)
        if not rows and start > 1:
            break
        places = [names.index(name) for name in wanted]
        columns: dict[str, Any] = {names[i]: as_array([row[i] for row in rows]) for i in places}
        yield Chunk(np.arange(start, start + len(rows)), columns, names)
        start += len(rows)
        advance(len(rows))
        if not rows:
            break
    result.close()


def as_array(values: list[Any]) -> pa.Array:
    """A driver's values as Arrow's: of one kind where they are, else each as text.

    >>> import decimal
    >>> as_array([decimal.Decimal("4.5"), None]).type
    Decimal128Type(decimal128(2, 1))
    >>> as_array([1, "b", None]).to_pylist()
    ['1', 'b', None]
    """
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        array = None
    if array is None or isinstance(array.type, pa.BaseExtensionType):  # such as UUIDs
        return pa.array([_text(value) for value in values], pa.string())
    return array


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, str | int | float | decimal.Decimal | uuid.UUID):
        return str(value).encode(errors="replace").decode()
    return None
