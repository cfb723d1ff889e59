"""What a verb does not use it does not import."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    *("optuna", "matplotlib", "ray", "transformers", "implicit", "imagehash"),
    *("fastapi", "uvicorn", "prometheus_client", "starlette"),
    "cliper.backbones.freedom",
)
NO_BACKBONE = ("cliper.backbones", "cliper.experiments.run.config")
SCRIPT = """
import json, sys
{statement}
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""


def imported(statement: str, heavy: tuple[str, ...] = HEAVY) -> list[str]:
    script = SCRIPT.format(statement=statement, heavy=heavy)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "statement",
    [
        "from cliper.cli import main; main(['--help'])",
        "from cliper.cli import main; main(['serve', '--help'])",
        "from cliper.experiments.drawing.adaptation import with_figure; "
        "from cliper.representation.represent import encode_catalogue",
        "from cliper.serving import Recommender",
        "from cliper.experiments.run.experiment import run_experiment; "
        "from cliper.backbones import backbone_entry; backbone_entry('vbpr')",
    ],
    ids=["help", "serve-help", "encode", "recommend", "train"],
)
def test_nothing_heavy_comes_along(statement: str) -> None:
    assert imported(statement) == []


def test_encoding_knows_no_backbones() -> None:
    statement = "import cliper.cli.encode, cliper.representation.represent"
    assert imported(statement, NO_BACKBONE) == []


def test_the_check_sees_an_import() -> None:
    asked = "from cliper.backbones import backbone_entry; backbone_entry('freedom')"
    assert imported(asked) == ["cliper.backbones.freedom"]
