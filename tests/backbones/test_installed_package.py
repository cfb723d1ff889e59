"""A stranger's package: the one of docs/add-a-backbone.md, installed, listed and trained."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-a-backbone.md"
MAIN = "from cliper.cli import main; main()"
TRAIN = """
from cliper.backbones import create_backbone, list_backbones
from cliper.testing.world import toy_world
from cliper.training import Trainer, TrainingConfig

assert "mine" in [entry.name for entry in list_backbones()]
world = toy_world()
backbone = create_backbone("mine", world.train, world.features)
config = TrainingConfig(max_epochs=20, patience=20, learning_rate=0.01)
history = Trainer(backbone, world.train, config, lambda _: {"recall@20": 0.0}).fit()
print(history.epochs[-1]["loss"]["bpr"] < history.epochs[0]["loss"]["bpr"])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a Python that has the package, installed by pip without a network."""
    root = tmp_path_factory.mktemp("stranger")
    text = PAGE.read_text("utf-8")
    (root / "mine.py").write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], "utf-8")
    (root / "pyproject.toml").write_text(
        re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0], "utf-8"
    )
    target = root / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    command += ["--no-index", "--quiet", "--target", str(target), str(root)]
    subprocess.run(command, check=True)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")]),
    }


def test_it_is_listed_and_trains(installed: dict[str, str]) -> None:
    listed = subprocess.run(
        [sys.executable, "-c", MAIN, "list", "backbones", "--json"],
        env=installed, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (mine,) = [row for row in json.loads(listed.stdout) if row["name"] == "mine"]
    assert mine["features"] == "required" and mine["modalities"] == ["image", "text"]
    trained = subprocess.run(
        [sys.executable, "-c", TRAIN], env=installed, capture_output=True, text=True, check=True
    )
    assert trained.stdout.strip() == "True"


def test_a_broken_package_takes_nothing_else_down(
    installed: dict[str, str], tmp_path: Path
) -> None:
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[cliper.backbones]\nbroken = no_such_module\n")
    path = os.pathsep.join([str(tmp_path), installed["PYTHONPATH"]])
    answer = subprocess.run(
        [sys.executable, "-c", MAIN, "list", "backbones", "--json"],
        env={**installed, "PYTHONPATH": path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "mine" in answer.stdout and "no_such_module" in answer.stderr
