"""A new item against the same item, cold, in the catalogue that a model was trained on."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from cliper.backbones import Backbone, Batch, backbone_entry, create_backbone, list_backbones
from cliper.backbones.new_items import embed_items, extended, refuse_new_items
from cliper.data import Interactions, Vocabulary
from cliper.errors import InputError
from cliper.scoring import FactorScorer, HistoryScorer
from cliper.testing import toy_world
from cliper.training import TrainingConfig
from cliper.training.optimizer import Adam

WORLD = toy_world(users=30, items=24, seed=2)
LAST = len(WORLD.train.items) - 1  # a cold item
ITEM_AXES = (LAST + 1, WORLD.train.n_users + LAST + 1)  # items, or users and items
CONTENT = [entry.name for entry in list_backbones() if entry.sees_content]
APART = [name for name in CONTENT if not backbone_entry(name).backbone.items_interact]
OPTIONS = {"acf": {"item_content": True}, "itemknn": {"k": 5}}


def train(model: Backbone, steps: int = 4) -> None:
    """A few steps, so that nothing that is trained is where it started."""
    if not model.is_trained:
        return
    generator = torch.Generator().manual_seed(1)
    optimiser = Adam(model, TrainingConfig(learning_rate=0.02).sized(1, False))
    warm = torch.from_numpy(np.flatnonzero(WORLD.train.item_counts()))
    users, positives = (
        torch.from_numpy(column) for column in (WORLD.train.user_index, WORLD.train.item_index)
    )
    for _ in range(steps):
        model.on_epoch_start(generator)
        negatives = warm[torch.randint(len(warm), (len(users),), generator=generator)]
        optimiser.zero_grad()
        sum(model.loss(Batch(users, positives, negatives)).values()).backward()
        optimiser.step()


@pytest.mark.parametrize("name", CONTENT)
def test_a_new_item_is_what_a_cold_one_of_the_catalogue_is(name: str) -> None:
    entry, options, whole = backbone_entry(name), OPTIONS.get(name, {}), WORLD.train
    model = create_backbone(name, whole, WORLD.features, options, fields=WORLD.fields)
    start = {key: value.clone() for key, value in model.state_dict().items()}
    train(model)
    # Through an item graph even a cold item's own row is trained. A new one has none of that.
    for key, value in model.state_dict().items():
        last = tuple(slice(-1, None) if n in ITEM_AXES else slice(None) for n in value.shape)
        if any(n in ITEM_AXES for n in value.shape):
            value[last] = start[key][last]
    with torch.inference_mode():
        expected = model.eval().scorer()
    assert LAST in WORLD.cold

    fewer = Vocabulary(whole.items.ids(range(LAST)))
    known = Interactions(
        whole.users, fewer, whole.user_index, whole.item_index, timestamp=whole.timestamp
    )
    tables = WORLD.features.tables
    lengths = {m: WORLD.features.mean_length(m) for m in tables}
    before, new = (
        replace(WORLD.features, tables={m: t[rows] for m, t in tables.items()}, lengths=lengths)
        for rows in (slice(LAST), slice(LAST, None))
    )
    state = {key: shrunk(value) for key, value in model.state_dict().items()}
    found = embed_items(
        entry, options, known, state, Vocabulary(["new"]), (before, new), WORLD.fields
    )
    if isinstance(found, FactorScorer):
        assert isinstance(expected, FactorScorer)
        assert found.items[LAST].abs().sum() > 0
        torch.testing.assert_close(found.items[LAST], expected.items[LAST], rtol=0, atol=1e-5)
    else:
        assert isinstance(found, HistoryScorer) and isinstance(expected, HistoryScorer)
        column = expected.weights[:, LAST].toarray()
        assert column.any()
        np.testing.assert_allclose(found.weights[:, LAST].toarray(), column, atol=1e-5)


def shrunk(value: torch.Tensor) -> torch.Tensor:
    """Without the last item."""
    kept = tuple(slice(n - 1 if n in ITEM_AXES else n) for n in value.shape)
    return value[kept].clone()


@pytest.mark.parametrize("name", APART)
def test_where_items_do_not_see_each_other_many_come_at_once(name: str) -> None:
    entry, options, whole = backbone_entry(name), OPTIONS.get(name, {}), WORLD.train
    model = create_backbone(name, whole, WORLD.features, options, fields=WORLD.fields)
    train(model)
    generator = torch.Generator().manual_seed(3)
    tables = WORLD.features.tables
    more = {m: torch.randn(3, t.shape[1], generator=generator) for m, t in tables.items()}

    def embedded(rows: list[int]) -> torch.Tensor:
        new = replace(WORLD.features, tables={m: t[rows] for m, t in more.items()})
        names = Vocabulary([f"new-{row}" for row in rows])
        matrix = sp.vstack([WORLD.fields.matrix, WORLD.fields.matrix[rows]], format="csr")
        fields = replace(WORLD.fields, matrix=matrix)
        both = (WORLD.features, new)
        scorer = embed_items(entry, options, whole, model.state_dict(), names, both, fields)
        if isinstance(scorer, FactorScorer):
            return scorer.items[LAST + 1 :]
        assert isinstance(scorer, HistoryScorer)
        return torch.from_numpy(scorer.weights.toarray()[: LAST + 1, LAST + 1 :].T)

    together = embedded([0, 1, 2])
    alone = torch.cat([embedded([row]) for row in range(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["bpr", "ease", "lightgcn", "itemknn", "sasrec"])
def test_a_model_of_ids_says_that_it_cannot(name: str) -> None:
    with pytest.raises(InputError, match="who took them alone"):
        refuse_new_items(backbone_entry(name), has_features=False)


def test_known_items_stay_as_they_are_and_the_new_stand_behind_them() -> None:
    users, items, added, more = (torch.randn(n, 4) for n in (3, 5, 1, 2))
    known = FactorScorer(users, torch.cat([items, added]))
    found = extended(known, FactorScorer(users, torch.cat([items + 1, more])), 5)
    assert torch.equal(found.tensors()["items"], torch.cat([items, added, more]))


def test_weights_of_what_came_at_different_times_are_zero() -> None:
    rng = np.random.default_rng(0)
    history = rng.integers(0, 2, (3, 6)).astype(np.float32)
    known, grown = (rng.random((n, n)).astype(np.float32) for n in (6, 7))
    expected = np.zeros((8, 8))
    expected[:6, :6] = known
    new = [0, 1, 2, 3, 4, 6, 7]
    for a, b in ((a, b) for a in range(7) for b in range(7) if max(a, b) >= 5):
        expected[new[a], new[b]] = grown[a, b]
    wide = np.zeros((3, 7), np.float32)
    found = extended(
        HistoryScorer(sp.csr_matrix(history), sp.csr_matrix(known)),
        HistoryScorer(sp.csr_matrix(wide), sp.csr_matrix(grown)),
        5,
    )
    taken = np.pad(history, ((0, 0), (0, 2)))
    np.testing.assert_allclose(found(torch.arange(3)), taken @ expected, rtol=1e-5)
