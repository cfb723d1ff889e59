"""The demo on a shop of a few dozen items: everything happens, and happens once."""

from pathlib import Path

import pytest

from cliper.demo import run


def test_demo_writes_tables_and_a_report_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SEEDS", (0,))
    monkeypatch.setattr(run, "SETTINGS", {**run.SETTINGS, "training": {"max_epochs": 2}})
    result = run.run_demo(tmp_path, items=72, users=90)
    for fusion in ("learned", "attention"):
        assert result.table.count(f"| freedom | cliper | {fusion} |") == 2
    page = result.report.read_text("utf-8")
    assert page.count("data:image/") > 20
    for words in (
        "Six people",
        "Six items",
        "never bought",
        "cliper demo --out",
        "learned weights",
    ):
        assert words in page
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("results.json")}
    assert len(stamps) == 8
    again = run.run_demo(tmp_path, items=72, users=90)
    assert again.table == result.table
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("results.json")} == stamps
