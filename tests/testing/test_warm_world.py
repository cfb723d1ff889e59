"""The warm world is what it says, and the check on it fails what is broken."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from cliper.backbones import Backbone, create_backbone
from cliper.ranking.evaluate import evaluate
from cliper.testing import WarmWorld, warm_recall, warm_world
from cliper.testing.conformance import WARM_IALS, BackboneConformance, all_scores

WORLD = warm_world()


def rows(world: WarmWorld) -> list[tuple[list[int], list[int]]]:
    parts = (world.train, world.valid, world.test)
    return [(p.user_index.tolist(), p.item_index.tolist()) for p in parts]


def test_same_seed_same_world() -> None:
    again, other = warm_world(), warm_world(seed=1)
    assert rows(again) == rows(WORLD) != rows(other)
    for modality, table in WORLD.features.tables.items():
        assert torch.equal(again.features.tables[modality], table)
        assert not torch.equal(other.features.tables[modality], table)


def test_every_user_is_dealt_seven_to_one_to_two() -> None:
    counts = [p.user_counts() for p in (WORLD.train, WORLD.valid, WORLD.test)]
    taken = sum(counts)
    for part, share in zip(counts, (0.7, 0.1, 0.2), strict=True):
        assert (np.abs(part - share * taken) <= 1).all() and part.min() > 0
    pairs = {pair for part in rows(WORLD) for pair in zip(*part, strict=True)}
    assert len(pairs) == taken.sum()
    assert WORLD.train.timestamp is not None
    assert len(set(WORLD.train.timestamp.tolist())) == len(WORLD.train)


def test_items_are_taken_as_often_as_numpy_draws_them_at_the_same_odds() -> None:
    generator, odds = np.random.default_rng(5), np.exp(WORLD.preferences)
    parts = (WORLD.train, WORLD.valid, WORLD.test)
    ours = sum(p.item_counts() for p in parts)
    theirs = np.zeros(WORLD.train.n_items)
    for user, n in enumerate(sum(p.user_counts() for p in parts)):
        drawn = generator.choice(
            len(theirs), n, replace=False, p=odds[user] / odds[user].sum(), shuffle=False
        )
        theirs[drawn] += 1
    assert (np.abs(ours - theirs) < 5 * np.sqrt(ours + theirs + 1)).all()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    # The most popular tenth of the items is in far more pairs than a tenth.
    assert np.sort(ours)[-50:].sum() > 0.35 * ours.sum()


def test_features_and_fields_say_something_of_taste_and_not_all() -> None:
    # Two items of one group differ by the same in everybody's eyes.
    difference = WORLD.preferences[:, :, None] - WORLD.preferences[:, None, :100]
    same = np.ptp(difference, axis=0) < 1e-9
    assert 0.08 < same.mean() < 0.2  # one of eight groups
    for table in WORLD.features.tables.values():
        unit = torch.nn.functional.normalize(table, dim=1)
        cosines = (unit @ unit[:100].T).numpy()
        assert 0.2 < cosines[same & (cosines < 0.999)].mean() < 0.8
        assert abs(cosines[~same].mean()) < 0.1
    shared = (WORLD.fields.matrix @ WORLD.fields.matrix[:100].T).toarray() > 0
    assert shared[same].mean() > 3 * shared[~same].mean() > 0


@pytest.mark.parametrize("part", ["valid", "test"])
def test_recall_is_that_of_the_evaluation(part: str) -> None:
    model = create_backbone("ease", WORLD.train)
    valid = WORLD.valid if part == "test" else None
    expected = evaluate(
        model.scorer(), getattr(WORLD, part), train=WORLD.train, valid=valid, ks=[20]
    )
    found = warm_recall(all_scores(model, WORLD), WORLD, part)  # type: ignore[arg-type]
    assert found == pytest.approx(expected.metrics["recall@20"], abs=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_neither_popularity_nor_taste_is_enough(seed: int) -> None:
    world = warm_world(seed=seed)

    def found(name: str, **options: object) -> float:
        model = create_backbone(name, world.train, options=options)
        return warm_recall(all_scores(model, world), world)

    ials, popularity = found("ials", **WARM_IALS), found("popularity")
    best = warm_recall(torch.from_numpy(world.preferences), world)
    known = world.preferences - np.log(np.exp(world.preferences).mean(axis=0))
    taste_alone = warm_recall(torch.from_numpy(known), world)
    assert popularity < 0.6 * ials and taste_alone < 0.6 * ials
    assert 0.9 * best < ials < best


class Cosine(BackboneConformance):
    """A sound model whose items are ranked by the cosine: what is known of popularity is lost."""

    backbone = "lightgcn"

    def train_warm(self, world: WarmWorld, seed: int = 0, epochs: int = 20) -> Backbone:
        model = super().train_warm(world, seed, epochs)
        with torch.inference_mode():
            users, items = model.embed()
        items = torch.nn.functional.normalize(items, dim=1)
        model.embed = lambda: (users, items)  # type: ignore[method-assign]
        return model


class Crushed(BackboneConformance):
    """A sound model under a penalty that leaves little of its vectors."""

    backbone = "lightgcn"
    warm_options: ClassVar = {"l2": 0.3}


class Untrained(BackboneConformance):
    backbone = "lightgcn"

    def train_warm(self, world: WarmWorld, seed: int = 0, epochs: int = 0) -> Backbone:
        return super().train_warm(world, seed, 0)


@pytest.mark.parametrize("broken", [Cosine, Crushed, Untrained])
def test_what_is_broken_fails(broken: type[BackboneConformance]) -> None:
    with pytest.raises(AssertionError, match=r"Recall@20 0\.\d+, iALS"):
        broken().test_popularity_and_taste()


def test_who_asks_for_less_of_ials_is_still_held_against_popularity() -> None:
    class Popular(Crushed):
        warm_share = 0.3

    with pytest.raises(AssertionError, match=r"Recall@20 0\.\d+, popularity"):
        Popular().test_popularity_and_taste()
