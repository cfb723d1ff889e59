"""`cliper search`, end to end on the small shop."""

import csv
import json

import pyarrow.parquet as pq
import yaml


def test_search_and_run_its_best(cliper, dataset, tmp_path):
    out = tmp_path / "search"
    command = [
        "search", dataset, "--backbone", "bpr", "--epochs", 3, "--trials", 4,
        "--space", "training.learning_rate=1e-3..1e-1:log",
        "--space", "backbone.embedding_size=4,8", "--out", out,
    ]  # fmt: skip
    answer = cliper(*command, "--json")
    assert answer.status == 0, answer.err
    said = answer.json
    assert said["search_budget"]["configurations"] == 4 == len(said["trials"])
    best = max(said["trials"], key=lambda t: t["valid_recall@20"])
    assert said["best"]["number"] == best["number"]
    with (out / "trials.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(r["valid_recall@20"]) for r in rows] == [
        t["valid_recall@20"] for t in said["trials"]
    ]
    assert pq.read_table(out / "trials.parquet").to_pylist()[0]["number"] == 0
    assert "<svg" in (out / "history.svg").read_text()
    assert yaml.safe_load((out / "best.yaml").read_text())["training"]["max_epochs"] == 3
    again = cliper(*command)
    assert again.status == 0 and "search budget 4 configurations" in again.out
    assert json.loads((out / "search.json").read_text())["best"] == said["best"]
    run = cliper("run", out / "best.yaml", "--out", tmp_path / "run", "--json")
    assert run.status == 0, run.err
    assert run.json["test"] == said["runs"][0]["test"]


def test_what_is_set_cannot_be_searched(cliper, dataset, tmp_path):
    answer = cliper(
        "search", dataset, "--backbone", "bpr", "--set", "training.learning_rate=0.1",
        "--space", "training.learning_rate=0.1,0.2", "--out", tmp_path / "s",
    )  # fmt: skip
    assert answer.status == 2
    assert "training.learning_rate: is set and searched at once" in answer.err


def test_a_search_can_be_extended_whoever_wins_then(cliper, dataset, tmp_path):
    winners = []
    for trials in (1, 2, 4, 8):
        answer = cliper(
            "search", dataset, "--backbone", "bpr", "--epochs", 2, "--trials", trials,
            "--space", "training.learning_rate=1e-4..1e-1:log", "--out", tmp_path / "s", "--json",
        )  # fmt: skip
        assert answer.status == 0, answer.err
        best = answer.json["best"]
        config = yaml.safe_load((tmp_path / "s" / "best" / "config.yaml").read_text())
        expected = best["params"]["training.learning_rate"]
        assert config["training"]["learning_rate"] == expected
        winners.append(best["number"])
    assert len(set(winners)) > 1, "the winner never changed: the test says nothing"
