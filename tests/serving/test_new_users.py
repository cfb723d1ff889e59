"""The split new-user: what is measured is what a visitor with that history would be shown."""

from pathlib import Path

import numpy as np
import pytest
from small_shop import shop

import cliper
from cliper.data import make_split
from cliper.errors import InputError

QUICK = {"max_epochs": 2}


@pytest.mark.parametrize("backbone", ["ease", "ials", "bpr", "sasrec"])
def test_recall_of_the_split_is_recall_of_the_histories(backbone: str, tmp_path: Path) -> None:
    dataset = shop()
    training = QUICK if backbone in ("bpr", "sasrec") else {}
    run = cliper.fit(
        dataset, backbone, out=tmp_path / "run", split="new-user", training=training, seed=3
    )
    split = make_split(dataset, "new-user", 3)
    assert split.given is not None
    given = split.given.select(split.given.by_time())
    found = []
    for user in np.unique(split.test.user_index):
        taken = dataset.items.ids(given.item_index[given.user_index == user])
        wanted = set(dataset.items.ids(split.test.item_index[split.test.user_index == user]))
        rows = run.recommend(history=taken, k=20)
        found.append(len(wanted & {r.item_id for r in rows}) / len(wanted))
        if backbone != "ials":  # its regression to the trained items alone is the same to rounding
            known = run.recommend(dataset.users.ids([int(user)]), k=20)
            assert [r.item_id for r in known] == [r.item_id for r in rows]
    assert len(found) == 8
    assert run.results.test["recall@20"] == pytest.approx(np.mean(found))
    assert run.results.protocol.split == "new-user"


def test_who_cannot_fold_in_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot fold in a user"):
        cliper.fit(shop(), "neumf", out=tmp_path / "run", split="new-user", training=QUICK)
