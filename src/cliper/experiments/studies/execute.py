"""The runs of a study: ordinary run directories, shared by all studies in one folder."""

from collections.abc import Sequence
from pathlib import Path

from cliper.experiments.compare import Outcome
from cliper.experiments.config import ExperimentConfig
from cliper.experiments.fit import experiment_identity, fit_experiment
from cliper.experiments.represent import represent_experiment
from cliper.experiments.run import Run
from cliper.experiments.studies.plan import Arm, Setting
from cliper.progress import task
from cliper.representation import ItemFeatures


def run_arms(setting: Setting, arms: Sequence[Arm], runs: Path) -> dict[str, Outcome]:
    """Train every arm with every seed, or find it trained, and group the runs by arm.

    A run's folder is named by all that decides its outcome, so an arm that two studies have in
    common is trained once, and a study that was interrupted goes on where it was.

    Args:
        setting: what the arms share.
        arms: distinct labels.
        runs: the folder of all runs.
    """
    outcomes = {}
    with task("training", total=len(arms) * len(setting.seeds)) as progress:
        for arm in arms:
            made: list[Run] = []
            for seed in setting.seeds:
                config = setting.config(arm, seed)
                features = represent_experiment(setting.dataset, config)
                folder = runs / run_name(setting, config, features)
                made.append(fit_experiment(setting.dataset, config, features, folder, resume=True))
                progress.advance(note=f"{arm.label}, seed {seed}")
            outcomes[arm.label] = Outcome(arm.variant, tuple(made), dict(arm.settings))
    return outcomes


def run_name(setting: Setting, config: ExperimentConfig, features: ItemFeatures | None) -> str:
    """The folder of one run, e.g. `freedom-cliper-0f3a…`."""
    identity = experiment_identity(setting.dataset, config, features)
    return f"{config.backbone_name}-{config.features.kind}-{identity[:16]}"
