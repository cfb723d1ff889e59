"""Things that have a name: this package's own, and those of installed packages."""

import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from cliper.config import nearest
from cliper.errors import InputError

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Entries by name, each added by the module that has it when that module is imported.

    A module is imported when it is asked for. One that is called as the entry is (`turbo_cf` for
    `turbo-cf`) is found without importing the others.

    Args:
        kind: what an entry is, for messages; packages name their modules under the entry point
            `cliper.<kind>s`.
        modules: the full names of this package's modules that add entries, asked for late.
    """

    def __init__(self, kind: str, modules: Callable[[], Iterable[str]]) -> None:
        self.kind, self.modules = kind, modules
        self.entries: dict[str, Entry] = {}
        self._complete = False

    def add(self, name: str, entry: Entry) -> None:
        """Make an entry known.

        Raises:
            ValueError: the name is taken.
        """
        if name in self.entries:
            raise ValueError(f"two {self.kind}s are named {name!r}")
        self.entries[name] = entry

    def all(self) -> dict[str, Entry]:
        """Every entry, in the order in which they were added."""
        if not self._complete:
            for module in self.modules():
                import_module(module)
            self._import_installed()
            self._complete = True
        return self.entries

    def find(self, name: str) -> Entry | None:
        """The entry of that name, or None where there is none."""
        if name not in self.entries:
            for module in self.modules():
                if module.rpartition(".")[2] == name.replace("-", "_"):
                    import_module(module)
        return self.entries[name] if name in self.entries else self.all().get(name)

    def get(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            InputError: there is none; the nearest name is given.
        """
        entry = self.find(name)
        if entry is None:
            raise InputError(f"no {self.kind} {name!r}", remedy=nearest(name, list(self.entries)))
        return entry

    def _import_installed(self) -> None:
        """Import what installed packages name; one that fails takes nothing else down."""
        for point in sorted(entry_points(group=f"cliper.{self.kind}s"), key=lambda p: p.name):
            try:
                point.load()
            except Exception as error:
                warnings.warn(
                    f"the {self.kind} package {point.value!r} cannot be loaded: {error}",
                    stacklevel=2,
                )
