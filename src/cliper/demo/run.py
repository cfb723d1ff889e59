"""The whole job on a generated shop: draw, prepare, encode, compare, report."""

from dataclasses import dataclass
from pathlib import Path

from cliper.data import Dataset
from cliper.data.prepare import prepare_files
from cliper.demo.shop import generate_shop
from cliper.experiments.comparisons.compare import compare
from cliper.experiments.comparisons.comparison import Comparison
from cliper.experiments.comparisons.table import comparison_rows
from cliper.experiments.comparisons.variants import plan
from cliper.experiments.drawing.tables import markdown
from cliper.experiments.reports.build import write_comparisons
from cliper.progress import task

SEEDS = (0, 1, 2)
VIEWS = ["title", "brand", "categories", "description", "global"]
SPLITS = {"random": "Items people know", "cold-item": "Items nobody has bought yet"}
SETTINGS = {
    "views": {"include": VIEWS},
    "backbone": {"trainable_features": False},
    "training": {"max_epochs": 60, "learning_rate": 0.005, "validate_every": 2},
}


@dataclass(frozen=True)
class DemoResult:
    """What the demo has to show: tables as text, and the report's path."""

    table: str
    report: Path


def run_demo(out: Path, items: int = 600, users: int = 800) -> DemoResult:
    """Generate a shop under `out`, run vanilla and CLIPER through FREEDOM, write `report.html`.

    Everything that is there already is reused, so an interrupted demo goes on.

    Args:
        out: gets `shop/` (raw files), `dataset/`, `compare/<split>/` and `report.html`.
        items, users: size of the shop.
    """
    shop, path = out / "shop", out / "dataset"
    if not (path / "dataset.json").is_file():
        with task("drawing a shop"):
            generate_shop(shop, items=items, users=users)
        prepare_files(
            shop / "items.jsonl", shop / "interactions.csv", shop, path,
            k_core=5, keep_unbought=True, name="Demo shop",
        )  # fmt: skip
    dataset = Dataset.load(path)
    comparisons: dict[str, Comparison] = {}
    tables = []
    for split, heading in SPLITS.items():
        comparison = compare(
            dataset,
            plan(["popularity", "freedom"], ["vanilla", "cliper"], ["learned", "attention"]),
            SEEDS,
            out / "compare" / split,
            base={**SETTINGS, "split": {"kind": split}},
        )
        comparisons[heading] = comparison
        tables.append(f"{heading} ({split} split)\n{markdown(comparison_rows(comparison))}")
    report = write_comparisons(out / "report.html", comparisons, [f"cliper demo --out {out}"])
    return DemoResult("\n\n".join(tables), report)
