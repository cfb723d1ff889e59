"""What fuzzing once found, and two thousand cases more: a value or one line comes out.

`benchmarks/fuzz.py` plays a million of them, and keeps what it finds in the corpus here.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cliper.encoders.registry import ENCODERS
from cliper.errors import CliperError
from generated.fuzz import Finding, Player, all_readers
from generated.fuzz.reader import reader

CORPUS = Path(__file__).parent / "corpus"
CASES = 2_000


@pytest.fixture(scope="module")
def players(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Player]]:
    folder = tmp_path_factory.mktemp("fuzz")
    yield {name: Player(reader, folder / name) for name, reader in all_readers().items()}
    ENCODERS.entries.pop("hashed")  # of these readers alone


def test_valid_files_are_read(players: dict[str, Player]) -> None:
    told = {
        f"{name}: {file}": found
        for name, player in players.items()
        for file, found in player.valid()
        if found != "read"
    }
    assert not told


def test_what_was_found_is_mended(players: dict[str, Player]) -> None:
    told: dict[str, Finding] = {}
    for path in sorted(CORPUS.glob("*/*")):
        name = path.name.partition(".")[2].replace("~", "/")
        found = players[path.parent.name].play(name, path.read_bytes())
        if isinstance(found, Finding):
            told[f"{path.parent.name}/{path.name}"] = found
    assert not told


def test_damaged_files(players: dict[str, Player]) -> None:
    told: dict[str, Finding] = {}
    shares = sum(player.reader.share for player in players.values())
    for name, player in players.items():
        for number in range(max(1, round(CASES * player.reader.share / shares))):
            file, data = player.case(-1, number)
            found = player.play(file, data)
            if isinstance(found, Finding):
                told[f"{name} {number} ({file})"] = found
    assert not told


def test_a_reader_that_raises_is_a_finding(tmp_path: Path) -> None:
    """The judge judges."""

    def loop(_: Path) -> object:
        while True:
            pass

    def fail(_: Path) -> object:
        raise KeyError("x")

    def ramble(_: Path) -> object:
        raise CliperError("one\ntwo")

    def warn(_: Path) -> object:
        return np.float32(1e38) * np.float32(10)

    def refuse(_: Path) -> object:
        raise CliperError("one")

    kinds = []
    for read in (loop, fail, ramble, warn, refuse):
        player = Player(reader("x", {"a": b"x"}, read), tmp_path / read.__name__, seconds=0.1)
        found = player.play("a", b"y")
        kinds.append(found if isinstance(found, str) else found.kind.partition(",")[0])
    assert kinds == [
        "too slow", "KeyError", "CliperError of several lines or a long one", "RuntimeWarning",
        "refused",
    ]  # fmt: skip
