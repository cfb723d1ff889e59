"""Every verb on a tiny shop: what it prints, what it writes, and stdout kept clean."""

import csv
import hashlib
import importlib.metadata
import json
import re
import shutil
import types
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from cliper.encoders.registry import list_encoders
from cliper.experiments.run import made_with
from cliper.serving import Recommender


def test_prepare_counts_what_it_kept_and_dropped(cliper, raw, tmp_path):
    arguments = ["prepare", "files", "--items", raw[0], "--interactions", raw[1], "--k-core", 3]
    told = cliper(*arguments, "--out", tmp_path / "d")
    assert told.status == 0
    assert "the item names no image" in told.out
    answer = cliper(*arguments, "--out", tmp_path / "d", "--json")
    assert answer.json["counts"] == {"users": 40, "items": 32, "interactions": 320}
    rows = {(r["group"], r["what"]): r["count"] for r in answer.json["summary"]}
    assert rows["dropped images", "the item names no image"] == 1


def test_prepare_mmrec_takes_what_export_wrote(cliper, bpr_run, tmp_path):
    cliper("export", bpr_run, "--format", "mmrec", "--out", tmp_path / "mmrec")
    out = tmp_path / "again"
    answer = cliper("prepare", "mmrec", "--source", tmp_path / "mmrec", "--out", out, "--json")
    assert answer.status == 0, answer.err
    again = cliper(
        "train", out, "--backbone", "popularity", "--out", tmp_path / "run", "--json"
    ).json
    original = json.loads((bpr_run / "results.json").read_text())
    counts = ("users", "items", "train", "valid", "test")
    assert again["protocol"]["split"] == "given"
    assert [again["dataset"][c] for c in counts] == [original["dataset"][c] for c in counts]


def test_encode_reuses_what_is_there(cliper, dataset, vbpr_run):
    answer = cliper("encode", dataset, "--views", "title,brand", "--json")
    assert answer.status == 0, answer.err
    assert (answer.json["encoded_texts"], answer.json["encoded_images"]) == (0, 0)
    assert answer.json["reused_images"] == 31
    assert answer.json["views"] == ["title", "brand"]
    assert answer.json["missing_images"] == 1
    told = cliper("encode", dataset, "--views", "title,brand")
    assert "images reused" in told.out


def test_encode_with_a_template_encodes_that_view_alone(cliper, dataset, vbpr_run):
    arguments = ["--views", "brand", "--template", "brand=Made by {brand}", "--json"]
    answer = cliper("encode", dataset, *arguments)
    assert answer.json["encoded_texts"] == 5  # one a brand
    assert answer.json["encoded_images"] == 0


