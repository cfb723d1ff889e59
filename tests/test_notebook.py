"""How values show themselves, and the two notebooks, run from the first cell to the last."""

import re
from html.parser import HTMLParser
from pathlib import Path

import nbclient
import nbformat
import pandas as pd
import pytest

import cliper
from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.comparisons.compare import compare
from cliper.experiments.comparisons.comparison import Comparison
from cliper.experiments.comparisons.variants import Variant
from cliper.experiments.run.finished import Run

ROOT = Path(__file__).parents[1]


class Tags(HTMLParser):
    """What of a text is markup, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    pairs = [(f"u{u}", f"i{(u * 7 + k * k) % 20}") for u in range(15) for k in range(6)]
    log = pd.DataFrame(pairs, columns=["user_id", "item_id"]).drop_duplicates()
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(20)]})
    items["title"] = ["<script>alert(1)</script> mug & jug", *[f"thing {i}" for i in range(1, 20)]]
    out = tmp_path_factory.mktemp("shop") / "ds"
    return Dataset.from_frames(items, log, out, k_core=0, name="a<b", keep_html=True)


@pytest.fixture(scope="module")
def comparison(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    variants = [Variant("popularity", "none"), Variant("itemknn", "none")]
    return compare(dataset, variants, [0, 1], tmp_path_factory.mktemp("compare"))


@pytest.fixture(scope="module")
def run(comparison: Comparison) -> Run:
    return comparison.outcomes[1].runs[0]


def test_a_dataset(dataset: Dataset) -> None:
    n = len(dataset.interactions)
    assert repr(dataset) == (
        f"Dataset('a<b': 15 users, 20 items, {n} interactions, 0 items with an image)"
    )
    found = Tags(dataset._repr_html_())
    assert set(found.tags) == {"table", "caption", "tr", "td"}
    assert {"a<b", "users", "15", "title"} <= set(found.texts)


def test_a_run(run: Run) -> None:
    recall = run.results.test["recall@10"]
    assert repr(run).endswith(f"itemknn with none features on a<b, recall@10 {recall:.4f})")
    assert f"{100 * recall:.2f} %" in Tags(run._repr_html_()).texts


def test_a_comparison_and_its_plot(comparison: Comparison) -> None:
    assert re.fullmatch(
        r"Comparison\(popularity.*, itemknn.*; 2 seeds, recall@20\)", repr(comparison)
    )
    found = Tags(comparison._repr_html_())
    assert found.tags.count("tr") == 3
    means = [f"{100 * o.values('recall@20').mean():.2f}" for o in comparison.outcomes]
    for mean in means:
        assert any(text.startswith(f"{mean} ±") for text in found.texts)
    figure = comparison.plot("recall@20")
    assert "<svg" in figure._repr_html_()
    assert all(f"{mean} %" in repr(figure) for mean in means)
    with pytest.raises(InputError, match=r"no metric 'recal@20' \(did you mean 'recall@20'\?\)"):
        comparison.plot("recal@20")


def test_frames(run: Run) -> None:
    rows = run.recommend(["u1", "u2"], k=3)
    frame = run.recommend(["u1", "u2"], k=3, as_frame=True)
    assert frame.columns.tolist() == ["query", "rank", "item_id", "score"]
    assert frame.to_dict("records") == [
        {"query": r.query, "rank": r.rank, "item_id": r.item_id, "score": r.score} for r in rows
    ]
    assert "reasons" in run.recommend(["u1"], k=3, as_frame=True, explain="history")
    similar = run.similar_items(["i1"], k=2, as_frame=True)
    assert similar["item_id"].tolist() == [r.item_id for r in run.similar_items(["i1"], k=2)]


def test_a_user_is_shown(run: Run, tmp_path: Path) -> None:
    shown = run.show("u1", k=20, history=3)
    found = Tags(shown._repr_html_())
    assert "script" not in found.tags
    items = {row.item_id: row for row in run.recommend(["u1"], k=20)}
    taken = run.recommender.history_of("u1")[-3:]
    assert found.tags.count("br") == 2 * len(items) + len(taken)
    assert "<script>alert(1)</script> mug & jug" in "".join(found.texts)
    assert "u1 took: " + ", ".join(taken) == repr(shown).splitlines()[0]
    shown.save(tmp_path / "u1.html")
    assert (tmp_path / "u1.html").read_text() == shown.html


@pytest.mark.parametrize("name", ["comparison", "first-recommendations"])
def test_the_notebooks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(cliper.__file__).parents[1]))
    notebook = nbformat.read(ROOT / "examples" / f"{name}.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)  # they would grow stale
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    html = "".join(
        "".join(output.data.get("text/html", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type in ("display_data", "execute_result")
    )
    assert "<svg" in html if name == "comparison" else "data:image/jpeg;base64" in html
