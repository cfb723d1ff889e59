"""Times of every spelling, against Python's own exact arithmetic."""

import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.data import Dataset, make_split, prepare_files, prepare_mmrec
from cliper.data.ledger import Ledger
from cliper.data.readers.times import PER_SECOND, one_unit, read_times
from cliper.errors import InputError

START = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
SECONDS = int(START.timestamp())


def unified(values: Any) -> tuple[list[int], str, dict[str, int]]:
    read, ledger = read_times(values), Ledger()
    assert read.known.all()
    whole, unit = one_unit(read, np.arange(1, len(read.whole) + 1), "log", ledger)
    return whole.tolist(), unit, ledger.as_json()["changed"].get("rows", {})


@pytest.mark.parametrize(
    ("values", "expected", "unit"),
    [
        (["881250949", "-3", "1997-12-04"], [881250949, -3, 881193600], "s"),
        (["1.5", "2", "-0.25"], [1500, 2000, -250], "ms"),
        (["1.0", "2.", "3e0", "+4"], [1, 2, 3, 4], "s"),
        (["0.000001"], [1], "us"),
        (["1709294400.123456789", "1709294401"], [1709294400123456789, 1709294401 * 10**9], "ns"),
        (["2024-03-01T12:00:00.25+01:00"], [SECONDS * 1000 - 3_600_000 + 250], "ms"),
        (["2024-03-01 12:00:00.123456789"], [SECONDS * 10**9 + 123456789], "ns"),
        ([1709294400123, 1709294400124], [1709294400123, 1709294400124], "ms"),
        (["1709294400123456"], [1709294400123456], "us"),
        (["1709294400123456789"], [1709294400123456789], "ns"),
        ([1709294400.123, 5], [1709294400123, 5000], "ms"),
        (pa.array([1709294400.123456, 1.0]), [1709294400123456, 1000000], "us"),
        (pa.array([0.1 + 0.2], pa.float64()), [300], "ms"),
        (pa.array([19783], pa.date32()), [19783 * 86400], "s"),
        (pa.array([-1], pa.timestamp("us")), [-1], "us"),
        (pa.array([-1_500_000_000], pa.timestamp("ns", "UTC")), [-1500], "ms"),
        (pa.array([Decimal("1.000000001")], pa.decimal128(20, 9)), [10**9 + 1], "ns"),
        (pa.array([2**40], pa.uint64()), [2**40], "ms"),
        ([], [], "s"),
    ],
)
def test_times_are_kept_to_the_last_digit(values: Any, expected: list[int], unit: str) -> None:
    assert unified(values) == (expected, unit, {})