@pytest.mark.parametrize(
    ("encoder", "weights", "said"),
    [
        (["--encoder", "align"], "absent", "no such file or folder"),
        ([], ".", "encoder.weights: 'embedded' brings its own weights"),
        (["--encoder", "align"], None, "fetch config.json"),
    ],
)
def test_weights_that_cannot_be_used_are_one_line(
    cliper, dataset, tmp_path, monkeypatch, encoder, weights, said
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    where = [] if weights is None else ["--weights", tmp_path / weights]
    train = ["train", dataset, "--backbone", "vbpr", "--out", tmp_path / "run"]
    for command in (["encode", dataset], train):
        answer = cliper(*command, *encoder, *where)
        assert (answer.status, answer.err.count("\n")) == (2, 1), answer.err
        assert said in answer.err


def test_train_leaves_the_record_that_it_prints(cliper, dataset, vbpr_run, tmp_path):
    record = json.loads((vbpr_run / "results.json").read_text())
    assert record["features"]["fusion"] == "mlp"
    assert record["features"]["views"] == ["title", "brand"]
    assert record["epochs_run"] == 2
    out = tmp_path / "run"
    arguments = ["train", dataset, "--backbone", "bpr", "--epochs", 1, "--seed", 7, "--out", out]
    answer = cliper(*arguments, "--split", "leave-one-out", "--mask", "train", "--json")
    assert answer.json.pop("run") == str(out)
    assert {k: v for k, v in answer.json.items() if k != "run"} == json.loads(
        (out / "results.json").read_text()
    )
    assert answer.json["protocol"] == {
        "split": "leave-one-out", "mask": "train", "k": [10, 20, 50], "seed": 7,
        "candidates": "all",
    }  # fmt: skip
    assert answer.json["features"]["kind"] == "none"


def test_train_twice_into_one_place_is_refused_without_resume(cliper, dataset, bpr_run):
    arguments = ["train", dataset, "--backbone", "bpr", "--epochs", 3, "--out", bpr_run]
    refused = cliper(*arguments)
    assert refused.status == 2
    assert "--resume" in refused.err
    assert cliper(*arguments, "--resume").status == 0
    other = cliper(*arguments, "--resume", "--seed", 5)
    assert other.status == 2
    assert "other settings" in other.err


def test_evaluate_repeats_the_runs_numbers(cliper, bpr_run):
    record = json.loads((bpr_run / "results.json").read_text())
    answer = cliper("evaluate", bpr_run, "--json")
    assert answer.json["test"] == pytest.approx(record["test"], abs=1e-12)
    masked = cliper("evaluate", bpr_run, "--mask", "train", "--json")
    assert masked.json["protocol"]["mask"] == "train"
    assert masked.json["test"]["recall@10"] <= record["test"]["recall@10"]
    assert "Recall@20" in cliper("evaluate", bpr_run).out


def test_evaluate_says_what_is_not_as_at_the_training(cliper, vbpr_run, monkeypatch):
    made = json.loads((vbpr_run / "results.json").read_text())["made_with"]
    digest = hashlib.sha256((vbpr_run / "model.safetensors").read_bytes()).hexdigest()
    assert made["model"] == digest
    assert made["versions"]["torch"] == importlib.metadata.version("torch")
    assert len(made["features"]) == len(made["encoder"]) == len(made["code"]) == 64
    assert cliper("evaluate", vbpr_run, "--json").json["otherwise"] == []
    monkeypatch.setattr(made_with, "code_hash", lambda: "0" * 64)
    monkeypatch.setattr(made_with, "stored", lambda *_: {Path(): {"encoder_hash": "1" * 64}})
    monkeypatch.setattr(made_with, "version", lambda name: "0.1")
    told = cliper("evaluate", vbpr_run)
    assert told.status == 0
    for line in (
        f"torch was {made['versions']['torch']}, is 0.1",
        f"cliper's code was {made['code'][:12]}, is 000000000000",
        f"the encoder embedded was {made['encoder'][:12]}, the dataset's store has 111111111111",
    ):
        assert f"note: not as at the training: {line}" in " ".join(told.out.split())


def test_evaluate_says_when_features_or_the_model_are_others(cliper, dataset, vbpr_run, tmp_path):
    made = json.loads((vbpr_run / "results.json").read_text())["made_with"]
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(dataset, data)
    shutil.copytree(vbpr_run, run)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["dataset"]["path"] = str(data)
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert cliper("evaluate", run, "--json").json["otherwise"] == []
    for about in (data / "encodings").glob("embedded-*/**/about.json"):
        text = np.load(about.with_name("text.npy"))
        np.save(about.with_name("text.npy"), text[..., ::-1])
        about.with_name("SHA256SUMS").unlink()
    with (run / "model.safetensors").open("ab") as stream:
        stream.write(b" ")
    told = cliper("evaluate", run, "--json").json["otherwise"]
    assert [one.rpartition(" ")[0] for one in told] == [
        f"the model was {made['model'][:12]}, is",
        f"the features were {made['features'][:12]}, made again they are",
    ]


def test_a_runs_config_runs_again_to_the_same_bytes(cliper, bpr_run, vbpr_run, tmp_path):
    for run in (bpr_run, vbpr_run):
        out = tmp_path / run.name
        answer = cliper("run", run / "config.yaml", "--out", out)
        assert answer.status == 0, answer.err
        model = "model.safetensors"
        assert (out / model).read_bytes() == (run / model).read_bytes()


def test_run_reads_an_experiment_and_sets(cliper, dataset, tmp_path):
    tree = {"dataset": {"path": str(dataset)}, "backbone": {"name": "lightgcn"}}
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(tree))
    sets = ["--set", "training.max_epochs=1", "--set", "backbone.n_layers=1"]
    answer = cliper("run", tmp_path / "e.yaml", *sets, "--out", tmp_path / "run", "--json")
    assert answer.json["config"]["backbone"]["n_layers"] == 1
    assert answer.json["epochs_run"] == 1
    assert answer.json["features"]["kind"] == "none"


