"""The stages: what each depends on, what it leaves, how it is done."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from cliper.data import Dataset
from cliper.data.fetch.settings import FetchSettings
from cliper.errors import InputError
from cliper.experiments.build_report import write_comparisons
from cliper.experiments.choose import effective_space, what_matters
from cliper.experiments.compare_settings import CompareSettings
from cliper.experiments.config import ExperimentConfig
from cliper.experiments.experiment import run_experiment
from cliper.experiments.find_results import find_results
from cliper.experiments.pipeline.keys import (
    file_facts,
    filled,
    key_of,
    prepared_hash,
    without_running,
)
from cliper.experiments.pipeline.ledger import Entry, Ledger
from cliper.experiments.pipeline.pipeline import NOWHERE, Pipeline, arms_of
from cliper.experiments.search import SearchSettings
from cliper.experiments.search.space import Choice, combinations, size
from cliper.experiments.studies import run_study
from cliper.experiments.variants import variant_config
from cliper.experiments.write_comparison import write_comparison
from cliper.files import sha256_file


@dataclass
class Context:
    """What stages hand on.

    Attributes:
        pipeline: what was asked for.
        out: gets everything but the dataset.
        ledger: what is done.
        commands: what a reader of the report would type.
    """

    pipeline: Pipeline
    out: Path
    ledger: Ledger
    commands: Sequence[str] = ()
    _dataset: Dataset | None = field(default=None, repr=False)
    _is_unknown: bool = False

    @property
    def dataset(self) -> Dataset:
        """The dataset as it is now.

        Raises:
            InputError: there is none, or it is damaged.
        """
        if self._dataset is None:
            self._dataset = Dataset.load(self.pipeline.dataset_path)
        return self._dataset

    def renew(self, dataset: Dataset | None) -> None:
        """A stage wrote another."""
        self._dataset = dataset

    def forget(self) -> None:
        """In a plan: another dataset will be there by then."""
        self._is_unknown = True

    def dataset_or_none(self) -> Dataset | None:
        """The dataset, None where it cannot be read."""
        if self._is_unknown:
            return None
        try:
            return self.dataset
        except InputError:
            return None


class Stage(ABC):
    """One step.

    Attributes:
        name: in `stages.json`.
        outputs: patterns of what it writes under the pipeline's directory.
        result: the file that says that it was finished; empty for a dataset's stages.
    """

    name: str
    outputs: tuple[str, ...] = ()
    result: str = ""
    needs_dataset: ClassVar[bool] = True

    @abstractmethod
    def key(self, context: Context) -> str:
        """Hash of settings and inputs."""

    def work(self, context: Context) -> str:
        """Hash of what its finished parts must agree in to be used again."""
        return self.key(context)

    def is_there(self, context: Context, entry: Entry) -> bool:
        """What it left is still there."""
        return (context.out / self.result).is_file()

    @abstractmethod
    def run(self, context: Context) -> dict[str, Any]:
        """Do it, or go on with it; returns facts for the ledger."""

    def trainings(self, context: Context) -> int | None:
        """How many models it trains when nothing is there yet; None where the data decide."""
        return 0


@dataclass
class Prepare(Stage):
    """Raw files become the dataset."""

    pipeline: Pipeline
    name = "prepare"
    needs_dataset = False

    def key(self, context: Context) -> str:
        """Options, where the dataset goes, and the source files."""
        section = self.pipeline.sections.prepare
        assert section is not None
        return key_of(
            section.model_dump(mode="json", exclude_none=True),
            str(self.pipeline.dataset_path),
            file_facts(section.reader.sources()),
        )

    def is_there(self, context: Context, entry: Entry) -> bool:
        """The dataset is the one that it wrote, whatever pictures came since."""
        dataset = context.dataset_or_none()
        return dataset is not None and prepared_hash(dataset) == entry.facts.get("prepared")

    def run(self, context: Context) -> dict[str, Any]:
        """See `Reader.prepare`."""
        section = self.pipeline.sections.prepare
        assert section is not None
        context.renew(None)
        section.reader.prepare(self.pipeline.dataset_path)
        counts = context.dataset.about.get("counts", {})
        return {
            "prepared": prepared_hash(context.dataset),
            "dataset": str(self.pipeline.dataset_path),
            **counts,
        }


@dataclass
class Images(Stage):
    """Addresses become pictures."""

    settings: FetchSettings
    name = "images"

    def key(self, context: Context) -> str:
        """Limits, and the dataset apart from what they give."""
        return key_of(self.settings.model_dump(mode="json"), prepared_hash(context.dataset))

    def is_there(self, context: Context, entry: Entry) -> bool:
        """The dataset has these pictures still."""
        return context.dataset.hash == entry.facts.get("hash")

    def run(self, context: Context) -> dict[str, Any]:
        """See `fetch_images`."""
        from cliper.data.fetch import fetch_images  # nobody else needs an HTTP client

        renewed, report = fetch_images(context.dataset, self.settings)
        context.renew(renewed)
        return {
            "hash": renewed.hash,
            "fetched": report.fetched,
            "had_image": report.had_image,
            "without_image": report.without_image,
        }


@dataclass
class Train(Stage):
    """One training."""

    pipeline: Pipeline
    name = "train"
    outputs = ("train",)
    result = "train/results.json"

    def key(self, context: Context) -> str:
        """The experiment as a run resolves it."""
        resolved = ExperimentConfig.build(self.pipeline.base).resolved()
        return key_of(context.dataset.hash, without_running(resolved))

    def run(self, context: Context) -> dict[str, Any]:
        """See `run_experiment`."""
        config = ExperimentConfig.build(self.pipeline.base)
        run = run_experiment(config, context.out / "train", resume=True, dataset=context.dataset)
        return {"epochs": run.results.epochs_run}

    def trainings(self, context: Context) -> int:
        """One."""
        return 1


@dataclass
class Compare(Stage):
    """The paper's Table 2."""

    pipeline: Pipeline
    plan: CompareSettings
    name = "compare"
    outputs = ("compare",)
    result = "compare/compare.json"

    def key(self, context: Context) -> str:
        """All that is asked for."""
        return key_of(self.work(context), self.plan.model_dump(mode="json"))

    def work(self, context: Context) -> str:
        """More backbones, features or seeds leave finished runs as they are."""
        more = {"backbones", "features", "fusions", "seeds", "metric"}
        chosen = self.plan.model_dump(mode="json", exclude=more)
        return key_of(context.dataset.hash, filled(self.pipeline.compare_base()), chosen)

    def run(self, context: Context) -> dict[str, Any]:
        """See `CompareSettings.run`."""
        out = context.out / "compare"
        comparison = self.plan.run(
            context.dataset,
            self.pipeline.compare_base(),
            out,
            processes=self.pipeline.sections.processes,
        )
        write_comparison(comparison, out)
        return {"runs": sum(len(outcome.runs) for outcome in comparison.outcomes)}

    def trainings(self, context: Context) -> int:
        """Every variant with every seed, and the configurations that it chooses among."""
        plan, base = self.plan, self.pipeline.compare_base()
        variants = plan.variants()
        total = len(variants) * plan.seeds
        search = plan.search_plan()
        for variant in variants:
            if search is not None:
                space = effective_space(NOWHERE, variant, 0, base, search)
                count = size(space)
                total += min(plan.trials, plan.trials if count is None else count) if space else 0
            elif plan.grid:
                grid = {key: Choice(tuple(values)) for key, values in plan.grid.items()}
                configs = (
                    variant_config(NOWHERE, variant, 0, base, one) for one in combinations(grid)
                )
                total += len({what_matters(config) for config in configs})
        return total


