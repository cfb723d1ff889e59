"""Plan and run a pipeline: each stage once, until something that it depends on changes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.pipeline.pipeline import Pipeline
from cliper.experiments.pipeline.records import FILE, Entry, StageRecords, set_aside
from cliper.experiments.pipeline.stages import Stage, stages_of
from cliper.files import locked

State = Literal["done", "to do", "skipped"]
Tell = Callable[[str], None]
_WRITE_DATASET = {"prepare", "images"}


@dataclass(frozen=True)
class Step:
    """A stage as it is shown.

    Attributes:
        stage: its name.
        state: of a plan `done` or `to do`; of a run `done`, or `skipped` if it was done before.
        trainings: how many models it trains when nothing is there yet; None where the data decide.
        seconds: of this call, 0 if skipped.
        facts: what it left; None in a plan.
    """

    stage: str
    state: State
    trainings: int | None
    seconds: float = 0.0
    facts: dict[str, Any] | None = None

    def json_object(self) -> dict[str, Any]:
        """Plain values."""
        return {k: v for k, v in asdict(self).items() if k != "facts" or v is not None}


def plan_pipeline(pipeline: Pipeline, out: Path) -> list[Step]:
    """What a run would do; nothing is written.

    Raises:
        InputError: `out` holds something else, or the dataset that nothing prepares is not there.
    """
    dataset = _check(pipeline, out)
    records = StageRecords.read(out)
    steps: list[Step] = []
    for stage in stages_of(pipeline, out):
        to_do = {step.stage for step in steps if step.state == "to do"}
        waits = to_do if stage.name == "report" else to_do & _WRITE_DATASET
        is_done = not waits and _is_done(stage, out, records, dataset)
        if stage.name == "prepare" and not is_done:
            dataset = None  # another one comes
        state: State = "done" if is_done else "to do"
        steps.append(Step(stage.name, state, stage.trainings(dataset)))
    return steps


def run_pipeline(
    pipeline: Pipeline,
    out: Path,
    *,
    commands: Sequence[str] = (),
    tell: Tell = lambda _: None,
) -> list[Step]:
    """Do every stage that is not done yet; one that was interrupted goes on.

    Args:
        pipeline: checked settings.
        out: gets `stages.json` and a folder a stage. What an earlier file made there and this one
            does not want, or wants with other settings, is moved to `earlier/`.
        commands: what the report says one would type.
        tell: told what happens, a line each.

    Raises:
        InputError: `out` holds something else, or is in use; what a stage refuses.
    """
    _check(pipeline, out)
    with locked(out, "works"):
        records = StageRecords.read(out)
        stages = stages_of(pipeline, out, commands)
        wanted = [stage.name for stage in stages]
        for name in [n for n in records.stages if n not in wanted]:  # must not be reported
            _forget(name, "not wanted any more", out, records, tell)
        dataset = pipeline.dataset_or_none()
        steps = []
        for stage in stages:
            step = _do(stage, out, records, dataset, tell)
            if stage.name in _WRITE_DATASET and step.state == "done":
                dataset = Dataset.load(pipeline.dataset_path)
            steps.append(step)
        return steps


def _do(
    stage: Stage, out: Path, records: StageRecords, dataset: Dataset | None, tell: Tell
) -> Step:
    name, before = stage.name, records.stages.get(stage.name)
    if before is not None and _is_done(stage, out, records, dataset):
        tell(f"{name}: done before")
        return Step(name, "skipped", stage.trainings(dataset), 0.0, before.facts)
    key = stage.key(dataset)
    work = key if stage.work is None else stage.work(dataset)
    if before is not None and before.work != work:
        _forget(name, "other settings or data", out, records, tell)
    tell(f"{name}: {'goes on' if before is not None else 'begins'}")
    entry = Entry(state="running", key=key, work=work, outputs=list(stage.outputs))
    records.stages[name] = entry
    records.write(out)
    started = time.perf_counter()
    facts = stage.run(dataset)
    seconds = time.perf_counter() - started
    done = {
        "state": "done", "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds, "facts": facts,
    }  # fmt: skip
    records.stages[name] = entry.model_copy(update=done)
    records.write(out)
    tell(f"{name}: done in {seconds:,.0f} s")
    return Step(name, "done", stage.trainings(dataset), seconds, facts)


def _is_done(stage: Stage, out: Path, records: StageRecords, dataset: Dataset | None) -> bool:
    entry = records.stages.get(stage.name)
    if entry is None or entry.state != "done" or dataset is None:
        return False
    if entry.key != stage.key(dataset):
        return False
    if stage.is_there is not None:
        return stage.is_there(dataset, entry.facts)
    return (out / stage.result).is_file()


def _forget(name: str, why: str, out: Path, records: StageRecords, tell: Tell) -> None:
    """Move what a stage left out of the way."""
    moved = set_aside(out, records.stages.pop(name).outputs)
    records.write(out)
    if moved is not None:
        tell(f"{name}: {why}; what was there is now in {moved}")


def _check(pipeline: Pipeline, out: Path) -> Dataset | None:
    """Check against the dataset too; against the source files, where it is to be prepared."""
    if out.exists() and not out.is_dir():
        raise InputError("is a file", where=str(out), remedy="name a directory")
    if (out / "config.yaml").is_file() and not (out / FILE).is_file():
        raise InputError(
            "holds a run", where=str(out), remedy="an experiment with stages needs its own --out"
        )
    dataset, section = pipeline.dataset_or_none(), pipeline.sections.prepare
    if section is not None:
        first = stages_of(pipeline, out)[0]
        if not _is_done(first, out, StageRecords.read(out), dataset):
            for source in section.reader.sources():
                if not source.exists():
                    raise InputError("no such file or folder", where=str(source))
            return dataset
    dataset = dataset or Dataset.load(pipeline.dataset_path)
    pipeline.check_with(dataset)
    return dataset