def test_what_is_no_time_is_not_known() -> None:
    bad = ["", "soon", "nan", "inf", "1.2.3", ".", "12:30", "9" * 25, "1" + "0" * 5000]
    assert not read_times(bad).known.any()
    assert not read_times(pa.array([None, float("nan"), float("inf"), 1e300])).known.any()
    assert not read_times(pa.array([True, False])).known.any()
    assert not read_times(pa.array([2**64 - 1], pa.uint64())).known.any()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-(10**10), 10**11 - 1),
            st.integers(0, 10**9 - 1),
            st.sampled_from([0, 3, 6, 9]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_decimals_are_exact_and_the_unit_is_the_coarsest(rows: list[tuple[int, int, int]]) -> None:
    texts = [f"{whole}.{part:09d}"[: -(9 - digits) or None] for whole, part, digits in rows]
    exact = [Fraction(text.rstrip(".")) for text in texts]
    if max(map(abs, exact)) > 9 * 10**9:  # beyond the year 2262 in nanoseconds
        exact = [x for x in exact if abs(x) < 9 * 10**9]
        texts = [t for t in texts if abs(Fraction(t.rstrip("."))) < 9 * 10**9]
    if not texts:
        return
    found, unit, changed = unified(texts)
    assert [Fraction(value, PER_SECOND[unit]) for value in found] == exact
    finer = [u for u in PER_SECOND if all((x * PER_SECOND[u]).denominator == 1 for x in exact)]
    assert unit == finer[0]
    assert changed == {}


def test_units_that_change_within_a_column_are_made_one_and_counted() -> None:
    found, unit, changed = unified(["1709294400", "1709294401500", "0", "2024-03-01T12:00:00Z"])
    assert (found, unit) == ([1709294400000, 1709294401500, 0, 1709294400000], "ms")
    assert changed == {"a time in seconds made milliseconds": 1}
    found, unit, changed = unified([1709294400, 1709294400 * 10**6, 1709294400 * 1000])
    assert (set(found), unit) == ({1709294400 * 10**6}, "us")
    assert changed == {
        "a time in seconds made microseconds": 1,
        "a time in milliseconds made microseconds": 1,
    }


def test_a_range_that_no_unit_holds_is_refused_with_its_row() -> None:
    with pytest.raises(InputError, match=r"^log, row 2: the time 99999999999 is too far off"):
        unified(["1709294400.123456789", "99999999999"])


ROWS = [
    (f"u{u:02d}", f"k{9 - k}", START + dt.timedelta(days=u, milliseconds=100 * k))
    for u in range(12)
    for k in range(10)
]


def write_times(path: Path, kind: str) -> Path:
    moments = [moment for _, _, moment in ROWS]
    seconds = [Fraction(int(m.timestamp() * 1000 + 0.5), 1000) for m in moments]
    arrow = {"us": pa.timestamp("us"), "ns": pa.timestamp("ns", "UTC"), "ms": pa.timestamp("ms")}
    if kind.startswith("parquet"):
        _, unit = kind.split("-")
        times = pa.array(moments, pa.timestamp("us", "UTC"))
        column = (
            pa.array([float(s) for s in seconds])
            if unit == "float"
            else times.cast(arrow[unit], safe=True)
        )
        path = path / "log.parquet"
        users, items = [r[0] for r in ROWS], [r[1] for r in ROWS]
        pq.write_table(pa.table({"user_id": users, "item_id": items, "timestamp": column}), path)
        return path
    spelled: list[Any] = {
        "iso": [m.isoformat(timespec="milliseconds") for m in moments],
        "float": [f"{float(s):.3f}" for s in seconds],
        "milliseconds": [int(s * 1000) for s in seconds],
        "json": [float(s) for s in seconds],
    }[kind]
    if kind == "json":
        path = path / "log.jsonl"
        lines = [
            json.dumps({"user_id": u, "item_id": i, "timestamp": t})
            for (u, i, _), t in zip(ROWS, spelled, strict=True)
        ]
    else:
        path = path / "log.csv"
        lines = ["user_id,item_id,timestamp"]
        lines += [f"{u},{i},{t}" for (u, i, _), t in zip(ROWS, spelled, strict=True)]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    "kind",
    ["iso", "float", "milliseconds", "json", "parquet-us", "parquet-ns", "parquet-ms",
     "parquet-float"],
)  # fmt: skip
def test_the_last_of_ten_events_in_a_second_is_the_test(kind: str, tmp_path: Path) -> None:
    prepare_files(None, write_times(tmp_path, kind), None, tmp_path / "d", k_core=0)
    dataset = Dataset.load(tmp_path / "d")
    assert dataset.about["time_unit"] == "ms"
    assert dataset.about["equal_times"] == 0
    assert dataset.times_per_second == 1000
    split = make_split(dataset, "leave-one-out")
    assert set(dataset.items.ids(split.test.item_index)) == {"k0"}
    assert set(dataset.items.ids(split.valid.item_index)) == {"k1"}


def test_seconds_then_milliseconds_are_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rows = [
        f"u{u},k{9 - k},{(SECONDS + k) * (1 if k < 6 else 1000)}"
        for u in range(9)
        for k in range(10)
    ]
    log.write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    dataset = prepare_files(None, log, None, tmp_path / "d", k_core=0)
    assert dataset.about["changed"]["rows"] == {"a time in seconds made milliseconds": 54}
    split = make_split(dataset, "leave-one-out")
    assert set(dataset.items.ids(split.test.item_index)) == {"k0"}


def test_mmrec_keeps_fractions(tmp_path: Path) -> None:
    rows = [f"{u}\t{9 - k}\t{SECONDS}.{k}" for u in range(3) for k in range(10)]
    (tmp_path / "x.inter").write_text("\n".join(["userID\titemID\ttimestamp", *rows]))
    dataset = prepare_mmrec(tmp_path, tmp_path / "d")
    assert dataset.about["time_unit"] == "ms"
    split = make_split(dataset, "leave-one-out")
    assert set(dataset.items.ids(split.test.item_index)) == {"0"}


def test_a_dataset_from_before_units_were_said_still_loads(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,timestamp\n" + "".join(f"u,i{k},{k}\n" for k in range(5)))
    dataset = prepare_files(None, log, None, tmp_path / "d", k_core=0)
    about = json.loads((tmp_path / "d" / "dataset.json").read_text())
    del about["time_unit"], about["equal_times"]
    (tmp_path / "d" / "dataset.json").write_text(json.dumps(about))
    (tmp_path / "d" / "SHA256SUMS").unlink()
    again = Dataset.load(tmp_path / "d")
    assert again.hash == dataset.hash
    assert again.times_per_second == 1
    assert again.interactions.timestamp is not None
    assert again.interactions.timestamp.tolist() == [0, 1, 2, 3, 4]
