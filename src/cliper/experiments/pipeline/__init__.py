"""`run` with stages: from raw files to a report by one file, each stage once."""

from cliper.experiments.pipeline.pipeline import Pipeline
from cliper.experiments.pipeline.run import Step, plan_pipeline, run_pipeline
from cliper.experiments.pipeline.sections import KEYS

__all__ = ["KEYS", "Pipeline", "Step", "plan_pipeline", "run_pipeline"]
