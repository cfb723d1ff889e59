"""`--adapt` on the command line: one command fits, encodes, shows before and after, and says so."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from ..encoders.adaptation.world import tiny_clip

FEW = ("--set", "encoder.adapt.min_pairs=10", "--set", "encoder.adapt.max_epochs=3")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("weights") / "tiny")


def test_encode_shows_and_writes_retrieval_before_and_after(cliper, dataset, clip):
    arguments = ["encode", dataset, "--encoder", clip, "--adapt", "projection", *FEW]
    told = cliper(*arguments)
    assert told.status == 0, told.err
    assert "tiny+projection" in told.out
    assert "all views" in told.out and "text → image" in told.out and "matched" in told.out
    again = cliper(*arguments, "--json").json
    assert again["encoder"] == "tiny+projection"
    assert (again["encoded_texts"], again["encoded_images"]) == (0, 0)
    report = again["adaptation"]
    assert report["settings"]["max_epochs"] == 3
    assert report["train"] + report["valid"] + report["report"] == 31
    folder = Path(again["adaptation_folder"])
    assert json.loads((folder / "report.json").read_text()) == report
    assert ElementTree.parse(folder / "retrieval.svg").getroot().tag.endswith("svg")
    shown = (folder / "report.md").read_text()
    before = report["before"]["views"]["title"]["text_to_image"]["mrr"]
    after = report["after"]["views"]["title"]["text_to_image"]["mrr"]
    assert f"{before:.3f} → {after:.3f}" in shown
    plain = cliper("encode", dataset, "--encoder", clip, "--json").json
    assert plain["adaptation"] is None and plain["key"] != again["key"]


def test_encode_with_lora(cliper, dataset, clip):
    answer = cliper("encode", dataset, "--encoder", clip, "--adapt", "lora", *FEW, "--json")
    assert answer.status == 0, answer.err
    assert answer.json["encoder"] == "tiny+lora"
    assert answer.json["adaptation"]["settings"]["rank"] == 8


def test_runs_say_which_encoder_and_can_be_repeated(cliper, dataset, clip, tmp_path):
    arguments = ["--backbone", "vbpr", "--encoder", clip, "--adapt", "projection", *FEW]
    arguments += ["--epochs", 1, "--split", "cold-item", "--set", "encoder.adapt.fit_on=train"]
    answer = cliper("train", dataset, *arguments, "--out", tmp_path / "run", "--json")
    assert answer.status == 0, answer.err
    assert answer.json["features"]["encoder"] == "tiny+projection"
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["encoder"]["adapt"]["fit_on"] == "train"
    assert config["encoder"]["adapt"]["learning_rate"] == 1e-3
    reports = [json.loads(p.read_text()) for p in (dataset / "encodings").rglob("report.json")]
    (seen,) = [r for r in reports if r["settings"]["fit_on"] == "train"]
    assert seen["left_out"] > 0  # the cold items
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(config))
    again = cliper("run", tmp_path / "again.yaml", "--out", tmp_path / "again", "--json")
    assert again.status == 0, again.err
    assert again.json["test"] == answer.json["test"]


def test_compare_passes_it_on(cliper, dataset, clip, tmp_path):
    answer = cliper(
        "compare", dataset, "--backbones", "vbpr", "--features", "vanilla,cliper",
        "--encoder", clip, "--adapt", "projection", *FEW, "--epochs", 1,
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert answer.status == 0, answer.err
    records = [json.loads(p.read_text()) for p in (tmp_path / "out").rglob("results.json")]
    assert {r["features"]["encoder"] for r in records} == {"vanilla", "tiny+projection"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--adapt", "lorra"], "encoder.adapt.kind"),
        (["--set", "encoder.adapt.max_epochs=3"], "encoder.adapt.kind"),
        (["--adapt", "projection", "--set", "encoder.adapt.rank=3"], "encoder.adapt.rank"),
        (["--adapt", "lora", "--set", "training.patience=3"], "training: has no effect"),
        (["--adapt", "lora", "--set", "encoder.adapt.fit_on=train"], "needs a split"),
        (["--adapt", "lora", "--encoder", "embedded"], "fitted on the catalogue already"),
    ],
)
def test_mistakes_are_one_line(cliper, dataset, clip, arguments, said):
    if "--encoder" not in arguments:
        arguments = [*arguments, "--encoder", clip]
    answer = cliper("encode", dataset, *arguments)
    assert answer.status == 2
    assert said in answer.err and len(answer.err.strip().splitlines()) == 1


def test_train_refuses_the_same(cliper, dataset, clip, tmp_path):
    for extra, said in (
        (["--adapt", "lora"], "fitted on the catalogue already"),
        (["--features", "vanilla", "--adapt", "lora"], "encoder"),
        (["--encoder", clip, "--set", "encoder.adapt.rank=2"], "encoder.adapt.kind: is not said"),
        (["--encoder", clip, "--adapt", "lorra"], "did you mean 'lora'"),
    ):
        answer = cliper("train", dataset, "--backbone", "vbpr", *extra, "--out", tmp_path / "no")
        assert answer.status == 2 and said in answer.err, answer.err
        assert not (tmp_path / "no").exists()
