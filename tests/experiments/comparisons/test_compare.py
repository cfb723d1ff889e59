"""Fits, comparisons and reports on a tiny dataset, end to end."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from cliper.backbones import create_backbone
from cliper.data import Dataset
from cliper.data.splits import make_split
from cliper.errors import InputError
from cliper.experiments.comparisons.caption import protocol_line
from cliper.experiments.comparisons.compare import compare
from cliper.experiments.comparisons.comparison import comparison_json, load_comparison
from cliper.experiments.comparisons.settings import CompareSettings
from cliper.experiments.comparisons.table import comparison_rows
from cliper.experiments.comparisons.variants import plan, variant_config
from cliper.experiments.reports.build import build_report
from cliper.experiments.run.experiment import evaluate_run, load_config, run_experiment
from cliper.experiments.run.split import experiment_split
from cliper.experiments.statistics.resample import resample
from cliper.files import read_json
from cliper.representation.represent import represent_dataset

BASE = {"training": {"max_epochs": 3, "batch_size": 256, "learning_rate": 0.01}}


def variants():
    return plan(["popularity", "bpr", "vbpr"], ["random"], ["attention"])


def test_compare_runs_searches_and_resumes(dataset: Dataset, tmp_path: Path) -> None:
    grid = {"training.learning_rate": [1e-4, 1e-2], "backbone.l2": [0.0]}
    first = compare(dataset, variants(), [0, 1], tmp_path, base=BASE, grid=grid)
    names = [o.variant.name for o in first.outcomes]
    assert names == ["popularity-none", "bpr-none", "vbpr-random"]
    assert first.budget == 2
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("results.json")}
    again = compare(dataset, variants(), [0, 1], tmp_path, base=BASE, grid=grid)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("results.json")} == stamps
    assert comparison_json(first) == comparison_json(again)
    loaded = load_comparison(tmp_path)
    assert comparison_json(loaded) == json.loads((tmp_path / "compare.json").read_text())
    # The choice was made on validation: it is the better of the two there.
    searched = [
        json.loads((tmp_path / f"search/bpr-none/{n:03d}/validation.json").read_text())
        for n in (0, 1)
    ]
    values = [trial["valid"]["recall@20"] for trial in searched]
    chosen = next(o for o in first.outcomes if o.variant.name == "bpr-none")
    best = grid["training.learning_rate"][values.index(max(values))]
    assert chosen.chosen["training.learning_rate"] == best
    # The search never tests, and its winner trained again validates the same.
    assert not list(tmp_path.glob("search/**/results.json"))
    assert chosen.runs[0].results.valid["recall@20"] == max(values)


def test_other_settings_in_the_same_folder_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    chosen = plan(["popularity"], [], [])
    compare(dataset, chosen, [0], tmp_path, base=BASE)
    other = {"evaluation": {"mask": "train"}, **BASE}
    with pytest.raises(InputError, match="other settings"):
        compare(dataset, chosen, [0], tmp_path, base=other)


def test_evaluate_repeats_the_test_result_and_honours_the_mask(
    dataset: Dataset, tmp_path: Path
) -> None:
    config = variant_config(dataset.path, variants()[2], 0, BASE)
    run = run_experiment(config, tmp_path / "run")
    _, again = evaluate_run(run.path)
    assert dict(again.metrics) == run.results.test
    _, published = evaluate_run(run.path, mask="train")
    assert dict(published.metrics) != run.results.test


def test_the_saved_model_alone_restores_the_embeddings(dataset: Dataset, tmp_path: Path) -> None:
    run = run_experiment(variant_config(dataset.path, variants()[2], 0, BASE), tmp_path / "run")
    config = load_config(run.directory)
    split = make_split(dataset, "random", config.split_seed)
    features = represent_dataset(dataset, config.representation)
    model = create_backbone("vbpr", split.train, features, config.backbone_options, seed=0)
    model.load_state_dict(run.directory.read_tensors("model.safetensors"))
    with torch.inference_mode():
        users, items = model.eval().embed()
    saved = run.directory.read_tensors("embeddings.safetensors")
    assert torch.equal(users, saved["users"]) and torch.equal(items, saved["items"])


def test_recommendations_are_the_brute_force_ranking(dataset: Dataset, tmp_path: Path) -> None:
    run = run_experiment(variant_config(dataset.path, variants()[2], 0, BASE), tmp_path / "run")
    vectors = run.directory.read_tensors("embeddings.safetensors")
    split = make_split(dataset, "random", 0)
    user = 3
    seen = {
        int(i)
        for part in (split.train, split.valid)
        for i in part.item_index[part.user_index == user]
    }
    scores = (vectors["users"][user] @ vectors["items"].T).tolist()
    ranked = sorted((i for i in range(len(scores)) if i not in seen), key=lambda i: -scores[i])
    answer = run.recommend(["u3"], k=7)
    assert [r.item_id for r in answer] == dataset.items.ids(ranked[:7])
    assert [r.rank for r in answer] == list(range(1, 8))
    among = run.recommend(["u3"], k=7, candidates=["i0", "i1", "i2", "i3"], exclude_seen=False)
    assert len(among) == 4 and {r.item_id for r in among} == {"i0", "i1", "i2", "i3"}
    unit = torch.nn.functional.normalize(vectors["items"], dim=1)
    nearest = [int(i) for i in (unit @ unit[5]).argsort(descending=True) if int(i) != 5][:3]
    assert [r.item_id for r in run.similar_items(["i5"], k=3)] == dataset.items.ids(nearest)
    with pytest.raises(InputError, match="unknown user 'nobody'"):
        run.recommend(["nobody"])


def test_the_table_and_the_report_of_a_comparison(dataset: Dataset, tmp_path: Path) -> None:
    compare(dataset, variants(), [0, 1], tmp_path, base=BASE)
    table = comparison_rows(load_comparison(tmp_path))
    assert len(table.rows) == 3 and "random" in table.protocol
    page = build_report(tmp_path).read_text("utf-8")
    assert "popularity" in page and "<svg" in page
    run = tmp_path / "runs" / "vbpr-random" / "seed-0"
    assert "vbpr" in build_report(run).read_text("utf-8")


def test_a_feature_free_backbone_appears_once() -> None:
    names = [v.name for v in plan(["bpr", "vbpr"], ["vanilla", "cliper"], ["sum", "mlp"])]
    assert names == ["bpr-none", "vbpr-vanilla", "vbpr-cliper-sum", "vbpr-cliper-mlp"]


def test_settings_of_their_own_reach_the_variants_they_name(dataset: Dataset) -> None:
    plan_of = CompareSettings.parse(
        {
            "backbones": ["vbpr", "lightgcn"],
            "features": ["random", "cliper"],
            "set_for": {
                "vbpr": {"backbone.embedding_size": 8, "training.patience": 3},
                "random": {"features.random_size": 16},
                "vbpr-random": {"training.patience": 4},
            },
        }
    )
    settings = {v.name: dict(v.settings) for v in plan_of.variants()}
    assert settings["vbpr-random"] == {
        "features.random_size": 16, "backbone.embedding_size": 8, "training.patience": 4,
    }  # fmt: skip
    assert settings["vbpr-cliper-attention"] == {
        "backbone.embedding_size": 8, "training.patience": 3,
    }  # fmt: skip
    assert settings["lightgcn-none"] == {}
    config = variant_config(dataset.path, plan_of.variants()[0], 0, {"training": {"patience": 9}})
    assert config.training.patience == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"set_for": {"freedm": {"training.patience": 1}}}, "did you mean 'freedom'"),
        ({"set_for": {"freedom": {"split.kind": "given"}}}, "same for every variant"),
        ({"set_for": {"vanilla": {"fusion.temperature": 0.2}}}, "no effect"),
        ({"trials": 3}, "no effect without a space"),
        ({"space": {"backbone.pool": "1..2"}}, "no variant of this comparison has it"),
        ({"space": {"training.learning_rate": "0.1..2"}}, "less than or equal to 1"),
        ({"space": {"training.patience": [1, 2]}}, "set and searched"),
        ({"grid": {"training.batch_size": [1, 2]}, "preset": "paper"}, "at once"),
        ({"metric": "recall@7"}, "no metric"),
        ({"folds": 5, "seeds": 2}, "leave one out"),
    ],
)
def test_what_is_wrong_is_found_before_any_work(changes: dict, said: str) -> None:
    tree = {"backbones": ["freedom"], "features": ["vanilla", "cliper"], **changes}
    with pytest.raises(InputError, match=said):
        CompareSettings.parse(tree).check({"training": {"patience": 2}})


def test_every_variant_is_searched_with_the_same_budget(dataset: Dataset, tmp_path: Path) -> None:
    """A variant without the setting tries fewer, and the caption says so."""
    settings = CompareSettings.parse(
        {
            "backbones": ["popularity", "bpr", "vbpr"],
            "features": ["random"],
            "space": {
                "training.learning_rate": "1e-3..1e-1:log",
                "backbone.embedding_size": [4, 8],
            },
            "trials": 3,
        }
    )
    base = {"training": {"max_epochs": 3, "batch_size": 256}}
    comparison = settings.run(dataset, base, tmp_path, processes=1)
    assert [o.budget for o in comparison.outcomes] == [1, 3, 3]
    for outcome in comparison.outcomes[1:]:
        found = read_json(tmp_path / "search" / outcome.variant.name / "search-settings.json")
        assert list(found["space"]) == ["training.learning_rate", "backbone.embedding_size"]
        assert set(outcome.chosen) == set(found["space"])
    assert "search budget 1 for popularity-none, 3 for bpr-none, vbpr-random" in protocol_line(
        comparison
    )
    assert comparison_json(load_comparison(tmp_path)) == read_json(tmp_path / "compare.json")


def test_a_grid_is_tried_once_where_it_does_not_differ(dataset: Dataset, tmp_path: Path) -> None:
    grid = {"backbone.l2": [0.0, 0.1], "backbone.modalities": ["all", "image"]}
    chosen = plan(["bpr", "vbpr"], ["random"], [])
    comparison = compare(dataset, chosen, [0], tmp_path, base=BASE, grid=grid)
    assert [o.budget for o in comparison.outcomes] == [2, 4]


def test_the_interval_is_that_of_scipy_for_one_seed() -> None:
    """With one seed only users are drawn again: SciPy's percentile bootstrap of the mean."""
    generator = np.random.default_rng(0)
    users, base = np.arange(400), generator.random(400)
    ours = base + generator.normal(0.02, 0.1, 400)
    found = resample({"a": [(users, ours)], "b": [(users, base)]}, draws=4000).difference("a", "b")
    expected = stats.bootstrap(
        (ours - base,), np.mean, n_resamples=4000, method="percentile", rng=generator
    ).confidence_interval
    spread = expected.high - expected.low
    assert found[1:] == pytest.approx(tuple(expected), abs=0.06 * spread)


