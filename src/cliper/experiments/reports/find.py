"""What a directory holds that can be reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cliper.experiments.comparisons.comparison import Comparison, load_comparison, single
from cliper.experiments.reports.search_section import is_search
from cliper.experiments.run.finished import Run
from cliper.files import read_json

COMMAND = "command.txt"


@dataclass(frozen=True)
class FoundResults:
    """Results under one directory.

    Attributes:
        comparisons: heading → comparison; the heading of the directory's own is empty.
        studies: folders with finished studies.
        searches: folders with finished searches.
        run: any finished run among them, None where there is none.
        commands: what made them, as they noted it.
    """

    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    studies: tuple[Path, ...] = ()
    searches: tuple[Path, ...] = ()
    run: Run | None = None
    commands: tuple[str, ...] = ()


def find_results(path: Path) -> FoundResults:
    """Look into a directory and its folders, in order of names.

    A run, or the best of a search, is a table of its own where there is nothing to compare.
    """
    folders = [path, *sorted(p for p in path.glob("*") if p.is_dir() and p.name != "runs")]
    comparisons: dict[str, Comparison] = {}
    studies: list[Path] = []
    searches: list[Path] = []
    commands: list[str] = []
    some_run: Run | None = None
    for folder in folders:
        if (folder / "compare.json").is_file():
            comparison = load_comparison(folder)
            split = comparison.outcomes[0].runs[0].results.protocol.split
            heading = "" if folder == path else f"{folder.name} ({split} split)"
            comparisons[heading] = comparison
            some_run = comparison.outcomes[0].runs[0]
        elif _is_study(folder):
            studies.append(folder)
            some_run = some_run or _run_in(folder / "runs")
        elif is_search(folder):
            searches.append(folder)
            some_run = some_run or _run_in(folder / "best")
        elif folder in (path, path / "train") and (folder / "results.json").is_file():
            some_run = Run.load(folder)
        else:
            continue
        commands += _commands(folder)
    if some_run is not None and not comparisons and not studies:
        comparisons[""] = single(some_run)
    return FoundResults(comparisons, tuple(studies), tuple(searches), some_run, tuple(commands))


def _is_study(folder: Path) -> bool:
    for path in folder.glob("*.json"):
        content = read_json(path)
        if isinstance(content, dict) and "study" in content and "arms" in content:
            return True
    return False


def _run_in(folder: Path) -> Run | None:
    found = next(iter(sorted(folder.rglob("results.json"))), None)
    return None if found is None else Run.load(found.parent)


def _commands(folder: Path) -> tuple[str, ...]:
    path = folder / COMMAND
    return tuple(path.read_text("utf-8", "replace").splitlines()) if path.is_file() else ()
