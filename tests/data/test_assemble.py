"""The back end keeps of the catalogue what can stay, and nothing else."""

import tracemalloc
from pathlib import Path

from writers import write_rows

from cliper.data import prepare_files
from cliper.data.ledger import Ledger
from cliper.data.readers.general import file_rows
from cliper.data.readers.items import read_items


def test_of_unwanted_items_the_id_alone_is_kept(tmp_path: Path) -> None:
    rows = [{"item_id": f"i{n}", "title": n, "image_url": f"http://x.org/{n}"} for n in range(600)]
    ledger = Ledger()
    source = file_rows(write_rows(tmp_path / "items.jsonl", rows), "items")
    found = read_items(source, ledger, {"i3", "i500"}.__contains__)
    assert found.ids == ["i3", "i500"]
    assert list(found.listed) == [f"i{n}" for n in range(600)]
    assert found.table.to_pydict() == {"title": ["3", "500"]}
    assert found.image_urls == [("http://x.org/3",), ("http://x.org/500",)]
    assert found.n_read == 600
    assert ledger.as_json()["changed"]["fields"] == {
        "title: a value that is no text written as text": 2
    }


def test_memory_grows_with_what_stays_and_not_with_the_catalogue(tmp_path: Path) -> None:
    log = [{"user_id": f"u{u}", "item_id": f"i{i}"} for u in range(6) for i in range(6)]
    write_rows(tmp_path / "log.csv", log)

    def peak(n_items: int) -> int:
        text = "word " * 1_000
        rows = [{"item_id": f"i{n}", "description": f"{n} {text}"} for n in range(n_items)]
        items = write_rows(tmp_path / "items.jsonl", rows)
        del rows
        tracemalloc.start()
        try:
            prepare_files(items, tmp_path / "log.csv", None, tmp_path / "out")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(1_000), peak(5_000)
    assert many - few < 4_000 * 1_000  # 4,000 more items of 5,000 letters each
