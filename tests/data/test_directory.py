"""A dataset directory survives a process that is killed at any moment of its replacement."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cliper.data import Dataset
from cliper.data.directory import dataset_directory, set_aside
from cliper.errors import InputError

# Replaces `out` and dies by SIGKILL at the n-th rename: nothing of Python's own can clean up.
DIES = """
import os, signal, sys
from pathlib import Path
from cliper.data.directory import dataset_directory
out, fatal, seen, real = Path(sys.argv[1]), int(sys.argv[2]), 0, Path.rename
def rename(self, target):
    global seen
    seen += 1
    if seen == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)
Path.rename = rename
with dataset_directory(out) as work:
    (work / "dataset.json").write_text("new")
    (work / "items.parquet").write_text("new")
"""


def earlier(out: Path) -> None:
    with dataset_directory(out) as work:
        (work / "dataset.json").write_text("old")
        (work / "items.parquet").write_text("old")
    (out / "encodings").mkdir()
    (out / "encodings" / "kept").write_text("kept")
    (out / "notes.txt").write_text("mine")


def replace(out: Path, content: str) -> None:
    with dataset_directory(out) as work:
        (work / "dataset.json").write_text(content)


def hidden(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name.endswith(".old")]


@pytest.mark.parametrize(
    ("fatal", "before"),
    [(1, "old"), (2, None), (3, "new"), (4, "new")],
    ids=["before", "between", "before encodings came over", "before notes came over"],
)
def test_killed_at_each_step_nothing_is_lost(
    tmp_path: Path, fatal: int, before: str | None
) -> None:
    out = tmp_path / "shop"
    earlier(out)
    process = subprocess.run([sys.executable, "-c", DIES, str(out), str(fatal)], check=False)
    assert process.returncode == -signal.SIGKILL
    found = (out / "dataset.json").read_text() if out.exists() else None
    assert found == before
    assert len(hidden(tmp_path)) == 1  # set aside, or about to be
    # The next one fails on its own, so that what is there is what the recovery left.
    with pytest.raises(KeyError), dataset_directory(out):
        raise KeyError
    assert hidden(tmp_path) == []
    assert (out / "dataset.json").read_text() == (before or "old")
    assert (out / "encodings" / "kept").read_text() == "kept"
    assert (out / "notes.txt").read_text() == "mine"
    replace(out, "newest")
    assert (out / "dataset.json").read_text() == "newest"
    assert not (out / "items.parquet").exists()
    assert (out / "notes.txt").read_text() == "mine"


def test_a_load_after_the_kill_says_where_the_dataset_is(tmp_path: Path) -> None:
    out = tmp_path / "shop"
    earlier(out)
    subprocess.run([sys.executable, "-c", DIES, str(out), "2"], check=False)
    with pytest.raises(InputError, match=r"set aside in .*\.shop\.\w{8}\.old") as caught:
        Dataset.load(out)
    assert "\n" not in str(caught.value)


def test_the_successors_own_notes_win_and_the_old_ones_stay_aside(tmp_path: Path) -> None:
    out = tmp_path / "shop"
    earlier(out)
    subprocess.run([sys.executable, "-c", DIES, str(out), "3"], check=False)
    (out / "notes.txt").write_text("newer")
    (out / "encodings").mkdir()
    replace(out, "newest")
    assert (out / "notes.txt").read_text() == "newer"
    (aside,) = set_aside(out)
    assert (aside / "dataset" / "notes.txt").read_text() == "mine"


def test_siblings_of_other_datasets_are_left_alone(tmp_path: Path) -> None:
    names = [".shop.x.abcdefgh.old", ".shop.ABCDEFGH.old", ".shops.abcdefgh.old", "shop.old"]
    for name in names:
        (tmp_path / name / "dataset").mkdir(parents=True)
    replace(tmp_path / "shop", "new")
    assert set(names) < {entry.name for entry in tmp_path.iterdir()}
    assert [entry.name for entry in (tmp_path / "shop").iterdir()] == ["dataset.json"]
