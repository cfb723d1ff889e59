"""`cliper study`: one JSON object, files in --out, and one line for what is wrong."""

import json
from pathlib import Path

import pytest

from cliper.cli.study import KINDS
from cliper.experiments.studies import STUDIES

QUICK = ("--seeds", 1, "--epochs", 1, "--views", "title,brand", "--set",
         "backbone.trainable_features=false")  # fmt: skip


def test_the_kinds_are_the_studies() -> None:
    assert set(KINDS) == set(STUDIES)


def test_json_is_one_object_and_files_are_there(cliper, dataset: Path, tmp_path: Path) -> None:
    answer = cliper("study", "fusion", dataset, *QUICK, "--out", tmp_path, "--json")
    assert answer.status == 0, answer.err
    assert answer.json["study"] == "fusion"
    arms = [row["arm"] for row in answer.json["arms"]]
    assert arms[:4] == ["SA", "MLP", "SUM", "Concat"] and arms[-1] == "vanilla"
    assert set(arms[4:-1]) == {"uniform weights", "random weights", "learned weights"}
    for suffix in ("md", "csv", "tex", "json", "svg"):
        assert (tmp_path / f"fusion.{suffix}").is_file()
    saved = json.loads((tmp_path / "fusion.json").read_text())
    assert saved == {k: v for k, v in answer.json.items() if k != "out"}


def test_a_table_with_findings_for_people(cliper, dataset: Path, tmp_path: Path) -> None:
    answer = cliper("study", "temperature", dataset, *QUICK, "--values", "0.1,inf",
                    "--out", tmp_path)  # fmt: skip
    assert answer.status == 0, answer.err
    assert "τ = ∞" in answer.out and "- As the paper has it" in answer.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("viws",), "'views'"),
        (("fusion", "--values", "sum"), "takes no values"),
        (("temperature", "--temperature", "0.2"), "fusion.temperature"),
        (("views", "--backbone", "bpr"), "uses no features"),
        (("views", "--metric", "recall@7"), "--metric"),
        (("views", "--set", "backbone.neighbors=3"), "neighbours"),
        (("threshold", "--fusion", "sum"), "--fusion"),
        (("temperature", "--values", "warm"), "warm"),
    ],
)
def test_what_is_wrong_is_one_line(
    cliper, dataset: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    kind, *rest = arguments
    answer = cliper("study", kind, dataset, *rest, "--out", tmp_path / "out")
    assert answer.status == 2
    assert answer.err.strip().count("\n") == 0 and message in answer.err
    assert not (tmp_path / "out").exists()
