"""What `cliper encode --adapt` shows."""

from pathlib import Path
from typing import TYPE_CHECKING

from cliper.cli.output import percent, print_facts, print_table, say

if TYPE_CHECKING:
    from cliper.encoders.adaptation import AdaptationReport


def show_adaptation(report: "AdaptationReport", folder: Path) -> None:
    """Print retrieval before and after, and where the files are."""
    facts = [
        ("fitted on", f"{report.train:,} items"),
        ("epoch", f"{report.best_epoch} of {report.epochs_run}, chosen on {report.valid:,} items"),
        ("temperature", f"{report.temperature:.3f}"),
        ("seconds", report.seconds),
    ]
    say()
    print_facts(facts, title=report.encoder)
    columns = ["view", "direction", "R@1", "R@5", "R@10", "MRR", "median rank", "of"]
    rows = []
    for view, direction, before, after in report.rows():
        cells = [
            f"{percent(getattr(before, name))} → {percent(getattr(after, name))}"
            for name in ("recall_at_1", "recall_at_5", "recall_at_10")
        ]
        mrr = f"{before.mrr:.3f} → {after.mrr:.3f}"
        rank = f"{before.median_rank:g} → {after.median_rank:g}"
        rows.append([view, direction, *cells, mrr, rank, f"{after.candidates:,}"])
    title = f"\nretrieval among {report.report:,} other items, percent, before → after"
    print_table(columns, rows, title=title, right=range(2, 8))
    cosines = [
        [view, f"{b.matched:.3f} → {a.matched:.3f}", f"{b.unmatched:.3f} → {a.unmatched:.3f}"]
        for view, b, a in report.cosines()
    ]
    title = "\nmean cosine of a text with its own picture, and with others'"
    print_table(["view", "matched", "unmatched"], cosines, title=title, right=(1, 2))
    written = [n for n in ("report.json", "report.md", "retrieval.svg") if (folder / n).is_file()]
    say(f"\nwritten: {folder}/{', '.join(written)}")
