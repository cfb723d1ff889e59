"""Encoding a dataset through its store: each content once, whatever happens in between."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cliper.data.catalogue import Catalogue
from cliper.data.dataset import Dataset
from cliper.data.vocabulary import Vocabulary
from cliper.encoders import encode, encode_fill
from cliper.encoders.base import Encodings
from cliper.encoders.content import encoder_folder
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.images import ImageFailure
from cliper.encoders.store import KEY, RowStore, content_key
from cliper.errors import InputError, MismatchError

from .encode_world import CountingEncoder, FakeViews, choose, dataset_of, paint, row, views_of

N = 12


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_fill, "TEXT_CHUNK", 4)
    monkeypatch.setattr(encode_fill, "IMAGE_CHUNK", 3)


class Runner:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch
        self.encoder = CountingEncoder()
        self.report = EncodeReport("")

    def __call__(
        self, dataset: Dataset, views: FakeViews, stop_after: int | None = None
    ) -> Encodings:
        self.encoder = CountingEncoder(stop_after)
        self.patch.setattr(encode, "open_encoder", lambda _: self.encoder)
        return encode.encode_dataset(
            dataset, views, choose("counting"), on_report=lambda r: setattr(self, "report", r)
        )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(monkeypatch)


def test_every_row_is_where_it_belongs(tmp_path: Path, run: Runner) -> None:
    views = views_of(N)
    got = run(dataset_of(tmp_path, N), views)
    for c, texts in enumerate(views.texts):
        for i, text in enumerate(texts):
            expected = np.zeros(6) if text is None else row(text.encode(), 6)
            np.testing.assert_array_equal(got.text[c, i], expected)
            assert got.text_present[c, i] == (text is not None)
    for i in range(N):
        there = i not in (3, 4, 5)
        assert got.image_present[i] == there
        data = (tmp_path / "images" / f"{i}.png").read_bytes() if there else b""
        np.testing.assert_array_equal(got.image[i], row(data, 6) if there else np.zeros(6))
    assert got.views == ("title", "brand")
    assert len(run.encoder.texts) == len(set(run.encoder.texts)) == 11 + 3
    assert run.report.failed_images == {"no such file": 1, "not an image": 1}
    assert (run.report.encoded_texts, run.report.encoded_images) == (14, 9)


def test_a_second_run_encodes_nothing(tmp_path: Path, run: Runner) -> None:
    first = run(dataset_of(tmp_path, N), views_of(N))
    again = run(dataset_of(tmp_path / ".", N), views_of(N))
    assert run.encoder.texts == run.encoder.images == []
    assert (run.report.reused_texts, run.report.reused_images) == (14, 9)
    assert run.report.failed_images == {"no such file": 1, "not an image": 1}
    assert again.key == first.key
    np.testing.assert_array_equal(again.text, first.text)


def failing_once(run: Runner, monkeypatch: pytest.MonkeyPatch, item: int, reason: str) -> None:
    """The next encoder says that it could not use one item's picture."""
    whole = CountingEncoder.encode_image

    def encode_image(self: CountingEncoder, images: Sequence[Path]) -> np.ndarray:
        rows = whole(self, images)
        for at, path in enumerate(images):
            if path.name == f"{item}.png":
                rows[at] = np.nan
                self.image_failures += (ImageFailure(at, reason),)
        return rows

    monkeypatch.setattr(CountingEncoder, "encode_image", encode_image)


