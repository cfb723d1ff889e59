"""What a run's model needs beyond its scorer to answer for people it has never seen."""

from collections.abc import Iterator, Mapping
from functools import cached_property

from torch import Tensor

from cliper.backbones import backbone_entry
from cliper.files import as_written
from cliper.runs import RunDirectory
from cliper.scoring import FoldIn, Scorer
from cliper.types import IndexArray


def restore_fold_in(run: RunDirectory, scorer: Scorer, counts: IndexArray) -> FoldIn | None:
    """How the run's model folds a history in; None where it cannot.

    Args:
        run: finished.
        scorer: what it ranks with.
        counts: training interactions per item (N,).

    Raises:
        InputError: the backbone is not installed, or its settings are not of this version.
    """
    with as_written(run.config_file, "train again"):
        options = dict(run.read_config()["backbone"])
        name = str(options.pop("name"))
    entry = backbone_entry(name)
    config = entry.config.parse(options, where="backbone")
    return entry.backbone.fold_in(config, scorer, counts, _Parameters(run))


class _Parameters(Mapping[str, Tensor]):
    """The model's parameters, read when one is asked for: most models fold in without."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        return self.run.read_tensors("model.safetensors")

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
