"""`stages.json`: which stage was done with which inputs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cliper import __version__
from cliper.config import StrictConfig
from cliper.files import read_json, write_json

FILE = "stages.json"
EARLIER = "earlier"


class Entry(StrictConfig):
    """What is known of a stage.

    Attributes:
        state: `running` from its start to its end, also after it was killed.
        key: hash of its settings and inputs.
        work: hash of what its finished parts must agree in to be used again.
        outputs: patterns of its files under the pipeline's directory.
        finished: when, ISO 8601.
        seconds: how long the last call took.
        facts: what it left, e.g. a dataset's hash.
    """

    state: Literal["running", "done"]
    key: str
    work: str
    outputs: list[str] = Field(default_factory=list)
    finished: str | None = None
    seconds: float | None = None
    facts: dict[str, Any] = Field(default_factory=dict)


class _StagesFile(StrictConfig):
    """All entries, as the file has them."""

    schema_: Literal[1] = Field(1, alias="schema")
    cliper_version: str = __version__
    stages: dict[str, Entry] = Field(default_factory=dict)


class StageRecords:
    """The file and what is in it; every change is written at once, whole or not at all.

    Args:
        out: the pipeline's directory.

    Raises:
        InputError: the file is damaged or of another version.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        path = out / FILE
        read = _StagesFile.parse(read_json(path), where=str(path)) if path.is_file() else None
        self.entries: dict[str, Entry] = {} if read is None else dict(read.stages)

    def start(self, name: str, key: str, work: str, outputs: Sequence[str]) -> None:
        """A stage begins."""
        self.entries[name] = Entry(state="running", key=key, work=work, outputs=list(outputs))
        self._write()

    def finish(self, name: str, seconds: float, facts: dict[str, Any]) -> None:
        """It is done."""
        update = {
            "state": "done", "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": seconds, "facts": facts,
        }  # fmt: skip
        self.entries[name] = self.entries[name].model_copy(update=update)
        self._write()

    def set_aside(self, name: str, patterns: Sequence[str] | None = None) -> list[Path]:
        """Move a stage's files to `earlier/<number>/`; nothing is deleted.

        Args:
            name: the stage.
            patterns: of these files alone; of all that it wrote by default, and it is forgotten.

        Returns:
            Where they are now.
        """
        wanted = self.entries[name].outputs if patterns is None else patterns
        found = sorted({path for pattern in wanted for path in self._out.glob(pattern)})
        moved = []
        if found:
            before = (int(p.name) for p in (self._out / EARLIER).glob("*") if p.name.isdigit())
            folder = self._out / EARLIER / str(max(before, default=0) + 1)
            for path in found:
                target = folder / path.relative_to(self._out)
                target.parent.mkdir(parents=True, exist_ok=True)
                moved.append(path.rename(target))
        if patterns is None:
            del self.entries[name]
            self._write()
        return moved

    def _write(self) -> None:
        whole = _StagesFile(schema=1, stages=self.entries)
        write_json(self._out / FILE, whole.model_dump(mode="json", by_alias=True))
