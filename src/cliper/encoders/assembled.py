"""One catalogue's encodings side by side on disk, ready to be memory-mapped."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap

from cliper.encoders.base import Encodings
from cliper.encoders.store import ABSENT, KeyArray, RowStore
from cliper.errors import InputError
from cliper.files import read_json, write_json
from cliper.types import FloatArray

_BLOCK = 32768

Project = Callable[[FloatArray], FloatArray]


def assemble(
    folder: Path,
    text: tuple[RowStore, KeyArray, Project],
    image: tuple[RowStore, KeyArray, Project],
    width: int,
    about: Mapping[str, Any],
) -> None:
    """Write `text.npy` (C, N, D), `image.npy` (N, D) and `about.json`: the folder whole or not.

    Args:
        folder: where to; if it exists already it is left as it is.
        text: rows, keys (C, N) and what to do with rows before they are written.
        image: the same with keys (N,).
        width: D.
        about: kept beside the arrays.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        views = text[1]
        out = open_memmap(temporary / "text.npy", "w+", np.float32, (*views.shape, width))
        for c in range(len(views)):
            _copy(text[0], views[c], text[2], out[c])
        out.flush()
        np.save(temporary / "text_present.npy", views != ABSENT)
        out = open_memmap(temporary / "image.npy", "w+", np.float32, (len(image[1]), width))
        _copy(image[0], image[1], image[2], out)
        out.flush()
        np.save(temporary / "image_present.npy", image[1] != ABSENT)
        write_json(temporary / "about.json", dict(about))
        temporary.chmod(0o755)
        try:
            os.rename(temporary, folder)  # noqa: PTH104 (Path.replace means the same)
        except OSError:
            if not folder.exists():  # otherwise another process was first, with the same bytes
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_assembled(folder: Path) -> Encodings:
    """Memory-map what `assemble` wrote.

    Raises:
        InputError: a file is missing or broken.
    """
    about = read_json(folder / "about.json")
    try:
        return Encodings(
            items_hash=about["items_hash"],
            encoder=about["encoder"],
            key=about["key"],
            views=tuple(about["views"]),
            text=_map(folder / "text.npy"),
            text_present=np.load(folder / "text_present.npy", allow_pickle=False),
            image=_map(folder / "image.npy"),
            image_present=np.load(folder / "image_present.npy", allow_pickle=False),
        )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"damaged encodings ({error})", where=str(folder), remedy="delete this folder"
        ) from None


def _copy(store: RowStore, keys: KeyArray, project: Project, out: npt.NDArray[Any]) -> None:
    for start in range(0, len(keys), _BLOCK):  # bounded memory, whatever N
        part = keys[start : start + _BLOCK]
        rows = project(store.read(part))
        rows[part == ABSENT] = 0.0
        out[start : start + _BLOCK] = rows


def _map(path: Path) -> FloatArray:
    array: FloatArray = np.load(path, mmap_mode="c", allow_pickle=False)
    return array
