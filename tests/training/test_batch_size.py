"""`training.batch_size: auto`: a bounded number of propagations an epoch."""

import pytest
import torch
from safetensors.torch import save

from cliper.backbones import Batch, create_backbone, list_backbones
from cliper.experiments.run.config import ExperimentConfig
from cliper.testing import toy_world
from cliper.testing.warm_world import warm_world
from cliper.training import Trainer, TrainingConfig, config

WORLD = toy_world()
OBLONG = warm_world(users=120, items=50)
CONTRASTS = {"lgmrec", "mgcn", "pgl", "slmrec", "smore"}
"""They propagate too, but contrast a batch's rows with each other, which costs their square."""


@pytest.mark.parametrize("rows", [1, 118_551, 64 * 2048, 64 * 2048 + 1, 3_920_000])
def test_at_most_64_steps_and_small_sets_stay_as_they_were(rows: int) -> None:
    auto = TrainingConfig()
    sized = auto.sized(rows, costs_by_step=True)
    assert -(-rows // sized.batch_size) <= 64
    if rows <= 64 * 2048:
        assert (sized.batch_size, sized.learning_rate) == (2048, auto.learning_rate)
    lookup = auto.sized(rows, costs_by_step=False)
    assert (lookup.batch_size, lookup.learning_rate) == (2048, auto.learning_rate)
    number = TrainingConfig(batch_size=100).sized(rows, costs_by_step=True)
    assert (number.batch_size, number.learning_rate) == (100, auto.learning_rate)


def test_no_value_but_auto_and_numbers() -> None:
    for value in ("many", 0, 2.5):
        with pytest.raises(ValueError, match="batch_size"):
            TrainingConfig.model_validate({"batch_size": value})
    tree = {"dataset": {"path": "x"}, "training": {"batch_size": "auto"}}
    assert ExperimentConfig.build(tree).resolved()["training"]["batch_size"] == "auto"


def test_a_large_set_trains_with_what_auto_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bounds of a set this small, auto is the number and the rate that it stands for."""
    monkeypatch.setattr(config, "BATCH", 16)
    monkeypatch.setattr(config, "STEPS", 4)
    rows = len(WORLD.train)
    batch = -(-rows // 4)
    rate = 1e-3 * min(config.MOST, (batch / 16) ** 0.5)

    def trained(**settings: object) -> tuple[int, bytes]:
        model = create_backbone("lightgcn", WORLD.train, None, {}, 0)
        chosen = TrainingConfig.parse({"max_epochs": 2, **settings})
        trainer = Trainer(model, WORLD.train, chosen, lambda _: {"recall@20": 0.0})
        trainer.fit()
        return trainer.sampler.batches, save(model.state_dict())

    auto = trained()
    assert auto[0] == 4
    assert auto == trained(batch_size=batch, learning_rate=rate)


@pytest.mark.parametrize("entry", list_backbones(), ids=lambda e: e.name)
def test_those_whose_steps_cost_the_same_are_those_that_propagate(entry) -> None:
    """A triple moves users who are not in it, if and only if the loss goes through the graph."""
    if entry.name in ("ials", "content-als"):
        pytest.importorskip("implicit")
    features = None if entry.features == "none" else OBLONG.features
    model = create_backbone(entry.name, OBLONG.train, features, {}, 0, fields=OBLONG.fields)
    if not model.is_trained:
        assert not entry.backbone.costs_by_step
        return
    model.train()
    model.on_epoch_start(torch.Generator().manual_seed(0))
    pair = slice(0, 4)
    users, items = (
        torch.from_numpy(x[pair]) for x in (OBLONG.train.user_index, OBLONG.train.item_index)
    )
    terms = model.loss(Batch(users, items, items.flip(0)))
    sum(terms.values()).backward()  # type: ignore[union-attr]
    others = torch.ones(model.n_users, dtype=torch.bool).index_fill_(0, users, False)
    moved = False
    for table in model.parameters():
        if table.grad is not None and len(table) in (model.n_users, model.n_users + model.n_items):
            moved |= bool(table.grad.to_dense()[: model.n_users][others].any())
    assert moved == (entry.backbone.costs_by_step or entry.name in CONTRASTS)
