"""What is kept, in SQLite and in PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cliper.errors import InputError
from cliper.serving.http.server import store_address
from cliper.serving.store import Conflict, Event, Kept, Store
from generated.postgres import postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
    else:
        with postgres() as url:
            yield url


def test_what_is_kept(address: str) -> None:
    store = Store(address)
    took = [Event("u", "b", 5), Event("u", "a", 1.5), Event("v", "a", 1), Event("u", "b", 5)]
    assert store.add_events(took) == 1
    assert store.add_events(took) == 4
    assert store.add_events([Event("u", "c", 5), Event("é'\"; --", "a", 2)]) == 0
    assert Store(address).history("u", 10) == ["a", "b", "c"]
    assert store.history("u", 2) == ["b", "c"] and store.history("é'\"; --", 2) == ["a"]
    assert store.history("nobody", 2) == []

    bag = Kept("bag", {"title": "ä bag", "price": 3.5, "kind": ["x", "y"]}, b"\x00\xff")
    store.put_items([bag, Kept("hat")], new=True)
    with pytest.raises(Conflict, match="hat"):
        store.put_items([Kept("shoe"), Kept("hat")], new=True)
    one, two = Store(address).changes(0, 10)
    assert (one.item_id, one.fields, one.picture) == ("bag", bag.fields, b"\x00\xff")
    assert (two.item_id, two.fields, two.picture, two.removed) == ("hat", {}, None, False)
    assert store.has_picture("bag") and not store.has_picture("hat")
    store.put_items([Kept("bag", removed=True)])
    gone = store.changes(two.number, 10)
    assert [(k.item_id, k.removed, k.picture) for k in gone] == [("bag", True, None)]
    store.put_items([bag], new=True)
    assert [k.item_id for k in store.changes(0, 1)] == ["hat"]


def test_whoever_has_seen_a_number_misses_none_before_it(address: str) -> None:
    """Four writers at a time, while a reader goes on from the last number that it saw."""
    stores = [Store(address) for _ in range(4)]

    def write(writer: int) -> None:
        for at in range(25):
            stores[writer].put_items([Kept(f"{writer}-{at}-{part}") for part in range(3)])

    seen, after, reader = [], 0, Store(address)
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, writer) for writer in range(4)]
        done, changes = False, []
        while not done or changes:
            done = all(one.done() for one in writing)
            changes = reader.changes(after, 10)
            seen += changes
            after = changes[-1].number if changes else after
        for one in writing:
            one.result()
    assert [one.number for one in seen] == sorted({one.number for one in seen})
    assert len({one.item_id for one in seen}) == 300


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////nowhere/at/all.sqlite", "cannot be opened: unable to open database file"),
        ("mysql://a:secret@b/c", "kind 'mysql'"),
        ("no address", "not the address"),
        ("postgresql+psycopg://a:secret@/b?host=/nowhere", "cannot be opened"),
    ],
)
def test_what_cannot_be_opened(url: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        Store(url)
    assert "secret" not in str(refused.value) and "\n" not in str(refused.value)


def test_tables_of_somebody_else_are_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE cliper_events (number INTEGER, user_id TEXT)")
    told = r"other\.sqlite: not a store of cliper: cliper_events has no column 'item_id'"
    with pytest.raises(InputError, match=told):
        Store(f"sqlite:///{tmp_path / 'other.sqlite'}")


@pytest.mark.parametrize("store", ["", ":memory:", "sqlite://", "sqlite:///:memory:"])
def test_a_store_that_keeps_nothing_is_refused(store: str) -> None:
    with pytest.raises(InputError, match=r"--store: .* keeps nothing"):
        store_address(Path("run"), store)
