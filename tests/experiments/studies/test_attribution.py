"""Hits row by row: against sorted scores, and adding up to the run's own metric."""

from collections import defaultdict

import numpy as np
import pyarrow.parquet as pq
import pytest

from cliper.experiments.run.experiment import load_config
from cliper.experiments.run.finished import Run
from cliper.experiments.run.split import experiment_split
from cliper.experiments.studies.popularity import bins, by_count, hit_rows, recall_over

K = 20


@pytest.fixture(params=["cold items", "100 %", "30 %"])
def run(request: pytest.FixtureRequest, studies) -> Run:
    return studies["coldness"].measured.outcomes[f"CLIPER, {request.param}"].runs[0]


def test_hits_against_sorted_scores(run: Run, world) -> None:
    rows = hit_rows(world, run, K)
    split = experiment_split(world, load_config(run.directory))
    vectors = run.directory.read_tensors("embeddings.safetensors")
    scores = (vectors["users"] @ vectors["items"].T).numpy()
    known = defaultdict(set)
    for part in (split.train, split.valid, split.withheld):
        if part is not None:
            for u, i in zip(part.user_index, part.item_index, strict=True):
                known[int(u)].add(int(i))
    candidates = split.test_candidates
    among = range(scores.shape[1]) if candidates is None else [int(i) for i in candidates]
    expected = []
    for u, i in zip(split.test.user_index, split.test.item_index, strict=True):
        ranked = sorted((j for j in among if j not in known[int(u)]), key=lambda j: -scores[u, j])
        count = int((split.train.item_index == i).sum())
        expected.append((int(u), int(i), int(i) in ranked[:K], count))
    found = zip(rows.users, rows.items, rows.hits, rows.taken, strict=True)
    assert [(int(u), int(i), bool(h), int(n)) for u, i, h, n in found] == expected


def test_one_bin_for_all_is_the_runs_own_recall(run: Run, world) -> None:
    rows = hit_rows(world, run, K)
    users, recall = recall_over(rows, np.ones(len(rows.hits), dtype=bool))
    table = pq.read_table(run.path / "test_per_user.parquet")
    np.testing.assert_array_equal(users, np.asarray(table["user_index"]))
    np.testing.assert_allclose(recall, np.asarray(table["recall@20"]))


def test_bins_cover_every_count_once(run: Run, world) -> None:
    rows = hit_rows(world, run, K)
    covered = np.zeros(len(rows.hits), dtype=int)
    for _, low, high in bins():
        covered += (rows.taken >= low) & (rows.taken < high)
    assert (covered == 1).all()


def test_recall_within_bins_against_a_loop(studies, world) -> None:
    measured = studies["coldness"].measured
    parts = [part for part in by_count(measured) if part.among == "all items"]
    assert len(parts) >= 2
    for part in parts:
        low, high = next((low, high) for label, low, high in bins() if label == part.label)
        for kind in ("none", "vanilla", "CLIPER"):
            means = []
            for run in measured.outcomes[f"{kind}, 100 %"].runs:
                rows = hit_rows(world, run, K)
                found, total = defaultdict(int), defaultdict(int)
                for u, hit, n in zip(rows.users, rows.hits, rows.taken, strict=True):
                    if low <= n < high:
                        total[int(u)] += 1
                        found[int(u)] += bool(hit)
                if total:
                    means.append(np.mean([found[u] / total[u] for u in total]))
            assert part.samples.mean(kind) == pytest.approx(np.mean(means))


def test_cold_items_have_no_training_interactions(studies) -> None:
    measured = studies["coldness"].measured
    cold = [part for part in by_count(measured) if part.among == "cold items"]
    assert [part.label for part in cold] == ["0"]
    expected = np.mean([r.results.test["recall@20"] for r in
                        measured.outcomes["CLIPER, cold items"].runs])  # fmt: skip
    assert cold[0].samples.mean("CLIPER") == pytest.approx(expected)


def test_a_smaller_share_is_trained_on_less_and_measured_on_the_same(studies) -> None:
    outcomes = studies["coldness"].measured.outcomes
    whole, part = (outcomes[f"CLIPER, {s} %"].runs[0].results for s in (100, 30))
    assert part.dataset.train < whole.dataset.train
    assert part.dataset.test == whole.dataset.test
