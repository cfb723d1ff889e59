"""The stages of a pipeline: what each depends on, what it leaves, and how it is done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cliper.data import Dataset
from cliper.data.fetch.settings import FetchSettings
from cliper.errors import CliperError
from cliper.experiments.comparisons.settings import CompareSettings
from cliper.experiments.comparisons.tuning import distinct, effective_space
from cliper.experiments.comparisons.write import write_comparison
from cliper.experiments.pipeline.keys import (
    file_facts,
    filled,
    key_of,
    prepared_hash,
    without_running,
)
from cliper.experiments.pipeline.pipeline import Pipeline
from cliper.experiments.pipeline.readers import PrepareSection
from cliper.experiments.pipeline.sections import StudiesSettings
from cliper.experiments.reports.build import build_report
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import run_experiment
from cliper.experiments.search import SearchSettings
from cliper.experiments.search.space import size
from cliper.experiments.studies import find_study, run_study
from cliper.files import sha256_file

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """One step. Its functions get the dataset as it is by then, None where it cannot be read.

    Attributes:
        name: in `stages.json`.
        key: hash of settings and inputs.
        run: does it, or goes on with it; returns facts for the records.
        work: hash of what its finished parts must agree in to be used again; the key by default.
        outputs: patterns of what it writes under the pipeline's directory.
        result: the file of them that is there when it is done.
        is_there: for a stage that writes the dataset: whether it is still as the facts say.
        trainings: how many models it trains when nothing is there yet; None where the data decide.
    """

    name: str
    key: Callable[[Any], str]
    run: Callable[[Any], dict[str, Any]]
    work: Callable[[Any], str] | None = None
    outputs: tuple[str, ...] = ()
    result: str = ""
    is_there: Callable[[Dataset, Facts], bool] | None = None
    trainings: Callable[[Dataset | None], int | None] = lambda _: 0


def stages_of(pipeline: Pipeline, out: Path, commands: Sequence[str] = ()) -> list[Stage]:
    """What is to be done, in order; `commands` are what the report says one would type."""
    sections = pipeline.sections
    stages: list[Stage] = []
    if sections.prepare is not None:
        stages.append(_prepare(sections.prepare, pipeline.dataset_path))
    if sections.images is not None:
        stages.append(_images(sections.images))
    if pipeline.trains:
        stages.append(_train(pipeline, out / "train"))
    if sections.compare is not None:
        stages.append(_compare(pipeline, sections.compare, out / "compare"))
    if sections.studies is not None:
        stages += [
            _study(pipeline, sections.studies, kind, out / "studies")
            for kind in sections.studies.kinds
        ]
    if sections.search is not None:
        stages.append(_search(pipeline, sections.search, out / "search"))
    if sections.report:
        stages.append(
            _report(out, [out / stage.result for stage in stages if stage.result], commands)
        )
    return stages


def _prepare(section: PrepareSection, path: Path) -> Stage:
    """Raw files become the dataset, which stays the same whatever pictures come since."""

    def key(_: object) -> str:
        options = section.model_dump(mode="json", exclude_none=True)
        return key_of(options, str(path), file_facts(section.reader.sources()))

    def run(_: object) -> dict[str, Any]:
        section.reader.prepare(path)
        dataset = Dataset.load(path)
        counts = dataset.about.get("counts", {})
        return {"prepared": prepared_hash(dataset), "dataset": str(path), **counts}

    def is_there(dataset: Dataset, facts: Facts) -> bool:
        return prepared_hash(dataset) == facts.get("prepared")

    return Stage("prepare", key, run, is_there=is_there)


def _images(settings: FetchSettings) -> Stage:
    """Addresses become pictures."""

    def key(dataset: Dataset) -> str:
        return key_of(settings.model_dump(mode="json"), prepared_hash(dataset))

    def run(dataset: Dataset) -> dict[str, Any]:
        from cliper.data.fetch import fetch_images  # nobody else needs an HTTP client

        renewed, report = fetch_images(dataset, settings)
        return {
            "hash": renewed.hash,
            "fetched": report.fetched,
            "had_image": report.had_image,
            "without_image": report.without_image,
        }

    def is_there(dataset: Dataset, facts: Facts) -> bool:
        return dataset.hash == facts.get("hash")

    return Stage("images", key, run, is_there=is_there)


def _train(pipeline: Pipeline, out: Path) -> Stage:
    """One training."""
    config = ExperimentConfig.build(pipeline.base)

    def key(dataset: Dataset) -> str:
        return key_of(dataset.hash, without_running(config.resolved()))

    def run(dataset: Dataset) -> dict[str, Any]:
        trained = run_experiment(config, out, resume=True, dataset=dataset)
        return {"epochs": trained.results.epochs_run}

    return Stage(
        "train", key, run, outputs=("train",), result="train/results.json", trainings=lambda _: 1
    )


def _compare(pipeline: Pipeline, plan: CompareSettings, out: Path) -> Stage:
    """The paper's Table 2."""
    base = pipeline.compare_base()

    def work(dataset: Dataset) -> str:
        """More backbones, features or seeds leave finished runs as they are."""
        more = {"backbones", "features", "fusions", "seeds", "metric"}
        chosen = plan.model_dump(mode="json", exclude=more)
        return key_of(dataset.hash, filled(base), chosen)

    def key(dataset: Dataset) -> str:
        return key_of(work(dataset), plan.model_dump(mode="json"))

    def run(dataset: Dataset) -> dict[str, Any]:
        comparison = plan.run(dataset, base, out, processes=pipeline.sections.processes)
        write_comparison(comparison, out)
        return {"runs": sum(len(outcome.runs) for outcome in comparison.outcomes)}

    def trainings(_: object) -> int:
        """Every variant with every seed, and the configurations that it chooses among."""
        variants, search = plan.variants(), plan.search_plan()
        total = len(variants) * plan.seeds
        for variant in variants:
            if search is not None:
                space = effective_space(variant, base, search)
                total += _tries(plan.trials, size(space)) if space else 0
            elif plan.grid:
                total += sum(1 for _ in distinct(None, variant, 0, base, plan.grid))
        return total

    return Stage("compare", key, run, work, ("compare",), "compare/compare.json", None, trainings)


