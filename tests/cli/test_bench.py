"""`cliper bench` in a small checkout, and what the project's own index names."""

from pathlib import Path

import pytest

import cliper as package
from cliper import bench
from cliper.bench import Checkout, numbers

ROOT = Path(__file__).parents[2]
SCRIPT = '''"""How fast the wheel turns.

More of it.
"""

import sys

print("| wheel | way | turns | s |\\n|---|---|---:|---:|")
print("| `front` | down | 1,200 | 0.5 |")
print("| rear | down | 800 | 0.25 |")
print("not a number", file=sys.stderr)
sys.exit(int(sys.argv[1]))
'''
PAGE = """# Wheels

| wheel | way | turns | s |
|---|---|---:|---:|
| **front** | down | 1,000 | 0.4 |
| third | down | 5 | |
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "benchmarks" / "wheels.py").write_text(SCRIPT)
    (tmp_path / "results" / "wheels.md").write_text(PAGE)
    index = "wheels: {page: wheels.md, arguments: [0]}\nbroken: {page: wheels.md, data: films}\n"
    (tmp_path / "benchmarks" / "index.yaml").write_text(index)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_here_beside_committed(cliper, checkout: Path) -> None:
    found = {one["what"]: one for one in cliper("bench", "wheels", "--json").json["wheels"]}
    assert found["front, down, turns"] == {
        "what": "front, down, turns", "here": 1200, "committed": 1000, "ratio": 1.2,
    }  # fmt: skip
    assert found["rear, down, s"]["committed"] is None
    assert found["third, down, turns"] == {
        "what": "third, down, turns", "here": None, "committed": 5, "ratio": None,
    }  # fmt: skip
    told = cliper("bench", "wheels")
    assert "here beside results/wheels.md" in told.out
    assert "1.25" in told.out  # 0.5 s to 0.4


def test_what_there_is(cliper, checkout: Path) -> None:
    (checkout / "benchmarks" / "broken.py").write_text(SCRIPT)
    told = cliper("bench")
    assert "How fast the wheel turns." in told.out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("weels", "no benchmark 'weels' (did you mean 'wheels'?)"),
        ("broken", "broken needs data that is not there (set CLIPER_DATA"),
    ],
)
def test_what_cannot_be_run(cliper, checkout: Path, monkeypatch, name: str, says: str) -> None:
    monkeypatch.setenv("CLIPER_DATA", str(checkout / "nowhere"))
    refused = cliper("bench", name)
    assert refused.status == 2
    assert says in refused.err
    assert refused.err.count("\n") == 1


def test_a_script_that_fails_is_one_line(cliper, checkout: Path) -> None:
    index = checkout / "benchmarks" / "index.yaml"
    index.write_text("wheels: {page: wheels.md, arguments: [3]}\n")
    failed = cliper("bench", "wheels")
    assert failed.status == 1
    assert "the benchmark wheels ended with status 3" in failed.err


def test_without_a_checkout(cliper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench.cliper, "__file__", str(tmp_path / "a" / "b" / "c" / "d.py"))
    refused = cliper("bench", "ranking")
    assert refused.status == 2
    assert "part of a checkout of the project, not of the package" in refused.err


def test_the_index_names_scripts_and_pages_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = Checkout.find()
    assert Path(package.__file__).is_relative_to(found.root)
    for name in found.benchmarks:
        assert found.summary(name).endswith((".", ":"))
        assert len(found.committed(name)) > 5, name
    pages = (ROOT / "results" / "ranking-speed.md").read_text("utf-8")
    assert numbers(pages)["seconds.floor.128"] == 0.5578983020004671