def test_recommend_gives_outside_ids_and_nothing_seen(cliper, bpr_run, tmp_path):
    answer = cliper("recommend", bpr_run, "--user", "user-3", "user-0", "-k", 4, "--json")
    rows = answer.json["recommendations"]
    assert [r["user_id"] for r in rows] == ["user-3"] * 4 + ["user-0"] * 4
    recommender = Recommender.load(bpr_run)
    seen = recommender.items.ids(recommender.seen(int(recommender.users.indices(["user-3"])[0])))
    assert not set(seen) & {r["item_id"] for r in rows[:4]}
    every = cliper("recommend", bpr_run, "--user", "user-3", "-k", 32, "--include-seen", "--json")
    assert len(every.json["recommendations"]) == 32
    table = cliper("recommend", bpr_run, "--user", "user-3", "--user", "user-0", "-k", 4).out
    assert [line.split()[2] for line in table.splitlines()[1:]] == [r["item_id"] for r in rows]


def test_titles_stand_beside_ids_and_a_cap_is_told(cliper, vbpr_run, dataset, tmp_path):
    for verb, option, one in (("recommend", "--user", "user-3"), ("similar", "--item", "item-1")):
        answer = cliper(verb, vbpr_run, option, one, "-k", 3)
        assert answer.status == 0, answer.err
        assert len(re.findall(r"item-\d+ .*thing number \d+$", answer.out, re.MULTILINE)) == 3
    run, out = tmp_path / "r", tmp_path / "e"
    told = cliper("train", dataset, "--backbone", "bpr", "--epochs", 2, "--out", run).err
    assert "stopped at its cap of 2 epochs" in told
    assert "replaced" not in cliper("export", run, "--out", out).err
    assert "replaced an earlier export" in cliper("export", run, "--out", out).err
    unknown = cliper("recommend", vbpr_run, "--user", "user-300")
    assert unknown.status == 2
    assert "prepare drops users with few rows (--k-core)" in unknown.err


def test_recommend_among_candidates(cliper, bpr_run, tmp_path):
    file = tmp_path / "ids.txt"
    file.write_bytes("\ufeffitem-1\r\n\r\nitem-2\r\n".encode())
    arguments = ["recommend", bpr_run, "--user", "user-3", "--include-seen", "--candidates", file]
    found = {r["item_id"] for r in cliper(*arguments, "--json").json["recommendations"]}
    assert found == {"item-1", "item-2"}
    file.write_text("item-1\nitem-999\n")
    answer = cliper(*arguments)
    assert answer.status == 2
    assert f"{file}, line 2: unknown item 'item-999'" in answer.err


def test_similar_items_by_cosine(cliper, bpr_run):
    answer = cliper("similar", bpr_run, "--item", "item-5", "item-6", "-k", 31, "--json")
    rows = [r for r in answer.json["similar"] if r["item_id"] == "item-6"]
    recommender = Recommender.load(bpr_run)
    vectors = recommender.scorer.tensors()["items"].numpy()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = recommender.items.ids()
    cosine = unit @ unit[ids.index("item-6")]
    order = [ids[i] for i in np.argsort(-cosine) if ids[i] != "item-6"]
    assert [r["similar_item_id"] for r in rows] == order
    assert "similar_item_id" in cliper("similar", bpr_run, "--item", "item-5").out


