"""`Candidates`: which address each item needs next, and what the addresses led to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cliper.data.fetch.outcome import Failure, Outcome, Picture

FailedAddress = tuple[int, int, str, Failure]
"""Item index, number of the candidate from 1, address, and why it gave no picture."""


class Candidates:
    """Walks each item's addresses in order, until one gives a picture.

    An address that several items name is asked for once.

    >>> from cliper.data.fetch.outcome import http_error
    >>> walk = Candidates({0: ("a", "b"), 1: ("a",)})
    >>> walk.start()
    ['a']
    >>> walk.resolve("a", http_error(404)), walk.unresolved
    (['b'], 1)
    >>> walk.resolve("b", Picture("x.png", 9)), walk.pictures()
    ([], {0: 'x.png'})

    Args:
        addresses: item index → its addresses, the preferred first.
        known: what earlier runs found out, by address.
        present: item index → file that it has from an earlier run. It keeps that, even if a
            preferred address failed in passing only.
        retry_failed: ask again for what failed for good.

    Attributes:
        unresolved: items whose walk has not come to an end.
    """

    def __init__(
        self,
        addresses: Mapping[int, Sequence[str]],
        known: Mapping[str, Outcome] | None = None,
        present: Mapping[int, str] | None = None,
        retry_failed: bool = False,
    ) -> None:
        self._addresses = addresses
        self._earlier = known or {}
        self._outcomes = {a: o for a, o in self._earlier.items() if _stands(o, retry_failed)}
        self._waiting: dict[str, list[int]] = defaultdict(list)
        self._at = dict.fromkeys(addresses, 0)
        self._present: set[int] = set()
        for item, file in (present or {}).items():
            at = self._position(item, file)
            if at is not None:
                self._at[item] = at
                self._present.add(item)
        self.unresolved = len(addresses) - len(self._present)

    def start(self) -> list[str]:
        """The addresses to begin with, each once, in the order of the items."""
        return self._advance(item for item in self._addresses if item not in self._present)

    def resolve(self, address: str, outcome: Outcome) -> list[str]:
        """Note what an address led to; the addresses that have to be asked for because of it."""
        self._outcomes[address] = outcome
        return self._advance(self._waiting.pop(address, ()))

    def pictures(self) -> dict[int, str]:
        """Item index → file, for the items that have one, present ones included."""
        found: dict[int, str] = {}
        for item, addresses in self._addresses.items():
            at = self._at[item]
            outcome = self._outcomes.get(addresses[at]) if at < len(addresses) else None
            if isinstance(outcome, Picture):
                found[item] = outcome.file
        return found

    def failures(self) -> list[FailedAddress]:
        """Everything tried in vain, by item and candidate, whatever run it was tried in."""
        found: list[FailedAddress] = []
        for item, addresses in self._addresses.items():
            for rank, address in enumerate(addresses[: self._at[item]], start=1):
                outcome = self._outcomes.get(address, self._earlier.get(address))
                if isinstance(outcome, Failure):
                    found.append((item, rank, address, outcome))
        return found

    def _position(self, item: int, file: str) -> int | None:
        """Which of an item's addresses led to a file."""
        for at, address in enumerate(self._addresses[item]):
            outcome = self._outcomes.get(address)
            if isinstance(outcome, Picture) and outcome.file == file:
                return at
        return None

    def _advance(self, items: Iterable[int]) -> list[str]:
        new: list[str] = []
        for item in items:
            addresses = self._addresses[item]
            while self._at[item] < len(addresses):
                address = addresses[self._at[item]]
                outcome = self._outcomes.get(address)
                if outcome is None:
                    if address not in self._waiting:
                        new.append(address)
                    self._waiting[address].append(item)
                    break
                if isinstance(outcome, Picture):
                    self.unresolved -= 1
                    break
                self._at[item] += 1
            else:
                self.unresolved -= 1
        return new


def _stands(outcome: Outcome, retry_failed: bool) -> bool:
    """Whether an earlier outcome holds: a picture, or a failure for good."""
    return isinstance(outcome, Picture) or (outcome.again == "never" and not retry_failed)
