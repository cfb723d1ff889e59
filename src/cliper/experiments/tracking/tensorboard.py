"""TensorBoard: event files in the run's own folder `tensorboard/`."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from torch.utils.tensorboard import SummaryWriter

from cliper.experiments.tracking.base import scalars
from cliper.runs import Results


class TensorBoard:
    """Writes scalars by epoch, the settings as text, and the test metrics at the best epoch.

    An interrupted run's events are replaced: a resumed training tells of all epochs again.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        folder = path / "tensorboard"
        shutil.rmtree(folder, ignore_errors=True)
        self._writer: Any = SummaryWriter(str(folder))  # type: ignore[no-untyped-call]
        text = yaml.safe_dump(dict(settings), sort_keys=False)
        self._writer.add_text("settings", f"```\n{text}```", 0)

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
        self._writer.close()
