"""Rows alone are walked, and it makes no difference: PyTorch's own optimisers are the oracle."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

from cliper.backbones import Backbone, create_backbone
from cliper.backbones.layers import lookup
from cliper.testing import toy_world
from cliper.training import Trainer, TrainingConfig, optimizer
from cliper.training.optimizer import Adam, RowAdam

WORLD = toy_world()
CONFIG = TrainingConfig(batch_size=4, learning_rate=0.05).sized(0, costs_by_step=False)


class Two(nn.Module):
    """A large table that is looked up, and a map that is not."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.table = nn.Parameter(torch.randn(rows, 3, generator=generator))
        self.map = nn.Parameter(torch.randn(3, generator=generator))

    def loss(self, rows: Tensor, *, sparse: bool = True) -> Tensor:
        found = lookup(self.table, rows) if sparse else self.table.index_select(0, rows)
        return (found @ self.map).tanh().sum() + found.pow(2).sum() / 7


def batches(rows: int, steps: int) -> list[Tensor]:
    """Few of the rows, with repeats; most are touched seldom, some never."""
    generator = torch.Generator().manual_seed(2)
    return [
        (rows * torch.rand(4, generator=generator).pow(3)).long().repeat(2) for _ in range(steps)
    ]


def train(model: Two, steps: int, *others: torch.optim.Optimizer) -> None:
    for rows in batches(len(model.table), steps):
        for each in others:
            each.zero_grad()
        model.loss(rows, sparse=False).backward()
        for each in others:
            each.step()


def test_rows_alone_are_adam_without_momentum_on_the_whole_table() -> None:
    walked, whole = Two(1000), Two(1000)
    adam = Adam(walked, CONFIG)
    assert adam.large == {walked.table}
    for rows in batches(1000, 300):
        adam.zero_grad()
        walked.loss(rows).backward()
        adam.step()
    train(
        whole,
        300,
        torch.optim.Adam([whole.table], lr=0.05, betas=(0.0, 0.999)),
        torch.optim.Adam([whole.map], lr=0.05),
    )
    torch.testing.assert_close(walked.table, whole.table, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(walked.map, whole.map, rtol=1e-4, atol=1e-5)


def test_the_first_step_is_sparse_adams() -> None:
    ours, theirs = Two(50), Two(50)
    rows = torch.tensor([3, 3, 7])
    for model, one in (
        (ours, RowAdam([ours.table], 0.1)),
        (theirs, torch.optim.SparseAdam([theirs.table], lr=0.1)),
    ):
        model.loss(rows).backward()
        one.step()
    torch.testing.assert_close(ours.table, theirs.table)
    moved = (ours.table != Two(50).table).any(1).nonzero().flatten()
    assert moved.tolist() == [3, 7]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_small_tables_and_weight_decay_are_adam_as_it_is(decay: float) -> None:
    rows = 40 if decay == 0 else 1000
    ours, theirs = Two(rows), Two(rows)
    adam = Adam(ours, CONFIG.model_copy(update={"weight_decay": decay}))
    assert not adam.large
    for batch in batches(rows, 50):
        adam.zero_grad()
        ours.loss(batch).backward()
        adam.step()
    train(theirs, 50, torch.optim.Adam(theirs.parameters(), lr=0.05, weight_decay=decay))
    torch.testing.assert_close(ours.table, theirs.table, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.map, theirs.map, rtol=1e-4, atol=1e-5)


def test_a_table_that_is_also_used_whole_is_trained_as_before() -> None:
    ours, theirs = Two(1000), Two(1000)
    adam = Adam(ours, CONFIG)
    whole = torch.optim.Adam(theirs.parameters(), lr=0.05)
    for rows in batches(1000, 20):
        for model, one in ((ours, adam), (theirs, whole)):
            one.zero_grad()
            (model.loss(rows) + model.table.pow(2).mean()).backward()
            one.step()
    torch.testing.assert_close(ours.table, theirs.table, rtol=1e-4, atol=1e-5)


BY_ROWS = {
    "bpr": {"users", "items"},
    "clcrec": {"users", "items"},
    "neumf": {"users", "items"},
    "vbpr": {"users", "items", "item_bias"},
}


def build(name: str) -> Backbone:
    features = WORLD.features if name in ("vbpr", "clcrec") else None
    return create_backbone(name, WORLD.train, features, {}, 0)


def validate(backbone: Backbone) -> dict[str, float]:
    with torch.inference_mode():
        scores = backbone.scorer()(torch.arange(5))
        return {"recall@20": float(scores.sum().sin())}


def final_bytes(backbone: Backbone) -> bytes:
    return save({k: v.contiguous() for k, v in backbone.state_dict().items()})


@pytest.mark.parametrize("name", sorted(BY_ROWS))
def test_resume_by_rows_ends_in_the_same_bytes(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizer, "FROM", 0)
    config = TrainingConfig(batch_size=64, max_epochs=6, learning_rate=0.01, checkpoint_seconds=0)
    whole = build(name)
    trainer = Trainer(whole, WORLD.train, config, validate)
    trainer.fit()
    assert trainer.optimizer is not None and trainer.optimizer.rows is not None
    named = {id(p): n for n, p in whole.named_parameters()}
    assert {named[id(p)] for p in trainer.optimizer.rows.state} == BY_ROWS[name]

    class Killed(BaseException):
        pass

    def kill(record: dict[str, object]) -> None:
        if record["epoch"] == 3:
            raise Killed

    file = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        Trainer(build(name), WORLD.train, config, validate, checkpoint=file).fit(on_epoch=kill)
    resumed = build(name)
    Trainer(resumed, WORLD.train, config, validate, checkpoint=file).fit(resume=True)
    assert final_bytes(resumed) == final_bytes(whole)
