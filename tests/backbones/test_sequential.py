"""What SASRec and GRU4Rec share: the order of time, windows, targets and histories."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cliper.backbones import Batch, create_backbone
from cliper.backbones.sequences import Sequences, ragged
from cliper.errors import InputError

NAMES = ("sasrec", "gru4rec")


def by_time(tiny) -> list[list[int]]:
    stamped = sorted(zip(tiny.train.timestamp, range(len(tiny.pairs)), strict=True))
    return [[tiny.pairs[row][1] for _, row in stamped if tiny.pairs[row][0] == u] for u in range(5)]


def test_sequences_are_in_order_of_time_and_ties_in_a_drawn_one(tiny) -> None:
    tied = replace(tiny.train, timestamp=np.zeros(len(tiny.pairs), dtype=np.int64))
    drawn = [[row for row in tied.by_time().tolist() if tiny.pairs[row][0] == u] for u in range(5)]
    other = [[tiny.pairs[row][1] for row in rows] for rows in drawn]
    for train, expected in ((tiny.train, by_time(tiny)), (tied, other)):
        sequences = Sequences(train)
        begin, end = sequences.windows(torch.arange(5), 50)
        read = sequences.items[ragged(begin, end)].split((end - begin).tolist())
        assert [items.tolist() for items in read] == expected
        users, items = torch.from_numpy(train.user_index), torch.from_numpy(train.item_index)
        assert torch.equal(sequences.items[sequences.find(users, items)], items)
        assert sequences.find(torch.tensor([2, 4]), torch.tensor([0, 5])).tolist() == [-1, -1]


def test_windows_hold_the_last_items_but_for_those_to_leave(tiny) -> None:
    sequences = Sequences(tiny.train)
    begin, end = sequences.windows(torch.tensor([0, 2]), 1)
    assert sequences.items[ragged(begin, end)].tolist() == [by_time(tiny)[0][-1], 3]
    begin, end = sequences.windows(torch.tensor([0, 2]), 1, leave=1)
    assert sequences.items[ragged(begin, end)].tolist() == [by_time(tiny)[0][0]]


@pytest.mark.parametrize("name", NAMES)
def test_the_history_decides_the_state_and_its_future_does_not(name: str, tiny) -> None:
    """Reading train and validation gives what a model trained on both as its history gives."""
    model = create_backbone(name, tiny.train, tiny.features, {"embedding_size": 4}).eval()
    valid = replace(
        tiny.train.select(np.array([0, 4])),
        item_index=np.array([4, 1]),
        timestamp=np.array([90, 0]),  # after all that user 0 did, before all that user 2 did
    )
    before, after = model.scorer(tiny.train), model.scorer(tiny.train.joined(valid))
    assert torch.equal(before.users, model.scorer().users)
    assert not torch.allclose(before.users[0], after.users[0])
    assert not torch.allclose(before.users[2], after.users[2])
    others = torch.tensor([1, 3, 4])
    torch.testing.assert_close(before.users[others], after.users[others])
    assert torch.equal(before.items, after.items)
    # the same states from the network itself
    for user, items in ((0, [*by_time(tiny)[0], 4]), (2, [1, 3])):
        x = model.describe(torch.tensor(items))
        state = model.states(x, torch.tensor([len(items)]))[-1]
        torch.testing.assert_close(after.users[user], state)


@pytest.mark.parametrize("name", NAMES)
def test_a_history_without_timestamps_is_refused(name: str, tiny) -> None:
    with pytest.raises(InputError):
        create_backbone(name, tiny.train).scorer(replace(tiny.train, timestamp=None))
    with pytest.raises(InputError):
        create_backbone(name, replace(tiny.train, timestamp=None))


@pytest.mark.parametrize("name", NAMES)
def test_states_know_nothing_of_what_comes_later(name: str, tiny) -> None:
    model = create_backbone(name, tiny.train, options={"embedding_size": 4}).eval()
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[4:] += 1
    lengths = torch.tensor([7])
    torch.testing.assert_close(model.states(x, lengths)[:4], model.states(changed, lengths)[:4])


@pytest.mark.parametrize("name", NAMES)
def test_sequences_do_not_see_each_other_whatever_their_lengths(name: str, tiny) -> None:
    options = {"embedding_size": 4, "max_length": 40}
    model = create_backbone(name, tiny.train, options=options).eval()
    lengths = torch.tensor([3, 0, 20, 1, 9, 40, 8])
    x = torch.randn(int(lengths.sum()), 4, generator=torch.Generator().manual_seed(0))
    together = model.states(x, lengths).split(lengths.tolist())
    for alone, states in zip(x.split(lengths.tolist()), together, strict=True):
        torch.testing.assert_close(model.states(alone, torch.tensor([len(alone)])), states)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 50])
def test_only_pairs_with_something_before_them_count(name: str, length: int, tiny) -> None:
    """The mean over the pairs whose state exists, each computed by itself."""
    options = {"embedding_size": 4, "max_length": length, "dropout": 0.0}
    model = create_backbone(name, tiny.train, options=options).train()
    columns = zip(*[(u, i, 5) for u, i in tiny.pairs], strict=True)
    batch = Batch(*(torch.tensor(column) for column in columns))
    items, total, n = model.describe(), 0.0, 0
    for items_of_user in by_time(tiny):
        read = items_of_user[:-1][-length:]
        for at in range(len(read)):
            states = model.states(items[read], torch.tensor([len(read)]))
            target = items_of_user[len(items_of_user) - len(read) + at]
            p, q = (float((states[at] @ items[i]).detach()) for i in (target, 5))
            sigmoid = lambda value: 1 / (1 + math.exp(-value))  # noqa: E731
            total -= (
                math.log(sigmoid(p)) + math.log(1 - sigmoid(q))
                if name == "sasrec"
                else math.log(sigmoid(p - q))
            )
            n += 1
    assert n == 4
    (term,) = model.loss(batch).values()
    tiny.close(term, total / n)
    first = Batch(torch.tensor([2]), torch.tensor([3]), torch.tensor([5]))
    (term,) = model.loss(first).values()
    term.backward()
    assert float(term.detach()) == 0


def test_no_more_than_the_window_is_read_in_a_longer_history(tiny) -> None:
    """A pair that has fallen out of the window is left out: of 3 items the last two are read."""
    longer = tiny.train.joined(
        replace(
            tiny.train.select(np.array([0, 0])),
            item_index=np.array([2, 3]),
            timestamp=np.array([50, 60]),
        )
    )
    options = {"embedding_size": 4, "max_length": 2, "dropout": 0.0}
    model = create_backbone("gru4rec", longer, options=options)
    user = torch.tensor([0, 0, 0, 0])  # in order of time: 1, 0, 2, 3
    batch = Batch(user, torch.tensor([1, 0, 2, 3]), torch.tensor([5, 5, 5, 5]))
    part = Batch(user[2:], batch.positives[2:], batch.negatives[2:])
    assert torch.equal(model.loss(batch)["bpr"], model.loss(part)["bpr"])


@pytest.mark.parametrize("name", NAMES)
def test_users_without_history_have_a_zero_state(name: str, tiny) -> None:
    model = create_backbone(name, tiny.train, options={"embedding_size": 4}).eval()
    users = model.scorer(tiny.train.select(tiny.train.user_index != 3)).users
    assert not users[3].any() and users[0].any() and torch.isfinite(users).all()
    assert not model.scorer(tiny.train.select(np.array([], dtype=np.int64))).users.any()


@pytest.mark.parametrize("name", NAMES)
def test_the_chunk_of_users_changes_nothing(name: str, tiny, monkeypatch) -> None:
    model = create_backbone(name, tiny.train, options={"embedding_size": 4}).eval()
    whole = model.scorer().users
    monkeypatch.setattr("cliper.backbones.sequential.USERS_AT_ONCE", 2)
    torch.testing.assert_close(model.scorer().users, whole)


@pytest.mark.parametrize("name", NAMES)
def test_items_are_ids_plus_projected_features(name: str, tiny) -> None:
    model = create_backbone(name, tiny.train, tiny.features, {"embedding_size": 4})
    expected = model.ids.detach().numpy().astype(np.float64)
    assert not expected[5].any()
    for m in ("image", "text"):
        f = tiny.features.tables[m].numpy().astype(np.float64)
        scale = np.mean([np.linalg.norm(row) for row in f])
        expected = expected + f / scale @ model.content[m].weight.detach().numpy().T
    tiny.close(model.describe(), expected)
    tiny.close(model.describe(torch.tensor([5, 2])), expected[[5, 2]])
    bare = create_backbone(name, tiny.train, tiny.features, {"item_ids": False})
    assert bare.ids is None
    with pytest.raises(InputError, match="nothing is known"):
        create_backbone(name, tiny.train, None, {"item_ids": False})


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_drawn_anew_but_repeats_with_its_epoch(name: str, tiny) -> None:
    model = create_backbone(name, tiny.train, options={"embedding_size": 8}).train()
    draws = []
    for seed in (0, 0, 1):
        model.on_epoch_start(torch.Generator().manual_seed(seed))
        draws.append([float(sum(model.loss(tiny.batch).values()).detach()) for _ in range(2)])
    assert draws[0] == draws[1] != draws[2]
    kept = model.drop(torch.ones(100, 100))
    assert set(kept.unique().tolist()) == {0.0, 2.0} and abs(float(kept.mean()) - 1) < 0.05
