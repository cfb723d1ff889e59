"""A report of comparisons and studies together: its numbers, and the page in a browser."""

from pathlib import Path

import numpy as np
import pytest

from cliper.cli import main
from cliper.data import Dataset, prepare_files
from cliper.demo.shop import generate_shop
from cliper.errors import InputError
from cliper.experiments.comparisons.comparison import load_comparison
from cliper.experiments.reports.breakdown import FEWEST_ROWS, breakdown
from cliper.experiments.reports.build import build_report
from cliper.experiments.reports.find import find_results

from ..browser import look, needs_browser

FAST = ["--epochs", "3", "--seeds", "2", "--set", "training.learning_rate=0.01"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("shop")
    generate_shop(folder / "raw", items=90, users=140)
    raw = folder / "raw"
    return prepare_files(
        raw / "items.jsonl", raw / "interactions.csv", raw, folder / "data", k_core=3
    )


@pytest.fixture(scope="module")
def results(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two comparisons and a study, as the commands leave them."""
    out = tmp_path_factory.mktemp("results")
    for split in ("random", "cold-item"):
        arguments = ["compare", str(dataset.path), "--backbones", "vbpr", "--split", split]
        assert main([*arguments, *FAST, "--out", str(out / split), "--json"]) == 0
    study = ["study", "modalities", str(dataset.path), "--backbone", "vbpr", *FAST]
    assert main([*study, "--out", str(out / "studies"), "--json"]) == 0
    search = ["search", str(dataset.path), "--backbone", "vbpr", "--epochs", "2", "--trials", "3"]
    space = ["--space", "training.learning_rate=1e-3..1e-1:log"]
    assert main([*search, *space, "--out", str(out / "tuning"), "--json"]) == 0
    return out


def test_a_directory_of_results_is_found_whole(results: Path) -> None:
    found = find_results(results)
    assert list(found.comparisons) == ["cold-item (cold-item split)", "random (random split)"]
    assert [folder.name for folder in found.studies] == ["studies"]
    assert [folder.name for folder in found.searches] == ["tuning"]
    verbs = [line.split()[1] for line in found.commands]
    assert verbs == ["compare", "compare", "study", "search"]


def test_groups_against_a_loop_over_recommendations(dataset: Dataset, results: Path) -> None:
    """Recall of every group once more, from what `recommend` answers, user by user."""
    comparison = load_comparison(results / "random")
    vanilla, _, cliper = comparison.outcomes  # the attention speaks for CLIPER
    groups = {(g.kind, g.label): g for g in breakdown(dataset, vanilla, cliper, k=10)}
    assert dataset.catalogue is not None
    values = [v if isinstance(v, list) else [v] for v in dataset.catalogue.values("categories")]
    kinds = {key for key in groups if key[0] == "category"}
    assert len(kinds) >= 3
    from cliper.experiments.comparisons.variants import variant_config
    from cliper.experiments.run.split import experiment_split

    for kind, name in kinds:
        for outcome, side in ((vanilla, "before"), (cliper, "after")):
            means = []
            for seed, run in enumerate(outcome.runs):
                config = variant_config(
                    dataset.path, outcome.variant, seed, {"split": {"kind": "random"}}
                )
                test = experiment_split(dataset, config).test
                rows = [
                    (u, i)
                    for u, i in zip(test.user_index, test.item_index, strict=True)
                    if name in values[i]
                ]
                if len(rows) < FEWEST_ROWS:
                    continue
                per_user = {}
                for user in sorted({u for u, _ in rows}):
                    answer = run.recommend(dataset.users.ids([user]), k=10)
                    listed = set(dataset.items.indices([r.item_id for r in answer]).tolist())
                    mine = [i for u, i in rows if u == user]
                    per_user[user] = np.mean([i in listed for i in mine])
                means.append(np.mean(list(per_user.values())))
            assert getattr(groups[kind, name], side) == pytest.approx(np.mean(means)), (kind, name)


def test_nothing_to_report_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run, comparison, study or search"):
        build_report(tmp_path)


def test_studies_alone_make_a_report(results: Path) -> None:
    page = build_report(results / "studies").read_text("utf-8")
    assert "Study: modalities" in page and "cliper study modalities" in page


@needs_browser
@pytest.mark.parametrize("width", [420, 1280])
def test_the_whole_report_in_a_browser(results: Path, tmp_path: Path, width: int) -> None:
    page = build_report(results)
    assert page.stat().st_size < 10_000_000
    text = page.read_text("utf-8")
    for heading in (
        "Where it helps and where it hurts",
        "Study: modalities",
        "Search: tuning",
        "Six people",
    ):
        assert heading in text
    told = look(text, tmp_path, width)
    assert told["pictures"] > 20
    assert (told["broken"], told["seen"], told["requests"]) == (0, [], [])
    assert told["wide"] <= 0
