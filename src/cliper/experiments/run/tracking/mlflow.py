"""MLflow: one run of its own for each of ours, in a local database unless told otherwise."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from cliper.errors import InputError
from cliper.experiments.run.tracking.base import TrackingSettings, flat, scalars
from cliper.runs import Results

IDENTITY = "cliper.identity"
_LONGEST = 6000  # characters of a parameter's value


class MLflow:
    """Logs parameters, metrics by epoch and the test metrics.

    An interrupted run is found again by its identity and gets the epochs that it lacks.
    """

    def __init__(
        self, section: TrackingSettings, path: Path, identity: str, settings: Mapping[str, Any]
    ) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        uri = section.mlflow_uri or f"sqlite:///{path.resolve().parent / 'mlflow.db'}"
        try:
            self._client = MlflowClient(tracking_uri=uri)
            found = self._client.get_experiment_by_name(section.mlflow_experiment)
            experiment = (
                self._client.create_experiment(section.mlflow_experiment)
                if found is None
                else found.experiment_id
            )
            self._run, self._told = self._open(experiment, identity, path.name)
        except (MlflowException, OSError) as error:
            raise InputError(
                f"MLflow's store cannot be opened ({str(error).splitlines()[0]})",
                where=f"tracking.mlflow_uri {uri}",
                remedy="name a store that is there, or leave it out",
            ) from None
        if not self._told:
            params = [Param(k, str(v)[:_LONGEST]) for k, v in flat(settings).items()]
            self._client.log_batch(self._run, params=params)

    def _open(self, experiment: str, identity: str, name: str) -> tuple[str, int]:
        """The run with this identity, or a new one; and the last epoch that it knows."""
        query = f"tags.`{IDENTITY}` = '{identity}'"
        for run in self._client.search_runs([experiment], query, max_results=1):
            history = self._client.get_metric_history(run.info.run_id, "loss/total")
            return run.info.run_id, max((metric.step for metric in history), default=0)
        tags = {IDENTITY: identity}
        run = self._client.create_run(experiment, tags=tags, run_name=name)
        return run.info.run_id, 0

    def epoch(self, record: Mapping[str, Any]) -> None:
        """One epoch's metrics, unless the store has them from before an interruption."""
        if record["epoch"] > self._told:
            self._log(scalars(record), record["epoch"])

    def finish(self, results: Results) -> None:
        """The test metrics; the run is finished."""
        self._log({f"test/{name}": v for name, v in results.test.items()}, results.best_epoch)
        tags = [
            RunTag("cliper.backbone", results.backbone),
            RunTag("cliper.data", results.dataset.name),
        ]
        self._client.log_batch(self._run, tags=tags)
        self._client.set_terminated(self._run, "FINISHED")

    def close(self) -> None:
        """Nothing is open between two calls; an unfinished run stays `RUNNING` to be resumed."""

    def _log(self, numbers: Mapping[str, float], step: int) -> None:
        # MLflow allows no @ in a name
        metrics = [Metric(k.replace("@", "_at_"), v, 0, step) for k, v in numbers.items()]
        self._client.log_batch(self._run, metrics=metrics)
