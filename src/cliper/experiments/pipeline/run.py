"""Plan and run a pipeline: each stage once, until something that it depends on changes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cliper.errors import InputError
from cliper.experiments.pipeline.pipeline import Pipeline
from cliper.experiments.pipeline.records import FILE, StageRecords
from cliper.experiments.pipeline.stage import Context, Stage
from cliper.experiments.pipeline.stages import stages_of
from cliper.files import locked

State = Literal["done", "to do", "skipped"]
Tell = Callable[[str], None]
_WRITES_DATASET = ("prepare", "images")


@dataclass(frozen=True)
class Step:
    """A stage as it is shown.

    Attributes:
        stage: its name.
        state: of a plan `done` or `to do`; of a run `done`, or `skipped` if it was done before.
        trainings: how many models it trains when nothing is there yet; None where the data decide.
        seconds: of this call, 0 if skipped.
        facts: what it left.
    """

    stage: str
    state: State
    trainings: int | None
    seconds: float = 0.0
    facts: dict[str, Any] | None = None

    def json_object(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "stage": self.stage,
            "state": self.state,
            "trainings": self.trainings,
            "seconds": self.seconds,
            **({} if self.facts is None else {"facts": self.facts}),
        }


def plan_pipeline(pipeline: Pipeline, out: Path) -> list[Step]:
    """What a run would do; nothing is written.

    Raises:
        InputError: `out` holds something else, or the dataset that nothing prepares is not there.
    """
    _check_out(out)
    context = Context(pipeline, out, StageRecords(out))
    _check_with_data(context)
    steps: list[Step] = []
    dataset_changes = results_change = False
    for stage in stages_of(pipeline):
        waits = results_change if stage.name == "report" else dataset_changes
        done = not waits and _is_done(stage, context)
        if not done:
            dataset_changes |= stage.name in _WRITES_DATASET
            results_change = True
        if not done and stage.name == "prepare":
            context.forget()  # another dataset comes
        steps.append(Step(stage.name, "done" if done else "to do", stage.trainings(context)))
    return steps


def run_pipeline(
    pipeline: Pipeline, out: Path, *, commands: Sequence[str] = (), tell: Tell | None = None
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
    tell = tell or (lambda _: None)
    _check_out(out)
    context = Context(pipeline, out, StageRecords(out), commands)
    _check_with_data(context)
    with locked(out, "works"):
        context.records = StageRecords(out)
        stages = stages_of(pipeline)
        _set_aside_unwanted(stages, context, tell)
        return [_do(stage, context, tell) for stage in stages]


def _do(stage: Stage, context: Context, tell: Tell) -> Step:
    records = context.records
    if _is_done(stage, context):
        tell(f"{stage.name}: done before")
        facts = records.entries[stage.name].facts
        return Step(stage.name, "skipped", stage.trainings(context), 0.0, facts)
    work = stage.work(context)
    before = records.entries.get(stage.name)
    if before is not None and before.work != work:
        _say_moved(tell, stage.name, "other settings or data", records.set_aside(stage.name))
    tell(f"{stage.name}: {'goes on' if before is not None else 'begins'}")
    key = stage.key(context)
    records.start(stage.name, key, work, stage.outputs)
    started = time.perf_counter()
    facts = stage.run(context)
    seconds = time.perf_counter() - started
    records.finish(stage.name, seconds, facts)
    tell(f"{stage.name}: done in {seconds:,.0f} s")
    return Step(stage.name, "done", stage.trainings(context), seconds, facts)


def _is_done(stage: Stage, context: Context) -> bool:
    entry = context.records.entries.get(stage.name)
    return (
        entry is not None
        and entry.state == "done"
        and not (stage.needs_dataset and context.dataset_or_none() is None)
        and entry.key == stage.key(context)
        and stage.is_there(context, entry)
    )


def _check_with_data(context: Context) -> None:
    """Check against the dataset too; against the source files, where it is to be prepared."""
    section = context.pipeline.sections.prepare
    prepare = [stage for stage in stages_of(context.pipeline) if stage.name == "prepare"]
    if section is None or _is_done(prepare[0], context):
        context.pipeline.check_with(context.dataset)
        return
    for source in section.reader.sources():
        if not source.exists():
            raise InputError("no such file or folder", where=str(source))


def _set_aside_unwanted(stages: Sequence[Stage], context: Context, tell: Tell) -> None:
    """What an earlier file made and this one does not name must not be in the report."""
    wanted = {stage.name for stage in stages}
    for name in [n for n in context.records.entries if n not in wanted]:
        _say_moved(tell, name, "not wanted any more", context.records.set_aside(name))


def _say_moved(tell: Tell, name: str, why: str, moved: Sequence[Path]) -> None:
    if moved:
        tell(f"{name}: {why}; what was there is now in {moved[0].parent}")


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError("is a file", where=str(out), remedy="name a directory")
    if (out / "config.yaml").is_file() and not (out / FILE).is_file():
        raise InputError(
            "holds a run", where=str(out), remedy="an experiment with stages needs its own --out"
        )