@pytest.mark.parametrize("reason", ["not readable", "no such file", "out of memory", "the weather"])
def test_a_passing_failure_is_not_remembered(
    tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    dataset = dataset_of(tmp_path, N)
    with monkeypatch.context() as once:
        failing_once(run, once, 7, reason)
        first = run(dataset, views_of(N))
        assert not first.image_present[7]
        assert run.report.failed_images == {
            "no such file": 1,
            "not an image": 1,
            encode_fill.NOT_THIS_TIME: 1,
        }
    again = run(dataset, views_of(N))
    assert run.encoder.images == ["7.png"]
    assert again.image_present[7]
    assert run.report.failed_images == {"no such file": 1, "not an image": 1}
    whole = run(dataset_of(tmp_path / "whole", N), views_of(N))
    assert again.image.tobytes() == whole.image.tobytes()
    assert again.key == whole.key


def test_a_passing_failure_that_was_remembered_once_is_tried_again(
    tmp_path: Path, run: Runner
) -> None:
    """Stores of the first version kept every reason."""
    dataset = dataset_of(tmp_path, N)
    folder = encoder_folder(tmp_path / "encodings", "counting", "f" * 64)
    key = content_key((tmp_path / "images" / "7.png").read_bytes())
    code = np.array([[encode_fill.REASONS.index("not readable")]], dtype=np.float32)
    RowStore(folder / "failed", 1).append(np.array([key], dtype=KEY), code)
    assert run(dataset, views_of(N)).image_present[7]
    assert run(dataset, views_of(N)).image_present[7]
    assert run.encoder.images == []


@pytest.mark.parametrize("stop_after", range(8))
def test_interrupted_work_resumes_to_the_same_bytes(
    tmp_path: Path, run: Runner, stop_after: int
) -> None:
    whole = run(dataset_of(tmp_path / "whole", N), views_of(N))
    total = len(run.encoder.texts) + len(run.encoder.images)
    dataset = dataset_of(tmp_path / "cut", N)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, views_of(N), stop_after)
    done = len(run.encoder.texts) + len(run.encoder.images)
    assert not list((tmp_path / "cut").rglob("*.part"))
    resumed = run(dataset, views_of(N))
    assert len(run.encoder.texts) + len(run.encoder.images) == total - done
    assert resumed.text.tobytes() == whole.text.tobytes()
    assert resumed.image.tobytes() == whole.image.tobytes()
    assert resumed.key == whole.key


def test_a_changed_template_encodes_that_view_alone(tmp_path: Path, run: Runner) -> None:
    dataset = dataset_of(tmp_path, N)
    before = run(dataset, views_of(N))
    after = run(dataset, views_of(N, brand="Made by {}"))
    assert sorted(run.encoder.texts) == [f"Made by maker {i}" for i in range(3)]
    assert run.encoder.images == []
    np.testing.assert_array_equal(after.text[0], before.text[0])
    assert after.key != before.key
    assert run(dataset, views_of(N)).key == before.key  # the former is still there
    assert run.encoder.texts == []


def test_a_changed_item_is_encoded_alone(tmp_path: Path, run: Runner) -> None:
    dataset = dataset_of(tmp_path, N)
    run(dataset, views_of(N))
    paint(tmp_path, 7, (0, 99, 0))
    views = views_of(N)
    views.texts[0][8] = "The title is new"
    got = run(dataset, views)
    assert run.encoder.texts == ["The title is new"]
    assert run.encoder.images == ["7.png"]
    np.testing.assert_array_equal(got.text[0, 8], row(b"The title is new", 6))


def test_new_items_and_another_order_reuse_the_rows(tmp_path: Path, run: Runner) -> None:
    run(dataset_of(tmp_path, N), views_of(N))
    run(dataset_of(tmp_path, N + 2), views_of(N + 2))
    assert run.encoder.texts == [f"The title is thing {i}" for i in (N, N + 1)]
    assert run.encoder.images == [f"{N}.png", f"{N + 1}.png"]


def test_a_damaged_chunk_is_encoded_again(tmp_path: Path, run: Runner) -> None:
    dataset = dataset_of(tmp_path, N)
    before = run(dataset, views_of(N))
    chunk = sorted((tmp_path / "encodings").rglob("text/*.rows.npy"))[0]
    chunk.write_bytes(chunk.read_bytes()[:-1])
    again = run(dataset, views_of(N))
    assert run.report.damaged_chunks == 1
    assert 0 < len(run.encoder.texts) <= 4
    np.testing.assert_array_equal(again.text, before.text)


def test_what_was_assembled_is_mapped_and_not_read(tmp_path: Path, run: Runner) -> None:
    dataset, views = dataset_of(tmp_path, N), views_of(N)
    made = run(dataset, views)
    again = run(dataset, views)
    assert run.encoder.texts == [] and again.key == made.key
    assert isinstance(again.text, np.memmap)


