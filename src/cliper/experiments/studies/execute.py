"""The runs of a study: ordinary run directories, shared by all studies in one folder."""

from collections.abc import Sequence
from pathlib import Path

from cliper.experiments.adaptation import with_figure
from cliper.experiments.comparison import Outcome
from cliper.experiments.fit import experiment_identity
from cliper.experiments.jobs import Job, run_jobs
from cliper.experiments.studies.plan import Arm, Setting
from cliper.representation.cache import FeatureCache


def run_arms(
    setting: Setting, arms: Sequence[Arm], runs: Path, *, processes: int | None = 1
) -> dict[str, Outcome]:
    """Train every arm with every seed, or find it trained, and group the runs by arm.

    A run's folder is named by all that decides its outcome, so an arm that two studies have in
    common is trained once, and a study that was interrupted goes on where it was.

    Args:
        setting: what the arms share.
        arms: distinct labels.
        runs: the folder of all runs.
        processes: worker processes, see `run_jobs`.
    """
    cache = FeatureCache(setting.dataset, with_figure())
    jobs = [_job(setting, arm, seed, runs, cache) for arm in arms for seed in setting.seeds]
    once = {job.folder: job for job in jobs}  # arms may turn out to be the same run
    made = run_jobs(
        setting.dataset, list(once.values()), processes=processes, description="studying"
    )
    by_folder = dict(zip(once, made, strict=True))
    found = iter(by_folder[job.folder] for job in jobs)
    return {
        arm.label: Outcome(arm.variant, tuple(next(found) for _ in setting.seeds), arm.settings)
        for arm in arms
    }


def _job(setting: Setting, arm: Arm, seed: int, runs: Path, cache: FeatureCache) -> Job:
    """One training, in a folder such as `freedom-cliper-0f3a…`."""
    config = setting.config(arm, seed)
    identity = experiment_identity(setting.dataset, config, cache.get(config.representation))
    name = f"{config.backbone_name}-{config.features.kind}-{identity[:16]}"
    return Job(f"{arm.label}, seed {seed}", config, runs / name)