def test_folds_are_repeated_cross_validation_over_items(dataset: Dataset, tmp_path: Path) -> None:
    settings = CompareSettings.parse({"backbones": ["vbpr"], "features": ["random"], "folds": 6})
    base = {"training": {"max_epochs": 1, "batch_size": 256}}
    comparison = settings.run(dataset, base, tmp_path / "a")
    tests = [
        set(experiment_split(dataset, load_config(run.directory)).test.item_index.tolist())
        for run in comparison.outcomes[0].runs
    ]
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(tests[:5], 2))
    assert set().union(*tests[:5]) >= tests[5] and tests[5] not in tests[:5]

    wide = replace(comparison.outcomes[0].variant, tag="wide", settings={"backbone.l2": 0.5})
    found = compare(
        dataset, [comparison.outcomes[0].variant, wide], range(6), tmp_path / "b", base=base,
        baselines={wide.name: "vbpr-random"}, folds=True, metric="ndcg@10",
    )  # fmt: skip
    contrast = found.contrasts[wide.name]
    ours, theirs = (o.values("ndcg@10") for o in reversed(found.outcomes))
    d = ours - theirs
    error = np.sqrt((1 / 6 + 2 / 7) * d.var(ddof=1))
    assert contrast.p_seeds == pytest.approx(2 * stats.t.sf(abs(d.mean()) / error, 5))
    assert contrast.high - contrast.low == pytest.approx(2 * stats.t.ppf(0.975, 5) * error)
    assert contrast.smallest > contrast.high - contrast.difference  # type: ignore[operator]
    assert "p (folds)" in comparison_rows(found).columns
    caption = protocol_line(found)
    assert "6 folds of repeated 5-fold cross-validation" in caption
    assert "find in four of five cases" in caption
    assert load_comparison(tmp_path / "b").contrasts == found.contrasts
