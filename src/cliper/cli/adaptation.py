"""What `cliper encode --adapt` reads and shows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cliper.cli.output import percent, print_facts, print_table
from cliper.errors import InputError

if TYPE_CHECKING:
    from cliper.encoders.adaptation import AdaptationConfig, AdaptationReport


def adaptation_settings(kind: str | None, sets: Sequence[str]) -> "AdaptationConfig | None":
    """The settings of `--adapt KIND` and `--set encoder.adapt.KEY=VALUE`.

    Raises:
        InputError: a setting of something else, or one without a kind.
    """
    from cliper.encoders.adaptation import adaptation_config
    from cliper.experiments.config import assign

    tree = assign({}, sets)
    section = tree.get("encoder", {})
    settings = section.get("adapt", {}) if isinstance(section, dict) else None
    others = [key for key in tree if key != "encoder"]
    others += [key for key in section if key != "adapt"] if isinstance(section, dict) else []
    if others or not isinstance(settings, dict):
        raise InputError(
            "only encoder.adapt.KEY=VALUE has an effect here",
            where="--set",
            remedy="use this command's options for the rest",
        )
    given = settings.pop("kind", None)
    if given is not None and kind is not None and given != kind:
        raise InputError(f"{kind!r} and {given!r} are given", where="encoder.adapt.kind")
    kind = kind or given
    if kind is None:
        if settings:
            raise InputError(
                "has no effect without an adaptation",
                where=f"encoder.adapt.{next(iter(settings))}",
                remedy="add --adapt projection or --adapt lora",
            )
        return None
    return adaptation_config(str(kind), **settings)


def show_adaptation(report: "AdaptationReport", folder: str) -> None:
    """Print retrieval before and after, and where the files are."""
    facts = [
        ("fitted on", f"{report.train:,} items"),
        ("epoch", f"{report.best_epoch} of {report.epochs_run}, chosen on {report.valid:,} items"),
        ("temperature", f"{report.temperature:.3f}"),
        ("seconds", report.seconds),
    ]
    click.echo()
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
    click.echo(f"\nwritten: {folder}/report.json, report.md, retrieval.svg")
