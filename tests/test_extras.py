"""Without the extras: the main verbs work, and the others say in one line what to install."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cliper.extras import EXTRAS

ROOT = Path(__file__).parents[1]
QUERY = ("--database", "sqlite://", "--interactions", "SELECT 1", "--out", "d")
WITHOUT = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
from cliper.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without(absent: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    script = WITHOUT.format(absent=absent)
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )


def test_every_module_is_in_the_extra_that_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    base = {Requirement(text).name for text in project["dependencies"]}
    distributions = packages_distributions()
    for module, extra in EXTRAS.items():
        brought = {canonicalize_name(name) for name in distributions[module]}
        assert brought & {Requirement(text).name for text in extras[extra]}
        assert not brought & base


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    items = [f'{{"item_id": "i{i}", "title": "thing {i}"}}' for i in range(30)]
    (folder / "items.jsonl").write_text("\n".join(items))
    pairs = [f"u{u},i{(u * 7 + k * k) % 30}" for u in range(20) for k in range(6)]
    (folder / "log.csv").write_text("\n".join(["user_id,item_id", *dict.fromkeys(pairs)]))
    return folder


def test_the_main_verbs_need_no_extra(shop: Path) -> None:
    data, run = shop / "data", shop / "run"
    raw = ("--items", shop / "items.jsonl", "--interactions", shop / "log.csv", "--k-core", 0)
    train = ("--backbone", "bpr", "--epochs", 1, "--out", run)
    for verb in (
        ("prepare", "files", *raw, "--out", data),
        ("encode", data, "--views", "title"),
        ("train", data, *train),
        ("evaluate", run),
        ("recommend", run, "--user", "u1", "-k", 2),
        ("similar", run, "--item", "i1", "-k", 2),
        ("export", run, "--out", shop / "export"),
    ):
        done = without(list(EXTRAS), *verb)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("absent", "arguments", "extra"),
    [
        ("optuna", ("search", "data", "--backbone", "bpr", "--out", "s"), "search"),
        ("matplotlib", ("report", "run"), "report"),
        ("imagehash", ("describe", "data"), "report"),
        ("implicit", ("train", "data", "--backbone", "ials", "--out", "r"), "baselines"),
        ("fastapi", ("serve", "run", "--port", "0"), "serve"),
        ("uvicorn", ("serve", "run", "--port", "0"), "serve"),
        ("prometheus_client", ("serve", "run", "--port", "0"), "serve"),
        ("sqlalchemy", ("prepare", "sql", *QUERY), "sql"),
    ],
)
def test_a_missing_extra_is_one_line(
    shop: Path, absent: str, arguments: tuple[str, ...], extra: str
) -> None:
    test_the_main_verbs_need_no_extra(shop) if not (shop / "run").exists() else None
    places = {name: shop / name for name in ("data", "run", "s", "r")}
    done = without([absent], *[places.get(a, a) for a in arguments])
    assert done.returncode == 2, done.stderr
    line = f"cliper: {absent} is not installed (pip install 'cliper[{extra}]')"
    assert done.stderr.strip().splitlines()[-1] == line


def test_comparisons_and_studies_read_their_settings_without_optuna() -> None:
    """`demo`, `compare`, `study` and `run` need it only for a search."""
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "import cliper.demo.run, cliper.experiments.comparisons.compare\n"
        "import cliper.experiments.studies.run, cliper.experiments.pipeline.run\n"
        "import cliper.experiments.reports.build\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
