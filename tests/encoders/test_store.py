"""The row store: what is there is found, what is broken is absent, nothing is half written."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.encoders.store import ABSENT, KEY, RowStore, content_key, text_keys
from cliper.errors import InputError


def rows_of(texts: list[str]) -> np.ndarray:
    """A row that only its text decides."""
    seeds = [int(content_key(text.encode()), 16) % 2**32 for text in texts]
    return np.stack([np.random.default_rng(s).normal(size=3) for s in seeds]).astype(np.float32)


def filled(folder: Path, *chunks: list[str]) -> RowStore:
    store = RowStore(folder, 3)
    for chunk in chunks:
        store.append(text_keys(chunk), rows_of(chunk))
    return RowStore(folder, 3)


@settings(max_examples=30, deadline=None)
@given(
    stored=st.lists(st.text(max_size=4), unique=True, max_size=12),
    asked=st.lists(st.text(max_size=4) | st.none(), max_size=20),
    cut=st.integers(1, 5),
)
def test_reads_what_was_appended(
    tmp_path_factory: pytest.TempPathFactory,
    stored: list[str],
    asked: list[str | None],
    cut: int,
) -> None:
    chunks = [stored[i : i + cut] for i in range(0, len(stored), cut)]
    store = filled(tmp_path_factory.mktemp("store"), *chunks)
    known = [text is not None and text in stored for text in asked]
    assert store.holds(text_keys(asked)).tolist() == known
    wanted = [text if text in stored else None for text in asked]
    expected = [np.zeros(3) if text is None else rows_of([text])[0] for text in wanted]
    np.testing.assert_array_equal(store.read(text_keys(wanted)), np.reshape(expected, (-1, 3)))


def test_a_missing_row_is_an_error_not_zeros(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 encodings are missing"):
        filled(tmp_path, ["a"]).read(text_keys(["a", "b"]))


def test_different_texts_have_different_keys_and_no_text_has_none() -> None:
    keys = text_keys(["", "a", "A", "a ", None])
    assert keys.dtype == KEY
    assert len(set(keys.tolist())) == 5
    assert keys[4] == ABSENT


def test_the_same_row_twice_is_harmless(tmp_path: Path) -> None:
    store = filled(tmp_path, ["a", "b"], ["b", "c"])
    np.testing.assert_array_equal(store.read(text_keys(["b"])), rows_of(["b"]))


@pytest.mark.parametrize("damage", ["rows cut", "rows gone", "keys cut", "keys empty", "width"])
def test_a_damaged_chunk_is_as_if_absent_and_can_be_written_again(
    tmp_path: Path, damage: str
) -> None:
    filled(tmp_path, ["a", "b"], ["c"])
    name = next(p for p in tmp_path.glob("*.keys.npy") if len(np.load(p)) == 2).name[:16]
    keys, rows = tmp_path / f"{name}.keys.npy", tmp_path / f"{name}.rows.npy"
    if damage == "rows cut":
        rows.write_bytes(rows.read_bytes()[:-5])
    elif damage == "rows gone":
        rows.unlink()
    elif damage == "keys cut":
        keys.write_bytes(keys.read_bytes()[:-5])
    elif damage == "keys empty":
        keys.write_bytes(b"")
    else:
        np.save(rows, np.zeros((2, 4), np.float32))
    store = RowStore(tmp_path, 3)
    assert store.holds(text_keys(["a", "b", "c"])).tolist() == [False, False, True]
    assert store.damaged == (name,)
    store.append(text_keys(["a", "b"]), rows_of(["a", "b"]))
    assert store.damaged == () or RowStore(tmp_path, 3).damaged == ()
    np.testing.assert_array_equal(store.read(text_keys(["b"])), rows_of(["b"]))


def test_a_chunk_counts_only_once_its_keys_are_there(tmp_path: Path) -> None:
    filled(tmp_path, ["a"])
    next(tmp_path.glob("*.keys.npy")).unlink()  # killed between the two files
    assert not RowStore(tmp_path, 3).holds(text_keys(["a"])).any()


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        RowStore(tmp_path, 3).append(text_keys(["a"]), rows_of(["a"]))
    assert list(tmp_path.iterdir()) == []


def test_rows_must_fit_their_keys(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="width 3"):
        RowStore(tmp_path, 3).append(text_keys(["a"]), np.zeros((1, 4), np.float32))
