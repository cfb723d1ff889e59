"""The engine of a cluster does what the others do; a lost worker's piece is done again."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import pieces

from cliper.errors import InputError
from cliper.parallel import Cluster, OnRay, Work


def test_what_cannot_be_reached_is_one_line() -> None:
    pytest.importorskip("ray", reason="the engine is an extra, cliper[ray]")
    with pytest.raises(InputError, match="--ray-address nonsense://x: no Ray cluster"):
        Cluster(pieces.number, OnRay(1, "nonsense://x")).__enter__()


@pytest.mark.usefixtures("under_ray")
def test_pieces_are_done_failed_lost_and_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cliper.parallel.cluster.TRIES", 2)
    given = [
        Work(0, "add", pieces.add, {"by": 2}),
        Work(1, "fails", pieces.fails, {}),
        Work(2, "killed", pieces.killed, {}),
        Work(3, "killed once", pieces.killed_once, {"path": "was-here"}),
        Work(4, "process", pieces.process, {}),
    ]
    with Cluster(pieces.number, OnRay(2)) as made:
        found = {r.number: r for r in made.results(iter(given))}
    assert (found[0].value, found[1].error) == (42, "ValueError: two lines")
    assert "ended from outside 2 times" in found[2].error and found[2].name == "killed"
    assert found[3].value == 41 and (tmp_path / "was-here").is_file()
    assert found[4].value[1] == 1  # thread
    refused = iter([Work(0, "refuses", pieces.refuses, {})])
    with (
        pytest.raises(InputError, match="here: no such thing"),
        Cluster(pieces.number, OnRay(1)) as made,
    ):
        list(made.results(refused))


def test_without_ray_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"ray is not installed.*cliper\[ray\]"):
        Cluster(pieces.number, OnRay(1)).__enter__()
