"""A run directory with a damaged or missing file is refused in one line that names it."""

from pathlib import Path

import pytest

from cliper.errors import InputError
from cliper.runs import RunDirectory


@pytest.mark.parametrize("content", [b"", b"- a list", b"a: [", b"\xff\xfe"])
def test_a_broken_config(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(InputError, match=r"config\.yaml"):
        RunDirectory(tmp_path).read_config()


def test_missing_and_damaged_tables(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    with pytest.raises(InputError, match=r"seen\.parquet: a part of the run is missing"):
        run.read_seen()
    (tmp_path / "vocabulary.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"vocabulary\.parquet: damaged"):
        run.read_vocabulary()
