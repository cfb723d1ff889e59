"""`cliper augment` from the command line, with the random model."""

import json
import re
from pathlib import Path

import pytest

from cliper.cli import main
from cliper.data import Dataset

QUICK = ["--max-new-tokens", "4", "--candidates", "3", "--history", "2"]


def test_a_dataset_is_augmented_and_trained_on(
    dataset: Dataset, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "augmented"
    command = ["augment", str(dataset.path), "--model", str(model_folder), "--out", str(out)]
    assert main([*command, *QUICK, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert 30 < told["asked"] <= 36 and told["reused"] == 0
    assert {step: sum(counts.values()) for step, counts in told["answers"].items()} == {
        "feedback": 12, "profiles": 12, "attributes": 12,
    }  # fmt: skip
    assert told["hash"] == Dataset.load(out).hash != dataset.hash
    assert main([*command, *QUICK]) == 0
    said = capsys.readouterr().out
    assert "prompts answered before" in said and "feedback: malformed" in said
    train = ["train", str(out), "--backbone", "llmrec", "--features", "vanilla", "--epochs", "1"]
    assert main([*train, "--split", "random", "--seed", "0", "--out", str(tmp_path / "run")]) == 0
    assert main([*train, "--split", "random", "--seed", "1", "--out", str(tmp_path / "no")]) == 2
    assert "set split.kind=random and split.seed=0" in capsys.readouterr().err


def test_the_sibling_is_the_default(dataset: Dataset, model_folder: Path) -> None:
    command = ["augment", str(dataset.path), "--model", str(model_folder), "--steps", "feedback"]
    assert main([*command, *QUICK]) == 0
    made = Dataset.load(dataset.path.with_name("films-augmented"))
    assert made.augmentation is not None and not any(made.augmentation.profiles)
    assert made.catalogue is not None and not any(
        f.startswith("llm_") for f in made.catalogue.fields
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "nowhere"], "no language model here"),
        (["--model", "hf:a/b"], "downloading was not asked for"),
        (["--model", "x", "--steps", "feedback,songs"], "songs"),
        (["--model", "x", "--candidates", "1"], "candidates"),
        (["--model", "x", "--split", "sideways"], "sideways"),
    ],
)
def test_wrong_input_is_one_line(
    dataset: Dataset, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["augment", str(dataset.path), *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert says in said[-1] and len(said) == 1


def test_the_example_of_the_page_runs(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[2] / "docs" / "augment.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.S)
    folder = dataset.path.parent
    (folder / "data").mkdir()
    dataset.path.rename(folder / "data" / "films")
    monkeypatch.chdir(folder)
    exec(code, {})
    assert capsys.readouterr().out == "{'used': 12}\n"
