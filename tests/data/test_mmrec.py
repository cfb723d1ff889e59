from pathlib import Path

import numpy as np
import pytest

from cliper.data import Dataset, make_split, prepare_mmrec, prepare_summary
from cliper.errors import InputError
from cliper.files import sha256_file

LOG = "userID\titemID\trating\ttimestamp\tx_label\n" + "\n".join(
    ["10\t0\t5.0\t100\t0", "2\t3\t4.0\t50\t2", "2\t1\t4.0\t40\t1", "2\t0\t1.0\t30\t0"]
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "baby"
    folder.mkdir()
    (folder / "baby.inter").write_text(LOG + "\n")
    rng = np.random.default_rng(0)
    image = rng.standard_normal((5, 6))
    image[4] = 0
    np.save(folder / "image_feat.npy", image)
    np.save(folder / "text_feat.npy", rng.standard_normal((3, 5, 4)).astype(np.float32))
    return folder


def test_the_whole_way(source: Path, tmp_path: Path) -> None:
    dataset = prepare_mmrec(source, tmp_path / "out")
    assert dataset.name == "baby"
    assert dataset.users.ids() == ["2", "10"]
    assert dataset.items.ids() == ["0", "1", "2", "3", "4"]  # 2 and 4 have no interaction
    log = dataset.interactions
    assert log.timestamp is not None
    assert log.rating is not None
    rows = zip(log.user_index, log.item_index, log.rating, log.timestamp, strict=True)
    assert [tuple(map(int, row)) for row in rows] == [
        (0, 0, 1, 30),
        (0, 1, 4, 40),
        (0, 3, 4, 50),
        (1, 0, 5, 100),
    ]
    split = make_split(dataset, "given")
    assert split.valid.item_index.tolist() == [1]
    assert split.test.item_index.tolist() == [3]
    assert split.train.user_index.tolist() == [0, 1]
    assert Dataset.load(tmp_path / "out").given_split is not None


def test_features_are_copied_and_described(source: Path, tmp_path: Path) -> None:
    dataset = prepare_mmrec(source, tmp_path / "out")
    features = dataset.about["features"]
    assert features["image"]["shape"] == [5, 6]
    assert features["image"]["zero_rows"] == 1
    assert features["text"]["shape"] == [3, 5, 4]
    for modality in ("image", "text"):
        path = tmp_path / "out" / features[modality]["file"]
        assert path == tmp_path / "out" / "features" / f"{modality}.npy"
        copy = np.load(path, allow_pickle=False)
        assert copy.dtype == np.float32
        expected = np.load(source / f"{modality}_feat.npy").astype(np.float32)
        np.testing.assert_array_equal(copy, expected)
        assert features[modality]["sha256"] == sha256_file(path)
    assert ("kept", "image features (5 × 6), rows of zeros", 1) in prepare_summary(dataset)


def test_pieces_equal_the_whole(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cliper.data.readers.features._ROWS", 2)
    np.save(source / "image_feat.npy", np.asfortranarray(np.load(source / "image_feat.npy")))
    dataset = prepare_mmrec(source, tmp_path / "out")
    for modality in ("image", "text"):
        expected = np.load(source / f"{modality}_feat.npy").astype(np.float32)
        copy = np.load(tmp_path / "out" / "features" / f"{modality}.npy")
        np.testing.assert_array_equal(copy, expected)
    assert dataset.about["features"]["image"]["zero_rows"] == 1


def test_other_spellings_and_no_split(source: Path, tmp_path: Path) -> None:
    (source / "baby.inter").write_text("user_id:token\titem_id:token\n0\t4\n0\t4\n1\t2\n")
    dataset = prepare_mmrec(source, tmp_path / "out", name="b")
    assert dataset.name == "b"
    assert dataset.given_split is None
    assert dataset.interactions.item_index.tolist() == [4, 2]
    assert dataset.about["dropped"]["rows"] == {"the same user and item again": 1}


def test_without_features_items_are_counted_from_the_log(source: Path, tmp_path: Path) -> None:
    (source / "image_feat.npy").unlink()
    (source / "text_feat.npy").unlink()
    dataset = prepare_mmrec(source, tmp_path / "out")
    assert len(dataset.items) == 4
    assert dataset.about["features"] == {}


def test_unreadable_rows_are_counted(source: Path, tmp_path: Path) -> None:
    text = LOG + "\n3\t1\tnan\t3\t0\n3\t2\t1\tsoon\t0\n"
    (source / "baby.inter").write_text(text)
    dataset = prepare_mmrec(source, tmp_path / "out")
    assert dataset.about["dropped"]["rows"] == {
        "rating missing or not readable": 1,
        "timestamp missing or not readable": 1,
    }
    assert dataset.about["read"] == {"rows": 6, "items": 5}
    assert len(dataset.interactions) == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x\t0\t1\t1\t0", "row 6: userID is 'x'"),
        ("-1\t0\t1\t1\t0", "row 6: userID is '-1'"),
        ("1\t0.5\t1\t1\t0", "row 6: itemID is '0.5'"),
        ("1\t5\t1\t1\t0", r"row 6: the features have 5 rows \(items 0 to 4\), itemID is '5'"),
        ("1\t0\t1\t1\t3", r"row 6: x_label is '3' \(0, 1 or 2\)"),
        ("1\t0\t1\t1", "row 6: 4 values where the header names 5"),
    ],
)
def test_bad_rows_are_refused(source: Path, tmp_path: Path, row: str, message: str) -> None:
    (source / "baby.inter").write_text(LOG + "\n" + row + "\n")
    with pytest.raises(InputError, match=message):
        prepare_mmrec(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones(5), "the features are 5 "),
        (np.ones((2, 5, 4)), "the features are 2 × 5 × 4 .items × width"),
        (np.ones((5, 0)), "the features are 5 × 0"),
        (np.array([["a"]] * 5), "no real numbers"),
        (np.array([[None]] * 5, dtype=object), "not a .npy file of plain numbers"),
        (np.array([[1.0], [2], [np.nan], [0], [0]]), "row 2: a feature is NaN"),
        (np.array([[1.0], [2], [1e300], [0], [0]]), "row 2: a feature is NaN, infinite or too"),
    ],
)
def test_bad_features_are_refused(
    source: Path, tmp_path: Path, features: np.ndarray, message: str
) -> None:
    np.save(source / "image_feat.npy", features, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        prepare_mmrec(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_features_that_do_not_fit_each_other(source: Path, tmp_path: Path) -> None:
    np.save(source / "text_feat.npy", np.ones((6, 2)))
    with pytest.raises(InputError, match=r"text_feat\.npy: 6 rows where the image features have 5"):
        prepare_mmrec(source, tmp_path / "out")
    (source / "text_feat.npy").write_bytes((source / "image_feat.npy").read_bytes()[:200])
    with pytest.raises(InputError, match=r"text_feat\.npy: not a \.npy file"):
        prepare_mmrec(source, tmp_path / "out")


def test_the_log_must_be_one(source: Path, tmp_path: Path) -> None:
    (source / "other.inter").write_text(LOG)
    with pytest.raises(InputError, match=r"found: baby\.inter, other\.inter"):
        prepare_mmrec(source, tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        prepare_mmrec(tmp_path / "nowhere", tmp_path / "out")
    (source / "other.inter").unlink()
    (source / "baby.inter").write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match="no column 'userID'"):
        prepare_mmrec(source, tmp_path / "out")


def test_item_numbers_with_huge_gaps_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.inter").write_text("userID\titemID\n0\t0\n0\t2000000000\n")
    with pytest.raises(InputError, match="itemID goes up to 2000000000 and 2 of these"):
        prepare_mmrec(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "out").exists()
