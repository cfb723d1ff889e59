"""What processes that train together share out and add up; `tests/experiments/run` has them run."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cliper.backbones import Backbone, Batch, create_backbone, list_backbones
from cliper.testing import toy_world
from cliper.training import UniformSampler
from cliper.training.ranks import Ranks

WORLD = toy_world()


def batch_of(size: int) -> Batch:
    rows = torch.arange(size)
    return Batch(rows, rows + size, rows + 2 * size)


@pytest.mark.parametrize(("size", "count"), [(10, 2), (10, 3), (3, 3), (7, 4)])
def test_parts_are_the_batch_and_shares_sum_to_one(size: int, count: int, tmp_path) -> None:
    batch = batch_of(size)
    parts = [Ranks(tmp_path, rank, count).part(batch) for rank in range(count)]
    assert sum(share for _, share in parts) == pytest.approx(1)
    for name in ("users", "positives", "negatives"):
        whole = torch.cat([getattr(part, name) for part, _ in parts])
        assert torch.equal(whole, getattr(batch, name))
    for part, share in parts:
        assert share == pytest.approx(len(part) / size) and len(part) > 0


def test_all_take_the_whole_of_a_batch_that_is_too_small(tmp_path) -> None:
    batch = batch_of(2)
    assert all(Ranks(tmp_path, r, 4).part(batch) == (batch, 1 / 4) for r in range(4))


def gradients(model: Backbone, batch: Batch, share: float = 1.0) -> dict[str, Tensor]:
    model.draws.manual_seed(1)
    model.zero_grad()
    (torch.stack(list(model.loss(batch).values())).sum() * share).backward()
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return {n: (g.to_dense() if g.is_sparse else g).clone() for n, g in found.items()}


@pytest.mark.parametrize(
    "entry", [e for e in list_backbones() if e.backbone.is_trained], ids=lambda e: e.name
)
def test_losses_add_up_where_a_backbone_says_so(entry) -> None:
    """The gradient of a batch is the sum of its parts', each times its share of the rows.

    LLMRec's does too, until an augmented dataset lets it leave out the worst rows of a batch.
    """
    features = None if entry.features == "none" else WORLD.features
    model = create_backbone(entry.name, WORLD.train, features, fields=WORLD.fields).train()
    model.on_epoch_start(torch.Generator().manual_seed(0))
    with torch.no_grad():  # away from zeros, and from users who are all alike
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3))
            parameter.add_(noise, alpha=0.1)
    draws = np.random.default_rng(0)
    batch = next(iter(UniformSampler(WORLD.train, 200, draws, by_user=model.by_sequence).epoch()))
    whole = gradients(model, batch)
    cut = 70
    parts = [
        Batch(batch.users[rows], batch.positives[rows], batch.negatives[rows])
        for rows in (slice(cut), slice(cut, None))
    ]
    each = [gradients(model, part, len(part) / len(batch)) for part in parts]
    error = max(
        float((sum(g[name] for g in each) - whole[name]).abs().max() / whole[name].abs().max())
        for name in whole
    )
    assert (error < 1e-5) == (entry.backbone.adds_up or entry.name == "llmrec")
