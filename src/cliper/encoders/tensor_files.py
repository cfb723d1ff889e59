"""What a fit learned, as one safetensors file: whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from cliper.errors import InputError
from cliper.files import atomic_path


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Any = None) -> None:
    """Write tensors, from any device, and facts that JSON can say."""
    whole = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(whole, temporary, metadata={"facts": json.dumps(facts, sort_keys=True)})


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Read what `save_tensors` wrote, on the CPU.

    Raises:
        InputError: the file is missing or broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, json.loads(file.metadata()["facts"])
    except Exception as error:  # safetensors raises its own
        raise InputError(
            f"broken file of tensors ({type(error).__name__})",
            where=str(path),
            remedy="delete it and run 'cliper encode' again",
        ) from None
