"""`study`: plan, run, measure, write."""

from collections.abc import Sequence
from pathlib import Path

from cliper.experiments.comparisons.comparison import Outcome
from cliper.experiments.drawing.adaptation import with_figure
from cliper.experiments.run.fit import experiment_identity
from cliper.experiments.run.trainings import Training, train_all
from cliper.experiments.studies.setting import Arm, Setting
from cliper.experiments.studies.specifications import find_study
from cliper.experiments.studies.study import measure
from cliper.experiments.studies.write import StudyResult, study_table, write_study
from cliper.parallel import Workers
from cliper.representation.cache import FeatureCache


def run_study(name: str, setting: Setting, out: Path, *, processes: Workers = 1) -> StudyResult:
    """Run a study and write its table, figures and findings into `out`.

    Args:
        name: a key of `STUDIES`.
        setting: dataset, backbone, common settings, seeds.
        out: gets `<name>.md`, `.csv`, `.tex`, `.json`, `.svg`, and `runs/`, which all studies in
            `out` share: a run that another study has made is not made again.
        processes: see `train_all`.

    Raises:
        InputError: a setting that the study varies itself, values for a study without, or a
            dataset or backbone that it does not suit.
    """
    study = find_study(name)
    study.check(setting)
    plan = study.plan(setting)
    for arm in plan.arms:  # every bad setting before the first training
        setting.config(arm, setting.seeds[0])
    outcomes = run_arms(setting, plan.arms, out / "runs", processes=processes)
    measured = measure(setting, plan, outcomes)
    result = StudyResult(
        study,
        measured,
        study_table(study, measured),
        tuple(detail(measured) for detail in study.details),
        tuple(one for find in study.findings for one in find(measured)),
        {f"{study.name}{suffix}": draw(measured) for suffix, draw in study.figures.items()},
    )
    write_study(result, out)
    return result


def run_arms(
    setting: Setting, arms: Sequence[Arm], runs: Path, *, processes: Workers = 1
) -> dict[str, Outcome]:
    """Train every arm with every seed, or find it trained, and group the runs by arm.

    A run's folder is named by all that decides its outcome, so an arm that two studies have in
    common is trained once, and a study that was interrupted goes on where it was.

    Args:
        setting: what the arms share.
        arms: distinct labels.
        runs: the folder of all runs.
        processes: see `train_all`.
    """
    cache = FeatureCache(setting.dataset, with_figure())
    wanted = [_training(setting, arm, seed, runs, cache) for arm in arms for seed in setting.seeds]
    once = {training.folder: training for training in wanted}  # two arms may be the same run
    trained = train_all(
        setting.dataset, list(once.values()), processes=processes, description="studying"
    )
    by_folder = dict(zip(once, trained, strict=True))
    found = iter(by_folder[training.folder] for training in wanted)
    return {
        arm.label: Outcome(arm.variant, tuple(next(found) for _ in setting.seeds), arm.settings)
        for arm in arms
    }


def _training(setting: Setting, arm: Arm, seed: int, runs: Path, cache: FeatureCache) -> Training:
    """One training, in a folder such as `freedom-cliper-0f3a…`."""
    config = setting.config(arm, seed)
    identity = experiment_identity(setting.dataset, config, cache.get(config.representation))
    name = f"{config.backbone_name}-{config.features.kind}-{identity[:16]}"
    return Training(f"{arm.label}, seed {seed}", config, runs / name)
