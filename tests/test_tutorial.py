"""The tutorial's commands, one after the other, on a smaller shop."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest

from cliper.cli import main

ROOT = Path(__file__).resolve().parents[1]


def commands() -> list[list[str]]:
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.strip().splitlines()]


def test_every_command_of_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (first, *rest) = commands()
    assert first == ["python", "examples/raw_shop.py", "raw"]
    monkeypatch.setattr("sys.argv", ["raw_shop.py", "raw", "90"])
    runpy.run_path(str(ROOT / "examples" / "raw_shop.py"), run_name="__main__")
    assert len(rest) == 10
    for command in rest:
        assert command[0] == "cliper"
        short = ["2" if word == "10" else word for word in command[1:]]
        status = main(short)
        assert status == 0, (command, capsys.readouterr().err)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    for shown in ("known (random split)", "cold (cold-item split)", "Study: views"):
        assert shown in page
    assert (tmp_path / "glance.html").is_file()
    dataset = json.loads((tmp_path / "data" / "shop" / "dataset.json").read_text("utf-8"))
    assert dataset["images"] > 0.9 * dataset["counts"]["items"]
