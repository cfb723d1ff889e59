"""`Results`: the typed, versioned record of one training, as written to `results.json`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 1

Mask = Literal["train", "train+valid"]
"""What has happened, and is not ranked, when the test begins."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetFacts(_Record):
    """What was trained on; counts are of the split that was used."""

    name: str
    hash: str
    users: int
    items: int
    train: int
    valid: int
    test: int
    dropped: dict[str, int] = Field(default_factory=dict)


class Protocol(_Record):
    """How it was split and ranked."""

    split: str
    mask: Mask
    k: list[int]
    seed: int
    candidates: str = "all"


class FeatureFacts(_Record):
    """Where the items' features came from; `weights` are those of the learned fusion, by view."""

    kind: str
    encoder: str | None = None
    views: list[str] = Field(default_factory=list)
    fusion: str | None = None
    temperature: float | Literal["inf"] | None = None
    threshold: float | None = None
    weights: dict[str, float] = Field(default_factory=dict)
    touched: dict[str, int] = Field(default_factory=dict)


class Seconds(_Record):
    """Wall time by stage; medians are per epoch and per validation."""

    encode: float = 0.0
    prepare_graphs: float = 0.0
    train_epoch_median: float = 0.0
    evaluate_valid_median: float = 0.0
    total: float = 0.0


class MadeWith(_Record):
    """What a run was made with, beside the data: versions, and hex SHA-256 of the rest.

    Attributes:
        versions: Python and the libraries that compute.
        code: of this package's modules.
        features: of the tables that the backbone saw.
        encoder: of the encoder's weights and preprocessing; of a fitted one with its fit.
        model: of `model.safetensors`.
    """

    versions: dict[str, str]
    code: str
    features: str | None = None
    encoder: str | None = None
    model: str | None = None


class Results(_Record):
    """`results.json`; metric values are fractions, unrounded.

    Attributes:
        test: the split's primary candidates; `test_all` ranks among all items where the primary
            candidates are fewer (cold-item split).
        neighbour_recall: recall@k of every item graph that was made approximately, on a sample.
        made_with: None in runs of earlier versions.
    """

    schema_: int = Field(SCHEMA, alias="schema")
    cliper_version: str
    created: str
    dataset: DatasetFacts
    protocol: Protocol
    backbone: str
    features: FeatureFacts
    config: dict[str, Any]
    epochs_run: int
    best_epoch: int
    seconds: Seconds
    peak_memory_mb: float
    valid: dict[str, float]
    test: dict[str, float]
    test_all: dict[str, float] = Field(default_factory=dict)
    neighbour_recall: list[float] = Field(default_factory=list)
    made_with: MadeWith | None = None

    def json_object(self) -> dict[str, Any]:
        """Plain JSON values under the published names."""
        return self.model_dump(mode="json", by_alias=True)
