"""From finished comparisons to the report's plain data, and to the HTML file."""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from cliper import __version__
from cliper.data import Dataset, Split
from cliper.errors import InputError
from cliper.experiments.comparisons.comparison import Comparison, Outcome
from cliper.experiments.drawing.figures import Curve
from cliper.experiments.reports.breakdown_section import breakdown_section
from cliper.experiments.reports.comparison_section import comparison_section
from cliper.experiments.reports.examples import user_panels, view_panels
from cliper.experiments.reports.find import find_results
from cliper.experiments.reports.highlight import highlight
from cliper.experiments.reports.page.model import (
    CommandsSection,
    CurvesSection,
    DatasetSection,
    ItemsSection,
    MethodSection,
    Report,
    Section,
    UsersSection,
)
from cliper.experiments.reports.page.render import render
from cliper.experiments.reports.search_section import search_section
from cliper.experiments.reports.study_sections import study_sections
from cliper.experiments.run.experiment import load_config
from cliper.experiments.run.finished import Run
from cliper.experiments.run.split import experiment_split
from cliper.files import write_text

LEAD = (
    "Each metadata field of an item is read as a view, and each view is weighed by how well it "
    "agrees with the item's picture. The fused result goes to an ordinary recommendation model; "
    "this page compares it with the same model on unaligned features."
)


def build_report(path: Path, commands: Sequence[str] = ()) -> Path:
    """Write `report.html` into a directory of results.

    Args:
        path: a run; or a directory that holds a comparison, studies and searches, itself or in
            its folders.
        commands: what a reader would type; what the results' own `command.txt` say by default.

    Raises:
        InputError: there is nothing at `path` to report.
    """
    found = find_results(path)
    if found.run is None:
        raise InputError(
            "no run, comparison, study or search",
            where=str(path),
            remedy="name what compare left in --out",
        )
    commands = commands or (*found.commands, f"cliper report {path}")
    return write_comparisons(
        path / "report.html",
        found.comparisons,
        commands,
        found.studies,
        found.searches,
        some_run=found.run,
    )


def write_comparisons(
    target: Path,
    comparisons: Mapping[str, Comparison],
    commands: Sequence[str],
    studies: Sequence[Path] = (),
    searches: Sequence[Path] = (),
    some_run: Run | None = None,
) -> Path:
    """Write one page about comparisons and studies of one dataset.

    Args:
        target: the HTML file.
        comparisons: heading (may be empty) → comparison; pictures come from the last one.
        commands: what a reader would type to get the same.
        studies: folders of finished studies.
        searches: folders of finished searches.
        some_run: any run of the same dataset, where there is no comparison.
    """
    if comparisons:
        some_run = list(comparisons.values())[-1].outcomes[0].runs[0]
    assert some_run is not None
    config = load_config(some_run.directory)
    dataset = Dataset.load(config.dataset.path)
    split = experiment_split(dataset, config)
    report = Report(
        title=f"{dataset.name}: what pictures and words add",
        lead=LEAD,
        sections=tuple(_sections(comparisons, dataset, split, commands, studies, searches)),
        highlights=tuple(_highlights(comparisons)),
        footer=f"cliper {__version__}",
    )
    write_text(target, render(report))
    return target


def _sections(
    comparisons: Mapping[str, Comparison],
    dataset: Dataset,
    split: Split,
    commands: Sequence[str],
    studies: Sequence[Path],
    searches: Sequence[Path],
) -> list[Section]:
    sections = _opening(comparisons, dataset)
    for heading, comparison in comparisons.items():
        sections.append(comparison_section(heading or "Comparison", comparison))
    for heading, comparison in comparisons.items():
        found = _breakdown(dataset, heading, comparison)
        sections += [] if found is None else [found]
    for folder in studies:
        sections += study_sections(folder)
    sections += [search_section(folder) for folder in searches]
    if comparisons:
        sections += _closing(comparisons, dataset, split)
    versions = {
        "cliper": __version__,
        "Python": platform.python_version(),
        "PyTorch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
    }
    sections.append(CommandsSection("Do it again", "", tuple(commands), versions))
    return sections


