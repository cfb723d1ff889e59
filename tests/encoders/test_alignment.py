"""The alignment's fit on a world where text and image share a known latent."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cliper.encoders.alignment import Alignment, AlignmentConfig
from cliper.encoders.alignment_fit import fit_alignment
from cliper.errors import InputError

CONFIG = AlignmentConfig(width=24, max_epochs=15, batch_size=128)
ARRAYS = ("text", "image_mean", "image_scale", "image")


def world(seed: int = 0, n: int = 600, related: bool = True) -> tuple[np.ndarray, ...]:
    """Two views and an image, noisy linear functions of eight shared coordinates."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 8))
    text = np.stack([latent @ rng.normal(size=(8, 24)) for _ in range(2)])
    text += 0.3 * rng.normal(size=text.shape)
    source = latent if related else rng.normal(size=latent.shape)
    image = source @ rng.normal(size=(8, 40)) + 0.3 * rng.normal(size=(n, 40))
    return text.astype(np.float32), np.ones((2, n), bool), image.astype(np.float32)


def test_related_pairs_are_found_and_unrelated_ones_are_not() -> None:
    found = fit_alignment(*world(), config=CONFIG).score
    assert found.held_out == 60
    assert found.chance == pytest.approx(1 / 6)
    assert found.recall_at_10 is not None and found.recall_at_10 > 0.9
    blind = fit_alignment(*world(related=False), config=CONFIG).score
    assert blind.recall_at_10 is not None and blind.recall_at_10 < 0.3


def test_training_betters_the_initial_projection() -> None:
    untrained = fit_alignment(*world(n=300), config=CONFIG.model_copy(update={"max_epochs": 0}))
    trained = fit_alignment(*world(n=300), config=CONFIG)
    assert untrained.score.epochs == 0 < trained.score.epochs
    assert (trained.score.recall_at_10 or 0) >= (untrained.score.recall_at_10 or 0)


def test_same_seed_same_bytes_another_seed_others() -> None:
    first, again = (fit_alignment(*world(), seed=3, config=CONFIG) for _ in range(2))
    other = fit_alignment(*world(), seed=4, config=CONFIG)
    for name in ARRAYS:
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert first.image.tobytes() != other.image.tobytes()


def test_the_global_random_state_is_left_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    fit_alignment(*world(n=100), config=CONFIG)
    assert torch.equal(torch.rand(3), expected)


def test_text_keeps_its_own_coordinates_unless_asked() -> None:
    config = CONFIG.model_copy(update={"text_learning_rate": 0.0})
    np.testing.assert_array_equal(fit_alignment(*world(), config=config).text, np.eye(24))
    config = CONFIG.model_copy(update={"text_learning_rate": 1e-3})
    assert not np.allclose(fit_alignment(*world(), config=config).text, np.eye(24), atol=1e-4)


def test_too_few_pairs_train_nothing_and_say_so() -> None:
    text, present, image = world(n=20)
    alignment = fit_alignment(text, present, image, config=CONFIG)
    assert alignment.score.recall_at_10 is None
    np.testing.assert_array_equal(alignment.text, np.eye(24))
    assert np.isfinite(alignment.project_image(image)).all()
    none = fit_alignment(text[:, :0], present[:, :0], image[:0], config=CONFIG)
    assert none.project_image(image).shape == (20, 24)


def test_constant_image_features_give_no_nan() -> None:
    text, present, image = world()
    image[:, 3] = 2.5
    assert np.isfinite(fit_alignment(text, present, image, config=CONFIG).image).all()


def test_save_and_load(tmp_path: Path) -> None:
    alignment = fit_alignment(*world(n=100), config=CONFIG)
    alignment.save(tmp_path / "a.safetensors")
    loaded = Alignment.load(tmp_path / "a.safetensors")
    assert loaded.score == alignment.score
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(alignment, name))
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(whole[:-100])
    with pytest.raises(InputError, match="broken file of tensors"):
        Alignment.load(tmp_path / "a.safetensors")
