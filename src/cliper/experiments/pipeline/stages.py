"""All stages of a pipeline, in order; the last is the report on the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cliper.experiments.pipeline.data_stages import ImagesStage, PrepareStage
from cliper.experiments.pipeline.keys import (
    key_of,
)
from cliper.experiments.pipeline.pipeline import Pipeline
from cliper.experiments.pipeline.stage import Context, Stage
from cliper.experiments.pipeline.training_stages import (
    CompareStage,
    SearchStage,
    StudyStage,
    TrainStage,
)
from cliper.experiments.reports.build import write_comparisons
from cliper.experiments.reports.find import find_results
from cliper.files import sha256_file


@dataclass
class ReportStage(Stage):
    """One page about all of it."""

    before: Sequence[Stage]
    name = "report"
    outputs = ("report.html",)
    result = "report.html"

    def key(self, context: Context) -> str:
        """The dataset, and the results as they are."""
        files = [context.out / stage.result for stage in self.before if stage.result]
        there = [(f.name, sha256_file(f)) for f in files if f.is_file()]
        return key_of(context.dataset.hash, there)

    def work(self, context: Context) -> str:
        """It has no parts."""
        return ""

    def run(self, context: Context) -> dict[str, Any]:
        """See `write_comparisons`."""
        found = find_results(context.out)
        searches = found.searches
        for run in ("train", "search/best"):  # a single run where there is nothing to compare
            if not found.comparisons and not found.studies and (context.out / run).is_dir():
                found = find_results(context.out / run)
        target = context.out / self.result
        write_comparisons(
            target,
            found.comparisons,
            context.commands,
            found.studies,
            searches,
            some_run=found.run,
        )
        return {"bytes": target.stat().st_size}


def stages_of(pipeline: Pipeline) -> list[Stage]:
    """What is to be done, in order."""
    sections = pipeline.sections
    stages: list[Stage] = []
    if sections.prepare is not None:
        stages.append(PrepareStage(pipeline))
    if sections.images is not None:
        stages.append(ImagesStage(sections.images))
    if pipeline.trains:
        stages.append(TrainStage(pipeline))
    if sections.compare is not None:
        stages.append(CompareStage(pipeline, sections.compare))
    if sections.studies is not None:
        stages += [StudyStage(pipeline, kind) for kind in sections.studies.kinds]
    if sections.search is not None:
        stages.append(SearchStage(pipeline, sections.search))
    if sections.report:
        stages.append(ReportStage(tuple(stages)))
    return stages
