"""Whole columns of outside values as Arrow strings and NumPy numbers."""

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cliper.errors import InputError
from cliper.types import IndexArray

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


# What programs write where a value is missing. As ids they would be one user who is many.
NO_ID = (
    "nan", "NaN", "NAN", "none", "None", "NONE", "null", "Null", "NULL", "NA", "N/A", "n/a",
    "#N/A", "<NA>", "NaT", "undefined", "\\N",
)  # fmt: skip


def to_ids(values: list[Any] | pa.Array, numbers: IndexArray, where: str) -> pa.Array:
    """Ids as trimmed strings, "" where one is missing.

    Integers become their digits; so do whole floats, because tables with gaps turn integers into
    floats on the way.

    Raises:
        InputError: a value that cannot be an id (a list, a fraction, a truth value), with its row.
    """
    if isinstance(values, pa.Array):
        array = _arrow_ids(values, numbers, where)
    else:
        try:
            array = pa.array(values, pa.string())
        except (pa.ArrowException, UnicodeEncodeError, TypeError):
            array = pa.array(
                [_id(v, n, where) for v, n in zip(values, numbers, strict=True)], pa.string()
            )
    return pc.utf8_trim_whitespace(pc.fill_null(array, ""))


def composed(text: str) -> str:
    """The one spelling of an id: Unicode's composed form (NFC).

    >>> composed("Jose\u0301") == "Jos\u00e9"
    True
    """
    return unicodedata.normalize("NFC", text)


def composed_ids(ids: pa.Array) -> pa.Array:
    """`composed` of each id; Arrow's `utf8_normalize` left some as they were until version 26."""
    other = pc.fill_null(pc.invert(pc.string_is_ascii(ids)), False)
    if not pc.any(other, min_count=0).as_py():
        return ids
    spelt = pa.array([composed(text) for text in ids.filter(other).to_pylist()], ids.type)
    return pc.replace_with_mask(ids, other, spelt)


def _id(value: Any, number: int, where: str) -> str | None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InputError("an id is not valid Unicode", where=f"{where}, row {number}") from None
        return value
    if value is None:
        return None
    if isinstance(value, float) and np.isnan(value):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        return str(int(value))
    raise InputError(
        f"{str(value)[:40]!r} is no id", where=f"{where}, row {number}", remedy="ids are strings"
    )


def _arrow_ids(values: pa.Array, numbers: IndexArray, where: str) -> pa.Array:
    kind = values.type
    if pa.types.is_floating(kind):
        return to_ids(values.to_pylist(), numbers, where)
    textual = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if textual or pa.types.is_integer(kind) or pa.types.is_null(kind):
        return values.cast(pa.string())
    raise InputError(f"ids of type {kind}", where=where, remedy="store ids as strings or integers")


def to_numbers(
    values: list[Any] | pa.Array, kind: type[np.floating[Any]] = np.float64
) -> npt.NDArray[np.float64]:
    """Numbers float64 (n,), NaN where a value is missing, not finite or too large for `kind`.

    >>> to_numbers(["4", " 3.5 ", "", "five", "inf"]).tolist()
    [4.0, 3.5, nan, nan, nan]
    """
    array = values if isinstance(values, pa.Array) else as_texts(values)
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        result = _float_array(array.cast(pa.float64(), safe=False))
    elif pa.types.is_decimal(array.type):
        result = _float_array(array.cast(pa.float64()))
    elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        result = _parsed(pc.utf8_trim_whitespace(array))
    else:
        result = np.full(len(array), np.nan)
    result[~(np.abs(result) <= np.finfo(kind).max)] = np.nan
    return result


def as_texts(values: list[Any]) -> pa.Array:
    """Texts as they are, numbers as Python writes them, anything else as ""."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeEncodeError, TypeError):
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value) if not isinstance(value, str) else value.encode(errors="replace").decode()


def _parsed(array: pa.Array) -> npt.NDArray[np.float64]:
    number = pc.fill_null(pc.match_substring_regex(array, _NUMBER), False)
    plain = pc.replace_substring_regex(array, r"^\+", "")
    return _float_array(pc.if_else(number, plain, "nan").cast(pa.float64()))


def _float_array(array: pa.Array) -> npt.NDArray[np.float64]:
    return np.array(pc.fill_null(array, float("nan")), dtype=np.float64)
