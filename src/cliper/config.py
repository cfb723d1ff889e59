"""`StrictConfig`: a typed configuration in which nothing is ignored."""

import difflib
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cliper.errors import InputError


class StrictConfig(BaseModel):
    """Immutable settings: an unknown key, a wrong type or a value out of range is an error.

    >>> class Training(StrictConfig):
    ...     learning_rate: float = 1e-3
    >>> Training.parse({"learning_rat": 1}, where="training")
    Traceback (most recent call last):
    ...
    cliper.errors.InputError: training.learning_rat: unknown key (did you mean 'learning_rate'?)
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Validate `values`; the first problem becomes one line that names the key.

        Args:
            values: nested mapping of settings, as read from YAML or JSON.
            where: dotted prefix to name the keys by.

        Raises:
            InputError: on the first unknown key or bad value.
        """
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
    path = [str(part) for part in problem["loc"]]
    key = ".".join([where, *path] if where else path)
    if problem["type"] == "extra_forbidden":
        owner = _descend(model, path[:-1])
        known = list(owner.model_fields) if owner else []
        return InputError("unknown key", where=key, remedy=nearest(path[-1], known))
    found = f", got {problem['input']!r}" if problem["type"] != "missing" else ""
    return InputError(f"{problem['msg'][0].lower()}{problem['msg'][1:]}{found}", where=key)


def _descend(model: type[BaseModel] | None, path: list[str]) -> type[BaseModel] | None:
    for part in path:
        field = model.model_fields.get(part) if model else None
        annotation = field.annotation if field else None
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        model = annotation if is_model else None  # type: ignore[assignment]
    return model