def _opening(comparisons: Mapping[str, Comparison], dataset: Dataset) -> list[Section]:
    """The method, with a real item where a comparison has one, and the data."""
    example, backbone = None, "the backbone"
    if comparisons:
        outcome = pair_of(list(comparisons.values())[-1])[-1]
        items = view_panels(dataset, outcome, count=1)
        example, backbone = (items[0] if items else None), outcome.variant.backbone.upper()
    intro = (
        "Fields become views, views are weighed against the picture, the weighted sum meets the "
        "interactions."
    )
    return [
        MethodSection("How it works", intro, example=example, backbone=backbone),
        _dataset_section(dataset),
    ]


def _breakdown(dataset: Dataset, heading: str, comparison: Comparison) -> Section | None:
    pair = pair_of(comparison)
    if len(pair) != 2:
        return None
    where = f", {heading}" if heading else ""
    title = f"Where it helps and where it hurts{where}"
    return breakdown_section(dataset, pair[0], pair[1], title)


def _closing(
    comparisons: Mapping[str, Comparison], dataset: Dataset, split: Split
) -> list[Section]:
    """Training curves, people and items of the last comparison."""
    pair = pair_of(list(comparisons.values())[-1])
    items = view_panels(dataset, pair[-1], count=6)
    sections: list[Section] = [
        CurvesSection(
            "Training",
            "Loss and validation by epoch; the dot is the epoch that was kept.",
            curves=tuple(c for comparison in comparisons.values() for c in _curves(comparison)),
        )
    ]
    panels = user_panels(dataset, split, pair, count=6)
    if panels:
        sections.append(
            UsersSection(
                "Six people",
                "Drawn at random among those with enough history: what they took, and what each "
                "model recommends. A mark shows held-out items that they did take later, and "
                "items that nobody had taken before.",
                panels=tuple(panels),
            )
        )
    if items:
        sections.append(
            ItemsSection(
                "Six items and the weight of each view",
                "Drawn at random among the items with a picture. A view that disagrees with the "
                "picture counts for less.",
                panels=tuple(items),
            )
        )
    return sections


def pair_of(comparison: Comparison) -> list[Outcome]:
    """The vanilla and the CLIPER outcome of one backbone: the first that has both, else any one.

    With several fusions the attention speaks for CLIPER, because its weights can be shown.
    """
    by_name = {o.variant.name: o for o in comparison.outcomes}
    for name, baseline in comparison.baselines.items():
        outcome = by_name[name]
        if outcome.variant.features == "cliper" and outcome.variant.fusion == "attention":
            return [by_name[baseline], outcome]
    for name, baseline in comparison.baselines.items():
        if by_name[name].variant.features == "cliper":
            return [by_name[baseline], by_name[name]]
    return [comparison.outcomes[-1]]


def _highlights(comparisons: Mapping[str, Comparison]) -> list[tuple[str, str, str]]:
    found = []
    for heading, comparison in comparisons.items():
        pair = pair_of(comparison)
        if len(pair) != 2:
            continue
        if comparison.contrasts[pair[1].variant.name].lift is not None:
            found.append(highlight(heading, comparison, pair[0], pair[1]))
    return found


def _dataset_section(dataset: Dataset) -> DatasetSection:
    log = dataset.interactions
    pictures = sum(i is not None for i in dataset.catalogue.images) if dataset.catalogue else 0
    density = len(log) / (log.n_users * log.n_items)
    facts = (
        ("users", f"{log.n_users:,}"),
        ("items", f"{log.n_items:,}"),
        ("interactions", f"{len(log):,}"),
        ("density", f"{100 * density:.2f} %"),
        ("items with a picture", f"{pictures:,}"),
        ("items nobody has taken", f"{int((log.item_counts() == 0).sum()):,}"),
    )
    dropped = tuple(
        (f"{group}: {reason}", int(count))
        for group, reasons in dataset.about.get("dropped", {}).items()
        for reason, count in reasons.items()
        if count
    )
    return DatasetSection("The data", "", facts, dropped)


def _curves(comparison: Comparison) -> list[Curve]:
    curves = []
    for outcome in pair_of(comparison):
        for run in outcome.runs:
            epochs = run.directory.read_metrics()
            curves.append(
                Curve(
                    f"{outcome.variant.label}, {run.results.protocol.split}",
                    tuple(e["epoch"] for e in epochs),
                    tuple(sum(e["loss"].values()) for e in epochs),
                    tuple(e.get("valid", {}).get("recall@20", np.nan) for e in epochs),
                    run.results.best_epoch or None,
                )
            )
    return curves
