"""The loop: it learns, stops, keeps the best, and survives being killed."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from cliper.backbones import Backbone, create_backbone
from cliper.data import Interactions
from cliper.errors import CliperError, InputError
from cliper.testing import toy_world
from cliper.training import Trainer, TrainingConfig

WORLD = toy_world()


class Killed(BaseException):
    """Stands for a SIGKILL between two epochs."""


def build(seed: int = 0, backbone: str = "freedom", **options: object) -> Backbone:
    features = None if backbone in ("bpr", "lightgcn", "popularity") else WORLD.features
    return create_backbone(backbone, WORLD.train, features, options, seed)


def validate(backbone: Backbone) -> dict[str, float]:
    """A metric that moves up and down deterministically with the parameters."""
    with torch.inference_mode():
        users, items = backbone.embed()
        return {"recall@20": float((users[:5] @ items.T).sum().sin())}


def config(**options: object) -> TrainingConfig:
    usual = {"batch_size": 128, "max_epochs": 8, "learning_rate": 0.01, "checkpoint_seconds": 0}
    return TrainingConfig.parse({**usual, **options})


def final_bytes(backbone: Backbone) -> bytes:
    return save({k: v.contiguous() for k, v in backbone.state_dict().items()})


@pytest.mark.parametrize("kill_after", [1, 3, 7])
@pytest.mark.parametrize("backbone", ["freedom", "lightgcn", "vbpr"])
def test_killed_and_resumed_ends_in_the_same_bytes(
    tmp_path: Path, kill_after: int, backbone: str
) -> None:
    whole = build(backbone=backbone)
    history = Trainer(whole, WORLD.train, config(), validate).fit()

    checkpoint = tmp_path / "checkpoint.safetensors"
    seen: list[int] = []

    def on_epoch(record: dict[str, object]) -> None:
        seen.append(int(str(record["epoch"])))
        if len(seen) == kill_after + 1:
            raise Killed

    with pytest.raises(Killed):
        Trainer(
            build(backbone=backbone), WORLD.train, config(), validate, checkpoint=checkpoint
        ).fit(on_epoch=on_epoch)
    resumed = build(backbone=backbone)
    trainer = Trainer(resumed, WORLD.train, config(), validate, checkpoint=checkpoint)
    records: list[dict[str, object]] = []
    again = trainer.fit(resume=True, on_epoch=records.append)
    assert final_bytes(resumed) == final_bytes(whole)
    assert [r["epoch"] for r in records] == list(range(1, 9))
    assert again.best == history.best and again.best_epoch == history.best_epoch
    assert [e["loss"] for e in again.epochs] == [e["loss"] for e in history.epochs]


def test_the_best_epoch_is_kept_and_patience_ends_the_training() -> None:
    values = iter([0.1, 0.5, 0.2, 0.5, 0.3, 0.9])
    snapshots: list[bytes] = []

    def scripted(backbone: Backbone) -> dict[str, float]:
        snapshots.append(final_bytes(backbone))
        return {"recall@20": next(values)}

    backbone = build(backbone="bpr")
    history = Trainer(
        backbone, WORLD.train, config(patience=3, patience_distance=0), scripted
    ).fit()
    assert (history.epochs_run, history.best_epoch) == (5, 2)
    assert final_bytes(backbone) == snapshots[1]


def test_validation_every_few_epochs_counts_validations_for_patience() -> None:
    history = Trainer(
        build(backbone="bpr"),
        WORLD.train,
        config(patience=2, patience_distance=0, validate_every=2, max_epochs=20),
        lambda _: {"recall@20": 0.0},
    ).fit()
    assert (history.epochs_run, history.best_epoch) == (6, 2)


PLATEAU = (
    7.5, 13.8, 24.5, 31.3, 33.8, 35.2, 35.4, 35.5, 35.7, 36.4, 36.5, 36.3, 36.3, 36.4, 36.1, 36.2,
    36.4, 36.4, 36.2, 36.1, 36.4, 36.3, 36.0, 36.4, 36.1, 36.3, 36.4, 36.2, 36.6, 37.1, 37.1, 37.2,
)  # fmt: skip
"""Validation of a small shop, ten steps an epoch: popularity is learnt, tastes come later."""


@pytest.mark.parametrize(("options", "kept"), [({"patience_distance": 0}, 11), ({}, 32)])
def test_a_plateau_of_many_short_epochs_is_left(options: dict[str, float], kept: int) -> None:
    values = iter([*PLATEAU, *[1.0] * 300])
    ten_steps = -(-len(WORLD.train) // 10)
    settings = config(
        batch_size=ten_steps, max_epochs=300, patience=10, learning_rate=1e-3, **options
    )
    trainer = Trainer(
        build(backbone="bpr"), WORLD.train, settings, lambda _: {"recall@20": next(values)}
    )
    assert trainer.sampler.batches == 10
    history = trainer.fit()
    assert history.best_epoch == kept
    assert history.epochs_run == kept + (10 if options else 200)  # 2 / 0.001 steps


def test_patience_in_distance_survives_being_killed(tmp_path: Path) -> None:
    """Killed in the middle of the plateau, the training stops in the same epoch as ever."""
    settings = config(max_epochs=50, patience=2, learning_rate=0.01, patience_distance=0.6)
    whole = Trainer(build(), WORLD.train, settings, lambda _: {"recall@20": 0.0})
    expected = 1 + -(-60 // whole.sampler.batches)
    assert whole.fit().epochs_run == expected > 5
    file = tmp_path / "checkpoint"

    def die(record: dict[str, object]) -> None:
        if record["epoch"] == 4:
            raise Killed

    killed = Trainer(build(), WORLD.train, settings, lambda _: {"recall@20": 0.0}, checkpoint=file)
    with pytest.raises(Killed):
        killed.fit(on_epoch=die)
    again = Trainer(build(), WORLD.train, settings, lambda _: {"recall@20": 0.0}, checkpoint=file)
    assert again.fit(resume=True).epochs_run == expected


def test_the_loss_goes_down() -> None:
    history = Trainer(build(backbone="bpr", l2=0.0), WORLD.train, config(max_epochs=20),
                      lambda _: {"recall@20": 0.0}).fit()  # fmt: skip
    losses = [sum(e["loss"].values()) for e in history.epochs]
    assert losses[-1] < 0.9 * losses[0]


def test_adam_is_the_plain_formula() -> None:
    """One step of the loop equals Kingma and Ba's update written out."""
    backbone = build(backbone="bpr", l2=0.0)
    before = backbone.users.detach().clone()
    gradients: list[torch.Tensor] = []
    backbone.users.register_hook(gradients.append)
    whole = config(batch_size=10_000, max_epochs=1, weight_decay=0.01)
    Trainer(backbone, WORLD.train, whole, lambda _: {"recall@20": 0.0}).fit()
    g = gradients[0].to_dense() + 0.01 * before
    expected = before - 0.01 * g / (g.abs() + 1e-8)  # after bias correction m = g, v = g²
    torch.testing.assert_close(backbone.users.detach(), expected, rtol=1e-4, atol=1e-6)


