"""`stages.json`: which stage was done with which inputs."""

from collections.abc import Sequence
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


class StageRecords(StrictConfig):
    """All entries, as the file has them."""

    schema_: Literal[1] = Field(1, alias="schema")
    cliper_version: str = __version__
    stages: dict[str, Entry] = Field(default_factory=dict)

    @classmethod
    def read(cls, out: Path) -> "StageRecords":
        """The records of a pipeline's directory; empty ones where there are none yet.

        Raises:
            InputError: the file is damaged or of another version.
        """
        path = out / FILE
        return cls.parse(read_json(path) if path.is_file() else {}, where=str(path))

    def write(self, out: Path) -> None:
        """Write them, whole or not at all."""
        write_json(out / FILE, self.model_dump(mode="json", by_alias=True))


def set_aside(out: Path, patterns: Sequence[str]) -> Path | None:
    """Move files to `earlier/<number>/`, so that nothing is deleted; returns that folder."""
    found = sorted({path for pattern in patterns for path in out.glob(pattern)})
    if not found:
        return None
    before = (int(p.name) for p in (out / EARLIER).glob("*") if p.name.isdigit())
    folder = out / EARLIER / str(max(before, default=0) + 1)
    for path in found:
        target = folder / path.relative_to(out)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return folder
