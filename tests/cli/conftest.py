"""One tiny shop, prepared, encoded and trained once for all tests of the command line."""

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cliper.cli import main

sys.path.insert(0, str(Path(__file__).parent))
from shop import write_shop


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Invoke = Callable[..., Answer]


def run_cliper(*arguments: object) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(a) for a in arguments])
    return Answer(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def cliper() -> Invoke:
    return run_cliper


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_shop(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory, raw: tuple[Path, Path]) -> Path:
    out = tmp_path_factory.mktemp("data") / "shop"
    answer = run_cliper(
        "prepare", "files", "--items", raw[0], "--interactions", raw[1], "--k-core", 3, "--out", out
    )
    assert answer.status == 0, answer.err
    return out


@pytest.fixture(scope="session")
def bpr_run(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "bpr"
    answer = run_cliper("train", dataset, "--backbone", "bpr", "--epochs", 3, "--out", out)
    assert answer.status == 0, answer.err
    return out


@pytest.fixture(scope="session")
def vbpr_run(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "vbpr"
    answer = run_cliper(
        "train", dataset, "--backbone", "vbpr", "--features", "cliper", "--fusion", "mlp",
        "--views", "title,brand", "--epochs", 2, "--out", out, "--json",
    )  # fmt: skip
    assert answer.status == 0, answer.err
    return out
