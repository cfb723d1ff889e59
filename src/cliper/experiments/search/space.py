"""What a search may choose: dotted setting → values or a range, typed by the setting's field."""

import itertools
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cliper.backbones import backbone_entry
from cliper.config import StrictConfig, nearest
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.strict_yaml import parse_value

# These say what is measured, or what is compared; a search must not choose them.
FIXED = ("dataset", "split", "evaluation", "tracking")
FIXED_KEYS = ("backbone.name", "features.kind", "training.seed", "training.device")


@dataclass(frozen=True)
class Choice:
    """One of several plain values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """A number between two others, both included.

    Attributes:
        low, high: the ends.
        log: even on a logarithmic scale.
        integer: whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False


Space = Mapping[str, Choice | Range]


def parse_space(texts: Sequence[str], backbone: str) -> dict[str, Choice | Range]:
    """`key=a,b,c`, `key=low..high` and `key=low..high:log` as a space.

    Raises:
        InputError: not of that form, an unknown key, or one that a search must not choose.

    >>> parse_space(["training.learning_rate=1e-4..1e-2:log", "backbone.n_layers=1..3"], "freedom")
    ... # doctest: +NORMALIZE_WHITESPACE
    {'training.learning_rate': Range(low=0.0001, high=0.01, log=True, integer=False),
     'backbone.n_layers': Range(low=1, high=3, log=False, integer=True)}
    """
    space: dict[str, Choice | Range] = {}
    for text in texts:
        key, equals, rest = text.partition("=")
        key = key.strip()
        if not equals or not key or not rest.strip():
            raise InputError(
                f"not key=values: {text!r}",
                where="space",
                remedy="write key=a,b,c or key=low..high or key=low..high:log",
            )
        if key in space:
            raise InputError("is given twice", where=f"space {key}")
        space[key] = _parse_one(key, rest.strip(), backbone)
    return space


def describe(space: Space) -> dict[str, Any]:
    """The space as plain values, for records."""
    return {
        key: list(one.values)
        if isinstance(one, Choice)
        else {"low": one.low, "high": one.high, "log": one.log, "integer": one.integer}
        for key, one in space.items()
    }


def size(space: Space) -> int | None:
    """Number of configurations; None where a range is continuous.

    >>> size({"a": Choice((1, 2)), "b": Range(1, 3, integer=True)})
    6
    """
    count = 1
    for one in space.values():
        values = members(one)
        if values is None:
            return None
        count *= len(values)
    return count


def members(one: Choice | Range) -> tuple[Any, ...] | None:
    """All values of one setting; None where they are a continuum."""
    if isinstance(one, Choice):
        return one.values
    return tuple(range(int(one.low), int(one.high) + 1)) if one.integer else None


def combinations(space: Space) -> Iterator[dict[str, Any]]:
    """Every configuration of a finite space, the last key varying fastest."""
    values = [members(one) or () for one in space.values()]
    for combination in itertools.product(*values):
        yield dict(zip(space, combination, strict=True))


def check_space(space: Space, build: Callable[[dict[str, Any]], ExperimentConfig]) -> None:
    """Build an experiment at every end and every value, the other settings at their first.

    Args:
        space: what is searched.
        build: parameters → experiment, as the search will.

    Raises:
        InputError: there is nothing to search, or a value is out of range.
    """
    if not space:
        raise InputError("nothing to search", where="space", remedy="name settings and values")
    for key, one in space.items():
        for value in _ends(one):
            build({**first_of(space), key: value})


def first_of(space: Space) -> dict[str, Any]:
    """The configuration of first values and low ends."""
    return {key: _ends(one)[0] for key, one in space.items()}


def _ends(one: Choice | Range) -> tuple[Any, ...]:
    return one.values if isinstance(one, Choice) else (one.low, one.high)


def _parse_one(key: str, text: str, backbone: str) -> Choice | Range:
    kind = numeric_type(key, backbone)
    if ".." not in text:
        values = [parse_value(part.strip(), key) for part in text.split(",") if part.strip()]
        if any(isinstance(value, list | dict) for value in values):
            raise InputError("lists cannot be searched", where=f"space {key}")
        if len(set(map(repr, values))) != len(values):
            raise InputError("a value is named twice", where=f"space {key}")
        as_float = kind is float
        return Choice(tuple(float(v) if as_float and type(v) is int else v for v in values))
    body, _, scale = text.partition(":")
    low, high = (parse_value(end.strip(), key) for end in body.partition("..")[::2])
    if kind is None or scale not in ("", "log"):
        raise InputError(
            f"cannot be searched as {text!r}",
            where=f"space {key}",
            remedy="a range low..high or low..high:log is for numbers; else list values: key=a,b",
        )
    numbers = (low, high)
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers) or low >= high:
        raise InputError(f"no range: {text!r}", where=f"space {key}", remedy="low must be lower")
    if kind is int and not all(isinstance(n, int) for n in numbers):
        raise InputError(f"takes whole numbers, got {text!r}", where=f"space {key}")
    if scale == "log" and low <= 0:
        raise InputError("a logarithmic range begins above 0", where=f"space {key}")
    if kind is float:
        low, high = float(low), float(high)
    return Range(low, high, scale == "log", kind is int)


def numeric_type(key: str, backbone: str) -> type | None:
    """`int` or `float` for a setting that takes numbers, None for another.

    Raises:
        InputError: there is no such setting, or a search must not choose it.
    """
    section, _, name = key.partition(".")
    if section in FIXED or key in FIXED_KEYS:
        raise InputError(
            "cannot be searched: it says what is measured, or on what",
            where=f"space {key}",
            remedy="set it for the whole search",
        )
    if section not in ExperimentConfig.model_fields or not name:
        raise InputError(
            "no such setting", where=f"space {key}",
            remedy=nearest(section, [s for s in ExperimentConfig.model_fields if s not in FIXED]),
        )  # fmt: skip
    if section == "backbone":
        model: type[StrictConfig] = backbone_entry(backbone).config
    else:
        model = typing.cast(type[StrictConfig], ExperimentConfig.model_fields[section].annotation)
    if name not in model.model_fields:
        known = list(model.model_fields)
        raise InputError("no such setting", where=f"space {key}", remedy=nearest(name, known))
    kinds = set(_plain(model.model_fields[name].annotation))
    return float if float in kinds else int if int in kinds else None


def _plain(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _plain(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _plain(part)
    else:
        yield annotation
