"""A search as a table: its best trials by validation, and the budget that they came from."""

from collections.abc import Mapping
from typing import Any

from cliper.experiments.drawing.tables import TextTable

SHOWN = 10


def search_table(record: Mapping[str, Any]) -> TextTable:
    """The table of what `search.json` holds."""
    complete = [trial for trial in record["trials"] if trial["state"] == "complete"]
    ranked = sorted(complete, key=lambda t: (-t["valid_recall@20"], t["number"]))[:SHOWN]
    keys = list(record["space"])
    columns = ("trial", *keys, "valid Recall@20", "epochs", "seconds")
    rows = tuple(
        (
            str(trial["number"]),
            *(shown(trial["params"][key]) for key in keys),
            f"{100 * trial['valid_recall@20']:.2f}",
            str(trial["epochs_run"]),
            f"{trial['train_seconds']:.0f}",
        )
        for trial in ranked
    )
    numeric = tuple(range(len(columns)))
    return TextTable(columns, rows, ((0, len(keys) + 1),), numeric, _budget_line(record))


def shown(value: Any) -> str:
    """A setting's value as a table has room for it.

    >>> shown(0.00123456), shown("inf")
    ('0.00123', 'inf')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _budget_line(record: Mapping[str, Any]) -> str:
    """Data, protocol, budget, and the winner's test."""
    winner, budget = record["runs"][0], record["search_budget"]
    protocol = winner["protocol"]
    lost = [
        f"{budget[state]} {word}"
        for state, word in (("pruned", "broken off early"), ("failed", "failed"))
        if budget[state]
    ]
    test = ", ".join(f"{key} {100 * value:.2f}" for key, value in winner["test"].items())
    return (
        f"{winner['dataset']['name']}, {winner['backbone']}, {winner['features']['kind']} "
        f"features: search budget {budget['configurations']} configurations "
        f"({'; '.join([*lost, 'none tested'])}), {budget['epochs']:,} epochs, on validation "
        f"Recall@20 alone, percent; sampler {record['sampler']}, seed {record['seed']}; split "
        f"{protocol['split']}, candidates {protocol['candidates']}. The best, trained and tested "
        f"once (mask {protocol['mask']}): {test}"
    )