def test_a_checkpoint_of_another_experiment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    Trainer(build(), WORLD.train, config(), validate, checkpoint=path, identity="a").fit()
    with pytest.raises(InputError, match="another dataset or configuration"):
        Trainer(build(), WORLD.train, config(), validate, checkpoint=path, identity="b").fit(
            resume=True
        )
    path.write_bytes(b"broken")
    with pytest.raises(InputError, match="broken file of tensors"):
        Trainer(build(), WORLD.train, config(), validate, checkpoint=path).fit(resume=True)


def test_a_diverging_loss_is_one_clear_error() -> None:
    backbone = build(backbone="bpr")
    with torch.no_grad():
        backbone.users.fill_(float("nan"))
    with pytest.raises(CliperError, match="not finite"):
        Trainer(backbone, WORLD.train, config(), validate).fit()


def test_no_epoch_at_all_still_says_what_validation_scored() -> None:
    backbone = build()
    before = final_bytes(backbone)
    history = Trainer(backbone, WORLD.train, config(max_epochs=0), validate).fit()
    assert history.best == validate(backbone)
    assert (history.best_epoch, history.epochs_run) == (0, 0)
    assert final_bytes(backbone) == before


def test_a_device_that_is_not_here_is_one_clear_error() -> None:
    with pytest.raises(InputError, match=r"training\.device: 'cuda:99' is not available here"):
        Trainer(build(), WORLD.train, config(device="cuda:99"), validate)


def test_a_world_in_which_everybody_took_everything_teaches_nothing() -> None:
    user, item = (a.ravel() for a in np.indices((WORLD.train.n_users, WORLD.train.n_items)))
    everything = Interactions(WORLD.train.users, WORLD.train.items, user, item)
    with pytest.raises(InputError, match="every user took every item"):
        Trainer(build(), everything, config(), validate).fit()


def test_a_backbone_without_training_is_only_validated() -> None:
    history = Trainer(build(backbone="popularity"), WORLD.train, config(), validate).fit()
    assert history.epochs_run == 0 and np.isfinite(history.best["recall@20"])


def test_checkpoints_come_as_often_as_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock finds it four seconds on: every third epoch or so is saved."""
    from cliper.training import trainer as module

    clock, saved = itertools.count(step=4), []
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(module, "save_tensors", lambda *_: saved.append(1))
    settings = config(max_epochs=30, patience=30, checkpoint_seconds=10)
    file = tmp_path / "checkpoint"
    Trainer(build(), WORLD.train, settings, validate, checkpoint=file).fit()
    assert 6 <= len(saved) <= 12
