"""One catalogue's encodings side by side on disk, ready to be memory-mapped."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import write_array_header_1_0

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
        _write(temporary / "text.npy", *text, width)
        np.save(temporary / "text_present.npy", text[1] != ABSENT)
        _write(temporary / "image.npy", *image, width)
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


def _write(path: Path, store: RowStore, keys: KeyArray, project: Project, width: int) -> None:
    """Rows of `keys` (…, N) as a .npy file of shape (…, N, width), block after block.

    Written through a file and not through a memory map: dirty pages of a map count as this
    process's memory until the system gets round to writing them.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": (*keys.shape, width)}
    with path.open("wb") as stream:
        write_array_header_1_0(stream, header)
        for view in keys.reshape(-1, keys.shape[-1]):
            for start in range(0, len(view), _BLOCK):  # bounded memory, whatever N
                part = view[start : start + _BLOCK]
                rows = project(store.read(part))
                rows[part == ABSENT] = 0.0
                np.ascontiguousarray(rows, dtype="<f4").tofile(stream)


def _map(path: Path) -> FloatArray:
    array: FloatArray = np.load(path, mmap_mode="c", allow_pickle=False)
    return array
