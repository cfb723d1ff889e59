"""The keys of an experiment file that make it a pipeline."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator, model_validator

from cliper import __version__
from cliper.config import StrictConfig, nearest
from cliper.data.fetch.settings import FetchSettings
from cliper.errors import InputError
from cliper.experiments.comparisons.settings import CompareSettings
from cliper.experiments.pipeline.readers import PrepareSection
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.search import SearchSettings
from cliper.experiments.studies import find_study
from cliper.representation.fusion import FusionKind


class StudiesSettings(StrictConfig):
    """Studies of one backbone; a plain list names the kinds alone."""

    kinds: list[str] = Field(min_length=1)
    backbone: str | None = Field(None, description="`backbone.name`, or freedom")
    fusion: FusionKind = "attention"
    seeds: int = Field(5, ge=1, le=1000, description="how many, from 0")
    metric: str = "recall@20"
    values: dict[str, list[Any]] = Field(
        default_factory=dict, description="study → what it varies over"
    )

    @model_validator(mode="before")
    @classmethod
    def _list(cls, given: Any) -> Any:
        return {"kinds": given} if isinstance(given, list) else given

    @model_validator(mode="after")
    def _known(self) -> "StudiesSettings":
        """Refuse names that are no studies, and values that no study takes."""
        for kind in self.kinds:
            find_study(kind)
        if len(set(self.kinds)) != len(self.kinds):
            raise InputError("a study is named twice", where="studies.kinds")
        for kind, values in self.values.items():
            where = f"studies.values.{kind}"
            if kind not in self.kinds:
                remedy = nearest(kind, self.kinds)
                raise InputError("no such study in this file", where=where, remedy=remedy)
            if find_study(kind).values is None or not values:
                raise InputError(
                    "takes no values" if values else "names none", where=where,
                    remedy="leave it out",
                )  # fmt: skip
        return self

    def values_of(self, kind: str) -> list[str] | None:
        """As a command line has them; None for the study's own."""
        values = self.values.get(kind)
        return None if values is None else [str(value) for value in values]


class Sections(StrictConfig):
    """What there is to do, beside the settings that it is done with."""

    prepare: PrepareSection | None = None
    images: FetchSettings | None = None
    compare: CompareSettings | None = None
    studies: StudiesSettings | None = None
    search: SearchSettings | None = None
    report: bool = False
    processes: int | None = Field(None, ge=1, description="trainings at a time")

    @field_validator("images", mode="before")
    @classmethod
    def _polite(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return {"user_agent": f"cliper/{__version__}", **given}
        return given


KEYS = tuple(Sections.model_fields)


def split_tree(tree: Mapping[str, Any]) -> tuple[Sections, dict[str, Any]]:
    """The pipeline's sections and the settings that they share.

    Raises:
        InputError: an unknown key, an empty section, a bad value.
    """
    known = [*KEYS, *ExperimentConfig.model_fields]
    for key in tree:
        if key not in known:
            raise InputError("unknown key", where=str(key), remedy=nearest(str(key), known))
    given = {key: tree[key] for key in tree if key in KEYS}
    if "images" in given and given["images"] is None:
        given["images"] = {}  # every option has a default
    for key, value in given.items():
        if value is None:
            raise InputError("is empty", where=key, remedy="say what, or leave it out")
    base = {key: value for key, value in tree.items() if key not in KEYS}
    return Sections.parse(given), base
