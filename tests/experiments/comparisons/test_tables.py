"""A comparison's table: against numbers worked out by hand, and read back."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker

from cliper.experiments.comparisons.caption import protocol_line
from cliper.experiments.comparisons.comparison import Comparison, Outcome
from cliper.experiments.comparisons.table import comparison_records, comparison_rows
from cliper.experiments.comparisons.variants import Variant
from cliper.experiments.comparisons.write import write_comparison
from cliper.experiments.drawing.latex import latex
from cliper.experiments.drawing.tables import csv_text, markdown
from cliper.experiments.run.finished import Run
from cliper.experiments.statistics.contrast import Contrast
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
    contrast = Contrast(ours, base, 0.1, 0.05, 0.15, 0.4, 0.0002, None)
    return Comparison(tuple(rows), {ours: base}, {ours: contrast}, "recall@20")


def test_cells(comparison: Comparison) -> None:
    table = comparison_rows(comparison)
    assert table.columns == (
        "backbone", "features", "fusion", "Recall@20", "NDCG@20", "lift Recall@20",
        "95 % interval", "p (users)", "p (seeds)",
    )  # fmt: skip
    # deviation of (20, 30) is 7.0711, of (10, 15) 3.5355
    assert table.rows[1] == ("vbpr", "vanilla", "-", "25.00 ± 7.07", "12.50 ± 3.54", *"----")
    assert table.rows[2][3:] == (
        "35.00 ± 7.07", "17.50 ± 3.54", "+40.0 %", "+5.00 to +15.00", "<0.001", "-",
    )  # fmt: skip
    assert table.best == ((2, 3), (2, 4))
    assert table.second == ((1, 3), (1, 4))


def test_ties_are_all_best(comparison: Comparison) -> None:
    same = tuple(comparison.outcomes[i] for i in (1, 1))
    table = comparison_rows(Comparison(same, {}, {}, "recall@20"))
    assert table.best == ((0, 3), (1, 3), (0, 4), (1, 4)) and table.second == ()


def test_protocol_says_how_the_numbers_came_about(comparison: Comparison) -> None:
    line = protocol_line(comparison)
    for part in ("split cold-item", "mask train,", "candidates cold", "2 seeds", "width 64",
                 "search budget 3 configurations"):  # fmt: skip
        assert part in line


def test_markdown_reads_back(comparison: Comparison) -> None:
    lines = markdown(comparison_rows(comparison)).splitlines()
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[:5]]
    assert {len(row) for row in cells} == {9}
    assert cells[4][3] == "**35.00 ± 7.07**" and cells[3][3] == "*25.00 ± 7.07*"
    assert lines[5] == ""


def test_csv_is_unrounded(comparison: Comparison, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(comparison_records(comparison)))))
    assert float(rows[2]["recall@20 mean"]) == (0.3 + 0.4) / 2
    assert float(rows[2]["recall@20 std"]) == pytest.approx(0.05 * 2**0.5, rel=1e-12)
    assert (rows[2]["lift"], rows[2]["p_users"], rows[2]["p_seeds"]) == ("0.4", "0.0002", "")
    assert (rows[2]["low"], rows[2]["high"], rows[2]["search_budget"]) == ("0.05", "0.15", "3")
    assert rows[1]["baseline"] == rows[1]["lift"] == ""
    written = write_comparison(comparison, tmp_path)
    assert [path.name for path in written] == ["compare.md", "compare.csv", "compare.tex"]
    assert written[1].read_text() == csv_text(comparison_records(comparison))


def test_what_is_not_equal_is_said(comparison: Comparison) -> None:
    """Widths, budgets, and settings that a variant has for itself."""
    equal = protocol_line(comparison)
    assert "NOT EQUAL" not in equal and "against vanilla features of the same backbone" in equal
    first, second, third = comparison.outcomes
    wide = tuple(run(0.5, s, "vbpr", 128) for s in (0, 1))
    own = Variant("vbpr", "cliper", "sum", settings={"backbone.embedding_size": 128})
    broken = replace(
        comparison,
        outcomes=(first, second, replace(third, variant=own, runs=wide, budget=9)),
    )
    line = protocol_line(broken)
    assert "NOT EQUAL: width 64 for vbpr-vanilla, 128 for vbpr-cliper-sum" in line
    assert (
        "NOT EQUAL: search budget 3 for popularity-none, vbpr-vanilla, 9 for vbpr-cliper-sum "
        "on validation alone" in line
    )
    assert "settings of their own: vbpr-cliper-sum backbone.embedding_size=128" in line
    unsearched = tuple(replace(o, budget=1) for o in comparison.outcomes)
    assert "nothing searched" in protocol_line(replace(comparison, outcomes=unsearched))


def test_latex_is_grammatical_and_says_the_same(comparison: Comparison) -> None:
    """Read by pylatexenc, which refuses unbalanced braces and environments."""
    text = latex(comparison_rows(comparison))
    nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    (table,) = [n for n in nodes if n.isNodeType(LatexEnvironmentNode)]
    assert table.environmentname == "table"
    (tabular,) = [
        n for n in table.nodelist
        if n.isNodeType(LatexEnvironmentNode) and n.environmentname == "tabular"
    ]  # fmt: skip
    body = "".join(n.latex_verbatim() for n in tabular.nodelist[1:])
    body = re.sub(r"\\(toprule|midrule|bottomrule|addlinespace)", "", body)
    lines = [line for line in body.split("\\\\") if line.strip()]
    plain = LatexNodes2Text(math_mode="text")
    cells = [[plain.latex_to_text(cell).strip() for cell in line.split(" & ")] for line in lines]
    shown = comparison_rows(comparison)
    assert cells[0] == list(shown.columns)
    assert [tuple(row) for row in cells[1:]] == list(shown.rows)
    assert r"\textbf{35.00 $\pm$ 7.07}" in text and r"\underline{25.00 $\pm$ 7.07}" in text
    assert text.count(r"\addlinespace") == 1  # between the two backbones
