"""One run's numbers as a table."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cliper.cli.output import percent, print_table, say

if TYPE_CHECKING:
    from cliper.runs import Protocol, Results


def show_results(results: "Results", where: str) -> None:
    """Print what `results.json` says."""
    rows = {"valid": results.valid, "test": results.test}
    if results.test_all:
        rows["test, all items"] = results.test_all
    features = results.features
    made = [features.kind, features.encoder, features.fusion]
    kind = " ".join(part for part in made if part)
    title = f"{results.backbone} on {results.dataset.name}, features {kind}: {where}"
    if results.epochs_run and results.epochs_run >= results.config["training"]["max_epochs"]:
        say(
            f"note: stopped at its cap of {results.epochs_run} epochs, perhaps before its best; "
            "--epochs raises it",
            err=True,
        )
    show_metrics(rows, f"{title}\n{protocol_line(results.protocol)}, best epoch "
                 f"{results.best_epoch} of {results.epochs_run}")  # fmt: skip


def show_metrics(rows: Mapping[str, Mapping[str, float]], title: str) -> None:
    """Print parts × metrics in percent."""
    from cliper.experiments.drawing.tables import metric_name
    from cliper.metrics import saturated

    columns = list(next(iter(rows.values())))
    cells = [[name, *(percent(row[c]) for c in columns)] for name, row in rows.items()]
    heads = ["percent", *(metric_name(c) for c in columns)]
    print_table(heads, cells, title=title, right=range(1, len(heads)))
    for name, row in rows.items():
        if remark := saturated(row):
            say(f"note: {name}: {remark}")


def protocol_line(protocol: "Protocol") -> str:
    """E.g. `split random (seed 0), mask train+valid, candidates all`."""
    return (
        f"split {protocol.split} (seed {protocol.seed}), mask {protocol.mask}, "
        f"candidates {protocol.candidates}"
    )
