"""`Stage`: what each step depends on, what it leaves; `Context`: what they hand on."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.pipeline.pipeline import Pipeline
from cliper.experiments.pipeline.records import Entry, StageRecords


@dataclass
class Context:
    """What stages hand on.

    Attributes:
        pipeline: what was asked for.
        out: gets everything but the dataset.
        records: what is done.
        commands: what a reader of the report would type.
    """

    pipeline: Pipeline
    out: Path
    records: StageRecords
    commands: Sequence[str] = ()
    _dataset: Dataset | None = field(default=None, repr=False)
    _is_unknown: bool = False

    @property
    def dataset(self) -> Dataset:
        """The dataset as it is now.

        Raises:
            InputError: there is none, or it is damaged.
        """
        if self._dataset is None:
            self._dataset = Dataset.load(self.pipeline.dataset_path)
        return self._dataset

    def renew(self, dataset: Dataset | None) -> None:
        """A stage wrote another."""
        self._dataset = dataset

    def forget(self) -> None:
        """In a plan: another dataset will be there by then."""
        self._is_unknown = True

    def dataset_or_none(self) -> Dataset | None:
        """The dataset, None where it cannot be read."""
        if self._is_unknown:
            return None
        try:
            return self.dataset
        except InputError:
            return None


class Stage(ABC):
    """One step.

    Attributes:
        name: in `stages.json`.
        outputs: patterns of what it writes under the pipeline's directory.
        result: the file that says that it was finished; empty for a dataset's stages.
    """

    name: str
    outputs: tuple[str, ...] = ()
    result: str = ""
    needs_dataset: ClassVar[bool] = True

    @abstractmethod
    def key(self, context: Context) -> str:
        """Hash of settings and inputs."""

    def work(self, context: Context) -> str:
        """Hash of what its finished parts must agree in to be used again."""
        return self.key(context)

    def is_there(self, context: Context, entry: Entry) -> bool:
        """What it left is still there."""
        return (context.out / self.result).is_file()

    @abstractmethod
    def run(self, context: Context) -> dict[str, Any]:
        """Do it, or go on with it; returns facts for the records."""

    def trainings(self, context: Context) -> int | None:
        """How many models it trains when nothing is there yet; None where the data decide."""
        return 0
