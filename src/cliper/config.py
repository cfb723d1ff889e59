"""`StrictConfig`: a typed configuration in which nothing is ignored."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cliper.errors import InputError

# In strict mode a text is no path and a list no tuple: YAML and JSON have neither.
PathSetting = Annotated[Path, Field(strict=False)]


class StrictConfig(BaseModel):
    """Immutable settings: an unknown key, a wrong type or a value out of range is an error.

    Nothing is made into another type but a whole number into a float: `true` is no number, and
    neither is the text `"3"`.

    >>> class Training(StrictConfig):
    ...     learning_rate: float = 1e-3
    >>> Training.parse({"learning_rat": 1}, where="training")
    Traceback (most recent call last):
    ...
    cliper.errors.InputError: training.learning_rat: unknown key (did you mean 'learning_rate'?)
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Validate `values`; the first problem becomes one line that names the key.

        Args:
            values: nested mapping of settings, as read from YAML or JSON.
            where: dotted prefix to name the keys by.

        Raises:
            InputError: on the first unknown key or bad value.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"settings are a mapping, got {type(values).__name__}", where=where)
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _first_problem(cls, error, where) from None


def nearest(name: str, known: list[str]) -> str:
    """A remedy that names the nearest known name, or all of them when none is near.

    >>> nearest("fredom", ["freedom", "vbpr"])
    "did you mean 'freedom'?"
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"


def _first_problem(model: type[BaseModel], error: ValidationError, where: str) -> InputError:
    problem = error.errors(include_url=False)[0]
    path, owners = _walk(model, [str(part) for part in problem["loc"]])
    key = ".".join([where, *path] if where else path)
    if problem["type"] == "extra_forbidden":
        known = list(owners[0].model_fields) if owners else []
        return InputError("unknown key", where=key, remedy=nearest(path[-1], known))
    if problem["type"].startswith("union_tag"):  # sections of which a key says which it is
        tag, tags = problem.get("ctx", {}).get("tag"), list(_by_tag(owners))
        what = "is not said" if tag is None else f"unknown: {tag!r}"
        remedy = f"one of {', '.join(tags)}" if tag is None else nearest(str(tag), tags)
        return InputError(
            what, where=f"{key}.{problem['ctx']['discriminator'][1:-1]}", remedy=remedy
        )
    found = f", got {problem['input']!r}" if problem["type"] != "missing" else ""
    return InputError(f"{problem['msg'][0].lower()}{problem['msg'][1:]}{found}", where=key)


def _walk(model: type[BaseModel], loc: list[str]) -> tuple[list[str], list[type[BaseModel]]]:
    """The keys of an error's place, and what its last key may belong to or hold.

    Where a field may hold one of several models or types, pydantic puts the tag of the one it took
    into the place, which no user wrote.
    """
    path: list[str] = []
    owners, inside = [model], [model]
    is_tag = False
    for part in loc:
        if is_tag:
            is_tag = False
            continue
        tagged = _by_tag(inside)
        if len(inside) > 1 and part in tagged:
            inside = [tagged[part]]
            continue
        owners = inside
        path.append(part)
        field = inside[0].model_fields.get(part) if len(inside) == 1 else None
        inside = _models(field.annotation) if field else []
        is_tag = field is not None and not inside and _is_union(field.annotation)
    return path, inside if len(inside) > 1 else owners


def _is_union(annotation: Any) -> bool:
    """Whether a value may have one of several types, None aside."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return len([member for member in members if member is not NoneType]) > 1


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation names: itself, or the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _by_tag(models: list[type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """The models by the one value that a field of theirs can have."""
    return {
        tag: model
        for model in models
        for field in model.model_fields.values()
        if get_origin(field.annotation) is Literal and len(tags := get_args(field.annotation)) == 1
        for tag in tags
    }