@dataclass
class StudyStage(Stage):
    """One study; all of them share their runs."""

    pipeline: Pipeline
    kind: str

    def __post_init__(self) -> None:
        self.name = f"study {self.kind}"
        self.outputs = (f"studies/{self.kind}.*", f"studies/{self.kind}-*")
        self.result = f"studies/{self.kind}.json"

    def key(self, context: Context) -> str:
        """The settings of its arms."""
        studies = self.pipeline.sections.studies
        assert studies is not None
        return key_of(
            context.dataset.hash,
            filled(self.pipeline.study_base(self.kind)),
            self.pipeline.study_backbone,
            studies.model_dump(mode="json", include={"fusion", "seeds", "metric"}),
            studies.values_of(self.kind),
        )

    def work(self, context: Context) -> str:
        """Whatever changes: runs are named by all that decides them."""
        return ""

    def run(self, context: Context) -> dict[str, Any]:
        """See `run_study`."""
        result = run_study(
            self.kind,
            self.pipeline.setting(self.kind, context.dataset),
            context.out / "studies",
            processes=self.pipeline.sections.processes,
        )
        return {"arms": len(result.measured.plan.arms)}

    def trainings(self, context: Context) -> int | None:
        """Every arm with every seed; runs that another study has made count again."""
        studies = self.pipeline.sections.studies
        assert studies is not None
        dataset = context.dataset_or_none()
        setting = (
            self.pipeline.sketch(self.kind)
            if dataset is None
            else self.pipeline.setting(self.kind, dataset)
        )
        arms = arms_of(setting, self.kind)
        return None if arms is None else arms * studies.seeds


