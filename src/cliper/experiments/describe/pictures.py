"""The pictures of a catalogue: how many, how many are the same, how many look the same."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import imagehash

from cliper.data import Catalogue
from cliper.data.near_duplicates import named_groups
from cliper.encoders.images import ImageError, open_rgb
from cliper.progress import task

_WORKERS, _BLOCK, _SIDE, SAMPLES = 4, 512, 64, 5


@dataclass(frozen=True)
class PictureFacts:
    """What a catalogue shows.

    Attributes:
        present, missing: items with and without a picture.
        addresses: items that name a picture's address and have no picture yet.
        distinct: different files among them (by content).
        shared: items whose very file another item shows too.
        looked_at: False where near duplicates were not looked for; then the rest is empty.
        unreadable: files that could not be decoded.
        alike: items whose picture looks like another file's (at most 3 of 64 bits differ).
        groups: groups of such files; `samples`: item ids of the largest of them.
    """

    present: int
    missing: int
    addresses: int
    distinct: int
    shared: int
    looked_at: bool = False
    unreadable: int = 0
    alike: int = 0
    groups: int = 0
    samples: tuple[tuple[str, ...], ...] = ()


def picture_facts(catalogue: Catalogue, *, look: bool = True) -> PictureFacts:
    """Count the pictures; with `look`, open each file once and compare perceptual hashes."""
    names = catalogue.images
    uses = Counter(name for name in names if name is not None)
    present = sum(uses.values())
    urls = catalogue.image_urls or ((),) * len(names)
    facts = PictureFacts(
        present=present,
        missing=len(names) - present,
        addresses=sum(n is None and bool(u) for n, u in zip(names, urls, strict=True)),
        distinct=len(uses),
        shared=sum(count for count in uses.values() if count > 1),
    )
    if not look:
        return facts
    files = sorted(uses)
    hashes: dict[str, int] = {}
    with (
        ThreadPoolExecutor(_WORKERS) as pool,
        task("looking at pictures", total=len(files)) as bar,
    ):
        for start in range(0, len(files), _BLOCK):
            block = files[start : start + _BLOCK]
            paths = [catalogue.image_root / name for name in block]
            values = zip(block, pool.map(_hash, paths), strict=True)
            hashes |= {name: value for name, value in values if value is not None}
            bar.advance(len(block))
    groups = named_groups(list(hashes.values()), list(hashes))
    item_of: dict[str, str] = {}
    for item, shown in zip(catalogue.items.ids(), names, strict=True):
        if shown is not None:
            item_of.setdefault(shown, item)
    return replace(
        facts,
        looked_at=True,
        unreadable=len(files) - len(hashes),
        alike=sum(uses[name] for group in groups for name in group),
        groups=len(groups),
        samples=tuple(tuple(item_of[name] for name in g[:SAMPLES]) for g in groups[:SAMPLES]),
    )


def _hash(path: Path) -> int | None:
    """64 bits of a picture's low frequencies, None where it cannot be decoded."""
    try:
        with open_rgb(path, at_least=_SIDE) as image:
            return int(str(imagehash.phash(image)), 16)
    except ImageError:
        return None
