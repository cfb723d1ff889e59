"""What is served now, and how it becomes what the store says."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from cliper.errors import InputError
from cliper.serving.http.memory import give_back
from cliper.serving.http.problems import LOG, Problem
from cliper.serving.http.served import Served
from cliper.serving.store import Conflict, Kept, Store

POLL_SECONDS = 0.5
"""How often a process looks for what others changed; they agree within 2 seconds."""
TOGETHER = 100
"""Changes applied at a time."""


class Shop:
    """A request reads `now` once and keeps to it, whatever replaces it.

    Items change in the store first; a process applies the changes in the order of their numbers,
    its own at once and those of others when it looks.

    Args:
        path: of the run.
        store: what is kept.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self.path, self.store = path, store
        self._reloading, self._changing = Lock(), Lock()
        self._own: set[int] = set()
        self.now = Served.load(path)
        self._applied = self._apply(self.now, 0, set())

    def reload(self) -> Served:
        """Read the run directory again; the old model answers until the new one can.

        Raises:
            Problem: it is being read already, or what lies there cannot be served.
        """
        if not self._reloading.acquire(blocking=False):
            raise Problem(409, "the run is being read already")
        try:
            fresh = Served.load(self.path)
            applied = self._apply(fresh, 0, set())
            with self._changing:
                self._applied = self._apply(fresh, applied, set())
                self.now, self._own = fresh, set()
        except InputError as error:
            raise Problem(409, self.without_paths(f"the model stays: {error}")) from None
        finally:
            self._reloading.release()
        return self.now

    def without_paths(self, told: str) -> str:
        """What a client may hear of: not where things lie here."""
        for path, name in ((self.path, "run"), (self.now.dataset, "dataset")):
            if path != Path():
                told = told.replace(str(path), name)
        return told

    def put(self, items: Sequence[Kept], new: bool) -> None:
        """Add items or replace them; when this returns they are kept and recommended.

        Args:
            items: all or none.
            new: refuse one that is there.

        Raises:
            Problem: one that should be new is there.
            InputError: the model cannot take one.
        """
        with self._changing:
            self._catch_up()
            recommender = self.now.recommender
            there = [one.item_id for one in items if recommender.shelf.offers(one.item_id)]
            if new and there:
                raise Problem(409, f"the item {there[0]!r} is there already; PUT replaces it")
            try:
                _put(self.now, items, lambda: self._keep(items, new))
            except Conflict as error:
                raise Problem(409, f"the item {str(error)!r} is there already") from None

    def remove(self, item_id: str) -> None:
        """Recommend an item no longer.

        Raises:
            Problem: there is none.
        """
        with self._changing:
            self._catch_up()
            if not self.now.recommender.shelf.offers(item_id):
                raise Problem(404, f"unknown item {item_id!r}")
            gone = [Kept(item_id, removed=True)]
            self.now.recommender.remove_items([item_id], lambda: self._keep(gone, False))

    def has_picture(self, item_id: str) -> bool:
        """There is one to look at."""
        return self.store.has_picture(item_id) or self.now.picture(item_id) is not None

    def picture(self, item_id: str) -> bytes | None:
        """The file of an item's picture: what it was given here, or had in the training."""
        given = self.store.picture(item_id)
        path = None if given is not None else self.now.picture(item_id)
        try:
            return given if path is None else path.read_bytes()
        except OSError:
            return None

    def catch_up(self) -> None:
        """Apply what other processes changed."""
        with self._changing:
            self._catch_up()

    def follow(self) -> None:
        """Do so every now and then, in a thread of its own that ends with the process."""

        def forever() -> None:
            with suppress(InputError):  # a model that takes no items
                self.now.recommender.prepare_items()
            while True:
                time.sleep(POLL_SECONDS)
                try:
                    self.catch_up()
                except SQLAlchemyError as error:
                    LOG.warning("the store does not answer: %s", str(error).partition("\n")[0])
                except Exception:
                    LOG.exception("while catching up with the store")

        Thread(target=forever, daemon=True).start()

    def _keep(self, items: Sequence[Kept], new: bool) -> None:
        self._own.update(self.store.put_items(items, new))

    def _catch_up(self) -> None:
        before = self._applied
        self._applied = self._apply(self.now, before, self._own)
        self._own = {number for number in self._own if number > self._applied}

    def _apply(self, served: Served, after: int, own: set[int]) -> int:
        """Apply the changes after a number; the number of the last.

        One that the model cannot take is left out and said to the log.
        """
        while changes := self.store.changes(after, TOGETHER):
            after = changes[-1].number
            others = [one for one in changes if one.number not in own]
            gone = [one.item_id for one in others if one.removed]
            put = [one for one in others if not one.removed]
            known = served.recommender.items.find(gone) >= 0
            served.recommender.remove_items(
                [one for one, there in zip(gone, known, strict=True) if there]
            )
            try:
                _put(served, put)
            except InputError:
                for one in put:
                    try:
                        _put(served, [one])
                    except InputError as error:
                        LOG.warning("%r is left out: %s", one.item_id, error)
        return after


def _put(served: Served, items: Sequence[Kept], keep: Callable[[], object] | None = None) -> None:
    """Into the recommender; encoders read pictures from files."""
    with TemporaryDirectory(prefix="cliper-") as folder:
        told: list[dict[str, Any]] = []
        for at, one in enumerate(items):
            told.append({**one.fields, "item_id": one.item_id})
            if one.picture is not None:
                path = Path(folder, str(at))
                path.write_bytes(one.picture)
                told[-1]["image"] = str(path)
        if told:
            served.recommender.put_items(told, keep or (lambda: None))
            give_back()
