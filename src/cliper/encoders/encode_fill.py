"""Filling a row store: encode what it lacks, chunk by chunk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from cliper import progress
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.images import ImageFailure
from cliper.encoders.store import ABSENT, KeyArray, RowStore
from cliper.types import BoolArray, FloatArray, IndexArray

# What an interruption can cost at most, and the unit in which results are reproducible: a chunk's
# batches are the same whether or not the chunks before it were encoded in the same run.
TEXT_CHUNK = 1024
IMAGE_CHUNK = 256

REASONS = (
    "unknown reason",
    "no such file",
    "not an image",
    "too many pixels",
    "broken or truncated",
    "not readable",
    "out of memory",
    "too costly to decode",
)
"""Why a picture failed, by the code that the store keeps; only ever appended to."""

PASSING = ("unknown reason", "no such file", "not readable", "out of memory")
"""Reasons that say nothing about a picture's content; they are not kept, so it is tried again."""

NOT_THIS_TIME = "could not be read this time"

_PASSING_CODES = tuple(REASONS.index(reason) for reason in PASSING)

TextEncoder = Callable[[Sequence[str]], FloatArray]
ImageEncoder = Callable[[Sequence[Path]], tuple[FloatArray, tuple[ImageFailure, ...]]]


def fill_texts(
    store: RowStore,
    keys: KeyArray,
    text_at: Callable[[int], str],
    encode: TextEncoder,
    report: EncodeReport,
) -> None:
    """Encode the texts whose keys (n,) the store lacks.

    Args:
        store: gets one row a distinct text.
        keys: empty where there is no text.
        text_at: the text at a position of `keys`.
        encode: texts to rows.
        report: counts and time are added to it.
    """
    chunks = missing_texts(store, keys, report)
    with progress.task("encode texts", total=sum(map(len, chunks))) as bar:
        for todo in chunks:
            started = perf_counter()
            store.append(keys[todo], encode([text_at(int(i)) for i in todo]))
            report.encoded_texts += len(todo)
            report.text_seconds += perf_counter() - started
            bar.advance(len(todo), f"{report.texts_per_second:.0f}/s")


def fill_images(
    store: RowStore,
    failed: RowStore,
    keys: KeyArray,
    path_at: Callable[[int], Path],
    encode: ImageEncoder,
    report: EncodeReport,
) -> None:
    """Encode the pictures whose keys (n,) neither store holds.

    Args:
        store: gets one row a distinct picture that can be used.
        failed: gets one row (width 1, a code of `REASONS`) a picture whose content cannot be used;
            one that failed for a passing reason is in neither store.
        keys: empty where there is no picture.
        path_at: the file at a position of `keys`.
        encode: files to rows (NaN where one failed) and the failures.
        report: counts and time are added to it.
    """
    chunks = missing_images(store, failed, keys, report)
    with progress.task("encode images", total=sum(map(len, chunks))) as bar:
        for todo in chunks:
            started = perf_counter()
            paths = [path_at(int(i)) for i in todo]
            report.encoded_images += add_images(store, failed, keys[todo], paths, encode)
            report.image_seconds += perf_counter() - started
            bar.advance(len(todo), f"{len(todo) / (perf_counter() - started):.0f}/s")


def missing_texts(store: RowStore, keys: KeyArray, report: EncodeReport) -> list[IndexArray]:
    """Positions of the distinct texts that the store lacks, in the chunks that encode them."""
    first = _first_positions(keys)
    present = store.holds(keys[first])
    report.reused_texts += int(present.sum())
    report.damaged_chunks += len(store.damaged)
    return _chunks(first, present, TEXT_CHUNK)


def missing_images(
    store: RowStore, failed: RowStore, keys: KeyArray, report: EncodeReport
) -> list[IndexArray]:
    """Positions of the distinct pictures that neither store holds, in chunks."""
    first = _first_positions(keys)
    useless = useless_for_good(failed, keys[first])
    present = store.holds(keys[first]) | useless
    report.reused_images += int((present & ~useless).sum())
    report.damaged_chunks += len(store.damaged) + len(failed.damaged)
    return _chunks(first, present, IMAGE_CHUNK)


def add_images(
    store: RowStore,
    failed: RowStore,
    keys: KeyArray,
    paths: Sequence[Path],
    encode: ImageEncoder,
) -> int:
    """Encode one chunk of pictures (n,) into both stores; returns how many could be used."""
    rows, failures = encode(paths)
    bad = np.isnan(rows).any(1)
    codes = np.zeros((len(keys), 1), dtype=np.float32)
    for failure in failures:
        if failure.reason in REASONS:
            codes[failure.index] = REASONS.index(failure.reason)
    store.append(keys[~bad], rows[~bad])
    for_good = bad & ~np.isin(codes[:, 0], _PASSING_CODES)
    failed.append(keys[for_good], codes[for_good])
    return int((~bad).sum())


def useless_for_good(failed: RowStore, keys: KeyArray) -> BoolArray:
    """Which pictures (n,) are known to have a content that cannot be used."""
    known = failed.holds(keys)
    known[known] = ~np.isin(failed.read(keys[known])[:, 0], _PASSING_CODES)
    return known


def count_failures(
    store: RowStore, failed: RowStore, keys: KeyArray, report: EncodeReport
) -> BoolArray:
    """Which items' pictures (n,) have no row after all were tried, counted by reason."""
    useless = useless_for_good(failed, keys)
    for code in failed.read(keys[useless])[:, 0]:
        report.fail(REASONS[int(code)])
    broken: BoolArray = (keys != ABSENT) & ~store.holds(keys)
    report.fail(NOT_THIS_TIME, int((broken & ~useless).sum()))
    return broken


def _first_positions(keys: KeyArray) -> IndexArray:
    """Where each distinct key occurs first, in order; the empty key left out."""
    distinct, first = np.unique(keys, return_index=True)
    return np.sort(first[distinct != ABSENT])


def _chunks(first: IndexArray, present: BoolArray, size: int) -> list[IndexArray]:
    """Missing positions, cut at fixed places of the whole list rather than of what is missing."""
    cuts = range(0, len(first), size)
    parts = [first[i : i + size][~present[i : i + size]] for i in cuts]
    return [part for part in parts if len(part)]
