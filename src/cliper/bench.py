"""The project's benchmarks on this machine, beside what the checkout has committed.

A benchmark is a script of `benchmarks/` that `benchmarks/index.yaml` names. It prints Markdown
tables or JSON, as its page under `results/` has them: numbers of the same row and column belong
together.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

import cliper
from cliper.config import StrictConfig, nearest
from cliper.errors import CliperError, InputError
from cliper.strict_yaml import read_yaml

INDEX = "benchmarks/index.yaml"
_NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?([eE][-+]?\d+)?")
_CODE = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)

Numbers = dict[str, float]
"""What is measured → value."""


class Benchmark(StrictConfig):
    """An entry of the index.

    Attributes:
        page: below `results/`.
        arguments: of the script.
        data: a folder below `$CLIPER_DATA`, the script's first argument; "" for none.
    """

    page: str
    arguments: list[str | int] = Field(default_factory=list)
    data: str = ""


@dataclass(frozen=True)
class Beside:
    """One number: here and as committed; None where one of them lacks it."""

    what: str
    here: float | None
    committed: float | None

    @property
    def ratio(self) -> float | None:
        """Here divided by committed."""
        if self.here is None or not self.committed:
            return None
        return self.here / self.committed


@dataclass(frozen=True)
class Checkout:
    """A working copy of the project's repository.

    Attributes:
        root: its directory.
        benchmarks: name → entry of the index.
    """

    root: Path
    benchmarks: Mapping[str, Benchmark]

    @classmethod
    def find(cls) -> "Checkout":
        """The working directory, or where the package was installed from (`pip install -e .`).

        Raises:
            InputError: neither is one.
        """
        for root in (Path.cwd(), Path(cliper.__file__).parents[2]):
            if (root / INDEX).is_file():
                tree = read_yaml((root / INDEX).read_text("utf-8"), str(root / INDEX))
                entries = tree if isinstance(tree, dict) else {}
                return cls(root, {n: Benchmark.parse(e, where=n) for n, e in entries.items()})
        raise InputError(
            "the benchmarks are part of a checkout of the project, not of the package",
            where=str(Path.cwd()),
            remedy="clone the repository and run 'cliper bench' in it",
        )

    def summary(self, name: str) -> str:
        """The first line of a benchmark's docstring."""
        text = self._script(name).read_text("utf-8")
        return text.removeprefix('"""').partition("\n")[0].strip()

    def committed(self, name: str) -> Numbers:
        """The numbers of its page."""
        return numbers((self.root / "results" / self.benchmarks[name].page).read_text("utf-8"))

    def check(self, names: list[str]) -> None:
        """Refuse what cannot be run, before anything is.

        Raises:
            InputError: an unknown name, or data that is not there.
        """
        for name in names:
            if name not in self.benchmarks:
                close = nearest(name, list(self.benchmarks))
                raise InputError(f"no benchmark {name!r}", where="bench", remedy=close)
            data = self._data(name)
            if data is not None and not data.is_dir():
                raise InputError(
                    f"{name} needs data that is not there",
                    where=str(data),
                    remedy="set CLIPER_DATA to the folder that holds it",
                )

    def run(self, name: str) -> Numbers:
        """Run one in a process of its own; what it says beside its numbers goes to stderr.

        Raises:
            CliperError: it failed.
        """
        data = self._data(name)
        arguments = map(str, [*([data] if data else []), *self.benchmarks[name].arguments])
        source = str(Path(cliper.__file__).parents[1])
        path = os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, str(self._script(name)), *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CliperError(f"the benchmark {name} ended with status {done.returncode}")
        return numbers(done.stdout)

    def _script(self, name: str) -> Path:
        return self.root / "benchmarks" / f"{name}.py"

    def _data(self, name: str) -> Path | None:
        folder = self.benchmarks[name].data
        return Path(os.environ.get("CLIPER_DATA", "../shared/data")) / folder if folder else None


def beside(here: Numbers, committed: Numbers) -> list[Beside]:
    """Both by name: those of here in their order, then those that are missing here."""
    names = dict.fromkeys([*here, *committed])
    return [Beside(name, here.get(name), committed.get(name)) for name in names]


def numbers(text: str) -> Numbers:
    """The numbers of JSON, or of the Markdown tables and JSON blocks of a page.

    A cell is called by the words at the beginning of its row and by its column.

    >>> numbers("| model | s | MiB |\\n|---|---:|---:|\\n| `bpr` | 0.5 | 1,024 |\\n")
    {'bpr, s': 0.5, 'bpr, MiB': 1024.0}
    >>> numbers('{"seconds": {"floor": 2}, "data": "baby"}')
    {'seconds.floor': 2.0}
    """
    found: Numbers = {}
    for block in [text] if text.lstrip().startswith("{") else _CODE.findall(text):
        found |= _leaves(json.loads(block))
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip().strip("*`") for cell in line.strip().strip("|").split("|")]
        if not header:
            header = cells
            continue
        words = [cell for cell in _until_number(cells) if cell]
        for column, cell in zip(header[1:], cells[1:], strict=False):
            if _NUMBER.fullmatch(cell):
                found.setdefault(", ".join([*words, column]), float(cell.replace(",", "")))
    return found


def _until_number(cells: list[str]) -> list[str]:
    """The words that name a row; its first cell is one, even if it is a number (a year)."""
    first = next((i for i, cell in enumerate(cells) if i and _NUMBER.fullmatch(cell)), len(cells))
    return cells[:first]


def _leaves(value: Any, name: str = "") -> Numbers:
    if isinstance(value, dict):
        found: Numbers = {}
        for key, one in value.items():
            found |= _leaves(one, f"{name}.{key}" if name else str(key))
        return found
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {name: float(value)} if is_number else {}
