"""The run that is served, and how another takes its place."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from cliper.errors import InputError
from cliper.files import sha256_file
from cliper.runs import RunDirectory
from cliper.serving import Recommender
from cliper.serving.http.problems import Problem


@dataclass(frozen=True, eq=False)
class Served:
    """One loaded run.

    Attributes:
        name: tells it from every other: the backbone, and a hash of its `results.json`.
        facts: what `GET model` says of it.
    """

    recommender: Recommender
    name: str
    facts: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> "Served":
        """Read a finished run, and answer once so that the first visitor does not wait.

        Raises:
            InputError: there is none, or it changed meanwhile.
        """
        run = RunDirectory(path)
        run.require()
        results_file = path / "results.json"
        results, before = run.read_results(), sha256_file(results_file)
        recommender = Recommender.load(path)
        if sha256_file(results_file) != before:
            raise InputError("the run changed while it was read", where=str(path))
        if len(recommender.users):
            recommender.recommend(recommender.users.ids([0]), 1)
        name = f"{results.backbone}-{before[:12]}"
        told = results.json_object()
        facts = {
            "model": name,
            "backbone": results.backbone,
            "features": told["features"],
            "cliper_version": told["cliper_version"],
            "created": told["created"],
            "dataset": {"name": results.dataset.name, "hash": results.dataset.hash},
            "users": len(recommender.users),
            "items": len(recommender.items),
            "fields": recommender.field_names,
            "test": told["test"],
        }
        return cls(recommender, name, facts)


class Shop:
    """What is served now. A request reads `now` once and keeps to it, whatever replaces it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = Served.load(path)
        self._reloading = Lock()

    def reload(self) -> Served:
        """Read the run directory again; the old model answers until the new one can.

        Raises:
            Problem: it is being read already, or what lies there cannot be served.
        """
        if not self._reloading.acquire(blocking=False):
            raise Problem(409, "the run is being read already")
        try:
            self.now = Served.load(self.path)
        except InputError as error:
            raise Problem(409, f"the model stays: {error}".replace(str(self.path), "run")) from None
        finally:
            self._reloading.release()
        return self.now
