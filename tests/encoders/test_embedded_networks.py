"""The two packaged networks against implementations that are not ours."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cliper.encoders.efficientnet import EfficientNetLite, crop_pixels, load_plain, normalise
from cliper.encoders.images import open_rgb
from cliper.encoders.minilm import MiniLM
from cliper.encoders.packaged import package_folder
from cliper.errors import InputError

TEXTS = [
    "The product title is Red shoe",
    "",
    "émile 中文 😀 ﬁn",
    "a " * 400,
    "one two three " * 20,
    "The product title is Red shoe",
    "x",
]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM(batch_size=3)


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    return EfficientNetLite(batch_size=4)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    paths = []
    for i, size in enumerate([(300, 200), (185, 278), (64, 64), (224, 224), (1200, 900)]):
        coarse = Image.fromarray(rng.integers(0, 255, (6, 5, 3), dtype=np.uint8))
        paths.append(folder / f"{i}.{'jpg' if i % 2 else 'png'}")
        coarse.resize(size, Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def test_minilm_equals_sentence_transformers(minilm: MiniLM) -> None:
    library = pytest.importorskip("sentence_transformers")
    oracle = library.SentenceTransformer(str(minilm.folder), device="cpu")
    assert oracle.max_seq_length == minilm.max_tokens
    got = minilm.encode_text(TEXTS)
    assert got.shape == (7, 384)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, oracle.encode(TEXTS), atol=2e-6)


def test_neighbours_in_a_batch_change_nothing_but_rounding(minilm: MiniLM) -> None:
    together = minilm.encode_text(TEXTS)
    alone = np.concatenate([minilm.encode_text([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-6)
    assert minilm.encode_text([]).shape == (0, 384)


def test_equal_texts_are_encoded_once(minilm: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    pooled = minilm._pooled
    monkeypatch.setattr(
        minilm, "_pooled", lambda ids, mask: sizes.append(len(ids)) or pooled(ids, mask)
    )
    out = minilm.encode_text(["a", "b", "a", "a"])
    assert sum(sizes) == 2
    np.testing.assert_array_equal(out[0], out[3])


def test_what_is_truncated_is_counted() -> None:
    minilm = MiniLM()
    fits, over = "a " * 254, "a " * 255  # and two special tokens
    for text, cut in ((fits, 0), (over, 1), ("", 1), ("ab cd " * 200, 2)):
        minilm.encode_text([text])
        assert minilm.text_counts.truncated == cut
    assert minilm.count_tokens([fits, over, ""]).tolist() == [256, 257, 2]
    np.testing.assert_allclose(*minilm.encode_text([fits, over]), atol=2e-6)


def test_the_library_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    MiniLM().encode_text(["a"])
    assert capfd.readouterr() == ("", "")


def test_the_folded_network_equals_the_plain_one(
    network: EfficientNetLite, pictures: list[Path]
) -> None:
    plain = load_plain(network.weights)
    pixels = torch.from_numpy(np.stack([crop_pixels(open_rgb(p, 448)) for p in pictures]))
    with torch.inference_mode():
        maps = plain.extract_features(normalise(pixels.permute(0, 3, 1, 2)).contiguous())
        expected = maps.mean((2, 3)).numpy()
    got, failures = network.encode_image(pictures)
    assert failures == ()
    assert got.shape == (5, 1280)
    assert expected.max() > 1
    np.testing.assert_allclose(got, expected, atol=5e-5)


def test_folding_is_seen_when_normalisation_matters(network: EfficientNetLite) -> None:
    norms = [m for m in load_plain(network.weights).modules() if isinstance(m, nn.BatchNorm2d)]
    folded = [m for m in network._network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) > 40
    assert folded == []


def test_a_broken_picture_is_a_row_of_nan_with_its_reason(
    network: EfficientNetLite, pictures: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no")
    rows, failures = network.encode_image([pictures[0], bad, pictures[1]])
    assert [(f.index, f.reason) for f in failures] == [(1, "not an image")]
    assert np.isnan(rows[1]).all()
    assert np.isfinite(rows[[0, 2]]).all()
    none, _ = network.encode_image([bad])
    assert np.isnan(none).all()


def test_known_pictures_are_recognised() -> None:
    """The preprocessing is right: a daisy is a daisy (ImageNet class 985)."""
    samples = pytest.importorskip("sklearn.datasets").__file__
    path = Path(samples).parent / "images" / "flower.jpg"
    plain = load_plain(EfficientNetLite().weights)
    pixels = torch.from_numpy(crop_pixels(open_rgb(path)).copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        assert int(plain(normalise(pixels)).argmax()) == 985


def test_hashes_tell_precision_apart_and_are_stable() -> None:
    assert MiniLM().hash == MiniLM().hash != MiniLM(dtype=torch.bfloat16).hash
    assert EfficientNetLite().hash != EfficientNetLite(dtype=torch.bfloat16).hash


def test_a_missing_package_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"'no-such' .* not installed \(pip install no-such\)"):
        package_folder("no_such", "no-such")
