"""The files of one Amazon category, as each release lays them out."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from generated.sources.amazon_items import Item, ItemWriter
from generated.sources.words import Words

Pair = tuple[str, str, int]
_FILES = {
    2014: ("meta_{}.json.gz", "ratings_{}.csv", "reviews_{}.json.gz"),
    2018: ("metaFiles2/meta_{}.json.gz", "categoryFilesSmall/{}.csv", "categoryFiles/{}.json.gz"),
    2023: (
        "raw/meta_categories/meta_{}.jsonl.gz",
        "benchmark/0core/rating_only/{}.csv.gz",
        "raw/review_categories/{}.jsonl.gz",
    ),
}


@dataclass
class AmazonTruth:
    """What is in the files that were written.

    Attributes:
        items: every item by id, as its first row has it.
        read_items: rows of the metadata.
        lost_items: rows of it that are no item's first, by what is wrong with them.
        latin_1: rows of it that are not UTF-8.
        pairs: user, item and time of the log's good rows, in the file's order.
        read_rows: rows of the log.
        lost_rows: rows of it that are bad in themselves, by what is wrong with them.
        odd_rows: rows of it that are odd and stay, by what is odd.
        files: the metadata and the log.
    """

    items: dict[str, Item] = field(default_factory=dict)
    read_items: int = 0
    lost_items: Counter[str] = field(default_factory=Counter)
    latin_1: int = 0
    pairs: list[Pair] = field(default_factory=list)
    read_rows: int = 0
    lost_rows: Counter[str] = field(default_factory=Counter)
    odd_rows: Counter[str] = field(default_factory=Counter)
    files: tuple[Path, ...] = ()


def write_amazon(
    folder: Path,
    year: int,
    category: str,
    *,
    n_items: int,
    n_users: int,
    n_rows: int,
    log: str = "reviews",
    odd: float = 0.02,
    pairs: Iterable[tuple[str, str]] | None = None,
    seed: int = 0,
) -> AmazonTruth:
    """Write metadata and one log under `folder`, in the official places.

    Args:
        folder: where the release's own folders begin.
        year: 2014, 2018 or 2023.
        category: as files spell it.
        n_items: distinct items of the metadata.
        n_users: users who may occur in the log.
        n_rows: good rows of the log.
        log: `reviews`, or `ratings` for the CSV file.
        odd: probability of each oddity, of a row or of an item.
        pairs: users and items of the good rows, instead of drawn ones; items then come from them.
        seed: of everything drawn.
    """
    random = Random(seed)
    meta, ratings, reviews = (folder / one.format(category) for one in _FILES[year])
    truth = AmazonTruth(files=(meta, ratings if log == "ratings" else reviews))
    for path in truth.files:
        path.parent.mkdir(parents=True, exist_ok=True)
    given = None if pairs is None else list(pairs)
    if given is None:
        ids = [f"B{i:09d}" for i in random.sample(range(10**9), n_items)]
    else:
        ids = list(dict.fromkeys(item for _, item in given))
    _write(meta, _metadata(year, ids, Random(seed + 1), odd, truth))
    rows = _LogWriter(year, log, Random(seed + 2), odd, truth)
    drawn = given if given is not None else _drawn(ids, n_users, n_rows, Random(seed + 3))
    _write(truth.files[1], rows.lines(drawn))
    return truth


def _write(path: Path, lines: Iterable[bytes]) -> None:
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as stream:
        held: list[bytes] = []
        for line in lines:
            held.append(line)
            if len(held) == 1_000:
                stream.write(b"\n".join(held) + b"\n")
                held = []
        stream.write(b"".join(line + b"\n" for line in held))


def _drawn(ids: list[str], n_users: int, n_rows: int, random: Random) -> Iterator[tuple[str, str]]:
    """Pairs of which popular items and busy users have many."""
    for _ in range(n_rows):
        user = int(n_users * random.random() ** 1.5)
        yield f"A{user:013d}", ids[int(len(ids) * random.random() ** 1.7)]


def _metadata(
    year: int, ids: list[str], random: Random, odd: float, truth: AmazonTruth
) -> Iterator[bytes]:
    writer = ItemWriter(year, random, odd)
    key = "parent_asin" if year == 2023 else "asin"
    for item in ids:
        made = writer.draw(item)
        truth.items[item] = made
        text = _text(year, made.record, random)
        line = text.encode()
        if random.random() < odd and not text.isascii():
            try:
                line = text.encode("latin-1")
                truth.latin_1 += 1
            except UnicodeEncodeError:
                pass
        truth.read_items += 1
        yield line
        if random.random() < odd:
            truth.lost_items["again"] += 1
            truth.read_items += 1
            yield _text(year, {**made.record, "title": "another"}, random).encode()
        if random.random() < odd:
            truth.lost_items["no id"] += 1
            truth.read_items += 1
            record = {k: v for k, v in made.record.items() if k != key}
            yield _text(year, record, random).encode()
        if random.random() < odd:
            truth.lost_items["broken"] += 1
            truth.read_items += 1
            yield text.encode("ascii", "replace")[: len(text) // 2]
        if random.random() < odd:
            yield random.choice([b"", b"  "])  # a blank line is no row


def _text(year: int, record: dict[str, Any], random: Random) -> str:
    """A line of metadata: a Python dictionary in 2014, with or without letters beyond ASCII."""
    plain = random.random() < 0.5
    if year == 2014:
        return ascii(record) if plain else repr(record)
    return json.dumps(record, ensure_ascii=plain)


class _LogWriter:
    def __init__(self, year: int, log: str, random: Random, odd: float, truth: AmazonTruth) -> None:
        self._year, self._csv, self._random = year, log == "ratings", random
        self._odd, self._truth = odd, truth
        self._words = Words(random)

    def lines(self, pairs: Iterable[tuple[str, str]]) -> Iterator[bytes]:
        """Good rows of these pairs, bad ones between them."""
        if self._csv and self._year == 2023:
            yield b"user_id,parent_asin,rating,timestamp"
        for user, item in pairs:
            time = self._random.randrange(10**9, 15 * 10**8)
            yield self._good(user, item, time)
            if self._random.random() < self._odd:  # the same pair again, later or earlier
                yield self._good(user, item, time + self._random.randrange(-9, 9))
            if self._random.random() < self._odd:
                yield self._bad(user, item, time)

    def _good(self, user: str, item: str, time: int) -> bytes:
        truth = self._truth
        truth.read_rows += 1
        if self._year != 2023:
            truth.pairs.append((user, item, time))
            return self._row(user, item, 4.0, time)
        milliseconds = time * 1000 + self._random.randrange(1000)
        if not self._csv and self._random.random() < self._odd:
            truth.odd_rows["seconds"] += 1
            truth.pairs.append((user, item, time * 1000))
            return self._row(user, item, 4.0, time)
        truth.pairs.append((user, item, milliseconds))
        return self._row(user, item, 4.0, milliseconds)

    def _bad(self, user: str, item: str, time: int) -> bytes:
        truth, kind = self._truth, self._random.randrange(6)
        time *= 1000 if self._year == 2023 else 1
        truth.read_rows += 1
        if kind == 0:
            truth.lost_rows["broken"] += 1
            line = self._row(user, item, 4.0, time)
            return line[: len(line) // 2] if not self._csv else b",".join([line, b"more"])
        if kind == 1:
            truth.lost_rows["no user"] += 1
            return self._row("", item, 4.0, time)
        if kind == 2:
            truth.lost_rows["no item"] += 1
            return self._row(user, None if not self._csv else " ", 4.0, time)
        if kind == 3:
            truth.lost_rows["no rating"] += 1
            return self._row(user, item, None if not self._csv else "", time)
        if kind == 4:
            truth.lost_rows["no time"] += 1
            return self._row(user, item, "5", None if not self._csv else "")
        truth.lost_rows["unknown item"] += 1
        return self._row(user, f"X{self._random.randrange(9)}", 4.0, time)

    def _row(self, user: Any, item: Any, rating: Any, time: Any) -> bytes:
        if self._csv:
            first, second = (item, user) if self._year == 2018 else (user, item)
            return f"{first},{second},{rating},{time}".encode()
        text = self._words.text(5, 60)
        if self._year == 2023:
            record = {
                "rating": rating, "title": "Five Stars", "text": text, "images": [],
                "asin": None if item is None else f"V{item[1:]}", "parent_asin": item,
                "user_id": user, "timestamp": time, "helpful_vote": 0, "verified_purchase": True,
            }  # fmt: skip
            if item is None:
                record.pop("asin")
        else:
            record = {
                "reviewerID": user, "asin": item, "reviewerName": 'J. "Mac"', "helpful": [2, 3],
                "reviewText": text, "overall": rating, "summary": "Heavenly",
                "unixReviewTime": time, "reviewTime": "09 13, 2009",
            }  # fmt: skip
        return json.dumps(record).encode()
