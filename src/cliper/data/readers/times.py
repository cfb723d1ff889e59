"""Outside times of any spelling to one column of whole numbers, nothing cut off.

A time is read as it is written: a number of some unit, or a date. What the unit is, one row does
not say, so rows are kept as read until the whole column is known; then all become whole numbers
of the coarsest unit that holds every one of them exactly.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cliper.data.ledger import SAMPLES, Ledger
from cliper.data.readers.values import as_texts
from cliper.errors import InputError
from cliper.types import BoolArray, IndexArray

TimeUnit = Literal["s", "ms", "us", "ns"]
UNITS: tuple[TimeUnit, ...] = ("s", "ms", "us", "ns")
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Numbers from here on are no seconds (the year 5138), no milliseconds, no microseconds.
_FROM = np.array([10**11, 10**14, 10**17], dtype=np.int64)
_BILLION = 1_000_000_000
_MOST = 2**63 - 1

_WHOLE = r"^-?(\d{1,18}|[0-8]\d{18})$"
_DECIMAL = re.compile(r"([+-]?)(\d{0,18})(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,2}))?")
_FRACTION = re.compile(r"[.,](\d{7,})")


@dataclass(frozen=True, eq=False)
class Times:
    """Times as they were read, n rows: `whole` + `part` / 10⁹, of a unit that is not known yet.

    Attributes:
        whole: int64 (n,).
        part: int32 (n,), 0 to 10⁹ − 1.
        dates: mask (n,) of those written as dates: their unit is the second.
        known: mask (n,) of those that could be read.
    """

    whole: IndexArray
    part: npt.NDArray[np.int32]
    dates: BoolArray
    known: BoolArray

    def select(self, keep: BoolArray) -> "Times":
        """The rows of a mask (n,)."""
        return Times(self.whole[keep], self.part[keep], self.dates[keep], self.known[keep])

    @classmethod
    def joined(cls, parts: "Sequence[Times]") -> "Times":
        """One after another."""
        return cls(
            np.concatenate([one.whole for one in parts]),
            np.concatenate([one.part for one in parts]),
            np.concatenate([one.dates for one in parts]),
            np.concatenate([one.known for one in parts]),
        )


def read_times(values: list[Any] | pa.Array) -> Times:
    """Read numbers (seconds or finer, with fractions) and dates (ISO 8601 or Arrow's).

    Dates are UTC where no zone is given. Digits after the ninth decimal are cut off.

    >>> found = read_times(["881250949", "1.5", "1970-01-02T00:00:00.25", "soon"])
    >>> found.whole.tolist(), found.part.tolist(), found.known.tolist()
    ([881250949, 1, 86400, 0], [0, 500000000, 250000000, 0], [True, True, True, False])
    """
    array = values if isinstance(values, pa.Array) else as_texts(values)
    kind = array.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _arrow_dates(array)
    if pa.types.is_integer(kind):
        return _integers(array)
    if pa.types.is_floating(kind):
        return _floats(array)
    if pa.types.is_decimal(kind):
        array = array.cast(pa.string())
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _texts(pc.utf8_trim_whitespace(array))
    n = len(array)
    nothing = np.zeros(n, dtype=np.int64)
    return Times(nothing, nothing.astype(np.int32), np.zeros(n, np.bool_), np.zeros(n, np.bool_))


def one_unit(
    times: Times, numbers: IndexArray, where: str, ledger: Ledger
) -> tuple[IndexArray, TimeUnit]:
    """All rows in the coarsest unit that holds every one exactly: int64 (n,), and the unit.

    The unit of a number is told by its size: below 10¹¹ seconds (or whatever the source counts
    in), then milliseconds, microseconds from 10¹⁴ and nanoseconds from 10¹⁷. Where a column has
    numbers of several units, the coarser ones are multiplied, and counted as changed.

    Args:
        times: n rows, all of them known.
        numbers: row numbers (n,), for messages.
        where: the file, for messages.
        ledger: takes the count of what was multiplied.

    Raises:
        InputError: no one unit holds the finest and the farthest.
    """
    size = np.searchsorted(_FROM, np.abs(times.whole), side="right").astype(np.int8)
    size[times.dates] = 0
    plain = ~times.dates & (times.whole != 0)  # 0 is the same in every unit
    used = np.flatnonzero(np.bincount(size[plain], minlength=4))
    finest = int(used[-1]) if len(used) else 0
    dated = bool(times.dates.any())
    if len(used) < 2 and not times.part.any() and not (dated and finest):
        return times.whole, UNITS[finest]
    for unit in used[:-1].tolist():
        rows = np.flatnonzero(plain & (size == unit))
        what = f"a time in {NAMES[UNITS[unit]]} made {NAMES[UNITS[finest]]}"
        samples = [f"row {numbers[row]}: {times.whole[row]}" for row in rows[:SAMPLES]]
        ledger.change("rows", what, len(rows), samples)
    digits = _decimals(times.part)
    need = int(np.maximum(finest, size + digits // 3).max(initial=0))
    target = min(need, 3)
    factor = 1000 ** (target - size).astype(np.int64)
    parts = times.part.astype(np.int64) // 1000 ** (3 - target + size).astype(np.int64)
    far = (factor > 1) & (np.abs(times.whole) > _MOST // factor - 1)
    if far.any():
        row = int(np.argmax(far))
        raise InputError(
            f"the time {times.whole[row]} is too far off to be written in {NAMES[UNITS[target]]}, "
            "as other rows are",
            where=f"{where}, row {numbers[row]}",
            remedy="write all times in one unit, such as seconds since 1970",
        )
    return times.whole * factor + parts, UNITS[target]


def _decimals(part: npt.NDArray[np.int32]) -> IndexArray:
    """How many of nine decimals are needed, rounded up to 0, 3, 6 or 9."""
    needed = np.zeros(len(part), dtype=np.int64)
    for digits, step in ((3, _BILLION), (6, 10**6), (9, 10**3)):
        needed[part % step != 0] = digits
    return needed


def _arrow_dates(array: pa.Array) -> Times:
    if pa.types.is_date(array.type):
        array = array.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
        per_second, days = 1, 86_400
    else:
        per_second, days = PER_SECOND[array.type.unit], 1
        array = array.cast(pa.int64())
    known = np.asarray(pc.is_valid(array))
    ticks = np.asarray(pc.fill_null(array, 0), dtype=np.int64) * days
    whole = ticks // per_second
    part = (ticks - whole * per_second) * (_BILLION // per_second)
    return Times(whole, part.astype(np.int32), np.ones(len(array), np.bool_), known)


def _integers(array: pa.Array) -> Times:
    known = np.asarray(pc.is_valid(array))
    if array.type == pa.uint64():
        known &= np.asarray(
            pc.fill_null(pc.less_equal(array, pa.scalar(_MOST, pa.uint64())), False)
        )
    whole = np.asarray(pc.fill_null(array.cast(pa.int64(), safe=False), 0), dtype=np.int64).copy()
    known &= whole != -_MOST - 1  # has no absolute value
    whole[~known] = 0
    n = len(whole)
    return Times(whole, np.zeros(n, np.int32), np.zeros(n, np.bool_), known)


def _floats(array: pa.Array) -> Times:
    """The decimals that a float of this size can tell apart; the rest is how binary writes them."""
    values = np.array(pc.fill_null(array.cast(pa.float64()), np.nan), dtype=np.float64)
    known = np.isfinite(values) & (np.abs(np.nan_to_num(values)) < 2.0**63)
    values = np.where(known, values, 0.0)
    whole = np.floor(values)
    before = np.floor(np.log10(np.maximum(np.abs(values), 1.0))).astype(np.int64) + 1
    scale = 10.0 ** np.clip(16 - before, 0, 9)
    part = np.rint((values - whole) * scale) / scale
    over = part >= 1
    ticks = np.rint(np.where(over, 0, part) * _BILLION).astype(np.int32)
    return Times(whole.astype(np.int64) + over, ticks, np.zeros(len(values), np.bool_), known)


def _texts(array: pa.Array) -> Times:
    n = len(array)
    known = np.asarray(pc.fill_null(pc.match_substring_regex(array, _WHOLE), False)).copy()
    whole, part = np.zeros(n, np.int64), np.zeros(n, np.int32)
    dates = np.zeros(n, np.bool_)
    whole[known] = np.asarray(array.filter(pa.array(known)).cast(pa.int64()))
    rest = np.flatnonzero(~known)
    for row, text in zip(rest.tolist(), array.take(pa.array(rest)).to_pylist(), strict=True):
        found = _decimal(text or "")
        if found is None:
            found = _date(text or "")
            dates[row] = found is not None
        if found is not None:
            (whole[row], part[row]), known[row] = found, True
    return Times(whole, part, dates, known)


def _decimal(text: str) -> tuple[int, int] | None:
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        return None
    shift = int(match[4] or 0)
    decimals = match[3] or ""
    digits = match[2] + decimals
    places = len(decimals) - shift
    value = int(digits) * _BILLION * 10 ** max(0, -places) // 10 ** max(0, places)
    if value > 2**62 * _BILLION:
        return None
    whole, part = divmod(-value if match[1] == "-" else value, _BILLION)
    return whole, part


def _date(text: str) -> tuple[int, int] | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    since = zoned - datetime.datetime.fromtimestamp(0, datetime.UTC)
    part = since.microseconds * 1000
    finer = _FRACTION.search(text)
    if finer is not None:  # Python reads six decimals and passes over the others
        part += int(finer[1][6:9].ljust(3, "0"))
    return since.days * 86_400 + since.seconds, part
