"""`embedded` and `vanilla` over one dataset's store, on networks whose rows are known."""

from pathlib import Path

import numpy as np
import pytest

from cliper.data.dataset import Dataset
from cliper.encoders.alignment import Alignment
from cliper.encoders.content import Content
from cliper.encoders.efficientnet import EfficientNetLite
from cliper.encoders.embedded import EmbeddedEncoder
from cliper.encoders.embedded_fit import FittedEmbedded
from cliper.encoders.encode import encode_dataset
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.minilm import MiniLM
from cliper.encoders.registry import create_encoder
from cliper.encoders.vanilla import encode_vanilla
from cliper.errors import InputError

from .encode_world import CountingEncoder, FakeViews, choose, dataset_of, paint, row, views_of

N = 90


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Replace both networks by known rows; counts what they are asked for."""
    counts = {"texts": 0, "images": 0}

    def text(self: MiniLM, texts: list[str]) -> np.ndarray:
        counts["texts"] += len(texts)
        return np.stack([row(t.encode(), 384) for t in texts])

    def image(self: EfficientNetLite, paths: list[Path]) -> tuple[np.ndarray, tuple]:
        counts["images"] += len(paths)
        fake = CountingEncoder()
        fake.width = 1280
        return fake.encode_image(paths), fake.image_failures

    monkeypatch.setattr(MiniLM, "encode_text", text)
    monkeypatch.setattr(EfficientNetLite, "encode_image", image)
    return counts


def test_both_sides_are_the_stored_rows_projected(tmp_path: Path, asked: dict[str, int]) -> None:
    views = views_of(N)
    got = encode_dataset(dataset_of(tmp_path, N), views)
    alignment = Alignment.load(next(tmp_path.rglob("alignment.safetensors")))
    title = views.texts[0][7]
    assert title is not None
    expected = alignment.project_text(row(title.encode(), 384)[None])[0]
    np.testing.assert_allclose(got.text[0, 7], expected, rtol=1e-5, atol=1e-5)
    data = (tmp_path / "images" / "7.png").read_bytes()
    expected = alignment.project_image(row(data, 1280)[None])[0]
    np.testing.assert_allclose(got.image[7], expected, rtol=1e-4, atol=1e-5)
    assert not got.image[[3, 4, 5]].any()
    assert not got.text[:, 1].any()
    assert got.text.shape == (2, N, 384)


def test_fit_once_then_reuse_and_a_new_seed_encodes_nothing(
    tmp_path: Path, asked: dict[str, int]
) -> None:
    dataset, views = dataset_of(tmp_path, N), views_of(N)
    reports: list[EncodeReport] = []
    first = encode_dataset(dataset, views, on_report=reports.append)
    assert reports[0].retrieval_recall_at_10 is not None
    assert reports[0].retrieval_chance == pytest.approx(1.0)  # nine held out: says nothing here
    assert reports[0].failed_images == {"no such file": 1, "not an image": 1}
    asked.update(texts=0, images=0)
    again = encode_dataset(dataset, views, on_report=reports.append)
    other = fitted(dataset, views, seed=1)
    assert asked == {"texts": 0, "images": 0}
    assert again.key == first.key != other
    assert reports[1].retrieval_recall_at_10 == reports[0].retrieval_recall_at_10
    assert fitted(dataset, views, seed=0) == first.key
    assert fitted(dataset, views, seed=1) == other


def fitted(dataset: Dataset, views: FakeViews, seed: int) -> str:
    content = Content.of(dataset, views.names, views.texts)
    space = FittedEmbedded(choose(), seed).encode(content, EncodeReport("embedded"))
    return space.content.key(space.digest)


def test_two_stores_same_seed_same_bytes(tmp_path: Path, asked: dict[str, int]) -> None:
    one = encode_dataset(dataset_of(tmp_path / "a", N), views_of(N))
    two = encode_dataset(dataset_of(tmp_path / "b", N), views_of(N))
    assert one.text.tobytes() == two.text.tobytes()
    assert one.image.tobytes() == two.image.tobytes()
    assert one.key == two.key


def test_one_changed_text_is_encoded_alone(tmp_path: Path, asked: dict[str, int]) -> None:
    dataset = dataset_of(tmp_path, N)
    encode_dataset(dataset, views_of(N))
    asked.update(texts=0, images=0)
    views = views_of(N)
    views.texts[0][9] = "another title"
    paint(tmp_path, 9, (9, 9, 9))
    encode_dataset(dataset, views)
    assert asked == {"texts": 1, "images": 1}


def test_vanilla_is_the_unprojected_rows_and_shares_the_pictures(
    tmp_path: Path, asked: dict[str, int]
) -> None:
    dataset, views = dataset_of(tmp_path, N), views_of(N)
    encode_dataset(dataset, views)
    asked.update(texts=0, images=0)
    got = encode_vanilla(dataset, views)
    assert asked["images"] == 0
    assert asked["texts"] == N - 1 - 1  # one item has no text, one no brand: its whole is a title
    whole = views.whole[8]
    assert whole is not None
    np.testing.assert_array_equal(got.text[8], row(whole.encode(), 384))
    data = (tmp_path / "images" / "8.png").read_bytes()
    np.testing.assert_array_equal(got.image[8], row(data, 1280))
    assert np.flatnonzero(~got.image_present).tolist() == [3, 4, 5]
    assert np.flatnonzero(~got.text_present).tolist() == [1]
    asked.update(texts=0, images=0)
    np.testing.assert_array_equal(encode_vanilla(dataset, views).image, got.image)
    assert asked == {"texts": 0, "images": 0}


def test_embedded_stands_on_a_catalogue_only() -> None:
    with pytest.raises(InputError, match="fitted on a catalogue"):
        create_encoder("embedded")


def test_an_unknown_dtype_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'torch' does not compute in int8"):
        encode_dataset(dataset_of(tmp_path, 8), views_of(8), choose(dtype="int8"))


def test_bfloat16_is_refused_for_the_packaged_image_network(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, 8)
    with pytest.raises(InputError, match=r"encoder.dtype: bfloat16 is too coarse .*float16"):
        encode_dataset(dataset, views_of(8), choose(dtype="bfloat16"))
    with pytest.raises(InputError, match=r"encoder.dtype: bfloat16 is too coarse .*float16"):
        encode_vanilla(dataset, views_of(8), choose(dtype="bfloat16"))


def test_fitted_by_hand_with_the_real_networks(tmp_path: Path) -> None:
    dataset, views = dataset_of(tmp_path, 8), views_of(8)
    assert dataset.catalogue is not None
    paths = dataset.catalogue.image_paths()
    encoder = EmbeddedEncoder.fit(views.texts, paths, seed=0)
    assert encoder.encode_text(["a red shoe"]).shape == (1, 384)
    existing = [paths[0], paths[5]]
    out = encoder.encode_image([path for path in existing if path is not None])
    assert np.isfinite(out[0]).all()
    assert np.isnan(out[1]).all()
    assert len(encoder.hash) == 64
