"""Retrieval scores against rankings written out item by item, and against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import label_ranking_average_precision_score

from cliper.encoders.adaptation.retrieval import Direction, score_retrieval
from cliper.encoders.pairs import PairTable


def table(n: int, views: int = 1) -> PairTable:
    """Nothing absent, nothing equal."""
    return PairTable(
        torch.ones(views, n, dtype=torch.bool), torch.arange(n).expand(views, n), torch.arange(n)
    )


def by_hand(
    text: np.ndarray,
    image: np.ndarray,
    present: np.ndarray,
    texts: np.ndarray,
    pictures: np.ndarray,
) -> tuple[list[float], list[float]]:
    """Ranks of one view in both directions, one query after the other."""

    def cosine(i: int, j: int) -> float:
        return float(text[i] @ image[j] / np.linalg.norm(text[i]) / np.linalg.norm(image[j]))

    items = range(len(image))
    there = [i for i in items if present[i]]
    to_image, to_text = [], []
    for i in there:
        right = {pictures[k] for k in there if texts[k] == texts[i]}
        wrong = {pictures[k]: cosine(i, k) for k in items if pictures[k] not in right}
        to_image.append(1 + sum(c > cosine(i, i) for c in wrong.values()))
        right = {texts[k] for k in there if pictures[k] == pictures[i]}
        wrong = {texts[k]: cosine(k, i) for k in there if texts[k] not in right}
        to_text.append(1 + sum(c > cosine(i, i) for c in wrong.values()))
    return to_image, to_text


def summary(ranks: list[float]) -> tuple[float, ...]:
    found = np.array(ranks)
    recalls = [(found <= k).mean() for k in (1, 5, 10)]
    return (*recalls, (1 / found).mean(), float(np.median(found)))


def numbers(d: Direction) -> tuple[float, ...]:
    return d.recall_at_1, d.recall_at_5, d.recall_at_10, d.mrr, d.median_rank


def test_ranks_equal_those_by_hand_with_gaps_and_duplicates() -> None:
    rng = np.random.default_rng(0)
    n, width = 40, 5
    texts = np.stack([np.arange(n), rng.integers(0, 12, n), rng.integers(0, 3, n)])
    pictures = rng.integers(0, 30, n)
    text = np.stack([rng.normal(size=(n, width))[kind] for kind in texts]).astype(np.float32)
    image = rng.normal(size=(n, width)).astype(np.float32)[pictures]
    present = rng.random((3, n)) > np.array([[0.0], [0.3], [0.5]])
    pairs = PairTable(*(torch.from_numpy(a) for a in (present, texts, pictures)))
    got = score_retrieval(torch.from_numpy(text), torch.from_numpy(image), pairs, "abc")
    pooled: tuple[list[float], list[float]] = ([], [])
    for c, name in enumerate("abc"):
        ranks = by_hand(text[c], image, present[c], texts[c], pictures)
        view = got.views[name]
        assert numbers(view.text_to_image) == pytest.approx(summary(ranks[0]))
        assert numbers(view.image_to_text) == pytest.approx(summary(ranks[1]))
        assert view.image_to_text.candidates == len(set(texts[c][present[c]]))
        pooled[0].extend(ranks[0])
        pooled[1].extend(ranks[1])
    assert numbers(got.overall.text_to_image) == pytest.approx(summary(pooled[0]))
    assert numbers(got.overall.image_to_text) == pytest.approx(summary(pooled[1]))
    assert got.overall.text_to_image.queries == present.sum()


def test_mrr_equals_sklearn() -> None:
    generator = torch.Generator().manual_seed(0)
    text, image = (torch.randn(s, generator=generator) for s in ((1, 25, 8), (25, 8)))
    got = score_retrieval(text, image, table(25), ["title"])
    unit = [torch.nn.functional.normalize(x, dim=-1).numpy() for x in (text[0], image)]
    cosines = unit[0] @ unit[1].T
    assert got.overall.text_to_image.mrr == pytest.approx(
        label_ranking_average_precision_score(np.eye(25), cosines)
    )
    assert got.overall.image_to_text.mrr == pytest.approx(
        label_ranking_average_precision_score(np.eye(25), cosines.T)
    )
    off = cosines[~np.eye(25, dtype=bool)]
    assert got.overall.matched == pytest.approx(np.diag(cosines).mean(), abs=1e-6)
    assert got.overall.unmatched == pytest.approx(off.mean(), abs=1e-6)
    assert got.overall.unmatched_deviation == pytest.approx(off.std(), abs=1e-6)


def test_chance_is_what_random_vectors_score() -> None:
    scores, chance = [], 0.0
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        text, image = (torch.randn(s, generator=generator) for s in ((1, 20, 64), (20, 64)))
        got = score_retrieval(text, image, table(20), ["title"])
        scores.append(got.overall.mrr)
        chance = got.overall.text_to_image.chance_mrr
    assert chance == pytest.approx(sum(1 / k for k in range(1, 21)) / 20)
    assert np.mean(scores) == pytest.approx(chance, abs=4 * np.std(scores) / math.sqrt(200))


def test_a_constant_encoder_scores_the_middle() -> None:
    got = score_retrieval(torch.ones(1, 21, 4), torch.ones(21, 4), table(21), ["title"])
    assert got.overall.text_to_image.median_rank == 11
    assert got.overall.text_to_image.recall_at_10 == 0


def test_nothing_to_ask() -> None:
    nothing = PairTable(
        torch.zeros(1, 3, dtype=torch.bool), torch.zeros(1, 3).long(), torch.arange(3)
    )
    with pytest.raises(ValueError, match="no item has a text"):
        score_retrieval(torch.zeros(1, 3, 2), torch.zeros(3, 2), nothing, ["title"])