def test_export_parquet(cliper, bpr_run, tmp_path):
    answer = cliper("export", bpr_run, "--out", tmp_path / "e", "--json")
    assert [f["name"] for f in answer.json["files"]] == ["users.parquet", "items.parquet"]
    assert pq.read_table(tmp_path / "e" / "users.parquet").num_rows == 40
    assert "items.parquet" in cliper("export", bpr_run, "--out", tmp_path / "e").out


@pytest.fixture(scope="module")
def compared(cliper, dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "c"
    arguments = [
        "compare", dataset, "--backbones", "popularity,vbpr", "--features", "vanilla,cliper",
        "--fusions", "attention,concat", "--views", "title,brand", "--seeds", 2, "--epochs", 1,
        "--grid", "training.learning_rate=1e-2,1e-3", "--out", out,
    ]  # fmt: skip
    return out, arguments, cliper(*arguments, "--json")


def test_compare_records_every_run_and_the_summary(compared):
    out, _, answer = compared
    assert answer.status == 0, answer.err
    names = [row["name"] for row in answer.json["summary"]]
    assert names == [
        "popularity-none", "vbpr-vanilla", "vbpr-cliper-attention", "vbpr-cliper-concat"
    ]  # fmt: skip
    assert len(answer.json["runs"]) == 8
    assert answer.json["search_budget"] == 2
    assert answer.json["summary"][2]["baseline"] == "vbpr-vanilla"
    with (out / "compare.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row, summary in zip(rows, answer.json["summary"], strict=True):
        assert float(row["recall@20 mean"]) == pytest.approx(summary["mean"]["recall@20"])
        assert row["lift"] == ("" if summary["lift"] is None else str(summary["lift"]))


def test_compare_again_reuses_its_runs_and_prints_the_table(cliper, compared):
    out, arguments, _ = compared
    before = {p: p.stat().st_mtime_ns for p in out.rglob("model.safetensors")}
    answer = cliper(*arguments)
    assert answer.status == 0, answer.err
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("model.safetensors")}
    assert "lift Recall@20" in answer.out
    assert "split random, mask train+valid, candidates all, 2 seeds (0, 1)" in answer.out
    assert (out / "compare.md").read_text().count("\n| vbpr |") == 3


REFUSED = [
    (["--set", "backbone.n_layerz=3"], "backbone.n_layerz"),
    (["--set", "backbone.name=bpr"], "use --backbones"),
    (["--set", "training.seed=4"], "use --seeds"),
    (["--set", "fusion.temprature=1"], "did you mean 'temperature'?"),
    (["--set", "backbone=bpr"], "is a section"),
    (["--grid", "training.learning_rate=1e-3,fast"], "training.learning_rate"),
    (["--grid", "training.patience=3,4", "--set", "training.patience=3"], "set and searched"),
    (["--metric", "recal@20"], "did you mean 'recall@20'?"),
    (["--features", "vanilla", "--fusions", "sum"], "--fusions"),
    (["--features", "vanilla", "--temperature", "0.5"], "without cliper features"),
    (["--fusions", "sum", "--temperature", "0.5"], "without the attention fusion"),
    (["--fusions", "sun"], "fusions"),
    (["--features", "cliper,cliper"], "named twice"),
    (["--backbones", "vbrp"], "did you mean 'vbpr'?"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), REFUSED, ids=lambda v: " ".join(v)[:50] if isinstance(v, list) else ""
)
def test_compare_refuses_what_would_have_no_effect(cliper, dataset, tmp_path, arguments, said):
    backbones = [] if "--backbones" in arguments else ["--backbones", "vbpr,freedom"]
    answer = cliper("compare", dataset, *backbones, *arguments, "--out", tmp_path / "c")
    assert (answer.status, answer.err.count("\n")) == (2, 1), answer.err
    assert said in answer.err
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("kind", ["backbones", "encoders", "fusions", "splits"])
def test_list_gives_names_and_summaries(cliper, kind):
    rows = cliper("list", kind, "--json").json
    assert all(row["name"] and row["summary"] for row in rows)
    table = cliper("list", kind).out
    assert all(row["name"] in table for row in rows)


def test_doctor_says_what_is_missing_for_what(cliper):
    found = cliper("doctor", "--json").json
    assert found["packages"]["torch"]
    available = {c["name"]: c["available"] for c in found["checks"]}
    for encoder in list_encoders():
        assert available[f"encoder {encoder['name']}"] == encoder["available"]
    assert all(c["available"] or c["remedy"] for c in found["checks"])
    assert "python" in cliper("doctor").out


def test_demo_and_report_print_what_they_made(cliper, monkeypatch, tmp_path):
    def module(name: str, **values: object) -> None:
        made = types.ModuleType(name)
        made.__dict__.update(values)
        monkeypatch.setitem(__import__("sys").modules, name, made)

    def demo(out: Path) -> types.SimpleNamespace:
        return types.SimpleNamespace(table="a table", report=out / "report.html")

    module("cliper.demo.run", run_demo=demo)
    module("cliper.experiments.reports.build", build_report=lambda d: d / "report.html")
    assert cliper("demo", "--out", tmp_path).out == f"a table\nreport: {tmp_path}/report.html\n"
    expected = {"table": "a table", "report": f"{tmp_path}/report.html"}
    assert cliper("demo", "--out", tmp_path, "--json").json == expected
    assert cliper("report", tmp_path).out == f"{tmp_path}/report.html\n"
    assert cliper("report", tmp_path, "--json").json == {"report": f"{tmp_path}/report.html"}


def test_users_that_the_run_lacks_may_get_what_most_take(cliper, bpr_run):
    refused = cliper("recommend", bpr_run, "--user", "nobody")
    assert refused.status == 2
    assert "--popular gives unknown users the most taken items" in refused.err
    users = ("--user", "user-1", "nobody", "-k", 3)
    answer = cliper("recommend", bpr_run, *users, "--popular", "--json").json
    assert answer["popular"] == ["nobody"]
    table = pq.read_table(bpr_run / "vocabulary.parquet").to_pylist()
    taken = sorted((r["train_interactions"] for r in table if r["kind"] == "item"), reverse=True)
    rows = [row for row in answer["recommendations"] if row["user_id"] == "nobody"]
    assert [row["score"] for row in rows] == taken[:3]
    known = cliper("recommend", bpr_run, "--user", "user-1", "-k", 3, "--json").json
    assert answer["recommendations"][:3] == known["recommendations"]
    assert "by popularity, not in the run: nobody" in cliper(
        "recommend", bpr_run, *users, "--popular"
    ).out.replace("\n", " ")


def test_a_recall_of_all_gets_a_remark(cliper, bpr_run, dataset, tmp_path):
    told = cliper("train", dataset, "--backbone", "popularity", "--split", "cold-item",
                  "--out", tmp_path / "r", "--json")  # fmt: skip
    assert told.json["test"]["recall@50"] == 1.0  # a tenth of 32 items is cold
    shown = " ".join(cliper("evaluate", tmp_path / "r").out.split())
    assert "are 100 %: with so few candidates they say nothing, compare by a smaller K" in shown


def test_a_misspelt_view_costs_no_training(cliper, dataset, tmp_path):
    arguments = ["--backbones", "vbpr", "--views", "titel", "--out", tmp_path / "c"]
    refused = cliper("compare", dataset, *arguments)
    assert refused.status == 2
    assert "did you mean 'title'?" in refused.err
    assert not list((tmp_path / "c").rglob("results.json"))
