"""Every study on a tiny shop: its numbers are those of its run directories, worked out by hand."""

import csv
import json
import xml.etree.ElementTree as ET
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pyarrow.parquet as pq
import pytest
from given_shop import make_given
from noisy_views import BASE, NAMES, VIEWS
from scipy import stats

from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.studies import Setting, StudyResult, find_study, run_study
from cliper.experiments.studies.write import study_json, study_markdown

METRIC = "recall@20"


def arms(result: StudyResult) -> dict[str, dict]:
    return {row["arm"]: row for row in study_json(result)["arms"]}


def run_results(out: Path, row: dict, seed: int) -> dict:
    return json.loads((out / "runs" / row["seeds"][str(seed)]["run"] / "results.json").read_text())


def user_means(out: Path, row: dict) -> dict[int, float]:
    values = defaultdict(list)
    for seed in row["seeds"].values():
        table = pq.read_table(out / "runs" / seed["run"] / "test_per_user.parquet").to_pylist()
        for line in table:
            values[line["user_index"]].append(line[METRIC])
    return {user: mean(v) for user, v in values.items()}


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_those_of_the_run_directories(studies, out: Path, name: str) -> None:
    result = studies[name]
    rows = arms(result)
    for row in rows.values():
        runs = [run_results(out, row, seed) for seed in (0, 1)]
        for metric in ("recall@10", METRIC, "ndcg@50"):
            values = [run["test"][metric] for run in runs]
            assert row["mean"][metric] == pytest.approx(mean(values), abs=1e-12)
            assert row["std"][metric] == pytest.approx(stdev(values), abs=1e-12)
        assert [run["config"]["training"]["seed"] for run in runs] == [0, 1]
        for key, value in row["settings"].items():
            node = runs[0]["config"]
            for part in key.split("."):
                node = node[part]
            assert node == value
        if row["against"] is None:
            assert row["difference"] is None
            continue
        other = rows[row["against"]]
        assert row["difference"] == pytest.approx(row["mean"][METRIC] - other["mean"][METRIC])
        assert row["low"] <= row["difference"] + 1e-12 and row["difference"] - 1e-12 <= row["high"]
        if other["mean"][METRIC]:
            assert row["lift"] == pytest.approx(row["difference"] / other["mean"][METRIC])


