"""Experiments: settings, one run, comparisons with their statistics, reports."""

from cliper.experiments.compare import compare
from cliper.experiments.comparison import Comparison, Outcome, load_comparison
from cliper.experiments.config import ExperimentConfig, assign, load_experiment
from cliper.experiments.experiment import evaluate_run, run_experiment
from cliper.experiments.represent import represent
from cliper.experiments.run import Run
from cliper.experiments.variants import Variant, plan

__all__ = [
    "Comparison",
    "ExperimentConfig",
    "Outcome",
    "Run",
    "Variant",
    "assign",
    "compare",
    "evaluate_run",
    "load_comparison",
    "load_experiment",
    "plan",
    "represent",
    "run_experiment",
]
