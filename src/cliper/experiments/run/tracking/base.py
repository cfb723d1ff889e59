"""`TrackingSettings`: what to track with; `Tracker`: who hears of a run."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from pydantic import Field

from cliper.config import StrictConfig
from cliper.errors import InputError
from cliper.runs import Results

TrackerKind = Literal["tensorboard", "mlflow"]


class TrackingSettings(StrictConfig):
    """Extras beside `metrics.jsonl`. They have no part in a run's identity."""

    to: list[TrackerKind] = Field(default_factory=list)
    mlflow_uri: str | None = Field(
        None, description="of MLflow's store; mlflow.db in the folder above the run if not given"
    )
    mlflow_experiment: str = Field("cliper", min_length=1)

    def check(self) -> None:
        """Refuse settings of MLflow where it is not used.

        Raises:
            InputError: with the key.
        """
        given = self.model_fields_set & {"mlflow_uri", "mlflow_experiment"}
        if given and "mlflow" not in self.to:
            raise InputError(
                "has no effect without MLflow",
                where=f"tracking.{sorted(given)[0]}",
                remedy="add mlflow to tracking.to, or leave it out",
            )


class Tracker(Protocol):
    """Hears of one run."""

    def epoch(self, record: Mapping[str, Any]) -> None:
        """One epoch's record: `epoch`, `loss` by term, `seconds`, perhaps `valid`."""
        ...

    def finish(self, results: Results) -> None:
        """The run is done."""
        ...

    def close(self) -> None:
        """Let go, whether done or not."""
        ...


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping with dotted keys.

    >>> flat({"fusion": {"kind": "sum"}, "n": 1})
    {'fusion.kind': 'sum', 'n': 1}
    """
    result: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[prefix + key] = value
    return result


def scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an epoch's record: the loss and its terms, validation, seconds.

    >>> scalars({"epoch": 1, "loss": {"bpr": 0.5}, "seconds": 2.0, "valid": {"recall@20": 0.1}})
    {'loss/total': 0.5, 'loss/bpr': 0.5, 'seconds/train': 2.0, 'valid/recall@20': 0.1}
    """
    loss = {f"loss/{name}": float(value) for name, value in record["loss"].items()}
    numbers = {"loss/total": sum(loss.values()), **loss, "seconds/train": float(record["seconds"])}
    if "seconds_valid" in record:
        numbers["seconds/valid"] = float(record["seconds_valid"])
    return numbers | {f"valid/{name}": float(v) for name, v in record.get("valid", {}).items()}
