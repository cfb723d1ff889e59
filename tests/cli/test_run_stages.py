"""`cliper run` with stages, end to end on the small shop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from shop import write_shop

sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "fetch"))
from bad_server import picture, serving, whole

from cliper.data import Dataset

CODE = "import sys; from cliper.cli import main; sys.exit(main())"


def experiment(folder: Path, **changes: object) -> Path:
    """Prepare, compare, one study, report; `changes` replace top-level keys."""
    items, log = folder / "raw/items.jsonl", folder / "raw/log.csv"
    if not items.exists():
        write_shop(folder / "raw")
    tree = {
        "dataset": {"path": str(folder / "data")},
        "prepare": {
            "files": {"items": str(items), "interactions": str(log), "k_core": 3, "name": "shop"}
        },
        "backbone": {"embedding_size": 8},
        "training": {"max_epochs": 2},
        "features": {"random_size": 8},
        "compare": {"backbones": ["vbpr", "bpr"], "features": ["random"], "seeds": 2},
        "report": True,
        "processes": 1,
        **changes,
    }
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in tree.items() if v is not None}))
    return path


def states(answer) -> dict[str, str]:
    assert answer.status == 0, answer.err
    return {step["stage"]: step["state"] for step in answer.json["stages"]}


def numbers(out: Path) -> list[dict]:
    """What is measured, without what it took."""
    runs = json.loads((out / "compare/compare.json").read_text())["runs"]
    kept = ("backbone", "features", "protocol", "valid", "test", "best_epoch", "dataset")
    return [{key: run[key] for key in kept} for run in runs]


@pytest.fixture
def go(cliper, tmp_path):
    out = tmp_path / "out"

    def call(*options, **changes):
        path = experiment(tmp_path, **changes)
        return states(cliper("run", path, "--out", out, "--json", *options))

    return call


def test_from_raw_files_to_a_report_once(cliper, go, tmp_path):
    out = tmp_path / "out"
    studies = {"kinds": ["modalities"], "seeds": 2, "backbone": "vbpr"}
    both = {"compare": {"backbones": ["vbpr"], "features": ["vanilla", "cliper"],
                        "fusions": ["attention"], "seeds": 2},
            "features": None, "studies": studies}  # fmt: skip
    planned = cliper("run", experiment(tmp_path, **both), "--out", out, "--dry-run", "--json")
    assert states(planned) == dict.fromkeys(
        ("prepare", "compare", "study modalities", "report"), "to do"
    )
    counts = {s["stage"]: s["trainings"] for s in planned.json["stages"]}
    assert counts == {"prepare": 0, "compare": 4, "study modalities": 8, "report": 0}
    assert not out.exists() and not (tmp_path / "data").exists()

    assert set(go(**both).values()) == {"done"}
    assert (out / "studies/modalities.svg").is_file()
    page = (out / "report.html").read_text()
    assert "cliper run" in page and "modalities" in page
    trained = {p: p.stat().st_mtime_ns for p in out.rglob("results.json")}
    assert len([p for p in trained if "compare" in p.parts]) == 4

    assert set(go(**both).values()) == {"skipped"}
    assert set(go("--dry-run", **both).values()) == {"done"}
    assert {p: p.stat().st_mtime_ns for p in out.rglob("results.json")} == trained

    changed = {**both, "studies": {**studies, "seeds": 1}}  # nothing but the study and the page
    assert go(**changed) == {
        "prepare": "skipped", "compare": "skipped", "study modalities": "done", "report": "done"
    }  # fmt: skip
    assert {p: p.stat().st_mtime_ns for p in out.rglob("results.json")} == trained
    assert json.loads((out / "studies/modalities.json").read_text())["seeds"] == [0]
    gone = go(**{**both, "studies": None})  # what is not asked for is not reported
    assert gone == {"prepare": "skipped", "compare": "skipped", "report": "done"}
    assert "modalities" not in (out / "report.html").read_text()
    assert (out / "earlier/1/studies/modalities.json").is_file()


def test_what_a_change_reaches(go, tmp_path):
    out, log = tmp_path / "out", tmp_path / "raw/log.csv"
    assert set(go().values()) == {"done"}
    first = numbers(out)
    # the same settings spelt out, or how the work is recorded, are no change
    same = go(training={"max_epochs": 2, "patience": 10, "checkpoint_seconds": 5})
    assert set(same.values()) == {"skipped"}
    # one seed more leaves the others as they are
    three = {"backbones": ["vbpr", "bpr"], "features": ["random"], "seeds": 3}
    before = {p: p.stat().st_mtime_ns for p in out.rglob("results.json")}
    assert go(compare=three)["compare"] == "done"
    after = {p: p.stat().st_mtime_ns for p in out.rglob("results.json")}
    assert len(after) == len(before) + 2 and before.items() <= after.items()
    # another width is another comparison; the old one is kept aside
    assert go(backbone={"embedding_size": 4}) == {
        "prepare": "skipped", "compare": "done", "report": "done"
    }  # fmt: skip
    assert len(numbers(out)) == 4 and (out / "earlier/1/compare/compare.json").is_file()
    assert go()["compare"] == "done"
    assert numbers(out) == first
    # a touched source is read again; it gives the same dataset, and there it ends
    os.utime(log, (1, 1))
    assert go() == {"prepare": "done", "compare": "skipped", "report": "skipped"}
    rows = log.read_text().splitlines()
    log.write_text("\n".join(rows[:-8]) + "\n")
    assert go() == {"prepare": "done", "compare": "done", "report": "done"}
    assert numbers(out) != first
    # outputs that are gone are made again, from runs that are still there
    (out / "compare/compare.json").unlink()
    assert go() == {"prepare": "skipped", "compare": "done", "report": "skipped"}
    (out / "report.html").unlink()
    assert go() == {"prepare": "skipped", "compare": "skipped", "report": "done"}


def within_the_second_training(out: Path) -> bool:
    runs = [log.parent for log in out.glob("compare/runs/*/*/metrics.jsonl")]
    under_way = [run for run in runs if not (run / "results.json").exists()]
    return len(runs) > 1 and any(
        (run / "metrics.jsonl").read_text().count("\n") >= 3 for run in under_way
    )


def test_killed_midway_ends_in_the_same_numbers(cliper, tmp_path):
    longer = {"training": {"max_epochs": 30, "patience": 1000, "checkpoint_seconds": 0}}
    whole = tmp_path / "whole"
    path = experiment(tmp_path, **longer)
    assert cliper("run", path, "--out", whole, "--json").status == 0
    out = tmp_path / "killed"
    command = [sys.executable, "-c", CODE, "run", str(path), "--out", str(out), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not within_the_second_training(out):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    ledger = json.loads((out / "stages.json").read_text())["stages"]
    assert (ledger["prepare"]["state"], ledger["compare"]["state"]) == ("done", "running")
    assert not (out / "compare/compare.json").exists()
    answer = cliper("run", path, "--out", out, "--json")
    assert states(answer) == {"prepare": "skipped", "compare": "done", "report": "done"}
    assert numbers(out) == numbers(whole)
    for run in whole.glob("compare/runs/*/*/model.safetensors"):
        assert (out / run.relative_to(whole)).read_bytes() == run.read_bytes()


def test_one_training_with_stages_around_it(go, tmp_path):
    backbone = {"name": "vbpr", "embedding_size": 4}
    training = {"backbone": backbone, "compare": None, "features": {"kind": "random"}}
    alone = {**training, "processes": None}
    done = {"prepare": "done", "train": "done", "report": "done"}
    assert go(**alone) == done
    assert "<svg" in (tmp_path / "out/report.html").read_text()
    search = {"search": {"trials": 2, "space": {"training.learning_rate": "1e-3..1e-1:log"}}}
    assert go(**training, **search) == {"prepare": "skipped", "search": "done", "report": "done"}
    assert (tmp_path / "out/earlier/1/train/results.json").is_file()
    more = {"search": {**search["search"], "trials": 4}}
    assert go(**training, **more)["search"] == "done"
    assert len(json.loads((tmp_path / "out/search/search.json").read_text())["trials"]) == 4


def test_pictures_are_asked_for_once(cliper, tmp_path):
    rows, log = [], ["user_id,item_id"]
    with serving() as server:
        server.answers = {f"/{n}": whole(picture(n)) for n in range(3)}
        for n in range(4):
            rows.append({"item_id": f"i{n}", "title": f"T {n}", "image": server.url(f"/{n}")})
            log.append(f"u,i{n}")
        (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / "log.csv").write_text("\n".join(log) + "\n")
        files = {"items": str(tmp_path / "items.jsonl"), "interactions": str(tmp_path / "log.csv")}
        tree = {
            "dataset": {"path": str(tmp_path / "shop")},
            "prepare": {"files": {**files, "k_core": 0}},
            "images": {"allowed_hosts": ["127.0.0.1"], "rate": 1000},
        }
        path, out = tmp_path / "e.yaml", tmp_path / "out"
        path.write_text(yaml.safe_dump(tree))
        first = cliper("run", path, "--out", out, "--json")
        assert states(first) == {"prepare": "done", "images": "done"}
        facts = first.json["stages"][1]["facts"]
        assert (facts["fetched"], facts["without_image"]) == (3, 1)
        asked = len(server.headers)
        again = cliper("run", path, "--out", out, "--json")  # pictures do not make it unprepared
        assert states(again) == {"prepare": "skipped", "images": "skipped"}
        # a damaged dataset is prepared again; the pictures that were fetched are still there
        (tmp_path / "shop/items.parquet").unlink()
        assert states(cliper("run", path, "--out", out, "--json")) == {
            "prepare": "done", "images": "done"
        }  # fmt: skip
        assert len(server.headers) == asked
        images = Dataset.load(tmp_path / "shop").catalogue.images
        assert [name is not None for name in images] == [True, True, True, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compar": {}}, "compar: unknown key (did you mean 'compare'?)"),
        ({"compare": {"backbone": ["vbpr"]}}, "compare.backbones: field required"),
        ({"prepare": {"files": {"interactions": "a", "k_cor": 3}}},
         "prepare.files.k_cor: unknown key (did you mean 'k_core'?)"),
        ({"prepare": {"files": {"interactions": "a", "keep_unbought": True}}},
         "prepare.files.keep_unbought: has no effect without a catalogue"),
        ({"prepare": {"files": {"interactions": "a"}, "mmrec": {"source": "b"}}},
         "one reader is needed"),
        ({"prepare": {"files": {"interactions": "nowhere.csv"}}},
         "nowhere.csv: no such file or folder"),
        ({"prepare": {"amazon": {"year": 2014, "category": "babby", "source": "https://a.b/c"}}},
         "has no category 'babby' (did you mean"),
        ({"studies": ["vews"]}, "no study 'vews' (did you mean 'views'?)"),
        ({"studies": {"kinds": ["views"], "values": {"views": [1]}}, "features": None},
         "studies.values.views: takes no values"),
        ({"studies": {"kinds": ["embedding-size"], "values": {"embedding-size": ["x"]}},
          "features": None, "compare": None, "backbone": None}, "no embedding size: 'x'"),
        ({"search": {"trials": 3}}, "backbone.name: a search needs it"),
        ({"training": {"learning_rate": 7}}, "learning_rate"),
        ({"compare": {"backbones": ["vbpr"], "features": ["random"], "seeds": 2,
                      "grid": {"training.max_epochs": [1, 2]}}},
         "training.max_epochs: is set and searched at once"),
        ({"compare": None}, "no stage uses it"),
        ({"compare": None, "backbone": {"name": "bpr"}, "features": None},
         "processes: has no effect without compare"),
        ({"compare": None, "backbone": None, "training": None, "features": None},
         "report: there is nothing to report"),
        ({"images": {"ratee": 1}}, "images.ratee: unknown key (did you mean 'rate'?)"),
        ({"dataset": None}, "dataset.path"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_before_anything_is_written(cliper, tmp_path, changes, message):
    path = experiment(tmp_path, **changes)
    answer = cliper("run", path, "--out", tmp_path / "out")
    assert answer.status == 2
    assert message in answer.err and answer.err.count("\n") == 1
    assert not (tmp_path / "out").exists() and not (tmp_path / "data").exists()


def test_a_run_is_not_written_over(cliper, bpr_run, tmp_path):
    answer = cliper("run", experiment(tmp_path), "--out", bpr_run)
    assert answer.status == 2 and "holds a run" in answer.err


EXAMPLES = sorted((Path(__file__).parents[2] / "examples/paper").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_papers_table_is_ready_to_run(cliper, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no data is
    answer = cliper("run", path, "--dry-run", "--out", "out", "--json")
    counts = {step["stage"]: step["trainings"] for step in answer.json["stages"]}
    # 5 backbones × 2 kinds of features × (5 seeds + the 6 learning rates of Section 4)
    assert counts == {"prepare": 0, "images": 0, "compare": 110, "report": 0}
    assert list(tmp_path.iterdir()) == []


def test_all_three_datasets_of_the_paper_have_their_table():
    assert [path.stem.removeprefix("table2-") for path in EXAMPLES] == [
        "baby", "clothing", "sports"
    ]  # fmt: skip
