"""TensorBoard: event files in the run's own folder `tensorboard/`."""

import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from cliper.experiments.run.tracking.base import scalars
from cliper.runs import Results
from cliper.strict_yaml import write_yaml


class TensorBoard:
    """Writes scalars by epoch, the settings as text, and the test metrics at the best epoch.

    An interrupted run's events are replaced: a resumed training tells of all epochs again.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._folder = path / "tensorboard"
        self._settings = write_yaml(dict(settings))

    @cached_property
    def _writer(self) -> Any:
        """Opened at the first epoch: a run directory begins with its settings."""
        shutil.rmtree(self._folder, ignore_errors=True)
        writer = SummaryWriter(str(self._folder))
        writer.add_text("settings", f"```\n{self._settings}```", 0)
        return writer

    def epoch(self, record: Mapping[str, Any]) -> None:
        """One epoch's scalars."""
        for name, value in scalars(record).items():
            self._writer.add_scalar(name, value, record["epoch"])

    def finish(self, results: Results) -> None:
        """The test metrics."""
        for name, value in results.test.items():
            self._writer.add_scalar(f"test/{name}", value, results.best_epoch)

    def close(self) -> None:
        """Flush and let go."""
        if "_writer" in self.__dict__:
            self._writer.close()
