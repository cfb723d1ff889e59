"""Both engines: the same results, a lost process costs its own piece, and nobody is left behind."""

import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import pieces

from cliper.errors import InputError
from cliper.parallel import Engine, Here, Processes, Work
from cliper.progress import reporting


def engine(kind: str) -> Engine:
    return Here(40) if kind == "here" else Processes(pieces.number, 2, threads=3)


@pytest.fixture(params=["here", "processes"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def work(*functions, **arguments) -> list[Work]:
    return [Work(n, f.__name__, f, arguments) for n, f in enumerate(functions)]


class Bars:
    def __init__(self) -> None:
        self.done: dict[str, float] = {}

    @contextmanager
    def task(self, description, total, unit=""):
        bars = self

        class Bar:
            def advance(self, amount: float = 1, note: str = "") -> None:
                bars.done[description] = bars.done.get(description, 0) + amount

        yield Bar()


def test_every_piece_is_done_and_what_fails_costs_itself_alone(kind: str) -> None:
    given = [*work(pieces.add, pieces.fails, by=2), Work(9, "more", pieces.add, {"by": 5})]
    given[1] = Work(1, "fails", pieces.fails, {})
    with engine(kind) as made:
        found = {r.number: (r.name, r.value, r.error) for r in made.results(iter(given))}
    assert found == {
        0: ("add", 42, ""), 1: ("fails", None, "ValueError: two lines"), 9: ("more", 45, ""),
    }  # fmt: skip


def test_a_piece_may_depend_on_the_results_before_it(kind: str) -> None:
    values: list[int] = []

    def each():
        while len(values) < 3:
            yield Work(0, "add", pieces.add, {"by": sum(values)})

    with Here(40) if kind == "here" else Processes(pieces.number, 1) as made:
        for result in made.results(each()):
            values.append(result.value)  # noqa: PERF401 (read on the way)
    assert values == [40, 80, 160]


def test_wrong_input_ends_it_all(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = Work(0, "no_path", pieces.no_path, {"path": str(tmp_path / "file")})
    for piece, line in ((work(pieces.refuses)[0], "here: no such thing"), (nowhere, "file")):
        with engine(kind) as made, pytest.raises(InputError, match=line):
            list(made.results(iter([piece])))


def test_a_killed_process_costs_its_own_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cliper.parallel.processes.TRIES", 2)
    with Processes(pieces.number, 1, threads=1) as made:
        given = work(pieces.process, pieces.killed, pieces.process)
        before, lost, after = made.results(iter(given))
    assert lost.error.startswith("its worker process was ended from outside 2 times")
    assert before.value[0] != after.value[0] and after.value[1] == 1


def test_what_a_killed_process_had_is_done_again(tmp_path: Path) -> None:
    with Processes(pieces.number, 1, threads=1) as made:
        given = work(pieces.killed_once, path=str(tmp_path / "was-here"))
        assert [one.value for one in made.results(iter(given))] == [41]


def test_progress_is_shown_under_the_name_of_the_piece() -> None:
    bars = Bars()
    with reporting(bars), engine("processes") as made:
        list(made.results(iter(work(pieces.add, by=1000))))
    assert bars.done == {"add: adding": 1000}


def test_whoever_leaves_early_leaves_nobody_behind(tmp_path: Path) -> None:
    path = tmp_path / "log"
    endless = Work(0, "runs_on", pieces.runs_on, {"path": str(path)})
    with pytest.raises(KeyboardInterrupt), Processes(pieces.number, 2) as made:
        for _ in made.results(iter([Work(1, "add", pieces.add, {"by": 1}), endless])):
            while not path.is_file() or not path.stat().st_size:
                time.sleep(0.01)
            raise KeyboardInterrupt
    size = path.stat().st_size
    time.sleep(0.3)
    assert path.stat().st_size == size > 0