@pytest.mark.parametrize("name", ["views", "coldness"])
def test_p_values_are_holms_of_paired_tests(studies, out: Path, name: str) -> None:
    rows = arms(studies[name])
    pairs = [(row, rows[row["against"]]) for row in rows.values() if row["against"]]
    raw = []
    for row, other in pairs:
        ours, theirs = user_means(out, row), user_means(out, other)
        users = sorted(ours.keys() & theirs.keys())
        differences = [ours[u] - theirs[u] for u in users]
        if np.ptp(differences) < 1e-9:
            assert row["p_users"] is None
        else:
            raw.append(stats.ttest_1samp(differences, 0).pvalue)
    pairs = [pair for pair in pairs if pair[0]["p_users"] is not None]
    order, highest = np.argsort(raw), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1, raw[place] * (len(raw) - rank)))
        assert pairs[place][0]["p_users"] == pytest.approx(highest, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_whole(studies, out: Path, name: str) -> None:
    result = studies[name]
    saved = json.loads((out / f"{name}.json").read_text(), parse_constant=pytest.fail)
    assert saved == json.loads(json.dumps(study_json(result)))
    with (out / f"{name}.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["arm"] for line in lines] == [row["arm"] for row in saved["arms"]]
    for line, row in zip(lines, saved["arms"], strict=True):
        assert float(line[f"{METRIC} mean"]) == row["mean"][METRIC]
        assert line["difference"] == ("" if row["difference"] is None else str(row["difference"]))
    page = (out / f"{name}.md").read_text()
    assert page == study_markdown(result)
    assert all(f["text"] in page for f in saved["findings"])
    assert saved["findings"]
    for figure in saved["figures"]:
        svg = (out / figure).read_text()
        assert ET.fromstring(svg).tag.endswith("svg")
        assert "prefers-color-scheme" in svg
        assert figure in page


def test_studies_share_their_runs_and_a_second_call_trains_nothing(studies, out: Path) -> None:
    for name in NAMES:
        studies[name]
    before = {p: p.stat().st_mtime_ns for p in (out / "runs").rglob("results.json")}
    for name in NAMES:
        again = studies.again(name)
        assert study_json(again) == study_json(studies[name])
    assert {p: p.stat().st_mtime_ns for p in (out / "runs").rglob("results.json")} == before
    same = {
        arms(studies[name])[label]["seeds"]["0"]["run"]
        for name, label in (
            ("views", "all views"), ("fusion", "SA"), ("temperature", "τ = 0.1"),
            ("importance", "all views"), ("modalities", "image and text"), ("threshold", "none"),
            ("embedding-size", "CLIPER, d = 64"),
            ("coldness", "CLIPER, cold items"),
        )
    }  # fmt: skip
    assert len(same) == 1


def test_the_limits_of_temperature_and_threshold_meet(studies) -> None:
    temperature, threshold = arms(studies["temperature"]), arms(studies["threshold"])
    best, sharpest = threshold["best view alone"], temperature["τ = 0"]
    nothing, lowest = threshold["none"], threshold["≥ -1"]
    for seed in ("0", "1"):
        for one, other in ((best, sharpest), (nothing, lowest)):
            metrics = [
                {k: v for k, v in r["seeds"][seed].items() if k != "run"} for r in (one, other)
            ]
            assert metrics[0] == metrics[1]
    kept = {label: row["views kept"] for label, row in threshold.items()}
    assert kept["none"] == kept["≥ -1"] == 1
    assert kept["≥ -1"] > kept["≥ 0.2"] >= kept["best view alone"]


def test_other_weights_stand_beside_the_papers(studies, out: Path) -> None:
    fusion, temperature = arms(studies["fusion"]), arms(studies["temperature"])
    for label, kind in (("learned weights", "learned"), ("random weights", "random")):
        facts = run_results(out, fusion[label], 0)["features"]
        assert facts["fusion"] == kind
        assert set(facts["weights"]) == ({*VIEWS, "image"} if kind == "learned" else set())
        assert fusion[label]["seeds"]["0"]["run"] == temperature[label]["seeds"]["0"]["run"]
    same = fusion["uniform weights"], temperature["τ = ∞"]
    assert same[0]["seeds"]["1"]["run"] == same[1]["seeds"]["1"]["run"]


def test_views_left_out_are_left_out(studies, out: Path) -> None:
    rows = arms(studies["views"])
    views = list(VIEWS)
    for view in views:
        without = run_results(out, rows[f"without {view}"], 0)
        assert without["features"]["views"] == [v for v in views if v != view]
        assert run_results(out, rows[f"only {view}"], 0)["features"]["views"] == [view]


def test_the_claim_of_an_order_is_the_share_of_draws(studies) -> None:
    result = studies["fusion"]
    finding = result.findings[0]
    samples = result.measured.samples
    claim = ["SA", "MLP", "SUM", "Concat"]
    count = 0
    for draw in samples.draws:
        values = [draw[samples.labels.index(label)] for label in claim]
        count += sorted(values, reverse=True) == values and len(set(values)) == 4
    share = count / len(samples.draws)
    assert finding.numbers["probability"] == share
    means = {label: row["mean"][METRIC] for label, row in arms(result).items()}
    assert finding.numbers["observed"] == sorted(claim, key=lambda label: -means[label])
    decided = "holds" if share >= 0.95 else "does not hold" if share <= 0.05 else "open"
    values = [result.measured.outcomes[label].values(METRIC) for label in claim]
    tests = [stats.ttest_rel(a, b) for a, b in pairwise(values)]
    seeds = {
        "holds": all(t.statistic > 0 and t.pvalue < 0.05 for t in tests),
        "does not hold": min(t.pvalue for t in tests if t.statistic < 0) * 3 < 0.05,
        "open": True,
    }
    assert finding.holds == (decided if seeds[decided] else "open")
    assert seeds[decided] == ("the test over seeds does not show it" not in finding.text)


def test_datasets_without_views_or_pictures(world: Dataset, tmp_path: Path) -> None:
    plain = Setting.make(make_given(tmp_path, views=False), BASE, seeds=(0,))
    with pytest.raises(InputError, match="0 views to study"):
        run_study("fusion", plain, tmp_path / "out")
    with pytest.raises(InputError, match="brings its own features"):
        run_study("encoders", Setting.make(world, BASE), tmp_path / "out")


def test_another_metric_and_backbone(world: Dataset, tmp_path: Path) -> None:
    base = {"training": {"max_epochs": 1}, "split": {"kind": "random"}}
    setting = Setting.make(world, base, seeds=(0,), metric="ndcg@10", backbone="vbpr")
    result = run_study("modalities", setting, tmp_path)
    row = arms(result)["text alone"]
    expected = run_results(tmp_path, row, 0)["test"]["ndcg@10"]
    both = run_results(tmp_path, arms(result)["image and text"], 0)["test"]["ndcg@10"]
    assert row["difference"] == pytest.approx(expected - both)
    assert row["p_seeds"] is None
    assert "NDCG@10" in study_markdown(result)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("fusion", {"values": ["a"]}, "takes no values"),
        ("temperature", {"values": ["hot"]}, "no temperature: 'hot'"),
        ("temperature", {"fusion": "sum"}, "about the attention fusion"),
        ("threshold", {"values": ["2"]}, "no cosine"),
        ("embedding-size", {"values": ["0"]}, "no embedding size"),
        ("coldness", {"values": ["1.5"]}, "no share"),
    ],
)
def test_what_has_no_effect_or_no_sense_is_refused(
    world: Dataset, tmp_path: Path, name: str, change: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_study(name, Setting.make(world, {}, **change), tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_setting_that_the_study_varies_is_refused(world: Dataset) -> None:
    setting = Setting.make(world, {"fusion": {"temperature": 0.3}})
    with pytest.raises(InputError, match=r"fusion\.temperature.*varies"):
        find_study("temperature").check(setting)
    with pytest.raises(InputError, match="uses no features"):
        Setting.make(world, {}, backbone="bpr")
    with pytest.raises(InputError, match="two or more"):
        find_study("views").plan(Setting.make(world, {"views": {"include": ["view-1"]}}))
    with pytest.raises(InputError, match="no study 'vews'"):
        find_study("vews")
