"""Projections: a known rotation is found, nothing held out is ever trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from cliper.encoders.adaptation import ProjectionAdaptation, adapt_encodings
from cliper.encoders.adaptation.adapt import choose
from cliper.encoders.adaptation.loop import fit
from cliper.encoders.adaptation.projection import Projection, ProjectionAdapter
from cliper.encoders.pairs import PairTable, row_groups, split_pairs
from cliper.errors import InputError, MismatchError

from .world import rotated

CONFIG = ProjectionAdaptation(learning_rate=0.02, max_epochs=60)


def test_a_rotation_between_the_towers_is_recovered() -> None:
    encodings = rotated()
    adapted = adapt_encodings(encodings, CONFIG)
    before, after = adapted.report.before, adapted.report.after
    chance = before.overall.text_to_image.chance_mrr
    assert before.overall.mrr < 2 * chance
    assert after.overall.mrr > 0.97
    assert after.overall.matched > 0.85 > before.overall.matched + 0.5
    assert adapted.encodings.encoder == "toy+projection"
    assert adapted.encodings.key != encodings.key
    # Nearly as good as the closed form that knows that the answer is a rotation (SciPy's).
    both = encodings.text_present[0] & encodings.image_present
    turn, _ = orthogonal_procrustes(encodings.image[both], encodings.text[0][both])
    best = first_hits(encodings.text[0][both], encodings.image[both] @ turn)
    mine = first_hits(adapted.encodings.text[0][both], adapted.encodings.image[both])
    assert mine > best - 0.05 > 0.9


def first_hits(text: np.ndarray, image: np.ndarray) -> float:
    """Recall@1 of texts among all pictures."""
    cosines = text @ (image / np.linalg.norm(image, axis=1, keepdims=True)).T
    return float((cosines.argmax(1) == np.arange(len(text))).mean())


def test_an_untrained_projection_leaves_every_byte() -> None:
    encodings = rotated(300)
    adapted = adapt_encodings(encodings, CONFIG.model_copy(update={"max_epochs": 0}))
    assert adapted.report.best_epoch == adapted.report.epochs_run == 0
    assert adapted.report.before == adapted.report.after
    assert adapted.encodings.text.tobytes() == encodings.text.tobytes()
    assert adapted.encodings.image.tobytes() == encodings.image.tobytes()
    zero = np.zeros((16, 16), np.float32)
    rows = Projection(zero, zero).project_text(encodings.text[0])
    np.testing.assert_array_equal(rows, encodings.text[0])


def test_absent_rows_stay_zero() -> None:
    encodings = rotated(400)
    adapted = adapt_encodings(encodings, CONFIG.model_copy(update={"max_epochs": 3})).encodings
    assert not adapted.text[~encodings.text_present].any()
    assert not adapted.image[~encodings.image_present].any()
    assert adapted.text[encodings.text_present].any(1).all()


def test_same_seed_same_bytes_and_the_global_random_state_is_left_alone() -> None:
    config = CONFIG.model_copy(update={"max_epochs": 4})
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    first, again = (adapt_encodings(rotated(300), config).projection for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    other = adapt_encodings(rotated(300), config.model_copy(update={"seed": 1})).projection
    assert first.hash == again.hash != other.hash


def test_held_out_pairs_never_reach_the_weights() -> None:
    """Poison all that is held out: after the same epochs the weights have the same bytes."""
    encodings = rotated(400)
    rows = choose(encodings.text_present, encodings.image_present, CONFIG, None).rows
    text = torch.from_numpy(encodings.text[:, rows])
    image = torch.from_numpy(encodings.image[rows])
    pairs = PairTable(
        torch.from_numpy(encodings.text_present[:, rows]),
        torch.arange(len(rows)).expand(2, -1),
        torch.arange(len(rows)),
    )
    parts = split_pairs(pairs.image_group, 0.2, torch.Generator().manual_seed(0))
    held = torch.cat([parts.valid, parts.report])
    # Patience as long as the fit: what is held out may choose among epochs, never change one.
    config = CONFIG.model_copy(update={"max_epochs": 5, "patience": 5})

    def trained(poison: bool) -> tuple[list[bytes], list[set[int]]]:
        adapter = Spy(text.clone(), image.clone())
        if poison:
            adapter.text[:, held] = 1e3 * torch.randn(
                adapter.text[:, held].shape, generator=torch.Generator().manual_seed(9)
            )
            adapter.image[held] = -adapter.image[held].roll(1, 0)
        fit(adapter, pairs, parts, "ab", config, torch.Generator().manual_seed(4))
        return adapter.last, adapter.asked

    clean, asked = trained(poison=False)
    poisoned, _ = trained(poison=True)
    assert clean == poisoned
    assert set.union(*asked) == set(parts.train.tolist())


class Spy(ProjectionAdapter):
    """Records who is trained on, and the weights of the last pass with a gradient."""

    def __init__(self, text: torch.Tensor, image: torch.Tensor) -> None:
        super().__init__(text, image)
        self.asked: list[set[int]] = []
        self.last: list[bytes] = []

    def embed(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if torch.is_grad_enabled():
            self.asked.append(set(rows.tolist()))
        elif self.asked:
            self.last.append(b"".join(t.detach().numpy().tobytes() for t in self.tensors.values()))
        return super().embed(rows)


def test_items_that_may_not_be_seen_are_not() -> None:
    encodings = rotated(600)
    allowed = np.arange(600) % 3 > 0
    config = CONFIG.model_copy(update={"max_epochs": 3})
    seen = adapt_encodings(encodings, config, fit_on=allowed)
    poisoned = replace(encodings, text=encodings.text.copy(), image=encodings.image.copy())
    poisoned.text[:, ~allowed] *= -7
    poisoned.image[~allowed] += 5
    again = adapt_encodings(poisoned, config, fit_on=allowed)
    assert seen.projection.hash == again.projection.hash
    could = encodings.image_present & encodings.text_present.any(0)
    assert seen.report.left_out == (could & ~allowed).sum()
    total = seen.report.train + seen.report.valid + seen.report.report
    assert total == (could & allowed).sum()
    with pytest.raises(MismatchError):
        adapt_encodings(encodings, config, fit_on=allowed[:-1])


def test_the_best_epoch_is_kept_and_patience_stops() -> None:
    encodings = rotated(500, noise=1.0)
    config = CONFIG.model_copy(update={"learning_rate": 0.05, "patience": 3, "max_epochs": 200})
    report = adapt_encodings(encodings, config).report
    history = np.array(report.history)
    assert report.best_epoch == history.argmax()
    assert report.epochs_run == report.best_epoch + 3 < 200
    assert 0.01 <= report.temperature <= 1


def test_items_with_equal_pictures_do_not_count_as_wrong_answers() -> None:
    groups = row_groups(np.zeros((4, 2), np.float32), np.ones(4, bool))
    assert groups.tolist() == [0, 0, 0, 0]
    encodings = rotated(200)
    twice = replace(
        encodings,
        text=np.concatenate([encodings.text] * 2, 1),
        text_present=np.concatenate([encodings.text_present] * 2, 1),
        image=np.concatenate([encodings.image] * 2),
        image_present=np.concatenate([encodings.image_present] * 2),
    )
    report = adapt_encodings(twice, CONFIG).report
    assert report.after.overall.mrr > 0.9  # half the pairs would tie with their twin otherwise
    assert report.after.overall.text_to_image.candidates <= report.report / 2 + 1
    own = np.tile(np.arange(200), 2)
    shaken = replace(twice, image=twice.image + np.float32(1e-6) * (np.arange(400) >= 200)[:, None])
    told = adapt_encodings(
        shaken, CONFIG, text_groups=np.stack([own, own]), image_groups=own
    ).report  # the rows' bytes differ now, what they stand for does not
    assert told.after.overall.mrr == pytest.approx(report.after.overall.mrr, abs=0.01)


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(InputError, match=r"min_pairs: \d\d items .* too few"):
        adapt_encodings(rotated(40), CONFIG)
    one_picture = replace(rotated(200), image=np.ones((200, 16), np.float32))
    with pytest.raises(InputError, match="too few"):
        adapt_encodings(one_picture, CONFIG)


def test_a_loss_that_is_no_number_is_said() -> None:
    encodings = rotated(300)
    rng = np.random.default_rng(0)
    huge = replace(encodings, image=np.inf * rng.choice([-1.0, 1.0], (300, 16)).astype(np.float32))
    with pytest.raises(InputError, match=r"learning_rate: .* not a number .*lower it"):
        adapt_encodings(huge, CONFIG)


def test_save_and_load(tmp_path: Path) -> None:
    projection = adapt_encodings(
        rotated(300), CONFIG.model_copy(update={"max_epochs": 2})
    ).projection
    for one in (projection, Projection(None, None)):
        one.save(tmp_path / "p.safetensors")
        assert Projection.load(tmp_path / "p.safetensors").hash == one.hash
    (tmp_path / "p.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="broken file of tensors"):
        Projection.load(tmp_path / "p.safetensors")
