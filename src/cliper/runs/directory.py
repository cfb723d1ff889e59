"""A run directory: everything that a training leaves behind, and nothing that needs pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cliper.data import Catalogue, Interactions, Vocabulary
from cliper.data.readers.formats import read_parquet
from cliper.errors import InputError
from cliper.files import as_written, atomic_path, naming, read_json, write_text
from cliper.runs.record import Results
from cliper.scoring import Scorer, restore_scorer
from cliper.strict_yaml import read_yaml, write_yaml
from cliper.sums import SUMS, check_sums, write_sums
from cliper.types import IndexArray


@dataclass(frozen=True)
class RunDirectory:
    """Paths and readers of one run.

    `results.json` is written last: a directory without it is a training under way or broken off.
    Of a finished one every file but the log has a digest, which is compared when it is read;
    `config.yaml`, in which the dataset's path may be brought up to date, is held to `results.json`.
    """

    path: Path

    @property
    def config_file(self) -> Path:
        """`config.yaml`, fully resolved."""
        return self.path / "config.yaml"

    @property
    def metrics_file(self) -> Path:
        """`metrics.jsonl`, one line an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoint_file(self) -> Path:
        """The training's state while it runs; removed at the end."""
        return self.path / "checkpoint.safetensors"

    @property
    def log_file(self) -> Path:
        """`log.txt`."""
        return self.path / "log.txt"

    @property
    def is_finished(self) -> bool:
        """Results have been written."""
        return (self.path / "results.json").is_file()

    def require(self) -> None:
        """Refuse a directory that holds no finished run.

        Raises:
            InputError: no `results.json`.
        """
        if not self.is_finished:
            raise InputError(
                "not a finished run (no results.json)",
                where=str(self.path),
                remedy="train one with 'cliper train … --out', or finish it with --resume",
            )

    def checked(self, name: str) -> Path:
        """The path of one of the run's files, which is as it was written.

        Raises:
            InputError: the file is damaged, or another run's.
        """
        if self.is_finished:
            check_sums(self.path, name, remedy="train again into another directory")
        return self.path / name

    def log(self, line: str) -> None:
        """Append one line to `log.txt`."""
        with naming(self.log_file), self.log_file.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write `config.yaml`."""
        write_text(self.config_file, write_yaml(dict(config)))

    def read_config(self) -> dict[str, Any]:
        """Read `config.yaml`."""
        try:
            text = self.config_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError("no config.yaml: not a run", where=str(self.path)) from None
        except UnicodeDecodeError as error:
            raise InputError(f"not valid YAML: {error}", where=str(self.config_file)) from None
        loaded = read_yaml(text, str(self.config_file))
        if not isinstance(loaded, dict):
            raise InputError(
                "not a mapping of settings: the file is damaged",
                where=str(self.config_file),
                remedy="train again into another directory",
            )
        is_sealed = self.is_finished and (self.path / SUMS).is_file()
        if is_sealed and _but_path(loaded) != _but_path(self.read_results().config):
            raise InputError(
                "these are not the settings that the run was trained with (results.json)",
                where=str(self.config_file),
                remedy="of a finished run, only dataset.path may change",
            )
        return loaded

    def write_model(
        self, state: Mapping[str, Tensor], scorers: Mapping[str, Scorer], mask: str
    ) -> None:
        """Write the parameters and, for serving, the scorers.

        Args:
            state: the parameters.
            scorers: what ranks under each mask of the test, of one kind; they differ for models
                that go on from a history.
            mask: the run's own, which `embeddings.safetensors` is of. What differs under another
                is in a file of its own, empty if nothing does.
        """
        self._write_tensors("model.safetensors", state)
        own = scorers[mask].tensors()
        for other in scorers.keys() - {mask}:
            differing = {
                key: tensor
                for key, tensor in scorers[other].tensors().items()
                if key not in own or not torch.equal(tensor, own[key])
            }
            self._write_tensors(_embeddings(other), differing)
        self._write_tensors(_embeddings(), own, {"scorer": scorers[mask].kind})

    def _write_tensors(
        self, name: str, tensors: Mapping[str, Tensor], about: dict[str, str] | None = None
    ) -> None:
        flat = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        with atomic_path(self.path / name) as temporary:
            save_file(flat, temporary, metadata=about)

    def read_scorer(self, mask: str | None = None) -> Scorer:
        """What the run ranks with.

        Args:
            mask: another than the run's own, under which a model reads another history.

        Raises:
            InputError: nothing is saved of that mask.
        """
        tensors = self.read_tensors(_embeddings())
        with safe_open(self.path / _embeddings(), framework="pt") as file:
            kind = (file.metadata() or {}).get("scorer", "factors")
        if mask is not None:
            if not (self.path / _embeddings(mask)).is_file():
                raise InputError(
                    f"the run does not hold what the model ranks with under the mask {mask}",
                    where=str(self.path),
                    remedy="train again; runs of this version hold it for both masks",
                )
            tensors |= self.read_tensors(_embeddings(mask))
        return restore_scorer(kind, tensors)

    def read_latest_scorer(self) -> Scorer:
        """What ranks after all that users have done, which is what `read_seen` gives."""
        latest = "train+valid"
        # it is the run's own where there is no such file
        return self.read_scorer(latest if (self.path / _embeddings(latest)).is_file() else None)

    def read_tensors(self, name: str) -> dict[str, Tensor]:
        """Read one of the `.safetensors` files."""
        try:
            return load_file(self.checked(name))
        except (FileNotFoundError, SafetensorError) as error:
            raise InputError(f"cannot be read: {error}", where=str(self.path / name)) from None

    def write_vocabulary(self, train: Interactions, masked: list[Interactions]) -> None:
        """Write ids (`vocabulary.parquet`) and what each user has, by time (`seen.parquet`)."""
        columns = [("user", train.users.array), ("item", train.items.array)]
        kind = np.repeat([c[0] for c in columns], [len(c[1]) for c in columns])
        counts = np.concatenate([train.user_counts(), train.item_counts()])
        table = pa.table(
            {
                "kind": pa.array(kind),
                "id": pa.concat_arrays([c[1] for c in columns]),
                "index": np.concatenate([np.arange(len(c[1])) for c in columns]),
                "train_interactions": counts,
            }
        )
        with atomic_path(self.path / "vocabulary.parquet") as temporary:
            pq.write_table(table, temporary)
        taken = reduce(Interactions.joined, masked)
        if taken.timestamp is not None:  # so that a user's rows are a history to go on from
            taken = taken.select(taken.by_time())
        seen = pa.table({"user_index": taken.user_index, "item_index": taken.item_index})
        with atomic_path(self.path / "seen.parquet") as temporary:
            pq.write_table(seen, temporary)

    def read_vocabulary(self) -> tuple[Vocabulary, Vocabulary, IndexArray]:
        """Users, items, and the number of training interactions per item (N,)."""
        table = self._read_table("vocabulary.parquet")
        with as_written(self.path / "vocabulary.parquet", "train again"):
            kind = table["kind"].cast(pa.string())
            is_user = pc.fill_null(pc.equal(kind, pa.scalar("user")), False).combine_chunks()
            ids = table["id"].combine_chunks()
            users = Vocabulary(ids.filter(is_user), are_unique=True)
            items = Vocabulary(ids.filter(is_item := pc.invert(is_user)), are_unique=True)
        counts = self._whole(table, "vocabulary.parquet", "train_interactions")
        return users, items, counts[np.asarray(is_item)]

    def write_items(self, catalogue: Catalogue) -> None:
        """Write the items' fields and the names of their pictures (`items.parquet`)."""
        table = catalogue.table.add_column(0, "item_id", catalogue.items.array)
        table = table.append_column("image", pa.array(catalogue.images, pa.string()))
        with atomic_path(self.path / "items.parquet") as temporary:
            pq.write_table(table, temporary)

    def read_items(self) -> pa.Table | None:
        """`item_id`, one column per field and `image`, a row per item; None in older runs."""
        if not self.has_items:
            return None
        table = self._read_table("items.parquet")
        with as_written(self.path / "items.parquet", "train again"):
            table.select(["item_id", "image"])
        return table

    def read_pictures(self) -> pa.ChunkedArray | None:
        """Where each item's picture is, below the dataset; None in older runs."""
        if not self.has_items:
            return None
        table = self._read_table("items.parquet", ["image"])
        with as_written(self.path / "items.parquet", "train again"):
            return table["image"].cast(pa.string())

    @property
    def has_items(self) -> bool:
        """The items' fields are here: the dataset had some, and the run is not an old one."""
        return (self.path / "items.parquet").is_file()

    def read_seen(self) -> tuple[IndexArray, IndexArray]:
        """Parallel user and item indices of everything that users have already."""
        table = self._read_table("seen.parquet")
        user = self._whole(table, "seen.parquet", "user_index")
        return user, self._whole(table, "seen.parquet", "item_index")

    def _whole(self, table: pa.Table, name: str, column: str) -> IndexArray:
        """A column of whole numbers from 0."""
        with as_written(self.path / name, "train again"):
            values = table[column]
            if not pa.types.is_integer(values.type) or values.null_count:
                raise TypeError(f"{column} holds {values.type}")
            found: IndexArray = np.asarray(values.cast(pa.int64()), dtype=np.int64)
            if (found < 0).any():
                raise ValueError(f"{column} is negative")
            return found

    def read_per_user(self) -> pa.Table:
        """`user_index` and a column per metric, a row per user of the test."""
        return self._read_table("test_per_user.parquet")

    def _read_table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        path = self.path / name
        if not path.is_file():
            raise InputError("a part of the run is missing", where=str(path), remedy="train again")
        self.checked(name)
        return read_parquet(path, columns)

    def write_results(self, results: Results) -> None:
        """Write the digests, then `results.json`; the run counts as finished from here on."""
        text = json.dumps(results.json_object(), indent=2, ensure_ascii=False, allow_nan=False)
        names = [entry.name for entry in self.path.iterdir() if entry.suffix in _SEALED]
        names = [n for n in names if n not in (self.checkpoint_file.name, "results.json")]
        write_sums(self.path, names, {"results.json": f"{text}\n".encode()})
        write_text(self.path / "results.json", f"{text}\n")

    def read_results(self) -> Results:
        """Read `results.json`."""
        self.require()
        try:
            return Results.model_validate(read_json(self.checked("results.json")))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            key = ".".join(map(str, problem["loc"]))
            raise InputError(f"{key}: {problem['msg']}", where=str(self.path)) from None

    def read_metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`.

        Raises:
            InputError: one of them is broken.
        """
        if not self.metrics_file.is_file():
            return []
        content = self.checked(self.metrics_file.name).read_bytes()
        try:
            lines = [json.loads(line) for line in content.decode().splitlines() if line]
            if not all(isinstance(line, dict) for line in lines):
                raise ValueError("a line is no object")
            return lines
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one
            raise InputError(
                f"damaged: {error}", where=str(self.metrics_file), remedy="train again"
            ) from None


_SEALED = (".jsonl", ".json", ".parquet", ".safetensors")


def _but_path(config: Mapping[str, Any]) -> str:
    dataset = config.get("dataset")
    if isinstance(dataset, dict):
        dataset = {k: v for k, v in dataset.items() if k != "path"}
    tree = {k: v for k, v in config.items() if k != "identity"} | {"dataset": dataset}
    return json.dumps(tree, sort_keys=True, default=str)


def _embeddings(mask: str | None = None) -> str:
    """The file of the run's own mask, or of another."""
    return "embeddings.safetensors" if mask is None else f"embeddings.{mask}.safetensors"
