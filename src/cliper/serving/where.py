"""Which items a filter on their fields lets through: `{"category": ["bags"], "price": {"lt": 50}}`.

A field's value, or one value of a list, must meet every condition on that field, and every field
named must be met. A plain value means equal, a list any of its values. Numbers are compared as
numbers: a text counts as one where all of it is one (`"49.90"`); what is no number meets no
condition on numbers. An item without the field meets `not_in` alone.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cliper.config import nearest
from cliper.data.readers.fields import written
from cliper.data.readers.values import to_numbers
from cliper.data.vocabulary import check_unicode
from cliper.errors import InputError
from cliper.types import BoolArray, FloatArray

_COMPARE: dict[str, Callable[[npt.NDArray[np.float64], float], BoolArray]] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_WORD = re.compile(r"\w+")
MAX_WORDS = 20
"""So many words of a search count."""
OPERATORS = (*_COMPARE, "in", "not_in")


class Fields:
    """The items' fields, ready to be asked; a field is indexed when it is first named.

    Args:
        table: Arrow table with a row per item, one column per field, string or list<string>.

    >>> fields = Fields(pa.table({"kind": ["bag", "shoe", None], "price": ["9", "50", "12.5"]}))
    >>> fields.mask({"kind": ["bag", "shoe"], "price": {"lt": 20}}).tolist()
    [True, False, False]
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._columns: dict[str, _Column] = {}

    @property
    def names(self) -> list[str]:
        """Names of the fields."""
        return list(self.table.column_names)

    def mask(self, where: Mapping[str, Any]) -> BoolArray:
        """Which of the N items meet all conditions, bool (N,).

        Raises:
            InputError: an unknown field or operator, or a value that cannot be compared.
        """
        if not isinstance(where, Mapping):
            raise InputError(
                f"a filter is a mapping of fields, got {type(where).__name__}", where="where"
            )
        met: BoolArray = np.ones(self.table.num_rows, dtype=np.bool_)
        for name, condition in where.items():
            met &= self._column(str(name)).mask(condition, f"where.{name}")
        return met

    def words(self, text: str) -> FloatArray:
        """Which share of a text's words each item's fields hold, float32 (N,)."""
        words = list(dict.fromkeys(_WORD.findall(text.lower())))[:MAX_WORDS]
        held = np.zeros(self.table.num_rows, np.float32)
        for word in words:
            found = pc.match_substring(self._texts, word)
            held += np.asarray(found.to_numpy(zero_copy_only=False), np.float32) / len(words)
        return held

    @cached_property
    def _texts(self) -> pa.Array:
        """All that is said of each item, in small letters."""
        if not self.names:
            return pa.array([""] * self.table.num_rows, pa.string())
        columns = []
        for name in self.names:
            column = self.table.column(name).combine_chunks()
            if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
                column = pc.binary_join(column, " ")
            columns.append(column.cast(pa.string()))
        columns.append("")  # Arrow leaves out the row of an item of which nothing else is said
        joined = pc.binary_join_element_wise(*columns, " ", null_handling="skip")
        return pc.utf8_lower(joined)

    def commonest(self, name: str, most: int) -> tuple[list[tuple[str, int]], bool]:
        """A field's commonest values with how many items have each; all of its are numbers."""
        column = self._column(name)
        counts = np.bincount(column.codes, minlength=len(column.values))
        order = np.argsort(-counts, kind="stable")[:most]
        values = column.values.take(pa.array(order)).to_pylist()
        numbers = len(column.values) > 0 and not bool(np.isnan(column.numbers).any())
        return list(zip(values, counts[order].tolist(), strict=True)), numbers

    def _column(self, name: str) -> "_Column":
        if name not in self.table.column_names:
            raise InputError(
                f"items have no field {name!r}", where="where", remedy=nearest(name, self.names)
            )
        if name not in self._columns:
            self._columns[name] = _Column(self.table.column(name).combine_chunks())
        return self._columns[name]


class _Column:
    """One field: its distinct values, and which item has which."""

    def __init__(self, column: pa.Array) -> None:
        self.n = len(column)
        rows = pa.array(np.arange(self.n))
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            rows, column = pc.list_parent_indices(column), pc.list_flatten(column)
        there = column.is_valid()
        coded = column.filter(there).dictionary_encode()
        self.values: pa.Array = coded.dictionary.cast(pa.string())
        self.codes = np.asarray(coded.indices, dtype=np.intp)
        self.rows = np.asarray(rows.filter(there), dtype=np.int64)
        self.one_each = np.array_equal(self.rows, np.arange(self.n))  # as most fields are

    @cached_property
    def numbers(self) -> npt.NDArray[np.float64]:
        """The distinct values as float64, NaN where a text is no number."""
        return to_numbers(self.values)

    def mask(self, condition: Any, where: str) -> BoolArray:
        """Which items (N,) meet one field's condition."""
        if not isinstance(condition, Mapping):
            return self._having(self._among(condition, where))
        if not condition:
            raise InputError("no condition", where=where, remedy=f"one of {', '.join(OPERATORS)}")
        met: BoolArray = np.ones(len(self.values), dtype=np.bool_)
        allowed: BoolArray = np.ones(self.n, dtype=np.bool_)
        for operator, value in condition.items():
            if operator in _COMPARE:
                number = _number(value, f"{where}.{operator}")
                met &= _COMPARE[operator](self.numbers, number)
            elif operator == "in":
                met &= self._among(value, f"{where}.in")
            elif operator == "not_in":
                allowed &= ~self._having(self._among(value, f"{where}.not_in"))
            else:
                remedy = nearest(str(operator), list(OPERATORS))
                raise InputError(f"unknown operator {operator!r}", where=where, remedy=remedy)
        return allowed if set(condition) == {"not_in"} else allowed & self._having(met)

    def _among(self, wanted: Any, where: str) -> BoolArray:
        """Which of the distinct values are one of `wanted`."""
        several = isinstance(wanted, Iterable) and not isinstance(wanted, str | bytes | Mapping)
        values = list(wanted) if several else [wanted]
        values = [written(value) if isinstance(value, bool) else value for value in values]
        texts = [value for value in values if isinstance(value, str)]
        for text in texts:
            check_unicode(text, where)
        numbers = [_number(value, where) for value in values if not isinstance(value, str)]
        among: BoolArray = np.asarray(pc.is_in(self.values, pa.array(texts, pa.string())))
        return among | np.isin(self.numbers, numbers) if numbers else among

    def _having(self, met: BoolArray) -> BoolArray:
        """Which items have one of the values that `met` marks."""
        if self.one_each:
            return met.take(self.codes)
        having: BoolArray = np.zeros(self.n, dtype=np.bool_)
        having[self.rows[met[self.codes]]] = True
        return having


def _number(value: Any, where: str) -> float:
    if isinstance(value, str):
        raise InputError(f"not a number: {value!r}", where=where, remedy="write it without quotes")
    if isinstance(value, bool) or not isinstance(value, Real):
        kind = type(value).__name__
        raise InputError(f"cannot compare with a {kind}", where=where, remedy="a text or a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.nan
    if math.isnan(number):
        raise InputError("not a number that a field can have", where=where)
    return number
