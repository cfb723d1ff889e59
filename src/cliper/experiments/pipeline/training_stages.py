"""The stages that train: one run, a comparison, studies, a search."""

from dataclasses import dataclass
from typing import Any

from cliper.experiments.comparisons.settings import CompareSettings
from cliper.experiments.comparisons.tuning import distinct, effective_space
from cliper.experiments.comparisons.write import write_comparison
from cliper.experiments.pipeline.keys import (
    filled,
    key_of,
    without_running,
)
from cliper.experiments.pipeline.pipeline import Pipeline, arms_of
from cliper.experiments.pipeline.stage import Context, Stage
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import run_experiment
from cliper.experiments.search import SearchSettings
from cliper.experiments.search.space import size
from cliper.experiments.studies import run_study


@dataclass
class TrainStage(Stage):
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
class CompareStage(Stage):
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
                space = effective_space(variant, base, search)
                count = size(space)
                total += min(plan.trials, plan.trials if count is None else count) if space else 0
            elif plan.grid:
                total += sum(1 for _ in distinct(None, variant, 0, base, plan.grid))
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
class SearchStage(Stage):
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
            context.records.set_aside(self.name, ["search/best"])
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
