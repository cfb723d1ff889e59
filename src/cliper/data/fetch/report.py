"""`FetchReport`: what a run did, and the table of everything that failed."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cliper.data.fetch.candidates import FailedAddress
from cliper.escape import in_csv
from cliper.files import write_text

COLUMNS = (
    "item_id", "candidate", "url", "cause", "status", "detail", "tried_again", "item_has_image",
)  # fmt: skip
_TRIED_AGAIN = {"now": "next run", "later": "next run", "never": "with --retry-failed"}


@dataclass
class FetchReport:
    """Counts of one run of `cliper images`.

    Attributes:
        with_addresses: items that name an address.
        had_image: of them, those that had a picture before.
        fetched: items that got one in this run, from the network or from the store.
        without_image: items whose addresses all failed.
        unfinished: items that an interruption left for next time.
        requests: tries made, repetitions included.
        bytes: of the pictures that came over the network.
        failures: addresses that gave no picture, by cause.
        seconds: all in all.
        failures_file: the table of all failures.
    """

    with_addresses: int = 0
    had_image: int = 0
    fetched: int = 0
    without_image: int = 0
    unfinished: int = 0
    requests: int = 0
    bytes: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    failures_file: str = ""

    def count(self, failures: Sequence[FailedAddress]) -> None:
        """Count failed addresses, each once however many items name it; commonest first."""
        labels = {address: failure.label for _, _, address, failure in failures}
        counts = Counter(labels.values())
        self.failures = dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def write_failures(
    path: Path,
    item_ids: Sequence[str],
    failures: Sequence[FailedAddress],
    with_image: set[int],
) -> None:
    """Write one row for each item and address that gave it no picture.

    Args:
        path: the CSV file.
        item_ids: ids by item index.
        failures: (item, candidate from 1, address, why).
        with_image: items that got a picture all the same, from another address.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for item, rank, address, failure in failures:
        status = "" if failure.status is None else failure.status
        rows.writerow([
            in_csv(item_ids[item]), rank, in_csv(address), failure.cause.value, status,
            in_csv(failure.detail), _TRIED_AGAIN[failure.again],
            "yes" if item in with_image else "no",
        ])  # fmt: skip
    write_text(path, text.getvalue())
