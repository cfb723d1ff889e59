"""One saved small model of each family, made once a session."""

from collections.abc import Callable

import pytest

from .small_models import Small, small


@pytest.fixture(scope="session")
def make_small(tmp_path_factory) -> Callable[[str], Small]:
    made: dict[str, Small] = {}

    def make(family: str) -> Small:
        if family not in made:
            made[family] = small(family, tmp_path_factory.mktemp(family) / family)
        return made[family]

    return make
