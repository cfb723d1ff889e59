"""One catalogue's encodings side by side on disk, ready to be memory-mapped."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.format import write_array_header_1_0

from cliper.data.readers.formats import open_array
from cliper.encoders.base import Encodings
from cliper.encoders.content import Content
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.rows import StoredRows
from cliper.encoders.store import ABSENT, KeyArray, RowStore
from cliper.errors import InputError
from cliper.files import as_written, read_json, sweep, temporary_folder, write_json
from cliper.sums import SMALL, check_sums, write_sums
from cliper.types import FloatArray, JsonObject

_BLOCK = 32768
_FILES = ("about.json", "image.npy", "image_present.npy", "text.npy", "text_present.npy")
_AGAIN = "delete this folder and encode again"

Project = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Space:
    """A catalogue's content in an encoder's space: stored rows, and what each goes through.

    Attributes:
        encoder: the name.
        digest: the encoder's hash, of a fitted one with its fit.
        width: D.
        folder: where the assembled arrays belong.
        content: without the pictures that have no row.
        rows: hold all of it.
        text, image: rows (n, W) to (n, D); None where they are in the space already.
        source: where the weights came from (`TwoTowerEncoder.source`).
    """

    encoder: str
    digest: str
    width: int
    folder: Path
    content: Content
    rows: StoredRows
    text: Project | None = None
    image: Project | None = None
    source: JsonObject = field(default_factory=dict)


def assemble(space: Space, report: EncodeReport) -> Path:
    """Write `text.npy` (C, N, D), `image.npy` (N, D) and `about.json`: the folder whole or not.

    If it exists already it is left as it is.

    Args:
        space: what to write.
        report: of the run that filled it.
    """
    folder, content, rows = space.folder, space.content, space.rows
    if folder.exists():
        return folder
    sweep(folder.parent)
    with temporary_folder(folder) as temporary:
        _write(temporary / "text.npy", rows.text_rows, content.keys, space.text, space.width)
        np.save(temporary / "text_present.npy", content.keys != ABSENT)
        _write(temporary / "image.npy", rows.image_rows, content.image, space.image, space.width)
        np.save(temporary / "image_present.npy", content.image != ABSENT)
        write_json(temporary / "about.json", _about(space, report))
        write_sums(temporary, _FILES)
        try:
            os.rename(temporary, folder)  # noqa: PTH104 (Path.replace means the same)
        except OSError:
            if not folder.exists():  # otherwise another process was first, with the same bytes
                raise
    return folder


def _about(space: Space, report: EncodeReport) -> JsonObject:
    return {
        "encoder": space.encoder,
        "encoder_hash": space.digest,
        "source": space.source,
        "key": space.content.key(space.digest),
        "items_hash": space.content.items_hash,
        "views": list(space.content.names),
        "failed_images": report.failed_images,
        "retrieval_recall_at_10": report.retrieval_recall_at_10,
        "retrieval_chance": report.retrieval_chance,
    }


def stored(root: Path, encoder: str) -> dict[Path, JsonObject]:
    """What a dataset's store has encodings of by an encoder of this name: folder → `about.json`."""
    found: dict[Path, JsonObject] = {}
    for path in sorted(root.glob("**/about.json")):
        try:
            about = read_json(path)
        except InputError:  # damaged: whoever reads these encodings is told
            continue
        if isinstance(about, dict) and about.get("encoder") == encoder:
            found[path.parent] = about
    return found


def load_assembled(folder: Path) -> Encodings:
    """Memory-map what `assemble` wrote; what is large is compared with its digest when it is read.

    Raises:
        InputError: a file is missing or broken.
    """
    check_sums(folder, *_FILES, remedy=_AGAIN, up_to=SMALL)
    about = read_json(folder / "about.json")
    with as_written(folder, _AGAIN):
        names = ("text", "text_present", "image", "image_present")
        try:
            text, text_present, image, image_present = (
                open_array(folder / f"{name}.npy") for name in names
            )
        except (OSError, EOFError) as error:
            raise ValueError(str(error)) from None
        (c, n, width), views = text.shape, tuple(map(str, about["views"]))
        shapes = (len(views), text_present.shape, image.shape, image_present.shape)
        if shapes != (c, (c, n), (n, width), (n,)):
            raise ValueError("arrays of different shapes")
        kinds = [array.dtype.str for array in (text, text_present, image, image_present)]
        if kinds != ["<f4", "|b1", "<f4", "|b1"]:
            raise ValueError("arrays of another type")
        return Encodings(
            items_hash=str(about["items_hash"]),
            encoder=str(about["encoder"]),
            key=str(about["key"]),
            views=views,
            text=text,
            text_present=np.array(text_present),
            image=image,
            image_present=np.array(image_present),
            folder=folder,
            encoder_hash=str(about.get("encoder_hash", "")),
        )


def _write(
    path: Path, store: RowStore, keys: KeyArray, project: Project | None, width: int
) -> None:
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
                rows = store.read(part)
                rows = rows if project is None else project(rows)
                rows[part == ABSENT] = 0.0
                np.ascontiguousarray(rows, dtype="<f4").tofile(stream)
