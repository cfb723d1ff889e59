"""A comparison's table: against numbers worked out by hand, and read back."""

import csv
import io
import re
from pathlib import Path

import pytest

from cliper.experiments.comparison import Comparison, Outcome
from cliper.experiments.run import Run
from cliper.experiments.significance import PairedTest
from cliper.experiments.tables import (
    comparison_rows,
    csv_text,
    markdown,
    protocol_line,
    write_comparison,
)
from cliper.experiments.variants import Variant
from cliper.runs import DatasetFacts, FeatureFacts, Protocol, Results, Seconds


def run(value: float, seed: int, backbone: str, width: int | None) -> Run:
    results = Results(
        schema=1, cliper_version="0", created="", backbone=backbone,
        dataset=DatasetFacts(name="shop|1", hash="", users=1, items=1, train=1, valid=1, test=1),
        protocol=Protocol(
            split="cold-item", mask="train", k=[10, 20], seed=seed, candidates="cold"
        ),
        features=FeatureFacts(kind="none"),
        config={
            "backbone": {"name": backbone} | ({"embedding_size": width} if width else {}),
            "training": {"seed": seed},
        },
        epochs_run=1, best_epoch=1, seconds=Seconds(), peak_memory_mb=1.0,
        valid={}, test={"recall@20": value, "ndcg@20": value / 2},
    )  # fmt: skip
    return Run(Path(), results)


@pytest.fixture
def comparison() -> Comparison:
    rows = [
        Outcome(Variant("popularity", "none"), (run(0.1, 0, "popularity", None),) * 2, {}, 3),
        Outcome(
            Variant("vbpr", "vanilla"), (run(0.2, 0, "vbpr", 64), run(0.3, 1, "vbpr", 64)), {}, 3
        ),
        Outcome(
            Variant("vbpr", "cliper", "sum"),
            (run(0.3, 0, "vbpr", 64), run(0.4, 1, "vbpr", 64)),
            {},
            3,
        ),
    ]
    ours, base = "vbpr-cliper-sum", "vbpr-vanilla"
    test = PairedTest(0.1, 0.4, 0.0001, None)
    return Comparison(
        tuple(rows), {ours: base}, {ours: test}, {ours: 0.0002}, {ours: None}, "recall@20"
    )


def test_cells(comparison: Comparison) -> None:
    table = comparison_rows(comparison)
    assert table.columns == (
        "backbone", "features", "fusion", "Recall@20", "NDCG@20", "lift Recall@20", "p (users)",
        "p (seeds)",
    )  # fmt: skip
    # deviation of (20, 30) is 7.0711, of (10, 15) 3.5355
    assert table.rows[1] == ("vbpr", "vanilla", "-", "25.00 ± 7.07", "12.50 ± 3.54", *"---")
    assert table.rows[2][3:] == ("35.00 ± 7.07", "17.50 ± 3.54", "+40.0 %", "<0.001", "-")
    assert table.best == ((2, 3), (2, 4))


def test_ties_are_all_best(comparison: Comparison) -> None:
    same = tuple(comparison.outcomes[i] for i in (1, 1))
    table = comparison_rows(Comparison(same, {}, {}, {}, {}, "recall@20"))
    assert table.best == ((0, 3), (1, 3), (0, 4), (1, 4))


def test_protocol_says_how_the_numbers_came_about(comparison: Comparison) -> None:
    line = protocol_line(comparison)
    for part in ("split cold-item", "mask train,", "candidates cold", "2 seeds", "width 64",
                 "search budget 3 configurations"):  # fmt: skip
        assert part in line


def test_markdown_reads_back(comparison: Comparison) -> None:
    lines = markdown(comparison_rows(comparison)).splitlines()
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[:5]]
    assert {len(row) for row in cells} == {8}
    assert cells[4][3] == "**35.00 ± 7.07**"
    assert lines[5] == ""


def test_csv_is_unrounded(comparison: Comparison, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(comparison))))
    assert float(rows[2]["recall@20 mean"]) == (0.3 + 0.4) / 2
    assert float(rows[2]["recall@20 std"]) == pytest.approx(0.05 * 2**0.5, rel=1e-12)
    assert (rows[2]["lift"], rows[2]["p_users"], rows[2]["p_seeds"]) == ("0.4", "0.0002", "")
    assert rows[1]["baseline"] == rows[1]["lift"] == ""
    written = write_comparison(comparison, tmp_path)
    assert written[1].read_text() == csv_text(comparison)
