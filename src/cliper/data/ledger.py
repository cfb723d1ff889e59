"""`Ledger`: what was lost or changed on the way in, counted by reason, with a few samples."""

from collections.abc import Iterable
from typing import Literal

from cliper.types import JsonObject

Section = Literal["rows", "users", "items", "images", "fields"]
SAMPLES = 5


class Ledger:
    """Counts by section and reason; the order of first mention is kept.

    `drop` is for what leaves the dataset, `change` for what stays in another form.

    >>> ledger = Ledger()
    >>> ledger.drop("rows", "rating below 4", 2, ["row 7", "row 9"])
    >>> ledger.as_json()["dropped"]["rows"]
    {'rating below 4': 2}
    """

    def __init__(self) -> None:
        self._dropped: dict[str, dict[str, int]] = {}
        self._changed: dict[str, dict[str, int]] = {}
        self._samples: dict[str, dict[str, list[str]]] = {}

    def drop(
        self, section: Section, reason: str, count: int = 1, samples: Iterable[str] = ()
    ) -> None:
        """Count `count` losses; nothing is noted when it is 0."""
        self._note(self._dropped, section, reason, count, samples)

    def change(
        self, section: Section, reason: str, count: int = 1, samples: Iterable[str] = ()
    ) -> None:
        """Count `count` changes of form; nothing is noted when it is 0."""
        self._note(self._changed, section, reason, count, samples)

    def dropped(self, section: Section) -> dict[str, int]:
        """Reason → count of one section."""
        return dict(self._dropped.get(section, {}))

    def as_json(self) -> JsonObject:
        """`dropped`, `changed` (section → reason → count) and `samples` (the same, few texts)."""
        sections: tuple[Section, ...] = ("rows", "items", "images", "fields")
        return {
            "dropped": {section: self.dropped(section) for section in sections},
            "changed": {name: dict(reasons) for name, reasons in self._changed.items()},
            "samples": {name: dict(reasons) for name, reasons in self._samples.items()},
        }

    def _note(
        self,
        table: dict[str, dict[str, int]],
        section: Section,
        reason: str,
        count: int,
        samples: Iterable[str],
    ) -> None:
        if count <= 0:
            return
        reasons = table.setdefault(section, {})
        reasons[reason] = reasons.get(reason, 0) + int(count)
        kept = self._samples.setdefault(section, {}).setdefault(reason, [])
        for sample in samples:
            if len(kept) >= SAMPLES:
                break
            shown = sample if len(sample) <= 200 else sample[:197] + "…"
            kept.append(shown.encode(errors="replace").decode())  # half a surrogate pair
