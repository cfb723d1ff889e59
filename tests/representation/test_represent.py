from pathlib import Path

import numpy as np
import pytest
import torch

from cliper.data import Dataset, Interactions, Vocabulary
from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.representation import (
    cliper_features,
    explain,
    given_features,
    random_features,
    similarity,
    vanilla_features,
)

VIEWS = ("title", "brand", "global")


def encodings() -> Encodings:
    """Six items; item 4 has no text, items 1 and 4 no image. Read-only, as a memory map is."""
    rng = np.random.default_rng(0)
    present = np.ones((3, 6), dtype=bool)
    present[:, 4] = False
    present[0, 2] = False
    pictured = np.array([True, False, True, True, False, True])
    text = rng.normal(size=(3, 6, 5)).astype(np.float32) * present[..., None]
    image = rng.normal(size=(6, 5)).astype(np.float32) * pictured[:, None]
    for array in (text, image, present, pictured):
        array.flags.writeable = False
    return Encodings("hash", "clip", "key", VIEWS, text, present, image, pictured)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("fusion", ["attention", "sum", "concat", "mlp"])
def test_rules_for_missing_data(fusion: str) -> None:
    source = encodings()
    features = cliper_features(source, fusion)
    text, image = features.tables["text"], features.tables["image"]
    rest = [0, 1, 2, 3, 5]
    torch.testing.assert_close(text[4], text[rest].mean(0))
    shown = torch.from_numpy(source.image[[0, 2, 3, 5]].copy())
    torch.testing.assert_close(image[1], shown.mean(0))
    torch.testing.assert_close(image[4], shown.mean(0))
    assert torch.equal(image[[0, 2, 3, 5]], shown)
    assert features.touched == {
        "no text: mean text": 1,
        "no image: mean image": 2,
        "no image: uniform weights": 1 if fusion == "attention" else 0,
    }
    assert text.shape == (6, 15 if fusion in ("concat", "mlp") else 5)
    assert features.mlp_width == (5 if fusion == "mlp" else None)
    assert features.temperature == (0.1 if fusion == "attention" else None)


def test_every_option_has_an_effect() -> None:
    source = encodings()
    plain = cliper_features(source).tables["text"]
    for other in (
        cliper_features(source, temperature=0.5),
        cliper_features(source, normalize_views=False),
        cliper_features(source, include=("title", "brand")),
        cliper_features(source, "sum"),
    ):
        assert not torch.allclose(plain, other.tables["text"])


@pytest.mark.parametrize("fusion", ["sum", "concat", "mlp"])
def test_a_temperature_without_effect_is_refused(fusion: str) -> None:
    with pytest.raises(InputError, match="no effect"):
        cliper_features(encodings(), fusion, temperature=0.1)


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="did you mean 'concat'"):
        cliper_features(encodings(), "concatt")
    with pytest.raises(InputError, match="did you mean 'brand'"):
        cliper_features(encodings(), include=["brnd"])
    with pytest.raises(InputError, match="twice"):
        cliper_features(encodings(), include=["brand", "brand"])
    with pytest.raises(InputError, match="at least one"):
        cliper_features(encodings(), include=[])


def test_included_views_come_in_the_order_named() -> None:
    features = cliper_features(
        encodings(), "concat", include=("brand", "title"), normalize_views=False
    )
    assert features.views == ("brand", "title")
    expected = np.concatenate([encodings().text[1, 0], encodings().text[0, 0]])
    np.testing.assert_array_equal(features.tables["text"][0], expected)


def test_explain_gives_the_weights_that_are_used() -> None:
    source = encodings()
    arrays = (source.text, source.image, source.text_present, source.image_present)
    weights = similarity(*(torch.from_numpy(a.copy()) for a in arrays), temperature=0.2)
    rows = explain(source, [5, 2, 1, 4], temperature=0.2)
    for item, row in zip([5, 2, 1, 4], rows, strict=True):
        assert [view.view for view in row] == list(VIEWS)
        assert {view.item for view in row} == {item}
        np.testing.assert_allclose([v.weight for v in row], weights[item], atol=1e-6)
    a, b = source.text[1, 5], source.image[5]
    assert rows[0][1].cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert rows[1][0].cosine is None  # no such view
    assert {view.cosine for view in rows[2]} == {None}  # no image
    with pytest.raises(InputError, match="item index"):
        explain(source, [6])


def test_vanilla_and_random() -> None:
    source = encodings()
    vanilla = vanilla_features(
        "hash", source.image, source.image_present, source.text[2], source.text_present[2]
    )
    assert vanilla.kind == "vanilla"
    assert vanilla.touched == {"no text: mean text": 1, "no image: mean image": 2}
    one, same, other = (random_features("hash", 50, 8, seed) for seed in (1, 1, 2))
    assert torch.equal(one.tables["text"], same.tables["text"])
    assert not torch.equal(one.tables["text"], other.tables["text"])
    assert not torch.equal(one.tables["text"], one.tables["image"])


def dataset(path: Path, **arrays: np.ndarray) -> Dataset:
    index = np.arange(4)
    log = Interactions(Vocabulary("abcd"), Vocabulary("wxyz"), index, index)
    (path / "features").mkdir()
    for name, array in arrays.items():
        np.save(path / "features" / f"{name}.npy", array)
    return Dataset("given", log, path=path)


def test_given_features(tmp_path: Path) -> None:
    image = np.arange(12.0).reshape(4, 3)
    image[2] = 0
    found = given_features(dataset(tmp_path, image=image, text=np.ones((4, 7))))
    assert not isinstance(found, Encodings)
    assert found.tables["image"].shape == (4, 3)
    np.testing.assert_allclose(found.tables["image"][2], image[[0, 1, 3]].mean(0))
    assert found.touched == {"no image: mean image": 1, "no text: mean text": 0}


def test_given_views(tmp_path: Path) -> None:
    text = np.random.default_rng(0).normal(size=(2, 4, 3))
    text[1, 3] = 0
    found = given_features(dataset(tmp_path, image=np.ones((4, 3)), text=text))
    assert isinstance(found, Encodings)
    assert found.views == ("view-0", "view-1")
    assert not found.text_present[1, 3]
    assert found.text_present.sum() == 7
    assert cliper_features(found).tables["text"].shape == (4, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "brings no features"),
        ({"text": np.ones((3, 2))}, "3 rows for 4 items"),
        ({"image": np.ones((2, 4, 2))}, "items × width"),
        ({"text": np.full((4, 2), np.nan)}, "NaN"),
        ({"text": np.array(["a"] * 4)[:, None]}, "items × width"),
        ({"text": np.ones((2, 4, 3)), "image": np.ones((4, 5))}, "share no space"),
        ({"text": np.ones((2, 4, 3))}, "share no space"),
    ],
)
def test_bad_given_features(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        given_features(dataset(tmp_path, **arrays))
