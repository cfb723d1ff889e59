"""Damage to a file: bits, bytes, lines, and values inside of JSON, Parquet, `.npy` and tensors.

What is drawn depends on the generator alone, so that a case can be had again by its number.
"""

import io
import json
import re
import struct
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MOST = 2**18
"""Bytes of a case."""

TOKENS: tuple[bytes, ...] = (
    b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\r", b"\r\n", b"\n\n", b"\x1b[2J",
    b'"', b'""', b"'", b",", b";", b"\t", b"|", b"::", b"\\", b"/", b":", b"=", b"%", b"%00", b"&",
    b"{", b"}", b"[", b"]", b"()", b"<", b"<!--", b"&#x110000;", b"&#xd800;", b"&#99999999999;",
    b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"0.1", b"-1", b"9" * 400, b"1" * 5000,
    b"2147483648", b"9223372036854775808", b"18446744073709551616", b"1e308", b"1e-400", b"0x1f",
    b"\\ud800", b"\\u0000", b"\xed\xa0\x80", b"\xc3", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80",
    b"../../etc/passwd", b"/dev/zero", b"file:///etc/passwd", b"http://127.0.0.1/", b"CON", b"*",
    b"!!int ''", b"!!float ''", b"!!bool x", b"!!timestamp x", b"!!binary x", b"!!set {a}",
    b"!!omap [a]", b"!!pairs [1]", b"!!python/object/apply:os.system [id]", b"&a [*a]", b"*a",
    b"<<: *a\n", b"<<: 1\n", b"? ", b"- ", b"---\n", b"...\n", b"%YAML 9.9\n", b"!<tag>",
    b"0000-00-00", b"9999-12-31T23:59:59.9999999+23:59", b"0001-01-01T00:00:00-23:59", b"1e18",
    b"-9223372036854775808", b"..", b"1..2:log", b"a=b=c", b"PAR1", b"\x1f\x8b", b"PK\x03\x04",
    b"\x93NUMPY", b"ARROW1", b"nan", b"None", b"\xc2\xa0", b"embedded:x", b"e\xcc\x81",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**40, 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", " ", "x", "\x00", "\ud800", "1", "nan", "../x", "/dev/zero", "\u202e", [], {},
    [[]], [None], {"": None}, [1, "a"], "a" * 3000, "\n",
)  # fmt: skip

_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
Way = Callable[[bytes, Random], bytes]


def mutated(data: bytes, random: Random) -> bytes:
    """The bytes with one to eight pieces of damage."""
    before = data
    for _ in range(random.choice((1, 1, 1, 1, 2, 2, 3, 5, 8))):
        inside = _INSIDE if random.random() < 0.4 else ()
        for way in inside:
            changed = way(data, random)
            if changed != data:
                data = changed
                break
        else:
            data = random.choice(_WAYS)(data, random)
        data = data[:MOST]
    return data if data != before else _cut(data, random)


def _at(data: bytes, random: Random) -> int:
    return random.randrange(len(data) + 1)


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start = _at(data, random)
    return start, min(len(data), start + random.choice((1, 1, 2, 4, 8, 30, 200)))


def _flip(data: bytes, random: Random) -> bytes:
    if not data:
        return b"\x00"
    place, changed = random.randrange(len(data)), bytearray(data)
    changed[place] ^= 1 << random.randrange(8)
    return bytes(changed)


def _byte(data: bytes, random: Random) -> bytes:
    if not data:
        return b"\xff"
    place, changed = random.randrange(len(data)), bytearray(data)
    changed[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return bytes(changed)


def _insert(data: bytes, random: Random) -> bytes:
    place = _at(data, random)
    return data[:place] + random.choice(TOKENS) + data[place:]


def _replace(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + random.choice(TOKENS) + data[end:]


def _delete(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[end:]


def _copy(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    place = _at(data, random)
    return data[:place] + data[start:end] * random.choice((1, 1, 2, 50)) + data[place:]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))] if data else b"x"


def _lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    place, other = random.randrange(len(lines)), random.randrange(len(lines))
    way = random.randrange(4)
    if way == 0:
        del lines[place]
    elif way == 1:
        lines.insert(other, lines[place])
    elif way == 2:
        lines[place], lines[other] = lines[other], lines[place]
    elif place + 1 < len(lines):
        lines[place] += lines.pop(place + 1)
    return b"\n".join(lines)


def _number(data: bytes, random: Random) -> bytes:
    found = list(_NUMBER.finditer(data[:20_000]))
    if not found:
        return _insert(data, random)
    one = random.choice(found)
    new = random.choice((b"", b"-1", b"0", b"9" * 30, b"1e999", b"NaN", b"2147483648", b"1.5",
                         b"9223372036854775807", b"18446744073709551615", b"x"))  # fmt: skip
    return data[: one.start()] + new + data[one.end() :]


def _deep(data: bytes, random: Random) -> bytes:
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"(", b")"), (b"- ", b"")))
    depth = random.choice((20, 500, 2_000, 30_000))
    middle = opening * depth + (b"1" + closing * depth if random.random() < 0.5 else b"")
    place = _at(data, random)
    return data[:place] + middle + data[place:]


def _long(data: bytes, random: Random) -> bytes:
    place = _at(data, random)
    return data[:place] + random.choice(TOKENS) * random.choice((100, 2_000)) + data[place:]


def _word(data: bytes, random: Random) -> bytes:
    """Four or eight bytes as a count, where a binary file may have one."""
    width, kind = random.choice(((4, "<I"), (8, "<Q"), (4, ">I"), (2, "<H")))
    if len(data) < width:
        return _byte(data, random)
    place = random.randrange(len(data) - width + 1)
    most = 2 ** (8 * width) - 1
    value = random.choice((0, 1, most, most >> 1, (most >> 1) + 1, len(data), 1 << 20))
    return data[:place] + struct.pack(kind, min(value, most)) + data[place + width :]


