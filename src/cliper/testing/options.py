"""Another legal value for each option of a strict configuration."""

from collections.abc import Collection
from typing import Any, get_args

from pydantic import ValidationError

from cliper.config import StrictConfig


def alternatives(config: type[StrictConfig], but: Collection[str] = ()) -> dict[str, Any]:
    """For every option of `config` (but some) a value other than its default that is allowed.

    >>> class C(StrictConfig):
    ...     depth: int = 2
    ...     wide: bool = False
    >>> alternatives(C)
    {'depth': 3, 'wide': True}
    """
    return {
        name: _another(config, name, field.default)
        for name, field in config.model_fields.items()
        if name not in but
    }


def _another(config: type[StrictConfig], name: str, default: Any) -> Any:
    for value in _guesses(config, name, default):
        try:
            config.model_validate({name: value})
        except ValidationError:
            continue
        if value != default:
            return value
    raise TypeError(f"no alternative value is known for {config.__name__}.{name}")


def _guesses(config: type[StrictConfig], name: str, default: Any) -> list[Any]:
    if isinstance(default, bool):
        return [not default]
    if isinstance(default, int):
        return [default + 1, default - 1]
    if isinstance(default, float):
        return [default * 5 + 0.1, default / 2, 0.5, 0.0]
    return list(get_args(config.model_fields[name].annotation))
