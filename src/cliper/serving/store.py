"""`Store`: what a server is told and must keep, events of users and changes of items.

In SQLite or PostgreSQL; what a method has returned from is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from cliper.errors import InputError

metadata = sa.MetaData()

numbers = sa.Table(
    "cliper_numbers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
)
"""The last number given out. Whoever writes takes his from here first and holds the row until his
transaction ends, so that numbers become visible in their order: who has seen 7 misses no 6."""

events = sa.Table(
    "cliper_events",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("item_id", sa.Text, nullable=False),
    sa.Column("timestamp", sa.Double, nullable=False),
    sa.UniqueConstraint("user_id", "timestamp", "item_id"),
)

items = sa.Table(
    "cliper_items",
    metadata,
    sa.Column("item_id", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("removed", sa.Boolean, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("picture", sa.LargeBinary),
    sa.Index("cliper_items_number", "number"),
)
"""How each item is now; its number is that of its last change."""

INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
WAIT_SECONDS = 10
"""How long a writer waits for another."""


class Conflict(Exception):
    """An item that should be new is there already; the message is its id."""


@dataclass(frozen=True)
class Event:
    """Somebody took an item, `timestamp` seconds after 1970."""

    user_id: str
    item_id: str
    timestamp: float


@dataclass(frozen=True)
class Kept:
    """An item as it is kept.

    Attributes:
        fields: a text, or a list of texts, each.
        picture: its file.
        removed: it is there no longer; fields and picture are empty.
        number: of its last change, counted over all items and events; 0 before it is kept.
    """

    item_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    picture: bytes | None = None
    removed: bool = False
    number: int = 0


class Store:
    """Events and items, shared by the processes that open it.

    Every write is one transaction: the disk has it (SQLite: `synchronous=FULL`; PostgreSQL: as that
    server is set) when the method returns.

    Args:
        url: SQLAlchemy's address of a database, `sqlite:///FILE` or `postgresql+psycopg://…`.

    Raises:
        InputError: it cannot be opened, or is of another kind.

    >>> store = Store("sqlite:///:memory:")
    >>> store.add_events([Event("u", "a", 2.0), Event("u", "b", 1.0), Event("u", "a", 2.0)])
    1
    >>> store.history("u", 10)
    ['b', 'a']
    """

    def __init__(self, url: str) -> None:
        self._engine = _opened(url)
        # SQLite lets whoever asks at the right moment write; here they take turns
        self._writing = Lock()
        self._insert = INSERT[self._engine.dialect.name]
        try:
            with self._engine.begin() as connection:
                metadata.create_all(connection)
                none = self._insert(numbers).values(name="change", last=0)
                connection.execute(none.on_conflict_do_nothing())
            _check_tables(self._engine)
        except SQLAlchemyError as error:
            raise InputError(
                f"the store cannot be opened: {_reason(error)}", where=_shown(self._engine)
            ) from None

    def close(self) -> None:
        """Let go of its connections."""
        self._engine.dispose()

    def add_events(self, told: Sequence[Event]) -> int:
        """Keep events; one that is there already, with its time, is not kept twice.

        Returns:
            How many are there already.
        """
        if not told:
            return 0
        with self._writing, self._engine.begin() as connection:
            first = _take_numbers(connection, len(told))
            rows = [
                {"number": first + at, "user_id": e.user_id, "item_id": e.item_id,
                 "timestamp": e.timestamp}
                for at, e in enumerate(told)
            ]  # fmt: skip
            kept = self._insert(events).values(rows).on_conflict_do_nothing()
            new = connection.execute(kept.returning(events.c.number)).all()
            return len(rows) - len(new)

    def history(self, user_id: str, most: int) -> list[str]:
        """The last items that a user took, oldest first."""
        latest = (
            sa.select(events.c.item_id)
            .where(events.c.user_id == user_id)
            .order_by(events.c.timestamp.desc(), events.c.number.desc())
            .limit(most)
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(latest))[::-1]

    def count_events(self) -> int:
        """How many events there are."""
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(events)) or 0)

    def put_items(self, put: Sequence[Kept], new: bool = False) -> list[int]:
        """Keep items as they are now, all or none.

        Args:
            put: each id once.
            new: none of them may be there, removed ones apart.

        Returns:
            The number of each change.

        Raises:
            Conflict: one is there.
        """
        with self._writing, self._engine.begin() as connection:
            first = _take_numbers(connection, len(put))
            if new:
                there = sa.select(items.c.item_id).where(
                    items.c.item_id.in_([one.item_id for one in put]), ~items.c.removed
                )
                for item_id in connection.scalars(there):
                    raise Conflict(item_id)
            for at, one in enumerate(put):
                row = {
                    "number": first + at,
                    "removed": one.removed,
                    "fields": dict(one.fields),
                    "picture": one.picture,
                }
                kept = self._insert(items).values(item_id=one.item_id, **row)
                connection.execute(kept.on_conflict_do_update(index_elements=["item_id"], set_=row))
            return list(range(first, first + len(put)))

    def changes(self, after: int, most: int) -> list[Kept]:
        """Items that changed after a number, in the order of their last changes."""
        changed = (
            sa.select(items).where(items.c.number > after).order_by(items.c.number).limit(most)
        )
        with self._engine.connect() as connection:
            return [Kept(**row._mapping) for row in connection.execute(changed)]

    def has_picture(self, item_id: str) -> bool:
        """An item was given a picture."""
        found = sa.select(items.c.picture.is_not(None)).where(items.c.item_id == item_id)
        with self._engine.connect() as connection:
            return bool(connection.scalar(found))

    def picture(self, item_id: str) -> bytes | None:
        """The picture that an item was given, if it was."""
        found = sa.select(items.c.picture).where(items.c.item_id == item_id)
        with self._engine.connect() as connection:
            picture: bytes | None = connection.scalar(found)
            return picture


def _take_numbers(connection: Connection, count: int) -> int:
    """The first of so many numbers that nobody else has; the first thing a writer does."""
    mine = numbers.c.last + count
    taken = sa.update(numbers).where(numbers.c.name == "change").values(last=mine)
    last = connection.scalar(taken.returning(numbers.c.last))
    assert last is not None
    return int(last) - count + 1


def _opened(url: str) -> Engine:
    try:
        kind = sa.make_url(url).get_backend_name()
        if kind not in INSERT:
            raise InputError(
                f"a store of kind {kind!r}", where="store", remedy="sqlite or postgresql+psycopg"
            )
        waits = {"timeout": WAIT_SECONDS} if kind == "sqlite" else {"connect_timeout": WAIT_SECONDS}
        engine = sa.create_engine(url, connect_args=waits, pool_pre_ping=kind != "sqlite")
    except ArgumentError:
        told = "not the address of a database"
        raise InputError(told, where="store", remedy="sqlite:///FILE, for example") from None
    except NoSuchModuleError as error:
        raise InputError(str(error), where="store") from None
    if kind == "sqlite":
        sa.event.listen(engine, "connect", _durable)
    return engine


def _check_tables(engine: Engine) -> None:
    """Refuse tables of our names that are somebody else's.

    Raises:
        InputError: one lacks a column.
    """
    there = sa.inspect(engine)
    for table in metadata.sorted_tables:
        columns = {column["name"] for column in there.get_columns(table.name)}
        for column in table.columns:
            if column.name not in columns:
                raise InputError(
                    f"not a store of cliper: {table.name} has no column {column.name!r}",
                    where=_shown(engine),
                    remedy="name another",
                )


def _shown(engine: Engine) -> str:
    """Which store: a file, or an address without its password."""
    return engine.url.database or "store" if engine.dialect.name == "sqlite" else str(engine.url)


def _durable(connection: Any, _: Any) -> None:
    """Readers beside one writer, and a commit that has reached the disk."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _reason(error: SQLAlchemyError) -> str:
    """The first line of what the database said; addresses hold passwords."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0]
