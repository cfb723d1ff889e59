"""What a stage depends on, as hashes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cliper import __version__
from cliper.data import Dataset
from cliper.experiments.run.config import ExperimentConfig


def key_of(*parts: Any) -> str:
    """Hash of plain values and the version of the program."""
    text = json.dumps([__version__, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def filled(base: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with their defaults, without those that change no number.

    So that a default which is spelt out later is no change. The backbone's options stay as given:
    several backbones may share them.
    """
    shared = {k: v for k, v in base.items() if k not in ("backbone", "dataset", "tracking")}
    tree = ExperimentConfig.parse({**shared, "dataset": {"path": ""}}).model_dump(mode="json")
    return without_running({**tree, "backbone": dict(base.get("backbone") or {})})


def without_running(tree: dict[str, Any]) -> dict[str, Any]:
    """A tree without the path (the hash speaks for the data) and what only concerns the running."""
    for section in ("dataset", "tracking"):
        tree.pop(section, None)
    tree.get("training", {}).pop("checkpoint_seconds", None)
    tree.get("encoder", {}).pop("allow_download", None)
    return tree


def file_facts(sources: Sequence[Path]) -> list[list[Any]]:
    """Path, size and time of change of files, and of all files in folders; missing ones count."""
    facts: list[list[Any]] = []
    for source in sources:
        inside = (path for path in sorted(source.rglob("*")) if not path.is_dir())
        for path in inside if source.is_dir() else [source]:
            try:
                stat = path.stat()
                facts.append([str(path), stat.st_size, stat.st_mtime_ns])
            except OSError:
                facts.append([str(path), None, None])
    return facts


def prepared_hash(dataset: Dataset) -> str:
    """Hash of a dataset that is the same before and after its pictures are fetched."""
    catalogue = dataset.catalogue
    if catalogue is None or catalogue.image_urls is None:
        return dataset.hash
    images = tuple(
        None if urls else name
        for name, urls in zip(catalogue.images, catalogue.image_urls, strict=True)
    )
    return replace(dataset, catalogue=replace(catalogue, images=images)).hash