def _study(pipeline: Pipeline, studies: StudiesSettings, kind: str, out: Path) -> Stage:
    """One study; all of them share their runs, which are named by all that decides them."""

    def key(dataset: Dataset) -> str:
        return key_of(
            dataset.hash,
            filled(pipeline.study_base(kind)),
            pipeline.study_backbone,
            studies.model_dump(mode="json", include={"fusion", "seeds", "metric"}),
            studies.values_of(kind),
        )

    def run(dataset: Dataset) -> dict[str, Any]:
        setting = pipeline.setting(kind, dataset)
        result = run_study(kind, setting, out, processes=pipeline.sections.processes)
        return {"arms": len(result.measured.plan.arms)}

    def trainings(dataset: Dataset | None) -> int | None:
        """Every arm with every seed; runs that another study has made count again."""
        try:
            arms = find_study(kind).plan(pipeline.setting(kind, dataset)).arms
        except CliperError:
            return None
        return len(arms) * studies.seeds

    outputs = (f"studies/{kind}.*", f"studies/{kind}-*")
    result = f"studies/{kind}.json"
    return Stage(f"study {kind}", key, run, lambda _: "", outputs, result, None, trainings)


def _search(pipeline: Pipeline, plan: SearchSettings, out: Path) -> Stage:
    """Hyper-parameters chosen on validation."""

    def work(dataset: Dataset) -> str:
        """More trials go on where fewer stopped."""
        chosen = plan.model_dump(mode="json", exclude={"trials"})
        resolved = ExperimentConfig.build(pipeline.base).resolved()
        return key_of(dataset.hash, without_running(resolved), chosen)

    def key(dataset: Dataset) -> str:
        return key_of(work(dataset), plan.trials)

    def run(dataset: Dataset) -> dict[str, Any]:
        found = plan.run(dataset, pipeline.base, out, processes=pipeline.sections.processes)
        return {"trials": len(found.outcome.trials)}

    def trainings(_: object) -> int:
        """The trials, and the best once more."""
        return 1 + _tries(plan.trials, size(plan.space_of(pipeline.base)))

    return Stage("search", key, run, work, ("search",), "search/search.json", None, trainings)


def _report(out: Path, results: Sequence[Path], commands: Sequence[str]) -> Stage:
    """One page about all of it, as the results are."""

    def key(dataset: Dataset) -> str:
        there = [(path.name, sha256_file(path)) for path in results if path.is_file()]
        return key_of(dataset.hash, there)

    def run(_: object) -> dict[str, Any]:
        return {"bytes": build_report(out, commands).stat().st_size}

    return Stage("report", key, run, lambda _: "", ("report.html",), "report.html")


def _tries(wanted: int, there_are: int | None) -> int:
    return wanted if there_are is None else min(wanted, there_are)