_WAYS: tuple[Way, ...] = (
    _flip, _flip, _byte, _insert, _insert, _replace, _replace, _delete, _delete, _copy, _cut,
    _lines, _lines, _number, _number, _deep, _long, _word,
)  # fmt: skip


def changed_tree(tree: Any, random: Random) -> Any:
    """JSON's values with one of them replaced, left out, renamed or given twice as a list."""
    path: list[Any] = []
    node = tree
    while isinstance(node, dict | list) and node and (not path or random.random() < 0.75):
        key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
        path.append((node, key))
        node = node[key]
    if not path:
        return random.choice(VALUES)
    parent, key = path[-1]
    way = random.randrange(6)
    if way == 0:
        del parent[key]
    elif way == 1 and isinstance(parent, dict):
        parent[random.choice(("", "x", str(key) + " ", str(key).upper()))] = parent.pop(key)
    elif way == 2:
        parent[key] = [node, node]
    else:
        parent[key] = random.choice(VALUES)
    return tree


def _json(data: bytes, random: Random) -> bytes:
    if data[:1] not in (b"{", b"["):
        return data
    lines = data.split(b"\n")
    try:
        return _dumped(changed_tree(json.loads(data), random))
    except (ValueError, RecursionError):
        pass
    place = random.randrange(len(lines))
    try:
        lines[place] = _dumped(changed_tree(json.loads(lines[place]), random))
    except (ValueError, RecursionError):
        return data
    return b"\n".join(lines)


def _dumped(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def _parquet(data: bytes, random: Random) -> bytes:
    if data[:4] != b"PAR1":
        return data
    try:
        table = pq.read_table(io.BytesIO(data))
        stream = io.BytesIO()
        pq.write_table(_changed_table(table, random), stream)
    except Exception:  # it is damaged already
        return data
    return stream.getvalue()


_COLUMNS: tuple[pa.Array, ...] = (
    pa.array([None], pa.string()), pa.array([""]), pa.array(["i1"]), pa.array(["\x00"]),
    pa.array([2**63 - 1]), pa.array([-1]), pa.array([2**64 - 1], pa.uint64()), pa.array([1.5]),
    pa.array([float("nan")]), pa.array([float("inf")]), pa.array([None], pa.int64()),
    pa.array([True]), pa.array([b"\xff\xfe"]), pa.array([["a"]]),
    pa.array([[None]], pa.list_(pa.string())),
    pa.array([{"bytes": b"x"}]), pa.array([None], pa.null()), pa.array(["a"]).dictionary_encode(),
    pa.array([10**18], pa.timestamp("ns")), pa.array([-(10**6)], pa.date32()),
    pa.array(["1.50"]).cast(pa.decimal128(38, 2)), pa.array(["x"], pa.large_string()),
)  # fmt: skip


def _changed_table(table: pa.Table, random: Random) -> pa.Table:
    way = random.randrange(6)
    if way == 0 or not table.num_columns:
        return table.slice(0, random.choice((0, 1, 2)))
    at = random.randrange(table.num_columns)
    name = table.column_names[at]
    if way == 1:
        return table.remove_column(at)
    if way == 2:
        names = list(table.column_names)
        names[at] = random.choice(("", "x", names[0], name.upper(), "a\nb"))
        return table.rename_columns(names)
    if way == 3:
        return pa.concat_tables([table, table.slice(0, 3)])
    one = random.choice(_COLUMNS)
    if way == 4:  # one value among the others, where the types allow it
        column = table.column(at).combine_chunks()
        place = random.randrange(len(column) + 1)
        parts = [column.slice(0, place), one.cast(column.type), column.slice(place + 1)]
        return table.set_column(at, name, pa.concat_arrays(parts).slice(0, len(column)))
    whole = pa.concat_arrays([one] * table.num_rows) if table.num_rows else one.slice(0, 0)
    return table.set_column(at, name, whole)


def _npy(data: bytes, random: Random) -> bytes:
    if data[:6] != b"\x93NUMPY":
        return data
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
        with np.errstate(all="ignore"):
            array = _changed_array(array, random)
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
    except Exception:  # NumPy raises many things
        return data
    return stream.getvalue()


def _changed_array(array: np.ndarray[Any, Any], random: Random) -> np.ndarray[Any, Any]:
    way = random.randrange(4)
    if way == 0:
        kinds = ("f2", "f8", "i1", "u8", "?", "c8", "U3", "S3", "M8[s]", "V4")
        return array.astype(random.choice(kinds))
    if way == 1:
        return array.reshape(random.choice(((-1,), (1, *array.shape), (*array.shape, 1), (0,))))
    if way == 2:
        return array[: random.choice((0, 1, 2))]
    if array.dtype.kind == "f" and array.size:
        array = array.copy()
        array.flat[random.randrange(array.size)] = random.choice((np.nan, np.inf, 1e38))
    return array


def _safetensors(data: bytes, random: Random) -> bytes:
    """The header's values; its length is brought into step."""
    if len(data) < 9 or data[8:9] != b"{":
        return data
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        facts = header.get("__metadata__", {}).get("facts")
        if facts is not None and random.random() < 0.7:
            header["__metadata__"]["facts"] = json.dumps(changed_tree(json.loads(facts), random))
        else:
            header = changed_tree(header, random)
        text = _dumped(header)
    except (ValueError, RecursionError, AttributeError, TypeError):
        return data
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


_INSIDE: tuple[Way, ...] = (_json, _parquet, _npy, _safetensors)