@dataclass
class Search(Stage):
    """Hyper-parameters chosen on validation."""

    pipeline: Pipeline
    plan: SearchSettings
    name = "search"
    outputs = ("search",)
    result = "search/search.json"

    def key(self, context: Context) -> str:
        """All that is asked for."""
        return key_of(self.work(context), self.plan.trials)

    def work(self, context: Context) -> str:
        """More trials go on where fewer stopped."""
        chosen = self.plan.model_dump(mode="json", exclude={"trials"})
        resolved = ExperimentConfig.build(self.pipeline.base).resolved()
        return key_of(context.dataset.hash, without_running(resolved), chosen)

    def run(self, context: Context) -> dict[str, Any]:
        """See `SearchSettings.run`."""
        if (context.out / self.result).is_file():  # finished with fewer trials: another may win
            context.ledger.set_aside(self.name, ["search/best"])
        result = self.plan.run(
            context.dataset,
            self.pipeline.base,
            context.out / "search",
            processes=self.pipeline.sections.processes,
        )
        return {"trials": len(result.outcome.trials)}

    def trainings(self, context: Context) -> int:
        """The trials, and the best once more."""
        count = size(self.plan.space_of(self.pipeline.base))
        return 1 + (self.plan.trials if count is None else min(count, self.plan.trials))


@dataclass
class Report(Stage):
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
        for run in ("train", "search/best"):  # a single run where there is nothing to compare
            if not found.comparisons and not found.studies and (context.out / run).is_dir():
                found = find_results(context.out / run)
        target = context.out / self.result
        write_comparisons(target, found.comparisons, context.commands, found.studies, found.run)
        return {"bytes": target.stat().st_size}


def stages_of(pipeline: Pipeline) -> list[Stage]:
    """What is to be done, in order."""
    sections = pipeline.sections
    stages: list[Stage] = []
    if sections.prepare is not None:
        stages.append(Prepare(pipeline))
    if sections.images is not None:
        stages.append(Images(sections.images))
    if pipeline.trains:
        stages.append(Train(pipeline))
    if sections.compare is not None:
        stages.append(Compare(pipeline, sections.compare))
    if sections.studies is not None:
        stages += [StudyStage(pipeline, kind) for kind in sections.studies.kinds]
    if sections.search is not None:
        stages.append(Search(pipeline, sections.search))
    if sections.report:
        stages.append(Report(tuple(stages)))
    return stages
