from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.data import (
    Dataset,
    Interactions,
    Split,
    Vocabulary,
    list_splits,
    make_split,
    prepare_files,
)
from cliper.data.split import SplitKind
from cliper.errors import InputError

KINDS: list[SplitKind] = [
    "random", "user-time", "global-time", "leave-one-out", "cold-item", "new-user",
]  # fmt: skip


def make_dataset(pairs: list[tuple[int, int]], times: list[int] | None) -> Dataset:
    user, item = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    users = Vocabulary([f"u{i}" for i in range(int(user.max()) + 1)])
    items = Vocabulary([f"i{i}" for i in range(int(item.max()) + 1)])
    time = None if times is None else np.array(times, dtype=np.int64)
    return Dataset("toy", Interactions(users, items, user, item, None, time))


def random_dataset(seed: int, moments: int = 40, n: int = 600) -> Dataset:
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(40 * 30)[:n]
    users = (pairs // 30) ** 2 // 40  # uneven, so that short and long histories occur
    unique = sorted({(int(u), int(i)) for u, i in zip(users, pairs % 30, strict=True)})
    unique = [unique[i] for i in rng.permutation(len(unique))]
    return make_dataset(unique, rng.integers(0, moments, len(unique)).tolist())


def given_rows(split: Split) -> set[tuple[int, int]]:
    return set() if split.given is None else rows(split.given)


def rows(part: Interactions) -> set[tuple[int, int]]:
    return set(zip(part.user_index.tolist(), part.item_index.tolist(), strict=True))


def parts(split: Split) -> tuple[set[tuple[int, int]], ...]:
    return rows(split.train), rows(split.valid), rows(split.test)


def histories(dataset: Dataset) -> dict[int, list[tuple[int, int]]]:
    """User → [(time, item)] in time order."""
    log = dataset.interactions
    assert log.timestamp is not None
    found = defaultdict(list)
    for user, item, time in zip(log.user_index, log.item_index, log.timestamp, strict=True):
        found[int(user)].append((int(time), int(item)))
    return {user: sorted(history) for user, history in found.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parts_are_disjoint_and_every_row_is_in_one_or_counted(kind: SplitKind, seed: int) -> None:
    dataset = random_dataset(seed)
    split = make_split(dataset, kind, seed)
    every = [*parts(split), given_rows(split)]
    together = set[tuple[int, int]]().union(*every)
    assert sum(map(len, every)) == len(together)
    assert together <= rows(dataset.interactions)
    lost = len(rows(dataset.interactions)) - len(together)
    assert lost == sum(split.dropped.values())
    counted = [split.train, split.valid, split.test, *([split.given] if split.given else [])]
    assert sum(map(len, counted)) + lost == len(dataset.interactions)
    assert split.train.users is dataset.users
    assert split.test.items is dataset.items


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_split(kind: SplitKind) -> None:
    dataset = random_dataset(5)
    assert parts(make_split(dataset, kind, 3)) == parts(make_split(dataset, kind, 3))


@pytest.mark.parametrize("kind", ["random", "cold-item"])
def test_another_seed_another_split(kind: SplitKind) -> None:
    dataset = random_dataset(5)
    assert parts(make_split(dataset, kind, 3)) != parts(make_split(dataset, kind, 4))


@pytest.mark.parametrize(
    ("kind", "moments", "other_seed"),
    [
        ("user-time", 3, 0),
        ("leave-one-out", 3, 0),
        ("global-time", 30, 9),
        ("user-time", 10**9, 9),
        ("leave-one-out", 10**9, 9),
    ],
)
def test_time_splits_depend_on_the_seed_in_ties_alone_and_never_on_row_order(
    kind: SplitKind, moments: int, other_seed: int
) -> None:
    dataset = random_dataset(1, moments)
    log = dataset.interactions
    shuffled = log.select(np.random.default_rng(0).permutation(len(log)))
    other = make_split(Dataset("toy", shuffled), kind, other_seed)
    assert parts(make_split(dataset, kind, 0)) == parts(other)


@pytest.mark.parametrize("kind", ["user-time", "leave-one-out"])
def test_which_of_equal_times_comes_last_is_drawn_for_each_user_anew(kind: SplitKind) -> None:
    pairs = [(u, i) for u in range(600) for i in range(6)]
    dataset = make_dataset(pairs, [5 if i else 4 for _, i in pairs])  # item 0 is earlier
    split = make_split(dataset, kind, 3)
    assert parts(split) == parts(make_split(dataset, kind, 3))
    assert parts(split) != parts(make_split(dataset, kind, 4))
    # Of five items at one moment each is last for a fifth: 120, standard deviation below 10.
    for part in (split.test, split.valid):
        assert part.item_counts()[0] == 0
        assert np.abs(part.item_counts()[1:] - 120).max() < 50
    # Whoever reads the parts as a sequence meets the rows in the same order.
    whole = split.train.joined(split.valid).joined(split.test)
    order = whole.by_time().reshape(600, 6)
    assert (order[:, -1] >= len(split.train) + len(split.valid)).all()
    assert (order[:, -2] >= len(split.train)).all()


def test_equal_times_are_counted() -> None:
    dataset = make_dataset([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)], [7, 7, 8, 7, 9, 7])
    assert dataset.interactions.equal_times() == 2
    assert make_dataset([(0, 0), (0, 1)], None).interactions.equal_times() == 0


@pytest.mark.parametrize("seed", range(3))
def test_random_sizes_per_user(seed: int) -> None:
    dataset = random_dataset(seed)
    split = make_split(dataset, "random", seed)
    valid, test = split.valid.user_counts(), split.test.user_counts()
    for user, count in Counter(dataset.interactions.user_index.tolist()).items():
        if count < 3:
            expected = (0, count - 1)
        elif count < 10:
            expected = (1, 1)
        else:
            held = int(count * 0.2)
            expected = (held // 2, held - held // 2)
        assert (valid[user], test[user]) == expected


def test_random_draws_every_row_equally_often() -> None:
    dataset = make_dataset([(u, i) for u in range(30) for i in range(10)], None)
    counts = np.zeros(10)
    for seed in range(200):
        counts += make_split(dataset, "random", seed).test.item_counts()
    # 6000 draws over 10 rows each: expected 600, standard deviation 23
    assert counts.sum() == 6000
    assert np.abs(counts - 600).max() < 5 * 23


@pytest.mark.parametrize("kind", ["user-time", "leave-one-out"])
def test_per_user_time_equals_a_loop(kind: SplitKind) -> None:
    dataset = random_dataset(2, 10**9)  # no two at one time
    train, valid, test = set(), set(), set()
    for user, history in histories(dataset).items():
        n = len(history)
        if kind == "user-time" and n >= 10:
            held = n // 5
            n_valid, n_test = held // 2, held - held // 2
        else:
            n_valid, n_test = {1: (0, 0), 2: (0, 1)}.get(n, (1, 1))
        for place, (_, item) in enumerate(history):
            part = (
                test if place >= n - n_test else valid if place >= n - n_test - n_valid else train
            )
            part.add((user, item))
    assert parts(make_split(dataset, kind)) == (train, valid, test)


@pytest.mark.parametrize("seed", range(3))
def test_global_time_equals_a_loop(seed: int) -> None:
    dataset = random_dataset(seed, moments=100)
    log = dataset.interactions
    assert log.timestamp is not None
    ordered = sorted(log.timestamp.tolist())
    first, second = ordered[int(len(ordered) * 0.8)], ordered[int(len(ordered) * 0.9)]
    known = {u for u, t in zip(log.user_index, log.timestamp, strict=True) if t < first}
    found: tuple[set[tuple[int, int]], ...] = (set(), set(), set())
    dropped = 0
    for user, item, time in zip(log.user_index, log.item_index, log.timestamp, strict=True):
        part = int(time >= first) + int(time >= second)
        if part and user not in known:
            dropped += 1
        else:
            found[part].add((int(user), int(item)))
    split = make_split(dataset, "global-time")
    assert parts(split) == found
    assert sum(split.dropped.values()) == dropped


def test_global_time_drops_and_counts_users_unseen_in_training() -> None:
    pairs = [(0, i) for i in range(8)] + [(1, 8), (0, 8), (2, 9), (0, 9)]
    split = make_split(make_dataset(pairs, list(range(12))), "global-time")
    assert dict(split.dropped) == {"test row of a user without a training row": 1}
    assert rows(split.test) == {(0, 9)}


@pytest.mark.parametrize("seed", range(3))
def test_cold_items_have_no_training_row(seed: int) -> None:
    dataset = random_dataset(seed)
    split = make_split(dataset, "cold-item", seed)
    assert split.valid_candidates is not None
    assert split.test_candidates is not None
    cold, colder = set(split.valid_candidates.tolist()), set(split.test_candidates.tolist())
    n_items = len(np.unique(dataset.interactions.item_index))
    assert (len(cold), len(colder)) == (n_items // 10, n_items // 5)
    assert not cold & colder
    assert not (cold | colder) & set(split.train.item_index.tolist())
    assert set(split.valid.item_index.tolist()) <= cold
    assert set(split.test.item_index.tolist()) <= colder
    trained = set(split.train.user_index.tolist())
    assert set(split.test.user_index.tolist()) <= trained
    # every row is where its item says, unless its user kept no training row
    train, valid, test = set(), set(), set()
    lost = 0
    for user, item in rows(dataset.interactions):
        if item not in cold | colder:
            train.add((user, item))
        elif user not in trained:
            lost += 1
        else:
            (valid if item in cold else test).add((user, item))
    assert parts(split) == (train, valid, test)
    assert sum(split.dropped.values()) == lost


def test_cold_items_are_drawn_among_items_that_occur() -> None:
    pairs = [(u, i) for u in range(6) for i in range(0, 40, 2)]  # odd items are never taken
    split = make_split(make_dataset(pairs, None), "cold-item")
    assert split.test_candidates is not None
    assert len(split.test_candidates) == 4
    assert (split.test_candidates % 2 == 0).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(2, 30), min_size=1, max_size=8), st.integers(0, 2**32))
def test_every_user_keeps_a_training_row(lengths: list[int], seed: int) -> None:
    pairs = [(u, i) for u, n in enumerate([*lengths, 10]) for i in range(n)]
    split = make_split(make_dataset(pairs, None), "random", seed)
    assert (split.train.user_counts() > 0).all()
    assert (split.test.user_counts() > 0).all()


@pytest.mark.parametrize("kind", ["user-time", "leave-one-out", "global-time"])
def test_without_timestamps_a_remedy_is_named(kind: SplitKind) -> None:
    dataset = make_dataset([(0, 0), (0, 1), (0, 2)], None)
    with pytest.raises(InputError, match=r"^toy: .*needs timestamps.*--split random"):
        make_split(dataset, kind)


def test_coarse_times_are_refused() -> None:
    dataset = make_dataset([(u, i) for u in range(3) for i in range(5)], [7] * 15)
    with pytest.raises(InputError, match="too coarse"):
        make_split(dataset, "global-time")


def test_an_empty_part_is_refused() -> None:
    dataset = make_dataset([(0, 0), (1, 0)], None)
    with pytest.raises(InputError, match="leaves no row in valid"):
        make_split(dataset, "random")


def test_a_repeated_pair_is_refused() -> None:
    dataset = make_dataset([(0, 0), (0, 1), (0, 2), (1, 0), (0, 1)], None)
    with pytest.raises(InputError, match="toy: 1 rows repeat a user and item"):
        make_split(dataset, "random")


def test_unknown_kind_and_negative_seed() -> None:
    dataset = random_dataset(0)
    with pytest.raises(InputError, match="did you mean 'random'"):
        make_split(dataset, "randon")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seed"):
        make_split(dataset, "random", -1)


def test_given() -> None:
    dataset = random_dataset(0)
    with pytest.raises(InputError, match="no split of its own"):
        make_split(dataset, "given")
    log = dataset.interactions
    labels = (np.arange(len(log)) % 3).astype(np.int8)
    labels[log.user_index == log.user_index[0]] = 2  # nothing to train on
    brought = labels.copy()
    split = make_split(Dataset("toy", log, given_split=labels), "given")
    assert (labels == brought).all()
    trained = {user for user, label in zip(log.user_index, labels, strict=True) if label == 0}
    known = np.array([user in trained for user in log.user_index])
    for part, code in ((split.train, 0), (split.valid, 1), (split.test, 2)):
        assert rows(part) == rows(log.select((labels == code) & known))
    assert sum(split.dropped.values()) == (~known).sum() > 0
    assert set(split.dropped) <= {
        f"{part} row of a user without a training row" for part in ("valid", "test")
    }


def test_the_list_names_every_kind_once() -> None:
    names = [entry["name"] for entry in list_splits()]
    assert sorted(names) == sorted([*KINDS, "given"])
    assert all(entry["summary"] for entry in list_splits())


def test_amazon_baby_has_the_published_sizes(shared_data: Path, tmp_path: Path) -> None:
    log = shared_data / "amazon-baby" / "interactions.csv.gz"
    dataset = prepare_files(None, log, None, tmp_path / "baby")
    split = make_split(dataset, "random", 0)
    assert (len(dataset.users), len(dataset.items)) == (19_445, 7_050)
    assert (len(split.train), len(split.valid), len(split.test)) == (118_551, 20_559, 21_682)


@pytest.mark.parametrize("timed", [True, False])
def test_new_users_are_withheld_whole_and_half_of_each_is_given(timed: bool) -> None:
    dataset = random_dataset(7)
    if not timed:
        log = dataset.interactions
        dataset = make_dataset(list(zip(log.user_index, log.item_index, strict=True)), None)
    split = make_split(dataset, "new-user", 1)
    assert split.given is not None
    occurring = set(dataset.interactions.user_index.tolist())
    trained, valid, test, given_users = (
        set(part.user_index.tolist())
        for part in (split.train, split.valid, split.test, split.given)
    )
    assert not trained & given_users
    assert (valid | test) <= given_users
    assert not valid & test
    assert len(given_users) == len(occurring) // 5 + len(occurring) // 10
    held = Counter(dataset.interactions.user_index.tolist())
    shown = Counter(split.given.user_index.tolist())
    asked = Counter([*split.valid.user_index.tolist(), *split.test.user_index.tolist()])
    for user in given_users:
        assert shown[user] == -(-held[user] // 2)
        assert shown[user] + asked[user] == held[user]
    assert split.taken.joined(split.valid).joined(split.test).matrix().nnz == sum(held.values())
    if timed:
        time = {pair: t for u, h in histories(dataset).items() for t, i in h for pair in [(u, i)]}
        for user in valid | test:
            latest = max(time[p] for p in given_rows(split) if p[0] == user)
            ranked = rows(split.valid) | rows(split.test)
            assert all(latest <= time[p] for p in ranked if p[0] == user)


def test_folds_of_cold_items_have_disjoint_tests() -> None:
    dataset = random_dataset(3)
    n_items = len(np.unique(dataset.interactions.item_index))
    folds = [make_split(dataset, "cold-item", 4, fold) for fold in range(5)]
    tests = [set(np.asarray(fold.test_candidates).tolist()) for fold in folds]
    assert len(set().union(*tests)) == sum(map(len, tests)) == 5 * (n_items // 5)
    assert parts(folds[0]) == parts(make_split(dataset, "cold-item", 4))
    for fold, cold in zip(folds, tests, strict=True):
        valid = set(np.asarray(fold.valid_candidates).tolist())
        assert not valid & cold and len(valid) == n_items // 10
    with pytest.raises(InputError, match="has no folds"):
        make_split(dataset, "random", 0, 1)
