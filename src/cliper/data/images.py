"""Check every product image by decoding it, and bring the good ones into the dataset.

An image is stored under the hash of its bytes, so names cannot collide or be unfit for a file
system, one picture of many items is kept once, and the dataset's hash covers its pictures.
"""

import hashlib
import os
import shutil
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cliper.data.ledger import SAMPLES, Ledger
from cliper.data.pictures import MAX_BYTES, PictureError, check_picture
from cliper.data.readers.embedded import MARK
from cliper.data.readers.values import composed
from cliper.errors import InputError
from cliper.files import naming
from cliper.progress import task

TO_FETCH = "named by address, to be fetched by `cliper images`"
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".heic")


class _Unusable(Exception):
    """Why a picture that is named is not stored."""


def store_images(
    names: Sequence[str | None],
    item_ids: Sequence[str],
    root: Path,
    out: Path,
    ledger: Ledger,
    urls: Sequence[tuple[str, ...]] | None = None,
    embedded: Path | None = None,
) -> tuple[str | None, ...]:
    """Verify N images and put them under `out/images/`.

    Linked where the file system allows it, copied otherwise (so replace a source picture, do not
    write into it: a linked one would change here too). What is missing, unreadable,
    truncated, empty, outside `root`, or larger or costlier than `pictures` allows becomes None and
    is counted by reason.

    Args:
        names: paths relative to `root`, None where an item has no image.
        item_ids: for the samples in the ledger.
        root: the folder that the paths start from.
        out: the dataset directory.
        urls: addresses that pictures can be fetched from later, per item; only for the counts.
        embedded: the folder of names that begin with `embedded:`.

    Returns:
        Paths relative to `out`, None where an item has no usable image, (N,).

    Raises:
        InputError: `root` is no folder.
    """
    if not root.is_dir():
        raise InputError("no such folder", where=str(root), remedy="name the images' folder")
    root = root.resolve()
    (out / "images").mkdir(parents=True, exist_ok=True)
    wanted = [i for i, name in enumerate(names) if name is not None]
    stored: list[str | None] = [None] * len(names)

    def check(i: int) -> tuple[str | None, str]:
        try:
            return _stored(str(names[i]), root, out, embedded), ""
        except (_Unusable, PictureError) as error:
            return None, str(error)

    with (
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
        task("checking images", len(wanted)) as progress,
    ):
        try:
            for i, (found, reason) in zip(wanted, pool.map(check, wanted), strict=True):
                stored[i] = found
                if reason:
                    ledger.drop("images", reason, 1, [f"item {item_ids[i]}: {names[i]}"])
                progress.advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    fetchable = [i for i in range(len(names)) if stored[i] is None and urls is not None and urls[i]]
    samples = [f"item {item_ids[i]}: {urls[i][0]}" for i in fetchable[:SAMPLES] if urls]
    ledger.change("images", TO_FETCH, len(fetchable), samples)
    unnamed = sum(name is None for name in names)
    ledger.drop(
        "images",
        "the item names no image",
        unnamed - sum(names[i] is None for i in fetchable),
    )
    return tuple(stored)


def find_images(item_ids: Sequence[str], root: Path) -> list[str | None]:
    """`{item_id}.jpg`, `.jpeg`, `.png`, `.webp` or `.heic` in `root`, None where there is none.

    Endings may be written in capitals, and names in any Unicode spelling: file systems and
    archives have their own.
    """
    if not root.is_dir():
        raise InputError("no such folder", where=str(root), remedy="name the images' folder")
    present = {entry.name for entry in os.scandir(root)}
    spelled: dict[str, str] = {}
    for name in sorted(present, reverse=True):  # of several the first in order is left
        stem, dot, ending = composed(name).rpartition(".")
        spelled[stem + dot + ending.lower()] = name
    found: list[str | None] = []
    for item in item_ids:
        names = [item + ending for ending in ENDINGS]
        exact = (name for name in names if name in present)
        other = (spelled[composed(name)] for name in names if composed(name) in spelled)
        found.append(next(exact, None) or next(other, None))
    return found


def _stored(name: str, root: Path, out: Path, embedded: Path | None) -> str:
    """The name of a picture in the dataset, relative to it, once it has been decoded."""
    if embedded is not None and name.startswith(MARK):
        name, root = name.removeprefix(MARK), embedded
    if name.lower().startswith(("http:", "https:")):
        raise _Unusable("a URL, not a file")
    try:
        path = _located(name, root)
        if not path.is_relative_to(root):
            raise _Unusable("outside the image folder")
        if not path.is_file():
            raise _Unusable("not a file" if path.exists() else "no such file")
        size = path.stat().st_size
        if size == 0:
            raise _Unusable("an empty file")
        if size > MAX_BYTES:
            raise _Unusable(f"a file of more than {MAX_BYTES} bytes")
        data = path.read_bytes()
    except (OSError, ValueError, RuntimeError):  # too long a name, a NUL in it, a link to itself
        raise _Unusable("cannot be read") from None
    stored = f"images/{hashlib.sha256(data).hexdigest()[:32]}.{verify_image(data)}"
    bring(path, out / stored, data)
    return stored


def _located(name: str, root: Path) -> Path:
    """`name` in `root`; where it is not, and starts with `root`'s own name, without that part.

    A catalogue that says `images/1.jpg` is often given together with the folder `images`.
    """
    first, _, rest = name.replace("\\", "/").partition("/")
    names = _spellings(name)
    if rest and composed(first) == composed(root.name):
        names += _spellings(rest)
    paths = [(root / one).resolve() for one in names]
    return next((path for path in paths if path.exists()), paths[0])


def _spellings(name: str) -> list[str]:
    """A name as it is and in the two Unicode spellings that file systems use."""
    return [name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))]


def verify_image(data: bytes) -> str:
    """The ending of an image's format, once it has been decoded.

    Raises:
        PictureError: it cannot be read.
    """
    form = check_picture(data)
    return {"JPEG": "jpg"}.get(form, form.lower())


def bring(source: Path, target: Path, data: bytes | None = None) -> None:
    """Put a picture under another name: linked, or copied where links are refused.

    Args:
        source: the file.
        target: the new name; a file there stays (names are hashes of content).
        data: the file's bytes, where they were read already.
    """
    try:
        target.hardlink_to(source)
    except FileExistsError:  # the same picture of another item
        return
    except OSError:
        # A name of its own per thread, then one rename: never half a picture.
        part = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
        with naming(target):
            part.write_bytes(source.read_bytes() if data is None else data)
        shutil.copymode(source, part)
        part.replace(target)
