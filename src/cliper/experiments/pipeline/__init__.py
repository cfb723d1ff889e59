"""`run` with stages: from raw files to a report by one file, each stage once."""

from cliper.experiments.pipeline.pipeline import KEYS, Pipeline
from cliper.experiments.pipeline.run import Step, plan_pipeline, run_pipeline

__all__ = ["KEYS", "Pipeline", "Step", "plan_pipeline", "run_pipeline"]
