"""Tables of the store."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

numbers = Table(
    "cliper_numbers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)
"""The last number given out. Whoever writes takes his from here first and holds the row until his
transaction ends, so that numbers become visible in their order: who has seen 7 misses no 6."""

events = Table(
    "cliper_events",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("timestamp", Double, nullable=False),
    UniqueConstraint("user_id", "timestamp", "item_id"),
)

items = Table(
    "cliper_items",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("fields", JSON, nullable=False),
    Column("picture", LargeBinary),
    Index("cliper_items_number", "number"),
)
"""How each item is now; its number is that of its last change."""
