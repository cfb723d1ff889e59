"""One loaded run, and what is said of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cliper.errors import InputError
from cliper.files import sha256_file
from cliper.runs import RunDirectory
from cliper.serving import Recommender


@dataclass(frozen=True, eq=False)
class Served:
    """One loaded run.

    Attributes:
        name: tells it from every other: the backbone, and a hash of its `results.json`.
        about: what `GET model` says of it, counts apart.
        images: pictures of the items of the training, below the dataset, as the run names them.
        dataset: where the run was trained on it.
    """

    recommender: Recommender
    name: str
    about: dict[str, Any]
    images: pa.ChunkedArray | None = None
    dataset: Path = Path()

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
        told = results.json_object()
        name = f"{results.backbone}-{before[:12]}"
        about = {
            "model": name,
            "backbone": results.backbone,
            "features": told["features"],
            "cliper_version": told["cliper_version"],
            "created": told["created"],
            "dataset": {"name": results.dataset.name, "hash": results.dataset.hash},
            "fields": recommender.field_names,
            "ranking": recommender.shelf.ranking,
            "test": told["test"],
        }
        images, dataset = run.read_pictures(), Path(run.read_config()["dataset"]["path"] or "")
        return cls(recommender, name, about, images, dataset)

    def picture(self, item_id: str) -> Path | None:
        """The picture that an item had in the training."""
        row = int(self.recommender.items.find([item_id])[0])
        if self.images is None or not 0 <= row < len(self.images):
            return None
        name = self.images[row].as_py()
        return None if name is None else self.dataset / name

    @property
    def facts(self) -> dict[str, Any]:
        """What `GET model` says."""
        counts = {"users": len(self.recommender.users), "items": self.recommender.shelf.count}
        return {**self.about, **counts}