def test_damaged_arrays_are_refused(tmp_path: Path, run: Runner) -> None:
    dataset, views = dataset_of(tmp_path, N), views_of(N)
    run(dataset, views)
    text = next((tmp_path / "encodings").rglob("text.npy"))
    text.write_bytes(text.read_bytes()[:200])
    with pytest.raises(InputError, match=r"damaged or replaced.*delete this folder"):
        run(dataset, views)


def test_what_cannot_be_encoded_is_said(tmp_path: Path, run: Runner) -> None:
    dataset = dataset_of(tmp_path, N)
    with pytest.raises(MismatchError, match="another catalogue"):
        run(dataset, views_of(N + 1))
    assert dataset.catalogue is not None
    with pytest.raises(InputError, match="no catalogue"):
        run(Dataset("x", dataset.interactions, None, tmp_path), views_of(N))
    with pytest.raises(InputError, match="save it first"):
        run(Dataset("x", dataset.interactions, dataset.catalogue), views_of(N))


def test_a_catalogue_without_pictures(tmp_path: Path, run: Runner) -> None:
    dataset = dataset_of(tmp_path, N)
    assert dataset.catalogue is not None
    bare = Catalogue(dataset.items, dataset.catalogue.table, (None,) * N, tmp_path)
    got = run(Dataset("x", dataset.interactions, bare, tmp_path), views_of(N))
    assert not got.image_present.any()
    assert not got.image.any()


def test_renamed_items_find_what_their_content_gave(tmp_path: Path, run: Runner) -> None:
    before, views = dataset_of(tmp_path, N), views_of(N)
    first = run(before, views)
    items = Vocabulary([f"new-{i}" for i in range(N)])
    assert before.catalogue is not None
    catalogue = replace(before.catalogue, items=items)
    log = replace(before.interactions, items=items)
    second = run(replace(before, interactions=log, catalogue=catalogue), views)
    assert run.report.encoded_texts == run.report.encoded_images == 0
    assert (first.items_hash, second.items_hash) == (before.items.hash, items.hash)
    np.testing.assert_array_equal(first.text, second.text)


def test_the_embedded_encoder_refuses_what_would_have_no_effect(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no effect on 'embedded'"):
        settings = choose(long_text="chunk-mean")
        encode.encode_dataset(dataset_of(tmp_path, N), views_of(N), settings)


def test_several_pictures_are_their_mean(tmp_path: Path, run: Runner) -> None:
    """By a loop: each picture's known row made a unit, their mean of the mean length."""
    dataset, views = dataset_of(tmp_path, N), views_of(N)
    assert dataset.catalogue is not None
    more: list[tuple[str, ...]] = [() for _ in range(N)]
    more[0] = ("images/1.png", "images/2.png")
    more[4] = ("images/6.png",)  # its own is gone
    more[5] = ("images/7.png", "images/8.png")  # its own cannot be used
    more[9] = ("images/5.png",)
    several = replace(dataset, catalogue=replace(dataset.catalogue, more_images=tuple(more)))
    single = run(dataset, views)
    got = run(several, views)
    assert run.encoder.images == []  # nothing is encoded twice
    pictures = {0: (0, 1, 2), 4: (6,), 5: (7, 8), 9: (9,)}
    for i in range(N):
        files = pictures.get(i, () if i == 3 else (i,))
        rows = [row((tmp_path / f"images/{f}.png").read_bytes(), 6) for f in files]
        expected = np.zeros(6)
        if rows:
            direction = np.mean([r / np.linalg.norm(r) for r in rows], axis=0)
            length = np.mean([np.linalg.norm(r) for r in rows])
            expected = direction / np.linalg.norm(direction) * length
        np.testing.assert_allclose(got.image[i], expected, atol=1e-6)
        assert got.image_present[i] == bool(rows)
    assert got.key != single.key
    again = run(several, views)
    np.testing.assert_array_equal(got.image, again.image)
