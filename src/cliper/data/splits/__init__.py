"""Train, validation and test: every way to split a dataset, as seeded pure functions."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cliper.config import nearest
from cliper.data.dataset import Dataset
from cliper.data.split import Split, SplitKind
from cliper.data.splits.cold_item import cold_item
from cliper.data.splits.given import given
from cliper.data.splits.global_time import global_time
from cliper.data.splits.new_user import new_user
from cliper.data.splits.parts import Parts
from cliper.data.splits.per_user import leave_one_out, random_per_user, user_time
from cliper.errors import InputError

__all__ = ["list_splits", "make_split"]


@dataclass(frozen=True)
class _Kind:
    make: Callable[[Dataset, np.random.Generator], Parts]
    summary: str


_KINDS: dict[SplitKind, _Kind] = {
    "given": _Kind(given, "the split that the source brought"),
    "random": _Kind(random_per_user, "20 % of each user's rows at random, half of it validation"),
    "user-time": _Kind(user_time, "the latest 20 % of each user's rows, the last half is the test"),
    "global-time": _Kind(
        global_time, "two moments for all users: 80 % train, 10 % valid, 10 % test"
    ),
    "leave-one-out": _Kind(
        leave_one_out, "each user's last row is the test, the one before validation"
    ),
    "new-user": _Kind(
        new_user, "20 % of the users are the test's and 10 % validation's; half of each is given"
    ),
    "cold-item": _Kind(cold_item, "20 % of the items are the test's and 10 % validation's alone"),
}


def list_splits() -> list[dict[str, str]]:
    """The kinds of split, as `cliper list splits` shows them: `name` and `summary`."""
    return [{"name": name, "summary": kind.summary} for name, kind in _KINDS.items()]


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
    parts = cold_item(dataset, generator, fold) if fold else _KINDS[kind].make(dataset, generator)
    for part in ("train", "valid", "test"):
        if not parts.count(part):
            raise InputError(
                f"the {kind} split leaves no row in {part} ({len(dataset.interactions)} in all)",
                where=dataset.name,
                remedy="use more interactions or another --split",
            )
    return Split(
        kind,
        seed,
        log.select(parts.mask("train")),
        log.select(parts.mask("valid")),
        log.select(parts.mask("test")),
        parts.valid_candidates,
        parts.test_candidates,
        parts.dropped,
        given=log.select(parts.mask("given")) if parts.count("given") else None,
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
