"""Features that the dataset brought itself (`cliper prepare mmrec`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cliper.data.dataset import Dataset
from cliper.data.readers.formats import open_array
from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.files import sha256_file
from cliper.representation.features import ItemFeatures, Modality
from cliper.representation.from_encodings import as_tensor
from cliper.representation.fusion import fill_missing
from cliper.representation.similarity import CHUNK
from cliper.types import BoolArray, FloatArray

GIVEN = "given"


def given_features(dataset: Dataset) -> ItemFeatures | Encodings:
    """Read `features/image.npy` and `features/text.npy` of a dataset directory.

    A row of zeros stands for a missing feature and falls under the usual rules. Text of two
    dimensions (N, D) is a finished feature; text of three (C, N, D) are views `view-0` …, which
    go through similarity and fusion like any encoder's.

    Returns:
        `Encodings` for text of three dimensions, else `ItemFeatures` of kind `vanilla`.

    Raises:
        InputError: no such files, other shapes, values that are not finite, or views without
            images of the same width.
    """
    paths = {} if dataset.path is None else _paths(dataset.path)
    if not paths:
        raise InputError(
            "the dataset brings no features",
            where=str(dataset.path or dataset.name),
            remedy="prepare it with 'cliper prepare mmrec', or choose an encoder",
        )
    for name, path in paths.items():
        _check(path, dataset.about.get("features", {}).get(name))
    arrays = {
        name: _load(path, len(dataset.items), views=name == "text") for name, path in paths.items()
    }
    text = arrays.get("text")
    if text is not None and text.ndim == 3:
        return _encodings(dataset, paths, text, arrays.get("image"))
    tables, touched = {}, {}
    for name, array in arrays.items():
        present = as_tensor(_present(array))
        table, missing = fill_missing(as_tensor(array), present, paths[name].parent)
        tables[name] = table
        touched[f"no {name}: mean {name}"] = missing
    return ItemFeatures(dataset.items.hash, tables, kind="vanilla", encoder=GIVEN, touched=touched)


def _paths(root: Path) -> dict[Modality, Path]:
    names: tuple[Modality, ...] = ("image", "text")
    paths = {name: root / "features" / f"{name}.npy" for name in names}
    return {name: path for name, path in paths.items() if path.is_file()}


def _check(path: Path, about: Any) -> None:
    """The file is the one that `dataset.json` speaks of, where it speaks of it."""
    if about is not None and about["sha256"] != sha256_file(path):
        raise InputError(
            "damaged or replaced: not the file that dataset.json speaks of",
            where=str(path),
            remedy="prepare the dataset again",
        )


def _load(path: Path, n_items: int, *, views: bool) -> FloatArray:
    try:
        array = open_array(path)
    except (ValueError, EOFError, OSError):
        raise InputError("not a .npy file of plain numbers", where=str(path)) from None
    if array.dtype.kind not in "fiu" or array.ndim not in ((2, 3) if views else (2,)):
        shape = "items × width or views × items × width" if views else "items × width"
        raise InputError(f"{array.dtype} {array.shape}", where=str(path), remedy=shape)
    if array.shape[-2] != n_items:
        raise InputError(
            f"{array.shape[-2]} rows for {n_items} items", where=str(path), remedy="one row an item"
        )
    values: FloatArray = np.ascontiguousarray(array, dtype=np.float32)  # mapped, if it is already
    for rows in _some(values):
        if not np.isfinite(rows).all():
            raise InputError("a feature is NaN or infinite", where=str(path))
    return values


def _present(array: FloatArray) -> BoolArray:
    found = np.concatenate([rows.any(axis=-1) for rows in _some(array)])
    return np.asarray(found.reshape(array.shape[:-1]), dtype=np.bool_)


def _some(array: FloatArray) -> Iterator[FloatArray]:
    """Rows of an array (…, N, D), some at a time: (n, D)."""
    flat = array.reshape(-1, array.shape[-1])
    return (flat[start : start + CHUNK] for start in range(0, len(flat), CHUNK))


def _encodings(
    dataset: Dataset, paths: dict[Modality, Path], text: FloatArray, image: FloatArray | None
) -> Encodings:
    if image is None or image.shape[1] != text.shape[2]:
        found = "no images" if image is None else f"images {image.shape[1]} wide"
        raise InputError(
            f"views {text.shape[2]} wide and {found}: they share no space",
            where=str(paths["text"]),
            remedy="views need image features of one dual encoder; or give text of two dimensions",
        )
    key = "+".join(sha256_file(path) for path in paths.values())
    names = tuple(f"view-{i}" for i in range(len(text)))
    return Encodings(
        dataset.items.hash, GIVEN, key, names, text, _present(text), image, _present(image)
    )
