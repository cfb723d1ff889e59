"""Train, validation and test: every way to split a dataset, as seeded pure functions."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cliper.config import nearest
from cliper.data.dataset import Dataset
from cliper.data.split import Split, SplitKind
from cliper.data.splits import kinds
from cliper.data.splits.kinds import GIVEN, TEST, TRAIN, VALID, Parts
from cliper.errors import InputError

__all__ = ["list_splits", "make_split"]


_Make = Callable[[Dataset, np.random.Generator], Parts]
_KINDS: dict[SplitKind, tuple[_Make, str]] = {
    "given": (kinds.given, "the split that the source brought"),
    "random": (
        kinds.random_per_user, "20 % of each user's rows at random, half of it validation"
    ),
    "user-time": (
        kinds.user_time, "the latest 20 % of each user's rows, the last half is the test"
    ),
    "global-time": (
        kinds.global_time, "two moments for all users: 80 % train, 10 % valid, 10 % test"
    ),
    "leave-one-out": (
        kinds.leave_one_out, "each user's last row is the test, the one before validation"
    ),
    "new-user": (
        kinds.new_user,
        "20 % of the users are the test's and 10 % validation's; half of each is given",
    ),
    "cold-item": (
        kinds.cold_item, "20 % of the items are the test's and 10 % validation's alone"
    ),
}  # fmt: skip


def list_splits() -> list[dict[str, str]]:
    """The kinds of split, as `cliper list splits` shows them: `name` and `summary`."""
    return [{"name": name, "summary": summary} for name, (_, summary) in _KINDS.items()]


def make_split(dataset: Dataset, kind: SplitKind = "random", seed: int = 0, fold: int = 0) -> Split:
    """Split `dataset` into train, validation and test.

    A pure function of the dataset, the kind and the seed; the parts keep the dataset's order of
    rows and its vocabularies. The seed draws the order of a user's rows of one moment
    (`Interactions.by_time`), for the time-based kinds and for whoever reads the parts as
    sequences; `global-time` and `given` use it for nothing else.

    Args:
        dataset: without duplicate pairs, as `prepare` writes it.
        kind: one of `list_splits()`.
        seed: 0 or more.
        fold: of the cold-item split, 0 to 4: another fifth of the items is the test's.

    Raises:
        InputError: unknown kind, a negative seed, a fold of another kind, a duplicate pair, no
            timestamps (or no given split) where the kind needs them, or a part that would be empty.
    """
    if kind not in _KINDS:
        raise InputError(f"unknown split {kind!r}", remedy=nearest(str(kind), list(_KINDS)))
    if seed < 0:
        raise InputError(f"the split's seed must be 0 or more, got {seed}")
    if fold and kind != "cold-item":
        raise InputError(
            f"the {kind} split has no folds", where="split.fold", remedy="use split.kind=cold-item"
        )
    _refuse_duplicates(dataset)
    log = replace(dataset.interactions, tie_seed=seed)
    dataset = replace(dataset, interactions=log)
    generator = np.random.default_rng(seed)
    if fold:
        parts = kinds.cold_item(dataset, generator, fold)
    else:
        parts = _KINDS[kind][0](dataset, generator)
    dropped: dict[str, int] = {}
    if kind != "new-user":  # whose users are met without any training
        dropped = kinds.drop_users_without_training(dataset, parts.part)
    rows = {code: parts.part == code for code in (TRAIN, VALID, TEST, GIVEN)}
    for part, code in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        if not rows[code].any():
            raise InputError(
                f"the {kind} split leaves no row in {part} ({len(dataset.interactions)} in all)",
                where=dataset.name,
                remedy="use more interactions or another --split",
            )
    return Split(
        kind,
        seed,
        log.select(rows[TRAIN]),
        log.select(rows[VALID]),
        log.select(rows[TEST]),
        parts.valid_candidates,
        parts.test_candidates,
        dropped,
        given=log.select(rows[GIVEN]) if rows[GIVEN].any() else None,
        equal_times=log.equal_times(),
    )


def _refuse_duplicates(dataset: Dataset) -> None:
    """A repeated pair could sit in train and test at once."""
    log = dataset.interactions
    pairs = np.sort(log.user_index * log.n_items + log.item_index)
    twice = int((pairs[1:] == pairs[:-1]).sum())
    if twice:
        raise InputError(
            f"{twice} rows repeat a user and item",
            where=dataset.name,
            remedy="drop duplicate pairs first, as 'cliper prepare' does",
        )
